"""The card of a model: all that a caller must know to use it, kept beside its weights as JSON."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from pixelwise.core.arrays import Size
from pixelwise.core.errors import CheckpointError
from pixelwise.core.image import RGB
from pixelwise.core.labels import LabelSet
from pixelwise.core.segmentation import KINDS, Kind


@dataclass(frozen=True)
class Card:
    """What a predictor is.

    Attributes:
        name: of the network or method.
        kind: of its segmentations.
        labels: its classes, with the value map its training data came with.
        bands: of its input; other images are converted where that is possible.
        mean, deviation: a band, of the input in [0, 1]; the model normalises inside.
        stride: input sides are padded to a multiple of it inside the model.
        field_of_view: how many pixels around a pixel can change it, as (H, W); None where it is the whole image.
        gives_probabilities: whether ``Request.probabilities`` can be met.
        threshold: a pixel of a one-class model is foreground above it; None means the larger probability wins.
        options: what ``build`` was given, so that a checkpoint can be built again.
        training: where the weights come from: data, steps, score, date, versions.
    """

    name: str
    kind: Kind
    labels: LabelSet
    bands: tuple[str, ...] = RGB
    mean: tuple[float, ...] = (0.5, 0.5, 0.5)
    deviation: tuple[float, ...] = (0.5, 0.5, 0.5)
    stride: int = 1
    field_of_view: Size | None = None
    gives_probabilities: bool = False
    threshold: float | None = None
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
            if data["kind"] not in KINDS:
                raise ValueError(f"the kind {data['kind']!r} is none of {', '.join(KINDS)}")
            view = data["field_of_view"]
            return cls(
                name=str(data["name"]),
                kind=data["kind"],
                labels=LabelSet.from_json(data["labels"]),
                bands=tuple(map(str, data["bands"])),
                mean=tuple(map(float, data["mean"])),
                deviation=tuple(map(float, data["deviation"])),
                stride=int(data["stride"]),
                field_of_view=None if view is None else (int(view[0]), int(view[1])),
                gives_probabilities=bool(data["gives_probabilities"]),
                threshold=None if data["threshold"] is None else float(data["threshold"]),
                options=dict(data["options"]),
                training=dict(data["training"]),
            )
        except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
            raise CheckpointError(f"{where}: expected a model card, but {type(error).__name__}: {error}") from None
