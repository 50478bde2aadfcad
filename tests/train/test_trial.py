"""Minutes become steps and validations, by a trial on a clock that the test sets."""

import itertools

import pytest
import torch
from lightning.fabric import Fabric

from pixelwise.augment.policy import NONE
from pixelwise.models.networks import panoptic_fpn, unet
from pixelwise.scenes import scenes
from pixelwise.train import trial
from pixelwise.train.options import TrainOptions

TICK = 0.5  # seconds from one look at the clock to the next: a step takes one, and as long is waited for its images


def found(monkeypatch: pytest.MonkeyPatch, validating: float, validations: int = 0) -> TrainOptions:
    """Give what three minutes become where all 4 images are validated in so many seconds."""
    clock, extra = itertools.count(0, TICK), [0.0]

    def validate(model: object, few: object, fabric: Fabric, batch: int) -> dict[str, float]:
        extra[0] += validating - TICK
        return {}

    monkeypatch.setattr(trial, "validate", validate)
    monkeypatch.setattr(trial.time, "monotonic", lambda: next(clock) + extra[0])
    torch.manual_seed(0)
    data = scenes(4, (32, 32))
    options = TrainOptions(
        minutes=3.0, batch=4, crop=(32, 32), threads=1, workers=0, precision="32-true", validations=validations, loggers="none"
    )
    return trial.timed(unet.build(data.labels, encoder="plain", width=4, depth=2), data, data, options, NONE)[0]


def test_there_are_ten_validations_where_they_take_little_time(monkeypatch: pytest.MonkeyPatch) -> None:
    assert found(monkeypatch, 1.0).validations == 10


def test_validations_take_no_more_than_a_quarter_of_the_time(monkeypatch: pytest.MonkeyPatch) -> None:
    options = found(monkeypatch, 10.0)
    assert options.validations == 3
    assert options.minutes == 0
    assert options.steps > 150


def test_there_is_one_validation_however_long_it_takes(monkeypatch: pytest.MonkeyPatch) -> None:
    options = found(monkeypatch, 500.0)
    assert (options.validations, options.steps) == (1, 1)


def test_as_many_validations_as_are_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    assert found(monkeypatch, 10.0, validations=7).validations == 7


def test_every_head_is_timed_at_its_full_load_and_the_run_s_own_is_not() -> None:
    data = scenes(2, (64, 64), "panoptic")
    model = panoptic_fpn.build(
        data.labels, encoder="test_efficientnet", weights="none", pyramid=32, width=64, semantic_width=64
    )
    options = TrainOptions(minutes=1.0, batch=2, crop=(64, 64), threads=1, workers=0, precision="32-true", loggers="none")
    tried = trial.at_full_load(trial.trial_of(model, data, data, options, NONE)).model
    assert tried.head.at_full_load
    assert tried.head.instances.at_full_load  # type: ignore[union-attr]
    assert not model.head.at_full_load
