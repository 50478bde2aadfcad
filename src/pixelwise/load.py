"""Load whatever turns images into segmentations by its name or place."""

from pathlib import Path

from pixelwise.core.errors import UnknownName, nearest
from pixelwise.core.predictor import Predictor
from pixelwise.methods import METHODS
from pixelwise.methods.predictor import Method


def load(source: str | Path) -> Predictor:
    """Load a predictor: a method by its name.

    A method's name wins over a folder of the same name; write ``./otsu`` for the folder.

    Raises:
        UnknownName: there is no such method; the message has the nearest ones.
    """
    if str(source) in METHODS:
        return Method(str(source))
    raise UnknownName(f"{source}: expected a method's name; {nearest(str(source), METHODS)}")
