"""The small card that stands in for a sheet beside a file that was made elsewhere: ``model.onnx.card.json``.

It says only what a runtime cannot see: the classes, how an image becomes the input, and what the output means::

    {
      "format": "pixelwise foreign model 1",
      "name": "person",
      "classes": ["background", "person"],
      "input": {"values": "float32", "layout": "NCHW", "size": [256, 256], "fit": "resize"},
      "output": {"layout": "NCHW", "activation": "none"}
    }
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pixelwise.core.card import Card
from pixelwise.core.errors import CheckpointError, PixelwiseError, nearest
from pixelwise.core.files import read_json
from pixelwise.core.image import RGB
from pixelwise.core.labels import LabelSet
from pixelwise.core.options import from_table
from pixelwise.decode.decoders import DECODERS, Decoder
from pixelwise.export.sheet import FORMAT, Input, Sheet

FOREIGN = "pixelwise foreign model 1"
_KEYS = ("format", "name", "kind", "classes", "bands", "input", "output", "threshold", "source", "licence")


def read_beside(path: Path) -> Sheet:
    """Read the card beside a file: a small one, or a whole sheet.

    Raises:
        CheckpointError: there is none, or it does not say what it should.
    """
    card = path.with_name(path.name + ".card.json")
    if not card.is_file():
        raise CheckpointError(
            f"{path}: holds a graph, but no description of its classes and its input, as it was not exported by pixelwise; "
            f"write one beside it: {card.name}, as docs/export.md shows"
        )
    data = read_json(card, 2**24)
    if isinstance(data, Mapping) and data.get("format") == FORMAT:
        return Sheet.from_json(data, str(card))
    try:
        return _sheet(data)
    except PixelwiseError as error:
        raise CheckpointError(f"{card}: {error}") from None
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise CheckpointError(f"{card}: expected the card of a model made elsewhere, but {_said(error)}") from None


def _sheet(data: Any) -> Sheet:
    if data["format"] != FOREIGN:
        raise ValueError(f"its format is {data['format']!r}, and not {FOREIGN!r} or {FORMAT!r}")
    if unknown := sorted(data.keys() - set(_KEYS)):
        raise ValueError(f"it has a key '{unknown[0]}'; {nearest(unknown[0], _KEYS)}")
    output = {"decoder": "planes", **data.get("output", {})}
    decoder = Decoder(str(output.pop("decoder")), output)
    card = Card(
        str(data["name"]),
        data.get("kind", "semantic"),
        LabelSet.of([str(name) for name in data["classes"]]),
        tuple(str(band) for band in data.get("bands", RGB)),
        gives_probabilities="probabilities" in DECODERS[decoder.name].reduced._fields or decoder.name == "planes",
        threshold=data.get("threshold"),
        training={key: str(data[key]) for key in ("source", "licence") if key in data},
    )
    return Sheet(card, decoder, decoder.outputs, from_table(Input, data.get("input", {}), "input"))


def _said(error: Exception) -> str:
    return f"it has no {error}" if isinstance(error, KeyError) else str(error)
