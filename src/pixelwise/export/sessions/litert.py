"""TFLite files through LiteRT's interpreter: in this Python where it is installed, else in the converter's environment."""

import importlib.util
import zipfile
from pathlib import Path

from pixelwise.core.errors import CheckpointError, MissingExtra
from pixelwise.core.resources import usable_cores
from pixelwise.export.artefact import Opened, Session
from pixelwise.export.environment import LITERT
from pixelwise.export.sessions.apart import ApartSession, only_as_made
from pixelwise.export.sheet import Sheet

ASSOCIATED = "pixelwise.json"  # the sheet's name among the files that are appended to the graph


def open_file(path: Path, device: str = "auto", precision: str = "auto") -> Opened:
    """Open a file.

    Raises:
        MissingExtra: neither ai-edge-litert nor the converter's environment is here.
        CheckpointError: the file is no TFLite graph, or damaged.
        OptionError: another device or precision than its own is wanted.
    """
    sheet = _sheet(path)
    only_as_made(path, device, precision, "fp32" if sheet is None else sheet.precision)
    return Opened(_session(path), sheet)


def _session(path: Path) -> Session:
    if path.is_file() and path.read_bytes()[4:8] != b"TFL3":  # a FlatBuffer's name for its kind
        raise CheckpointError(f"{path}: expected a TFLite graph, found something else, or a file that was cut short")
    if importlib.util.find_spec("ai_edge_litert"):
        from pixelwise.export.apart.run_litert import opened

        try:
            return opened(str(path), usable_cores())
        except (ValueError, RuntimeError) as error:
            raise CheckpointError(f"{path}: expected a TFLite graph, but LiteRT says: {str(error).strip()[:300]}") from None
    if LITERT.is_made:
        return ApartSession(LITERT, "run_litert", path)
    raise MissingExtra("ai-edge-litert", extra="litert", purpose=f"{path.name}: running TFLite files")


def _sheet(path: Path) -> Sheet | None:
    if not zipfile.is_zipfile(path):
        return None
    with zipfile.ZipFile(path) as associated:
        if ASSOCIATED not in associated.namelist():
            return None
        return Sheet.from_text(associated.read(ASSOCIATED).decode("utf-8", "replace"), str(path))
