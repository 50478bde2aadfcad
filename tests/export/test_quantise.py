"""Eight bits: layers are kept by name, the model stays runnable, and the score is watched."""

import numpy as np
import pytest

from pixelwise.core.errors import ExportError, OptionError
from pixelwise.export.quantise import Control, halved, kept_layers, layers_of, quantised

onnx = pytest.importorskip("onnx")
runtime = pytest.importorskip("onnxruntime")


@pytest.fixture
def model():
    """Bytes (N, H, W, 3) through two convolutions to the class of each pixel."""
    from onnx import TensorProto, helper, numpy_helper

    rng = np.random.default_rng(0)
    weights = {
        "top": np.array(255, np.float32),
        "w1": rng.normal(size=(8, 3, 3, 3)).astype(np.float32),
        "w2": rng.normal(size=(3, 8, 1, 1)).astype(np.float32),
    }
    nodes = [
        helper.make_node("Cast", ["image"], ["floats"], name="floats", to=TensorProto.FLOAT),
        helper.make_node("Transpose", ["floats"], ["planes"], name="planes", perm=[0, 3, 1, 2]),
        helper.make_node("Div", ["planes", "top"], ["values"], name="values"),
        helper.make_node("Conv", ["values", "w1"], ["c1"], name="stem", pads=[1, 1, 1, 1]),
        helper.make_node("Relu", ["c1"], ["r1"], name="relu"),
        helper.make_node("Conv", ["r1", "w2"], ["logits"], name="head"),
        helper.make_node("ArgMax", ["logits"], ["numbers"], name="best", axis=1, keepdims=0),
        helper.make_node("Cast", ["numbers"], ["classes"], name="classes", to=TensorProto.UINT8),
    ]
    given = helper.make_tensor_value_info("image", TensorProto.UINT8, ["n", "h", "w", 3])
    found = helper.make_tensor_value_info("classes", TensorProto.UINT8, ["n", "h", "w"])
    stored = [numpy_helper.from_array(value, name) for name, value in weights.items()]
    graph = helper.make_graph(nodes, "two layers", [given], [found], stored)
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    entry = made.metadata_props.add()
    entry.key, entry.value = "pixelwise", "the sheet"
    return made


@pytest.fixture
def images():
    rng = np.random.default_rng(1)
    return [rng.integers(0, 256, (1, 24, 32, 3)).astype(np.uint8) for _ in range(4)]


def classes(model, image):
    return runtime.InferenceSession(model.SerializeToString()).run(None, {"image": image})[0]


def test_sixteen_bits_keep_classes_and_the_sheet(model, images):
    found = halved(model)
    assert (classes(found, images[0]) == classes(model, images[0])).mean() > 0.98
    assert found.metadata_props[0].value == "the sheet"


def test_eight_bits_keep_most_classes_and_the_sheet_and_a_kept_layer_stays(model, images):
    pytest.importorskip("nncf")
    found = quantised(model, images, keep=["hea*"])
    assert (classes(found, images[0]) == classes(model, images[0])).mean() > 0.95
    assert found.metadata_props[0].value == "the sheet"
    kinds = list(layers_of(found).values())
    assert 0 < kinds.count("DequantizeLinear") < list(layers_of(quantised(model, images)).values()).count("DequantizeLinear")
    (head,) = (node for node in found.graph.node if node.name == "head")
    assert head.input[1] == "w2"  # not a dequantised weight


def test_layers_are_put_back_while_the_score_is_too_low(model, images):
    pytest.importorskip("nncf")
    true = [classes(model, image) for image in images]

    def score(session, rows):
        return float(np.mean([(session.run(None, {"image": images[row]})[0] == true[row]).mean() for row in rows]))

    found = quantised(model, images, control=Control(range(4), score, most=0.0))
    assert "QuantizeLinear" not in layers_of(found).values()


def test_what_goes_wrong_in_the_score_is_told(model, images):
    pytest.importorskip("nncf")

    def score(session, rows):
        raise OptionError("no such metric")

    with pytest.raises(OptionError, match="no such metric"):
        quantised(model, images, control=Control(range(4), score, most=0.0))


def test_no_images_and_no_such_layer_are_told(model, images):
    pytest.importorskip("nncf")
    with pytest.raises(ExportError, match="no image is given"):
        quantised(model, [])
    with pytest.raises(OptionError, match="--keep haed: no layer is called so; did you mean 'head'"):
        quantised(model, images, keep=["haed"])


def test_a_layer_whose_bias_openvino_took_out_keeps_its_name():
    assert kept_layers({"head/WithoutBiases": "Convolution"}, ["head"]) == ["head/WithoutBiases"]
