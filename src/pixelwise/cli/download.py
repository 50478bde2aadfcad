"""``pixelwise data download``: fetch a public data set."""

import sys
import time
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pixelwise.cli.options import JsonOption
from pixelwise.cli.terminal import RESUMES, console, print_json, print_table, say, say_interrupted

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress, TaskID

    from pixelwise.curate.download import Downloaded
    from pixelwise.curate.sources import Archive, PublicSet

_MB = 1e6

NameArgument = Annotated[str | None, typer.Argument(help="Name of the set; --list shows all.", metavar="SET")]
ListOption = Annotated[bool, typer.Option("--list", help="Show the sets, their parts, sizes and terms; fetch nothing.")]
OutOption = Annotated[Path | None, typer.Option("--out", metavar="DIR", help="Folder to make; data/SET if not given.")]
PartsOption = Annotated[str | None, typer.Option("--parts", metavar="A,B", help="Fetch these parts alone, as val,annotations.")]
KeepOption = Annotated[bool, typer.Option("--keep-archives", help="Leave the archives in DIR/archives.")]


def download_data(
    name: NameArgument = None,
    show: ListOption = False,
    out: OutOption = None,
    parts: PartsOption = None,
    keep: KeepOption = False,
    as_json: JsonOption = False,
) -> int:
    """Fetch a public data set from its own server; see its terms first, they are printed.

    A transfer that breaks off goes on by itself; a command that was stopped, by whatever, goes on when it is given again. Every
    file is checked, unpacked safely, and listed in DIR/.download.json.
    """
    from pixelwise.core.errors import OptionError
    from pixelwise.curate.download import download
    from pixelwise.curate.sources import SETS, find_set

    if show:
        _print_sets(SETS, as_json)
        return 0
    if name is None:
        raise OptionError(f"say which set to fetch: {', '.join(SETS)}; --list tells more of them")
    wanted = find_set(name)
    chosen = tuple(part.strip() for part in parts.split(",") if part.strip()) if parts else ()
    _announce(name, wanted, wanted.chosen(chosen), as_json)
    with Transfers() as progress:
        done = download(wanted, out or Path("data") / name, chosen, keep=keep, progress=progress)
    if as_json:
        print_json(done.to_json())
    else:
        _print_done(console(), done)
    return 0


class Transfers:
    """Show progress on standard error: bars on a terminal, elsewhere a plain line every ten seconds."""

    def __init__(self) -> None:
        self._open = ExitStack()
        self._told = time.monotonic()
        self._bar: Progress | None = None
        self._task: TaskID | None = None
        self._what = ""
        self._begun = (0.0, 0)  # when, and at how many

    def __enter__(self) -> "Transfers":
        if sys.stderr.isatty():
            from rich.console import Console
            from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

            shown = (TextColumn("{task.description}"), BarColumn(), TimeRemainingColumn())
            self._bar = self._open.enter_context(Progress(*shown, console=Console(stderr=True), transient=True))
        return self

    def __call__(self, what: str, done: int, of: int) -> None:
        """Take note: bytes of a transfer or a check, files of an unpacking."""
        now = time.monotonic()
        if what != self._what:
            self._what, self._begun = what, (now, done)
            if self._bar is not None:
                if self._task is not None:
                    self._bar.remove_task(self._task)
                self._task = self._bar.add_task(what)
        if now - self._told < (10 if self._bar is None else 0.1):
            return
        self._told = now
        text = f"{what}: {self._amount(now, done, of)}"
        if self._bar is None or self._task is None:
            print(text, file=sys.stderr, flush=True)
        else:
            self._bar.update(self._task, description=text, completed=done, total=of or None)

    def _amount(self, now: float, done: int, of: int) -> str:
        if self._what.startswith("unpacking"):
            return f"{done:,} files"
        since, first = self._begun
        speed = f", {(done - first) / _MB / (now - since):,.1f} MB/s" if now - since > 1 else ""
        return f"{done / _MB:,.0f}" + (f" of {of / _MB:,.0f}" if of else "") + f" MB{speed}"

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self._open.close()
        say_interrupted(kind, RESUMES)


def _size(archive: "Archive") -> str:
    if not archive.about:
        return "?"
    about = "" if archive.size else "about "
    return f"{about}{archive.about / _MB:,.1f} MB" if archive.about < 1e9 else f"{about}{archive.about / 1e9:,.1f} GB"


def _print_sets(sets: "dict[str, PublicSet]", as_json: bool) -> None:
    if as_json:
        rows = {
            name: {
                "title": one.title,
                "terms": one.terms,
                "page": one.page,
                "parts": {part: [a.address for a in one.archives if a.part == part] for part in one.parts},
                "bytes": sum(archive.about for archive in one.archives),
            }
            for name, one in sets.items()
        }
        print_json(rows)
        return
    terminal = console()
    for name, one in sets.items():
        terminal.print(name, style="bold", markup=False)
        for line in (one.title, f"terms: {one.terms}", f"page:  {one.page}"):
            say(terminal, f"  {line}")
        say(terminal, f"  parts: {', '.join(_told(one, part) for part in one.parts)}")


def _told(wanted: "PublicSet", part: str) -> str:
    archives = wanted.chosen([part])
    sizes = " + ".join(_size(one) for one in archives)
    return f"{part} ({sizes}{'' if all(one.wanted for one in archives) else '; only if named'})"


def _announce(name: str, wanted: "PublicSet", archives: "tuple[Archive, ...]", as_json: bool) -> None:
    """Print what will be fetched, and under which terms, before anything is."""
    from rich.console import Console

    terminal = Console(stderr=True, highlight=False) if as_json else console()
    say(terminal, f"{name}: {wanted.title}")
    say(terminal, f"terms    {wanted.terms}")
    say(terminal, f"page     {wanted.page}")
    for archive in archives:
        checked = archive.checksum.partition(":")[0] or "no checksum is published"
        say(terminal, f"fetch    {archive.address} ({_size(archive)}; {checked})")


def _print_done(terminal: "Console", done: "Downloaded") -> None:
    rows: list[tuple[str, ...]] = [
        (one.name, f"{one.bytes / _MB:,.1f} MB", f"{one.unpacked.files:,}", how)
        for how, group in (("fetched", done.fetched), ("was there", done.already))
        for one in group
    ]
    print_table(terminal, ("", "archive", "files", "found"), rows)
    for one in done.fetched:
        say(terminal, f"checked  {one.name}: {one.checked}; sha256:{one.sha256}")
    say(terminal, f"look at it: pixelwise data info {done.folder}")
