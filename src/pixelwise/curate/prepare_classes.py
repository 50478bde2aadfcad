"""Which class becomes which: merging, choosing and binary, as one table from old classes to new ones.

What is not chosen counts as background: of instances it simply is none of the objects; in semantic and panoptic truth it
becomes the class ``background``, which is added in front unless there is one. Void stays void.
"""

from dataclasses import dataclass

import numpy as np

from pixelwise.core.arrays import IntArray
from pixelwise.core.errors import OptionError
from pixelwise.core.idmaps import lookup
from pixelwise.core.labels import VOID, Label, LabelSet
from pixelwise.core.sample import Dataset
from pixelwise.core.segmentation import Kind, Segmentation
from pixelwise.curate.prepare_options import VOID_NAME, PrepareOptions
from pixelwise.formats.convert.classes import relabelled

_BACKGROUND = "background"
_FOREGROUND = "foreground"


@dataclass(frozen=True, eq=False)
class Classes:
    """What becomes of a data set's classes.

    Attributes:
        kind, labels: of what is written.
        joined: the label set before ``binary`` makes two classes of it.
        table: (L,) the class in ``joined`` of each old one; ``VOID`` for what is left out.
        same: whether ``joined`` is the old label set, so that truths can stay as they are.
        binary: whether two classes are made of it.
    """

    kind: Kind
    labels: LabelSet
    joined: LabelSet
    table: IntArray
    same: bool
    binary: bool

    def of(self, truth: Segmentation) -> Segmentation:
        """Give a truth its new classes, those of ``joined``."""
        if self.same:
            return truth
        if truth.kind == "semantic":
            return _semantic(truth, self.joined, self.table)
        return relabelled(truth, self.table, self.joined)

    def painted(self, truth: Segmentation) -> Segmentation:
        """Give a truth of the classes of ``joined`` as it is written: as background and foreground, if that is asked for."""
        return _binary(truth, self.labels) if self.binary else truth


def classes_for(dataset: Dataset, options: PrepareOptions) -> Classes:
    """Work out the new classes of a data set.

    Raises:
        OptionError: a name is none of the classes, or an option does not fit this kind of truth.
    """
    old, kind = dataset.labels, dataset.kind
    _require_fitting(dataset, options)
    targets = [options.merge.get(name, name) for name in old.names]
    for name in options.merge:
        old.index(name)
    labels, places = _joined(old, targets)
    kept = {labels.index(name) for name in options.classes} or set(range(len(labels)))
    kept |= {index for index, name in enumerate(labels.names) if name.casefold() == _BACKGROUND}
    left_out = [index for index in range(len(labels)) if index not in kept]
    table: IntArray = np.array([VOID if target == VOID_NAME else places[target] for target in targets], np.int64)
    if left_out:
        labels, table = _without(labels, table, left_out, kind)
    same = labels.names == old.names and bool((table == np.arange(len(old))).all())
    joined = old if same else labels
    if not options.binary:
        return Classes(kind, joined, joined, table, same, binary=False)
    return Classes("semantic", _two_classes(dataset, joined, kind), joined, table, same, binary=True)


def _require_fitting(dataset: Dataset, options: PrepareOptions) -> None:
    kind = dataset.kind
    if kind == "regions" and (options.classes or options.merge or options.binary):
        raise OptionError(f"{dataset.name}: regions have no classes to choose, merge or tell from background")
    if kind == "multilabel" and options.binary:
        raise OptionError(f"{dataset.name}: its classes may overlap, so it is not clear what is background")
    if options.min_area and kind not in ("instance", "panoptic"):
        raise OptionError(f"{dataset.name}: the smallest object can be chosen where there are objects; this set is {kind}")
    if VOID_NAME in options.merge.values() and kind not in ("semantic", "panoptic"):
        raise OptionError(
            f"{dataset.name}: {kind} truth has no void to merge a class into; leave the class out by choosing the others"
        )


def _joined(old: LabelSet, targets: list[str]) -> tuple[LabelSet, dict[str, int]]:
    """Make the label set of the targets, in the order of the old classes; a target that was a class keeps its colour."""
    by_name = {label.name: label for label in old.labels}
    sources: dict[str, list[Label]] = {}
    for label, target in zip(old.labels, targets, strict=True):
        if target != VOID_NAME:
            sources.setdefault(target, []).append(label)
    labels = tuple(
        Label(name, all(one.is_thing for one in each), by_name.get(name, each[0]).colour) for name, each in sources.items()
    )
    places = {label.name: index for index, label in enumerate(labels)}
    ends = [VOID if target == VOID_NAME else places[target] for target in targets]
    values = {value: VOID if index == VOID else ends[index] for value, index in old.values.items()}
    return LabelSet(labels, values, old.encoding, old.settled), places


def _without(labels: LabelSet, table: IntArray, left_out: list[int], kind: Kind) -> tuple[LabelSet, IntArray]:
    """Leave classes out; in semantic and panoptic truth they become background."""
    kept = [index for index in range(len(labels)) if index not in left_out]
    new = {index: place for place, index in enumerate(kept)}
    values = {value: new.get(index, VOID) for value, index in labels.values.items() if index == VOID or index in new}
    smaller = LabelSet(tuple(labels.labels[index] for index in kept), values, labels.encoding, labels.settled)
    moved = np.array([new.get(int(index), VOID) for index in range(len(labels))] + [VOID], np.int64)
    if kind not in ("semantic", "panoptic"):
        return smaller, moved[table]
    whole = smaller.with_background()
    moved[moved >= 0] += len(whole) - len(smaller)
    moved[left_out] = next(index for index, name in enumerate(whole.names) if name.casefold() == _BACKGROUND)
    return whole, moved[table]  # void, -1, takes the last place, which is void


def _two_classes(dataset: Dataset, joined: LabelSet, kind: Kind) -> LabelSet:
    if kind != "instance" and not any(name.casefold() == _BACKGROUND for name in joined.names):
        raise OptionError(
            f"{dataset.name}: no class is called background, so all would be foreground ({', '.join(joined.names[:6])}); "
            f"say which classes are: --classes"
        )
    labels = (Label(_BACKGROUND), Label(_FOREGROUND, False, (255, 255, 255)))
    return LabelSet(labels, {0: 0, 1: 1, 255: VOID})


def _binary(truth: Segmentation, labels: LabelSet) -> Segmentation:
    painted, table = truth.painting()
    around = next(index for index, name in enumerate(painted.names) if name.casefold() == _BACKGROUND)
    two = np.where(table == painted.void, labels.void, table != around).astype(np.uint8)
    return Segmentation.from_class_map(lookup(two, truth.panoptic_ids()), labels)


def _semantic(truth: Segmentation, labels: LabelSet, table: IntArray) -> Segmentation:
    whole: IntArray = np.full(len(truth) + 1, labels.void, np.uint8 if labels.void == 255 else np.uint16)
    classes = table[truth.class_ids]
    whole[1:] = np.where((classes == VOID) | truth.is_crowd, labels.void, classes)
    return Segmentation.from_class_map(lookup(whole, truth.panoptic_ids()), labels)
