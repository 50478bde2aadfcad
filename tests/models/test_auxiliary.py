"""Auxiliary supervision: a second head in training, and nowhere else."""

from pathlib import Path

import pytest
import torch

from pixelwise.core.labels import LabelSet
from pixelwise.models import MODELS, checkpoint
from pixelwise.models.heads.pixel import PixelRaw, SupervisedRaw
from pixelwise.models.segmenter import Segmenter
from pixelwise.models.transfer import transfer

LABELS = LabelSet.of(["a", "b"])
NAMES = ["deeplabv3", "deeplabv3plus", "fcn", "pspnet", "upernet"]


def build(name: str, auxiliary: float = 0.4, labels: LabelSet = LABELS) -> Segmenter:
    torch.manual_seed(0)
    model: Segmenter = MODELS[name].build(labels, encoder="test_efficientnet", weights="none", auxiliary=auxiliary)
    return model


def targets(height: int = 64, width: int = 64) -> dict[str, torch.Tensor]:
    return {"classes": torch.randint(0, 2, (2, height, width), dtype=torch.uint8)}


@pytest.mark.parametrize("name", NAMES)
def test_training_has_a_second_loss_of_the_last_but_one_stage(name: str) -> None:
    model = build(name).train()
    terms = model.loss(torch.rand(2, 3, 64, 64), targets())
    assert list(terms) == ["cross_entropy", "dice", "auxiliary_cross_entropy", "auxiliary_dice"]
    terms["auxiliary_dice"].backward()
    assert model.head.classify.weight.grad is None  # type: ignore[union-attr]
    assert any(one.grad is not None and one.grad.any() for one in model.network.encoder.parameters())


def test_its_terms_carry_its_weight() -> None:
    first, second = ({**build("pspnet", weight).train().loss(torch.ones(2, 3, 64, 64), even())} for weight in (0.4, 0.8))
    torch.testing.assert_close(2 * first["auxiliary_dice"], second["auxiliary_dice"])
    torch.testing.assert_close(first["dice"], second["dice"])


def even() -> dict[str, torch.Tensor]:
    torch.manual_seed(1)  # dropout is drawn alike, too
    return {"classes": torch.zeros(2, 64, 64, dtype=torch.uint8)}


def test_prediction_and_validation_leave_it_out() -> None:
    model = build("pspnet")
    images = torch.rand(2, 3, 64, 64)
    assert isinstance(model.train()(images, targets()), SupervisedRaw)
    assert isinstance(model.train()(images), PixelRaw)
    assert isinstance(model.eval()(images, targets()), PixelRaw)


def test_a_padded_input_is_cut_off_its_logits_too() -> None:
    raw = build("pspnet").train()(torch.rand(2, 3, 50, 70), targets(50, 70))
    assert raw.auxiliary.shape[-2:] == raw.logits.shape[-2:] == (50, 70)


def test_no_weight_means_no_second_head() -> None:
    model = build("pspnet", 0.0)
    assert not any(name.startswith("head.auxiliary") for name in model.state_dict())
    assert list(model.train().loss(torch.rand(2, 3, 64, 64), targets())) == ["cross_entropy", "dice"]


def test_fine_tuning_keeps_its_rows_by_class(tmp_path: Path) -> None:
    source = build("pspnet", labels=LabelSet.of(["b", "c", "a"]))
    checkpoint.save(source, tmp_path / "model.safetensors")
    model = build("pspnet")
    transfer(model, tmp_path)
    for own, given in ((0, 2), (1, 0)):
        rows = (one.state_dict()["head.auxiliary.4.weight"] for one in (model, source))
        torch.testing.assert_close(next(rows)[own], next(rows)[given])
