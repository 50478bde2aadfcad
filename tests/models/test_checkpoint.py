"""Checkpoints: bit for bit back, and refused when they are truncated, foreign or unsafe."""

import json
from pathlib import Path

import pytest
import torch

from pixelwise.core.errors import CheckpointError, MissingFile
from pixelwise.core.labels import LabelSet
from pixelwise.load import load
from pixelwise.models import checkpoint
from pixelwise.models.networks import unet
from pixelwise.models.segmenter import Segmenter
from pixelwise.models.weights import read_tensors

LABELS = LabelSet.of(["ground", "house"]).with_values({0: 0, 255: 1, 7: -1})


@pytest.fixture
def model() -> Segmenter:
    torch.manual_seed(1)
    return unet.build(LABELS, encoder="plain", width=4, depth=2).eval()


def test_a_model_comes_back_bit_for_bit_with_its_value_map(model: Segmenter, tmp_path: Path) -> None:
    checkpoint.save(model, tmp_path / "best.safetensors")
    again = checkpoint.load(tmp_path)
    assert all(
        torch.equal(first, second)
        for first, second in zip(model.state_dict().values(), again.state_dict().values(), strict=True)
    )
    assert again.card.labels == LABELS
    images = torch.rand(1, 3, 20, 30)
    assert torch.equal(model(images).logits, again(images).logits)


def test_a_pretrained_model_is_loaded_without_its_pretrained_weights(tmp_path: Path) -> None:
    model = unet.build(LABELS, encoder="tf_efficientnet_lite0").eval()
    checkpoint.save(model, tmp_path / "model.safetensors")
    again = checkpoint.load(tmp_path / "model.safetensors")
    assert torch.equal(next(model.parameters()), next(again.parameters()))


@pytest.mark.parametrize("keep", [0, 10, 2000])
def test_a_truncated_checkpoint_is_named(model: Segmenter, tmp_path: Path, keep: int) -> None:
    path = tmp_path / "best.safetensors"
    checkpoint.save(model, path)
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(CheckpointError, match=r"best\.safetensors"):
        load(tmp_path)


def test_a_model_of_other_classes_is_refused(model: Segmenter, tmp_path: Path) -> None:
    checkpoint.save(model, tmp_path / "best.safetensors")
    with pytest.raises(CheckpointError, match="ground, house"):
        checkpoint.load(tmp_path, LabelSet.of(["sky", "sea"]))


def test_a_card_of_another_network_is_refused(model: Segmenter, tmp_path: Path) -> None:
    checkpoint.save(model, tmp_path / "best.safetensors")
    card = json.loads((tmp_path / "card.json").read_text())
    card["options"]["width"] = 8
    card["options"]["decoder"] = [16, 8]
    (tmp_path / "card.json").write_text(json.dumps(card))
    with pytest.raises(CheckpointError, match="expected a tensor"):
        load(tmp_path)


@pytest.mark.parametrize("junk", ["", "[]", "{}", '{"format": "pixelwise card 1"}', "\x00\x01"])
def test_a_card_of_junk_is_refused(model: Segmenter, tmp_path: Path, junk: str) -> None:
    checkpoint.save(model, tmp_path / "best.safetensors")
    (tmp_path / "card.json").write_text(junk)
    with pytest.raises(ValueError, match=r"card\.json"):  # CheckpointError or UnreadableFile
        load(tmp_path)


class _Bomb:
    def __reduce__(self) -> tuple[object, ...]:
        return (Path.touch, (Path("exploded"),))


def test_a_pickle_with_code_is_refused_and_not_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    torch.save({"weight": _Bomb()}, tmp_path / "evil.pth")
    with pytest.raises(CheckpointError, match="refused"):
        read_tensors(tmp_path / "evil.pth")
    assert not (tmp_path / "exploded").exists()


def test_a_foreign_state_dict_is_read(tmp_path: Path) -> None:
    torch.save({"state_dict": {"a": torch.ones(2)}, "epoch": 3}, tmp_path / "foreign.pth")
    assert read_tensors(tmp_path / "foreign.pth")["a"].tolist() == [1, 1]


def test_a_missing_checkpoint_is_named(tmp_path: Path) -> None:
    with pytest.raises(MissingFile, match="found none"):
        load(tmp_path)
