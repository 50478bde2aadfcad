"""The operators of ONNX that move numbers without changing them: shapes, slices, gathering and padding, in TensorFlow."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import tensorflow as tf
from tensorflow_operators import Call, Plane, Unsupported, first, known, last


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


def _shape(call: Call) -> Any:
    shape = tf.shape(first(call.inputs[0]), out_type=tf.int64)
    return shape[call.options.get("start", 0) : call.options.get("end")]


def _transpose(call: Call) -> Any:
    value = tf.convert_to_tensor(first(call.inputs[0]))
    return tf.transpose(value, call.options.get("perm", list(reversed(range(len(value.shape))))))


PLACES: Mapping[str, Callable[[Call], Any]] = {
    "Concat": _concat,
    "ConstantOfShape": lambda call: tf.fill(call.inputs[0], np.asarray(call.options.get("value", np.float32(0))).ravel()[0]),
    "Expand": lambda call: tf.broadcast_to(
        first(call.inputs[0]),
        tf.broadcast_dynamic_shape(_shape(Call(call.inputs[:1], {}, 1)), tf.cast(call.inputs[1], tf.int64)),
    ),
    "Flatten": _flatten,
    "Gather": _gather,
    "GatherElements": _gather_elements,
    "Identity": lambda call: call.inputs[0],
    "Pad": _pad,
    "Range": lambda call: tf.range(*call.inputs),
    "Reshape": _reshape,
    "ScatterElements": _scatter_elements,
    "Shape": _shape,
    "Slice": _slice,
    "Split": _split,
    "Squeeze": _squeeze,
    "Transpose": _transpose,
    "Unsqueeze": _unsqueeze,
}
