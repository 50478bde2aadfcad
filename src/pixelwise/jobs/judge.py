"""Score methods that know no classes on data that has some, or has objects, or only regions: one rule for tune and choose.

What a method gives is made comparable with the truth by what a few images to learn from say, and by nothing else:

- Truth of classes: each segment takes the class most common there in those images (``metrics.majority``): the two classes of a
  method as classes, its regions by their mean colour. A method that must be trained is trained on those images.
- Truth of objects: the same, with the objects painted as classes, whose parts are objects then (``jobs.objects``).
- Truth of regions, by one or several people: regions are compared as they are; the parts of two classes are regions.

Panoptic truth is read as classes: no method tells things from stuff.
"""

from dataclasses import dataclass, replace

import numpy as np

from pixelwise.core.errors import DataError, OptionError, PixelwiseError
from pixelwise.core.image import Image
from pixelwise.core.predictor import Predictor
from pixelwise.core.sample import Dataset, ImageArray, Sample, TruthArray
from pixelwise.core.segmentation import Kind
from pixelwise.jobs.objects import as_objects, match_objects, parts_objects
from pixelwise.methods.predictor import Method
from pixelwise.metrics.evaluate import count, known_truths
from pixelwise.metrics.majority import match
from pixelwise.metrics.settle import require_settled
from pixelwise.metrics.tally import Tally, families_of
from pixelwise.metrics.views import Families, readable, view_of

USUAL: dict[Kind, str] = {"semantic": "miou", "panoptic": "miou", "instance": "object_f1", "regions": "covering_ods"}
_HELD = 2**27  # pixels that are held in memory at most


@dataclass(frozen=True, eq=False)
class Judge:
    """What methods are scored by.

    Attributes:
        metric: the one score that decides.
        families: the module that gives it.
        kind: of the truth, as it is read.
        learn: samples to match or train on.
        held: samples to score on, apart from those.
        notes: what to know of the choice.
    """

    metric: str
    families: Families
    kind: Kind
    learn: Dataset
    held: Dataset
    notes: tuple[str, ...] = ()

    @classmethod
    def of(cls, dataset: Dataset, metric: str | None = None, seed: int = 0) -> "Judge":
        """Divide a data set and choose the score: by its ``train`` and ``val`` or ``test`` if it has them, else by halves.

        Raises:
            OptionError: no method can be scored against such truth, or not by that metric; or there is only one sample.
            UnsettledLabels: what the data's values mean is in doubt.
        """
        if dataset.kind not in USUAL:
            raise OptionError(f"{dataset.name}: no method gives {dataset.kind} segmentations to compare with its truth")
        dataset = dataset if dataset.kind == "regions" else require_settled(dataset)
        if dataset.kind == "panoptic":
            dataset = dataset.semantic()
        metric = metric or USUAL[dataset.kind]
        families = families_of([metric])
        (module,) = families.values()
        if metric in families:
            raise OptionError(f"--metric {metric}: it gives many scores; choose one of {', '.join(module.RULES)}")
        if not readable(dataset.kind, view_of(module)) or view_of(module) in ("tracks", "panoptic", "multilabel"):
            usual = USUAL[dataset.kind]
            raise OptionError(f"--metric {metric}: no method can be scored so on {dataset.kind} truth; try {usual}")
        learn, held, note = divided(dataset, seed)
        return cls(metric, families, dataset.kind, learn, held, (note,))

    @property
    def is_low_better(self) -> bool:
        """Whether less is better, as of a variation of information."""
        return any(self.metric in module.LOWER_IS_BETTER for module in self.families.values())

    @property
    def worst(self) -> float:
        """What a method is given that could not be scored."""
        return float("inf") if self.is_low_better else float("-inf")

    def few(self, learn: int, held: int) -> "Judge":
        """Keep at most so many samples of each part, evenly apart, and read them once for all methods."""
        return replace(self, learn=in_memory(spread(self.learn, learn)), held=in_memory(spread(self.held, held)))

    def ready(self, method: Method) -> Predictor:
        """Give what is scored: the method, trained or matched where the truth wants it.

        Raises:
            PixelwiseError: it cannot learn from those samples.
        """
        view = view_of(next(iter(self.families.values())))
        if method.is_trained and not method.is_ready:
            if not len(self.learn.labels):
                raise OptionError(f"{method.name}: has no classes to learn from")
            method = method.fit(self.learn)
        if view == "regions":
            return method
        if view == "instance":
            return as_objects(method, self.learn)
        if method.is_trained:
            return method
        if parts_objects(method):
            return match_objects(method, self.learn, "instance").matched
        return match(method, self.learn)

    def tally(self, predictor: Predictor) -> Tally:
        """Count a predictor on the held samples."""
        return count([predictor], known_truths(self.held, predictor.card, self.families), self.families, batch=1)

    def score(self, found: Tally) -> float:
        """Give the one score of what was counted; the worst where it is undefined.

        Raises:
            DataError: no sample could be scored; the message says why.
        """
        (family, module), *_ = self.families.items()
        if family not in found.counts:
            told = f": {found.failures[0][1]}" if found.failures else ""
            raise DataError(f"not one of {len(self.held)} images could be scored{told}")
        value = float(module.score(found.counts[family])[self.metric])
        return self.worst if np.isnan(value) else value


def divided(dataset: Dataset, seed: int = 0) -> tuple[Dataset, Dataset, str]:
    """Give the samples to learn from, those to score on, and how they were chosen."""
    held = next((name for name in ("val", "test") if name in dataset.splits), None)
    if held is None:
        learn, rest = dataset.divided(0.5, seed)
        return learn, rest, f"no split named val or test: a random half ({len(rest)} images) is scored, the other learned from"
    away = {row for name in ("val", "test") for row in dataset.splits.get(name, ())}
    rows = dataset.splits.get("train") or [row for row in range(len(dataset)) if row not in away]
    if not len(rows):
        raise OptionError(f"{dataset.name}: all samples are of the split '{held}'; there is none to learn from")
    return dataset.take(list(rows)), dataset.split(held), f"learned from the training split, scored on '{held}'"


def spread(dataset: Dataset, most: int) -> Dataset:
    """Keep at most so many samples, evenly apart: neighbours are often alike."""
    if len(dataset) <= most:
        return dataset
    return dataset.take(((np.arange(most) + 0.5) * len(dataset) / most).astype(int).tolist())


def first_image(dataset: Dataset) -> Image:
    """Give the first image that can be read, whose bands and size stand for all.

    Raises:
        DataError: none can be; the message says why.
    """
    broken = ""
    for sample in dataset:
        try:
            return sample.image
        except PixelwiseError as error:
            broken = f": {error}"
    raise DataError(f"{dataset.name}: not one of {len(dataset)} images can be read{broken}")


def in_memory(dataset: Dataset) -> Dataset:
    """Read samples now, as far as they take little memory: many methods will ask for them, and truth may be many files."""
    samples, pixels = [], 0
    for sample in dataset:
        try:
            height, width = sample.size
            pixels += height * width
            if pixels <= _HELD:
                pixels_of, truth = ImageArray(sample.image), TruthArray(sample.truths)
                sample = Sample(sample.name, pixels_of, truth, sample.labels, meta=sample.meta)
        except PixelwiseError:
            pass  # it is listed as a failure when it is scored
        samples.append(sample)
    return Dataset(samples, dataset.labels, dataset.kind, name=dataset.name)
