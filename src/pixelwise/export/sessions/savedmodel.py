"""TensorFlow's SavedModel: in this Python where TensorFlow is installed, else in the converter's environment."""

import importlib.util
from pathlib import Path

from pixelwise.core.errors import CheckpointError, MissingExtra
from pixelwise.core.resources import usable_cores
from pixelwise.export.artefact import Opened, Session
from pixelwise.export.environment import TENSORFLOW
from pixelwise.export.sessions.apart import ApartSession, only_as_made
from pixelwise.export.sheet import Sheet

INSIDE = Path("assets.extra") / "pixelwise.json"  # the sheet
ORDER = Path("assets.extra") / "outputs.txt"  # names, a line each: a signature has none of its own


def open_file(path: Path, device: str = "auto", precision: str = "auto") -> Opened:
    """Open a SavedModel: its folder, or the folder of its versions, of which the newest is taken.

    Raises:
        MissingExtra: neither TensorFlow nor the converter's environment is here.
        CheckpointError: the folder holds no SavedModel, or a damaged one.
        OptionError: another device or precision than its own is wanted.
    """
    folder = newest(path)
    text = (folder / INSIDE).read_text("utf-8", "replace") if (folder / INSIDE).is_file() else None
    sheet = None if text is None else Sheet.from_text(text, str(path))
    only_as_made(path, device, precision, "fp32" if sheet is None else sheet.precision)
    return Opened(_session(path, folder), sheet)


def newest(path: Path) -> Path:
    """Give the folder with the graph: ``path`` itself, or its subfolder of the highest number.

    Raises:
        CheckpointError: there is none.
    """
    if (path / "saved_model.pb").is_file():
        return path
    versions = [one for one in path.iterdir() if one.name.isdigit()] if path.is_dir() else []
    found = max((one for one in versions if (one / "saved_model.pb").is_file()), key=lambda one: int(one.name), default=None)
    if found is None:
        raise CheckpointError(f"{path}: expected a SavedModel, 'saved_model.pb' in it or in a folder named by a number")
    return found


def _session(path: Path, folder: Path) -> Session:
    if importlib.util.find_spec("tensorflow"):
        from pixelwise.export.apart.run_tensorflow import opened

        try:
            return opened(str(folder), usable_cores())
        except (OSError, ValueError, RuntimeError, KeyError) as error:
            raise CheckpointError(f"{path}: expected a SavedModel, but TensorFlow says: {str(error).strip()[:300]}") from None
    if TENSORFLOW.is_made:
        return ApartSession(TENSORFLOW, "run_tensorflow", folder)
    raise MissingExtra("tensorflow", extra="tensorflow", purpose=f"{path.name}: running SavedModels")
