"""Weights by name: what hubs are asked, what input their weights expect, and what is said when they cannot be had."""

import types
from pathlib import Path

import pytest
import torch

from pixelwise.core.errors import CheckpointError, MissingFile, UnknownName
from pixelwise.models.encoders import build_encoder, hubs
from pixelwise.models.encoders.hubs import fetch


@pytest.fixture(autouse=True)
def _reachable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hubs, "hub_is_reachable", lambda host: True)
    monkeypatch.setattr(hubs, "_cached", lambda repository: None)


def test_timm_is_asked_for_the_tag_and_says_what_its_weights_expect(monkeypatch: pytest.MonkeyPatch) -> None:
    import timm

    weights = {name: torch.randn_like(one) for name, one in timm.create_model("resnet18").state_dict().items() if one.ndim}
    asked: list[tuple[str, bool]] = []
    real = timm.create_model

    def create(name: str, pretrained: bool = False, **options: object) -> object:
        asked.append((name, pretrained))
        return types.SimpleNamespace(state_dict=lambda: weights) if pretrained else real(name, **options)

    monkeypatch.setattr(timm, "create_model", create)
    encoder = build_encoder("resnet18", "timm:resnet18.a1_in1k")
    assert asked[-1] == ("resnet18.a1_in1k", True)
    assert torch.equal(encoder.module.state_dict()["layer4.1.conv2.weight"], weights["layer4.1.conv2.weight"])
    assert encoder.mean == pytest.approx((0.485, 0.456, 0.406))
    assert "resnet18.a1_in1k" in encoder.weights


def test_torchvision_weights_fill_timms_encoder_of_the_same_network(monkeypatch: pytest.MonkeyPatch) -> None:
    from torchvision import models

    weights = models.resnet18().state_dict()
    monkeypatch.setattr(models.ResNet18_Weights, "get_state_dict", lambda self, **options: weights)
    encoder = build_encoder("resnet18", "torchvision:resnet18", bands=1)
    own = encoder.module.state_dict()
    assert torch.equal(own["layer4.1.conv2.weight"], weights["layer4.1.conv2.weight"])
    assert torch.allclose(own["conv1.weight"][:, 0], weights["conv1.weight"].sum(dim=1), atol=1e-6)
    assert encoder.mean == pytest.approx(((0.485 + 0.456 + 0.406) / 3,))
    assert "repeated for 1" in encoder.weights


def test_weights_of_another_encoder_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    from torchvision import models

    weights = models.mobilenet_v2().state_dict()
    monkeypatch.setattr(models.MobileNet_V2_Weights, "get_state_dict", lambda self, **options: weights)
    with pytest.raises(CheckpointError, match="is it of this encoder"):
        build_encoder("resnet18", "torchvision:mobilenet_v2")


@pytest.mark.parametrize(
    ("weights", "words"),
    [
        ("timm:resnet18.a1_in1kk", "a1_in1k"),
        ("timm:resnett18", "resnet18"),
        ("torchvision:resnett18", "resnet18"),
        ("torchvision:resnet18.V3", "IMAGENET1K_V1"),
        ("smp:imagenett", "smp has no"),
    ],
)
def test_an_unknown_name_gives_the_nearest(weights: str, words: str) -> None:
    with pytest.raises(UnknownName, match=words):
        fetch(weights, "resnet18")


@pytest.mark.parametrize("weights", ["timm:resnet18.a1_in1k", "torchvision:resnet18", "smp:imagenet"])
def test_a_hub_out_of_reach_names_the_ways_out(weights: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hubs, "hub_is_reachable", lambda host: False)
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    with pytest.raises(MissingFile, match=r"cannot be reached.*--weights FILE.*tf_efficientnet_lite0"):
        fetch(weights, "resnet34" if "smp" in weights else "resnet18")


def test_a_file_without_a_tensor_of_the_encoder_is_refused(tmp_path: Path) -> None:
    weights = build_encoder("resnet18", "none").module.state_dict()
    del weights["layer3.0.conv1.weight"]
    torch.save(weights, tmp_path / "a.pth")
    with pytest.raises(CheckpointError, match=r"layer3\.0\.conv1\.weight"):
        build_encoder("resnet18", str(tmp_path / "a.pth"))
