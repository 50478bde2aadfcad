"""Folders of pictures of numbers: read as what the truth is, in its coding, and refused where nothing tells the coding."""

from dataclasses import dataclass, replace

import numpy as np
import PIL.Image
import pytest

from pixelwise.core.errors import UnsettledLabels
from pixelwise.core.image import as_image, write_ids
from pixelwise.core.labels import VOID, LabelSet, pack_colour
from pixelwise.core.sample import Dataset, ImageArray, Sample
from pixelwise.core.segmentation import Segmentation
from pixelwise.metrics.evaluate import evaluate
from pixelwise.scenes import video

CAT = LabelSet.of(["cat"], things=["cat"])
ROWS = [[0, 0, 1, 1], [2, 2, 1, 1]]


def written(folder, rows, name="a", dtype=np.uint8):
    folder.mkdir(parents=True, exist_ok=True)
    PIL.Image.fromarray(np.array(rows, dtype)).save(folder / f"{name}.png")
    return folder


def instances(labels=CAT, rows=ROWS):
    ids = np.array(rows)
    count = ids.max()
    truth = Segmentation.from_masks("instance", ids == np.arange(1, count + 1)[:, None, None], [0] * count, labels)
    return Dataset([Sample.of("a", as_image(np.zeros(ids.shape, np.uint8)), truth)], labels, "instance", name="cats")


@dataclass(frozen=True)
class Stored:
    """A truth kept as stored values."""

    rows: tuple

    def read(self, labels, size):
        return (Segmentation.from_class_map(labels.to_classes(np.array(self.rows)), labels),)


def semantic(labels, rows):
    image = ImageArray(as_image(np.zeros(np.shape(rows), np.uint8)))
    return Dataset([Sample("a", image, Stored(rows), labels)], labels, "semantic", name="masks")


@pytest.mark.parametrize(("dtype", "factor"), [(np.uint8, 1), (np.uint16, 300), (np.int32, 70_000)])
def test_numbers_are_objects_where_the_truth_is_objects_of_one_class(tmp_path, dtype, factor):
    path = tmp_path / ("a.tif" if factor > 300 else "a.png")
    PIL.Image.fromarray(np.array(ROWS, dtype) * dtype(factor)).save(path)
    report = evaluate(tmp_path, instances(), ["ap50", "object_f1"], intervals=None)
    assert report.scores == {"ap50": 1, "object_f1": 1}
    assert any("every number of a predicted picture but 0 is taken for an object" in note for note in report.notes)


def test_a_mask_of_objects_is_told_to_be_one_object(tmp_path):
    written(tmp_path, (np.array(ROWS) > 0) * 255)
    assert any(
        "if they are masks of 'cat', score them with --metrics overlap" in one for one in evaluate(tmp_path, instances()).notes
    )
    assert evaluate(tmp_path, instances(), "miou", intervals=None)["miou"] == 1


def test_every_number_is_a_region_where_the_truth_is_regions(tmp_path):
    truth = Segmentation.from_masks(
        "regions", np.array(ROWS) == np.arange(3)[:, None, None], [0, 0, 0], LabelSet.of(["region"])
    )
    data = Dataset([Sample.of("a", as_image(np.zeros((2, 4), np.uint8)), truth)], truth.labels, "regions")
    assert evaluate(written(tmp_path, ROWS), data, intervals=None)["vi_ods"] == 0


def test_the_numbers_of_several_classes_are_those_of_their_file(tmp_path):
    labels = LabelSet.of(["cat", "dog"], things=["cat", "dog"]).with_values({17: 0, 18: 1})
    data = instances(labels, [[0, 1], [0, 1]])
    report = evaluate(written(tmp_path, [[0, 17], [0, 17]]), data, intervals=None)
    assert report["miou"] == 1
    assert "predicted numbers are the classes' in the truth: 0 background, 17 cat, 18 dog" in report.notes
    (_, error), *_ = evaluate(written(tmp_path, [[0, 1], [0, 1]]), data, intervals=None).failures
    assert "value 1 (2 pixels) is outside the label set" in error


def test_classes_without_numbers_of_their_own_are_refused(tmp_path):
    labels = LabelSet.of(["cat", "dog"], things=["cat", "dog"])  # 0 is cat, where most pictures mean background
    with pytest.raises(UnsettledLabels, match="do not say which number is which class"):
        evaluate(written(tmp_path, [[0, 1]]), instances(labels, [[0, 1]]))


def test_colours_are_read_where_the_data_set_says_its_colours(tmp_path):
    red, blue = (200, 0, 0), (0, 0, 200)
    labels = LabelSet.of(["red", "blue"]).with_values({pack_colour(red): 0, pack_colour(blue): 1, 0: VOID})
    labels = LabelSet(labels.labels, labels.values, "rgb")
    data = semantic(labels, ((pack_colour(red), pack_colour(blue)),))
    PIL.Image.fromarray(np.array([[red, blue]], np.uint8)).save(tmp_path / "a.png")
    assert evaluate(tmp_path, data, intervals=None)["miou"] == 1
    palette = PIL.Image.fromarray(np.array([[7, 9]], np.uint8))
    palette.putpalette([*[0] * 21, *red, *[0] * 3, *blue])
    palette.save(tmp_path / "a.png")
    assert evaluate(tmp_path, data, intervals=None)["miou"] == 1


def test_colours_are_a_failure_where_the_truth_is_numbers(tmp_path):
    PIL.Image.fromarray(np.array([[[200, 0, 0], [0, 0, 200]]], np.uint8)).save(tmp_path / "a.png")
    report = evaluate(tmp_path, semantic(LabelSet.of(["sky", "road"]), ((0, 1),)), intervals=None)
    assert report.count == 0
    assert "a.png: expected a mask of one band" in report.failures[0][1]


def test_a_number_is_an_object_through_a_film(tmp_path):
    data = video(3, (32, 48), clips=1)
    for sample in data:
        truth = sample.truth
        ids = np.zeros(truth.size, np.uint8)
        for track, mask in zip(truth.track_ids.tolist(), truth.masks.dense(), strict=True):
            ids[mask] = track + 1
        write_ids(tmp_path / f"{sample.name}.png", ids)
    moved = Dataset(
        [Sample.of(one.name, one.image, numbered(one.truth), **one.meta) for one in data], data.labels, data.kind, name="film"
    )
    report = evaluate(tmp_path, moved, intervals=None)
    assert report["j"] > 0.9  # what overlaps is one pixel's in a picture


def numbered(truth):
    return replace(truth, track_ids=truth.track_ids + 1)


def film(number):
    """Make a film of one object that moves to the right."""
    samples = []
    for frame in range(4):
        mask = np.zeros((1, 8, 8), bool)
        mask[:, 2:5, frame : frame + 3] = True
        truth = Segmentation.from_masks("instance", mask, [0], CAT, track_ids=[number])
        samples.append(Sample.of(f"car_{frame}", as_image(mask[0].astype(np.uint8)), truth, sequence="car", frame=frame))
    return Dataset(samples, CAT, "instance", name="film")


def test_the_one_object_of_a_film_of_masks_may_have_any_number(tmp_path):
    for sample in film(255):
        write_ids(tmp_path / f"{sample.name}.png", sample.truth.masks.mask(0) * np.uint8(1))
    assert evaluate(tmp_path, film(255), intervals=None)["j"] == 1
    assert evaluate(tmp_path, film(7), intervals=None)["j"] == 0
