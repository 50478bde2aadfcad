"""Read one field of a request: each function takes its name and its value, text or JSON, and refuses with 422 by that name."""

import json
import math
from typing import Any, NoReturn

from pixelwise.core.arrays import Size
from pixelwise.core.errors import DataError
from pixelwise.core.prompt import Prompt
from pixelwise.predict.uncertainty import MEASURES, Measure
from pixelwise.serve.refusal import Refusal

LEAST_TILE = 64  # pixels of a side: smaller ones would cost a pass of the network each
MOST_PROMPTS, MOST_PLACES = 256, 10_000  # in one request
_MOST_WORDS = 1000
_YES, _NO = ("true", "1", "yes", "on"), ("false", "0", "no", "off")


def refused(name: str, expected: str, value: Any) -> Refusal:
    """Say that a field is not what was expected; of a long value its beginning."""
    shown = repr(value)
    return Refusal(422, f"bad_{name}", f"{name}: expected {expected}, got {shown[:100] + '…' if len(shown) > 100 else shown}")


def words(name: str, value: Any) -> tuple[str, ...]:
    """Read words: a JSON list, or a text with commas; each counts once.

    >>> words("classes", "road, car,road"), words("classes", '["a, b"]')
    (('road', 'car'), ('a, b',))
    """
    listed = _parsed(name, value) if isinstance(value, str) and value.lstrip().startswith("[") else value
    if isinstance(listed, str):
        listed = [one for part in listed.split(",") if (one := part.strip())]
    elif isinstance(value, list) and all(isinstance(one, str) for one in value) and name == "forms":
        listed = [one for text in value for one in words(name, text)]
    if not isinstance(listed, list) or not 0 < len(listed) <= _MOST_WORDS or not all(isinstance(one, str) for one in listed):
        raise refused(name, f"names with commas, or a JSON list of at most {_MOST_WORDS}", value)
    return tuple(dict.fromkeys(listed))


def claim(name: str, value: Any) -> bool:
    """Read true or false."""
    word = value.strip().lower() if isinstance(value, str) else value
    if word is True or (isinstance(word, str) and word in _YES):
        return True
    if word is False or (isinstance(word, str) and word in _NO):
        return False
    raise refused(name, "true or false", value)


def measure(name: str, value: Any) -> bool | Measure:
    """Read true or false, or a measure of uncertainty."""
    for one in MEASURES:
        if isinstance(value, str) and value.strip().lower() == one:
            return one
    try:
        return claim(name, value)
    except Refusal:
        raise refused(name, f"true, false or one of {', '.join(MEASURES)}", value) from None


def share(name: str, value: Any) -> float:
    """Read a number from 0 to 1."""
    number = _number(value)
    if number is None or not 0 <= number <= 1:
        raise refused(name, "a number from 0 to 1", value)
    return number


def count(name: str, value: Any) -> int:
    """Read a whole number from 0 up."""
    number = _number(value)
    if number is None or number != int(number) or not 0 <= number < 2**31:
        raise refused(name, "a whole number from 0 up", value)
    return int(number)


def tile(name: str, value: Any) -> Size | None:
    """Read height and width, one number for a square, or ``auto``.

    >>> tile("tile", "512,768"), tile("tile", [512, 768]), tile("tile", "auto")
    ((512, 768), (512, 768), None)
    """
    if isinstance(value, str) and value.strip().lower() == "auto":
        return None
    parts = value.lower().replace("x", ",").split(",") if isinstance(value, str) else value
    sides = [_number(one) for one in (parts if isinstance(parts, list) else [parts])]
    if not 1 <= len(sides) <= 2 or not all(one is not None and LEAST_TILE <= one < 2**31 and one == int(one) for one in sides):
        raise refused(name, f"height,width in pixels of at least {LEAST_TILE} each, one number, or auto", value)
    return int(sides[0] or 0), int(sides[-1] or 0)


def prompts(name: str, value: Any) -> tuple[Prompt, ...]:
    """Read objects pointed at: a JSON list of them, or one."""
    plain = _parsed(name, value) if isinstance(value, str) else value
    listed = [plain] if isinstance(plain, dict) else plain
    if not isinstance(listed, list):
        raise refused(name, 'a JSON list such as [{"box": [left, top, right, bottom]}]', value)
    if len(listed) > MOST_PROMPTS:
        raise refused(name, f"at most {MOST_PROMPTS} prompts", f"{len(listed)} of them")
    try:
        return tuple(Prompt.from_json(one, f"prompt {number}") for number, one in enumerate(listed, start=1))
    except DataError as error:
        raise Refusal(422, f"bad_{name}", f"{name}: {str(error)[:300]}") from None


def points(name: str, value: Any) -> list[tuple[float, float, bool]]:
    """Read ``x,y`` of pixels in objects, and ``x,y,out`` of pixels outside them; several may be given.

    >>> points("point", ["1,2", "3,4,out"])
    [(1.0, 2.0, True), (3.0, 4.0, False)]
    """
    found = []
    for text in _several(value):
        place, _, side = text.rpartition(",") if isinstance(text, str) else ("", "", "")
        is_out = side.strip().lower() == "out"
        x, y = _numbers(name, place if is_out else text, 2, "x,y or x,y,out in pixels")
        found.append((x, y, not is_out))
    return found


def boxes(name: str, value: Any) -> list[tuple[float, float, float, float]]:
    """Read ``left,top,right,bottom`` of boxes around objects; several may be given."""
    found = []
    for text in _several(value):
        left, top, right, bottom = _numbers(name, text, 4, "left,top,right,bottom in pixels")
        found.append((left, top, right, bottom))
    return found


def bounded(pointed: tuple[Prompt, ...]) -> tuple[Prompt, ...]:
    """Give prompts back if there are not too many of them, nor of places in them.

    Raises:
        Refusal: there are; 422.
    """
    places = sum(len(one.points) + len(one.polygon) + sum(len(line) for line, _ in one.scribbles) for one in pointed)
    if len(pointed) > MOST_PROMPTS or places > MOST_PLACES:
        wanted = f"at most {MOST_PROMPTS} prompts of {MOST_PLACES:,} places together"
        raise refused("prompts", wanted, f"{len(pointed)} prompts of {places:,} places")
    return pointed


def _several(value: Any) -> list[Any]:
    return value[: MOST_PROMPTS + 1] if isinstance(value, list) else [value]


def _numbers(name: str, text: Any, size: int, form: str) -> list[float]:
    found = [_number(part) for part in text.split(",")] if isinstance(text, str) else []
    good = [one for one in found if one is not None]
    if len(found) != size or len(good) != size:
        raise refused(name, form, text)
    return good


def _number(value: Any) -> float | None:
    """Give a finite number, or None for anything else."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return None
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None


def _parsed(name: str, text: str) -> Any:
    def constant(word: str) -> NoReturn:
        raise ValueError(f"{word} is no JSON")

    try:
        return json.loads(text, parse_constant=constant)
    except (ValueError, RecursionError):
        raise refused(name, "JSON", text) from None
