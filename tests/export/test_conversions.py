"""Real conversions to targets with toolchains of their own; each runs where its toolchain is, and skips elsewhere."""

import importlib.util
from dataclasses import replace

import numpy as np
import pytest
import torch

from pixelwise.core.errors import ExportError
from pixelwise.core.image import Image
from pixelwise.core.labels import LabelSet
from pixelwise.export import EXPORTERS
from pixelwise.export.environment import LITERT, TENSORFLOW
from pixelwise.export.graph import Graph
from pixelwise.export.opened import open_exported
from pixelwise.export.sheet import Input
from pixelwise.formats.cache import cache_folder
from pixelwise.models import MODELS
from pixelwise.predict.network import Network

pytestmark = pytest.mark.slow
CACHE = str(cache_folder())  # the user's own, where environments are; other tests get an empty one
LABELS = LabelSet.of(["sky", "grass", "car"])
HAS = {
    "coreml": lambda: importlib.util.find_spec("coremltools"),
    "executorch": lambda: importlib.util.find_spec("executorch"),
    "litert": lambda: LITERT.is_made,
    "savedmodel": lambda: TENSORFLOW.is_made,
    "triton": lambda: importlib.util.find_spec("onnxscript"),
}


@pytest.fixture(autouse=True)
def own_cache(monkeypatch):
    monkeypatch.setenv("PIXELWISE_CACHE", CACHE)


def made(target, folder):
    if not HAS[target]():
        pytest.skip(f"the toolchain of {target} is not here")
    torch.manual_seed(0)
    model = MODELS["unet"].build(LABELS, encoder="plain", weights="none", width=4, depth=2).eval()
    exporter, graph = EXPORTERS[target], Graph(model, probabilities=True)
    path = folder / f"model{exporter.SUFFIX}"
    given = graph.sheet(Input(size=(32, 48), batch=1 if target in ("coreml", "executorch", "litert") else None))
    return model, path, exporter.export(graph, given, path)


@pytest.mark.parametrize("target", ["executorch", "litert", "savedmodel", "triton"])
def test_the_file_alone_gives_what_the_network_gives(target, tmp_path):
    model, path, sheet = made(target, tmp_path)
    image = Image(np.random.default_rng(0).integers(0, 256, (32, 48, 3), dtype=np.uint8))
    artefact = open_exported(path)
    assert artefact.sheet == sheet
    (theirs,), (ours,) = artefact([image]), Network(model, "cpu", "fp32")([image])
    assert (theirs.class_map() == ours.class_map()).mean() > 0.999
    assert theirs.scores == pytest.approx(ours.scores, abs=1e-4)


def test_core_ml_says_that_nothing_was_run(tmp_path):
    _, path, sheet = made("coreml", tmp_path)
    coreml = EXPORTERS["coreml"]
    coreml.check(path, sheet)
    assert coreml.runs_here() or sheet.made["proof"] == coreml.UNSEEN


def test_core_ml_is_refused_where_its_normalisation_is_another(tmp_path):
    _, path, sheet = made("coreml", tmp_path)
    other = replace(sheet, card=replace(sheet.card, mean=(0.41, 0.42, 0.43)))
    with pytest.raises(ExportError, match="does not hold the normalisation's mean"):
        EXPORTERS["coreml"].check(path, other)
