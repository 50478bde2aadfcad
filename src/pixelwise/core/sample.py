"""A sample (an image and its truth) and a data set of them, both read lazily."""

import os.path
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Protocol, TypeAlias, overload, runtime_checkable

import numpy as np

from pixelwise.core.arrays import IntArray, Size
from pixelwise.core.errors import DataError, OptionError, nearest
from pixelwise.core.image import Image, read_image, read_size
from pixelwise.core.labels import LabelSet
from pixelwise.core.segmentation import Kind, Segmentation


class ImageSource(Protocol):
    """Where a sample's pixels come from; must pickle, as loader workers are sent it."""

    def read(self) -> Image:
        """Read the image."""

    def size(self) -> Size:
        """Read (H, W), cheaply."""


Salvaged: TypeAlias = tuple[tuple[Segmentation, ...], tuple[str, ...]]


class TruthSource(Protocol):
    """Where a sample's truth comes from; must pickle."""

    def read(self, labels: LabelSet, size: Size) -> tuple[Segmentation, ...]:
        """Read the truths under ``labels``; ``size`` is the image's."""

    def salvage(self, labels: LabelSet, size: Size) -> "Salvaged":
        """Read what is good of the truths, and say of each segment left out what is wrong with it."""

    def raw(self) -> list[IntArray]:
        """Read the stored mask values, before any mapping."""


@runtime_checkable
class PaintedTruth(TruthSource, Protocol):
    """A truth source whose objects are painted as classes already, by the rule of ``Segmentation.semantic``."""

    def semantic(self, labels: LabelSet, size: Size) -> tuple[Segmentation, ...]:
        """Read the classes alone under ``labels``."""


@dataclass(frozen=True)
class Source:
    """Where a sample stands on the disk, and how its truth is coded there (``id``, ``palette``, ``rgb``, ``json`` …)."""

    image: Path | None = None
    truths: tuple[Path, ...] = ()
    encoding: str = ""
    reader: TruthSource | None = field(default=None, repr=False, compare=False)

    def raw(self) -> list[IntArray]:
        """Read the stored mask values (H, W), one array a truth, before any mapping."""
        return [] if self.reader is None else self.reader.raw()


@dataclass(frozen=True)
class ImageFile:
    """An image in a file."""

    path: Path

    def read(self) -> Image:
        """Read the image."""
        return read_image(self.path)

    def size(self) -> Size:
        """Read (H, W) from the header."""
        return read_size(self.path)


@dataclass(frozen=True, eq=False)
class ImageArray:
    """An image in memory."""

    image: Image

    def read(self) -> Image:
        """Give the image."""
        return self.image

    def size(self) -> Size:
        """Give (H, W)."""
        return self.image.size


@dataclass(frozen=True, eq=False)
class TruthArray:
    """Truth in memory; it is re-labelled by class name."""

    truths: tuple[Segmentation, ...]

    def read(self, labels: LabelSet, size: Size) -> tuple[Segmentation, ...]:
        """Give the truths under ``labels``."""
        return tuple(one if one.labels is labels else relabelled(one, labels) for one in self.truths)

    def salvage(self, labels: LabelSet, size: Size) -> Salvaged:
        """Give the truths: nothing can be wrong with them any more."""
        return self.read(labels, size), ()

    def raw(self) -> list[IntArray]:
        """Give the class maps, those of instances as ``stored_values`` paints them."""
        return [stored_values(one) if one.kind == "instance" else one.class_map() for one in self.truths]


@dataclass(frozen=True, eq=False)
class SemanticTruth:
    """The classes alone of a truth of another kind, as ``Segmentation.semantic`` gives them."""

    source: TruthSource
    own: LabelSet  # that the source is read under

    def read(self, labels: LabelSet, size: Size) -> tuple[Segmentation, ...]:
        """Read the truths and forget which object is which."""
        if isinstance(self.source, PaintedTruth):
            return self.source.semantic(labels, size)
        return self._painted(self.source.read(self.own, size), labels)

    def salvage(self, labels: LabelSet, size: Size) -> Salvaged:
        """Read what is good of the truths, likewise."""
        if isinstance(self.source, PaintedTruth):
            return self.source.semantic(labels, size), ()
        truths, problems = self.source.salvage(self.own, size)
        return self._painted(truths, labels), problems

    def _painted(self, truths: tuple[Segmentation, ...], labels: LabelSet) -> tuple[Segmentation, ...]:
        painted = (one.semantic() for one in truths)
        return tuple(one if one.labels == labels else relabelled(one, labels) for one in painted)

    def raw(self) -> list[IntArray]:
        """Read the stored values."""
        return self.source.raw()


@dataclass(frozen=True, eq=False)
class ThingsTruth:
    """The things of a panoptic truth, as ``Segmentation.instances`` gives them."""

    source: TruthSource
    own: LabelSet  # that the source is read under

    def read(self, labels: LabelSet, size: Size) -> tuple[Segmentation, ...]:
        """Read the truths and keep their things."""
        return tuple(relabelled(one.instances(), labels) for one in self.source.read(self.own, size))

    def salvage(self, labels: LabelSet, size: Size) -> Salvaged:
        """Read what is good of the truths, likewise."""
        truths, problems = self.source.salvage(self.own, size)
        return tuple(relabelled(one.instances(), labels) for one in truths), problems

    def raw(self) -> list[IntArray]:
        """Read the stored values."""
        return self.source.raw()


def stored_values(one: Segmentation) -> IntArray:
    """Paint a truth as a map (H, W) of the values that stand for its classes, for background and for void."""
    painted = one.semantic()
    return painted.labels.to_values(painted.class_map())


def relabelled(one: Segmentation, labels: LabelSet) -> Segmentation:
    """Join the classes of a truth by name with those of ``labels``; segments of classes it does not name are left out."""
    if one.labels == labels:
        return one
    table = one.labels.map_to(labels)
    classes = table[one.class_ids]
    kept = one[classes >= 0] if (classes < 0).any() else one
    return replace(kept, class_ids=classes[classes >= 0], labels=labels)


@dataclass(frozen=True, eq=False)
class Sample:
    """One image with its truths; both are read when asked for and not kept.

    Attributes:
        name: unique in its data set; becomes the stem of what is written for it.
        pixels: where the image comes from.
        truth_source: where the truths come from; None for an image without labels.
        labels: the label set its truths are read under.
        source: paths and encoding.
        meta: captions, capture data, sequence / frame / time, scene or tile origin.
    """

    name: str
    pixels: ImageSource
    truth_source: TruthSource | None
    labels: LabelSet
    source: Source = field(default_factory=Source)
    meta: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.source.reader is None and self.truth_source is not None:
            object.__setattr__(self, "source", replace(self.source, reader=self.truth_source))

    @classmethod
    def of(cls, name: str, image: Image, truth: Segmentation | None = None, **meta: Any) -> "Sample":
        """Make a sample from an image and a truth in memory."""
        labels = truth.labels if truth is not None else LabelSet(())
        return cls(name, ImageArray(image), None if truth is None else TruthArray((truth,)), labels, meta=meta)

    @property
    def image(self) -> Image:
        """Read the image."""
        return self.pixels.read()

    @property
    def size(self) -> Size:
        """Read (H, W), without decoding where the file's header says it."""
        return self.pixels.size()

    @property
    def truths(self) -> tuple[Segmentation, ...]:
        """Read the truths: none, one, or several by different people."""
        return () if self.truth_source is None else self.truth_source.read(self.labels, self.size)

    @property
    def truth(self) -> Segmentation:
        """Read the only truth.

        Raises:
            DataError: there is none, or there are several.
        """
        truths = self.truths
        if len(truths) != 1:
            hint = "it is an image without labels" if not truths else "choose one of .truths"
            raise DataError(f"{self.name}: expected one truth, found {len(truths)}; {hint}")
        return truths[0]

    def salvaged(self) -> Salvaged:
        """Read the truths without the segments that are wrong, and a sentence for each of those.

        Raises:
            DataError: the truths cannot be used at all.
        """
        return ((), ()) if self.truth_source is None else self.truth_source.salvage(self.labels, self.size)

    def raw(self) -> list[IntArray]:
        """Read the stored mask values before mapping."""
        return self.source.raw()

    def semantic(self, labels: LabelSet) -> "Sample":
        """Read the same sample as classes alone, under ``labels``."""
        source = None if self.truth_source is None else SemanticTruth(self.truth_source, self.labels)
        return replace(self, truth_source=source, labels=labels)

    def instances(self, labels: LabelSet) -> "Sample":
        """Read the things of the same sample's panoptic segments, under ``labels``."""
        source = None if self.truth_source is None else ThingsTruth(self.truth_source, self.labels)
        return replace(self, truth_source=source, labels=labels)

    def under(self, labels: LabelSet) -> "Sample":
        """Read the same sample under another label set."""
        return replace(self, labels=labels)


class LostLabels(str):
    """A note of reading that tells of labels left out, as the image they are of is not there; other notes tell of oddities."""

    __slots__ = ()


class Dataset(Sequence[Sample]):
    """Samples in order, with their label set and named splits; nothing is read until a sample is asked for it."""

    def __init__(
        self,
        samples: Sequence[Sample],
        labels: LabelSet,
        kind: Kind,
        splits: Mapping[str, Sequence[int]] | None = None,
        name: str = "data",
        notes: Sequence[str] = (),
    ) -> None:
        self.samples = tuple(samples)
        self.labels = labels
        self.kind: Kind = kind
        self.splits: dict[str, tuple[int, ...]] = {key: tuple(rows) for key, rows in (splits or {}).items()}
        if far := [key for key, rows in self.splits.items() if not all(0 <= row < len(self.samples) for row in rows)]:
            raise DataError(f"{name}: the split '{far[0]}' names a sample outside 0..{len(self.samples) - 1}")
        self.name = name
        self.notes = tuple(notes)  # what reading noticed: files without partners, dropped parts

    @property
    def lost(self) -> tuple[str, ...]:
        """Say which labels could not be read for want of their images."""
        return tuple(note for note in self.notes if isinstance(note, LostLabels))

    def __len__(self) -> int:
        return len(self.samples)

    @overload
    def __getitem__(self, key: int) -> Sample: ...
    @overload
    def __getitem__(self, key: slice) -> "Dataset": ...
    def __getitem__(self, key: int | slice) -> "Sample | Dataset":
        if isinstance(key, slice):
            return self.take(range(len(self))[key])
        return self.samples[key]

    def __iter__(self) -> Iterator[Sample]:
        return iter(self.samples)

    def __repr__(self) -> str:
        splits = "".join(f", {name} {len(rows)}" for name, rows in self.splits.items())
        return f"Dataset({self.name!r}, {self.kind}, {len(self)} samples, {len(self.labels)} classes{splits})"

    def take(self, rows: Sequence[int]) -> "Dataset":
        """Keep the samples at ``rows``; splits keep their names and what is left of them."""
        rows = [range(len(self))[row] for row in rows]
        members = {name: frozenset(kept) for name, kept in self.splits.items()}
        splits = {name: [index for index, row in enumerate(rows) if row in kept] for name, kept in members.items()}
        samples = [self.samples[row] for row in rows]
        return Dataset(samples, self.labels, self.kind, {k: v for k, v in splits.items() if v}, self.name, self.notes)

    def where(self, claim: Callable[[Sample], bool]) -> "Dataset":
        """Keep the samples for which ``claim`` holds."""
        return self.take([row for row, sample in enumerate(self.samples) if claim(sample)])

    def under(self, labels: LabelSet) -> "Dataset":
        """Read the same files under another label set, as when a person has settled the value -> class map."""
        samples = [sample.under(labels) for sample in self.samples]
        return Dataset(samples, labels, self.kind, self.splits, self.name, self.notes)

    def semantic(self) -> "Dataset":
        """Read the same files as classes alone; instances are painted as ``Segmentation.semantic`` says.

        Raises:
            DataError: segments may overlap by their nature (multilabel), or have no classes (regions).
        """
        if self.kind == "semantic":
            return self
        if self.kind in ("multilabel", "regions"):
            reason = "its classes may overlap" if self.kind == "multilabel" else "its regions have no classes"
            raise DataError(f"{self.name}: {self.kind} truth cannot be read as semantic: {reason}")
        labels = self.labels.with_background() if self.kind == "instance" else self.labels
        samples = [sample.semantic(labels) for sample in self.samples]
        return Dataset(samples, labels, "semantic", self.splits, self.name, self.notes)

    def instances(self) -> "Dataset":
        """Read the same files as the things of panoptic segments alone.

        Raises:
            DataError: they do not tell objects apart.
        """
        if self.kind == "instance":
            return self
        if self.kind != "panoptic":
            raise DataError(f"{self.name}: {self.kind} truth cannot be read as instances: it does not tell objects apart")
        things = LabelSet(tuple(label for label in self.labels.labels if label.is_thing))
        samples = [sample.instances(things) for sample in self.samples]
        return Dataset(samples, things, "instance", self.splits, self.name, self.notes)

    def split(self, name: str) -> "Dataset":
        """Give one named split.

        Raises:
            OptionError: there is none of that name; the message lists those there are.
        """
        if name not in self.splits:
            hint = nearest(name, self.splits) if self.splits else "this data set has none; a fraction such as 0.2 makes one"
            hint = f"that is a folder: give the lists in it with --lists {name}" if os.path.isdir(name) else hint
            raise OptionError(f"{self.name}: no split is called '{name}'; {hint}")
        return self.take(self.splits[name])

    def divided(self, fraction: float, seed: int = 0) -> tuple["Dataset", "Dataset"]:
        """Divide at random into (the rest, about ``fraction`` of the samples), at least one in each.

        Raises:
            OptionError: there are fewer than two samples, or the fraction is not between 0 and 1.
        """
        if not 0 < fraction < 1:
            raise OptionError(f"expected a fraction between 0 and 1, got {fraction}")
        if len(self) < 2:
            raise OptionError(f"{self.name}: {len(self)} sample cannot be divided into two sets; add images")
        order = np.random.default_rng(seed).permutation(len(self))
        count = min(max(1, round(fraction * len(self))), len(self) - 1)
        return self.take(sorted(order[count:].tolist())), self.take(sorted(order[:count].tolist()))
