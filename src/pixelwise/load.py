"""Load whatever turns images into segmentations by its name or place: a method, a run folder, a checkpoint, an address."""

from pathlib import Path

from pixelwise.core.errors import OptionError, UnknownName, nearest
from pixelwise.core.predictor import Predictor
from pixelwise.export.opened import is_exported, open_exported
from pixelwise.methods import METHODS
from pixelwise.methods.predictor import Method
from pixelwise.methods.stored import is_stored, read_method


def load(source: str | Path, device: str = "auto", precision: str = "auto") -> Predictor:
    """Load a predictor.

    Args:
        source: a method's name (``otsu``); a method file (``.toml``) such as ``tune`` writes; the run folder of a network (its
            best weights are taken) or of a method; or a ``.safetensors`` file with its card beside it. A method's name wins
            over a folder of the same name; write ``./otsu`` for the folder. ``sam2:facebook/sam2.1-hiera-tiny`` is SAM 2 for
            films, of the hub or a folder. ``http://host:port/models/x`` is a model on a server (``pixelwise serve``), with
            ``/versions/2`` a version of it.
        device: ``auto``, ``cpu``, ``cuda`` or ``mps``; several, as in ``cuda:0,cuda:1``, share the images of each call; methods
            run on the CPU.
        precision: of networks, ``fp32``, ``bf16``, or ``auto``: bfloat16 where it is fast and known to cost no quality. A
            server chooses device and precision itself.

    Raises:
        UnknownName: there is no such method, folder or file; the message has the nearest method names.
        CheckpointError: the file is truncated or unsafe.
        OptionError: a method file does not say what it should, or there is no such device or precision.
        TransferError: no Pixelwise server answers at an address.
    """
    name = str(source)
    if name in METHODS:
        return Method(name)
    if name.startswith("sam2:"):  # follows what is pointed at in a film
        from pixelwise.models.sam2_video import Sam2Video

        return Sam2Video.load(name.removeprefix("sam2:"), device)
    if name.startswith(("http://", "https://")):
        if (device, precision) != ("auto", "auto"):
            raise OptionError(f"{name}: a server chooses device and precision itself; leave them out")
        from pixelwise.predict.remote import Remote

        return Remote(name)
    path = Path(source)
    if not path.exists():
        raise UnknownName(
            f"{name}: expected a run folder, a checkpoint, a method file, an address or a method's name; of "
            f"methods, {nearest(name, METHODS)}"
        )
    if is_stored(path):
        return read_method(path)
    if is_exported(path):
        return open_exported(path, device, precision)
    from pixelwise.models import checkpoint  # torch is imported only for networks
    from pixelwise.predict.network import on_devices

    return on_devices(checkpoint.load(path), device, precision)
