"""Classify every pixel by a random forest [1] or boosted trees [2] on what is around it at several scales.

Learned from a handful of labelled images, an equal sample of pixels from each; or from strokes on the image itself: a few
points, scribbles or polygons of each class are enough to try it [3]. Strokes are drawn, looked at and added to.

Cost: of learning, that of the sample; of prediction, pixels x trees x depth. An image of more than 2 megapixels is described
at full size and classified on a grid of at most 2 megapixels, and what lies between comes from the grid along the edges.

[1] Breiman, Random forests, Machine Learning, 2001.
[2] Friedman, Greedy function approximation: a gradient boosting machine, Annals of Statistics, 2001.
[3] Berg et al., ilastik: interactive machine learning for (bio)image analysis, Nature Methods, 2019.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import get_args

import cv2
import numpy as np

from pixelwise.core.arrays import FloatArray, IntArray, Size
from pixelwise.core.errors import DataError, OptionError, PixelwiseError
from pixelwise.core.image import GREY, RGB, Image
from pixelwise.core.labels import LabelSet
from pixelwise.core.prompt import Prompt
from pixelwise.core.sample import Dataset, Sample
from pixelwise.core.segmentation import Kind, Segmentation
from pixelwise.methods.about import About
from pixelwise.methods.effort import advance
from pixelwise.methods.grey import LABELS
from pixelwise.methods.learned.pixel_features import strips
from pixelwise.methods.learned.strokes import UNKNOWN, stroked
from pixelwise.methods.learned.trees import Learner, Trees, grown
from pixelwise.methods.reduced import enlarged

KIND: Kind = "semantic"
ABOUT = About(
    family="learned",
    good_for="classes told by colour and texture near a pixel, with a few strokes or images to learn from",
    bad_for="classes told by shape or by what is far away; objects that touch",
    cost="pixels x trees x depth, up to 2 megapixels; beyond that, describing the pixels alone grows",
    source="Breiman, Random forests, Machine Learning, 2001",
)
_SCALES = (0, 1, 2, 4, 8)
_MOST = 2_000_000  # pixels of the grid
_LEAF = 2  # pixels in a leaf at least
_THREADS = -1  # of a forest's growth: what grows does not depend on them


@dataclass(frozen=True, eq=False)
class Forest:
    """A trained forest, and what its features are made of.

    Attributes:
        trees: the trees.
        labels: the classes.
        scales: of the features, in pixels.
        bands: of the images it was trained on.
    """

    trees: Trees
    labels: LabelSet
    scales: tuple[float, ...]
    bands: tuple[str, ...]


@dataclass(frozen=True)
class Growing:
    """How trees are learned; the fields are the options of ``fit``.

    Raises:
        OptionError: one is out of range.
    """

    learner: Learner
    trees: int
    depth: int
    scales: tuple[float, ...]
    sample: int
    seed: int

    def __post_init__(self) -> None:
        if self.learner not in get_args(Learner):
            raise OptionError(f"randomforest: learner must be one of {', '.join(get_args(Learner))}, got {self.learner!r}")
        is_scale = [0 <= scale <= 100 for scale in self.scales]  # of NaN, too, it is false
        if min(self.trees, self.depth, self.sample) < 1 or not is_scale or not all(is_scale):
            raise OptionError(
                f"randomforest: trees, depth and sample must be positive and scales from 0 to 100; "
                f"got {self.trees}, {self.depth}, {self.sample} and {self.scales}"
            )
        if not 0 <= self.seed < 2**32:
            raise OptionError(f"randomforest: seed must be from 0 to {2**32 - 1}, got {self.seed}")

    def of(self, features: FloatArray, classes: IntArray, leaf: int) -> Trees:
        """Grow trees on features (P, F) and classes (P,), with so many pixels in a leaf at least."""
        return grown(features, classes, self.learner, self.trees, self.depth, leaf, self.seed, _THREADS)


def fit(
    dataset: Dataset,
    *,
    learner: Learner = "forest",
    trees: int = 30,
    depth: int = 16,
    scales: Sequence[float] = _SCALES,
    sample: int = 50_000,
    seed: int = 0,
) -> Forest:
    """Train on labelled pixels of ``dataset``, an equal share of the sample from each image.

    Args:
        dataset: with classes; pixels that are void do not count.
        learner: ``forest``; or ``boosting``, which wants shallow trees (a depth of 3 to 6) and more time.
        trees: how many; more are steadier and slower.
        depth: of a tree at most.
        scales: standard deviations of the blurs around a pixel; (0,) is its colour alone.
        sample: how many pixels to train on, over all images.
        seed: of the sample and the trees.

    Raises:
        OptionError: a number is out of range, or the data set has no classes.
        DataError: there is no labelled pixel to train on.
    """
    growing = Growing(learner, trees, depth, tuple(float(scale) for scale in scales), sample, seed)
    if not len(dataset.labels):
        raise OptionError(f"{dataset.name}: its truth has no classes to train on")
    rng = np.random.default_rng(seed)
    share = max(1, sample // max(len(dataset), 1))
    bands: tuple[str, ...] = ()
    features, classes, broken = [], [], ""
    for row, one in enumerate(dataset):
        advance(0.5 * row / len(dataset))
        try:
            image = _learned_image(one, bands)
            drawn = _drawn(image, _known(one), growing.scales, share, rng)
        except PixelwiseError as error:
            broken = f" ({error})"
            continue
        bands = image.bands
        features.append(drawn[0])
        classes.append(drawn[1])
    if not sum(map(len, classes)):
        raise DataError(f"{dataset.name}: found no labelled pixel to train on{broken}")
    made = growing.of(np.concatenate(features), np.concatenate(classes), _LEAF)
    return Forest(made, dataset.labels, growing.scales, bands)


def segment(
    image: Image,
    *,
    model: Forest | None = None,
    classes: Sequence[str] = LABELS.names,
    learner: Learner = "forest",
    trees: int = 30,
    depth: int = 16,
    scales: Sequence[float] = _SCALES,
    sample: int = 50_000,
    seed: int = 0,
    probabilities: bool = False,
    prompts: tuple[Prompt, ...] = (),
) -> Segmentation:
    """Classify every pixel of ``image``.

    Args:
        image: of any bands that a model's can be made of.
        model: what ``fit`` gave.
        classes: the names of what strokes mark, without a model: first what is around the others.
        learner, trees, depth, scales, sample, seed: how strokes are learned from, as ``fit`` is told them.
        probabilities: keep them, (L, H, W).
        prompts: strokes of each class; they alone are then learned from, under the classes of the model if there is one.

    Raises:
        OptionError: there is neither a model nor a stroke, an option is out of range, or a stroke does not fit.
    """
    if not prompts and model is None:
        raise OptionError("randomforest: must be trained first, or be given strokes of two classes as prompts")
    if prompts:
        growing = Growing(learner, trees, depth, tuple(float(scale) for scale in scales), sample, seed)
        labels = stroke_labels(classes) if model is None else model.labels
        model = _of_strokes(image, prompts, labels, growing)
    assert model is not None
    return _classified(image.to_bands(model.bands), model, probabilities)


def stroke_labels(classes: Sequence[str]) -> LabelSet:
    """Make a label set of the names of what strokes mark; all but the first are things.

    Raises:
        OptionError: there are fewer than two, or two alike.
    """
    names = tuple(classes)
    if isinstance(classes, str) or len(set(names)) != len(names) or len(names) < 2:
        raise OptionError(f"randomforest: classes must be two or more different names, got {classes!r}")
    return LABELS if names == LABELS.names else LabelSet.of(names, things=names[1:])


def _learned_image(one: Sample, bands: tuple[str, ...]) -> Image:
    """Read a sample's image in the bands of the first one, which sets them."""
    image = one.image
    return image.to_bands(bands or _bands_of(image))


def _bands_of(image: Image) -> tuple[str, ...]:
    return RGB if image.bands == GREY else image.bands


def _known(one: Sample) -> IntArray:
    """Give the classes (H, W) of a sample, ``UNKNOWN`` where it is void."""
    found = one.truth.class_map()
    return np.where(found == one.labels.void, UNKNOWN, found.astype(np.int32))


def _drawn(
    image: Image, known: IntArray, scales: Sequence[float], share: int, rng: np.random.Generator
) -> tuple[FloatArray, IntArray]:
    """Draw at most ``share`` known pixels: features (P, F) and classes (P,)."""
    flat, width = known.ravel(), max(image.size[1], 1)
    labelled = np.flatnonzero(flat != UNKNOWN)
    chosen = np.sort(rng.choice(labelled, share, replace=False)) if len(labelled) > share else labelled
    found = []
    wanted = np.bincount(chosen // width, minlength=image.size[0]) > 0
    for first, count, features in strips(image, scales, wanted=wanted):
        here = chosen[(chosen >= first * width) & (chosen < (first + count) * width)]
        found.append(features[:, here - first * width].T)
    return (np.concatenate(found) if found else np.zeros((0, 1), np.float32)), flat[chosen]


def _of_strokes(image: Image, prompts: Sequence[Prompt], labels: LabelSet, growing: Growing) -> Forest:
    """Train on the strokes of one image."""
    marks = stroked(prompts, image.size, labels.names, "randomforest")
    marked = np.unique(marks[marks != UNKNOWN])
    if len(marked) < 2:
        shown = ", ".join(labels.names[index] for index in marked.tolist()) or "nothing"
        raise OptionError(f"randomforest: expected strokes of two classes at least, found {shown}; mark what is around it too")
    image = image.to_bands(_bands_of(image))
    features, classes = _drawn(image, marks, growing.scales, growing.sample, np.random.default_rng(growing.seed))
    made = growing.of(features, classes, 1)  # a stroke may be a single pixel
    return Forest(made, labels, growing.scales, image.bands)


def _classified(image: Image, model: Forest, probabilities: bool) -> Segmentation:
    """Classify an image of the model's bands, on a grid if it is large."""
    rows, columns = _grid(image.size)
    size = (len(rows), len(columns))
    won = np.zeros(size, np.int64)
    sure = np.zeros(size, np.float32)
    kept = np.zeros((len(model.labels), *size), np.float32) if probabilities else None
    across = None if len(columns) == image.size[1] else columns
    for first, count, features in strips(image, model.scales, rows, across):
        advance(first / size[0])
        here = slice(first, first + count)
        found = model.trees(features)
        won[here] = model.trees.classes[found.argmax(axis=1)].reshape(count, -1)
        sure[here] = found.max(axis=1).reshape(count, -1)
        if kept is not None:
            kept[model.trees.classes, here] = found.T.reshape(-1, count, size[1])
    return _at_full_size(image, rows, columns, model.labels, won, sure, kept)


def _grid(size: Size) -> tuple[IntArray, IntArray]:
    """Choose the rows and columns that are classified: all, or as many as 2 megapixels are, evenly apart."""
    factor = min(1.0, (_MOST / max(size[0] * size[1], 1)) ** 0.5)
    counts = [max(1, int(side * factor)) if side else 0 for side in size]
    rows, columns = (((np.arange(n) + 0.5) * (side / max(n, 1))).astype(np.int64) for n, side in zip(counts, size, strict=True))
    return rows, columns


def _at_full_size(
    image: Image,
    rows: IntArray,
    columns: IntArray,
    labels: LabelSet,
    won: IntArray,
    sure: FloatArray,
    kept: FloatArray | None,
) -> Segmentation:
    """Bring classes (h, w), their probabilities and those of all classes from the grid to the image."""
    totals = np.bincount(won.ravel(), weights=sure.ravel(), minlength=len(labels))
    scores = np.clip(totals / np.maximum(np.bincount(won.ravel(), minlength=len(labels)), 1), 0, 1)
    won = won.astype(np.uint8 if labels.void == 255 else np.uint16)
    if won.shape == image.size:
        return Segmentation.from_class_map(won, labels, scores, kept)
    small = Image(image.pixels[rows][:, columns], image.bands)
    if kept is not None:
        kept = np.stack([cv2.resize(one, image.size[::-1], interpolation=cv2.INTER_LINEAR) for one in kept])
    note = (
        f"classified on {won.shape[0]} x {won.shape[1]} of {image.size[0]} x {image.size[1]} pixels, brought back along edges"
    )
    found = Segmentation.from_class_map(enlarged(won, small, image), labels, scores, kept)
    return replace(found, notes=(note,))
