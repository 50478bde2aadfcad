"""The training loop: precision, bad losses, what is kept."""

import importlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from pixelwise.augment.policy import NONE
from pixelwise.core.errors import TrainingError
from pixelwise.core.image import Image
from pixelwise.core.labels import LabelSet
from pixelwise.core.sample import Dataset, Sample
from pixelwise.core.segmentation import Segmentation
from pixelwise.models.networks import unet
from pixelwise.models.segmenter import Segmenter
from pixelwise.scenes import scenes
from pixelwise.train.balance import class_weights
from pixelwise.train.cost import footprint
from pixelwise.train.facts import look_at
from pixelwise.train.fit import Run, fit
from pixelwise.train.machine import this_machine
from pixelwise.train.options import TrainOptions

LABELS = LabelSet.of(["dark", "bright"])
QUICK = TrainOptions(steps=4, batch=2, crop=(16, 16), threads=1, validations=2, rate=0.01)


def halves(count: int = 4) -> Dataset:
    """Images whose left half is dark and whose right half is bright."""
    pixels = np.zeros((16, 16, 3), np.uint8)
    pixels[:, 8:] = 200
    classes = (pixels[:, :, 0] > 100).astype(np.uint8)
    truth = Segmentation.from_class_map(classes, LABELS)
    return Dataset([Sample.of(f"half {index}", Image(pixels), truth) for index in range(count)], LABELS, "semantic")


def tiny() -> Segmenter:
    torch.manual_seed(0)
    return unet.build(LABELS, encoder="plain", width=4, depth=2)


def run(**changes: object) -> Run:
    from dataclasses import replace

    return fit(tiny(), halves(), halves(2), replace(QUICK, **changes), NONE, quiet=True)  # type: ignore[arg-type]


@pytest.mark.parametrize(("precision", "expected"), [("32-true", torch.float32), ("bf16-mixed", torch.bfloat16)])
def test_the_network_computes_in_the_precision_asked_for(precision: str, expected: torch.dtype) -> None:
    seen = []
    model = tiny()
    model.head.classify.register_forward_hook(lambda module, given, found: seen.append(found.dtype))
    from dataclasses import replace

    fit(model, halves(), halves(0), replace(QUICK, precision=precision), NONE, quiet=True)
    assert set(seen) == {expected}


def test_two_scenes_are_overfitted() -> None:
    data = scenes(2, (64, 64), seed=5)
    torch.manual_seed(0)
    model = unet.build(data.labels, encoder="tf_efficientnet_lite0")
    options = TrainOptions(steps=70, batch=2, crop=(64, 64), validations=1, rate=3e-3, ema=0.8, threads=1)
    assert fit(model, data, data, options, NONE, quiet=True).progress.best_score > 0.9


def test_a_loss_that_is_not_finite_names_the_images() -> None:
    model = tiny()
    with torch.no_grad():
        model.head.classify.bias.fill_(float("nan"))
    with pytest.raises(TrainingError, match=r"not finite at step 1 .*half \d"):
        fit(model, halves(), halves(2), QUICK, NONE, quiet=True)


def test_every_part_of_the_folder_is_there(tmp_path: Path) -> None:
    fit(tiny(), halves(), halves(2), QUICK, NONE, tmp_path, quiet=True)
    assert {"best.safetensors", "last.safetensors", "card.json", "state.pt", "history.csv", "curves.png"} <= {
        entry.name for entry in tmp_path.iterdir()
    }
    header, *rows = (tmp_path / "history.csv").read_text().splitlines()
    assert header == "step,epoch,loss,lr,images_per_second,seconds,val_miou,val_pixel_accuracy,loss_cross_entropy,loss_dice"
    assert [row.split(",")[0] for row in rows] == ["1", "2", "3", "4"]


def test_patience_stops_early() -> None:
    found = run(steps=12, validations=12, patience=2, rate=0.0)
    assert found.progress.step == 3
    assert "2 validations" in found.stopped


def test_without_validation_data_the_last_weights_are_the_best() -> None:
    found = fit(tiny(), halves(), halves(0), QUICK, NONE, quiet=True)
    assert found.progress.best_step == QUICK.steps


def test_one_image_and_a_batch_of_one_train() -> None:
    found = fit(tiny(), halves(1), halves(1), TrainOptions(steps=2, batch=1, crop=(16, 16), threads=1), NONE, quiet=True)
    assert found.progress.step == 2


def test_nothing_to_train_on_is_said() -> None:
    with pytest.raises(TrainingError, match="no image"):
        fit(tiny(), halves(0), halves(1), QUICK, NONE, quiet=True)


def test_options_left_open_are_planned() -> None:
    found = fit(tiny(), halves(), halves(1), TrainOptions(epochs=2, threads=1), NONE, quiet=True)
    assert found.progress.step == 2  # four images in a batch of four, twice


def test_an_image_that_cannot_be_read_in_training_is_named() -> None:
    from pixelwise.core.sample import ImageFile

    data = halves(3)
    broken = Sample("broken", ImageFile(Path("nowhere.png")), data[0].truth_source, LABELS)
    mixed = Dataset([*data, broken], LABELS, "semantic")
    with pytest.raises(FileNotFoundError, match=r"nowhere\.png"):
        fit(tiny(), mixed, halves(1), QUICK, NONE, quiet=True)


def test_class_weights_reach_the_loss_of_a_model_that_was_built_without() -> None:
    data = scenes(2, (32, 32))
    options = TrainOptions(steps=1, batch=2, crop=(32, 32), precision="32-true", class_weights="median")
    model = unet.build(data.labels, encoder="plain", width=4, depth=2)
    plain = fit(model, data, data.take([]), replace(options, class_weights="none"), NONE, quiet=True)
    assert plain.model.head.class_weights is None
    model = unet.build(data.labels, encoder="plain", width=4, depth=2)
    fit(model, data, data.take([]), options, NONE, quiet=True)
    facts = look_at(data)
    wanted = class_weights("median", facts.shares, facts.presence)
    assert model.head.class_weights is not None
    assert model.head.class_weights.tolist() == pytest.approx(wanted)
    own = [1.0] * len(data.labels)
    model = unet.build(data.labels, encoder="plain", width=4, depth=2, class_weights=tuple(own))
    fit(model, data, data.take([]), options, NONE, quiet=True)
    assert model.head.class_weights.tolist() == own  # what the model was built with holds


def test_the_batch_is_planned_for_the_model_at_hand(monkeypatch: pytest.MonkeyPatch) -> None:
    data, slim = scenes(8, (64, 64)), unet.build(LabelSet.of(["a"]), encoder="plain", width=4, depth=2)
    machine = replace(this_machine("cpu"), memory=round(2.5 * footprint(slim).bytes(3, (64, 64))))
    monkeypatch.setattr(importlib.import_module("pixelwise.train.fit"), "this_machine", lambda device: machine)
    model = unet.build(data.labels, encoder="plain", width=4, depth=2)
    options = TrainOptions(steps=1, crop=(64, 64), precision="32-true", device="cpu")
    run = fit(model, data, data.take([]), options, NONE, quiet=True)
    assert 1 < run.progress.images < 8
