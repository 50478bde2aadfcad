"""The options ``--tile --overlap --flips --turns --refine``: what is laid around a model before it is run."""

import re
import sys
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Literal

from pixelwise.cli.opinions import Opinions, Seen, laid
from pixelwise.core.errors import OptionError

if TYPE_CHECKING:
    from pixelwise.core.predictor import Predictor
    from pixelwise.predict.tiles.choice import JoinOption
    from pixelwise.refine.refiner import Refiner

TILE = "Cut images into tiles of H,W pixels; auto: only those too large for one pass of a network; none: never."
OVERLAP = "Pixels that neighbouring tiles share; if not given, a quarter of the shorter side, and at most 128."
JOIN = "How tiles are put together: cut (at the middle of the overlap), hann, gaussian (blended); auto cuts where it can."
MEMORY = "What may be held besides model, image and result, as in 2GB: larger images are cut into tiles that keep to it."
FLIPS = "Average each image with its mirror image: about twice the time, a little more accurate."
TURNS = "Average over quarter turns and mirror images: eight times the time, for images without an up."
REFINE = (
    "Refine what is found, from left to right: crf, guided, grabcut, merge, split, holes, smallest, smooth; options in "
    "brackets, as in 'crf(colour=8),smallest(area=40)'."
)


def wrapping(
    tile: str,
    overlap: int | None,
    flips: bool,
    turns: bool,
    refine: str | None = None,
    join: str = "auto",
    memory: str | None = None,
    opinions: Opinions | None = None,
    load: "Callable[[str], Predictor] | None" = None,
) -> "Callable[[Predictor], Predictor]":
    """Give what lays tiles, views and refiners around a predictor; if it must cut an image unasked, it says so on stderr.

    Args:
        opinions: views, further models and uncertainty; where given, flips and turns are among its views.
        load: opens the further models; ``pixelwise.load`` if not given.

    Raises:
        OptionError: ``tile`` is no size, ``refine`` no list of refiners, ``join`` no join, or ``memory`` no amount.
        UnknownName: there is no such refiner.
    """
    sides, refiners, most = parse_tile(tile), parse_refine(refine), parse_memory(memory)
    way = parse_join(join)

    def say(sentence: str) -> None:
        print(sentence, file=sys.stderr)

    def around(predictor: "Predictor", seen: Seen) -> "Predictor":
        from pixelwise.predict.automatic import arranged

        return arranged(predictor, sides, overlap, seen.flips, seen.turns, refiners, say, way, most, seen.scales)

    def wrap(predictor: "Predictor") -> "Predictor":
        from pixelwise.load import load as load_anywhere

        return laid(predictor, opinions or Opinions(Seen(flips, turns)), around, load or load_anywhere)

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


def told(
    tile: str,
    overlap: int | None,
    flips: bool,
    turns: bool,
    refine: str | None = None,
    join: str = "auto",
    memory: str | None = None,
) -> dict[str, object]:
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
        "join": None if join == "auto" else join,
        "memory": memory,
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


def parse_join(text: str) -> "JoinOption":
    """Read the value of ``--join``.

    Raises:
        OptionError: there is no such join.
    """
    known: dict[str, JoinOption] = {"auto": "auto", "cut": "cut", "hann": "hann", "gaussian": "gaussian"}
    if (word := text.strip().lower()) not in known:
        raise OptionError(f"--join {text}: expected {', '.join(known)}")
    return known[word]


def parse_memory(text: str | None) -> int | None:
    """Read the value of ``--memory``: a number of bytes, or of KB, MB, GB (thousands) or KiB, MiB, GiB (1024s).

    >>> parse_memory("2GB"), parse_memory("1.5 GiB"), parse_memory(None)
    (2000000000, 1610612736, None)

    Raises:
        OptionError: it is no amount of memory, or none at all.
    """
    if text is None:
        return None
    found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([kmgt]?)(i?)b?", text.strip().lower())
    if found is None or not (amount := int(float(found[1]) * (1024 if found[3] else 1000) ** " kmgt".index(found[2] or " "))):
        raise OptionError(f"--memory {text}: expected an amount above 0, as in 2GB, 500MB or 1.5GiB")
    return amount
