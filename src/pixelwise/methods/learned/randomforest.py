"""Classify every pixel by a random forest [1] on colour, and on colour and edges at several scales around it [2].

Trained on a sample of labelled pixels of each image. Cost: of training, that of the sample; of prediction, pixels x trees x
depth comparisons, in strips.

[1] Breiman, Random forests, Machine Learning, 2001.
[2] Arganda-Carreras et al., Trainable Weka Segmentation, Bioinformatics, 2017.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np

from pixelwise.core.arrays import FloatArray, IntArray
from pixelwise.core.errors import DataError, OptionError, PixelwiseError
from pixelwise.core.image import GREY, RGB, Image
from pixelwise.core.labels import LabelSet
from pixelwise.core.sample import Dataset, Sample
from pixelwise.core.segmentation import Kind, Segmentation

KIND: Kind = "semantic"
_STRIP = 2**17  # pixels classified at once


@dataclass(frozen=True, eq=False)
class Forest:
    """A trained forest, and what its features are made of.

    Attributes:
        trees: the fitted classifier.
        labels: the classes.
        scales: of the features, in pixels.
        bands: of the images it was trained on.
    """

    trees: Any
    labels: LabelSet
    scales: tuple[float, ...]
    bands: tuple[str, ...]


def fit(
    dataset: Dataset,
    *,
    trees: int = 30,
    depth: int = 16,
    scales: Sequence[float] = (0, 1, 2, 4, 8),
    sample: int = 100_000,
    seed: int = 0,
) -> Forest:
    """Train a forest on labelled pixels of ``dataset``, an equal share of the sample from each image.

    Args:
        trees: how many; more are steadier and slower.
        depth: of a tree at most.
        scales: standard deviations of the blurs around a pixel; (0,) is its colour alone.
        sample: how many pixels to train on, over all images.
        seed: of the sample and the forest.

    Raises:
        OptionError: a number is out of range, or the data set has no classes.
        DataError: there is no labelled pixel to train on.
    """
    from sklearn.ensemble import RandomForestClassifier

    if min(trees, depth, sample) < 1 or not scales or min(scales) < 0:
        raise OptionError(
            f"randomforest: trees, depth and sample must be positive and scales not negative; "
            f"got {trees}, {depth}, {sample} and {tuple(scales)}"
        )
    if not len(dataset.labels):
        raise OptionError(f"{dataset.name}: its truth has no classes to train on")
    rng = np.random.default_rng(seed)
    share = max(1, sample // max(len(dataset), 1))
    bands: tuple[str, ...] = ()
    features, classes, broken = [], [], ""
    for one in dataset:
        try:
            drawn = _draw(one, bands, scales, share, rng)
        except PixelwiseError as error:
            broken = f" ({error})"
            continue
        bands = drawn[2]
        features.append(drawn[0])
        classes.append(drawn[1])
    if not sum(map(len, classes)):
        raise DataError(f"{dataset.name}: found no labelled pixel to train on{broken}")
    forest = RandomForestClassifier(trees, max_depth=depth, min_samples_leaf=2, random_state=seed, n_jobs=-1)
    forest.fit(np.concatenate(features), np.concatenate(classes))
    return Forest(forest, dataset.labels, tuple(float(scale) for scale in scales), bands)


def _draw(
    sample: Sample, bands: tuple[str, ...], scales: Sequence[float], share: int, rng: np.random.Generator
) -> tuple[FloatArray, IntArray, tuple[str, ...]]:
    """Draw labelled pixels: features (P, F) and classes (P,); ``bands`` are () for the first image, which sets them."""
    image, truth = sample.image, sample.truth
    bands = bands or (RGB if image.bands == GREY else image.bands)
    classes = truth.class_map().ravel()
    labelled = np.flatnonzero(classes != sample.labels.void)
    chosen = np.sort(rng.choice(labelled, share, replace=False)) if len(labelled) > share else labelled
    found = [features[chosen[(chosen >= start) & (chosen < start + len(features))] - start]
             for start, features in feature_strips(image.to_bands(bands), scales)]  # fmt: skip
    return np.concatenate(found), classes[chosen], bands


def segment(image: Image, *, model: Forest, probabilities: bool = False) -> Segmentation:
    """Classify every pixel of ``image``.

    Args:
        model: what ``fit`` gave.
        probabilities: keep them, (L, H, W).
    """
    height, width = image.size
    known = np.asarray(model.trees.classes_, np.int64)
    classes = np.zeros(height * width, np.uint8 if model.labels.void == 255 else np.uint16)
    won = np.zeros(len(model.labels))
    kept = np.zeros((len(model.labels), height * width), np.float32) if probabilities else None
    for start, features in feature_strips(image.to_bands(model.bands), model.scales):
        strip = slice(start, start + len(features))
        found = model.trees.predict_proba(features)
        places = found.argmax(axis=1)
        classes[strip] = known[places]
        won[known] += np.bincount(places, weights=found.max(axis=1), minlength=len(known))
        if kept is not None:
            kept[known, strip] = found.T
    areas = np.bincount(classes, minlength=len(model.labels))[: len(model.labels)]
    scores = np.clip(won / np.maximum(areas, 1), 0, 1)
    volume = None if kept is None else kept.reshape(-1, height, width)
    return Segmentation.from_class_map(classes.reshape(height, width), model.labels, scores, volume)


def feature_strips(image: Image, scales: Sequence[float]) -> Iterator[tuple[int, FloatArray]]:
    """Describe the pixels of an image in strips of rows: the number of the first pixel, and features (P, F).

    Each strip is computed with as many rows around it as a blur reaches, so the strips equal the whole.
    """
    height, width = image.size
    reach = math.ceil(4 * max(scales)) + 2  # OpenCV cuts a Gaussian of floats off at 4 deviations; a Sobel adds 1 row
    step = max(1, _STRIP // max(width, 1))
    for top in range(0, height, step):
        first, last = max(0, top - reach), min(height, top + step + reach)
        part = features_of(Image(image.pixels[first:last], image.bands), scales)[top - first : top - first + step]
        yield top * width, part.reshape(-1, part.shape[2])


def features_of(image: Image, scales: Sequence[float]) -> FloatArray:
    """Describe every pixel: (H, W, F) bands blurred at each scale and, past the first, the strength of edges there."""
    values = np.nan_to_num(image.unit(), posinf=1.0, neginf=0.0)
    layers = []
    for scale in scales:
        blurred = values if scale == 0 else _blurred(values, scale)
        layers.append(blurred)
        if scale > 0:
            grey = np.ascontiguousarray(blurred.mean(axis=2, dtype=np.float32))
            across, down = cv2.Sobel(grey, cv2.CV_32F, 1, 0), cv2.Sobel(grey, cv2.CV_32F, 0, 1)
            layers.append(np.hypot(across, down)[:, :, None])
    return np.concatenate(layers, axis=2)


def _blurred(values: FloatArray, scale: float) -> FloatArray:
    bands = [cv2.GaussianBlur(np.ascontiguousarray(values[:, :, band]), (0, 0), scale) for band in range(values.shape[2])]
    return np.stack(bands, axis=2)
