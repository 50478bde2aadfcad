"""The format coco_results: hand-written results beside the file that lists the images, bad ones, and what is written."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import pytest
from pycocotools.coco import COCO

from pixelwise.core.errors import DataError, UnknownLayout, UnreadableFile
from pixelwise.core.image import Image
from pixelwise.core.labels import LabelSet
from pixelwise.core.sample import Dataset, Sample
from pixelwise.core.segmentation import Segmentation
from pixelwise.formats import coco_results, read, recognise

COUNTS = {"size": [5, 6], "counts": [6, 2, 3, 2, 3, 2, 12]}  # columns 1 to 3, without rows 0, 3 and 4
SQUARE = [[1, 1, 4, 1, 4, 3, 1, 3]]


def result(**parts: Any) -> dict[str, Any]:
    return {"image_id": 11, "category_id": 7, "segmentation": COUNTS, "score": 0.75, **parts}


def put(root: Path, results: Any, file: str = "results.json", listed: str = "annotations/image_info_test.json") -> Path:
    """Write two pictures, the file that lists them, and results."""
    images = []
    for number, name in enumerate(("a.png", "b.png"), start=11):
        (root / "images").mkdir(parents=True, exist_ok=True)
        PIL.Image.new("RGB", (6, 5)).save(root / "images" / name)
        images.append({"id": number, "file_name": name, "height": 5, "width": 6})
    (root / listed).parent.mkdir(parents=True, exist_ok=True)
    (root / listed).write_text(
        json.dumps({"images": images, "categories": [{"id": 7, "name": "dog"}, {"id": 3, "name": "cat"}]})
    )
    (root / file).parent.mkdir(parents=True, exist_ok=True)
    (root / file).write_text(results if isinstance(results, str) else json.dumps(results))
    return root


@pytest.mark.parametrize("file", ["results.json", "results/model.json", "annotations/instances_test_results.json"])
def test_results_are_read_as_predictions_with_scores(file: str, tmp_path: Path) -> None:
    path = put(tmp_path / "data", [result(), result(category_id=3, score=0.25, segmentation=SQUARE)], file)
    assert recognise(path / file)[0] == "coco_results"
    data = read(path / file)
    assert (data.kind, data.labels.names, [one.name for one in data]) == ("instance", ("cat", "dog"), ["a", "b"])
    truth = data[0].truth
    assert truth.names == ["dog", "cat"]
    assert truth.scores is not None
    assert truth.scores.tolist() == [0.75, 0.25]
    assert truth.masks.areas().tolist() == [6, 6]
    assert len(data[1].truth) == 0


def test_a_folder_of_results_without_truth_is_results(tmp_path: Path) -> None:
    path = put(tmp_path / "data", [result()])
    assert recognise(path)[0] == "coco_results"
    assert read(path)[0].truth.names == ["dog"]


def test_a_folder_with_truth_is_truth_and_the_file_of_results_is_itself(tmp_path: Path) -> None:
    path = put(tmp_path / "data", [result()], "instances_val_results.json")
    truth = {"images": [{"id": 11, "file_name": "a.png"}], "categories": [{"id": 7, "name": "dog"}]}
    annotations = [{"id": 1, "image_id": 11, "category_id": 7, "segmentation": SQUARE}]
    (path / "annotations" / "instances_val.json").write_text(json.dumps({**truth, "annotations": annotations}))
    assert recognise(path)[0] == "coco"
    assert [len(one.truth) for one in read(path)] == [1]
    assert recognise(path / "instances_val_results.json")[0] == "coco_results"


def test_results_of_two_models_in_one_folder_are_not_mixed(tmp_path: Path) -> None:
    path = put(tmp_path / "data", [result()])
    (path / "other.json").write_text(json.dumps([result(score=0.5)]))
    with pytest.raises(DataError, match=r"other\.json and results\.json are results of the same images; give one"):
        read(path)
    assert read(path / "other.json")[0].truth.names == ["dog"]


def test_of_several_lists_the_one_with_most_of_the_images_is_taken(tmp_path: Path) -> None:
    path = put(tmp_path / "data", [result(image_id=11), result(image_id=12)])
    other = {"images": [{"id": 12, "file_name": "a.png"}], "categories": [{"id": 7, "name": "wolf"}]}
    (path / "annotations" / "a_first.json").write_text(json.dumps(other))
    assert read(path / "results.json")[0].truth.names == ["dog"]


def test_without_a_list_of_images_it_is_said_what_is_needed(tmp_path: Path) -> None:
    path = put(tmp_path / "data", [result()])
    (path / "annotations" / "image_info_test.json").unlink()
    with pytest.raises(DataError, match=r"results\.json: results name images and classes by their ids alone.*beside it"):
        read(path / "results.json")


def test_results_that_lie_elsewhere_are_read_with_the_list_that_is_given(tmp_path: Path) -> None:
    path = put(tmp_path / "data", [])
    (tmp_path / "run.json").write_text(json.dumps([result()]))
    data = coco_results.read_with(tmp_path / "run.json", path / "annotations" / "image_info_test.json")
    assert [len(one.truth) for one in data] == [1, 0]


@pytest.mark.parametrize(
    ("bad", "words"),
    [
        ({"segmentation": {"size": [5, 6], "counts": [1, 2]}}, "annotation number 2 of image 11 .*add up to"),
        ({"category_id": 99}, "annotation number 2 of image 11 .*category 99 is none"),
        ({"segmentation": [[1, 1, 2, 2]]}, "2 points; expected at least 3"),
    ],
)
def test_a_bad_result_is_named_and_the_others_can_be_had(bad: dict[str, Any], words: str, tmp_path: Path) -> None:
    data = read(put(tmp_path / "data", [result(), result(**bad)]) / "results.json")
    with pytest.raises(DataError, match=rf"results\.json: .*{words}"):
        _ = data[0].truth
    truths, problems = data[0].salvaged()
    assert (len(truths[0]), len(problems)) == (1, 1)


def test_results_of_other_images_and_odd_scores_are_told(tmp_path: Path) -> None:
    data = read(put(tmp_path / "data", [result(score=7.5), result(image_id=99)]) / "results.json")
    assert any("1 results are of images that" in note for note in data.notes)
    assert any("1 scores are outside 0 to 1" in note for note in data.notes)
    truth = data[0].truth
    assert truth.scores is not None
    assert truth.scores.tolist() == [1]


def test_results_without_a_score_are_told(tmp_path: Path) -> None:
    data = read(put(tmp_path / "data", [result(), result(score=None), result(score=float("nan"))]) / "results.json")
    assert any("2 results have no score; 1 is taken for it" in note for note in data.notes)
    assert np.asarray(data[0].truth.scores).tolist() == [0.75, 1, 1]


def test_results_that_are_boxes_alone_are_recognised_and_not_read(tmp_path: Path) -> None:
    box = {"image_id": 11, "category_id": 7, "bbox": [1, 1, 3, 2], "score": 0.5}
    path = put(tmp_path / "data", [box])
    with pytest.raises(UnknownLayout, match="this is COCO results that are boxes alone: no masks can be read from it"):
        read(path / "results.json")


def test_a_broken_file_is_named(tmp_path: Path) -> None:
    path = put(tmp_path / "data", '[{"image_id": 11, "cat', "val_results.json")
    with pytest.raises(UnreadableFile, match=r"val_results\.json"):
        read(path)


def predictions() -> Dataset:
    labels = LabelSet.of(["cat", "dog"], things=["cat", "dog"]).with_values({3: 0, 9: 1})
    masks = np.array([[[1, 1, 0], [1, 0, 0]], [[0, 1, 1], [0, 0, 0]]], bool)
    found = Segmentation.from_masks("instance", masks, [1, 0], labels, scores=np.array([0.5, 0.125]))
    image = Image(np.zeros((2, 3, 3), np.uint8))
    return Dataset([Sample.of("a", image, found), Sample.of("b", image, found[[]])], labels, "instance", {"val": [0, 1]})


def test_scores_and_masks_are_written_and_read_back(tmp_path: Path) -> None:
    coco_results.write(predictions(), tmp_path / "out")
    back = read(tmp_path / "out")
    assert [one.truth for one in back] == [one.truth for one in predictions()]
    scores = back[0].truth.scores
    assert scores is not None
    assert scores.tolist() == [0.5, 0.125]
    assert back.splits == {"val": (0, 1)}


def test_results_of_splits_of_any_name_come_back_in_them(tmp_path: Path) -> None:
    data = predictions()
    coco_results.write(Dataset(data.samples, data.labels, "instance", {"train": [0], "minival": [1]}), tmp_path / "out")
    back = read(tmp_path / "out")
    assert {name: [back[row].name for row in rows] for name, rows in back.splits.items()} == {"train": ["a"], "minival": ["b"]}


def test_pycocotools_loads_what_is_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    coco_results.write(predictions(), tmp_path / "out")
    theirs = COCO()
    theirs.dataset = json.loads((tmp_path / "out" / "annotations" / "image_info_val.json").read_text())
    theirs.createIndex()
    loaded = theirs.loadRes(str(tmp_path / "out" / "results" / "instances_val_results.json"))
    first = loaded.loadAnns([1])[0]
    assert (first["score"], first["category_id"], first["image_id"]) == (0.5, 9, 1)
    assert loaded.annToMask(first).tolist() == [[1, 1, 0], [1, 0, 0]]
