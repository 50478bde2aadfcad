"""Frozen encoder stages: no gradient, still batch norms, and a release that a resumed run repeats."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor

from pixelwise.augment.policy import NONE
from pixelwise.core.errors import OptionError
from pixelwise.models.networks import unet
from pixelwise.models.segmenter import Segmenter
from pixelwise.scenes import scenes
from pixelwise.train.fit import fit
from pixelwise.train.options import TrainOptions

DATA = scenes(6, (32, 32), seed=1)
QUICK = TrainOptions(steps=4, batch=2, crop=(32, 32), threads=1, validations=1, rate=0.01, ema=0.0, loggers="none")


def tiny() -> Segmenter:
    torch.manual_seed(0)
    return unet.build(DATA.labels, encoder="plain", width=4, depth=2)


def trained(**changes: object) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """Give the state before and after training."""
    model = tiny()
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    fit(model, DATA, DATA.take([]), replace(QUICK, **changes), NONE, quiet=True)  # type: ignore[arg-type]
    return before, model.state_dict()


def changed(before: dict[str, Tensor], after: dict[str, Tensor]) -> set[str]:
    """Name the parts that differ: levels of the encoder, blocks of the decoder, the head."""
    names = {name for name in before if not torch.equal(before[name], after[name])}
    return {".".join(name.split(".")[1:4]) if "encoder" in name else name.split(".")[1] for name in names}


def test_a_frozen_encoder_keeps_its_weights_and_statistics_while_the_rest_learns() -> None:
    assert changed(*trained(freeze="encoder")) == {"blocks", "classify"}


def test_frozen_stages_are_counted_from_the_finest() -> None:
    assert changed(*trained(freeze=1)) == {"encoder.levels.1", "encoder.levels.2", "blocks", "classify"}


def test_without_freezing_all_of_it_learns() -> None:
    assert {"encoder.levels.0", "encoder.levels.2"} <= changed(*trained())


def test_a_frozen_encoder_is_released_at_its_step() -> None:
    seen: list[bool] = []
    model = tiny()
    first = model.network.encoder.levels[0][0]
    first.register_forward_hook(lambda *_: seen.append(first.weight.requires_grad) if model.network.encoder.training else None)
    fit(model, DATA, DATA.take([]), replace(QUICK, freeze="encoder", unfreeze_at=0.5), NONE, quiet=True)
    assert seen == [False, False, True, True]
    assert model.network.encoder.levels[0][1].training  # its batch norm too


def test_a_release_and_frozen_norms_go_together() -> None:
    model = tiny()
    options = replace(QUICK, freeze="encoder", unfreeze_at=0.5, freeze_norm=True)
    before = model.network.encoder.levels[0][1].running_mean.clone()
    fit(model, DATA, DATA.take([]), options, NONE, quiet=True)
    assert torch.equal(model.network.encoder.levels[0][1].running_mean, before)


@pytest.mark.parametrize("stop", [1, 3])
def test_a_run_resumed_before_or_after_the_release_ends_as_one_that_was_not(tmp_path: Path, stop: int) -> None:
    options = replace(QUICK, steps=5, freeze="encoder", unfreeze_at=0.4, save_seconds=0)
    whole = fit(tiny(), DATA, DATA.take([]), options, NONE, tmp_path / "whole", quiet=True).model.state_dict()
    model = tiny()
    calls: list[int] = []

    def stop_there(*_: object) -> None:
        calls.append(0)
        if len(calls) > stop:
            raise _Stop

    model.head.classify.register_forward_hook(stop_there)
    with pytest.raises(_Stop):
        fit(model, DATA, DATA.take([]), options, NONE, tmp_path / "broken", quiet=True)
    again = fit(tiny(), DATA, DATA.take([]), options, NONE, tmp_path / "broken", resume=True, quiet=True)
    assert again.progress.step == 5
    assert all(torch.equal(whole[name], tensor) for name, tensor in again.model.state_dict().items())


class _Stop(Exception):
    """Stand for a kill."""


@pytest.mark.parametrize(
    ("changes", "words"),
    [({"freeze": -1}, "freeze"), ({"unfreeze_at": 0.5}, "unfreeze_at"), ({"freeze": 1, "unfreeze_at": 1.0}, "below 1")],
)
def test_values_that_make_no_sense_are_refused(changes: dict[str, object], words: str) -> None:
    with pytest.raises(OptionError, match=words):
        replace(QUICK, **changes)  # type: ignore[arg-type]
