"""The operators of ONNX [1] that exported networks use, each as a function of TensorFlow.

ONNX lays images out as (N, C, H, W), and TensorFlow's kernels on CPUs know (N, H, W, C) alone. What a convolution gives is
therefore kept as a ``Plane`` in the second layout until an operator needs the first, so that a network of convolutions is
not transposed twice for each of them.

[1] ONNX Operator Schemas, https://onnx.ai/onnx/operators/, opsets 18 to 20.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

TO_LAST, TO_FIRST = [0, 2, 3, 1], [0, 3, 1, 2]


class Plane(NamedTuple):
    """A value (N, C, H, W) of ONNX, held as (N, H, W, C)."""

    values: Any


class Unsupported(Exception):
    """Report an operator, or a form of one, that has no row here."""


class Call(NamedTuple):
    """One use of an operator: its inputs (None where left out), its attributes, and how many outputs are wanted."""

    inputs: Sequence[Any]
    options: Mapping[str, Any]
    outputs: int


def first(value: Any) -> Any:
    """Give a value in ONNX's own layout."""
    return tf.transpose(value.values, TO_FIRST) if isinstance(value, Plane) else value


def last(value: Any) -> Any:
    """Give a value (N, C, H, W) as (N, H, W, C); values of fewer axes gain leading ones first, as broadcasting does."""
    if isinstance(value, Plane):
        return value.values
    axes = len(value.shape)
    if axes == 0:
        return value
    spread = tf.reshape(value, [1] * (4 - axes) + list(value.shape)) if axes < 4 else value
    return tf.transpose(spread, TO_LAST)


def known(value: Any, what: str) -> np.ndarray:
    """Give a value that must be known while the graph is built."""
    found = value if isinstance(value, np.ndarray) else tf.get_static_value(value)
    if found is None:
        raise Unsupported(f"{what} that depends on the image")
    return np.asarray(found)


def _each(function: Callable[..., Any]) -> Callable[[Call], Any]:
    """Apply a function value by value, in the layout that the value is in."""

    def apply(call: Call) -> Any:
        value = call.inputs[0]
        return Plane(function(value.values)) if isinstance(value, Plane) else function(tf.convert_to_tensor(value))

    return apply


def _both(function: Callable[..., Any]) -> Callable[[Call], Any]:
    """Apply a function of two or more values that broadcast; one plane among them makes the result one."""

    def apply(call: Call) -> Any:
        if any(isinstance(value, Plane) for value in call.inputs):
            return Plane(_folded(function, [last(value) for value in call.inputs]))
        return _folded(function, [tf.convert_to_tensor(value) for value in call.inputs])

    return apply


def _folded(function: Callable[..., Any], values: Sequence[Any]) -> Any:
    result = values[0]
    for value in values[1:]:
        result = function(result, value)
    return result


def _divided(one: Any, other: Any) -> Any:
    return tf.truncatediv(one, other) if one.dtype.is_integer else one / other


def _clip(call: Call) -> Any:
    low, high = (*call.inputs[1:], None, None)[:2]

    def clip(value: Any) -> Any:
        value = value if low is None else tf.maximum(value, tf.cast(low, value.dtype))
        return value if high is None else tf.minimum(value, tf.cast(high, value.dtype))

    return _each(clip)(call)


def _gelu(call: Call) -> Any:
    return _each(lambda value: tf.nn.gelu(value, approximate=call.options.get("approximate") == "tanh"))(call)


def _hard_sigmoid(call: Call) -> Any:
    slope, shift = call.options.get("alpha", 0.2), call.options.get("beta", 0.5)
    return _each(lambda value: tf.clip_by_value(slope * value + shift, 0.0, 1.0))(call)


def _cast(call: Call) -> Any:
    import onnx

    wanted = tf.as_dtype(onnx.helper.tensor_dtype_to_np_dtype(call.options["to"]))
    return _each(lambda value: tf.cast(value, wanted))(call)


def _softmax(call: Call) -> Any:
    value, axis = call.inputs[0], call.options.get("axis", -1)
    if isinstance(value, Plane) and axis == 1:
        return Plane(tf.nn.softmax(value.values, axis=-1))
    return tf.nn.softmax(first(value), axis=axis)


def _reduced(function: Callable[..., Any]) -> Callable[[Call], Any]:
    def reduce(call: Call) -> Any:
        given = call.inputs[1] if len(call.inputs) > 1 else call.options.get("axes")
        axes = None if given is None else [int(axis) for axis in np.atleast_1d(known(given, "axes"))]
        keep, value = bool(call.options.get("keepdims", 1)), call.inputs[0]
        if isinstance(value, Plane) and keep and axes in ([2, 3], [-2, -1], [-1, -2]):  # as a global average pool
            return Plane(function(value.values, axis=[1, 2], keepdims=True))
        return function(first(value), axis=axes, keepdims=keep)

    return reduce


def _arg_max(call: Call) -> Any:
    value, axis, keep = call.inputs[0], call.options.get("axis", 0), call.options.get("keepdims", 1)
    if isinstance(value, Plane) and axis == 1 and not keep:
        return tf.argmax(value.values, axis=3)
    found = tf.argmax(first(value), axis=axis)
    return tf.expand_dims(found, axis) if keep else found


def _concat(call: Call) -> Any:
    axis = call.options["axis"]
    if axis in (1, -3) and any(isinstance(value, Plane) for value in call.inputs):
        return Plane(tf.concat([last(value) for value in call.inputs], axis=3))
    values = [tf.convert_to_tensor(first(value)) for value in call.inputs]
    return tf.concat(values, axis=axis)


def _reshape(call: Call) -> Any:
    value, shape = first(call.inputs[0]), call.inputs[1]
    found = tf.get_static_value(tf.convert_to_tensor(shape))
    if found is None or call.options.get("allowzero"):
        return tf.reshape(value, shape)
    given = tf.shape(value, out_type=tf.int64)
    return tf.reshape(value, [given[axis] if side == 0 else side for axis, side in enumerate(found.tolist())])


def _flatten(call: Call) -> Any:
    value, axis = first(call.inputs[0]), call.options.get("axis", 1)
    shape = tf.shape(value)
    return tf.reshape(value, [tf.reduce_prod(shape[:axis]), -1])


def _squeeze(call: Call) -> Any:
    axes = known(call.inputs[1], "axes").tolist() if len(call.inputs) > 1 else None
    return tf.squeeze(first(call.inputs[0]), axis=axes)


def _unsqueeze(call: Call) -> Any:
    value = tf.convert_to_tensor(first(call.inputs[0]))
    axes = known(call.inputs[1], "axes").ravel().tolist()
    for axis in sorted(axis % (len(value.shape) + len(axes)) for axis in axes):
        value = tf.expand_dims(value, axis)
    return value


def _slice(call: Call) -> Any:
    value = tf.convert_to_tensor(first(call.inputs[0]))
    starts, ends, axes, steps = (*call.inputs[1:], None, None)[:4]
    count = int(tf.convert_to_tensor(starts).shape[0])
    chosen: list[Any] = [slice(None)] * len(value.shape)
    for row in range(count):
        axis = row if axes is None else int(known(axes, "axes")[row])
        step = 1 if steps is None else int(known(steps, "steps")[row])
        side = tf.shape(value, out_type=tf.int64)[axis]
        end = tf.cast(ends[row], tf.int64)
        stop = None if step < 0 and int(known(end, "an end")) < -(2**31) else tf.minimum(end, side)
        chosen[axis] = slice(tf.cast(starts[row], tf.int64), stop, step)
    return value[tuple(chosen)]


def _split(call: Call) -> Any:
    value, axis = first(call.inputs[0]), call.options.get("axis", 0)
    if len(call.inputs) > 1:
        return tf.split(value, known(call.inputs[1], "sizes").tolist(), axis=axis)
    return tf.split(value, call.options.get("num_outputs", call.outputs), axis=axis)


def _gather(call: Call) -> Any:
    value = tf.convert_to_tensor(first(call.inputs[0]))
    axis = call.options.get("axis", 0)
    rows = tf.cast(call.inputs[1], tf.int64)
    return tf.gather(value, tf.where(rows < 0, rows + tf.shape(value, out_type=tf.int64)[axis], rows), axis=axis)


def _places(rows: Any, axis: int) -> Any:
    """Give the full index (…, axes) of every element that ``rows`` points at along ``axis``."""
    grid = tf.meshgrid(*[tf.range(side) for side in tf.unstack(tf.shape(rows, out_type=tf.int64))], indexing="ij")
    grid[axis] = tf.cast(rows, tf.int64)
    return tf.stack(grid, axis=-1)


def _gather_elements(call: Call) -> Any:
    value, rows = first(call.inputs[0]), first(call.inputs[1])
    return tf.gather_nd(value, _places(rows, call.options.get("axis", 0) % len(value.shape)))


def _scatter_elements(call: Call) -> Any:
    value, rows, updates = (tf.convert_to_tensor(first(given)) for given in call.inputs)
    places = _places(rows, call.options.get("axis", 0) % len(value.shape))
    kind = call.options.get("reduction", "none")
    if kind not in ("none", "add"):
        raise Unsupported(f"ScatterElements by {kind}")
    scatter = tf.tensor_scatter_nd_add if kind == "add" else tf.tensor_scatter_nd_update
    return scatter(value, places, updates)


def _pad(call: Call) -> Any:
    value, mode = first(call.inputs[0]), call.options.get("mode", "constant")
    pads = tf.reshape(tf.cast(call.inputs[1], tf.int32), [2, -1])
    if mode == "constant":
        filling = call.inputs[2] if len(call.inputs) > 2 and call.inputs[2] is not None else 0
        return tf.pad(value, tf.transpose(pads), constant_values=tf.cast(tf.squeeze(filling), value.dtype))
    if mode == "reflect":
        return tf.pad(value, tf.transpose(pads), mode="REFLECT")
    for axis in range(len(value.shape)):
        side = tf.shape(value)[axis]
        rows = tf.range(-pads[0, axis], side + pads[1, axis])
        value = tf.gather(value, tf.clip_by_value(rows, 0, side - 1), axis=axis)
    return value


def _layer_norm(call: Call) -> Any:
    value, scale, *shift = call.inputs
    value, axis = first(value), call.options.get("axis", -1)
    axes = list(range(axis % len(value.shape), len(value.shape)))
    mean, variance = tf.nn.moments(value, axes=axes, keepdims=True)
    found = (value - mean) * tf.math.rsqrt(variance + call.options.get("epsilon", 1e-5)) * scale
    return found + shift[0] if shift and shift[0] is not None else found


def _gemm(call: Call) -> Any:
    one, other, *shift = call.inputs
    product = tf.matmul(
        first(one), other, transpose_a=bool(call.options.get("transA")), transpose_b=bool(call.options.get("transB"))
    )
    product *= call.options.get("alpha", 1.0)
    return product + call.options.get("beta", 1.0) * shift[0] if shift else product


def _shape(call: Call) -> Any:
    shape = tf.shape(first(call.inputs[0]), out_type=tf.int64)
    return shape[call.options.get("start", 0) : call.options.get("end")]


def _transpose(call: Call) -> Any:
    value = tf.convert_to_tensor(first(call.inputs[0]))
    return tf.transpose(value, call.options.get("perm", list(reversed(range(len(value.shape))))))


def _top_k(call: Call) -> Any:
    value, axis = first(call.inputs[0]), call.options.get("axis", -1)
    if axis not in (-1, len(value.shape) - 1) or not call.options.get("largest", 1):
        raise Unsupported("TopK along another axis than the last, or of the smallest")
    found = tf.math.top_k(value, tf.cast(tf.squeeze(call.inputs[1]), tf.int32))
    return [found.values, tf.cast(found.indices, tf.int64)]


OPERATORS: Mapping[str, Callable[[Call], Any]] = {
    "Add": _both(tf.add),
    "And": _both(tf.logical_and),
    "ArgMax": _arg_max,
    "Cast": _cast,
    "Ceil": _each(tf.math.ceil),
    "Clip": _clip,
    "Concat": _concat,
    "Constant": lambda call: next(iter(call.options.values())),
    "ConstantOfShape": lambda call: tf.fill(call.inputs[0], np.asarray(call.options.get("value", np.float32(0))).ravel()[0]),
    "Div": _both(_divided),
    "Equal": _both(tf.equal),
    "Erf": _each(tf.math.erf),
    "Exp": _each(tf.exp),
    "Expand": lambda call: tf.broadcast_to(
        first(call.inputs[0]),
        tf.broadcast_dynamic_shape(_shape(Call(call.inputs[:1], {}, 1)), tf.cast(call.inputs[1], tf.int64)),
    ),
    "Flatten": _flatten,
    "Floor": _each(tf.floor),
    "Gather": _gather,
    "GatherElements": _gather_elements,
    "Gelu": _gelu,
    "Gemm": _gemm,
    "Greater": _both(tf.greater),
    "HardSigmoid": _hard_sigmoid,
    "HardSwish": _each(lambda value: value * tf.clip_by_value(value / 6 + 0.5, 0.0, 1.0)),
    "Identity": lambda call: call.inputs[0],
    "LayerNormalization": _layer_norm,
    "LeakyRelu": lambda call: _each(lambda value: tf.nn.leaky_relu(value, call.options.get("alpha", 0.01)))(call),
    "Less": _both(tf.less),
    "Log": _each(tf.math.log),
    "MatMul": lambda call: tf.matmul(*(tf.convert_to_tensor(first(value)) for value in call.inputs)),
    "Max": _both(tf.maximum),
    "Min": _both(tf.minimum),
    "Mod": _both(tf.math.floormod),
    "Mul": _both(tf.multiply),
    "Neg": _each(tf.negative),
    "Not": _each(tf.logical_not),
    "Or": _both(tf.logical_or),
    "PRelu": _both(lambda value, slope: tf.where(value >= 0, value, value * slope)),
    "Pad": _pad,
    "Pow": _both(lambda value, power: tf.pow(value, tf.cast(power, value.dtype))),
    "Range": lambda call: tf.range(*call.inputs),
    "Reciprocal": _each(tf.math.reciprocal),
    "ReduceMax": _reduced(tf.reduce_max),
    "ReduceMean": _reduced(tf.reduce_mean),
    "ReduceSum": _reduced(tf.reduce_sum),
    "Relu": _each(tf.nn.relu),
    "Reshape": _reshape,
    "ScatterElements": _scatter_elements,
    "Shape": _shape,
    "Sigmoid": _each(tf.sigmoid),
    "Slice": _slice,
    "Softmax": _softmax,
    "Softplus": _each(tf.math.softplus),
    "Split": _split,
    "Sqrt": _each(tf.sqrt),
    "Squeeze": _squeeze,
    "Sub": _both(tf.subtract),
    "Sum": _both(tf.add),
    "Tanh": _each(tf.tanh),
    "TopK": _top_k,
    "Transpose": _transpose,
    "Unsqueeze": _unsqueeze,
    "Where": lambda call: tf.where(*(tf.convert_to_tensor(first(value)) for value in call.inputs)),
}
