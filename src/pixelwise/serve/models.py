"""The models a server has, by name and version."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from pixelwise.core.errors import OptionError, nearest
from pixelwise.core.predictor import Predictor
from pixelwise.core.streaming import refuse_following
from pixelwise.export.sessions import SESSIONS
from pixelwise.methods.predictor import Method
from pixelwise.serve.refusal import Refusal

_SUFFIXES = (".toml", ".safetensors", *SESSIONS.rows)
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")  # it stands in addresses and in labels of measurements


@dataclass(frozen=True, eq=False)
class Served:
    """A model with the name and the version by which requests ask for it."""

    name: str
    version: str
    predictor: Predictor

    def __post_init__(self) -> None:
        for what, word in (("name", self.name), ("version", self.version)):
            if not _NAME.fullmatch(word):
                raise OptionError(
                    f"a model's {what} stands in addresses: expected letters, digits, '.', '_' and '-', got {word!r}; "
                    f"give another one, as in NAME=PATH or NAME:VERSION=PATH"
                )
        refuse_following(self.predictor)


class Models(Mapping[str, Mapping[str, Served]]):
    """Models by name, each by version; the first one given is the default, and of a name the last version given.

    Raises:
        OptionError: there is none, or two have one name and version.
    """

    def __init__(self, served: Iterable[Served]) -> None:
        self._by_name: dict[str, dict[str, Served]] = {}
        for one in served:
            versions = self._by_name.setdefault(one.name, {})
            if one.version in versions:
                raise OptionError(
                    f"two models are called '{one.name}' in version '{one.version}'; tell them apart, as in NAME:VERSION=PATH"
                )
            versions[one.version] = one
        if not self._by_name:
            raise OptionError("a server needs a model: a run folder, an exported file or a method's name such as otsu")

    def __getitem__(self, name: str) -> Mapping[str, Served]:
        return self._by_name[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._by_name)

    def __len__(self) -> int:
        return len(self._by_name)

    def all(self) -> list[Served]:
        """List every version of every model, in the order given."""
        return [one for versions in self._by_name.values() for one in versions.values()]

    def named(self, name: str | None = None, version: str | None = None) -> Served:
        """Give a model; the first one, and its last version, where nothing is said.

        Raises:
            Refusal: 404, there is no such name or version; the message has the nearest ones.
        """
        name = next(iter(self._by_name)) if name is None else name
        if name not in self._by_name:
            raise Refusal(404, "unknown_model", f"no model is called '{name[:100]}'; {nearest(name[:100], self._by_name)}")
        versions = self._by_name[name]
        if version is None:
            return next(reversed(versions.values()))
        if version not in versions:
            raise Refusal(
                404, "unknown_version", f"'{name}' has no version '{version[:100]}'; {nearest(version[:100], versions)}"
            )
        return versions[version]


def loaded(sources: Iterable[str], device: str = "auto", precision: str = "auto") -> Models:
    """Load what is to be served.

    Args:
        sources: each what ``pixelwise.load`` takes, with ``NAME=`` or ``NAME:VERSION=`` before it if one likes; a model is else
            called as its file, folder or method is, in version 1.
        device, precision: as ``pixelwise.load`` takes them; methods and servers elsewhere choose for themselves.

    Raises:
        UnknownName, CheckpointError, OptionError: as ``pixelwise.load``; or two have one name.
    """
    from pixelwise.load import load

    found = []
    for source in sources:
        name, version, place = named_source(source)
        predictor = load(place) if place.startswith(("http://", "https://")) else load(place, device, precision)
        found.append(Served(name, version, predictor))
    return Models(found)


def named_source(source: str) -> tuple[str, str, str]:
    """Split what is to be served into its name, its version and its place.

    >>> named_source("streets:2=runs/a"), named_source("runs/camvid unet/"), named_source("otsu")
    (('streets', '2', 'runs/a'), ('camvid_unet', '1', 'runs/camvid unet/'), ('otsu', '1', 'otsu'))

    Raises:
        OptionError: there is no place, or an empty name.
    """
    before, equals, place = source.partition("=")
    if equals and "/" not in before:
        name, colon, version = before.partition(":")
        if not (name and place and (version or not colon)):
            raise OptionError(f"expected a model as PATH, NAME=PATH or NAME:VERSION=PATH, got {source!r}")
        return name, version or "1", place
    path = source.rstrip("/").rpartition("/")[2] if "://" in source else Path(source).resolve().name
    stem = Path(path).stem if Path(path).suffix in _SUFFIXES else path
    return re.sub(r"[^A-Za-z0-9._-]", "_", stem).strip("._-") or "model", "1", source


@runtime_checkable
class OnDevice(Protocol):
    """A predictor that says what it runs on, as ``cpu`` or ``cuda:0``."""

    @property
    def device(self) -> Any:
        """The device; written as text it begins with its kind."""


@runtime_checkable
class Sharing(Protocol):
    """A predictor that can divide the machine's cores among several calls."""

    def share(self, calls: int) -> None:
        """Do so for so many calls at a time."""


def batch_of(predictors: Sequence[Predictor], device: str) -> int:
    """Choose how many images share a call: a CPU is as fast with one, and some runtimes compile anew for each number.

    Args:
        predictors: that are served.
        device: they were loaded for.
    """
    kinds = {str(one.device).partition(":")[0] for one in predictors if isinstance(one, OnDevice)}
    return 8 if (kinds | {device.partition(":")[0]}) - {"cpu", "auto"} else 1


def calls_at_once(predictors: Sequence[Predictor], cores: int) -> int:
    """Choose how many calls of models run at once: methods compute on one core each, networks and runtimes on all.

    Of the latter two run, so that one computes while the other's images are prepared and its masks put together.
    """
    return cores if all(isinstance(one, Method) for one in predictors) else min(cores, 2)
