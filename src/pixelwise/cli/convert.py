"""``pixelwise data convert``: write a data set in another format, with a proof of what came through."""

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pixelwise.cli.terminal import Steps, console

if TYPE_CHECKING:
    from rich.console import Console

    from pixelwise.core.segmentation import Kind
    from pixelwise.formats import Claim
    from pixelwise.formats.convert import Conversion
    from pixelwise.formats.proof import Proof
    from pixelwise.formats.writing import Writing

_KINDS = ("semantic", "instance", "panoptic")
_SHOWN_NOTES = 5
_SHOWN = 3  # sentences of one sort
_SHOWN_FAILED = 20
_LONGEST = 300  # letters of a sentence that are shown

ToOption = Annotated[str, typer.Option("--to", metavar="FORMAT", help="Format to write; see 'pixelwise list formats'.")]
AsOption = Annotated[
    str | None, typer.Option("--as", metavar="KIND", help="Write as semantic, instance or panoptic; the rule is printed.")
]
StrictOption = Annotated[bool, typer.Option("--strict", help="Stop at the first item that is wrong, and write nothing.")]
WorkersOption = Annotated[int, typer.Option("--workers", min=1, help="Processes that write; the result is the same.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON on standard output, and nothing else there.")]


def convert_data(
    source: Annotated[Path, typer.Argument(help="The data set: a folder, or its label file.", metavar="SRC")],
    target: Annotated[Path, typer.Argument(help="Folder to make, outside the data.", metavar="DST")],
    to: ToOption,
    as_kind: AsOption = None,
    split: Annotated[str | None, typer.Option(help="Convert this split alone.")] = None,
    void: Annotated[str | None, typer.Option(metavar="VALUES", help="Mask values that mean 'not labelled'.")] = None,
    classes: Annotated[str | None, typer.Option(metavar="NAMES", help="Class names, as for 'data check'.")] = None,
    format: Annotated[str | None, typer.Option(metavar="NAME", help="Format of SRC; found out if not given.")] = None,
    strict: StrictOption = False,
    workers: WorkersOption = 1,
    as_json: JsonOption = False,
) -> int:
    """Write a data set in another format, read it again, and say what came through.

    Told are what was read and written, what the format cannot hold, what was wrong with the source, and the round-trip proof:
    worst and mean mask IoU of what is read back. A conversion that was killed goes on when it is started again. Exit code 1 if
    an item was wrong.
    """
    from pixelwise.formats import FORMATS, read, recognise
    from pixelwise.formats.convert import convert, require_apart

    kind = kind_of(as_kind)
    _ = FORMATS[to]  # a wrong name is said before minutes are spent on reading
    require_apart(target, [source])
    with Steps() as steps:
        steps("layout", 0, 1)
        name, dialect = (format, "as it was said to be") if format is not None else _claimed(recognise(source))
        dataset = read(source, format=name, void=void, classes=classes, split=split)
        done = convert(dataset, target, to, kind=kind, writing=writing_of(strict, workers, steps))
    if as_json:
        told = done.to_json()
        told["read"] |= {"format": name, "dialect": dialect}
        print(json.dumps(told, indent=2, ensure_ascii=False, allow_nan=False))
    else:
        console().print(f"format   {name} ({dialect})", soft_wrap=True, markup=False)
        print_conversion(console(), done)
    return 0 if done.clean else 1


def _claimed(found: "tuple[str, Claim]") -> tuple[str, str]:
    return found[0], found[1].dialect


def kind_of(word: str | None) -> "Kind | None":
    """Read the value of ``--as``.

    Raises:
        OptionError: it is no kind that data can be read as.
    """
    from pixelwise.core.errors import OptionError, nearest

    if word is not None and word not in _KINDS:
        raise OptionError(f"--as {word}: {nearest(word, _KINDS)}")
    return word  # type: ignore[return-value]


def writing_of(strict: bool, workers: int, steps: Steps) -> "Writing":
    """Say how to write."""
    from pixelwise.formats.writing import Writing

    return Writing(strict=strict, progress=steps, workers=workers)


def print_conversion(terminal: "Console", done: "Conversion") -> None:
    """Print what was read, written and dropped, what was wrong, and the proof."""

    def say(text: str, style: str | None = None) -> None:
        terminal.print(text, style=style, soft_wrap=True, markup=False)

    say(f"read     {done.name}: {_images(done.images)}, {_segments(done.segments)}, {_classes(done.classes)}")
    notes = [note for note in done.notes if note not in done.failed]
    for note in notes[:_SHOWN_NOTES]:
        say(f"           {note}")
    if len(notes) > _SHOWN_NOTES:
        say(f"           … and {len(notes) - _SHOWN_NOTES} more notes (see --json)")
    if done.rule:
        say(f"as       {done.kind}: {done.rule}")
    written = done.written
    say(f"written  {done.target} ({done.to}): {_images(written.images)}, {_segments(written.segments)}")
    say(f"dropped  {len(done.dropped) or 'nothing'}{': what the format cannot hold' if done.dropped else ''}")
    _print_alike(terminal, done.dropped)
    if done.refused:
        say(f"refused  {_images(len(done.refused))} that the format cannot hold, left out", "bold red")
        _print_alike(terminal, done.refused)
        for way in done.ways_out:
            say(f"           another way, if {done.to} can hold that: {way}")
    if done.failed:
        say(f"failed   {len(done.failed)}: wrong in the source, and left out", "bold red")
        for sentence in done.failed[:_SHOWN_FAILED]:
            say(f"           {sentence}")
        if len(done.failed) > _SHOWN_FAILED:
            say(f"           … and {len(done.failed) - _SHOWN_FAILED} more (see --json)")
    say(f"proof    {verdict(done.proof)}", "green" if done.proof.exact else "bold")
    for problem in done.problems:
        say(f"           {problem}", "bold red")


def _print_alike(terminal: "Console", sentences: Sequence[str]) -> None:
    """Print the first sentences of each sort, one line where many say the same, and count the others."""
    for _, group in alike(sentences):
        lines = _joined(group)
        for _, line in lines[:_SHOWN]:
            terminal.print(f"           {_cut(line)}", soft_wrap=True, markup=False)
        if more := sum(count for count, _ in lines[_SHOWN:]):
            terminal.print(f"           … and {more} more like these (see --json)", markup=False)


def _joined(sentences: Sequence[str]) -> list[tuple[int, str]]:
    """Join sentences that differ before their first colon alone, which is the image; count those of each line.

    >>> _joined(["a: its hole is lost", "b: its hole is lost", "c: too small"])
    [(2, 'a and 1 more: its hole is lost'), (1, 'c: too small')]
    """
    names: dict[str, list[str]] = {}
    for sentence in sentences:
        name, colon, rest = sentence.partition(": ")
        names.setdefault(colon + rest or sentence, []).append(name)
    found = []
    for rest, those in names.items():
        more = f" and {len(those) - 1:,} more" if len(those) > 1 else ""
        found.append((len(those), f"{those[0]}{more}{rest}" if rest != those[0] else f"{rest}{more}"))
    return found


def _cut(sentence: str) -> str:
    return sentence if len(sentence) <= _LONGEST else f"{sentence[: _LONGEST - 1]}…"


def verdict(proof: "Proof") -> str:
    """Sum up a proof in a sentence."""
    count = f"{_segments(proof.segments)} of {_images(proof.images)}"
    if proof.exact:
        return f"exact: {count} read back bit for bit, with their classes, crowd marks, order, splits and images"
    told = [f"worst IoU {_share(proof.worst)}, mean {_share(proof.mean)} over {count}"]
    told += [f"{proof.lost} lost"] * bool(proof.lost) + [f"{proof.added} not in the source"] * bool(proof.added)
    if changed := [claim for claim, holds in proof.kept.items() if not holds]:
        told.append(f"not kept: {', '.join(changed)}")
    return "; ".join(told)


def alike(sentences: Sequence[str]) -> list[tuple[int, list[str]]]:
    """Group sentences that differ in names before the last colon and in numbers alone; the largest group first.

    >>> alike(["a: object 1: its hole is lost", "b: too small", "c: object 7: its hole is lost"])
    [(2, ['a: object 1: its hole is lost', 'c: object 7: its hole is lost']), (1, ['b: too small'])]
    """
    groups: dict[str, list[str]] = {}
    for sentence in sentences:
        parts = re.sub(r"\d[\d,.]*\d|\d", "#", sentence.rpartition(": ")[2]).removesuffix(" and # more likewise").split(", ")
        groups.setdefault(", ".join(dict.fromkeys(parts)), []).append(sentence)  # however often a part is repeated
    return sorted(((len(group), group) for group in groups.values()), key=lambda one: -one[0])


def _share(value: float) -> str:
    """Write an IoU so that what is not 1 never looks like it."""
    text = f"{value:.4f}"
    return "> 0.9999" if text == "1.0000" and value < 1 else text


def _images(count: int) -> str:
    return f"{count:,} image{'s' * (count != 1)}"


def _segments(count: int) -> str:
    return f"{count:,} segment{'s' * (count != 1)}"


def _classes(names: "Sequence[str]") -> str:
    shown = ", ".join(names[:8]) + (" …" if len(names) > 8 else "")
    return f"{len(names)} class{'es' * (len(names) != 1)}{f' ({shown})' if names else ''}"
