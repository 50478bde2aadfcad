"""The options ``--prompts --box --point``: what a person points at in images."""

import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from pixelwise.core.errors import OptionError
from pixelwise.core.prompt import Prompts, objects_of, read_prompts

PROMPTS = "A JSON file of points, boxes, scribbles and polygons, for every image or by image name."
BOX = "A box around an object, in pixels: left,top,right,bottom. May be given several times."
POINT = "A pixel in an object: x,y; or x,y,out for one outside all objects. May be given several times."


def prompts_of(file: Path | None, boxes: Sequence[str], points: Sequence[str]) -> Prompts:
    """Read what was pointed at: a file's prompts, and an object for each box and each point inside.

    With a single box, all points belong to its object. Points outside belong to the first object.

    Raises:
        OptionError: a box or a point is not written as expected, or the file holds no prompt.
        PixelwiseError: the file cannot be read as prompts.
    """
    stated = Prompts() if file is None else read_prompts(file)
    if file is not None and not stated:
        raise OptionError(f"{file}: expected prompts, found none in it")
    sides: list[Any] = [_numbers("--box", text, "left,top,right,bottom", 4) for text in boxes]
    objects = objects_of(sides, [_point(text) for text in points])
    return replace(stated, everywhere=stated.everywhere + objects)


def _point(text: str) -> tuple[float, float, bool]:
    place, _, side = text.rpartition(",")
    is_out = side.strip().lower() == "out"
    x, y = _numbers("--point", place if is_out else text, "x,y or x,y,out", 2)
    return x, y, not is_out


def _numbers(option: str, text: str, form: str, count: int) -> tuple[float, ...]:
    try:
        found = tuple(float(part) for part in text.split(","))
    except ValueError:
        found = ()
    if len(found) != count or not all(map(math.isfinite, found)):
        raise OptionError(f"{option} {text}: expected {form} in pixels")
    return found
