"""How a model is run for a request: what is laid around it and what it is asked for."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple, TypeVar

from pixelwise.core.arrays import FloatArray, Size
from pixelwise.core.errors import OptionError
from pixelwise.core.image import Image
from pixelwise.core.predictor import Predictor, Request
from pixelwise.core.prompt import Prompt
from pixelwise.core.segmentation import Segmentation
from pixelwise.methods.predictor import Method
from pixelwise.predict.automatic import arranged
from pixelwise.predict.flipped import Flipped
from pixelwise.predict.uncertainty import Measure, Uncertain
from pixelwise.serve.refusal import Refusal

T = TypeVar("T")


class Predicted(NamedTuple):
    """A segmentation, and how unsure it is (H, W) where that was asked for."""

    segmentation: Segmentation
    uncertainty: FloatArray | None


@dataclass(frozen=True)
class Way:
    """The part of wishes that decides how the model is run; images that have it in common may share a call.

    Attributes:
        threshold, tile, overlap, flips, probabilities: as in ``Wishes``.
        uncertainty: how it is measured; None for not at all.
        is_prompted: whether images come with prompts.
    """

    threshold: float | None = None
    tile: Size | None = None
    overlap: int | None = None
    flips: bool = False
    uncertainty: Measure | None = None
    probabilities: bool = False
    is_prompted: bool = False

    def around(self, predictor: Predictor) -> Predictor:
        """Lay tiles, flips and uncertainty around a predictor; that costs microseconds, so nothing is kept.

        Disagreement is between the image and its mirror image, which are then asked about whole images: tiles go inside.

        Raises:
            Refusal: 422, it cannot be tiled or flipped, or says nothing of how unsure it is.
        """
        if self.is_prompted and isinstance(predictor, Method):
            predictor = predictor.for_strokes()
        disagrees = self.uncertainty == "disagreement"
        inside, mirrored = predictor, self.flips and not disagrees
        if mirrored or disagrees:
            _fitting("uncertainty" if disagrees else "flips", lambda: Flipped(inside))
        laid = _fitting("tile", lambda: arranged(inside, self.tile or "auto", self.overlap, mirrored))
        if self.uncertainty is None:
            return laid
        measure = self.uncertainty
        return _fitting("uncertainty", lambda: Uncertain(Flipped(laid) if disagrees else laid, measure))

    def check(self, predictor: Predictor, prompts: tuple[Prompt, ...] = ()) -> None:
        """Refuse what a predictor cannot do: it is asked about no images, which costs nothing.

        Raises:
            Refusal: 422; the message names the field.
        """
        laid = self.around(predictor)
        if self.probabilities and not laid.card.gives_probabilities:
            raise Refusal(422, "unfit_probabilities", f"probabilities: '{laid.card.name}' gives none; leave the field out")
        if self.is_prompted and self.uncertainty is not None:
            raise Refusal(
                422, "unfit_prompts", "prompts: uncertainty is of predictions without prompts; leave out one of the two"
            )
        if self.is_prompted:
            _fitting("prompts", lambda: laid((), Request(prompts=(prompts,))))
        if self.threshold is not None:
            _fitting("threshold", lambda: laid((), Request(threshold=self.threshold, prompts=(prompts,) if prompts else ())))

    def run(self, predictor: Predictor, images: Sequence[Image], prompts: Sequence[tuple[Prompt, ...]] = ()) -> list[Predicted]:
        """Segment images, each with its prompts where these are given.

        Raises:
            PixelwiseError: the predictor cannot do it.
        """
        laid = self.around(predictor)
        request = Request(self.probabilities, self.threshold, tuple(prompts) if self.is_prompted else ())
        if isinstance(laid, Uncertain):
            return [Predicted(one.segmentation, one.pixels) for one in laid.assess(images, request)]
        return [Predicted(one, None) for one in laid(images, request)]


def _fitting(field: str, make: Callable[[], T]) -> T:
    try:
        return make()
    except OptionError as error:
        raise Refusal(422, f"unfit_{field}", f"{field}: {error}") from None
