"""The errors Pixelwise raises on purpose.

One tree; each leaf also derives from the built-in a caller would expect::

    PixelwiseError
    ├── DataError            (ValueError)           labels or images that cannot be used as they are
    │   ├── UnreadableFile                          truncated, empty, of another type than its name says
    │   ├── TooLarge                                more pixels than the stated limit
    │   ├── UnknownLayout                           no label format claims the folder
    │   ├── SizeMismatch                            an image and its mask differ in height or width
    │   └── UnsettledLabels                         the value -> class map is ambiguous
    ├── OptionError          (ValueError)           an option, key or value that does not exist or fit
    ├── UnknownName          (LookupError)          a model, method, format … that no table holds
    ├── MissingFile          (FileNotFoundError)
    ├── MissingExtra         (ImportError)          an optional package; the message names the extra
    ├── StorageError         (OSError)              no space, no permission
    │   └── PlaceTaken       (FileExistsError)      a place to write to that holds something else
    ├── TransferError        (ConnectionError)      a server that cannot be reached or does not give the file
    ├── CheckpointError      (ValueError)           a model file that is truncated, foreign or unsafe
    ├── ExportError          (RuntimeError)         a model that cannot be exported, or whose export does not do the same
    ├── RunInUse             (FileExistsError)      a run folder that holds another run
    ├── TrainingError        (RuntimeError)         a loss that is not finite, no images to train on
    └── OutOfTime            (TimeoutError)         work that the time limit cut short

A message says where, what was expected, what came and what to do.
"""

from collections.abc import Iterable
from difflib import get_close_matches
from typing import Any


class PixelwiseError(Exception):
    """Stand above every error that Pixelwise raises on purpose."""


class DataError(PixelwiseError, ValueError):
    """Report labels or images that cannot be used as they are."""


class UnreadableFile(DataError):
    """Report a file that is truncated, empty or of another type than its name says."""


class TooLarge(DataError):
    """Report an image with more pixels than the stated limit."""


class UnknownLayout(DataError):
    """Report a path that no label format claims."""


class SizeMismatch(DataError):
    """Report an image and a mask that differ in height or width."""


class UnsettledLabels(DataError):
    """Report a value -> class map that is ambiguous, with the flag that settles it."""


class OptionError(PixelwiseError, ValueError):
    """Report an option, key or value that does not exist or does not fit."""


class UnknownName(PixelwiseError, LookupError):
    """Report a name that a table does not hold."""


class MissingFile(PixelwiseError, FileNotFoundError):
    """Report a path that does not exist."""


class StorageError(PixelwiseError, OSError):
    """Report a file that cannot be written: no space, no permission."""


class PlaceTaken(StorageError, FileExistsError):
    """Report a place to write to that holds something else."""


class TransferError(PixelwiseError, ConnectionError):
    """Report a server that cannot be reached, breaks off, or does not give the file."""


class CheckpointError(PixelwiseError, ValueError):
    """Report a model file that is truncated, foreign or unsafe."""


class ExportError(PixelwiseError, RuntimeError):
    """Report a model that cannot be exported to a target, or an exported one that does not do the same."""


class RunInUse(PixelwiseError, FileExistsError):
    """Report a run folder that holds another run."""


class TrainingError(PixelwiseError, RuntimeError):
    """Report training that cannot go on."""


class OutOfTime(PixelwiseError, TimeoutError):
    """Report work that was stopped because its time was over."""


class MissingExtra(PixelwiseError, ImportError):
    """Report an optional package that is not installed.

    >>> print(MissingExtra("rasterio", extra="geo", purpose="reading GeoTIFF"))
    reading GeoTIFF needs rasterio: pip install 'pixelwise[geo]'
    """

    def __init__(self, package: str, extra: str, purpose: str = "this") -> None:
        super().__init__(f"{purpose} needs {package}: pip install 'pixelwise[{extra}]'")
        self.wanted = (package, extra, purpose)

    def __reduce__(self) -> tuple[Any, ...]:  # an exception is rebuilt from its message, and workers send theirs back
        return type(self), self.wanted


def first_line(error: BaseException) -> str:
    """Give what an error says first, in at most 300 letters: libraries add pages.

    >>> first_line(ValueError("no such size" + chr(10) + "see the manual"))
    'no such size'
    >>> first_line(KeyError())
    'KeyError'
    """
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:300]


def nearest(name: str, known: Iterable[str]) -> str:
    """Name the known words nearest to ``name``, as the tail of an error message.

    >>> nearest("UNett", ["unet", "unetr", "fcn"])
    "did you mean 'unet' or 'unetr'?"
    >>> nearest("zzz", ["unet", "fcn"])
    'known are: fcn, unet'
    """
    words = sorted(known)
    folded = {word.casefold(): word for word in reversed(words)}  # a wrong case alone is the nearest miss of all
    close = [folded[word] for word in get_close_matches(name.casefold(), folded, n=3, cutoff=0.6)]
    if close:
        return f"did you mean {' or '.join(repr(word) for word in close)}?"
    return f"known are: {', '.join(words)}" if words else "there are none"
