"""What each refiner of the table does: to which kind of segmentation, and why not to the others."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from pixelwise.core.segmentation import Kind


@dataclass(frozen=True)
class About:
    """The module constant ``ABOUT`` of a refiner.

    Attributes:
        rules: what it does to a segmentation of each kind it takes, a line each.
        refused: why it does not take each of the others, as the end of a sentence.
        cost: how time grows with the image, and from how many pixels on it works on a smaller one, if it does.
        source: authors, title, place and year.
        gives: the kind that comes out, where it is another one.
        uses_probabilities: whether it does better with them, and gives them back refined; it then takes ``threshold``.
    """

    rules: Mapping[Kind, str]
    refused: Mapping[Kind, str]
    cost: str
    source: str
    gives: Mapping[Kind, Kind] = field(default_factory=dict)
    uses_probabilities: bool = False
