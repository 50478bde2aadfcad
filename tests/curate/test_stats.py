"""Figures of a data set: pixels, objects, sizes, places and colours, of every kind of truth, counted by hand."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from pixelwise.core.errors import DataError
from pixelwise.core.image import Image
from pixelwise.core.labels import LabelSet
from pixelwise.core.sample import Dataset, ImageArray, Sample, TruthArray
from pixelwise.core.segmentation import Kind, Segmentation
from pixelwise.curate import stats_pass
from pixelwise.curate.stats import ClassStats, Stats, describe
from pixelwise.curate.stats_image import GRID, visible_areas
from pixelwise.formats import read
from pixelwise.scenes import scenes

PETS = LabelSet.of(["cat", "dog"], things=["cat", "dog"])
GREY = Image(np.full((4, 6, 3), 90, np.uint8))
LEFT, RIGHT, ALL = (np.zeros((4, 6), bool) for _ in range(3))
LEFT[:, :2], RIGHT[:, 4:], ALL[:] = True, True, True


def described(*truths: Segmentation, kind: Kind, labels: LabelSet = PETS, splits: dict[str, list[int]] | None = None) -> Stats:
    samples = [Sample.of(f"s{row}", Image(np.full((*one.size, 3), 90, np.uint8)), one) for row, one in enumerate(truths)]
    return describe(Dataset(samples, labels, kind, splits))


def of_class(stats: Stats, name: str) -> ClassStats:
    return next(one for one in stats.classes if one.name == name)


def instances(masks: list[np.ndarray], classes: list[int], **rows: object) -> Segmentation:
    return Segmentation.from_masks("instance", np.array(masks), classes, PETS, **rows)


def test_pixels_of_overlapping_objects_are_those_that_are_seen() -> None:
    stats = described(instances([ALL, LEFT], [0, 1]), kind="instance")
    assert [(one.name, one.pixels) for one in stats.classes] == [("background", 0), ("cat", 16), ("dog", 8)]


def test_objects_are_measured_with_what_others_hide_of_them() -> None:
    stats = described(instances([ALL, LEFT], [0, 1]), kind="instance")
    assert (of_class(stats, "cat").mean_area, of_class(stats, "dog").mean_area) == (24, 8)


def test_a_crowd_is_void_and_no_object() -> None:
    stats = described(instances([LEFT, RIGHT], [0, 0], crowd=np.array([True, False])), kind="instance")
    cat = of_class(stats, "cat")
    assert (cat.objects, cat.crowds, cat.pixels, of_class(stats, "void").pixels) == (1, 1, 8, 8)


def test_what_is_seen_adds_up_to_what_painting_gives() -> None:
    for sample in scenes(8, (48, 64), seed=5, kind="instance"):
        truth = sample.truth
        painted = truth.semantic()
        seen = visible_areas(truth)
        by_class = {truth.names[k]: int(seen[truth.class_ids == truth.class_ids[k]].sum()) for k in range(len(truth))}
        areas = dict(zip(painted.names, painted.masks.areas().tolist(), strict=True))
        assert by_class == {name: areas.get(name, 0) for name in by_class}


def test_connected_areas_stand_in_for_objects_where_classes_alone_are_told() -> None:
    truth = Segmentation.from_class_map(np.array([[0, 1, 0, 0], [0, 1, 0, 255]]), LabelSet.of(["sky", "post"]))
    stats = described(truth, kind="semantic", labels=truth.labels)
    assert stats.objects_are == "connected areas"
    assert [(one.name, one.pixels, one.objects) for one in stats.classes] == [("sky", 5, 2), ("post", 2, 1), ("void", 1, 0)]


def test_stuff_and_things_of_panoptic_truth_are_segments() -> None:
    truth = Segmentation.from_masks("panoptic", np.array([LEFT, RIGHT]), [0, 0], PETS)
    stats = described(truth, kind="panoptic")
    assert (stats.objects_are, stats.objects, of_class(stats, "void").pixels) == ("segments", 2, 8)


def test_regions_have_no_classes_and_are_counted_all_the_same() -> None:
    truth = Segmentation.from_masks("regions", np.array([LEFT, ~LEFT]), [0, 0], LabelSet(()))
    stats = described(truth, kind="regions", labels=LabelSet(()))
    assert [(one.name, one.pixels, one.objects) for one in stats.classes] == [("region", 24, 2)]


def test_pixels_of_several_classes_count_for_each_of_them() -> None:
    truth = Segmentation.from_masks("multilabel", np.array([ALL, LEFT]), [0, 1], PETS)
    stats = described(truth, kind="multilabel")
    assert [(one.name, one.pixels) for one in stats.classes] == [("cat", 24), ("dog", 8)]


def test_several_truths_of_an_image_all_count_and_the_image_once() -> None:
    truths = tuple(Segmentation.from_class_map(np.full((4, 6), index), PETS) for index in (0, 1, 1))
    sample = Sample("a", ImageArray(GREY), TruthArray(truths), PETS)
    stats = describe(Dataset([sample], PETS, "semantic"))
    assert (stats.truths, of_class(stats, "dog").pixels, of_class(stats, "dog").images) == (3, 48, 1)


def test_sizes_are_parted_at_cocos_bounds() -> None:
    areas = [(31, 32), (32, 32), (96, 95), (96, 96)]
    masks = np.zeros((4, 100, 400), bool)
    for k, (height, width) in enumerate(areas):
        masks[k, :height, 100 * k : 100 * k + width] = True
    cat = of_class(described(instances(list(masks), [0, 0, 0, 0]), kind="instance"), "cat")
    assert (cat.small, cat.medium, cat.large) == (1, 2, 1)


def test_octaves_of_area_hold_every_object() -> None:
    stats = described(instances([LEFT, ALL], [0, 0]), kind="instance")  # 8 and 24 pixels
    assert {2**k: count for k, count in enumerate(stats.octaves) if count} == {8: 1, 16: 1}


def test_a_heat_map_says_how_often_a_place_is_of_the_class() -> None:
    stats = described(instances([LEFT], [0]), instances([RIGHT], [0]), instances([LEFT], [0]), kind="instance")
    grid = stats.places["cat"].grid
    assert grid.shape == (GRID, GRID)
    assert grid[5, 2] == pytest.approx(2 / 3)
    assert grid[5, GRID - 3] == pytest.approx(1 / 3)
    assert grid[5, GRID // 2] == 0


def test_the_middle_of_a_class_is_told_in_widths_and_heights() -> None:
    middle = described(instances([LEFT], [0]), kind="instance").places["cat"].middle
    assert middle == (pytest.approx(1 / 6, abs=0.01), pytest.approx(1 / 2, abs=0.01))


def test_colours_are_the_mean_of_the_images_under_a_class() -> None:
    pixels = np.zeros((4, 6, 3), np.uint8)
    pixels[:, :2], pixels[:, 2:] = (200, 10, 30), (1, 2, 3)
    stats = describe(Dataset([Sample.of("a", Image(pixels), instances([LEFT], [1]))], PETS, "instance"))
    assert stats.colours == {"background": (1, 2, 3), "dog": (200, 10, 30)}


def test_shares_of_a_split_are_of_its_labelled_pixels() -> None:
    one = Segmentation.from_class_map(np.array([[0, 0, 1, 255]]), PETS)
    stats = described(one, one, kind="semantic", splits={"train": [0]})
    assert stats.split_shares == {"train": {"cat": pytest.approx(2 / 3, abs=1e-5), "dog": pytest.approx(1 / 3, abs=1e-5)}}


class Broken:
    """A truth that cannot be read."""

    def read(self, labels: LabelSet, size: tuple[int, int]) -> tuple[Segmentation, ...]:
        raise DataError("b.json: cut off")

    salvage = read

    def raw(self) -> list[np.ndarray]:
        raise DataError("b.json: cut off")


def test_a_broken_label_is_listed_and_the_rest_is_counted() -> None:
    good = Sample.of("a", GREY, instances([LEFT], [0]))
    bad = Sample("b", ImageArray(GREY), Broken(), PETS)
    stats = describe(Dataset([good, bad], PETS, "instance"))
    assert stats.problems == ("b.json: cut off",)
    assert (stats.bad, of_class(stats, "cat").pixels) == ({1}, 8)


def test_a_mask_of_another_size_than_its_image_is_listed() -> None:
    truth = Segmentation.from_class_map(np.zeros((2, 2), np.uint8), PETS)
    stats = describe(Dataset([Sample.of("a", GREY, truth)], PETS, "semantic"))
    assert "its mask is 2 x 2 (height x width), but the image is 4 x 6" in stats.problems[0]


def test_objects_without_any_class_in_the_set_leave_background_alone() -> None:
    nothing = Segmentation.from_masks("instance", np.zeros((0, 4, 6), bool), [], LabelSet(()))
    stats = described(nothing, kind="instance", labels=LabelSet(()))
    assert [(one.name, one.pixels) for one in stats.classes] == [("background", 24)]


def test_an_empty_data_set_is_described() -> None:
    assert describe(Dataset([], PETS, "instance")).to_json()["objects"]["total"] == 0


def test_the_json_is_plain_and_keeps_what_info_always_had() -> None:
    data = json.loads(json.dumps(described(instances([LEFT], [0]), kind="instance").to_json(), allow_nan=False))
    assert {"name", "images", "settled", "splits", "sizes", "kind", "classes"} <= data.keys()
    assert data["sizes"] == [{"height": 4, "width": 6, "images": 1}]
    assert data["classes"]["cat"].keys() >= {"pixels", "share", "images"}


def test_processes_count_what_threads_count(monkeypatch: pytest.MonkeyPatch) -> None:
    dataset = scenes(70, (32, 40), seed=1, kind="instance")
    threads = describe(dataset).to_json()
    monkeypatch.setattr(stats_pass, "LARGE", 1)
    monkeypatch.setattr(stats_pass.os, "cpu_count", lambda: 2)
    assert describe(dataset).to_json() == threads


@pytest.mark.shared_data
def test_coco_tiny_is_counted_as_its_own_files_say(shared_data: Path) -> None:
    stats = describe(read(shared_data / "coco_tiny160"), coloured=2)
    # counted with plain json: 1,520 annotations, 17 of them crowds; 359 of persons, 10 of them crowds, in 89 images
    assert (stats.objects, sum(one.crowds for one in stats.classes)) == (1503, 17)
    person = of_class(stats, "person")
    assert (person.objects, person.crowds, person.images) == (349, 10, 89)


@pytest.mark.slow
@pytest.mark.shared_data
def test_camvids_void_is_counted_apart(shared_data: Path) -> None:
    stats = describe(read(shared_data / "camvid", void="11"), coloured=2)
    assert of_class(stats, "void").pixels == 2801266  # np.bincount over all masks with Pillow
    assert sum(one.pixels for one in stats.classes) == 468 * 360 * 480


def test_scenes_under_other_labels_are_counted_under_those() -> None:
    sample = Sample.of("a", GREY, instances([LEFT], [1]))
    fewer = LabelSet.of(["dog"], things=["dog"])
    stats = describe(Dataset([replace(sample, labels=fewer)], fewer, "instance"))
    assert of_class(stats, "dog").pixels == 8
