"""Look at a spread of labelled pixels: what is said of them, by one predictor or several, and what they are.

A temperature is one number and the weights of an ensemble are a handful: some hundred thousand pixels are plenty to fit them.
They are drawn from all images alike, so that no image counts for its size.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np

from pixelwise.core.arrays import FloatArray, IntArray
from pixelwise.core.errors import DataError, PixelwiseError
from pixelwise.core.image import Image
from pixelwise.core.labels import LabelSet
from pixelwise.core.sample import Dataset, Sample, relabelled
from pixelwise.metrics.settle import under_model

PIXELS = 200_000
_VALUES = 2**26  # probabilities held: a quarter of a gigabyte
Progress = Callable[[float, int], None]
Ask = Callable[[Image], Iterable[Iterable[FloatArray]]]  # opinions on an image, each class after class (H, W)


@dataclass(frozen=True, eq=False)
class SampledPixels:
    """K labelled pixels.

    Attributes:
        probabilities: (M, L, K) what was said of them in M opinions.
        classes: (K,) what they are.
        failures: the images of which there are none, and why.
    """

    probabilities: FloatArray
    classes: IntArray
    failures: tuple[tuple[str, str], ...] = ()


def sampled_pixels(
    ask: Ask,
    dataset: Dataset,
    labels: LabelSet,
    opinions: int = 1,
    *,
    count: int = PIXELS,
    seed: int = 0,
    progress: Progress | None = None,
) -> SampledPixels:
    """Ask for so many opinions about pixels drawn from every image; its classes and ``labels`` are joined by name.

    Raises:
        UnsettledLabels: what the data's stored values mean is in doubt.
        DataError: no image has a labelled pixel of a class in ``labels``.
    """
    dataset = under_model(dataset.semantic(), labels)
    count = min(count, _VALUES // max(1, opinions * len(labels)))
    each = max(1, count // max(1, len(dataset)))
    failures: list[tuple[str, str]] = []
    said: list[FloatArray] = []
    true: list[IntArray] = []
    for row, sample in enumerate(dataset):
        try:
            places, classes = _drawn(sample, labels, each, np.random.default_rng((seed, row)))
            if len(places):
                said.append(np.array([[plane.ravel()[places] for plane in planes] for planes in ask(sample.image)], np.float32))
                true.append(classes)
        except PixelwiseError as error:
            failures.append((sample.name, str(error)))
        if progress is not None:
            progress(row + 1, len(dataset))
    if not true:
        why = f"; {failures[0][0]}: {failures[0][1]}" if failures else ""
        raise DataError(f"{dataset.name}: expected labelled pixels of {', '.join(labels.names[:5])} …, found none{why}")
    return SampledPixels(np.concatenate(said, axis=2), np.concatenate(true), tuple(failures))


def _drawn(sample: Sample, labels: LabelSet, count: int, rng: np.random.Generator) -> tuple[IntArray, IntArray]:
    """Draw labelled pixels of a sample: their places in its rows joined end to end, and their classes."""
    classes = relabelled(sample.truth, labels).class_map().ravel()
    labelled = np.flatnonzero(classes != labels.void)
    places = labelled if len(labelled) <= count else rng.choice(labelled, count, replace=False)
    return places, classes[places].astype(np.intp)
