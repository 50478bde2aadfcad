"""Say where an augmentation is unrealistic for the data at hand, or does nothing to it.

A few samples are looked at. What is found are figures, not guesses about the subject: how much what lies above differs from
what lies below (a street has its sky above; an aerial photograph has no above), whether there is colour, and how straight
the outlines are.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import cv2
import numpy as np

from pixelwise.augment.colour import top_of
from pixelwise.augment.focus import takes_jpeg
from pixelwise.augment.mix import MIXING
from pixelwise.augment.options import POLICIES, AugmentOptions
from pixelwise.core.arrays import AnyArray, BoolArray, FloatArray
from pixelwise.core.errors import PixelwiseError
from pixelwise.core.image import RGB, Image
from pixelwise.core.sample import Dataset
from pixelwise.core.segmentation import Segmentation

MOST_SAMPLES = 16  # large photographs take half a second each
SIDE = 256  # pixels of the longer side at which samples are looked at
CLEAR = 0.25  # difference of two distributions over classes, from 0 to 1, from which a layout counts as such
STRAIGHT = 0.15  # share of the outlines that runs straight, from which things count as man-made: cells have 0.00, roofs 0.23
TILT = 30.0  # degrees up to which a camera may be held askew
FEWEST = 4  # samples: fewer say nothing about a layout


@dataclass(frozen=True)
class Facts:
    """What a data set looks like, as far as augmentation is concerned.

    Attributes:
        samples: how many were looked at.
        above_below, left_right: difference between the classes of both halves, from 0 to 1, over all samples.
        straight: share of the outlines' length that runs straight.
        has_colour: whether any image has more than greys.
        is_rgb: whether all images have the bands red, green and blue.
        takes_jpeg: whether all are of 8 bits with 1 or 3 bands.
        sided: classes called left and right.
        upper, lower: the class that is most above, and the one most below.
        count: images there are.
        has_objects: whether any image has an object: a segment of a class that is a thing, or any of instance truth.
    """

    samples: int = 0
    above_below: float = 0.0
    left_right: float = 0.0
    straight: float = 0.0
    has_colour: bool = True
    is_rgb: bool = True
    takes_jpeg: bool = True
    sided: tuple[str, ...] = field(default=())
    upper: str = ""
    lower: str = ""
    count: int = 0
    has_objects: bool = True


def look_at(dataset: Dataset, bands: tuple[str, ...] | None = None) -> Facts:
    """Look at up to 16 samples, evenly spread; what cannot be read is left to the audit to report.

    ``bands`` are those the model takes, if they are not the images' own.
    """
    shown = min(MOST_SAMPLES, len(dataset))
    names, seen = dataset.labels.names, []
    for row in (place * len(dataset) // shown for place in range(shown)):
        try:
            sample = dataset[row]
            image = sample.image if bands is None else sample.image.to_bands(bands)
            seen.append(_Look.of(image, sample.truths[0] if sample.truths else None, len(names)))
        except PixelwiseError:
            continue
    facts = Facts(samples=len(seen), sided=_sided(names), count=len(dataset))
    if not seen:
        return facts
    halves = np.sum([look.halves for look in seen], axis=0)
    above_below, left_right = _difference(halves[0], halves[1]), _difference(halves[2], halves[3])
    lean = _shares(halves[0]) - _shares(halves[1])
    described = [*names, "background"]
    return replace(
        facts,
        above_below=above_below,
        left_right=left_right,
        straight=sum(look.straight for look in seen) / max(sum(look.outline for look in seen), 1.0),
        has_colour=any(look.has_colour for look in seen),
        is_rgb=all(look.is_rgb for look in seen),
        takes_jpeg=all(look.takes_jpeg for look in seen),
        upper=described[int(lean.argmax())],
        lower=described[int(lean.argmin())],
        has_objects=any(look.has_objects for look in seen),
    )


@dataclass(frozen=True, eq=False)
class _Look:
    """One sample: class counts of the halves above, below, left and right (4, L + 1), outlines in pixels, and its colours."""

    halves: FloatArray
    outline: float
    straight: float
    has_colour: bool
    is_rgb: bool
    takes_jpeg: bool
    has_objects: bool

    @classmethod
    def of(cls, image: Image, truth: Segmentation | None, classes: int) -> "_Look":
        pixels = image.pixels
        step = max(1, max(pixels.shape[:2]) // 128)
        few = pixels[::step, ::step].astype(np.float64)
        has_colour = bool(np.ptp(few, axis=2).mean() > 0.004 * top_of(pixels))
        halves: FloatArray = np.zeros((4, classes + 1))
        outline, straight = 0.0, 0.0
        if truth is not None:
            places = _small_map(truth, classes)
            halves = _halves(places, classes)
            outline, straight = _outlines(places)
        has_objects = truth is not None and _has_objects(truth)
        return cls(halves, outline, straight, has_colour, image.bands == RGB, takes_jpeg(pixels), has_objects)


def _has_objects(truth: Segmentation) -> bool:
    is_object = np.isin(truth.class_ids, truth.labels.things) if truth.kind != "instance" else True
    return bool((is_object & ~truth.is_crowd).any())


def _small_map(truth: Segmentation, classes: int) -> AnyArray:
    """Give a small class map: ``classes`` where nothing is in instance truth, ``classes`` + 1 for void."""
    found = truth.class_map().astype(np.int32)
    is_open = found >= classes
    found[is_open] = classes if truth.kind in ("instance", "multilabel") else classes + 1
    share = SIDE / max(found.shape)
    if share >= 1:
        return found.astype(np.uint16)
    size = max(1, round(found.shape[1] * share)), max(1, round(found.shape[0] * share))
    return np.asarray(cv2.resize(found.astype(np.uint16), size, interpolation=cv2.INTER_NEAREST))


def _halves(places: AnyArray, classes: int) -> FloatArray:
    """Count the classes of each half; each sample weighs the same, whatever its size."""
    height, width = places.shape
    parts = places[: height // 2], places[(height + 1) // 2 :], places[:, : width // 2], places[:, (width + 1) // 2 :]
    counts = [np.bincount(part.ravel(), minlength=classes + 2)[: classes + 1] for part in parts]
    return np.stack(counts) / max(places.size, 1)


def _shares(counts: FloatArray) -> FloatArray:
    return np.asarray(counts / max(float(counts.sum()), 1e-12))


def _difference(first: FloatArray, second: FloatArray) -> float:
    """Compare two distributions: 0 if they are the same, 1 if they share no class (total variation)."""
    if not first.sum() or not second.sum():
        return 0.0
    return float(np.abs(_shares(first) - _shares(second)).sum() / 2)


def _outlines(places: AnyArray) -> tuple[float, float]:
    """Measure outlines in pixels: their whole length, and that of parts that run straight for long.

    A part counts if it stays within 0.7 pixels of a line for 24: an arc does so if its radius is 100 or more.
    """
    outline, straight = 0.0, 0.0
    for index in np.unique(places):
        contours, _ = cv2.findContours((places == index).astype(np.uint8), cv2.RETR_LIST, cv2.CHAIN_APPROX_NONE)
        for contour in contours:
            if len(contour) < 16:
                continue  # too small to be straight or not
            corners = cv2.approxPolyDP(contour, 0.7, True)[:, 0].astype(np.float64)
            lengths = np.hypot(*(np.roll(corners, -1, axis=0) - corners).T)
            inside = ~_on_border(corners, places.shape)
            outline += float(lengths[inside].sum())
            straight += float(lengths[inside & (lengths >= 24)].sum())
    return outline, straight


def _on_border(corners: FloatArray, size: tuple[int, ...]) -> BoolArray:
    """Mark sides of a polygon that run along the border of the image, which is straight by itself."""
    following = np.roll(corners, -1, axis=0)
    marks = np.zeros(len(corners), bool)
    for axis, last in ((0, size[1] - 1), (1, size[0] - 1)):
        for edge in (0, last):
            marks |= (corners[:, axis] == edge) & (following[:, axis] == edge)
    return marks


def _sided(names: Sequence[str]) -> tuple[str, ...]:
    """Find classes that differ in left and right alone: a mirror swaps what they mean.

    >>> _sided(["left lung", "right lung", "heart", "copyright"])
    ('left lung', 'right lung')
    """
    words = {name: name.casefold().replace("_", " ").replace("-", " ").split() for name in names}
    swap = {"left": "right", "right": "left"}
    spelled = {" ".join(parts) for parts in words.values()}
    mirrored = {name: " ".join(swap.get(part, part) for part in parts) for name, parts in words.items()}
    return tuple(name for name in names if mirrored[name] in spelled and mirrored[name] != " ".join(words[name]))


def warnings_for(options: AugmentOptions, data: Facts | Dataset) -> list[str]:
    """Say, one sentence each, which options are unrealistic for the data or change nothing in it, and what to do."""
    if not options.strengths:
        return []
    facts = data if isinstance(data, Facts) else look_at(data)
    parts = (_of_policy(options), _of_layout(options, facts), _of_shape(options, facts), _of_colour(options, facts))
    return [*(text for part in parts for text in part), *_of_mixing(options, facts)]


def _of_policy(options: AugmentOptions) -> list[str]:
    """Tell a policy that has no say, as when one is set on top of a saved recipe, which states every option."""
    if options == AugmentOptions(options.policy):
        return []
    same = [name for name in POLICIES if replace(options, policy=name) == AugmentOptions(name)]  # type: ignore[arg-type]
    said = f"policy = {options.policy} changes nothing: every option is given beside it, with the values of"
    return [f"{said} '{same[0]}'; leave out those that the policy is to fill"] if same else []


def _of_layout(options: AugmentOptions, facts: Facts) -> list[str]:
    found = []
    enough = facts.samples >= FEWEST
    if enough and facts.above_below > CLEAR and facts.above_below > 1.5 * facts.left_right:
        layout = (
            f"these images have an above and a below ({facts.upper} above, {facts.lower} below: "
            f"their halves differ by {facts.above_below:.0%} of the pixels)"
        )
        if options.flip_vertically:
            found.append(f"flip_vertically turns scenes upside down, but {layout}; set flip_vertically = 0")
        if options.turn:
            found.append(f"turn lays scenes on their side or their head, but {layout}; set turn = 0")
        if options.rotate > TILT or (options.rotate == TILT and options.policy == "strong"):
            found.append(
                f"rotate = {options.rotate:g} tilts scenes further than a camera is held, but {layout}; set rotate = 10"
            )
        if options.mosaic:
            found.append(
                f"mosaic lays one scene above another, but {layout}; set mosaic = 0, or take cutmix, which keeps places"
            )
    if options.flip and facts.sided:
        found.append(f"flip swaps left and right, which the classes {', '.join(facts.sided[:4])} name; set flip = 0")
    elif enough and options.flip and facts.left_right > CLEAR and facts.left_right > 1.5 * facts.above_below:
        found.append(
            f"flip swaps left and right, but the halves of these images differ by {facts.left_right:.0%} of the pixels; "
            f"set flip = 0 unless a mirrored image could be met"
        )
    return found


def _of_shape(options: AugmentOptions, facts: Facts) -> list[str]:
    bends = [name for name in ("elastic", "grid") if getattr(options, name)]
    if not bends or facts.samples < FEWEST or facts.straight < STRAIGHT:
        return []
    off = ", ".join(f"{name} = 0" for name in bends)
    return [
        f"{' and '.join(bends)} bend{'s' * (len(bends) == 1)} outlines, but {facts.straight:.0%} of those in this data run "
        f"straight, as of things made by people; set {off}"
    ]


def _of_colour(options: AugmentOptions, facts: Facts) -> list[str]:
    found = []
    colours = [name for name in ("hue", "saturation", "grey") if getattr(options, name)]
    if colours and not (facts.is_rgb and facts.has_colour):
        reason = "are grey" if not facts.has_colour else "have other bands than red, green and blue"
        found.append(f"{_nothing(colours)}: the images {reason}")
    if options.gain and facts.is_rgb and not facts.has_colour:
        found.append("gain gives colour to images that are all grey; set gain = 0")
    if options.shuffle and not facts.has_colour:
        found.append("shuffle changes nothing: the channels of these images are alike")
    if options.jpeg and not facts.takes_jpeg:
        found.append("jpeg changes nothing in images that JPEG cannot hold: it takes 8 bits with 1 or 3 bands")
    return found


def _of_mixing(options: AugmentOptions, facts: Facts) -> list[str]:
    found = []
    of_objects = [name for name in ("copy_paste", "objects") if getattr(options, name)]
    if of_objects and facts.samples and not facts.has_objects:
        found.append(f"{_nothing(of_objects)}: no image that was looked at has an object of a class that is a thing")
    if facts.count == 1 and (mixing := [name for name in MIXING if getattr(options, name)]):
        found.append(f"there is one image, which {_listed(mixing)} would mix with itself")
    return found


def _nothing(names: Sequence[str]) -> str:
    return f"{_listed(names)} change{'s' * (len(names) == 1)} nothing"


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names[:-1]) + " and " + names[-1] if len(names) > 1 else names[0]
