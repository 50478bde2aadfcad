"""Write a data set in another format, and prove what came through by reading it again.

Nothing is lost in silence: what the writer could not hold, what was wrong with the source, and how each mask comes back are
told together. A conversion that was killed goes on where it stopped when it is started again with the same source and options.
"""

import contextlib
import hashlib
import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pixelwise.core.errors import DataError, MissingFile, OptionError, PixelwiseError, UnsettledLabels
from pixelwise.core.sample import Dataset, LostLabels
from pixelwise.core.segmentation import Kind
from pixelwise.formats import FORMATS, masks, recognise
from pixelwise.formats.convert.kind import RULES, as_kind, kinds_for
from pixelwise.formats.masks.values import propose
from pixelwise.formats.proof import Proof, prove
from pixelwise.formats.writing import Progress, Writing, Written

LOSS = "would be lost"  # a writer that cannot hold a kind of data set says so with these words
READ_ALONE = "cannot be written"  # and one of a format that nobody writes with these


@dataclass(frozen=True)
class Conversion:
    """What a conversion read, wrote and kept.

    Attributes:
        name: of the data set.
        target, to: the folder that was written, and its format.
        kind: of what was written.
        rule: by which the kind was changed; empty where it was not.
        images, segments: that were read, without those that were wrong.
        classes: the names of theirs.
        notes: what reading noticed.
        written: by the format's writer.
        proof: of what is there now.
    """

    name: str
    target: Path
    to: str
    kind: Kind
    rule: str
    images: int
    segments: int
    classes: tuple[str, ...]
    notes: tuple[str, ...]
    written: Written
    proof: Proof

    @property
    def dropped(self) -> tuple[str, ...]:
        """Say what the format cannot hold: of the truths as its writer says it, of the images as the proof finds it."""
        bare = (f"{self.to}: {_images(count)} without labels {what}" for what, count in self.proof.bare.items())
        keys = ", ".join(f"{key} ({_images(count)})" for key, count in self.proof.unkept.items())
        return (*self.written.dropped, *bare, *((f"said of the images themselves, and not read back: {keys}",) if keys else ()))

    @property
    def refused(self) -> tuple[str, ...]:
        """Say which images the format cannot hold as a whole, though nothing is wrong with them."""
        return tuple(one for one in self.written.failed if LOSS in one)

    @property
    def failed(self) -> tuple[str, ...]:
        """Say what was wrong with the source and so was left out."""
        lost = (note for note in self.notes if isinstance(note, LostLabels))
        return (*lost, *(one for one in self.written.failed if LOSS not in one))

    @property
    def ways_out(self) -> tuple[str, ...]:
        """Say as which other kinds the data set could be written, if images were refused."""
        return tuple(f"--as {kind} ({RULES[self.kind, kind]})" for kind in kinds_for(self.kind)) if self.refused else ()

    @property
    def problems(self) -> tuple[str, ...]:
        """Say what went wrong with what was written, beyond what was wrong with the source."""
        silent = self.proof.lost and not self.written.dropped and not self.written.failed and not self.proof.problems
        loss = (
            (f"{self.proof.lost} segments are not read back, and the writer of {self.to} does not say why",) if silent else ()
        )
        return (*self.proof.problems, *loss)

    @property
    def clean(self) -> bool:
        """Tell whether nothing was wrong: what a format is known not to hold is not."""
        return not self.failed and not self.refused and not self.problems

    def to_json(self) -> dict[str, Any]:
        """Write as plain JSON values."""
        return {
            "read": {
                "name": self.name,
                "images": self.images,
                "segments": self.segments,
                "classes": list(self.classes),
                "notes": list(self.notes),
            },
            "written": {
                "path": str(self.target),
                "format": self.to,
                "kind": self.kind,
                "rule": self.rule,
                "images": self.written.images,
                "segments": self.written.segments,
            },
            "dropped": list(self.dropped),
            "refused": list(self.refused),
            "failed": list(self.failed),
            "problems": list(self.problems),
            "proof": self.proof.to_json(),
        }


def _images(count: int) -> str:
    return f"{count:,} image{'s' * (count != 1)}"


def convert(
    dataset: Dataset,
    target: Path,
    to: str,
    *,
    kind: Kind | None = None,
    writing: Writing | None = None,
    sources: Sequence[Path] | None = None,
) -> Conversion:
    """Write a data set in the format ``to``, read it again, and compare.

    Args:
        dataset: what was read.
        target: the folder to make; one that Pixelwise wrote is replaced.
        to: the format's name.
        kind: read the data set as this kind first, by the rule in ``convert.kind.RULES``.
        writing: how; by default what is wrong is left out and told. What the result depends on is added to its ``resume``.
        sources: where the data is, so that ``target`` can be refused in there; by default the folder that holds all its files.

    Raises:
        UnknownName: no format is called ``to``.
        OptionError: ``target`` lies in the data or holds it, or ``to`` takes no data sets, or none of this kind.
        UnsettledLabels: what its mask values mean is not settled.
        DataError: there is nothing to write, or, with ``strict``, an item is wrong.
        StorageError: the folder holds something else, or cannot be written.
    """
    target, writing = Path(target), writing or Writing(strict=False)
    module = FORMATS[to]
    require_apart(target, folder_of(dataset) if sources is None else sources)
    require_settled(dataset)
    require_whole(dataset, writing.strict)
    if not len(dataset):
        raise DataError(f"{dataset.name}: there are no images to write")
    turned = dataset if kind is None else as_kind(dataset, kind)
    rule = "" if turned.kind == dataset.kind else RULES[dataset.kind, turned.kind]
    stamp = stamp_of(turned, f"{writing.resume} {to} {turned.kind} {writing.strict}")
    written = _write(module, turned, target, to, replace(writing, resume=stamp))
    proof = _prove(module, turned, target, to, written, writing.progress)
    segments = _count(dataset) if rule else proof.segments
    return Conversion(
        dataset.name, target, to, turned.kind, rule, len(dataset), segments, dataset.labels.names, dataset.notes, written, proof
    )


def _write(module: Any, dataset: Dataset, target: Path, to: str, writing: Writing) -> Written:
    """Write; where the kind is refused before anything is written, say which others there are."""
    begun = False

    def progress(what: str, done: int, of: int) -> None:
        nonlocal begun
        begun = True
        writing.progress(what, done, of)

    try:
        written: Written = module.write(dataset, target, replace(writing, progress=progress))
    except DataError as error:
        if not begun and READ_ALONE in str(error):
            raise OptionError(str(error)) from None
        others = [kind for kind in kinds_for(dataset.kind) if kind != dataset.kind]
        if begun or LOSS not in str(error) or not others:
            raise
        ways = "; ".join(f"--as {kind} ({RULES[dataset.kind, kind]})" for kind in others)
        raise OptionError(f"{error}. To write it to {to} all the same, say as what, if {to} can hold that: {ways}") from None
    except UnicodeEncodeError:
        raise DataError(f"{dataset.name}: a file has a name that is not UTF-8, which {to} cannot hold; rename it") from None
    once = tuple(dict.fromkeys(written.dropped))  # a writer may read a truth more than once
    return replace(written, dropped=once, failed=tuple(dict.fromkeys(written.failed)))


def _prove(module: Any, dataset: Dataset, target: Path, to: str, written: Written, progress: Progress) -> Proof:
    strange = ""
    try:
        back: Dataset = module.read(target)
        if (claimed := recognise(target)[0]) != to:
            strange = f"{target}: it was written as {to}, but is recognised as {claimed}"
    except PixelwiseError as error:
        back, strange = Dataset([], dataset.labels, dataset.kind), str(error)
    proof = prove(dataset, back, progress, left_out=len(dataset) - written.images)
    return replace(proof, exact=False, problems=(strange, *proof.problems)) if strange else proof


def _count(dataset: Dataset) -> int:
    """Count the segments that can be read."""
    count = 0
    for sample in dataset:
        with contextlib.suppress(DataError, MissingFile):
            count += sum(len(one) for one in sample.salvaged()[0])
    return count


def require_settled(dataset: Dataset) -> None:
    """Check that it is known which class each value of the masks means.

    Raises:
        UnsettledLabels: it is not; the message names the option that settles it.
    """
    if dataset.labels.settled:
        return
    scan = masks.scan(dataset)
    reasons = () if scan is None else propose(scan).reasons
    told = " ".join(f"{one.text[:1].upper()}{one.text[1:]}. Settle it with {one.flag}." for one in reasons)
    raise UnsettledLabels(f"{dataset.name}: which class each mask value means is not settled. {told}".rstrip())


def require_whole(dataset: Dataset, strict: bool) -> None:
    """Check, where a writing is ``strict``, that no labels were left out for want of their images.

    Raises:
        DataError: some were.
    """
    if strict and dataset.lost:
        more = f"; and {len(dataset.lost) - 1} more like this" if len(dataset.lost) > 1 else ""
        raise DataError(f"{dataset.lost[0]}{more}")


def require_apart(target: Path, sources: Sequence[Path]) -> None:
    """Refuse to write into the data, or over it.

    Raises:
        OptionError: ``target`` lies in one of ``sources``, or holds it.
    """
    here = target.resolve()
    for source in sources:
        data = source.resolve()
        data = data.parent if data.is_file() else data
        if here == data or data in here.parents or here in data.parents:
            raise OptionError(f"{target}: expected a new place outside the data {source}; the originals are never changed")


def folder_of(dataset: Dataset) -> list[Path]:
    """Give the innermost folder that holds all files of a data set; none where it is in no files."""
    folders = {file.parent for sample in dataset for file in (sample.source.image, *sample.source.truths) if file is not None}
    return [Path(os.path.commonpath([folder.resolve() for folder in folders]))] if folders else []


def stamp_of(dataset: Dataset, words: str) -> str:
    """Sum up all that a conversion depends on: options, labels, splits, what is known of images, every file's size and time.

    Empty where an image or a truth is in no file: nobody can tell whether that is still the same.
    """
    sum_ = hashlib.sha256()
    told = {"words": words, "kind": dataset.kind, "name": dataset.name, "labels": dataset.labels.to_json()}
    sum_.update(json.dumps({**told, "splits": dataset.splits}, sort_keys=True).encode())
    seen: dict[Path, str] = {}
    for sample in dataset:
        files = [file for file in (sample.source.image, *sample.source.truths) if file is not None]
        if sample.source.image is None or (sample.truth_source is not None and len(files) < 2):
            return ""
        for file in files:
            if file not in seen:
                seen[file] = _state(file)
        lines: Iterator[str] = (seen[file] for file in files)
        known = json.dumps(dict(sample.meta), default=str, skipkeys=True)  # captions come from files of their own
        sum_.update("\n".join((sample.name, *lines, known, "")).encode("utf-8", "surrogatepass"))
    return sum_.hexdigest()


def _state(file: Path) -> str:
    try:
        state = file.stat()
    except OSError:
        return f"{file} gone"
    return f"{os.path.abspath(file)} {state.st_size} {state.st_mtime_ns}"
