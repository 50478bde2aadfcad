"""Write a cleaned copy of a data set to a new place, and list what that could not mend.

Left out: what cannot be used, and of the copies of one image all but one (which is held out if one of them is, so that what
scores are measured on stays as it was). A sample in two splits stays in the one that is held out. Masks are written as PNG
with class numbers 0, 1, 2 … and their names, instances as COCO. Which of two swapped masks is right, and what a blurred mask
looked like, only a person can say: those stay as they are and are listed. The data itself is never touched.
"""

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pixelwise.core.errors import OptionError, PlaceTaken
from pixelwise.core.sample import Dataset
from pixelwise.curate.audit import Audit
from pixelwise.curate.problem import Problem, splits_of
from pixelwise.formats import coco, masks

_COPIES = ("duplicate", "near duplicate", "leak")
_TRAINS = frozenset({"train", "training"})


@dataclass(frozen=True)
class Mended:
    """What a cleaned copy holds.

    Attributes:
        folder: where it is.
        kept: how many samples were written.
        dropped: sample names, each with why it was left out.
        moved: samples that were in two splits, each with the one they stay in.
        left: problems that are still there.
    """

    folder: Path
    kept: int
    dropped: Mapping[str, str]
    moved: Mapping[str, str]
    left: tuple[Problem, ...]

    def to_json(self) -> dict[str, Any]:
        """Write as plain JSON values."""
        return {
            "folder": str(self.folder),
            "kept": self.kept,
            "dropped": dict(self.dropped),
            "moved": dict(self.moved),
            "left": [problem.to_json() for problem in self.left],
        }


def write_fixed(audit: Audit, out: Path, source: Path | None = None) -> Mended:
    """Write a cleaned copy of what was audited to the folder ``out``, whole or not at all.

    Args:
        audit: of the data set; its value -> class map must be settled.
        out: a new or empty folder, outside the data.
        source: where the data is, so that ``out`` can be refused inside it.

    Raises:
        UnsettledLabels: it is not settled; the message names the option that settles it.
        OptionError: ``out`` is inside the data, or the data inside it.
        StorageError: ``out`` is a file or holds something, or cannot be written.
        DataError: nothing that can be used is left, or neither masks nor COCO can hold the data set.
    """
    out = Path(out)
    audit.require_settled()
    audit.require_good()
    check_place(out, source)
    check_place(out, _folder_of(audit.dataset))  # the path given may have been a file of it, or one of its folders
    dropped = _dropped(audit)
    dataset, moved = _one_split_each(audit.dataset)
    kept = dataset.take([row for row in range(len(dataset)) if row not in dropped])
    (coco if kept.kind == "instance" else masks).write(kept, out)
    left = tuple(problem for problem in audit.problems if not _mended(problem, dropped))
    reasons = {dataset[row].name: why for row, why in sorted(dropped.items())}
    return Mended(out, len(kept), reasons, moved, left)


def check_place(out: Path, source: Path | None) -> None:
    """Refuse a place where a cleaned copy must not go.

    Raises:
        OptionError: it is inside the data, or the data inside it.
        PlaceTaken: it is a file, or a folder that is not empty.
    """
    if source is not None:
        here, data = out.resolve(), source.resolve()
        data = data.parent if data.is_file() else data
        if here == data or data in here.parents or here in data.parents:
            raise OptionError(f"{out}: expected a new place outside the data {source}; the originals are never touched")
    if out.is_file():
        raise PlaceTaken(f"{out}: expected a new folder for the cleaned copy, found a file; choose another --out")
    if out.is_dir() and any(out.iterdir()):
        raise PlaceTaken(f"{out}: the folder is not empty; a cleaned copy is only written to a new one: choose another --out")


def _folder_of(dataset: Dataset) -> Path | None:
    """Give the innermost folder that holds all files of a data set; None where it is in no files."""
    files = (file for sample in dataset for file in (sample.source.image, *sample.source.truths) if file is not None)
    folders = {file.parent for file in files}
    return Path(os.path.commonpath([folder.resolve() for folder in folders])) if folders else None


def _dropped(audit: Audit) -> dict[int, str]:
    """Choose the samples to leave out, each with why: what cannot be used, and of the copies of one image all but one."""
    dropped = {problem.rows[0]: problem.text for problem in audit.problems if problem.fatal and problem.rows}
    copies = [problem for problem in audit.problems if problem.kind in _COPIES]
    reasons = {row: problem.text for problem in reversed(copies) for row in reversed(problem.rows)}  # leaks first
    splits = splits_of(audit.dataset.splits, len(audit.dataset))
    for group in _alike(problem.rows for problem in copies):
        usable = [row for row in sorted(group) if row not in dropped]
        held_out = [row for row in usable if splits[row] - _TRAINS]
        dropped |= {row: reasons[row] for row in usable if row != (held_out or usable)[0]}
    return dropped


def _alike(pairs: Iterable[Sequence[int]]) -> list[set[int]]:
    """Join pairs of copies into groups: a copy of a copy is one too."""
    groups: dict[int, set[int]] = {}
    for pair in pairs:
        joined = set(pair).union(*(groups.get(row, ()) for row in pair))
        groups.update(dict.fromkeys(joined, joined))
    return list({id(group): group for group in groups.values()}.values())


def _one_split_each(dataset: Dataset) -> tuple[Dataset, dict[str, str]]:
    """Take what is in two splits out of the training one, or of the later of two others."""
    owner: dict[int, str] = {}
    for name in sorted(dataset.splits, key=lambda name: name in _TRAINS):
        if name not in ("trainval", "all"):
            for row in dataset.splits[name]:
                owner.setdefault(row, name)
    splits: dict[str, Sequence[int]] = {}
    moved: dict[str, str] = {}
    for name, rows in dataset.splits.items():
        is_union = name in ("trainval", "all")
        splits[name] = [row for row in rows if is_union or owner[row] == name]
        moved |= {dataset[row].name: owner[row] for row in rows if not is_union and owner[row] != name}
    kept = Dataset(dataset.samples, dataset.labels, dataset.kind, splits, dataset.name, dataset.notes)
    return kept, moved


def _mended(problem: Problem, dropped: Mapping[int, str]) -> bool:
    """Tell whether a problem is gone from the copy: its item is left out, or it was about the files' names and lists."""
    if problem.kind in ("split", "partner", "name"):
        return True
    if problem.kind in _COPIES:
        return any(row in dropped for row in problem.rows)
    return bool(problem.rows) and problem.rows[0] in dropped
