"""What is wrong with items beside the others of their set: copies, leaks, odd images, smeared and swapped masks."""

from collections.abc import Collection, Iterator, Sequence
from pathlib import Path, PurePosixPath

from pixelwise.core.sample import Dataset
from pixelwise.curate.duplicates import Copy, find_copies
from pixelwise.curate.leaks import find_leaks
from pixelwise.curate.looks import Look, Looked, known
from pixelwise.curate.outliers import find_odd
from pixelwise.curate.partners import Misfit, find_swapped
from pixelwise.curate.problem import Problem, splits_of
from pixelwise.curate.progress import Progress
from pixelwise.curate.smears import find_smears
from pixelwise.formats.masks import MaskFile
from pixelwise.formats.masks.scan import Scan
from pixelwise.formats.names import place_of


def image_name(dataset: Dataset, row: int) -> str:
    """Give the path of a sample's image, or its name where it is in no file."""
    return str(dataset[row].source.image or dataset[row].name)


def mask_name(dataset: Dataset, row: int) -> str:
    """Give the path of a sample's mask, or its image's where the mask is in no file of its own."""
    source = dataset[row].truth_source
    return str(source.path) if isinstance(source, MaskFile) else image_name(dataset, row)


def copies(
    dataset: Dataset, looks: Sequence[Looked], scan: Scan, progress: Progress | None = None, near: bool = True
) -> Iterator[Problem]:
    """Tell images that are copies of others: an error where the two are in different splits."""
    splits = _splits(dataset)
    for copy in find_copies(dataset, looks, progress, near):
        yield _copy(dataset, copy, splits[copy.row], splits[copy.of], _same_masks(dataset, copy, scan))


def leaks(dataset: Dataset, looks: Sequence[Looked], progress: Progress | None = None, near: bool = True) -> Iterator[Problem]:
    """Tell scenes and tiles that are in several splits; without ``near``, by their names alone."""
    sizes = [one.size if isinstance(one, Look) else None for one in looks]
    yield from find_leaks(dataset, _splits(dataset), sizes, progress, by_content=near)


def _splits(dataset: Dataset) -> list[frozenset[str]]:
    """Give each sample's splits; one that is in no list counts for the split that its folder is named after."""
    found = splits_of(dataset.splits, len(dataset))
    for row, (names, sample) in enumerate(zip(found, dataset, strict=True)):
        source = sample.truth_source
        if not names and isinstance(source, MaskFile) and source.image.is_relative_to(source.root):
            place = place_of(PurePosixPath(source.image.relative_to(source.root).parent.as_posix()))
            found[row] = frozenset(() if place.split is None else (place.split,))
    return found


def _copy(dataset: Dataset, copy: Copy, here: frozenset[str], there: frozenset[str], same_masks: bool | None) -> Problem:
    file, original = image_name(dataset, copy.row), image_name(dataset, copy.of)
    alike = "the same image as" if copy.exact else f"nearly the same image as{' the mirror image of' * copy.mirrored}"
    contradiction = "; their masks differ, so one of them is wrong" if same_masks is False else ""
    rows, others = (copy.row, copy.of), (original,)
    if here and there and here != there:
        text = (
            f"{file}: LEAK: it is {alike} {original}, but one is in '{_and(here)}' and the other in '{_and(there)}', so a "
            f"model is scored on what it was trained on; take one of them out{contradiction}"
        )
        return Problem("leak", file, text, severity="error", others=others, rows=rows)
    text = f"{file}: it is {alike} {original}{contradiction}; take one of them out"
    return Problem("duplicate" if copy.exact else "near duplicate", file, text, others=others, rows=rows)


def _and(names: Collection[str]) -> str:
    return " and ".join(sorted(names))


def _same_masks(dataset: Dataset, copy: Copy, scan: Scan) -> bool | None:
    """Tell whether two equal images have masks of the same counts; None where that cannot be told."""
    if not copy.exact:
        return None
    sources = [dataset[row].truth_source for row in (copy.row, copy.of)]
    one, other = (scan.records.get(source.path) if isinstance(source, MaskFile) else None for source in sources)
    if one is None or other is None:
        return None
    return (one.values, one.pixels, one.border) == (other.values, other.pixels, other.border)


def odd_images(dataset: Dataset, looks: Sequence[Looked]) -> Iterator[Problem]:
    """Tell blank images, and those far from the rest."""
    for row, one in known(looks):
        if one.is_blank and min(one.size) > 1:
            file = image_name(dataset, row)
            text = f"{file}: the image is of one colour all over; look whether that is meant"
            yield Problem("blank", file, text, severity="note", rows=(row,))
    for odd in find_odd(looks):
        file = image_name(dataset, odd.row)
        text = f"{file}: far from the rest of the images: {'; '.join(odd.texts)}; look whether it belongs here"
        yield Problem("odd image", file, text, rows=(odd.row,))


def masks(
    dataset: Dataset, scan: Scan, bad: Collection[int], root: Path, progress: Progress | None = None
) -> Iterator[Problem]:
    """Tell smeared, blocky and swapped masks among the samples that are not ``bad`` already."""
    yield from _smeared(dataset, scan, bad, root, progress)
    fine = [row for row in range(len(dataset)) if row not in bad]
    for misfit in find_swapped(dataset, fine, progress):
        yield _swapped(dataset, misfit)


def _smeared(dataset: Dataset, scan: Scan, bad: Collection[int], root: Path, progress: Progress | None) -> Iterator[Problem]:
    sources = [
        source if isinstance(source := sample.truth_source, MaskFile) and row not in bad else None
        for row, sample in enumerate(dataset)
    ]
    found = find_smears(sources, scan.records, root, progress)
    again = "make it again from its source with nearest-neighbour resizing, and save it as PNG"
    for row, share in sorted(found.smeared.items()):
        file = mask_name(dataset, row)
        text = (
            f"{file}: {100 * share:.0f} % of its borders hold values between two classes: the mask was blurred, resized with "
            f"interpolation or saved with loss; {again}"
        )
        yield Problem("blurred mask", file, text, rows=(row,))
    if found.all_alike:
        text = (
            f"{dataset.name}: the borders of most masks hold values between two classes: drawn outlines, or all were blurred "
            f"or resized with interpolation; look at some"
        )
        yield Problem("blurred mask", dataset.name, text, severity="note")
    fine = [row for row, source in enumerate(sources) if source is not None and row not in found.blocks]
    if found.blocks and len(found.blocks) > len(fine):
        text = f"{dataset.name}: most masks are made of blocks of pixels, as those are that were enlarged from smaller ones"
        yield Problem("resized mask", dataset.name, text, severity="note")
        return
    for row, block in sorted(found.blocks.items()):
        file = mask_name(dataset, row)
        text = f"{file}: it is made of blocks of {block} x {block} pixels: the mask was enlarged from a smaller one; {again}"
        yield Problem("resized mask", file, text, rows=(row,))


def _swapped(dataset: Dataset, misfit: Misfit) -> Problem:
    file, image = mask_name(dataset, misfit.row), image_name(dataset, misfit.row)
    how = (
        f"its borders fit the edges of {image} with {misfit.own:.1f}, where {misfit.usual:.1f} is usual and 0 is a mask of "
        f"some other image"
    )
    if misfit.better is None:
        text = f"{file}: this seems to be the mask of another image: {how}; look at the two, and find the right mask"
        return Problem("swapped mask", file, text, rows=(misfit.row,))
    better = mask_name(dataset, misfit.better)
    text = (
        f"{file}: this seems to be the mask of another image: {how}, and {better} fits far better; look whether the two "
        f"were swapped"
    )
    return Problem("swapped mask", file, text, others=(better,), rows=(misfit.row, misfit.better))
