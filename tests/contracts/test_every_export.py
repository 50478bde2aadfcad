"""What every exported file must do: give the masks that the network gives, for images of any size and any number of them."""

import io
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")
pytest.importorskip("openvino")

import torch
from tiny_models import TINY

from pixelwise.core.errors import CheckpointError, OptionError
from pixelwise.core.image import Image
from pixelwise.core.labels import LabelSet
from pixelwise.core.predictor import Request
from pixelwise.core.segmentation import Kind, Segmentation
from pixelwise.export import EXPORTERS
from pixelwise.export.artefact import Artefact
from pixelwise.export.graph import Graph
from pixelwise.export.opened import open_exported
from pixelwise.export.sheet import Input
from pixelwise.models import MODELS
from pixelwise.models.segmenter import Segmenter
from pixelwise.predict.network import Network
from pixelwise.scenes import scenes

HERE = ("onnx", "openvino", "torch_export", "torchscript")  # those that run without an environment of their own
LABELS = LabelSet.of(["sky", "grass", "car", "dot"], things=["car", "dot"])
ANY_SIZE = Input()
EACH = [(name, kind) for name in sorted(MODELS) for kind in MODELS[name].KINDS]


def network(name: str = "unet", kind: Kind = "semantic") -> Segmenter:
    torch.manual_seed(0)
    options = TINY[name] if name != "unet" else {"encoder": "plain", "weights": "none", "width": 4, "depth": 2}
    return MODELS[name].build(LABELS, kind, **options).eval()


def images() -> list[Image]:
    """Give drawn images: one of many objects, one cut to an odd size, and one smaller than the stride."""
    first, second = (sample.image.pixels for sample in scenes(2, (64, 96), "instance", seed=12))
    return [Image(first), Image(second), Image(first[:37, :59].copy()), Image(first[:9, :11].copy())]


def fitting(artefact: Artefact) -> list[Image]:
    """Give those that the file takes as they are; it pads others further than the network does."""
    given = artefact.sheet.input
    return [image for image in images() if given.size in (None, image.size) and min(image.size) >= given.least]


def exported(target: str, model: Segmenter, folder: Path, given: Input = ANY_SIZE, probabilities: bool = False) -> Artefact:
    exporter, graph = EXPORTERS[target], Graph(model, probabilities)
    path = folder / f"model{exporter.SUFFIX}"
    exporter.export(graph, graph.sheet(given), path)
    return open_exported(path, "cpu")


def same(one: Segmentation, other: Segmentation) -> float:
    """Give the share of equal pixels, of those segments that differ most."""
    assert one.size == other.size
    if one.kind == "semantic":
        return float((one.class_map() == other.class_map()).mean())
    if one.kind == "multilabel":
        return float((members(one) == members(other)).mean(axis=(1, 2)).min())
    assert sorted(one.class_ids) == sorted(other.class_ids)
    left, worst = list(range(len(other.class_ids))), 1.0
    for row, class_id in enumerate(one.class_ids):  # segments of nearly one score may change places
        mask = one.masks.mask(row)
        share, best = max((float((mask == other.masks.mask(at)).mean()), at) for at in left if other.class_ids[at] == class_id)
        left.remove(best)
        worst = min(worst, share)
    return worst


def members(of: Segmentation) -> np.ndarray:
    """Give (L, H, W): which pixels are of each class; of some none is."""
    found = np.zeros((len(of.labels), *of.size), bool)
    for row, class_id in enumerate(of.class_ids):
        found[class_id] = of.masks.mask(row)
    return found


@pytest.fixture(
    scope="module", params=[pytest.param(name, marks=pytest.mark.slow) if name == "openvino" else name for name in HERE]
)
def small(request, tmp_path_factory):
    """A network of a few parameters, and its file of one kind, of any size where the kind allows it."""
    model, given = network(), ANY_SIZE if request.param != "torchscript" else Input(size=(64, 96), batch=1)
    return model, exported(request.param, model, tmp_path_factory.mktemp("made"), given, probabilities=True)


def test_the_file_alone_is_the_model(small):
    model, artefact = small
    assert artefact.card.labels == LABELS
    assert artefact.card.name == "unet"
    assert artefact.sheet.made["pixelwise"]
    assert artefact.fingerprint() == artefact.fingerprint()
    given = fitting(artefact)
    for ours, theirs in zip(Network(model, "cpu", "fp32")(given), artefact(given), strict=True):
        assert same(ours, theirs) > 0.999
        assert theirs.scores == pytest.approx(ours.scores, abs=1e-4)


def test_probabilities_are_those_of_the_network(small):
    model, artefact = small
    wanted, given = Request(probabilities=True), fitting(artefact)
    for ours, theirs in zip(Network(model, "cpu", "fp32")(given, wanted), artefact(given, wanted), strict=True):
        assert theirs.probabilities == pytest.approx(ours.probabilities, abs=1e-4)


def test_another_device_or_precision_than_the_runtime_has_is_refused(small):
    path = small[1].path
    with pytest.raises(OptionError):
        open_exported(path, "npu7")
    with pytest.raises(OptionError):
        open_exported(path, "cpu", "fp4")


def test_a_file_cut_off_is_told(small, tmp_path):
    path = small[1].path
    for part in {path, path.with_suffix(".bin")} & set(path.parent.iterdir()):
        whole = part.read_bytes()
        (tmp_path / part.name).write_bytes(whole[: len(whole) // 2])
    with pytest.raises(CheckpointError, match=path.name):
        open_exported(tmp_path / path.name)


def test_a_file_made_elsewhere_wants_a_card_beside_it(tmp_path):
    import onnx

    node = onnx.helper.make_node("Identity", ["x"], ["y"])
    shape = [1, 3, 8, 8]
    sides = [onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, shape) for name in ("x", "y")]
    graph = onnx.helper.make_graph([node], "g", sides[:1], sides[1:])
    stored = io.BytesIO()
    onnx.save(onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 17)], ir_version=8), stored)
    (tmp_path / "a.onnx").write_bytes(stored.getvalue())
    with pytest.raises(CheckpointError, match=r"a\.onnx\.card\.json"):
        open_exported(tmp_path / "a.onnx")


@pytest.mark.slow
@pytest.mark.parametrize("target", ["onnx", "openvino", "torch_export"])
@pytest.mark.parametrize(("name", "kind"), EACH)
def test_every_network_gives_the_same_masks(name, kind, target, tmp_path):
    model = network(name, kind)
    artefact = exported(target, model, tmp_path)
    given = fitting(artefact)
    for ours, theirs in zip(Network(model, "cpu", "fp32")(given), artefact(given), strict=True):
        assert same(ours, theirs) > 0.999


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(MODELS))
def test_every_network_as_it_comes_is_recorded_for_any_size(name, tmp_path):
    """At its usual options, on the encoder it has by default: tiny ones are made of other parts."""
    model = MODELS[name].build(LABELS, MODELS[name].KINDS[0], weights="none").eval()
    artefact = exported("torch_export", model, tmp_path)
    (image,) = fitting(artefact)[1:2]
    (ours,), (theirs,) = Network(model, "cpu", "fp32")([image]), artefact([image])
    assert same(ours, theirs) > 0.999
