"""Rates over the steps, against torch's own schedulers where it has them; a plateau lowers the rate, exactly resumed."""

import pytest
import torch
from torch.optim.lr_scheduler import CosineAnnealingLR, OneCycleLR, PolynomialLR

from pixelwise.core.errors import OptionError
from pixelwise.train.options import TrainOptions
from pixelwise.train.schedules import note_score, rate_at
from pixelwise.train.state import Progress


def of_torch(kind: type, count: int, **options: object) -> list[float]:
    optimiser = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.5)
    scheduler = kind(optimiser, **options)
    rates = []
    for _ in range(count):
        rates.append(optimiser.param_groups[0]["lr"])
        optimiser.step()
        scheduler.step()
    return rates


def ours(schedule: str, steps: int, **options: float) -> list[float]:
    made = TrainOptions(steps=steps, rate=0.5, schedule=schedule, **options)  # type: ignore[arg-type]
    return [rate_at(step, made) for step in range(steps)]


def test_poly_falls_as_torch_s_after_the_first_step() -> None:
    expected = of_torch(PolynomialLR, 49, total_iters=49, power=0.9)
    assert ours("poly", 50, warmup=0)[1:] == pytest.approx(expected)


def test_cosine_falls_as_torch_s_after_the_first_step() -> None:
    expected = of_torch(CosineAnnealingLR, 49, T_max=49, eta_min=0.05)
    assert ours("cosine", 50, warmup=0, final_rate=0.1)[1:] == pytest.approx(expected)


@pytest.mark.parametrize("steps", [7, 40, 101])
def test_one_cycle_is_torch_s(steps: int) -> None:
    expected = of_torch(OneCycleLR, steps - 1, max_lr=0.5, total_steps=steps, cycle_momentum=False)
    assert ours("onecycle", steps)[:-1] == pytest.approx(expected)
    assert ours("onecycle", steps)[-1] == pytest.approx(0.5 / 25 / 1e4)


@pytest.mark.parametrize("schedule", ["cosine", "poly", "onecycle", "plateau", "constant"])
@pytest.mark.parametrize("steps", [1, 2, 3, 10])
def test_no_rate_is_negative_or_above_the_highest(schedule: str, steps: int) -> None:
    assert all(0 <= rate <= 0.5 for rate in ours(schedule, steps))


def test_constant_warms_up_and_stays() -> None:
    assert ours("constant", 10, warmup=0.2) == [0.25, *[0.5] * 9]


def test_a_plateau_lowers_the_rate_after_its_patience_and_no_further_than_the_final_share() -> None:
    options = TrainOptions(schedule="plateau", plateau_patience=2, plateau_factor=0.1, final_rate=0.05)
    progress = Progress()
    told = [note_score(score, progress, options) for score in (0.3, 0.2, 0.3, 0.4, 0.4, 0.4, 0.4, 0.4)]
    assert told == [False, False, True, False, False, True, False, False]
    assert progress.lowered == pytest.approx(0.05)


def test_other_schedules_have_no_plateau() -> None:
    progress = Progress()
    assert not any(note_score(0.1, progress, TrainOptions()) for _ in range(9))
    assert progress == Progress()


@pytest.mark.parametrize(
    ("name", "value"),
    [("accumulate", 0), ("momentum", 1.0), ("layer_decay", 0.0), ("plateau_factor", 2.0), ("devices", 0), ("warmup", 1.5)],
)
def test_values_that_make_no_sense_are_refused(name: str, value: float) -> None:
    with pytest.raises(OptionError, match=name):
        TrainOptions(**{name: value})  # type: ignore[arg-type]
