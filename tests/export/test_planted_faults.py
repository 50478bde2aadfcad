"""Faults that exports are known for, planted into the graph of a real network: the proof fails by the figure that shows it."""

import json
from pathlib import Path
from shutil import copyfile

import numpy as np
import pytest

from pixelwise.cli import main
from pixelwise.core.errors import ExportError
from pixelwise.core.image import Image
from pixelwise.core.labels import LabelSet
from pixelwise.core.sample import Dataset, Sample
from pixelwise.core.segmentation import Segmentation
from pixelwise.export.artefact import Artefact
from pixelwise.export.evidence import proof_of
from pixelwise.export.parity import compare
from pixelwise.jobs.export import export, write_file
from pixelwise.jobs.exported import Wanted

onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")
pytest.importorskip("onnxscript")

LABELS = LabelSet.of(["road", "car", "tree"])


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A network of a few parameters, its file, and images whose truth is what it gives, but for a tenth of the pixels."""
    import torch

    from pixelwise.load import load
    from pixelwise.models.networks import unet
    from pixelwise.predict.network import Network

    torch.manual_seed(1)
    model = unet.build(LABELS, "semantic", encoder="plain", weights="none", width=4, depth=2).eval()
    with torch.no_grad():
        model.head.classify.weight *= 20
        model.head.classify.bias.zero_()
    path = tmp_path_factory.mktemp("export") / "model.onnx"
    write_file("onnx", model, path, Wanted(probabilities=True))
    network, rng, samples = Network(model, "cpu", "fp32"), np.random.default_rng(0), []
    for index in range(6):
        image = Image(np.kron(rng.integers(0, 256, (8, 12, 3)), np.ones((4, 4, 1), int)).astype(np.uint8))
        classes = network([image])[0].class_map().copy()
        wrong = rng.random(classes.shape) < 0.1
        classes[wrong] = (classes[wrong] + 1) % 3
        samples.append(Sample.of(f"s{index}", image, Segmentation.from_class_map(classes, LABELS)))
    return network, load(path, "cpu"), Dataset(samples, LABELS, "semantic", name="blocks")


def another_mean(images, session):
    return session(np.clip(images.astype(int) + 40, 0, 255).astype(np.uint8))


def channels_turned_round(images, session):
    return session(np.ascontiguousarray(images[..., ::-1]))


def argmax_before_resize(images, session):
    classes, *others = session(images)
    return [classes[:, ::2, ::2].repeat(2, axis=1).repeat(2, axis=2), *others]


def shifted_class_ids(images, session):
    classes, confidence, probabilities = session(images)
    return [(classes + 1) % 3, np.roll(confidence, 1, axis=1), np.roll(probabilities, 1, axis=1)]


def test_the_file_as_it_is_holds(made):
    network, artefact, data = made
    found = compare(network, artefact, data)
    assert found.problems == ()
    assert found.total.share > 0.9999
    assert found.probability < 1e-3


@pytest.mark.parametrize(
    ("fault", "figures"),
    [
        (another_mean, ("equal pixels", "mIoU", "a probability differs")),
        (channels_turned_round, ("equal pixels", "mIoU", "a probability differs")),
        (argmax_before_resize, ("equal pixels", "mIoU")),
        (shifted_class_ids, ("equal pixels", "mIoU", "a probability differs")),
    ],
)
def test_a_fault_makes_the_proof_fail_and_the_figure_is_named(made, fault, figures):
    network, artefact, data = made
    faulty = Artefact(lambda images: fault(images, artefact.session), artefact.sheet, artefact.path)
    found = compare(network, faulty, data)
    assert not found.holds
    assert len(found.problems) == len(figures)
    for problem, figure in zip(found.problems, figures, strict=True):
        assert problem.startswith(figure)
        assert "bound" in problem


def turn_channels(source: Path, place: Path) -> None:
    """Copy a file with the fault in its graph: the bands of its input are taken in the wrong order."""
    model = onnx.load(source)
    given = model.graph.input[0].name
    for node in model.graph.node:
        node.input[:] = ["turned" if name == given else name for name in node.input]
    model.graph.initializer.append(onnx.numpy_helper.from_array(np.array([2, 1, 0]), "order"))
    model.graph.node.insert(0, onnx.helper.make_node("Gather", [given, "order"], ["turned"], axis=3))
    onnx.save(model, place)


def test_a_faulty_export_leaves_evidence_and_no_file(made, tmp_path, monkeypatch):
    from pixelwise.jobs import export as jobs
    from pixelwise.models import checkpoint

    network, artefact, data = made
    run, out = tmp_path / "run", tmp_path / "out"
    run.mkdir()
    checkpoint.save(network.model, run / "best.safetensors")
    monkeypatch.setattr(jobs, "write_file", lambda target, model, path, wanted: turn_channels(artefact.path, path))
    with pytest.raises(ExportError, match=r"onnx: equal pixels .* below the bound of 99.9 %"):
        export(run, "onnx", out, data=data)
    assert [path.name for path in out.iterdir()] == ["failed"]
    kept = sorted(path.name for path in (out / "failed" / "model.onnx").iterdir())
    assert kept[-1] == "parity.json"
    assert kept[0].startswith("01_s")
    monkeypatch.setattr(jobs, "write_file", lambda target, model, path, wanted: copyfile(artefact.path, path))
    assert export(run, "onnx", out, data=data) == [out / "model.onnx"]
    assert sorted(path.name for path in out.iterdir()) == ["model.onnx", "parity.json"]
    assert proof_of(out / "model.onnx")["holds"] is True


def test_one_target_that_fails_stops_no_other_and_the_table_says_why(made, tmp_path, monkeypatch, capsys):
    from pixelwise.jobs import export as jobs
    from pixelwise.jobs import material
    from pixelwise.models import checkpoint

    network, artefact, data = made

    def write(target, model, path, wanted):
        if target == "openvino":
            raise ValueError("an operator is not known")
        copyfile(artefact.path, path)

    checkpoint.save(network.model, tmp_path / "best.safetensors")
    monkeypatch.setattr(jobs, "write_file", write)
    monkeypatch.setattr(material, "read_own", lambda run: data)
    asked = ["export", str(tmp_path), "--to", "openvino,onnx", "--out", str(tmp_path / "out"), "--images", "3"]
    assert main(asked) == 1
    told = capsys.readouterr().out
    assert "openvino failed: the exporter or the runtime failed: ValueError: an operator is not known" in told
    assert "model.onnx" in told
    assert main([*asked, "--json", "--bound-equal", "1"]) == 1
    first, second = json.loads(capsys.readouterr().out)["targets"]
    assert first["path"] is None
    assert second["parity"]["images"] == 3
    assert second["parity"]["bounds"]["equal"] == 1


def test_the_command_refuses_what_cannot_be_before_any_work(tmp_path, capsys):
    for asked, message in {
        ("--to", "onxn"): "did you mean 'onnx'",
        ("--to", "onnx", "--precision", "int9"): "did you mean 'int8'",
        ("--to", "onnx", "--size", "360"): "--size 360: expected height and width",
        ("--to", "onnx", "--output", "class"): "did you mean 'classes'",
        ("--to", "onnx", "--keep", "head"): "the precision is fp32",
        ("--to", "onnx"): "expected a run folder or a checkpoint",
    }.items():
        assert main(["export", str(tmp_path / "none"), *asked, "--out", str(tmp_path / "out")]) == 2
        assert message in capsys.readouterr().err
