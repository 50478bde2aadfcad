"""What goes wrong in the middle of a step, told apart by what can be done about it."""

import torch

_MEMORY = ("out of memory", "can't allocate memory", "alloc_failed", "not enough memory")
_DEVICE = ("cuda error", "cudnn error", "cublas_status", "nccl", "hip error", "mps backend", "acceleratorerror")
SINGLE_VALUE = (
    "a batch norm was given one value a channel, of which there is no deviation: the deepest features of the only image of a "
    "step (or of a part of it) are 1 x 1. Use --set train.batch=2, a larger --set train.crop, --set train.freeze_norm=true, or "
    "--set model.norm=group where the network has it"
)
_PEER = ("connection closed by peer", "connection reset by peer", "gloo", "broken pipe", "timed out waiting")


def is_out_of_memory(error: BaseException) -> bool:
    """Tell whether a smaller part of the batch might have fitted."""
    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return True
    return isinstance(error, RuntimeError) and _says(error, _MEMORY)


def is_lost_device(error: BaseException) -> bool:
    """Tell whether the accelerator failed, or the link between processes did."""
    if isinstance(error, torch.AcceleratorError):
        return True
    return isinstance(error, RuntimeError) and (_says(error, _DEVICE) or is_lost_process(error))


def is_lost_process(error: BaseException) -> bool:
    """Tell whether another process of the run went away."""
    return isinstance(error, RuntimeError) and _says(error, _PEER)


def is_single_value(error: BaseException) -> bool:
    """Tell whether a batch norm was given one value a channel, of which there is no deviation."""
    return isinstance(error, ValueError) and "more than 1 value per channel" in str(error)


def _says(error: BaseException, words: tuple[str, ...]) -> bool:
    text = str(error).lower()
    return any(word in text for word in words)
