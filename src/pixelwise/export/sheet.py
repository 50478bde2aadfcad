"""The sheet of an exported model: what a runtime must know besides the graph, kept as JSON inside the file."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from pixelwise.core.arrays import Size
from pixelwise.core.card import Card
from pixelwise.core.errors import CheckpointError, PixelwiseError
from pixelwise.core.options import from_table
from pixelwise.decode.decoders import Decoder

KEY = "pixelwise"  # under which formats with named metadata keep the sheet
FORMAT = "pixelwise sheet 1"


@dataclass(frozen=True)
class Input:
    """What the graph takes: images (N, H, W, C), or (N, C, H, W).

    Attributes:
        name: of the input.
        values: ``uint8`` from 0 to 255, or ``float32`` from 0 to 1 (before ``mean`` and ``deviation``).
        layout: ``NHWC`` or ``NCHW``.
        size: the only (H, W) it takes; None for any.
        batch: the only N it takes; None for any.
        least: its shortest sides; smaller images are padded to it at the bottom and the right by repeating the edge.
        fit: how an image comes to a fixed ``size``: ``pad`` refuses larger ones, as tiles serve them better; ``resize`` is for
            models that were taught whole images of one size.
        mean, deviation: a band, outside the graph, for models made elsewhere; empty where it normalises inside.
    """

    name: str = "image"
    values: Literal["uint8", "float32"] = "uint8"
    layout: Literal["NHWC", "NCHW"] = "NHWC"
    size: Size | None = None
    batch: int | None = None
    least: int = 1
    fit: Literal["pad", "resize"] = "pad"
    mean: tuple[float, ...] = ()
    deviation: tuple[float, ...] = ()


@dataclass(frozen=True)
class Sheet:
    """What an exported model is.

    Attributes:
        card: of the model; ``gives_probabilities`` is False where only classes were exported.
        decoder: what makes segmentations of the graph's output.
        outputs: the names of the graph's arrays, in order: those that the decoder takes, or some of them.
        input: what the graph takes.
        precision: ``fp32``, ``fp16``, ``bf16`` or ``int8``.
        made: with which versions, opset and options it was made.
    """

    card: Card
    decoder: Decoder
    outputs: tuple[str, ...]
    input: Input = field(default_factory=Input)
    precision: str = "fp32"
    made: Mapping[str, Any] = field(default_factory=dict)

    def to_text(self) -> str:
        """Write as JSON."""
        return json.dumps(
            {
                "format": FORMAT,
                "card": self.card.to_json(),
                "decoder": self.decoder.to_json(),
                "outputs": list(self.outputs),
                "input": asdict(self.input),
                "precision": self.precision,
                "made": dict(self.made),
            }
        )

    @classmethod
    def from_text(cls, text: str, where: str) -> "Sheet":
        """Read what ``to_text`` wrote.

        Args:
            where: the file that held it, for messages.

        Raises:
            CheckpointError: it is no sheet, or one of a newer version.
        """
        try:
            data = json.loads(text)
        except ValueError as error:
            raise CheckpointError(f"{where}: expected the description of an exported model, but {error}") from None
        return cls.from_json(data, where)

    @classmethod
    def from_json(cls, data: Any, where: str) -> "Sheet":
        """Read the values that ``to_text`` writes as JSON; as ``from_text``."""
        try:
            if data.get("format") != FORMAT:
                raise ValueError(f"its format is {data.get('format')!r} and not {FORMAT!r}")
            return cls(
                Card.from_json(data["card"], where),
                Decoder.from_json(data["decoder"]),
                tuple(str(name) for name in data["outputs"]),
                from_table(Input, data["input"], "input"),
                str(data["precision"]),
                dict(data["made"]),
            )
        except PixelwiseError as error:
            raise CheckpointError(f"{where}: the description inside it is damaged: {error}") from None
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise CheckpointError(f"{where}: expected the description of an exported model, but {error}") from None
