"""Open an exported file by its ending."""

from pathlib import Path

from pixelwise.core.errors import CheckpointError
from pixelwise.core.files import read_json
from pixelwise.export.artefact import Artefact
from pixelwise.export.sessions import SESSIONS
from pixelwise.export.sheet import Sheet


def is_exported(path: Path) -> bool:
    """Tell by its ending whether a path is an exported model's."""
    return path.suffix in SESSIONS.rows


def open_exported(path: Path, device: str = "auto", precision: str = "auto") -> Artefact:
    """Open an exported model.

    Its description lies inside, or, for files made elsewhere, beside it as ``<file>.card.json``.

    Raises:
        CheckpointError: the file is damaged, or has no description.
        MissingExtra: its runtime is not installed.
        OptionError: the runtime has no such device or precision.
    """
    opened = SESSIONS[path.suffix].open_file(path, device, precision)
    sheet = opened.sheet or _beside(path)
    return Artefact(opened.session, sheet, path)


def _beside(path: Path) -> Sheet:
    card = path.with_name(path.name + ".card.json")
    if not card.is_file():
        raise CheckpointError(
            f"{path}: holds a graph, but no description of its classes and its input, as it was not exported by pixelwise; "
            f"write one beside it: {card.name}, as docs/export.md shows"
        )
    import json

    return Sheet.from_text(json.dumps(read_json(card, 2**24)), str(card))
