"""The audit: what a labelled data set holds, which map from values to classes it proposes, and what is wrong with it.

Training runs it first. Every image and mask is read once, in parallel; what did not change since the last time is taken
from the cache.
"""

import os
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, TypeAlias

import numpy as np

from pixelwise.core.arrays import Size
from pixelwise.core.errors import DataError, MissingFile, OptionError, PixelwiseError, UnsettledLabels
from pixelwise.core.labels import VOID, LabelSet
from pixelwise.core.sample import Dataset, ImageFile, Sample
from pixelwise.formats import masks, read
from pixelwise.formats.cache import Cache
from pixelwise.formats.masks import MaskFile, mismatch
from pixelwise.formats.reasons import Reason
from pixelwise.formats.scan import MaskRecord, Scan, combine, measure, values_of
from pixelwise.formats.settle import settle
from pixelwise.formats.values import Proposal, propose

Progress = Callable[[str, int, int], None]  # what is being read, done, of how many
Fault: TypeAlias = Literal["image", "mask", "size", "values", "partner", "name", "split", "one value", "tiny"]


@dataclass(frozen=True)
class Problem:
    """Something wrong with one item; ``fatal`` where the item cannot be used and is left out of ``Audit.good``."""

    kind: Fault
    file: str
    text: str
    fatal: bool = False


@dataclass(frozen=True)
class ValueRow:
    """A stored value: the class it is mapped to (None for void), its pixels, their share, and in how many masks it occurs."""

    value: int
    shown: str
    name: str | None
    pixels: int
    share: float
    images: int


@dataclass(frozen=True, eq=False)
class Audit:
    """What the audit found.

    Attributes:
        dataset: under the proposed or settled label set.
        good: the samples that can be used.
        reasons: why the map is not settled; empty where it is.
        rows: the stored values.
        problems: all that is wrong, item by item.
        sizes: how many images have which (height, width).
    """

    dataset: Dataset
    good: Dataset
    reasons: tuple[Reason, ...]
    rows: tuple[ValueRow, ...]
    problems: tuple[Problem, ...]
    sizes: Mapping[Size, int] = field(default_factory=dict)

    @property
    def labels(self) -> LabelSet:
        """The label set, settled or proposed."""
        return self.dataset.labels

    @property
    def settled(self) -> bool:
        """Tell whether the value -> class map is settled."""
        return not self.reasons

    @property
    def clean(self) -> bool:
        """Tell whether the map is settled and nothing is wrong."""
        return self.settled and not self.problems

    def message(self) -> str:
        """Say why the map is not settled, and which option settles it."""
        return " ".join(f"{_sentence(reason.text)} Settle it with {reason.flag}." for reason in self.reasons)

    def require_settled(self) -> "Audit":
        """Give the audit itself, if the map is settled.

        Raises:
            UnsettledLabels: it is not; the message names the option that settles it.
        """
        if self.reasons:
            raise UnsettledLabels(f"{self.dataset.name}: which class each mask value means is not settled. {self.message()}")
        return self

    def require_good(self) -> Dataset:
        """Give the usable samples, if there are any.

        Raises:
            DataError: there is none; the message has the first problems.
        """
        if not len(self.good):
            first = "; ".join(problem.text for problem in self.problems[:3])
            raise DataError(f"{self.dataset.name}: none of {len(self.dataset)} images with masks can be used: {first}")
        return self.good

    def to_json(self) -> dict[str, Any]:
        """Write as plain JSON values."""
        return {
            "name": self.dataset.name,
            "images": len(self.dataset),
            "usable": len(self.good),
            "settled": self.settled,
            "clean": self.clean,
            "reasons": [{"text": reason.text, "flag": reason.flag} for reason in self.reasons],
            "values": [
                {
                    "value": row.value,
                    "shown": row.shown,
                    "class": row.name,
                    "void": row.name is None,
                    "pixels": row.pixels,
                    "share": row.share,
                    "images": row.images,
                }
                for row in self.rows
            ],
            "labels": self.labels.to_json(),
            "splits": {name: len(rows) for name, rows in self.dataset.splits.items()},
            "sizes": [{"height": size[0], "width": size[1], "images": count} for size, count in self.sizes.items()],
            "problems": [{"kind": one.kind, "file": one.file, "text": one.text, "fatal": one.fatal} for one in self.problems],
        }


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:] + ("" if text.endswith(".") else ".")


def check(
    data: Dataset | str | Path,
    *,
    void: str | int | None = None,
    classes: str | Path | None = None,
    labels: LabelSet | None = None,
    format: str | None = None,
    progress: Progress | None = None,
) -> Audit:
    """Audit a data set, given as such or as a path.

    ``void``, ``classes``, ``labels`` and ``format`` are as for ``formats.read``. Nothing is raised for a bad item: it becomes
    a ``Problem``, and ``Audit.good`` goes on without it.

    Raises:
        MissingFile, UnknownLayout: there is no data set at the path.
        OptionError: ``void`` or ``classes`` does not fit.
    """
    if not isinstance(data, Dataset):
        data = read(data, format=format, labels=labels)
    elif labels is not None:
        data = data.under(labels)
    scan = _scan(data, progress)
    proposal = _proposal(data, scan, labels, None if void is None else str(void), classes)
    dataset = data.under(proposal.labels) if proposal.labels != data.labels else data
    images = _read_images(dataset, progress)
    problems = [*_noted(dataset), *_split_twice(dataset)]
    bad: set[int] = set()
    for row, sample in enumerate(dataset):
        found = _problems_of(sample, images[row], scan, proposal)
        problems += found
        if any(problem.fatal for problem in found):
            bad.add(row)
    good = dataset.take([row for row in range(len(dataset)) if row not in bad])
    sizes = Counter(size for size in images if isinstance(size, tuple))
    return Audit(dataset, good, proposal.reasons, _rows(scan, proposal.labels), tuple(problems), dict(sizes.most_common()))


def _scan(dataset: Dataset, progress: Progress | None) -> Scan:
    """Count the masks: from files where the truth is in files, else from the class maps in memory."""
    found = masks.scan(dataset, None if progress is None else lambda done, of: progress("masks", done, of))
    if found is not None:
        return found
    records: dict[Path, MaskRecord] = {}
    failures: dict[Path, str] = {}
    for sample in dataset:
        for index, stored in enumerate(_raw(sample, failures)):
            records[Path(sample.name) / str(index)] = measure(np.asarray(stored), dataset.labels.encoding == "rgb")
    return combine(records, failures)


def _raw(sample: Sample, failures: dict[Path, str]) -> Sequence[Any]:
    try:
        return sample.raw()
    except PixelwiseError as error:
        failures[Path(sample.name)] = str(error)
        return []


def _proposal(dataset: Dataset, scan: Scan, labels: LabelSet | None, void: str | None, classes: str | Path | None) -> Proposal:
    if void is not None or classes is not None:
        if labels is not None:
            raise OptionError("labels are given, so void and classes cannot be; leave one of them out")
        return settle(scan, void, classes)
    if labels is not None or dataset.labels.settled:
        return Proposal(dataset.labels)
    if not isinstance(_source(dataset), MaskFile):
        return Proposal(dataset.labels, (Reason("the data set says so itself", "labels.with_values(…, settled=True)"),))
    return propose(scan)


def _source(dataset: Dataset) -> object:
    return dataset[0].truth_source if len(dataset) else None


def _rows(scan: Scan, labels: LabelSet) -> tuple[ValueRow, ...]:
    total = max(scan.pixels, 1)
    return tuple(
        ValueRow(
            use.value, labels.describe(use.value), _class_name(labels, use.value), use.pixels, use.pixels / total, use.images
        )
        for use in scan.uses
    )


def _class_name(labels: LabelSet, value: int) -> str | None:
    index = labels.values.get(value, VOID)
    return None if index == VOID else labels.names[index]


def _read_images(dataset: Dataset, progress: Progress | None) -> list[Size | str]:
    """Decode every image: its size, or what is wrong with it; a header alone does not show that a file is cut short."""
    root = source.root if isinstance(source := _source(dataset), MaskFile) else Path(dataset.name)
    cache = Cache("images", root)
    with ThreadPoolExecutor(min(8, os.cpu_count() or 1)) as pool:  # decoding releases the interpreter lock
        found: list[Size | str] = []
        for result in pool.map(lambda sample: _read_one(sample, cache), dataset):
            found.append(result)
            if progress is not None:
                progress("images", len(found), len(dataset))
    cache.save()
    return found


def _read_one(sample: Sample, cache: Cache) -> Size | str:
    path = sample.pixels.path if isinstance(sample.pixels, ImageFile) else None
    kept = None if path is None else cache.get(path)
    if isinstance(kept, list) and len(kept) == 2 and all(isinstance(side, int) for side in kept):
        return kept[0], kept[1]
    try:
        size = sample.pixels.read().size
    except (DataError, MissingFile) as error:
        return str(error)
    except OSError as error:
        return f"{path or sample.name}: the image cannot be read: {error.strerror or error}; check its permissions"
    if path is not None:
        cache.put(path, list(size))
    return size


def _problems_of(sample: Sample, size: Size | str, scan: Scan, proposal: Proposal) -> list[Problem]:
    image = str(sample.source.image or sample.name)
    found = []
    if isinstance(size, str):
        found.append(Problem("image", image, size, fatal=True))
    elif min(size) < 2:
        text = f"{image}: the image is {size[0]} x {size[1]} (height x width), too thin to learn from; it is left out"
        found.append(Problem("tiny", image, text, fatal=True))
    source = sample.truth_source
    if isinstance(source, MaskFile):
        found += _mask_problems(source, size, scan, proposal)
    elif Path(sample.name) in scan.failures:
        found.append(Problem("mask", image, scan.failures[Path(sample.name)], fatal=True))
    return found


def _mask_problems(source: MaskFile, size: Size | str, scan: Scan, proposal: Proposal) -> list[Problem]:
    mask = str(source.path)
    if source.path in scan.failures:
        return [Problem("mask", mask, scan.failures[source.path], fatal=True)]
    record = scan.records[source.path]
    found = []
    if isinstance(size, tuple) and record.size != size:
        found.append(Problem("size", mask, mismatch(source.path, source.image, record.size, size), fatal=True))
    labels = proposal.labels
    if labels.encoding != scan.encoding:
        text = f"{mask}: the masks are coded by {scan.encoding}, but the label set maps {labels.encoding} values"
        return [*found, Problem("values", mask, text, fatal=True)]
    held = dict(zip(values_of(record, labels.encoding), record.pixels, strict=True))
    if strange := [value for value in held if value not in labels.values]:
        shown = ", ".join(labels.describe(value) for value in strange[:5]) + (" …" if len(strange) > 5 else "")
        text = (
            f"{mask}: value {shown} ({sum(held[value] for value in strange):,} pixels) is outside the label set "
            f"({', '.join(labels.describe(value) for value in list(labels.values)[:12])}); name it with --classes or --void"
        )
        found.append(Problem("values", mask, text, fatal=True))
    if record.dropped:
        text = f"{mask}: it holds more than a thousand values; is it a photograph?"
        found.append(Problem("values", mask, text, fatal=any(value not in labels.values for value in held)))
    elif all(labels.values.get(value, 0) == VOID for value in held) and proposal.settled:
        found.append(Problem("one value", mask, f"{mask}: every pixel is void, so nothing can be learnt from it", fatal=True))
    elif len(held) == 1 and record.pixels[0] > max(record.size):  # a line of pixels is too thin anyway
        value = next(iter(held))
        text = f"{mask}: the mask holds one value, {labels.describe(value)}, everywhere; look whether that is meant"
        found.append(Problem("one value", mask, text))
    return found


def _noted(dataset: Dataset) -> Iterable[Problem]:
    """Turn what reading noticed into problems."""
    source = _source(dataset)
    prefix = f"{source.root}/" if isinstance(source, MaskFile) else ""
    for note in dataset.notes:
        file = prefix + note.partition(": ")[0]
        kind: Fault = "name" if "has the stem of" in note else "split" if "entries name no pair" in note else "partner"
        yield Problem(kind, file, prefix + note)


def _split_twice(dataset: Dataset) -> Iterable[Problem]:
    """Find samples in two splits: a model would be scored on what it was trained on."""
    owners: dict[int, list[str]] = {}
    for name, rows in dataset.splits.items():
        for row in rows:
            owners.setdefault(row, []).append(name)
    for row, names in owners.items():
        if len(names) > 1 and not {"trainval", "all"} & set(names):
            file = str(dataset[row].source.image or dataset[row].name)
            yield Problem("split", file, f"{file}: it is in the splits {' and '.join(names)}; keep it in one")
