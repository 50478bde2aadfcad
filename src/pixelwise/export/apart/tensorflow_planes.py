"""The operators of ONNX that look at a pixel's neighbours: convolutions, pools, resizing and batch norm, in TensorFlow."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf
from tensorflow_operators import Call, Plane, Unsupported, known, last


def _padded(values: Any, call: Call, kernel: Sequence[int], filling: float = 0.0) -> Any:
    """Pad (N, H, W, C) as the attributes say, so that what follows need not."""
    kind = call.options.get("auto_pad", "NOTSET")
    if kind not in ("NOTSET", "VALID"):
        raise Unsupported(f"auto_pad {kind}")
    if call.options.get("ceil_mode"):
        raise Unsupported("ceil_mode")
    top, left, bottom, right = call.options.get("pads", [0] * 2 * len(kernel))
    if not any((top, left, bottom, right)):
        return values
    return tf.pad(values, [[0, 0], [top, bottom], [left, right], [0, 0]], constant_values=filling)


def _shifted(values: Any, call: Call, place: int) -> Plane:
    has_shift = len(call.inputs) > place and call.inputs[place] is not None
    return Plane(values + call.inputs[place] if has_shift else values)


def _convolution(call: Call) -> Any:
    weights = known(call.inputs[1], "weights")  # (M, C / groups, h, w)
    if weights.ndim != 4:
        raise Unsupported(f"a convolution of {weights.ndim - 2} dimensions")
    groups, strides = call.options.get("group", 1), call.options.get("strides", [1, 1])
    dilations = call.options.get("dilations", [1, 1])
    values = _padded(last(call.inputs[0]), call, weights.shape[2:])
    kernel = weights.transpose(2, 3, 1, 0)
    is_depthwise = groups > 1 and weights.shape[1] == 1 and strides[0] == strides[1]
    if is_depthwise and (max(strides) == 1 or max(dilations) == 1):
        kernel = weights.transpose(2, 3, 0, 1).reshape(*weights.shape[2:], groups, -1)
        found = tf.nn.depthwise_conv2d(values, kernel, [1, *strides, 1], "VALID", dilations=dilations)
        return _shifted(found, call, 2)
    parts = [
        tf.nn.conv2d(part, own, strides, "VALID", dilations=dilations)
        for part, own in zip(tf.split(values, groups, axis=3), np.split(kernel, groups, axis=3), strict=True)
    ]
    return _shifted(tf.concat(parts, axis=3) if groups > 1 else parts[0], call, 2)


def _transposed_convolution(call: Call) -> Any:
    weights = known(call.inputs[1], "weights")  # (C, M / groups, h, w)
    if max(call.options.get("dilations", [1, 1])) > 1:
        raise Unsupported("a dilated transposed convolution")
    groups, strides = call.options.get("group", 1), call.options.get("strides", [1, 1])
    values, kernel = last(call.inputs[0]), weights.transpose(2, 3, 1, 0)
    count, height, width = (tf.shape(values)[axis] for axis in range(3))
    sides = [(side - 1) * step + own for side, step, own in zip((height, width), strides, weights.shape[2:], strict=True)]
    parts = [
        tf.nn.conv2d_transpose(part, own, [count, *sides, weights.shape[1]], strides, "VALID")
        for part, own in zip(tf.split(values, groups, axis=3), np.split(kernel, groups, axis=3), strict=True)
    ]
    top, left, bottom, right = call.options.get("pads", [0, 0, 0, 0])
    more = call.options.get("output_padding", [0, 0])
    found = tf.pad(tf.concat(parts, axis=3), [[0, 0], [0, more[0]], [0, more[1]], [0, 0]])
    return _shifted(found[:, top : sides[0] + more[0] - bottom, left : sides[1] + more[1] - right], call, 2)


def _max_pool(call: Call) -> Any:
    if max(call.options.get("dilations", [1, 1])) > 1:
        raise Unsupported("a dilated max pool")
    kernel, strides = call.options["kernel_shape"], call.options.get("strides", [1, 1])
    values = last(call.inputs[0])
    if call.outputs == 1:
        values = _padded(values, call, kernel, values.dtype.min)
        return Plane(tf.nn.max_pool2d(values, kernel, strides, "VALID"))
    if any(call.options.get("pads", [])) or call.options.get("ceil_mode") or call.options.get("storage_order"):
        raise Unsupported("a padded max pool that gives places")
    found, places = tf.nn.max_pool_with_argmax(
        values, kernel, strides, "VALID", output_dtype=tf.int64, include_batch_in_index=True
    )
    return [Plane(found), Plane(_as_first(places, values))]


def _as_first(places: Any, values: Any) -> Any:
    """Bring places counted through (N, H, W, C) to those counted through (N, C, H, W)."""
    _, height, width, channels = tf.unstack(tf.shape(values, out_type=tf.int64))
    pixels, channel = places // channels, places % channels
    image, pixel = pixels // (height * width), pixels % (height * width)
    return (image * channels + channel) * height * width + pixel


def _average_pool(call: Call) -> Any:
    kernel, values = call.options["kernel_shape"], last(call.inputs[0])

    def pooled(given: Any) -> Any:
        return tf.nn.avg_pool2d(_padded(given, call, kernel), kernel, call.options.get("strides", [1, 1]), "VALID")

    found = pooled(values)
    if any(call.options.get("pads", [])) and not call.options.get("count_include_pad"):
        found /= pooled(tf.ones_like(values))
    return Plane(found)


def _global_pool(function: Callable[..., Any]) -> Callable[[Call], Any]:
    return lambda call: Plane(function(last(call.inputs[0]), axis=[1, 2], keepdims=True))


def _resize(call: Call) -> Any:
    values = last(call.inputs[0])
    scales, sizes = (*call.inputs[2:], None, None)[:2]
    if call.options.get("axes") is not None or call.options.get("antialias"):
        raise Unsupported("resizing along chosen axes or with antialiasing")
    if sizes is not None:
        size = tf.cast(tf.convert_to_tensor(sizes)[2:], tf.int32)
    else:
        size = tf.cast(tf.floor(tf.cast(tf.shape(values)[1:3], tf.float32) * tf.convert_to_tensor(scales)[2:]), tf.int32)
    mode = call.options.get("mode", "nearest")
    way = (mode, call.options.get("coordinate_transformation_mode", "half_pixel"))
    if way in (("linear", "half_pixel"), ("linear", "pytorch_half_pixel")):
        return Plane(tf.image.resize(values, size, "bilinear"))
    if way == ("linear", "align_corners"):
        return Plane(tf.compat.v1.image.resize_bilinear(values, size, align_corners=True))
    if way == ("nearest", "asymmetric") and call.options.get("nearest_mode") == "floor":
        return Plane(tf.compat.v1.image.resize_nearest_neighbor(values, size))
    raise Unsupported(f"resizing by {' '.join(way)}")


def _batch_norm(call: Call) -> Any:
    scale, shift, mean, variance = (known(value, "a norm") for value in call.inputs[1:5])
    factor = scale / np.sqrt(variance + call.options.get("epsilon", 1e-5))
    return Plane(last(call.inputs[0]) * factor + (shift - mean * factor))


def _instance_norm(call: Call) -> Any:
    values, scale, shift = last(call.inputs[0]), *call.inputs[1:]
    mean, variance = tf.nn.moments(values, axes=[1, 2], keepdims=True)
    return Plane((values - mean) * tf.math.rsqrt(variance + call.options.get("epsilon", 1e-5)) * scale + shift)


def _depth_to_space(call: Call) -> Any:
    if call.options.get("mode", "DCR") != "DCR":
        raise Unsupported("DepthToSpace in another order than DCR")
    return Plane(tf.nn.depth_to_space(last(call.inputs[0]), call.options["blocksize"]))


PLANES: Mapping[str, Callable[[Call], Any]] = {
    "AveragePool": _average_pool,
    "BatchNormalization": _batch_norm,
    "Conv": _convolution,
    "ConvTranspose": _transposed_convolution,
    "DepthToSpace": _depth_to_space,
    "GlobalAveragePool": _global_pool(tf.reduce_mean),
    "GlobalMaxPool": _global_pool(tf.reduce_max),
    "InstanceNormalization": _instance_norm,
    "MaxPool": _max_pool,
    "Resize": _resize,
}
