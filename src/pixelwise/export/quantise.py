"""Fewer bits: weights in 16 bits, and weights and activations in 8 with ranges that real images have shown (NNCF, [1]).

What lies before the first convolution (values, normalisation) and after the last decision (the class of a pixel) is left as it
is. Layers named by ``keep`` are, too. Where a score can be had, layers that cost most of it are put back to 32 bits, one after
the other, until the score has fallen by no more than is allowed.

[1] Nagel et al., A White Paper on Neural Network Quantization, arXiv:2106.08295.
"""

import contextlib
import logging
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

from pixelwise.core.arrays import AnyArray
from pixelwise.core.errors import ExportError, MissingExtra, OptionError, PixelwiseError, first_line, nearest

LAYERS = frozenset(
    {"Conv", "ConvTranspose", "Gemm", "MatMul"}
    | {"Convolution", "ConvolutionBackpropData", "GroupConvolution", "GroupConvolutionBackpropData"}
)  # of ONNX and of OpenVINO, whose weights are quantised
_SPLIT = "/WithoutBiases"  # what OpenVINO adds to the name of a layer whose bias it has made an operation of its own
_NORMED = frozenset({"LayerNormalization", "MVN", "ScaledDotProductAttention", "Attention"})  # marks of transformers


@dataclass(frozen=True)
class Control:
    """How the score of a quantised model is watched.

    Attributes:
        samples: to score on, apart from those that are proved on.
        score: the score of a compiled model (of OpenVINO, or a session of ONNX Runtime) on some of them; higher is better.
        most: by how much it may fall.
        layers: how many may be put back at most.
    """

    samples: Sequence[Any]
    score: Callable[[Any, Sequence[Any]], float]
    most: float
    layers: int = 20


def quantised(model: Any, inputs: Sequence[AnyArray], *, keep: Sequence[str] = (), control: Control | None = None) -> Any:
    """Give a model of 8 bits.

    Args:
        model: an ``openvino.Model`` or an ``onnx.ModelProto`` with one input; it stays as it is.
        inputs: images as the model takes them, which show what ranges values have.
        keep: names or patterns (``*decoder*``) of layers that stay in 32 bits.
        control: how its score is watched; None leaves all layers quantised.

    Raises:
        MissingExtra: NNCF is not installed.
        OptionError: ``keep`` names no layer.
        ExportError: there are no images, or NNCF cannot quantise the model.
    """
    try:
        import nncf
    except ImportError:
        raise MissingExtra("nncf", extra="export", purpose="a model of 8 bits") from None
    if not len(inputs):
        raise ExportError("8 bits: no image is given whose values would say the ranges; give some with --data")
    layers, name = layers_of(model), _input_name(model)
    ignored = nncf.IgnoredScope(names=kept_layers(layers, keep), validate=False)
    kind = nncf.ModelType.TRANSFORMER if any(one in _NORMED for one in layers.values()) else None
    data = nncf.Dataset(list(inputs), lambda pixels: {name: pixels})
    options = {"ignored_scope": ignored, "model_type": kind, "subset_size": len(inputs)}
    with _quiet(nncf):
        try:
            if control is None:
                return nncf.quantize(model, data, **options)
            return _controlled(nncf, model, data, options, control)
        except PixelwiseError:
            raise
        except Exception as error:  # NNCF and the runtimes below it raise anything
            said = f"{type(error).__name__}: {first_line(error)}"
            raise ExportError(f"8 bits: NNCF cannot quantise this model: {said}") from error


def _controlled(nncf: Any, model: Any, data: Any, options: dict[str, Any], control: Control) -> Any:
    from nncf.quantization.advanced_parameters import AdvancedAccuracyRestorerParameters

    failed: list[Exception] = []

    def score(compiled: Any, samples: Any) -> tuple[float, None]:
        try:
            return control.score(_runnable(compiled), list(samples)), None
        except Exception as error:  # NNCF would take it for a model without a score and go on
            failed.append(error)
            raise

    found = nncf.quantize_with_accuracy_control(
        model,
        data,
        nncf.Dataset(list(control.samples)),
        score,
        max_drop=control.most,
        advanced_accuracy_restorer_parameters=AdvancedAccuracyRestorerParameters(
            max_num_iterations=control.layers, ranking_subset_size=min(8, len(control.samples))
        ),
        **options,
    )
    if failed:
        raise failed[0]
    return found


def _runnable(model: Any) -> Any:
    """Open an ``onnx.ModelProto``, which NNCF hands on as it is; OpenVINO's models come compiled."""
    if not hasattr(model, "SerializeToString"):
        return model
    import onnxruntime

    return onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])


def layers_of(model: Any) -> dict[str, str]:
    """Give the types of a model's operations by their names."""
    if hasattr(model, "get_ordered_ops"):
        return {one.get_friendly_name(): one.get_type_name() for one in model.get_ordered_ops()}
    return {node.name: node.op_type for node in model.graph.node}


def kept_layers(layers: dict[str, str], keep: Sequence[str]) -> list[str]:
    """Find the layers that names or patterns mean.

    >>> kept_layers({"head.conv": "Conv", "stem.conv": "Conv", "relu": "Relu"}, ["head*"])
    ['head.conv']

    Raises:
        OptionError: one means none; the message has the nearest names.
    """
    own = {name: name.removesuffix(_SPLIT) for name, kind in layers.items() if kind in LAYERS}
    found: dict[str, None] = {}
    for pattern in keep:
        hits = [name for name, short in own.items() if fnmatchcase(short, pattern)]
        if not hits:
            raise OptionError(f"--keep {pattern}: no layer is called so; {nearest(pattern, own.values())}")
        found |= dict.fromkeys(hits)
    return list(found)


def halved(model: Any) -> Any:
    """Give an ``onnx.ModelProto`` whose weights and activations have 16 bits; its input and outputs stay as they are.

    Resizing stays in 32 bits, as ONNX Runtime has no kernel of 16 for it on CPUs.

    Raises:
        MissingExtra: ONNX Runtime is not installed.
    """
    try:
        from onnxruntime.transformers.float16 import DEFAULT_OP_BLOCK_LIST, convert_float_to_float16
    except ImportError:
        raise MissingExtra("onnxruntime", extra="export", purpose="a model of 16 bits") from None
    return convert_float_to_float16(model, keep_io_types=True, op_block_list=[*DEFAULT_OP_BLOCK_LIST, "Resize"])


def _input_name(model: Any) -> str:
    if hasattr(model, "get_ordered_ops"):
        return str(model.inputs[0].get_any_name())
    weights = {one.name for one in model.graph.initializer}
    return str(next(one.name for one in model.graph.input if one.name not in weights))


@contextlib.contextmanager
def _quiet(nncf: Any) -> Iterator[None]:
    """Keep NNCF's bars and notes off standard output, which belongs to the command."""
    nncf.set_log_level(logging.ERROR)
    with contextlib.redirect_stdout(sys.stderr):
        yield
