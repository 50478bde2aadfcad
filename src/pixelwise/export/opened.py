"""Open an exported file by its ending."""

from pathlib import Path

from pixelwise.export.artefact import Artefact
from pixelwise.export.foreign import read_beside
from pixelwise.export.sessions import SESSIONS


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
    sheet = opened.sheet or read_beside(path)
    return Artefact(opened.session, sheet, path)
