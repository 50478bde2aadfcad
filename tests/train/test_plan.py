"""What the plan chooses, and why."""

from dataclasses import replace

import numpy as np
import pytest

from pixelwise.augment import AugmentOptions
from pixelwise.core.errors import OptionError
from pixelwise.scenes import scenes
from pixelwise.train.cost import Footprint
from pixelwise.train.facts import Facts, look_at
from pixelwise.train.machine import Machine
from pixelwise.train.options import Recipe, TrainOptions
from pixelwise.train.plan import Plan, crop_for, plan, table

CPU = Machine("cpu", "a processor", 2, 6 * 2**30, bf16=True)
GPU = Machine("cuda", "an accelerator", 16, 64 * 2**30, bf16=True)
RGB = ("red", "green", "blue")
ROAD = {"mean": (0.41, 0.43, 0.43), "deviation": (0.29, 0.3, 0.3)}
PHOTOS = Facts(400, (360, 480), RGB, "uint8", np.array([0.7, 0.25, 0.05]), **ROAD)
SLICES = Facts(30, (512, 512), ("grey",), "uint8", np.array([0.22, 0.78]), mean=(0.49,), deviation=(0.16,))
FRAMES = Facts(306, (4000, 6000), RGB, "uint8", np.full(23, 1 / 23), widths=np.full(23, 60.0), largest=(4000, 6000), **ROAD)
SMALL = Facts(20_000, (128, 128), RGB, "uint8", np.full(5, 0.2), **ROAD)
KEPT = Footprint(22 * 2**20, 1300.0)  # of a U-Net on EfficientNet-Lite2 in bfloat16, rounded


def planned(facts: Facts = PHOTOS, machine: Machine = CPU, **train: object) -> Plan:
    recipe = Recipe(model={"name": "unet"}, train=replace(TrainOptions(), **train))  # type: ignore[arg-type]
    return plan(recipe, facts, machine, lambda model, classes, precision: KEPT)


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
    assert options.batch == 32
    assert options.steps == 2000


def test_few_images_do_not_fill_a_batch_twice() -> None:
    assert planned(replace(PHOTOS, count=3)).recipe.train.batch == 3


@pytest.mark.parametrize(("size", "crop"), [((30, 40), (32, 64)), ((512, 512), (384, 384)), ((1, 20000), (32, 4928))])
def test_crops_are_multiples_of_the_stride(size: tuple[int, int], crop: tuple[int, int]) -> None:
    assert crop_for(size, 144_000) == crop


def test_an_absent_class_is_named_and_weighs_nothing() -> None:
    facts = replace(PHOTOS, shares=np.array([0.5, 0.0, 0.5]), names=("sky", "fence", "road"))
    made = planned(facts, class_weights="log")
    assert made.recipe.model["class_weights"] == pytest.approx((1, 0, 1))
    assert ("absent classes", "1", "no training pixel of fence: they weigh nothing and are not learnt") in made.reasons
    assert all(what != "absent classes" for what, _, _ in planned().reasons)


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


def test_five_kinds_of_data_get_five_plans() -> None:
    plans = {name: planned(facts).recipe for name, facts in (("slices", SLICES), ("photos", PHOTOS), ("frames", FRAMES))}
    plans["small"] = planned(SMALL).recipe
    plans["half"] = planned(PHOTOS, replace(CPU, memory=CPU.memory // 2)).recipe
    chosen = {
        name: (made.data.scale, made.model["encoder"], made.train.crop, made.train.batch, made.train.steps)
        for name, made in plans.items()
    }
    assert chosen == {
        "slices": (1.0, "tf_efficientnet_lite2", (384, 384), 8, 300),
        "photos": (1.0, "tf_efficientnet_lite2", (320, 448), 8, 2000),
        "frames": (0.219, "tf_efficientnet_lite2", (320, 480), 8, 1530),
        "small": (1.0, "tf_efficientnet_lite0", (128, 128), 8, 4000),
        "half": (1.0, "tf_efficientnet_lite2", (320, 448), 4, 4000),
    }


def test_huge_images_are_not_reduced_until_their_thinnest_class_is_lost() -> None:
    wires = replace(FRAMES, widths=np.where(np.arange(23) == 4, 4.0, 60.0))
    assert planned(wires).recipe.data.scale == 0.5
    assert planned(replace(FRAMES, widths=np.full(23, 1.5))).recipe.data.scale == 1.0


def test_little_memory_shrinks_the_batch_then_the_crop_then_is_refused() -> None:
    tight = planned(machine=replace(CPU, memory=2**30))
    assert tight.recipe.train.batch == 2
    assert tight.recipe.train.crop < (320, 448)
    with pytest.raises(OptionError, match="GiB are free"):
        planned(machine=replace(CPU, memory=2**28), crop=(320, 448), batch=8)


def test_an_accelerators_batch_follows_its_memory() -> None:
    batches = [planned(FRAMES, replace(GPU, memory=size * 2**30)).recipe.train.batch for size in (32, 16, 8)]
    assert batches == [32, 16, 8]


def test_small_crops_use_fewer_levels_of_the_encoder() -> None:
    assert "levels" not in planned(SMALL).recipe.model
    assert planned(replace(SMALL, size=(64, 64))).recipe.model["levels"] == 4
    assert planned(replace(SMALL, size=(30, 30))).recipe.model["levels"] == 3


def test_a_network_named_for_its_encoder_keeps_it() -> None:
    for name, encoder in (("fpn", "tf_efficientnet_lite2"), ("segformer", None), ("dpt", None)):
        made = plan(Recipe(model={"name": name}), PHOTOS, CPU, lambda model, classes, precision: KEPT)
        assert made.recipe.model.get("encoder") == encoder


def test_data_unlike_photographs_is_normalised_by_its_own_statistics() -> None:
    assert "mean" not in planned(PHOTOS).recipe.model
    dark = replace(PHOTOS, mean=(0.02, 0.02, 0.03), deviation=(0.01, 0.01, 0.02))
    assert planned(dark).recipe.model["mean"] == (0.02, 0.02, 0.03)
    grey = replace(SLICES, mean=(0.9,), deviation=(0.05,))
    assert planned(grey).recipe.model["deviation"] == (0.05, 0.05, 0.05)


def test_images_of_a_class_in_few_of_them_are_drawn_more_often() -> None:
    few = replace(PHOTOS, presence=np.array([1.0, 0.9, 0.02]))
    assert planned(few).recipe.train.sampling == "balanced"
    assert planned(few, sampling="uniform").recipe.train.sampling == "uniform"
    assert planned(replace(PHOTOS, presence=np.array([1.0, 0.9, 0.5]))).recipe.train.sampling == "uniform"


def test_small_crops_of_large_images_are_centred_on_classes_with_few_pixels() -> None:
    spots = replace(PHOTOS, size=(1200, 1600), shares=np.array([0.99, 0.009, 0.001]))
    assert planned(spots).recipe.augment.rare == 0.33
    assert planned(replace(spots, size=(320, 448))).recipe.augment.rare == 0  # a crop is a whole image
    assert planned(replace(spots, shares=np.array([0.5, 0.3, 0.2]))).recipe.augment.rare == 0


def test_a_network_gets_room_for_the_objects_and_looks_for_them_at_their_size() -> None:
    crowd = replace(PHOTOS, objects=280, side=21.0)
    model = plan(Recipe(model={"name": "maskrcnn"}), crowd, CPU, lambda *given: KEPT).recipe.model
    assert (model["anchors"], model["detections"]) == ("small", 400)
    few = replace(PHOTOS, objects=12, side=80.0)
    assert "anchors" not in plan(Recipe(model={"name": "maskrcnn"}), few, CPU, lambda *given: KEPT).recipe.model
    queries = plan(Recipe(model={"name": "mask2former"}), crowd, CPU, lambda *given: KEPT).recipe.model
    assert (queries["queries"], queries["finest"]) == (300, 2)
    coarse = {"name": "mask2former", "encoder": "mit_b0"}  # has no features at stride 2
    assert "finest" not in plan(Recipe(model=coarse), crowd, CPU, lambda *given: KEPT).recipe.model
    for name in ("solov2", "yolo", "blendmask"):  # one stage: detections are the best of so many candidates
        model = plan(Recipe(model={"name": name}), replace(crowd, objects=700), CPU, lambda *given: KEPT).recipe.model
        assert (model["detections"], model["candidates"]) == (900, 2700)
    centres = plan(Recipe(model={"name": "panoptic_deeplab"}), crowd, CPU, lambda *given: KEPT).recipe.model
    assert centres["centres"] == 400
    asked = {"name": "maskrcnn", "anchors": "paper", "detections": 50}
    assert plan(Recipe(model=asked), crowd, CPU, lambda *given: KEPT).recipe.model["detections"] == 50


def test_a_network_that_knows_objects_by_their_place_says_to_predict_in_tiles() -> None:
    said = {}
    for name, size in (("solov2", (1200, 1600)), ("solov2", (128, 160)), ("yolo", (1200, 1600))):
        told = plan(Recipe(model={"name": name}), replace(PHOTOS, size=size, objects=9), CPU, lambda *given: KEPT)
        rows = {what: value for what, value, _ in told.reasons}
        crop = told.recipe.train.crop
        said[name, size] = rows.get("prediction") == f"--tile {crop[0]},{crop[1]}"
    assert list(said.values()) == [True, False, False]


def test_objects_of_few_images_are_pasted_into_others_unless_a_policy_was_chosen() -> None:
    few = replace(PHOTOS, objects=12, side=80.0)
    recipe = Recipe(model={"name": "maskrcnn"})
    assert plan(recipe, few, CPU, lambda *given: KEPT).recipe.augment.copy_paste == 0.5
    plain = replace(recipe, augment=AugmentOptions("none"))
    assert plan(plain, few, CPU, lambda *given: KEPT).recipe.augment.copy_paste == 0
    assert plan(recipe, replace(few, count=5000), CPU, lambda *given: KEPT).recipe.augment.copy_paste == 0
    assert planned().recipe.augment.copy_paste == 0
