"""The options ``--tile --overlap --flips --turns --refine``: what is laid around a model before it is run."""

import sys
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Literal

from pixelwise.core.errors import OptionError

if TYPE_CHECKING:
    from pixelwise.core.predictor import Predictor
    from pixelwise.refine.refiner import Refiner

TILE = "Cut images into tiles of H,W pixels; auto: only those too large for one pass of a network; none: never."
OVERLAP = "Pixels that neighbouring tiles share; a quarter of the shorter side if not given."
FLIPS = "Average each image with its mirror image: about twice the time, a little more accurate."
TURNS = "Average over quarter turns and mirror images: eight times the time, for images without an up."
REFINE = (
    "Refine what is found, from left to right: crf, guided, grabcut, merge, split, holes, smallest, smooth; options in "
    "brackets, as in 'crf(colour=8),smallest(area=40)'."
)


def wrapping(
    tile: str, overlap: int | None, flips: bool, turns: bool, refine: str | None = None
) -> "Callable[[Predictor], Predictor]":
    """Give what lays tiles, flips and refiners around a predictor; if it must cut an image unasked, it says so on stderr.

    Raises:
        OptionError: ``tile`` is no size, or ``refine`` no list of refiners.
        UnknownName: there is no such refiner.
    """
    sides, refiners = parse_tile(tile), parse_refine(refine)

    def wrap(predictor: "Predictor") -> "Predictor":
        from pixelwise.predict.automatic import arranged

        return arranged(
            predictor, sides, overlap, flips, turns, refiners, say=lambda sentence: print(sentence, file=sys.stderr)
        )

    return wrap


def parse_refine(text: str | None) -> "tuple[Refiner, ...]":
    """Read the value of ``--refine``; none where it was not given.

    Raises:
        OptionError: it is no list of refiners, or an option is unknown or does not fit.
        UnknownName: there is no such refiner.
    """
    if text is None:
        return ()
    from pixelwise.refine.refiner import chain

    return chain(text)


def told(tile: str, overlap: int | None, flips: bool, turns: bool, refine: str | None = None) -> dict[str, object]:
    """Name the options that were asked for, as a report keeps them; none are named where all is as it is without them.

    >>> told("auto", None, True, False), told("auto", None, False, False)
    ({'flips': True}, {})
    """
    asked = {
        "tile": None if tile == "auto" else tile,
        "overlap": overlap,
        "flips": flips or None,
        "turns": turns or None,
        "refine": refine,
    }
    return {name: value for name, value in asked.items() if value is not None}


def sentence(asked: Mapping[str, object]) -> list[str]:
    """Say in a note, or none, what was laid around the model.

    >>> sentence({"tile": "512,768", "flips": True})
    ['predicted with --tile 512,768 --flips']
    """
    words = [f"--{name}" if value is True else f"--{name} {value}" for name, value in asked.items()]
    return [f"predicted with {' '.join(words)}"] if words else []


def parse_tile(text: str) -> tuple[int, int] | Literal["auto"] | None:
    """Read the value of ``--tile``: height,width, or one number for a square, or ``auto``, or ``none``.

    Raises:
        OptionError: it is none of these.
    """
    word = text.strip().lower()
    if word in ("auto", "none"):
        return "auto" if word == "auto" else None
    parts = [part.strip() for part in word.replace("x", ",").split(",")]
    if len(parts) > 2 or not all(part.isdecimal() and int(part) > 0 for part in parts):
        raise OptionError(f"--tile {text}: expected height,width in pixels as in --tile 512,768, one number, auto or none")
    return int(parts[0]), int(parts[-1])
