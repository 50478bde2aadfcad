"""Prepare a data set for training: full truth for every image, in one pass, over several processes.

Photos are linked, never encoded again, unless they are cut or resized. What is wrong with the labels is left out and told, or
stops the work (``Writing.strict``). A preparation that was killed goes on when it is started again with the same source and
options; after a power cut it starts anew, as files that are not on the disk yet may be lost then.
"""

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pixelwise.core.errors import DataError
from pixelwise.core.options import to_table
from pixelwise.core.sample import Dataset, LostLabels
from pixelwise.core.segmentation import PAINTED, Kind
from pixelwise.curate.prepare_classes import classes_for
from pixelwise.curate.prepare_options import PrepareOptions
from pixelwise.curate.prepare_pieces import Pieces
from pixelwise.formats import prepared
from pixelwise.formats.convert import require_apart, require_settled, require_whole, stamp_of
from pixelwise.formats.prepared.write import Preparing
from pixelwise.formats.writing import Writing, Written

_FEW = 200  # images for which a second process takes longer to start than it saves
_BOOT = Path("/proc/sys/kernel/random/boot_id")  # of Linux; another since the last power cut


@dataclass(frozen=True)
class Prepared:
    """What was prepared.

    Attributes:
        folder: where it is.
        name, kind, classes: of what was written.
        read: images of the source.
        notes: what reading the source noticed.
        rule: how objects were painted as classes; empty where there was nothing to decide.
        written: what was written, left out, and wrong.
    """

    folder: Path
    name: str
    kind: Kind
    classes: tuple[str, ...]
    read: int
    notes: tuple[str, ...]
    rule: str
    written: Written

    @property
    def failed(self) -> tuple[str, ...]:
        """Say what was wrong with the source and so was left out."""
        return (*(note for note in self.notes if isinstance(note, LostLabels)), *self.written.failed)

    @property
    def clean(self) -> bool:
        """Tell whether nothing was wrong with the source."""
        return not self.failed

    def to_json(self) -> dict[str, Any]:
        """Write as plain JSON values."""
        return {
            "read": {"name": self.name, "images": self.read, "notes": list(self.notes)},
            "written": {
                "path": str(self.folder),
                "kind": self.kind,
                "classes": list(self.classes),
                "rule": self.rule,
                "images": self.written.images,
                "segments": self.written.segments,
            },
            "left_out": dict(self.written.counts),
            "dropped": list(self.written.dropped),
            "failed": list(self.failed),
        }


def prepare(
    dataset: Dataset,
    out: Path,
    options: PrepareOptions | None = None,
    writing: Writing | None = None,
    sources: Sequence[Path] = (),
) -> Prepared:
    """Write a data set in the format ``prepared``.

    Args:
        dataset: what was read, of any kind.
        out: the folder to make; one that was prepared before is replaced.
        options: what to keep, merge, cut and resize.
        writing: how; by default what is wrong is left out and told. What the result depends on is added to its ``resume``.
        sources: where the data set is, so that ``out`` can be refused in there.

    Raises:
        OptionError: an option does not fit the data, or ``out`` lies in the data.
        UnsettledLabels: what its mask values mean is not settled.
        DataError: there is nothing to prepare, nothing could be, or, with ``strict``, an item is wrong.
        PlaceTaken: the folder holds something else.
        StorageError: it cannot be written.
    """
    out, options, writing = Path(out), options or PrepareOptions(), writing or Writing(strict=False)
    require_apart(out, sources)
    require_settled(dataset)
    require_whole(dataset, writing.strict)
    if not len(dataset):
        raise DataError(f"{dataset.name}: there are no images to prepare")
    classes = classes_for(dataset, options)
    pieces = Pieces(classes, options) if options.changes else None
    about = {"source": [str(one) for one in sources], "options": to_table(options)}
    preparing = Preparing(options.copy, pieces, classes.labels, classes.kind, about)
    stamp = stamp_of(dataset, f"prepare {to_table(options)} {writing.strict} {writing.resume} {_boot()}")
    written = prepared.write(dataset, out, replace(writing, resume=stamp), preparing)
    rule = PAINTED if dataset.kind == "instance" else ""
    return Prepared(out, dataset.name, classes.kind, classes.labels.names, len(dataset), dataset.notes, rule, written)


def workers_for(dataset: Dataset, options: PrepareOptions) -> int:
    """Choose how many processes prepare a data set: one a core, and one alone for a few images that are only linked."""
    if len(dataset) < _FEW and not options.changes_images:
        return 1
    return min(len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1, 16)


def _boot() -> str:
    try:
        return _BOOT.read_text("ascii").strip()
    except OSError:
        return ""
