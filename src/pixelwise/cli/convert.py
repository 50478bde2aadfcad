"""``pixelwise data convert``: write a data set in another format, with a proof of what came through."""

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from pixelwise.cli.options import (
    ClassesOption,
    FormatOption,
    JsonOption,
    ListsOption,
    SourceArgument,
    StrictOption,
    TargetArgument,
    VoidOption,
    WorkersOption,
)
from pixelwise.cli.terminal import (
    INDENT,
    RESUMES,
    Steps,
    console,
    counted,
    named_classes,
    print_json,
    say,
    say_failed,
    say_some,
)

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
_LONGEST = 300  # letters of a sentence that are shown

ToOption = Annotated[str, typer.Option("--to", metavar="FORMAT", help="Format to write; see 'pixelwise list formats'.")]
AsOption = Annotated[
    str | None, typer.Option("--as", metavar="KIND", help="Write as semantic, instance or panoptic; the rule is printed.")
]


def convert_data(
    source: SourceArgument,
    target: TargetArgument,
    to: ToOption,
    as_kind: AsOption = None,
    split: Annotated[str | None, typer.Option(help="Convert this split alone.")] = None,
    lists: ListsOption = None,
    void: VoidOption = None,
    classes: ClassesOption = None,
    format: FormatOption = None,
    strict: StrictOption = False,
    workers: WorkersOption = 1,
    as_json: JsonOption = False,
) -> int:
    """Write a data set in another format, read it again, and say what came through.

    Told are what was read and written, what the format cannot hold, what was wrong with the source, and the round-trip proof:
    worst and mean mask IoU of what is read back. A conversion that was killed goes on when it is started again. Exit code 1 if
    an item was wrong.
    """
    from pixelwise.curate.split_lists import read_with_lists
    from pixelwise.formats import FORMATS, recognise
    from pixelwise.formats.convert import convert, require_apart

    kind = kind_of(as_kind)
    _ = FORMATS[to]  # a wrong name is said before minutes are spent on reading
    require_apart(target, [source])
    with Steps(RESUMES) as steps:
        steps("layout", 0, 1)
        name, dialect = (format, "as it was said to be") if format is not None else _claimed(recognise(source))
        dataset = read_with_lists(source, lists, format=name, void=void, classes=classes, split=split)
        done = convert(dataset, target, to, kind=kind, writing=writing_of(strict, workers, steps))
    if as_json:
        told = done.to_json()
        told["read"] |= {"format": name, "dialect": dialect}
        print_json(told)
    else:
        say(console(), f"format   {name} ({dialect})")
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
    read = f"{counted(done.images, 'image')}, {counted(done.segments, 'segment')}, {named_classes(done.classes)}"
    say(terminal, f"read     {done.name}: {read}")
    say_some(terminal, [note for note in done.notes if note not in done.failed], _SHOWN_NOTES, INDENT, "more notes")
    if done.rule:
        say(terminal, f"as       {done.kind}: {done.rule}")
    written = f"{counted(done.written.images, 'image')}, {counted(done.written.segments, 'segment')}"
    say(terminal, f"written  {done.target} ({done.to}): {written}")
    say(terminal, f"dropped  {len(done.dropped) or 'nothing'}{': what the format cannot hold' if done.dropped else ''}")
    _print_alike(terminal, done.dropped)
    if done.refused:
        say(terminal, f"refused  {counted(len(done.refused), 'image')} that the format cannot hold, left out", "bold red")
        _print_alike(terminal, done.refused)
        for way in done.ways_out:
            say(terminal, f"{INDENT}another way, if {done.to} can hold that: {way}")
    say_failed(terminal, done.failed)
    say(terminal, f"proof    {verdict(done.proof)}", "green" if done.proof.exact else "bold")
    for problem in done.problems:
        say(terminal, f"{INDENT}{problem}", "bold red")


def _print_alike(terminal: "Console", sentences: Sequence[str]) -> None:
    """Print the first sentences of each sort, one line where many say the same, and count the others."""
    for _, group in alike(sentences):
        lines = _joined(group)
        for _, line in lines[:_SHOWN]:
            say(terminal, f"{INDENT}{_cut(line)}")
        if more := sum(count for count, _ in lines[_SHOWN:]):
            say(terminal, f"{INDENT}… and {more:,} more like these (see --json)")


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
    count = f"{counted(proof.segments, 'segment')} of {counted(proof.images, 'image')}"
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
