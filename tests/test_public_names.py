"""The public names: one sorted list, each loads on first use, and each says what it is."""

import importlib
import inspect
import pkgutil

import pytest

import pixelwise
import pixelwise.core


def test_all_is_sorted_without_doubles_and_equals_the_lazy_table() -> None:
    assert pixelwise.__all__ == sorted(set(pixelwise.__all__))
    assert pixelwise.__all__ == sorted(pixelwise._PLACES)


@pytest.mark.parametrize("name", pixelwise.__all__)
def test_a_public_name_loads_and_is_what_its_module_holds(name: str) -> None:
    value = getattr(pixelwise, name)
    assert value is getattr(importlib.import_module(pixelwise._PLACES[name]), name)
    assert not inspect.ismodule(value)
    assert inspect.getdoc(value)


def test_the_names_that_users_rely_on_are_there() -> None:
    wanted = {"read", "load", "fit", "evaluate", "predict", "Segmentation", "Sample", "Dataset", "LabelSet"}
    assert wanted <= set(pixelwise.__all__)


def test_the_types_seen_by_checkers_are_the_lazy_table() -> None:
    source = inspect.getsource(pixelwise)
    for name, module in pixelwise._PLACES.items():
        line = next(line for line in source.splitlines() if line.strip().startswith(f"from {module} import"))
        assert name in line.partition(" import ")[2].split(", ")


def test_a_function_keeps_its_name_when_the_module_of_that_name_is_imported() -> None:
    importlib.import_module("pixelwise.load")
    importlib.import_module("pixelwise.predict")
    assert inspect.isfunction(pixelwise.load)
    assert inspect.isfunction(pixelwise.predict)


def test_a_star_import_gives_every_name() -> None:
    names: dict[str, object] = {}
    exec("from pixelwise import *", names)
    assert set(names) - {"__builtins__"} == set(pixelwise.__all__)


def test_dir_lists_the_public_names_before_they_are_loaded() -> None:
    assert set(pixelwise.__all__) <= set(dir(pixelwise))


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'segment_everything'"):
        pixelwise.segment_everything  # noqa: B018


CORE = [f"pixelwise.core.{module.name}" for module in pkgutil.iter_modules(pixelwise.core.__path__)]


@pytest.mark.parametrize("module", CORE)
def test_every_public_name_of_core_has_a_docstring(module: str) -> None:
    loaded = importlib.import_module(module)
    assert loaded.__doc__
    for name, value in vars(loaded).items():
        if name.startswith("_") or getattr(value, "__module__", None) != module:
            continue
        assert inspect.getdoc(value), f"{module}.{name}"
        if inspect.isclass(value):
            for part, member in vars(value).items():
                if not part.startswith("_") and (inspect.isfunction(member) or isinstance(member, property)):
                    assert inspect.getdoc(getattr(value, part) if inspect.isfunction(member) else member), f"{name}.{part}"
