"""The audit: what a labelled data set holds, which map from values to classes it proposes, and what is wrong with it.

Training runs the quick part first: every image and mask is read once, in parallel, and what did not change since the last
time is taken from the cache. The full audit also looks for copies that are not the same byte for byte, for smeared masks and
for swapped ones, which needs the pixels again.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from pixelwise.core.errors import OptionError, PixelwiseError
from pixelwise.core.labels import VOID, LabelSet
from pixelwise.core.sample import Dataset, Sample
from pixelwise.curate import compare
from pixelwise.curate.audit import Audit, ValueRow
from pixelwise.curate.items import noted, problems_of, split_twice
from pixelwise.curate.looks import Look, look_at_all
from pixelwise.curate.presence import find_absent, presence
from pixelwise.curate.problem import Fault, Problem, divided
from pixelwise.curate.progress import Progress
from pixelwise.formats import masks, read
from pixelwise.formats.masks import MaskFile
from pixelwise.formats.masks.reasons import Reason
from pixelwise.formats.masks.scan import MaskRecord, Scan, combine, measure, values_of
from pixelwise.formats.masks.settle import settle
from pixelwise.formats.masks.values import Proposal, propose

__all__ = ["Audit", "Fault", "Problem", "Progress", "ValueRow", "check"]


def check(
    data: Dataset | str | Path,
    *,
    void: str | int | None = None,
    classes: str | Path | None = None,
    labels: LabelSet | None = None,
    format: str | None = None,
    progress: Progress | None = None,
    full: bool = True,
) -> Audit:
    """Audit a data set, given as such or as a path.

    ``void``, ``classes``, ``labels`` and ``format`` are as for ``formats.read``. Nothing is raised for a bad item: it becomes
    a ``Problem``, and ``Audit.good`` goes on without it. Without ``full``, near copies, smeared and swapped masks are not
    looked for: that reads a data set once instead of thrice.

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
    root = source.root if isinstance(source := _source(dataset), MaskFile) else Path(dataset.name)
    looks = look_at_all(dataset, root, progress)
    sizes = [one.size if isinstance(one, Look) else one for one in looks]
    by_item = [problems_of(sample, size, scan, proposal) for sample, size in zip(dataset, sizes, strict=True)]
    bad = {row for row, found in enumerate(by_item) if any(problem.fatal for problem in found)}
    problems = [*noted(dataset), *split_twice(dataset)]
    problems += [replace(problem, rows=(row,)) for row, found in enumerate(by_item) for problem in found]
    problems += compare.copies(dataset, looks, scan, progress if full else None, near=full)
    problems += compare.leaks(dataset, looks, progress if full else None, near=full)
    problems += compare.odd_images(dataset, looks)
    if full:
        problems += compare.masks(dataset, scan, bad, root, progress)
    shown = proposal.labels.with_background() if dataset.kind == "instance" else proposal.labels
    if (counts := _counts(dataset, scan)) is not None:
        problems += find_absent(dataset, presence(counts, shown))
    good = dataset.take([row for row in range(len(dataset)) if row not in bad])
    shapes = Counter(size for size in sizes if isinstance(size, tuple))
    rows = _rows(scan, shown)
    wrong, notes = divided(problems)
    return Audit(dataset, good, proposal.reasons, rows, wrong, dict(shapes.most_common()), notes)


def _counts(dataset: Dataset, scan: Scan) -> list[dict[int, int]] | None:
    """Give the pixels of each stored value by sample, instances painted; None where pixels are no classes."""
    if dataset.kind not in ("semantic", "instance"):
        return None
    found: list[dict[int, int]] = []
    for sample in dataset:
        source = sample.truth_source
        record = scan.records.get(source.path if isinstance(source, MaskFile) else Path(sample.name) / "0")
        values = () if record is None else values_of(record, scan.encoding)
        found.append({} if record is None else dict(zip(values, record.pixels, strict=True)))
    return found


def _scan(dataset: Dataset, progress: Progress | None) -> Scan:
    """Count the masks: from files where the truth is in files, else from the class maps in memory."""
    found = masks.scan(dataset, None if progress is None else lambda done, of: progress("masks", done, of))
    if found is not None:
        return found
    records: dict[Path, MaskRecord] = {}
    failures: dict[Path, str] = {}
    for row, sample in enumerate(dataset):
        if progress is not None:
            progress("labels", row, len(dataset))
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
        if len(dataset) and dataset[0].source.encoding == "json":
            raise OptionError(f"{dataset.name}: its labels name their classes themselves, so --void and --classes do not apply")
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
