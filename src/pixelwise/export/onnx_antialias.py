"""Bicubic resizing without aliasing, for ONNX: the product with two matrices.

Vision transformers bring their learned positions to the image's size this way. ONNX has an attribute for it that OpenVINO reads
past; so the weights are computed in the graph, from the two sizes: Keys' kernel [1], as wide as the coarser of the two grids
wants it.

[1] Keys: Cubic convolution interpolation for digital image processing, IEEE TASSP 29 (6), 1981, with a = -1/2.
"""

from typing import Any

from onnxscript import opset18 as op
from onnxscript.onnx_types import FLOAT, INT64


def resized(
    values: FLOAT, output_size: INT64, align_corners: bool, scales_h: float | None = None, scales_w: float | None = None
) -> FLOAT:
    """Resize values (N, C, H, W) to ``output_size`` (h, w), as torch does, corners not aligned."""
    shape = op.Shape(values)
    down, across = (_weights(_at(shape, axis + 2), _at(output_size, axis)) for axis in (0, 1))
    return op.MatMul(op.MatMul(down, values), op.Transpose(across, perm=[1, 0]))


def _at(sizes: Any, place: int) -> Any:
    return op.Gather(sizes, op.Constant(value_int=place), axis=0)


def _weights(given: Any, wanted: Any) -> Any:
    """Give (wanted, given): the share of each pixel given in each pixel wanted."""
    step = op.Div(op.Cast(given, to=FLOAT.dtype), op.Cast(wanted, to=FLOAT.dtype))
    wide = op.Max(step, _number(1.0))
    middles = op.Unsqueeze(op.Mul(_pixels(wanted), step), op.Constant(value_ints=[1]))
    distances = op.Div(op.Abs(op.Sub(op.Unsqueeze(_pixels(given), op.Constant(value_ints=[0])), middles)), wide)
    near = _polynomial(distances, 1.5, -2.5, 0.0, 1.0)
    far = _polynomial(distances, -0.5, 2.5, -4.0, 2.0)
    beyond = op.Where(op.Less(distances, _number(2.0)), far, _number(0.0))
    kernel = op.Where(op.Less(distances, _number(1.0)), near, beyond)
    return op.Div(kernel, op.ReduceSum(kernel, op.Constant(value_ints=[1]), keepdims=1))


def _pixels(count: Any) -> Any:
    """Give the middles of so many pixels: 0.5, 1.5 and on."""
    whole = op.Range(op.Constant(value_int=0), count, op.Constant(value_int=1))
    return op.Add(op.Cast(whole, to=FLOAT.dtype), _number(0.5))


def _polynomial(values: Any, *coefficients: float) -> Any:
    result = _number(coefficients[0])
    for one in coefficients[1:]:
        result = op.Add(op.Mul(result, values), _number(one))
    return result


def _number(value: float) -> Any:
    return op.Constant(value_float=value)
