"""Files of runtimes that are not installed here: descriptions are read, and what is missing or broken is said."""

import importlib.util
import sys
import zipfile

import pytest

from pixelwise.core.card import Card
from pixelwise.core.errors import CheckpointError, MissingExtra, OptionError
from pixelwise.core.labels import LabelSet
from pixelwise.decode.decoders import Decoder
from pixelwise.export.opened import open_exported
from pixelwise.export.sessions import litert, savedmodel
from pixelwise.export.sheet import Input, Sheet

SHEET = Sheet(Card("unet", "semantic", LabelSet.of(["a", "b"])), Decoder("pixel"), ("classes", "confidence"), Input())


def test_a_tflite_file_holds_its_description_in_a_zip_at_its_end(tmp_path):
    path = tmp_path / "m.tflite"
    path.write_bytes(b"\x1c\0\0\0TFL3" + bytes(100))
    with zipfile.ZipFile(path, "a") as associated:
        associated.writestr(litert.ASSOCIATED, SHEET.to_text())
    assert path.read_bytes()[4:8] == b"TFL3"
    assert litert._sheet(path) == SHEET


@pytest.mark.parametrize("name", ["m.tflite", "m.pte"])
def test_a_file_of_another_kind_is_refused(tmp_path, name):
    (tmp_path / name).write_bytes(b"not a model of any kind")
    with pytest.raises(CheckpointError, match="found something else"):
        open_exported(tmp_path / name)


@pytest.mark.parametrize(
    ("name", "content", "module", "extra"),
    [("m.tflite", b"\0\0\0\0TFL3", "ai_edge_litert", "litert"), ("m.pte", b"\0\0\0\0ET12", "executorch", "executorch")],
)
def test_a_missing_runtime_names_its_extra(tmp_path, monkeypatch, name, content, module, extra):
    if importlib.util.find_spec(module):
        pytest.skip(f"{module} is installed")
    monkeypatch.setenv("PIXELWISE_CACHE", str(tmp_path))  # no environment of its own either
    (tmp_path / name).write_bytes(content)
    with pytest.raises(MissingExtra, match=rf"pip install 'pixelwise\[{extra}\]'"):
        open_exported(tmp_path / name)


def test_the_newest_version_of_a_savedmodel_is_taken(tmp_path):
    for version in ("1", "9", "10", "draft"):
        (tmp_path / version).mkdir()
        (tmp_path / version / "saved_model.pb").touch()
    assert savedmodel.newest(tmp_path).name == "10"
    assert savedmodel.newest(tmp_path / "9").name == "9"


def test_a_folder_without_a_savedmodel_says_what_is_wanted(tmp_path):
    (tmp_path / "m.savedmodel").mkdir()
    with pytest.raises(CheckpointError, match=r"expected a SavedModel, 'saved_model\.pb'"):
        open_exported(tmp_path / "m.savedmodel")


def test_a_triton_repository_of_two_models_is_refused(tmp_path):
    for name in ("a", "b"):
        (tmp_path / "m.triton" / name / "1").mkdir(parents=True)
        (tmp_path / "m.triton" / name / "1" / "model.onnx").touch()
    with pytest.raises(CheckpointError, match="of one model, found 2 models"):
        open_exported(tmp_path / "m.triton")


@pytest.mark.skipif(sys.platform == "darwin", reason="Core ML runs here")
def test_core_ml_is_said_to_run_on_macos_alone(tmp_path):
    (tmp_path / "m.mlpackage").mkdir()
    with pytest.raises(OptionError, match="Core ML runs on macOS alone"):
        open_exported(tmp_path / "m.mlpackage")
