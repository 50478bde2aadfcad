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
    "Constant": lambda call: next(iter(call.options.values())),
    "Div": _both(_divided),
    "Equal": _both(tf.equal),
    "Erf": _each(tf.math.erf),
    "Exp": _each(tf.exp),
    "Floor": _each(tf.floor),
    "Gelu": _gelu,
    "Gemm": _gemm,
    "Greater": _both(tf.greater),
    "HardSigmoid": _hard_sigmoid,
    "HardSwish": _each(lambda value: value * tf.clip_by_value(value / 6 + 0.5, 0.0, 1.0)),
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
    "Pow": _both(lambda value, power: tf.pow(value, tf.cast(power, value.dtype))),
    "Reciprocal": _each(tf.math.reciprocal),
    "ReduceMax": _reduced(tf.reduce_max),
    "ReduceMean": _reduced(tf.reduce_mean),
    "ReduceSum": _reduced(tf.reduce_sum),
    "Relu": _each(tf.nn.relu),
    "Sigmoid": _each(tf.sigmoid),
    "Softmax": _softmax,
    "Softplus": _each(tf.math.softplus),
    "Sqrt": _each(tf.sqrt),
    "Sub": _both(tf.subtract),
    "Sum": _both(tf.add),
    "Tanh": _each(tf.tanh),
    "TopK": _top_k,
    "Where": lambda call: tf.where(*(tf.convert_to_tensor(first(value)) for value in call.inputs)),
}
