"""The page of ``pixelwise data info``: what a data set holds, with pictures, as one HTML file that needs no other.

Pictures are drawn while the page is written, some spread over the set, so that a set of any size makes a page of a few MB.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pixelwise.core.arrays import FloatArray, Size
from pixelwise.core.errors import PixelwiseError
from pixelwise.core.files import write_text
from pixelwise.core.labels import LabelSet
from pixelwise.core.sample import Sample
from pixelwise.draw.colours import class_colours
from pixelwise.draw.overlay import overlay
from pixelwise.report.examples import Picture, embedded
from pixelwise.report.info_charts import binned, heat_picture, histogram
from pixelwise.report.page import embedded_json, filled

SIDE = 320  # pixels of the longer side of a picture in the contact sheet
HEATED = 48  # classes whose heat maps are shown, those with most pixels
_USUAL = (3, 4)  # proportions of a heat map where no image's size is known


@dataclass(frozen=True, eq=False)
class InfoPage:
    """What the page says.

    Attributes:
        title: the data set's name.
        labels: its classes, as they are counted: with a background around objects.
        facts: images, splits, sizes, in words.
        classes: a mapping a class: name, pixels, share, images, objects, crowds, mean_area, small, medium, large.
        objects_are: what an object is, in a word or two.
        octaves: how many objects have an area of 2 ** k pixels and more, below 2 ** (k + 1).
        per_image: how many images have how many objects.
        sizes: how many images have which (height, width), the most frequent first.
        heat: by class, the share of each cell it covers in the mean image, most pixels first.
        placed: of how many images that is the mean.
        colours, coloured: the mean colour of each class, and of how many images.
        split_shares: by split, each class's share of its pixels.
        samples: to show in the contact sheet, each with a caption.
        notes, problems: sentences.
        data: the figures as JSON, kept in the page's element ``#info``.
    """

    title: str
    labels: LabelSet
    facts: Mapping[str, str] = field(default_factory=dict)
    classes: Sequence[Mapping[str, Any]] = ()
    objects_are: str = "objects"
    octaves: Sequence[int] = ()
    per_image: Mapping[int, int] = field(default_factory=dict)
    sizes: Mapping[Size, int] = field(default_factory=dict)
    heat: Mapping[str, FloatArray] = field(default_factory=dict)
    placed: int = 0
    colours: Mapping[str, tuple[int, int, int]] = field(default_factory=dict)
    coloured: int = 0
    split_shares: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    samples: Sequence[tuple[str, Sample]] = ()
    notes: Sequence[str] = ()
    problems: Sequence[str] = ()
    data: Mapping[str, Any] = field(default_factory=dict)


def write_info(path: Path, page: InfoPage) -> None:
    """Write ``page`` to ``path`` as one HTML file, whole or not at all.

    Raises:
        StorageError: the file cannot be written.
    """
    write_text(Path(path), render_info(page))


def render_info(page: InfoPage) -> str:
    """Give the page as HTML."""
    drawn = ["#{:02x}{:02x}{:02x}".format(*colour) for colour in class_colours(page.labels)]
    usual = next(iter(page.sizes), _USUAL)
    heated = list(page.heat.items())[:HEATED]
    return filled(
        "info.html.jinja",
        page=page,
        drawn=dict(zip(page.labels.names, drawn, strict=True)),
        means={name: "#{:02x}{:02x}{:02x}".format(*colour) for name, colour in page.colours.items()},
        most_share=max((float(one["share"]) for one in page.classes), default=1.0) or 1.0,
        areas=_areas(page),
        per_image=histogram(
            f"{page.objects_are} an image", binned(list(page.per_image.items()), page.objects_are, "images"), page.objects_are
        ),
        sizes=[(f"{height} x {width}", count) for (height, width), count in list(page.sizes.items())[:12]],
        more_sizes=max(0, len(page.sizes) - 12),
        heat=[heat_picture(name, grid, usual) for name, grid in heated],
        cold=len(page.heat) - len(heated),
        sheet=[(caption, picture) for caption, sample in page.samples if (picture := contact_picture(caption, sample))],
        data=embedded_json(page.data),
    )


def _areas(page: InfoPage) -> Any:
    """Draw the histogram of areas from the first octave in use to the last, with COCO's bounds as marks."""
    used = [k for k, count in enumerate(page.octaves) if count]
    if not used:
        return ""
    first, last = used[0], used[-1]
    bars = [
        (_short(2**k), count, f"{2**k:,} to {2 ** (k + 1) - 1:,} pixels: {count:,} {page.objects_are}")
        for k, count in enumerate(page.octaves[: last + 1])
    ][first:]
    marks = [(10 - first, "32 x 32"), (13.17 - first, "96 x 96")]  # 2 ** 10 and 2 ** 13.17 pixels
    return histogram("areas", bars, "area from, pixels", marks)


def _short(number: int) -> str:
    """Write a number in few letters.

    >>> _short(512), _short(2**14), _short(2**21)
    ('512', '16k', '2M')
    """
    return f"{number // 2**20}M" if number >= 2**20 else f"{number // 1024}k" if number >= 2**10 else str(number)


def contact_picture(caption: str, sample: Sample) -> Picture | None:
    """Draw a sample's masks over its image; None where they cannot be read, as such items are listed."""
    try:
        truths, _ = sample.salvaged()
        if not truths:
            return None
        return embedded(caption, overlay(sample.image, truths[0], 0.55), SIDE)
    except (PixelwiseError, OSError):
        return None
