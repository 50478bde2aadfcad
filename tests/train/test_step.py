"""One step: however its batch is divided it is the same step; what is not finite changes nothing; memory that runs out."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from pixelwise.augment.policy import NONE
from pixelwise.core.errors import OptionError, TrainingError
from pixelwise.core.image import Image
from pixelwise.core.labels import LabelSet
from pixelwise.core.sample import Dataset, Sample
from pixelwise.core.segmentation import Segmentation
from pixelwise.models.networks import unet
from pixelwise.models.segmenter import Segmenter
from pixelwise.scenes import scenes
from pixelwise.train.devices import alone
from pixelwise.train.fit import fit
from pixelwise.train.loop import Loop
from pixelwise.train.options import TrainOptions

DATA = scenes(8, (32, 32), seed=4)
PLAIN = TrainOptions(steps=3, batch=4, crop=(32, 32), threads=1, precision="32-true", validations=1, ema=0.0)


def network(norm: str = "group", loss: str = "cross_entropy + dice", dropout: float = 0.0) -> Segmenter:
    torch.manual_seed(0)
    return unet.build(DATA.labels, encoder="plain", width=8, depth=2, norm=norm, loss=loss, dropout=dropout)  # type: ignore[arg-type]


def loop_of(model: Segmenter, options: TrainOptions, data: Dataset = DATA) -> Loop:
    torch.set_num_threads(1)
    return Loop(model, data, data.take([]), options, NONE, alone(options))


def after_steps(model: Segmenter, options: TrainOptions) -> tuple[list[float], dict[str, Tensor]]:
    loop = loop_of(model, options)
    losses = [loop.step(batch).loss for batch in loop.batches(0, options.steps)]
    return losses, model.state_dict()


def assert_close(mine: dict[str, Tensor], yours: dict[str, Tensor]) -> None:
    for name, tensor in mine.items():
        torch.testing.assert_close(tensor, yours[name], rtol=1e-4, atol=2e-6, msg=lambda text, name=name: f"{name}: {text}")


@pytest.mark.parametrize(
    "loss", ["cross_entropy + dice", "focal + tversky", "lovasz", "boundary + jaccard", "cross_entropy(smoothing=0.1)"]
)
@pytest.mark.parametrize(("batch", "accumulate"), [(2, 2), (1, 4)])
def test_an_accumulated_step_equals_that_of_the_whole_batch(loss: str, batch: int, accumulate: int) -> None:
    options = replace(PLAIN, optimiser="sgd", rate=0.05, steps=2)  # its step is in proportion to the gradient
    losses, weights = after_steps(network(loss=loss), options)
    parts, divided = after_steps(network(loss=loss), replace(options, batch=batch, accumulate=accumulate))
    assert parts == pytest.approx(losses, rel=1e-5)
    assert_close(divided, weights)


def test_a_batch_is_divided_unevenly_too() -> None:
    options = replace(PLAIN, optimiser="sgd", rate=0.05, batch=5, steps=2)
    whole, divided = loop_of(network(), options), loop_of(network(), options)
    divided.stepper.parts = 3
    losses = [[loop.step(batch).loss for batch in loop.batches(0, 2)] for loop in (whole, divided)]
    assert losses[1] == pytest.approx(losses[0], rel=1e-5)
    assert_close(divided.model.state_dict(), whole.model.state_dict())


def test_with_frozen_norms_too_an_accumulated_step_is_the_whole_batch_s() -> None:
    options = replace(PLAIN, optimiser="sgd", rate=0.05, steps=2, freeze_norm=True)
    losses, weights = after_steps(network("batch"), options)
    parts, divided = after_steps(network("batch"), replace(options, batch=2, accumulate=2))
    assert parts == pytest.approx(losses, rel=1e-5)
    assert_close(divided, weights)


def test_frozen_norms_keep_their_statistics_and_learn_their_weights() -> None:
    before = {name: tensor.clone() for name, tensor in network("batch").state_dict().items()}
    _, after = after_steps(network("batch"), replace(PLAIN, freeze_norm=True))
    moved = {name for name in before if not torch.equal(before[name], after[name])}
    norms = "network.encoder.levels.0.1"
    assert f"{norms}.weight" in moved
    assert f"{norms}.running_mean" not in moved


def test_running_statistics_take_in_each_part_once() -> None:
    model = network("batch")
    after_steps(model, replace(PLAIN, batch=1, accumulate=3, steps=2))
    norm = model.network.encoder.levels[0][1]  # type: ignore[index]
    assert int(norm.num_batches_tracked) == 6


@pytest.mark.parametrize("norm", ["batch", "group"])
def test_recomputed_activations_give_the_same_weights(norm: str) -> None:
    plain, kept = network(norm, dropout=0.3), network(norm, dropout=0.3)
    fit(plain, DATA, DATA.take([0]), PLAIN, NONE, quiet=True)
    fit(kept, DATA, DATA.take([0]), replace(PLAIN, checkpointing=True), NONE, quiet=True)
    mine, yours = plain.state_dict(), kept.state_dict()
    assert all(torch.equal(mine[name], yours[name]) for name in mine)


class Greedy(nn.Module):
    """A stand-in for a device that holds ``most`` images."""

    def __init__(self, network: nn.Module, most: int, error: Callable[[], BaseException]) -> None:
        super().__init__()
        self.encoder, self.strides, self.weights = network.encoder, network.strides, network.weights
        self.inner, self.most, self.error = network, most, error
        self.sizes: list[int] = []

    def forward(self, images: Tensor) -> Tensor:
        if len(images) > self.most:
            raise self.error()
        self.sizes.append(len(images))
        features: Tensor = self.inner(images)
        return features


def greedy(most: int, error: Callable[[], BaseException] = lambda: torch.OutOfMemoryError("CUDA out of memory")) -> Segmenter:
    model = network()
    model.network = Greedy(model.network, most, error)  # type: ignore[assignment]
    return model


@pytest.mark.parametrize(
    "error",
    [
        lambda: torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB"),
        lambda: RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried to allocate 99 bytes"),
        lambda: MemoryError(),
    ],
)
def test_memory_that_runs_out_divides_the_step_and_changes_nothing_else(
    error: Callable[[], BaseException], capsys: pytest.CaptureFixture[str]
) -> None:
    options = replace(PLAIN, optimiser="sgd", rate=0.05)
    wide, narrow = network(), greedy(1, error)
    fit(wide, DATA, DATA.take([]), options, NONE, quiet=True)
    run = fit(narrow, DATA, DATA.take([]), options, NONE)
    assert "memory ran out at step 1: its 4 images are computed in 4 parts" in capsys.readouterr().err
    assert run.progress.parts == 4
    mine, yours = wide.state_dict(), narrow.state_dict()
    assert_close(mine, {name.replace("network.inner.", "network."): tensor for name, tensor in yours.items()})


def test_memory_too_small_for_one_crop_is_said_with_what_to_do() -> None:
    with pytest.raises(TrainingError, match=r"one crop of 32 x 32 .*train\.crop"):
        fit(greedy(0), DATA, DATA.take([]), PLAIN, NONE, quiet=True)


def test_validation_goes_on_in_halves_when_memory_runs_out() -> None:
    plain, narrow = network(), greedy(1)
    one = fit(plain, DATA, DATA, replace(PLAIN, steps=1), NONE, quiet=True)
    two = fit(narrow, DATA, DATA, replace(PLAIN, steps=1), NONE, quiet=True)
    assert two.progress.best_score == pytest.approx(one.progress.best_score, abs=1e-6)


def test_other_errors_of_a_model_are_not_taken_for_memory() -> None:
    with pytest.raises(RuntimeError, match="a bug"):
        fit(greedy(0, lambda: RuntimeError("a bug")), DATA, DATA.take([]), PLAIN, NONE, quiet=True)


def spoilt_at(model: Segmenter, steps: set[int]) -> None:
    """Make the logits NaN at some forward passes."""
    seen = [0]

    def spoil(module: nn.Module, given: object, found: Tensor) -> Tensor:
        seen[0] += 1
        return found * float("nan") if seen[0] - 1 in steps else found

    model.head.classify.register_forward_hook(spoil)


@pytest.mark.parametrize("optimiser", ["adamw", "sgd", "lion", "adam"])
def test_a_step_without_a_finite_loss_changes_nothing(optimiser: str) -> None:
    model = network("batch")
    spoilt_at(model, {0})
    loop = loop_of(model, replace(PLAIN, optimiser=optimiser))  # type: ignore[arg-type]
    weights = {name: parameter.clone() for name, parameter in model.named_parameters()}
    result = loop.step(next(iter(loop.batches(0, 1))))
    assert not result.is_finite
    assert all(torch.equal(weights[name], parameter) for name, parameter in model.named_parameters())
    assert not loop.optimiser.state
    assert (loop.progress.step, loop.progress.skipped, loop.progress.loss_steps) == (1, 1, 0)


def test_running_statistics_spoilt_by_a_skipped_step_are_mended() -> None:
    model = network("batch")
    first = model.network.encoder.levels[0][0]  # type: ignore[index]
    first.register_forward_hook(lambda module, given, found: found * (float("nan") if spoil else 1.0))
    loop = loop_of(model, PLAIN)
    for step, batch in enumerate(loop.batches(0, 2)):
        spoil = step == 1
        loop.step(batch)
    assert loop.progress.skipped == 1
    assert all(bool(torch.isfinite(tensor).all()) for tensor in model.state_dict().values())


def test_a_gradient_that_is_not_finite_is_skipped_too() -> None:
    model = network()
    model.head.classify.weight.register_hook(lambda gradient: gradient * float("inf"))
    loop = loop_of(model, PLAIN)
    result = loop.step(next(iter(loop.batches(0, 1))))
    assert np.isfinite(result.loss)
    assert loop.progress.skipped == 1


def test_training_goes_on_after_skipped_steps_and_says_how_many(capsys: pytest.CaptureFixture[str]) -> None:
    model = network()
    spoilt_at(model, {1})
    run = fit(model, DATA, DATA.take([]), PLAIN, NONE)
    assert run.progress.skipped == 1
    told = capsys.readouterr().err
    assert "not finite at step 2" in told
    assert "1 of 3 steps were skipped" in told


def test_too_many_skipped_steps_in_a_row_end_the_run() -> None:
    model = network()
    spoilt_at(model, set(range(1, 20)))
    with pytest.raises(TrainingError, match=r"not finite at step 6 .*5 steps in a row.*train\.rate"):
        fit(model, DATA, DATA.take([]), replace(PLAIN, steps=12), NONE, quiet=True)


def test_one_value_a_channel_in_a_batch_norm_has_its_sentence() -> None:
    with pytest.raises(OptionError, match=r"one value a channel.*freeze_norm"):
        fit(network("batch"), DATA, DATA.take([]), replace(PLAIN, batch=1, crop=(4, 4)), NONE, quiet=True)


def test_that_batch_of_one_trains_with_frozen_norms() -> None:
    options = replace(PLAIN, batch=1, crop=(4, 4), freeze_norm=True)
    assert fit(network("batch"), DATA, DATA.take([]), options, NONE, quiet=True).progress.skipped == 0


def test_images_smaller_than_the_stride_train() -> None:
    classes = np.array([[0, 0, 1, 1, 1]] * 6, np.uint8)
    truth = Segmentation.from_class_map(classes, LabelSet.of(["dark", "bright"]))
    image = Image(np.repeat(classes[:, :, None] * 200, 3, axis=2).astype(np.uint8))
    small = Dataset([Sample.of(f"small {index}", image, truth) for index in range(4)], truth.labels, "semantic")
    torch.manual_seed(0)
    model = unet.build(small.labels, encoder="tf_efficientnet_lite0", weights="none")
    run = fit(model, small, small, TrainOptions(steps=2, batch=2, crop=(6, 5), threads=1), NONE, quiet=True)
    assert (run.progress.step, run.progress.skipped) == (2, 0)
