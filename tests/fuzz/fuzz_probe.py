"""Read a damaged data set in every way there is, and tell what should not have happened.

A reader may give a data set or raise an error of Pixelwise's own. Everything else is a finding: another exception, a sniff that
raises at all, a file opened outside the root, masks of another size than their image, a truth that ``read`` takes and
``salvage`` complains of or the reverse, more time or memory than the bounds.
"""

import os
import resource
import signal
import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any

from fuzz_trees import Tree, put
from fuzz_values import CANARY

from pixelwise.core.errors import PixelwiseError
from pixelwise.core.files import read_json
from pixelwise.core.image import read_ids, read_image, read_size
from pixelwise.core.sample import Dataset, Sample
from pixelwise.formats import FORMATS, recognise
from pixelwise.formats.json_file import Raw, decode, decoded, keys_of
from pixelwise.formats.xml_file import elements, root_tag

SECONDS = 10  # of processor time an input may take, on a slow machine
MOST_GROWTH = 256 * 2**20  # bytes by which one input may raise the peak of memory
MAX_PIXELS = 1_000_000  # set for all readers, so that a picture within the limit stays far below that bound
_MOST_SAMPLES = 6
_MOST_PAINTED = 2
_UNIT = 1 if sys.platform == "darwin" else 1024  # bytes in which the peak of memory is told


@dataclass(frozen=True)
class Finding:
    """What should not have happened, and the line of the package in which it did."""

    what: str
    where: str
    detail: str


class Hang(BaseException):
    """What ends an input that takes too long; no reader may catch it."""


class _Wrong(Exception):
    """A claim of the probe that does not hold."""


def _read_all(format: str, path: Path) -> str:
    """Sniff and read as one format; give "claimed", "read" or "refused"."""
    module = FORMATS[format]
    try:
        claim = module.sniff(path)
    except PixelwiseError as error:
        raise _Wrong(f"sniff raised {type(error).__name__}: {error}") from error
    try:
        data: Dataset = module.read(path)
    except PixelwiseError:
        return "refused"
    for sample in data[:_MOST_SAMPLES]:
        _use(sample)
    _one(lambda: [one.truths for one in data.semantic()[:_MOST_PAINTED]])
    return "read" if claim is None else "claimed"


def _use(sample: Sample) -> None:
    """Ask a sample for all it has."""
    for ask in (sample.raw, lambda: sample.image, lambda: str(sample.meta)):
        try:
            ask()
        except PixelwiseError:
            continue
    if sample.truth_source is not None:
        _use_truth(sample)


def _use_truth(sample: Sample) -> None:
    problems: tuple[str, ...] | None = None
    try:
        size = sample.size
        truths, problems = sample.salvaged()
        for one in truths:
            if one.size != size:
                raise _Wrong(f"a mask of {one.size} for an image of {size}")
            one.class_map() if one.kind != "multilabel" else one.masks.areas()
    except PixelwiseError:
        pass
    try:
        read = sample.truths
    except PixelwiseError:
        if problems == ():
            raise _Wrong("read refuses what salvage has nothing to say about") from None
    else:
        if problems != ():
            raise _Wrong(f"read takes what salvage complains of: {problems}")
        if [len(one) for one in read] != [len(one) for one in truths]:
            raise _Wrong("read and salvage give different segments")


def _recognised(path: Path) -> str:
    try:
        return recognise(path)[0]
    except PixelwiseError:
        return "refused"


def _json(path: Path) -> str:
    keys_of(path)
    for form in (list[Raw], dict[str, Raw], Any):
        try:
            found, _, _ = decoded(path, form)
            for part in found if isinstance(found, list) else found.values() if isinstance(found, dict) else ():
                if isinstance(part, Raw):
                    decode(part, dict[str, Any])
        except PixelwiseError:
            continue
    return _one(lambda: read_json(path))


def _xml(path: Path) -> str:
    root_tag(path)
    return _one(lambda: [None for _ in elements(path, {"object", "image", "annotation", "track"})])


def _picture(path: Path) -> str:
    _one(lambda: read_size(path))
    _one(lambda: read_ids(path))
    return _one(lambda: read_image(path))


def _one(act: Callable[[], object]) -> str:
    try:
        act()
    except PixelwiseError:
        return "refused"
    return "read"


DIRECT: dict[str, Callable[[Path], str]] = {"json": _json, "xml": _xml, "picture": _picture, "recognise": _recognised}


def target(name: str) -> Callable[[Path], str]:
    """Give what reads a path: a format, one of the readers below them, or the choice among all formats."""
    return DIRECT[name] if name in DIRECT else lambda path: _read_all(name, path)


def targets() -> list[str]:
    """Name all that is fuzzed."""
    return [*sorted(FORMATS), *DIRECT]


_opened: list[str] = []


def _watch(event: str, arguments: tuple[Any, ...]) -> None:
    if event == "open" and isinstance(arguments[0], str | bytes | os.PathLike):
        path = os.path.realpath(os.fsdecode(arguments[0]))  # through links
        if CANARY in path:
            _opened.append(path)


@contextmanager
def watched() -> Iterator[None]:
    """Watch which files are opened, and stop what takes too long; once a process, as a watch cannot be taken back."""
    os.environ["PIXELWISE_MAX_PIXELS"] = str(MAX_PIXELS)
    sys.addaudithook(_watch)
    before = signal.signal(signal.SIGPROF, _stop)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)


def _stop(number: int, frame: FrameType | None) -> None:
    raise Hang


def probe(name: str, tree: Tree, root: Path) -> tuple[str, Finding | None]:
    """Put a tree at ``root``, beside which the canaries stand, and read it; give the outcome and what is wrong with it."""
    for suffix in ("png", "json", "xml"):
        canary = root.parent / f"{CANARY}.{suffix}"
        if not canary.exists():
            canary.write_bytes(b"outside")
    path = put(tree, root)
    _opened.clear()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    signal.setitimer(signal.ITIMER_PROF, SECONDS)
    try:
        outcome = target(name)(path)
    except Hang:
        return "finding", Finding(f"takes more than {SECONDS} s", _place(sys.exc_info()[1]), traceback.format_exc())
    except BaseException as error:  # whatever it is: that it gets here is the finding
        if isinstance(error, KeyboardInterrupt):
            raise
        what = str(error).partition(":")[0] if isinstance(error, _Wrong) else type(error).__name__
        return "finding", Finding(what, _place(error), traceback.format_exc())
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
    if _opened:
        return "finding", Finding("opens a file outside the root", _opened[0], "")
    growth = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - peak) * _UNIT
    if growth > MOST_GROWTH:
        return "finding", Finding("takes too much memory", name, f"{growth / 2**20:.0f} MiB")
    return outcome, None


def _place(error: BaseException | None) -> str:
    """Give file and line of the innermost frame in the package."""
    if error is not None and isinstance(error, _Wrong) and error.__cause__ is not None:
        error = error.__cause__
    frames = traceback.extract_tb(error.__traceback__ if error is not None else None)
    inner = [one for one in frames if "pixelwise" in Path(one.filename).parts] or frames[-1:]
    return f"{Path(inner[-1].filename).name}:{inner[-1].lineno}" if inner else "?"
