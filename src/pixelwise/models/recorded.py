"""What code does while a graph is recorded for an exporter, in place of what it does eagerly.

A graph's shapes must not depend on what is in the images, and where images may have any size, not on a question about it: the
exporter would take the answer for that of all sizes, or give up as it cannot prove it. So as many objects are worked off as
there can be, padding is done even where there is none to do, and both padding and cutting it off are taking rows by number.
"""

import torch
from torch import Tensor

from pixelwise.core.arrays import Size

_MOST = 2**20  # more than any image has


def is_recorded() -> bool:
    """Tell whether what runs now is recorded by ``torch.export``, ``torch.jit.trace`` or ONNX's exporter.

    ``torch.compile`` is none of them: it goes back to eager code where a shape depends on the data.
    """
    return torch.compiler.is_exporting() or torch.jit.is_tracing() or torch.onnx.is_in_onnx_export()


def varies(side: int) -> bool:
    """Tell whether a side stands in a graph as a symbol: the graph takes images of any size."""
    return isinstance(side, torch.SymInt)


def holds(claim: bool) -> bool:
    """Tell whether a claim about sizes is true; of symbols, whether it is known to be true of all sizes.

    Asked plainly, an exporter takes the answer for the example it records with, and holds all images to it.
    """
    if isinstance(claim, torch.SymBool):
        from torch.fx.experimental.symbolic_shapes import statically_known_true

        return bool(statically_known_true(claim))
    return bool(claim)


def cells(side: int, stride: int, least: int = 1) -> int:
    """Give how many cells of ``stride`` pixels cover ``side``, at least ``least``; in a graph, a number of its own.

    Of a rounded quotient of a side the exporter can prove next to nothing; of a number of its own it knows the bounds.

    >>> cells(65, 32), cells(64, 32, least=8)
    (3, 8)
    """
    if not varies(side):
        return max(least, -(-side // stride))
    found = torch.full((), torch.sym_max(least, (side + stride - 1) // stride), dtype=torch.int64).item()
    torch._check(found >= least)
    torch._check(found <= _MOST)
    return found  # type: ignore[return-value]  # a symbol, which counts as a number


def padded(side: int, stride: int) -> int:
    """Give the least multiple of ``stride`` that is no less than ``side``.

    >>> padded(65, 32), padded(64, 32)
    (96, 64)
    """
    return (side + stride - 1) // stride * stride  # of numbers below 0, exporters round the quotient up


def repeated(values: Tensor, size: Size, dimensions: tuple[int, int] = (-2, -1)) -> Tensor:
    """Bring values (…, h, w) to (…, H, W), no smaller, by repeating the last row and the last column.

    Args:
        dimensions: of the rows and the columns: (1, 2) for images (N, h, w, C).

    >>> repeated(torch.tensor([[[[1.0, 2.0]]]]), (2, 3)).tolist()
    [[[[1.0, 2.0, 2.0], [1.0, 2.0, 2.0]]]]
    """
    for dimension, side in zip(dimensions, size, strict=True):
        given = values.shape[dimension]
        if varies(side) or varies(given):
            places = torch.arange(side, device=values.device).clamp(max=given - 1)
            values = values.index_select(dimension, places)
        elif side > given:  # not by number: some runtimes count in 32-bit floats
            last = values.narrow(dimension, given - 1, 1)
            values = torch.cat([values, *[last] * (side - given)], dimension)
    return values


def cut(values: Tensor, size: Size) -> Tensor:
    """Give the first rows and columns of values (…, H, W): (…, h, w).

    Of sides that vary by their numbers: a slice would want proof that there are as many.

    >>> cut(torch.tensor([[[[1.0, 2.0], [3.0, 4.0]]]]), (1, 2)).tolist()
    [[[[1.0, 2.0]]]]
    """
    if not any(map(varies, (*size, *values.shape[-2:]))):
        return values[..., : size[0], : size[1]]
    rows, columns = (torch.arange(side, device=values.device) for side in size)
    return values.index_select(-2, rows).index_select(-1, columns)
