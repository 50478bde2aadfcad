"""The pixel decoder as a graph gives what transformers' own gives."""

from typing import Any

import pytest
import torch

from pixelwise.core.labels import LabelSet
from pixelwise.models.networks import mask2former, oneformer

TINY: dict[str, Any] = {"encoder": "test_efficientnet", "weights": "none", "queries": 5, "width": 64, "pixel_layers": 2}


@pytest.mark.parametrize("module", [mask2former, oneformer])
@torch.no_grad()
def test_the_pixels_of_a_graph_are_those_of_transformers(module: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(0)
    model = module.build(LabelSet.of(["sky", "car"], things=["car"]), **TINY).eval()
    for layer in model.network.model.pixel_level_module.decoder.encoder.layers:
        torch.nn.init.normal_(layer.self_attn.sampling_offsets.weight, std=0.2)  # points that depend on the image
        torch.nn.init.normal_(layer.self_attn.attention_weights.weight, std=0.2)
    images = torch.rand(2, 3, 64, 96)
    expected = model.network(images)
    monkeypatch.setattr(module, "is_recorded", lambda: True)
    found = model.network(images)
    torch.testing.assert_close(found.masks[-1], expected.masks[-1], rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(found.queries[-1], expected.queries[-1], rtol=1e-4, atol=1e-5)
