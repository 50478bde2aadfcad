"""The functions of this folder by name: what a network's head and an exported file say alike of their output."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np

from pixelwise.core.errors import CheckpointError, UnknownName, nearest
from pixelwise.core.labels import LabelSet
from pixelwise.core.predictor import Request
from pixelwise.core.segmentation import Segmentation
from pixelwise.decode import box, centre, fused, grid, multilabel, panoptic_logits, pixel, planes, prototype, query
from pixelwise.decode.frame import Frame
from pixelwise.decode.merge import Merging


class _Row(NamedTuple):
    reduced: Any  # the NamedTuple of arrays that the function takes
    decode: Callable[..., list[Segmentation]]


def _centre(*given: Any, **rules: Any) -> list[Segmentation]:
    return centre.decode(*given, centre.Rules(**rules))


def _fused(*given: Any, aligned: bool, **rules: Any) -> list[Segmentation]:
    return fused.decode(*given, aligned, Merging(**rules))


def _panoptic_logits(*given: Any, **rules: Any) -> list[Segmentation]:
    return panoptic_logits.decode(*given, panoptic_logits.Pruning(**rules))


def _query(*given: Any, kind: Any, temperature: float = 0.0, **rules: Any) -> list[Segmentation]:
    return query.decode(*given, kind, query.Rules(**rules), temperature)


DECODERS: Mapping[str, _Row] = MappingProxyType(
    {
        "box": _Row(box.BoxReduced, box.decode),
        "centre": _Row(centre.CentreReduced, _centre),
        "fused": _Row(fused.FusedReduced, _fused),
        "grid": _Row(grid.GridReduced, grid.decode),
        "multilabel": _Row(multilabel.MultilabelReduced, multilabel.decode),
        "panoptic_logits": _Row(panoptic_logits.PanopticReduced, _panoptic_logits),
        "pixel": _Row(pixel.PixelReduced, pixel.decode),
        "planes": _Row(planes.PlanesReduced, planes.decode),
        "prototype": _Row(prototype.PrototypeReduced, prototype.decode),
        "query": _Row(query.QueryReduced, _query),
    }
)


@dataclass(frozen=True)
class Decoder:
    """A function that makes segmentations of reduced output, with its options.

    Attributes:
        name: a row of ``DECODERS``.
        options: plain values, so that they can be written into a file.
    """

    name: str
    options: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.name not in DECODERS:
            raise UnknownName(f"no decoder is called '{self.name}'; {nearest(self.name, DECODERS)}")

    @property
    def outputs(self) -> tuple[str, ...]:
        """The names of the arrays it takes, in order."""
        fields: tuple[str, ...] = DECODERS[self.name].reduced._fields
        return fields

    def __call__(
        self, reduced: Sequence[Any], frames: Sequence[Frame], labels: LabelSet, request: Request
    ) -> list[Segmentation]:
        """Make one segmentation an image of arrays as ``outputs`` names them."""
        row = DECODERS[self.name]
        return row.decode(row.reduced(*(np.asarray(part) for part in reduced)), frames, labels, request, **self.options)

    def to_json(self) -> dict[str, Any]:
        """Write as plain JSON values."""
        return {"name": self.name, "options": dict(self.options)}

    @classmethod
    def from_json(cls, data: Any) -> "Decoder":
        """Read what ``to_json`` wrote.

        Raises:
            CheckpointError: it is not the description of a decoder that this version knows.
        """
        try:
            return cls(str(data["name"]), dict(data["options"]))
        except (KeyError, TypeError, ValueError) as error:
            raise CheckpointError(f"expected a decoder with a name and options, got {str(data)[:200]} ({error})") from None
