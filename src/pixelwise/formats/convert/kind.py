"""Read a data set as another kind of segmentation, by a rule that is told.

What a kind does not hold cannot be made up: nobody knows which pixels of a class map belong to which object, so a class of an
image becomes one object, whatever its parts. What a kind cannot take over is told where the data set is written.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType

import numpy as np

from pixelwise.core.arrays import IntArray, Size
from pixelwise.core.errors import OptionError
from pixelwise.core.labels import LabelSet
from pixelwise.core.masks import DisjointMasks, as_overlapping, smallest_dtype
from pixelwise.core.sample import Dataset, Salvaged, Sample, TruthSource
from pixelwise.core.segmentation import PAINTED, Kind, Segmentation
from pixelwise.formats.convert.classes import relabelled
from pixelwise.formats.writing import drop

_ONE_A_CLASS = "each class of an image becomes one object, whatever its parts; 'background' and void become none"
RULES: Mapping[tuple[Kind, Kind], str] = MappingProxyType(
    {
        ("instance", "semantic"): PAINTED,
        ("panoptic", "semantic"): "the objects of a class become one area, and crowds become void",
        ("semantic", "instance"): _ONE_A_CLASS,
        ("multilabel", "instance"): _ONE_A_CLASS,
        ("panoptic", "instance"): "things are kept as objects; stuff is left out",
        ("semantic", "panoptic"): "each class of an image becomes one segment, whatever its parts",
        ("instance", "panoptic"): (
            "objects are painted, smaller ones over larger ones and all over crowds; what is under none becomes 'background'"
        ),
    }
)


def kinds_for(kind: Kind) -> list[Kind]:
    """List the other kinds that a data set of ``kind`` can be read as.

    >>> kinds_for("panoptic"), kinds_for("regions")
    (['semantic', 'instance'], [])
    """
    return [after for before, after in RULES if before == kind]


def as_kind(dataset: Dataset, kind: Kind) -> Dataset:
    """Read the same files as another kind of segmentation, by the rule in ``RULES``.

    Raises:
        OptionError: there is no rule for that.
    """
    if dataset.kind == kind:
        return dataset
    if (dataset.kind, kind) not in RULES:
        known = kinds_for(dataset.kind)
        hint = f"it can be read as {' or '.join(known)}" if known else "regions have no classes; match them first"
        raise OptionError(f"{dataset.name}: {dataset.kind} truth cannot be read as {kind}; {hint}")
    if kind == "semantic":
        return dataset.semantic()
    labels = dataset.labels.with_background() if (dataset.kind, kind) == ("instance", "panoptic") else dataset.labels
    samples = [_sample_as(sample, kind, labels) for sample in dataset]
    return Dataset(samples, labels, kind, dataset.splits, dataset.name, dataset.notes)


def _sample_as(sample: Sample, kind: Kind, labels: LabelSet) -> Sample:
    if sample.truth_source is None:
        return replace(sample, labels=labels)
    source = KindTruth(sample.truth_source, sample.labels, kind, sample.name)
    return replace(sample, truth_source=source, labels=labels)


@dataclass(frozen=True, eq=False)
class KindTruth:
    """A truth as another kind.

    Attributes:
        source: the truth as it is.
        own: the label set it is read under.
        kind: what it is read as.
        name: of the sample, to tell what is lost.
    """

    source: TruthSource
    own: LabelSet
    kind: Kind
    name: str

    def read(self, labels: LabelSet, size: Size) -> tuple[Segmentation, ...]:
        """Read the truths as the other kind."""
        return self._turned(self.source.read(self.own, size), labels)

    def salvage(self, labels: LabelSet, size: Size) -> Salvaged:
        """Read what is good of the truths, likewise."""
        truths, problems = self.source.salvage(self.own, size)
        return self._turned(truths, labels), problems

    def _turned(self, truths: tuple[Segmentation, ...], labels: LabelSet) -> tuple[Segmentation, ...]:
        found = []
        for one in truths:
            turned, lost = _TURNS[one.kind, self.kind](one)
            if lost:
                drop(f"{self.name}: {lost}")
            found.append(turned if turned.labels == labels else relabelled(turned, turned.labels.map_to(labels), labels))
        return tuple(found)

    def raw(self) -> list[IntArray]:
        """Read the stored values."""
        return self.source.raw()


def _objects(one: Segmentation) -> tuple[Segmentation, str]:
    """Take classes for objects, all but the background, which instance truth does not mark."""
    names = np.array([name.casefold() for name in one.names], object)
    kept = one[names != "background"]
    void = 0 if one.kind == "multilabel" else one.size[0] * one.size[1] - int(one.masks.areas().sum())
    lost = f"{void:,} void pixels become background, as instance truth has no void" if void else ""
    return replace(kept, kind="instance", masks=as_overlapping(kept.masks), probabilities=None), lost


def _things(one: Segmentation) -> tuple[Segmentation, str]:
    """Keep the things."""
    kept = one.instances()
    gone = len(one) - len(kept)
    lost = f"{gone} segment{'s' * (gone > 1)} of stuff left out, as instance truth holds things alone" if gone else ""
    return replace(kept, masks=as_overlapping(kept.masks)), lost


def _segments(one: Segmentation) -> tuple[Segmentation, str]:
    """Take classes for segments."""
    return replace(one, kind="panoptic", probabilities=None), ""


def _painted(one: Segmentation) -> tuple[Segmentation, str]:
    """Paint objects, and put a segment of background under them."""
    labels = one.labels.with_background()
    ids = one.panoptic_ids()
    seen = np.flatnonzero(np.bincount(ids.ravel(), minlength=len(one) + 1)[1:])
    bare = ids == 0
    count = len(seen) + int(bare.any())
    table = np.zeros(len(one) + 1, smallest_dtype(count))
    table[seen + 1] = np.arange(1, len(seen) + 1)
    placed = table[ids]
    placed[bare] = count if bare.any() else 0
    background = [name.casefold() for name in labels.names].index("background")
    classes = [int(index) + len(labels) - len(one.labels) for index in one.class_ids[seen]]
    crowd = one.is_crowd[seen].tolist()
    extra = count - len(seen)
    turned = Segmentation(
        "panoptic",
        DisjointMasks(placed, count),
        np.array(classes + [background] * extra, np.int64),
        labels,
        crowd=np.array(crowd + [False] * extra) if any(crowd) else None,
    )
    gone = len(one) - len(seen)
    return turned, f"{gone} object{'s' * (gone > 1)} wholly covered by smaller ones left out" if gone else ""


_TURNS: dict[tuple[Kind, Kind], Callable[[Segmentation], tuple[Segmentation, str]]] = {
    ("semantic", "instance"): _objects,
    ("multilabel", "instance"): _objects,
    ("panoptic", "instance"): _things,
    ("semantic", "panoptic"): _segments,
    ("instance", "panoptic"): _painted,
}
