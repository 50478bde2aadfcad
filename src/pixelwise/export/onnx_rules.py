"""What stands in ONNX for operators of ours: rules for torch's exporter, by operator."""

from collections.abc import Callable
from typing import Any

import torch


def translations() -> dict[Callable[..., Any], Callable[..., Any]]:
    """Give the ``custom_translation_table`` of ``torch.onnx.export``."""
    from pixelwise.export import onnx_antialias
    from pixelwise.models.heads import box_apart  # registers its operator

    assert box_apart.best_apart
    return {
        torch.ops.pixelwise.best_apart.default: _best_apart,
        torch.ops.aten._upsample_bicubic2d_aa.default: onnx_antialias.resized,
    }


def _best_apart(boxes: Any, scores: Any, overlap: float) -> Any:
    """Mark the best of boxes (N, G, B, 4) that overlap, as ``models.heads.box_apart`` does.

    ``NonMaxSuppression`` lists the boxes it keeps, a number that varies; they are put back into as many marks as there are
    scores. Groups are laid out as images, so none of its other rules is needed.
    """
    from onnxscript import opset18 as op
    from onnxscript.onnx_types import BOOL

    shape = op.Shape(scores)
    count = op.Gather(shape, op.Constant(value_ints=[2]), axis=0)
    rows = op.Reshape(scores, op.Concat(op.Constant(value_ints=[-1, 1]), count, axis=0))
    corners = op.Reshape(boxes, op.Concat(op.Constant(value_ints=[-1]), count, op.Constant(value_ints=[4]), axis=0))
    none = op.Constant(value_floats=[0.0])  # the least score: rows at or below it are no boxes
    kept = op.NonMaxSuppression(corners, rows, count, op.Constant(value_floats=[float(overlap)]), none)
    places = op.Gather(kept, op.Constant(value_ints=[0, 2]), axis=1)
    marked = op.Expand(op.Constant(value_floats=[1.0]), op.Gather(op.Shape(kept), op.Constant(value_ints=[0]), axis=0))
    images = op.Gather(op.Shape(rows), op.Constant(value_ints=[0]), axis=0)
    unmarked = op.Expand(none, op.Concat(images, count, axis=0))
    marks = op.Reshape(op.ScatterND(unmarked, places, marked), shape)
    return op.And(op.Cast(marks, to=BOOL.dtype), op.Greater(scores, op.Constant(value_float=0.0)))
