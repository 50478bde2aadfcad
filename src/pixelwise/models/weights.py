"""Read and write tensors: safetensors our own, foreign ``.pth`` only by torch's loader that refuses code."""

from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from safetensors.torch import save as to_bytes
from torch import Tensor

from pixelwise.core.errors import CheckpointError, MissingFile
from pixelwise.core.files import write_bytes

NESTED = ("state_dict_ema", "model_ema", "state_dict", "model_state_dict", "model", "network", "weights")


def write_tensors(path: Path, tensors: dict[str, Tensor], notes: dict[str, str] | None = None) -> None:
    """Write tensors as safetensors, whole or not at all.

    Several ``notes`` are written in no fixed order; with one, equal tensors make equal files.
    """
    contiguous = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    write_bytes(path, to_bytes(contiguous, metadata=notes))


def read_tensors(path: Path) -> dict[str, Tensor]:
    """Read the tensors of a ``.safetensors`` file or of a foreign ``.pth`` / ``.pt`` / ``.ckpt``.

    A foreign file may hold the tensors themselves or have them under one of ``NESTED``, also one in another.

    Raises:
        MissingFile: there is none.
        CheckpointError: it is truncated, holds no tensors, or is a pickle with code, which is never run.
    """
    path = Path(path)
    if not path.is_file():
        raise MissingFile(f"{path}: expected a weight file, found nothing there")
    if path.suffix == ".safetensors":
        try:
            return dict(load_file(path))
        except (SafetensorError, ValueError, OSError) as error:
            raise CheckpointError(f"{path}: the weight file is truncated or damaged ({error}); copy it again") from None
    return _tensors_in(read_state(path), path)


def read_state(path: Path) -> object:
    """Read a file that ``torch.save`` wrote, plain values and tensors alone; a pickle with code is refused, not run.

    Raises:
        CheckpointError: it is truncated, or holds anything but tensors and plain values.
    """
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch raises RuntimeError, EOFError, UnpicklingError, KeyError … by kind of damage
        if "weights_only" in str(error) or "Unsupported" in str(error):
            raise CheckpointError(
                f"{path}: refused: it holds code or objects, not only tensors, and a pickle can run anything when opened; "
                f"save the state_dict alone (torch.save(model.state_dict(), …)) or as safetensors"
            ) from None
        raise CheckpointError(
            f"{path}: the weight file is truncated or damaged ({type(error).__name__}); copy it again"
        ) from None


def _tensors_in(value: object, path: Path) -> dict[str, Tensor]:
    if isinstance(value, dict) and value.get("format") == "pixelwise state 1":
        raise CheckpointError(f"{path}: it is the state a run is resumed from; give the run folder, {path.parent}, instead")
    while isinstance(value, dict) and (inner := next((k for k in NESTED if isinstance(value.get(k), dict)), None)):
        value = value[inner]
    if not isinstance(value, dict):
        raise CheckpointError(f"{path}: expected a dictionary of tensors, found {type(value).__name__}")
    tensors = {str(key): tensor for key, tensor in value.items() if isinstance(tensor, Tensor)}
    if not tensors:
        keys = ", ".join(sorted(map(str, value))[:6]) or "nothing"
        raise CheckpointError(f"{path}: expected tensors by name, at the top or under {', '.join(NESTED)}; found {keys}")
    return tensors
