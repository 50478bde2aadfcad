"""A method with its options, and with what it learned, in files that hold no code.

``method.toml`` says the method and its options, and what is to be known of them (how they were tuned, what it was trained on);
a person can write one too::

    method = "kmeans"
    [options]
    clusters = 4

Of a method that learned, ``method.safetensors`` lies beside it, which the line ``model = "method.safetensors"`` says: its
model, taken apart into arrays. How it is put together again stands in the types of the model's own fields.
"""

import collections.abc
import dataclasses
import json
import typing
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from pixelwise.core.arrays import AnyArray
from pixelwise.core.errors import CheckpointError, MissingFile, OptionError, PlaceTaken
from pixelwise.core.files import replacing
from pixelwise.core.labels import LabelSet
from pixelwise.core.options import fitted, read_toml, write_toml
from pixelwise.methods import METHODS, TRAINABLE
from pixelwise.methods.predictor import Method

FILE, MODEL = "method.toml", "method.safetensors"
_TABLES = ("options", "about")


def write_method(method: Method, path: Path) -> Path:
    """Write a method to ``path``: a ``.toml`` file, or a folder, which one with a model needs; give the ``.toml`` file.

    Raises:
        OptionError: it has a model, and the path is a file.
        StorageError: it cannot be written.
    """
    path = Path(path)
    model = method.options.get("model")
    is_file = path.suffix == ".toml"
    if model is not None and is_file:
        raise OptionError(f"{path}: '{method.name}' learned something, which wants a folder; give one without '.toml'")
    if model is not None:
        _write_model(model, path / MODEL)
    place = path if is_file else path / FILE
    options = {key: value for key, value in method.options.items() if key != "model"}
    learned = None if model is None else MODEL
    write_toml(place, {"method": method.name, "model": learned, "options": options, "about": dict(method.training)})
    return place


def check_place(method: Method, path: Path) -> None:
    """Refuse a path that ``write_method`` could not write the method to, trained if it must be, or that holds something else.

    Raises:
        OptionError: a method that learns was given a ``.toml`` file, or one that does not a file that is none.
        PlaceTaken: a file is there that is no method's.
    """
    path = Path(path)
    is_file = path.suffix == ".toml"
    if is_file and (method.is_trained or "model" in method.options):
        raise OptionError(f"{path}: '{method.name}' learns, which wants a folder; give one without '.toml'")
    if path.exists() and path.is_dir() == is_file:
        what = "a file that ends in '.toml', found a folder" if is_file else "a folder or a file '.toml', found another file"
        raise PlaceTaken(f"{path}: expected {what}; choose another place")
    place = path if is_file else path / FILE
    if place.exists() and "method" not in read_toml(place):
        raise PlaceTaken(f"{place}: it is no method file, and would be replaced; choose another place")


def read_method(path: Path) -> Method:
    """Read what ``write_method`` wrote, from the file or its folder.

    Raises:
        MissingFile: there is none, or no model beside it where there should be one.
        OptionError: it is not such a file, or an option is unknown or does not fit.
        UnknownName: there is no such method.
        CheckpointError: the model beside it is damaged, or not this method's.
    """
    path = Path(path)
    place = path / FILE if path.is_dir() else path
    tables = read_toml(place)
    name, learned = tables.pop("method", None), tables.pop("model", None)
    if not isinstance(name, str):
        raise OptionError(f'{place}: expected a method file, as method = "kmeans" and a table [options]')
    if strange := sorted(set(tables) - set(_TABLES)) + [key for key in _TABLES if not isinstance(tables.get(key, {}), dict)]:
        raise OptionError(f"{place}: expected the tables [options] and [about] beside the method, found {strange[0]}")
    if learned is not None and (learned != MODEL or name not in TRAINABLE):
        raise OptionError(f"{place}: '{name}' with model = {learned!r}, where only one that learned has one, {MODEL!r}")
    options = fitted_options(name, tables.get("options", {}), str(place))
    if learned is not None:
        options["model"] = _read_model(_model_type(METHODS[name]), place.with_name(MODEL))
    return Method(name, **options).known_to(tables.get("about", {}))


def is_stored(path: Path) -> bool:
    """Tell whether a method stands at ``path``: a ``.toml`` file, or a folder that holds a method's file.

    >>> is_stored(Path("otsu"))
    False
    """
    return (path / FILE).is_file() or (path.suffix == ".toml" and path.is_file())


def fitted_options(name: str, options: Mapping[str, Any], where: str) -> dict[str, Any]:
    """Fit TOML values to the types of a method's options; unknown ones are left for ``Method`` to refuse.

    Raises:
        UnknownName: there is no such method.
        OptionError: a value does not fit; the message begins with ``where``.
    """
    module = METHODS[name]
    hints = typing.get_type_hints(module.segment)
    if name in TRAINABLE:
        hints = {**typing.get_type_hints(module.fit), **hints}
    return {
        key: fitted(value, _plain(hints[key]), f"{where}: {key}") if key in hints else value for key, value in options.items()
    }


def _plain(hint: Any) -> Any:
    """Read a sequence as a tuple, which is what a list of TOML becomes."""
    if typing.get_origin(hint) is collections.abc.Sequence:
        return tuple[typing.get_args(hint)[0], ...]  # type: ignore[misc]
    return hint


def _model_type(module: ModuleType) -> Any:
    return typing.get_type_hints(module.fit)["return"]


def _write_model(model: Any, path: Path) -> None:
    from safetensors.numpy import save_file

    arrays: dict[str, AnyArray] = {}
    plan = _apart(model, "model", arrays)
    with replacing(path) as temporary:
        save_file(arrays, temporary, {"format": "pixelwise method 1", "plan": json.dumps(plan)})


def _read_model(kind: Any, path: Path) -> Any:
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, "numpy") as file:
            about = file.metadata() or {}
            if about.get("format") != "pixelwise method 1":
                raise CheckpointError(f"{path}: expected what a method learned, and it does not say 'pixelwise method 1'")
            arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118  # it is no mapping
        return _together(kind, json.loads(about["plan"]), arrays)
    except FileNotFoundError:
        raise MissingFile(f"{path}: expected what the method learned, found nothing") from None
    except (SafetensorError, OSError, KeyError, TypeError, ValueError, AttributeError) as error:
        if isinstance(error, CheckpointError):
            raise
        raise CheckpointError(f"{path}: expected what a method learned, but {error}; train it again") from None


def _apart(value: Any, path: str, arrays: dict[str, AnyArray]) -> Any:
    """Put the arrays within ``value`` into ``arrays``; give the rest as plain values, with names in the arrays' places."""
    if isinstance(value, np.ndarray):
        arrays[path] = np.ascontiguousarray(value)
        return path
    if isinstance(value, LabelSet):
        return value.to_json()
    if dataclasses.is_dataclass(value):
        return {one.name: _apart(getattr(value, one.name), f"{path}.{one.name}", arrays) for one in dataclasses.fields(value)}
    if isinstance(value, tuple | list):
        return [_apart(one, f"{path}.{row}", arrays) for row, one in enumerate(value)]
    return value


def _together(kind: Any, plan: Any, arrays: Mapping[str, AnyArray]) -> Any:
    """Put a value of the type ``kind`` together again."""
    origin, inner = typing.get_origin(kind) or kind, typing.get_args(kind)
    if origin is np.ndarray:
        return arrays[plan]
    if kind is LabelSet:
        return LabelSet.from_json(plan)
    if dataclasses.is_dataclass(kind):
        hints = typing.get_type_hints(kind)
        return kind(**{one.name: _together(hints[one.name], plan[one.name], arrays) for one in dataclasses.fields(kind)})  # type: ignore[operator]
    if origin is tuple:
        kinds = (inner[0],) * len(plan) if inner[-1:] == (Ellipsis,) else inner
        return tuple(_together(each, one, arrays) for each, one in zip(kinds, plan, strict=True))
    return fitted(plan, kind, "model")
