"""The tree of errors is the one its docstring draws."""

import builtins
import inspect
import pickle
import re

import pytest

from pixelwise.core import errors
from pixelwise.core.errors import MissingExtra, PixelwiseError, nearest

LINE = re.compile(r"^\s*(?P<branch>[│ ]*)[├└]── (?P<name>\w+) *(?:\((?P<builtin>\w+)\))?", re.MULTILINE)
DRAWN = [(len(found["branch"]), found["name"], found["builtin"]) for found in LINE.finditer(errors.__doc__ or "")]
REAL = {name: value for name, value in vars(errors).items() if inspect.isclass(value) and issubclass(value, PixelwiseError)}


def test_every_error_is_drawn_and_every_drawn_one_is_there() -> None:
    assert {name for _, name, _ in DRAWN} | {"PixelwiseError"} == set(REAL)
    assert len(DRAWN) == len({name for _, name, _ in DRAWN})


def test_branches_are_as_drawn() -> None:
    parents: dict[int, str] = {}
    for depth, name, _ in DRAWN:
        parents[depth] = name
        above = max((other for other in parents if other < depth), default=None)
        expected = PixelwiseError if above is None else REAL[parents[above]]
        assert REAL[name].__bases__[0] is expected, name


@pytest.mark.parametrize(("name", "builtin"), [(name, builtin) for _, name, builtin in DRAWN if builtin])
def test_an_error_is_also_the_builtin_a_caller_would_expect(name: str, builtin: str) -> None:
    assert issubclass(REAL[name], getattr(builtins, builtin))


def test_every_leaf_is_some_builtin_besides_exception() -> None:
    for name, error in REAL.items():
        if error is not PixelwiseError:
            assert any(
                base.__module__ == "builtins" and base not in (Exception, BaseException, object) for base in error.__mro__
            ), name


@pytest.mark.parametrize("name", sorted(set(REAL) - {"MissingExtra"}))
def test_an_error_comes_back_from_a_worker_with_its_message(name: str) -> None:
    back = pickle.loads(pickle.dumps(REAL[name]("a.png: what is wrong")))
    assert type(back) is REAL[name]
    assert str(back) == "a.png: what is wrong"


def test_a_missing_extra_comes_back_from_a_worker_with_its_message() -> None:
    error = MissingExtra("rasterio", "geo", "reading GeoTIFF")
    back = pickle.loads(pickle.dumps(error))
    assert type(back) is MissingExtra
    assert str(back) == str(error) == "reading GeoTIFF needs rasterio: pip install 'pixelwise[geo]'"


def test_nearest_ignores_case_lists_at_most_three_and_says_when_there_is_none() -> None:
    assert nearest("UNet", ["unet", "fcn"]) == "did you mean 'unet'?"
    assert nearest("otsu", ["Otsu"]) == "did you mean 'Otsu'?"
    assert nearest("abcd1", ["abcd2", "abcd3", "abcd4", "abcd5"]).count("'") == 6
    assert nearest("x", []) == "there are none"
