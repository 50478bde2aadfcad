"""The card of a model: all that a caller must know to use it, kept beside its weights as JSON."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from math import isfinite
from typing import Any

from pixelwise.core.arrays import Size
from pixelwise.core.errors import CheckpointError
from pixelwise.core.image import RGB
from pixelwise.core.labels import LabelSet
from pixelwise.core.options import from_table
from pixelwise.core.segmentation import Kind


@dataclass(frozen=True)
class Card:
    """What a predictor is.

    Attributes:
        name: of the network or method.
        kind: of its segmentations.
        labels: its classes, with the value map its training data came with.
        bands: of its input; other images are converted where that is possible.
        mean, deviation: a band, of the input in [0, 1]; the model normalises inside.
        scale: at which images are read: 0.25 reduces them to a quarter of their sides before the network sees them.
        stride: input sides are padded to a multiple of it inside the model.
        field_of_view: (H, W) of the window around a pixel, as the network sees it, beyond which nothing can change the pixel;
            None where it is the whole image, or not known.
        gives_probabilities: whether ``Request.probabilities`` can be met.
        threshold: a pixel of a one-class model is foreground above it; None means the larger probability wins.
        temperature: logits are divided by it before they become probabilities, which calibration has fitted; 1 leaves them.
        options: what ``build`` was given, so that a checkpoint can be built again.
        training: where the weights come from: data, steps, score, date, versions.
    """

    name: str
    kind: Kind
    labels: LabelSet
    bands: tuple[str, ...] = RGB
    mean: tuple[float, ...] = (0.5, 0.5, 0.5)
    deviation: tuple[float, ...] = (0.5, 0.5, 0.5)
    scale: float = 1.0
    stride: int = 1
    field_of_view: Size | None = None
    gives_probabilities: bool = False
    threshold: float | None = None
    temperature: float = 1.0
    options: Mapping[str, Any] = field(default_factory=dict)
    training: Mapping[str, Any] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """Write as plain JSON values."""
        plain = {each.name: getattr(self, each.name) for each in fields(self) if each.name != "labels"}
        plain |= {"options": dict(self.options), "training": dict(self.training)}
        return {"format": "pixelwise card 1", **plain, "labels": self.labels.to_json()}

    @classmethod
    def from_json(cls, data: Mapping[str, Any], where: str = "card") -> "Card":
        """Read what ``to_json`` wrote.

        Raises:
            CheckpointError: it is not a card, or a part is missing or of the wrong type.
        """
        try:
            if data.get("format") != "pixelwise card 1":
                raise ValueError("it does not say 'format': 'pixelwise card 1'")
            labels = LabelSet.from_json(data["labels"])
            known = {"scale": 1.0, "temperature": 1.0, **data}  # older cards have none of the two
            plain = {each.name: known[each.name] for each in fields(cls) if each.name != "labels"}
            return from_table(cls, {**plain, "labels": labels}, "card")._checked()
        except KeyError as error:
            raise CheckpointError(f"{where}: expected a model card, but it has no {error}") from None
        except (TypeError, ValueError, AttributeError, OverflowError) as error:
            raise CheckpointError(f"{where}: expected a model card, but {error}") from None

    def _checked(self) -> "Card":
        bands, positive = (
            len(self.bands),
            [self.stride, self.scale, self.temperature, *(self.field_of_view or ()), *self.deviation],
        )
        if not bands or (len(self.mean), len(self.deviation)) != (bands, bands):
            raise ValueError(f"{bands} bands have {len(self.mean)} means and {len(self.deviation)} deviations")
        if not (all(0 < number < float("inf") for number in positive) and all(map(isfinite, self.mean))):
            raise ValueError("a stride, scale, temperature, field of view or deviation is not above 0, or a mean is not finite")
        if self.threshold is not None and not 0 <= self.threshold <= 1:
            raise ValueError(f"the threshold {self.threshold} does not lie between 0 and 1")
        return self
