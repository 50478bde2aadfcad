"""What the plan chooses, and why."""

from dataclasses import replace

import numpy as np
import pytest

from pixelwise.core.errors import OptionError
from pixelwise.scenes import scenes
from pixelwise.train.machine import Machine
from pixelwise.train.options import Recipe, TrainOptions
from pixelwise.train.plan import Facts, Plan, class_weights, crop_for, look_at, plan, table

CPU = Machine("cpu", "a processor", 2, 8 * 2**30, bf16=True)
GPU = Machine("cuda", "an accelerator", 16, 64 * 2**30, bf16=True)
PHOTOS = Facts(400, (360, 480), ("red", "green", "blue"), "uint8", np.array([0.7, 0.25, 0.05]))


def planned(facts: Facts = PHOTOS, machine: Machine = CPU, **train: object) -> Plan:
    return plan(Recipe(train=replace(TrainOptions(), **train)), facts, machine)  # type: ignore[arg-type]


def test_nothing_is_left_open_but_the_minutes() -> None:
    options = planned().recipe.train
    assert options.steps == 2000  # 40 passes over 400 images, 8 a step
    assert (options.batch, options.crop, options.precision) == (8, (320, 448), "bf16-mixed")
    assert planned(minutes=3.0).recipe.train.steps == 0


def test_every_choice_has_a_reason() -> None:
    reasons = planned().reasons
    assert {"precision", "crop", "batch", "encoder", "steps", "class weights", "learning rate"} <= {
        what for what, _, _ in reasons
    }
    assert all(reason for _, _, reason in reasons)
    assert len(table(reasons).splitlines()) == len(reasons)


def test_what_the_user_says_is_kept() -> None:
    options = planned(steps=7, batch=3, crop=(64, 96), precision="32-true").recipe.train
    assert (options.steps, options.batch, options.crop, options.precision) == (7, 3, (64, 96), "32-true")


def test_epochs_become_steps() -> None:
    assert planned(epochs=2.0).recipe.train.steps == 100
    assert planned(epochs=0.001).recipe.train.steps == 1


def test_a_processor_without_bfloat16_computes_in_32_bits() -> None:
    assert planned(machine=replace(CPU, bf16=False)).recipe.train.precision == "32-true"


def test_an_accelerator_gets_larger_batches_and_more_steps() -> None:
    options = planned(machine=GPU).recipe.train
    assert options.batch == 16
    assert options.steps == 2500


def test_few_images_do_not_fill_a_batch_twice() -> None:
    assert planned(replace(PHOTOS, count=3)).recipe.train.batch == 3


@pytest.mark.parametrize(("size", "crop"), [((30, 40), (32, 64)), ((512, 512), (384, 384)), ((1, 20000), (32, 4928))])
def test_crops_are_multiples_of_the_stride(size: tuple[int, int], crop: tuple[int, int]) -> None:
    assert crop_for(size, 144_000) == crop


def test_weights_by_enets_rule() -> None:
    expected = 1 / np.log(1.02 + np.array([0.75, 0.25]))
    assert class_weights("log", np.array([0.75, 0.25])) == pytest.approx(tuple(expected / expected.mean()))


def test_an_absent_class_has_no_weight() -> None:
    for rule in ("log", "median"):
        weights = class_weights(rule, np.array([0.5, 0.5, 0.0]))
        assert weights == pytest.approx((1, 1, 0))


def test_grey_images_become_three_bands_and_many_bands_stay() -> None:
    assert "bands" not in planned(replace(PHOTOS, bands=("grey",))).recipe.model
    five = ("a", "b", "c", "d", "e")
    assert planned(replace(PHOTOS, bands=five)).recipe.model["bands"] == five


def test_facts_of_drawn_scenes() -> None:
    data = scenes(3, (64, 96), seed=1)
    facts = look_at(data)
    pixels = sum(np.bincount(sample.truth.class_map().ravel(), minlength=256)[: len(data.labels)] for sample in data)
    assert (facts.count, facts.size, facts.depth) == (3, (64, 96), "uint8")
    assert facts.shares == pytest.approx(pixels / pixels.sum())


def test_masks_of_one_class_are_refused() -> None:
    from pixelwise.core.image import Image
    from pixelwise.core.labels import LabelSet
    from pixelwise.core.sample import Dataset, Sample
    from pixelwise.core.segmentation import Segmentation

    labels = LabelSet.of(["field", "road"])
    truth = Segmentation.from_class_map(np.zeros((8, 8), np.uint8), labels)
    data = Dataset([Sample.of("one", Image(np.zeros((8, 8, 3), np.uint8)), truth)], labels, "semantic")
    with pytest.raises(OptionError, match="only one class \\(field\\)"):
        look_at(data)
