"""Load whatever turns images into segmentations by its name or place: a method, a run folder, a checkpoint."""

from pathlib import Path

from pixelwise.core.errors import UnknownName, nearest
from pixelwise.core.predictor import Predictor
from pixelwise.methods import METHODS
from pixelwise.methods.predictor import Method
from pixelwise.methods.stored import is_stored, read_method


def load(source: str | Path, device: str = "auto") -> Predictor:
    """Load a predictor.

    Args:
        source: a method's name (``otsu``); a method file (``.toml``) such as ``tune`` writes; the run folder of a network (its
            best weights are taken) or of a method; or a ``.safetensors`` file with its card beside it. A method's name wins
            over a folder of the same name; write ``./otsu`` for the folder.
        device: ``auto``, ``cpu``, ``cuda`` or ``mps``; methods run on the CPU.

    Raises:
        UnknownName: there is no such method, folder or file; the message has the nearest method names.
        CheckpointError: the file is truncated or unsafe.
        OptionError: a method file does not say what it should.
    """
    name = str(source)
    if name in METHODS:
        return Method(name)
    path = Path(source)
    if not path.exists():
        raise UnknownName(
            f"{name}: expected a run folder, a checkpoint, a method file or a method's name; of methods, "
            f"{nearest(name, METHODS)}"
        )
    if is_stored(path):
        return read_method(path)
    from pixelwise.models import checkpoint  # torch is imported only for networks
    from pixelwise.predict.network import Network

    return Network(checkpoint.load(path), device)
