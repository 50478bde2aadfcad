"""The page of ``pixelwise data augment``: originals beside draws of an augmentation, with their masks, as one HTML file."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from importlib import resources
from pathlib import Path

import numpy as np

from pixelwise.augment import AugmentOptions, Draw, mix
from pixelwise.augment.focus import takes_jpeg
from pixelwise.core.arrays import Size
from pixelwise.core.files import write_text
from pixelwise.core.image import RGB, Image
from pixelwise.core.labels import LabelSet
from pixelwise.core.sample import Dataset, Sample
from pixelwise.core.segmentation import Segmentation
from pixelwise.draw.colours import class_colours, rgb_bytes
from pixelwise.draw.overlay import overlay
from pixelwise.report.examples import Picture, embedded

LONGEST = 640  # pixels of the longer side that draws are made at: a photograph of 24 megapixels is shown small anyway
_SIDE = 400


@dataclass(frozen=True)
class Shown:
    """An image or a draw of it: what was drawn in words, and two pictures, without and with masks."""

    words: tuple[str, ...]
    plain: Picture
    masked: Picture


@dataclass(frozen=True)
class Row:
    """One sample: the original first, then its draws."""

    name: str
    pictures: tuple[Shown, ...]


@dataclass(frozen=True, eq=False)
class AugmentPage:
    """What the page says.

    Attributes:
        options: what was drawn from.
        rows: samples with their draws.
        warnings: where the options do not suit the data.
        notes: what else a reader must know, as of files that could not be read.
        facts: how the page came about, in words.
    """

    title: str
    options: AugmentOptions
    labels: LabelSet
    rows: Sequence[Row]
    warnings: Sequence[str] = ()
    notes: Sequence[str] = ()
    facts: dict[str, str] = field(default_factory=dict)


def row_of(dataset: Dataset, index: int, options: AugmentOptions, count: int, seed: int, crop: Size | None = None) -> Row:
    """Draw ``count`` times from a sample; draw k of sample ``index`` is seeded by (seed, k, index), as an epoch's is.

    Without ``crop`` the output shows the whole image, large ones at a smaller scale.

    Raises:
        DataError: the image or its truth, or one that is mixed with it, cannot be read.
        OptionError: the kind of truth cannot be mixed as asked for.
    """
    image, truth = _read(dataset[index])
    mix.check(options, truth.kind, takes_two=True)
    share = 1.0 if crop is not None else min(1.0, LONGEST / max(image.size))
    size = crop if crop is not None else (max(1, round(image.size[0] * share)), max(1, round(image.size[1] * share)))
    scaled = replace(options, scale=(options.scale[0] * share, options.scale[1] * share))
    shown = [Shown((f"original, {image.size[0]} x {image.size[1]}",), *_pictures(image, truth))]
    for k in range(count):
        rng = np.random.default_rng([seed, 1, k, index])

        def partner(rng: np.random.Generator = rng) -> mix.Pair:
            return _read(dataset[mix.another(index, len(dataset), rng)], image.bands)

        found = mix.mixed(scaled, rng, (image, truth), size, partner)
        words = (*found.words, *describe(found.drawn, image, share))
        shown.append(Shown(words, *_pictures(found.image, found.truth)))
    return Row(dataset[index].name, tuple(shown))


def _read(sample: Sample, bands: tuple[str, ...] | None = None) -> mix.Pair:
    """Read an image, in the bands of another one where it is to be mixed with that, and the first of its truths."""
    image, truths = sample.image, sample.truths
    return image if bands is None else image.to_bands(bands), truths[0] if len(truths) > 1 else sample.truth


def _pictures(image: Image, truth: Segmentation) -> tuple[Picture, Picture]:
    plain, masked = rgb_bytes(image), overlay(image, truth, 0.5)
    return embedded("image", plain, _SIDE), embedded("masks", masked, _SIDE)


def describe(drawn: Draw, image: Image, share: float = 1.0) -> tuple[str, ...]:
    """Say in a few words each what a draw does to an image, as far as it shows; ``share`` is the scale the page is drawn at."""
    is_rgb = image.bands == RGB
    noises = {"noise": "noise", "shot": "photon noise", "speckle": "speckle", "salt_pepper": "salt and pepper"}
    blurs = {"blur": "blur", "motion": "motion blur", "median": "median filter", "defocus": "out of focus"}
    factor = drawn.factor / share
    words = [f"scale {factor:.2f}"] if abs(factor - 1) >= 0.005 else []
    parts = {
        f"brightness {drawn.brightness - 1:+.0%}": abs(drawn.brightness - 1) >= 0.05,
        f"contrast {drawn.contrast - 1:+.0%}": abs(drawn.contrast - 1) >= 0.05,
        f"gamma {drawn.gamma:.2f}": abs(drawn.gamma - 1) >= 0.05,
        f"hue {drawn.hue:+.0f}°": is_rgb and abs(drawn.hue) >= 1,
        "no colour": is_rgb and drawn.saturation == 0,
        f"saturation {drawn.saturation - 1:+.0%}": is_rgb and drawn.saturation and abs(drawn.saturation - 1) >= 0.05,
        "channels shuffled": drawn.order,
        f"{noises[drawn.noise_kind]} {drawn.noise:.1%}": drawn.noise >= 0.001,
        f"{blurs[drawn.blur_kind]} {drawn.blur:.1f} px": drawn.blur > 0.3,
        f"sharpened {drawn.sharpen:.1f}": drawn.sharpen,
        f"JPEG quality {drawn.quality}": drawn.quality and takes_jpeg(image.pixels),
        f"shadow {drawn.shadow:.0%}": drawn.shadow,
        f"fog {drawn.fog:.0%}": drawn.fog,
        f"{len(drawn.holes)} cut out": drawn.holes,
    }
    return (*words, *drawn.words, *(text for text, is_on in parts.items() if is_on))


def write_augment_page(path: Path, page: AugmentPage) -> None:
    """Write ``page`` to ``path`` as one HTML file that needs nothing beside it, whole or not at all.

    Raises:
        StorageError: the file cannot be written.
    """
    write_text(Path(path), render_augment(page))


def render_augment(page: AugmentPage) -> str:
    """Give the page as HTML."""
    import jinja2

    source = resources.files("pixelwise.report").joinpath("augment.html.jinja").read_text("utf-8")
    environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    colours = ["#{:02x}{:02x}{:02x}".format(*colour) for colour in class_colours(page.labels)]
    return environment.from_string(source).render(
        page=page,
        columns=max((len(row.pictures) for row in page.rows), default=1),
        swatches=list(zip(page.labels.names, colours, strict=True)),
        strengths={name: _written(value) for name, value in page.options.strengths.items()},
    )


def _written(value: object) -> str:
    if isinstance(value, tuple):
        return " to ".join(f"{one:g}" for one in value)
    return str(value).lower() if isinstance(value, bool) else f"{value:g}"
