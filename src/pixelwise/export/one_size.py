"""One size of input, for targets whose graphs have no other."""

import warnings
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from pixelwise.core.errors import ExportError
from pixelwise.export.sheet import Sheet

SIDE = 512  # of images where no size is asked for: what most networks here are trained on, and what phones can hold


def with_one_size(sheet: Sheet, batch: int = 1) -> Sheet:
    """Give a sheet of one size and batch: its own where it states them, else 512 x 512, and more if the stride wants it."""
    side = -(-SIDE // sheet.card.stride) * sheet.card.stride
    return replace(
        sheet, input=replace(sheet.input, size=sheet.input.size or (side, side), batch=sheet.input.batch or batch, least=1)
    )


def program_of(graph: torch.nn.Module, example: Tensor, name: str) -> Any:
    """Record a graph on one example as a program of ``torch.export``.

    Raises:
        ExportError: torch cannot record it.
    """
    try:
        with torch.no_grad(), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of torch's own internals
            return torch.export.export(graph.eval(), (example,), strict=False)
    except (RuntimeError, ValueError) as error:
        raise ExportError(f"the network '{name}' cannot be written as a torch program: {first_line(error)}") from error


def first_line(error: BaseException) -> str:
    """Give what an error says first, in at most 300 letters."""
    return (str(error).strip() or type(error).__name__).splitlines()[0][:300]
