"""The waist: whatever turns images into segmentations is a ``Predictor``."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

from pixelwise.core.card import Card
from pixelwise.core.errors import OptionError
from pixelwise.core.image import Image
from pixelwise.core.prompt import Prompt
from pixelwise.core.segmentation import Segmentation


@dataclass(frozen=True)
class Request:
    """What a caller wants besides the masks.

    Attributes:
        probabilities: keep them, (L, H, W) an image; refused by a predictor whose card says it gives none.
        threshold: for one-class work, the foreground probability above which a pixel counts; for instances, the score.
        prompts: one tuple of prompts an image, or empty.
    """

    probabilities: bool = False
    threshold: float | None = None
    prompts: tuple[tuple[Prompt, ...], ...] = ()

    def __post_init__(self) -> None:
        if self.threshold is not None and not 0 <= self.threshold <= 1:
            raise OptionError(f"the threshold must lie between 0 and 1, got {self.threshold}")


PLAIN = Request()


@runtime_checkable
class Predictor(Protocol):
    """A method, a network, an exported file or a server: images in, one segmentation an image out, same sizes."""

    @property
    def card(self) -> Card:
        """What this predictor is."""

    def __call__(self, images: Sequence[Image], request: Request = PLAIN) -> list[Segmentation]:
        """Segment each image; they may differ in size."""


@runtime_checkable
class Around(Protocol):
    """A predictor that is laid around another one."""

    @property
    def predictor(self) -> Predictor:
        """The one inside."""


@runtime_checkable
class AroundSeveral(Protocol):
    """A predictor that asks several others."""

    @property
    def predictors(self) -> Sequence[Predictor]:
        """Those inside."""


def is_around(predictor: Predictor, kind: Any) -> bool:
    """Tell whether a predictor, or one inside it, is of ``kind``, a class or a protocol."""
    if isinstance(predictor, kind):
        return True
    inside = [predictor.predictor] if isinstance(predictor, Around) else []
    inside += predictor.predictors if isinstance(predictor, AroundSeveral) else []
    return any(is_around(one, kind) for one in inside)
