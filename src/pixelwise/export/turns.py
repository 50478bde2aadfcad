"""Two predictors on the same images in turns: what each gives, and how long it takes.

One image is segmented by both before the next one is read, and the one that begins changes, so that what else the machine does
slows both alike.
"""

import time
from typing import NamedTuple

import numpy as np

from pixelwise.core.errors import PixelwiseError
from pixelwise.core.image import Image
from pixelwise.core.predictor import Predictor, Request
from pixelwise.core.sample import Dataset, Sample
from pixelwise.core.segmentation import Segmentation
from pixelwise.export.agreement import Agreement, agreement
from pixelwise.metrics.comparison import Comparison, compare
from pixelwise.metrics.evaluate import known_truths
from pixelwise.metrics.interval import Bootstrap
from pixelwise.metrics.tally import Sums, families_of
from pixelwise.metrics.truths import usual

PROBED = 16  # images whose probabilities are compared: of 23 classes on a large photograph they take longer than the network


class Seen(NamedTuple):
    """What was found on one image."""

    name: str
    agreement: Agreement
    seconds: tuple[float, float]


class Turns:
    """Two predictors on the same images, and what was found of them so far."""

    def __init__(self, model: Predictor, exported: Predictor, samples: Dataset) -> None:
        self.pair = (model, exported)
        self.seen: list[Seen] = []
        self.probability: float | None = None
        self.probed = 0
        self.problems: list[str] = []
        self.failures: list[tuple[str, str]] = []
        self.notes: list[str] = []
        self._sums: tuple[Sums, Sums] | None = None
        self._wants = all(one.card.gives_probabilities for one in self.pair)
        self._every = max(1, len(samples) // PROBED)
        self._is_warm = False
        if any(sample.truth_source is not None for sample in samples):
            self._names = usual(samples.kind, model.card.kind)[:1]
            self._families = families_of(self._names)
            truths = known_truths(samples, model.card, self._families)
            self._sums = (Sums(truths, self._families, []), Sums(truths, self._families, []))
        else:
            self.notes.append("the images have no truth: the scores of the two are not known, equal pixels alone decide")

    def see(self, row: int, sample: Sample) -> None:
        """Run both on one image, the one that begins changing from image to image."""
        try:
            image = sample.image
            found = self._run(image, row)
        except _Refused as refused:
            self.problems.append(f"the exported model cannot be run on {sample.name}: {refused}")
            return
        except PixelwiseError as error:
            self.failures.append((sample.name, str(error)))
            return
        (first, second), seconds = found
        if first.size != second.size or first.kind != second.kind:
            told = f"{second.kind} segments of {second.size}, expected {first.kind} of {first.size} (height, width)"
            self.problems.append(f"the exported model gives {sample.name} {told}")
            return
        self.seen.append(Seen(sample.name, agreement(first, second), seconds))
        if self._sums is not None:
            for sums, one in zip(self._sums, (first, second), strict=True):
                sums.add(row, one)
        if self._wants and row % self._every == 0 and self.probed < PROBED:
            self._probe(image, sample.name)

    def _run(self, image: Image, row: int) -> tuple[tuple[Segmentation, Segmentation], tuple[float, float]]:
        if not self._is_warm:
            self._call(image, (0, 1))  # what is compiled at the first call is not what a call costs
            self._is_warm = True
        return self._call(image, (0, 1) if row % 2 == 0 else (1, 0))

    def _call(self, image: Image, order: tuple[int, int]) -> tuple[tuple[Segmentation, Segmentation], tuple[float, float]]:
        found: dict[int, tuple[Segmentation, float]] = {}
        for which in order:
            began = time.perf_counter()
            try:
                (segmentation,) = self.pair[which]([image])
            except PixelwiseError as error:
                if which == 0:
                    raise
                if 0 not in found:
                    self.pair[0]([image])  # raises where the image itself is at fault
                raise _Refused(str(error)) from error
            found[which] = segmentation, time.perf_counter() - began
        return (found[0][0], found[1][0]), (found[0][1], found[1][1])

    def _probe(self, image: Image, name: str) -> None:
        first, second = (one([image], Request(probabilities=True))[0].probabilities for one in self.pair)
        if first is None or second is None or first.shape != second.shape:
            shapes = [None if each is None else each.shape for each in (first, second)]
            self.problems.append(f"the probabilities of {name} have the shapes {shapes[0]} and {shapes[1]} (classes, H, W)")
            return
        if not np.isfinite(second).all():
            self.problems.append(f"a probability of {name} is not a number")
            return
        self.probed += 1
        difference = float(np.abs(np.asarray(first, np.float32) - np.asarray(second, np.float32)).max(initial=0))
        self.probability = max(self.probability or 0.0, difference)

    def comparison(self, bootstrap: Bootstrap) -> Comparison | None:
        """Compare the scores; None where there are none."""
        if self._sums is None:
            return None
        model, exported = (one.tally() for one in self._sums)
        self.failures += [each for each in model.failures if each not in self.failures]
        if not model.names:
            self.notes.append("no truth could be read: equal pixels alone decide")
            return None
        return compare(model, exported, self._families, self._names, bootstrap)


class _Refused(Exception):
    """Tell that the exported model alone could not be run."""
