"""``pixelwise data augment``: look at what an augmentation does to the data before anything is trained with it."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from pixelwise.augment import AugmentOptions
    from pixelwise.core.arrays import Size
    from pixelwise.core.sample import Dataset
    from pixelwise.report.augment import Row


def augment_data(
    path: Annotated[Path, typer.Argument(help="The labelled data set.", metavar="DATA", show_default=False)],
    out: Annotated[Path, typer.Option(help="The page to write.", metavar="PAGE.html")] = Path("augment.html"),
    policy: Annotated[str | None, typer.Option(help="default, none, light, medium, strong or large_scale.")] = None,
    set_: Annotated[
        list[str] | None, typer.Option("--set", help="augment.key=value, as in augment.rotate=20; repeatable.")
    ] = None,
    count: Annotated[int, typer.Option(min=1, max=50, help="Draws of each image.")] = 4,
    images: Annotated[int, typer.Option(min=1, max=200, help="Images shown, evenly spread over the data.")] = 6,
    seed: Annotated[int, typer.Option(min=0, help="Of the draws.")] = 0,
    crop: Annotated[str | None, typer.Option(metavar="H,W", help="Crop to this size; the whole image if not given.")] = None,
    split: Annotated[str | None, typer.Option(help="Show images of this split; train where there is one.")] = None,
    void: Annotated[str | None, typer.Option(metavar="VALUES", help="Mask values that mean 'not labelled'.")] = None,
    classes: Annotated[str | None, typer.Option(metavar="NAMES", help="Class names, as for 'data check'.")] = None,
    format: Annotated[str | None, typer.Option(metavar="NAME", help="Label format; found out if not given.")] = None,
) -> int:
    """Show originals beside draws of an augmentation with their masks, as one HTML page; warn where it does not suit."""
    from pixelwise.augment import warnings_for
    from pixelwise.core.errors import OptionError
    from pixelwise.formats import read
    from pixelwise.report.augment import AugmentPage, write_augment_page

    if out.is_dir():
        raise OptionError(f"--out {out}: expected a file to write, as page.html, but it is a folder")
    options, size = options_of(policy, set_ or []), _size(crop)
    whole = read(path, format=format, void=void, classes=classes)
    name = split or ("train" if "train" in whole.splits else None)
    dataset = whole if name is None else whole.split(name)
    rows, failures = _rows(dataset, options, images, count, seed, size)
    warnings = warnings_for(options, dataset)
    notes = list(failures)
    if not dataset.labels.settled:
        notes.append(f"what the mask values mean is not settled; see: pixelwise data check {path}")
    for text in (*warnings, *notes):
        print(text, file=sys.stderr)
    facts = {
        "data": path.name or str(path),
        "split": name or "all",
        "images": f"{len(rows)} of {len(dataset)}",
        "seed": str(seed),
    }
    write_augment_page(
        out, AugmentPage(f"Augmentation: {options.policy}", options, dataset.labels, rows, warnings, notes, facts)
    )
    print(f"{out}: {len(rows)} images, {count} draws each")
    return 1 if failures else 0


def options_of(policy: str | None, settings: list[str]) -> "AugmentOptions":
    """Put the options together: the policy, then ``--set augment.key=value``.

    Raises:
        OptionError: a policy or key is unknown, or another table than [augment] is set.
    """
    from pixelwise.augment import AugmentOptions
    from pixelwise.core.errors import OptionError
    from pixelwise.core.options import from_table, override

    tables = override({"augment": {} if policy is None else {"policy": policy}}, settings)
    if other := [name for name in tables if name != "augment"]:
        raise OptionError(f"--set {other[0]}.…: only the table [augment] can be set here, as in --set augment.rotate=20")
    return from_table(AugmentOptions, tables["augment"], "augment")


def _size(text: str | None) -> "Size | None":
    from pixelwise.core.errors import OptionError

    if text is None:
        return None
    try:
        height, width = (int(part) for part in text.replace("x", ",").split(","))
    except ValueError:
        height = width = 0
    if not (0 < height <= 8192 and 0 < width <= 8192):
        raise OptionError(f"--crop {text}: expected height,width in pixels from 1 to 8192, as in --crop 352,480")
    return height, width


def _rows(
    dataset: "Dataset", options: "AugmentOptions", images: int, count: int, seed: int, crop: "Size | None"
) -> "tuple[list[Row], list[str]]":
    """Draw from images evenly spread over the data; name those that cannot be read."""
    from pixelwise.cli.progress import progress_bar
    from pixelwise.core.errors import DataError, OptionError, PixelwiseError
    from pixelwise.report.augment import row_of

    shown = min(images, len(dataset))
    places = [place * len(dataset) // shown for place in range(shown)]
    rows, failures = [], []
    with progress_bar("augment") as progress:
        for done, index in enumerate(places):
            try:
                rows.append(row_of(dataset, index, options, count, seed, crop))
            except OptionError:
                raise
            except PixelwiseError as error:
                failures.append(f"{dataset[index].name} cannot be shown: {error}")
            progress(done + 1, shown)
    if not rows:
        raise DataError(failures[0] if failures else f"{dataset.name}: there is no image with a mask to draw from")
    return rows, failures
