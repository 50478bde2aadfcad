"""Label Studio: files as its documentation describes them, and what is wrong in a file."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import pytest

from pixelwise.core.errors import DataError, UnknownLayout, UnreadableFile
from pixelwise.core.image import Image
from pixelwise.core.labels import LabelSet
from pixelwise.core.runs import decode
from pixelwise.core.sample import Dataset, Sample, TruthArray
from pixelwise.core.segmentation import Segmentation
from pixelwise.formats import label_studio, read, recognise
from pixelwise.formats.label_studio import truth
from pixelwise.formats.label_studio.brush import Brush, pack
from pixelwise.formats.label_studio.truth import truths_of


def picture(path: Path, width: int = 20, height: int = 10) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    PIL.Image.new("RGB", (width, height)).save(path)
    return path


def result(kind: str, value: dict[str, Any], identity: str = "r1", **more: Any) -> dict[str, Any]:
    return {
        "id": identity,
        "type": kind,
        "from_name": "label",
        "to_name": "image",
        "original_width": 20,
        "original_height": 10,
        "image_rotation": 0,
        "value": value,
        **more,
    }


def task(*results: dict[str, Any], image: str = "/data/upload/1/3f9b2c01-a.png", **more: Any) -> dict[str, Any]:
    annotation = {"id": 7, "completed_by": 1, "was_cancelled": False, "result": list(results)}
    return {"id": 3, "data": {"image": image}, "annotations": [annotation], "predictions": [], **more}


def folder_of(tmp_path: Path, *tasks: dict[str, Any], **pictures: Path) -> Path:
    picture(tmp_path / "data" / "a.png")
    (tmp_path / "data" / "export.json").write_text(json.dumps(list(tasks)))
    return tmp_path / "data"


SQUARE = {"points": [[10, 20], [50, 20], [50, 60], [10, 60]], "polygonlabels": ["Car"]}  # x 2..10, y 2..6


def test_polygons_boxes_ellipses_and_brushes_are_read(tmp_path: Path) -> None:
    stroke = np.zeros((10, 20), bool)
    stroke[8:, 18:] = True
    box = {"x": 50, "y": 50, "width": 20, "height": 30, "rotation": 0, "rectanglelabels": ["Bus"]}
    ellipse = {"x": 50, "y": 50, "radiusX": 20, "radiusY": 40, "rotation": 0, "ellipselabels": ["Car"]}
    path = folder_of(
        tmp_path,
        task(
            result("polygonlabels", SQUARE, "p"),
            result("rectanglelabels", box, "b"),
            result("ellipselabels", ellipse, "e"),
            result("brushlabels", {"format": "rle", "rle": list(pack(stroke)), "brushlabels": ["Dirt"]}, "s"),
        ),
    )
    assert recognise(path)[1].dialect == "Label Studio JSON"
    [sample] = read(path)
    truth = sample.truth
    assert truth.names == ["Car", "Bus", "Car", "Dirt"]
    assert truth.masks.areas().tolist()[:2] == [8 * 4, 4 * 3]
    assert abs(int(truth.masks.areas()[2]) - np.pi * 16) < 4  # both radii are 4 pixels
    assert truth.masks.boxes().tolist()[3] == [18, 8, 20, 10]
    assert sample.source.encoding == "json"


def test_a_box_is_turned_about_its_top_left_corner(tmp_path: Path) -> None:
    box = {"x": 50, "y": 20, "width": 20, "height": 20, "rotation": 90, "rectanglelabels": ["Bus"]}  # 4 x 2 from (10, 2)
    [sample] = read(folder_of(tmp_path, task(result("rectanglelabels", box))))
    assert sample.truth.masks.boxes().tolist() == [[8, 2, 10, 6]]


def test_a_region_of_two_labels_is_an_object_of_each(tmp_path: Path) -> None:
    [sample] = read(folder_of(tmp_path, task(result("polygonlabels", {**SQUARE, "polygonlabels": ["Car", "Red"]}))))
    assert sample.truth.names == ["Car", "Red"]
    assert sample.truth.masks.areas().tolist() == [32, 32]


def test_shape_label_and_answers_of_one_region_are_one_object(tmp_path: Path) -> None:
    path = folder_of(
        tmp_path,
        task(
            result("polygon", {"points": SQUARE["points"]}, "p", from_name="outline"),
            result("labels", {"points": SQUARE["points"], "labels": ["Car"]}, "p", from_name="kind"),
            result("choices", {"choices": ["old"]}, "p", from_name="age"),
            result("textarea", {"text": ["a street"]}, "t", from_name="caption"),
        ),
    )
    [sample] = read(path)
    assert sample.truth.names == ["Car"]
    assert sample.truth.attributes == ({"age": ["old"]},)
    assert sample.meta == {"caption": ["a street"]}


def test_an_answer_about_a_region_that_tells_its_shape_again_is_kept(tmp_path: Path) -> None:
    box = {"x": 50, "y": 50, "width": 20, "height": 30, "rotation": 0}
    words = result("textarea", {**box, "text": ["STOP"]}, "b", from_name="words")  # as the tool's template for reading texts
    kind = result("labels", {**box, "labels": ["Sign"]}, "b", from_name="kind")
    [sample] = read(folder_of(tmp_path, task(words, result("rectangle", box, "b", from_name="box"), kind)))
    assert sample.truth.names == ["Sign"]
    assert sample.truth.attributes == ({"words": ["STOP"]},)
    assert sample.meta == {}


def test_regions_on_several_pictures_of_a_task_are_told(tmp_path: Path) -> None:
    before, after = (result("polygonlabels", SQUARE, name, to_name=name) for name in ("before", "after"))
    [sample] = read(folder_of(tmp_path, task(before, after)))
    truths, problems = sample.salvaged()
    assert len(truths[0]) == 0
    assert "task 3, region after: it is drawn on 'after', but the task shows several pictures (before, after)" in problems[1]


def test_a_shape_without_a_label_is_of_the_class_its_control_is_called(tmp_path: Path) -> None:
    [sample] = read(folder_of(tmp_path, task(result("polygon", {"points": SQUARE["points"]}, from_name="outline"))))
    assert sample.truth.names == ["outline"]


def test_annotations_of_two_people_are_two_truths_and_a_cancelled_one_is_none(tmp_path: Path) -> None:
    one = task(result("polygonlabels", SQUARE))
    other = {"id": 8, "was_cancelled": False, "result": [result("polygonlabels", {**SQUARE, "polygonlabels": ["Bus"]})]}
    cancelled = {"id": 9, "was_cancelled": True, "result": [result("polygonlabels", SQUARE)]}
    one["annotations"] += [other, cancelled]
    [sample] = read(folder_of(tmp_path, one))
    assert [truth.names for truth in sample.truths] == [["Car"], ["Bus"]]


def test_the_ground_truth_stands_alone(tmp_path: Path) -> None:
    one = task(result("polygonlabels", SQUARE))
    one["annotations"].append({"id": 8, "ground_truth": True, "result": []})
    [sample] = read(folder_of(tmp_path, one))
    assert len(sample.truth) == 0


def test_several_truths_are_written_as_annotations_and_read_back(tmp_path: Path) -> None:
    labels = LabelSet.of(["cat"], things=["cat"])
    truths = tuple(Segmentation.from_masks("instance", np.eye(3, dtype=bool)[None, :, :k], [0], labels) for k in (3, 3))
    image = Image(np.zeros((3, 3, 3), np.uint8))
    first = Sample.of("a", image)
    label_studio.write(Dataset([Sample("a", first.pixels, TruthArray(truths), labels)], labels, "instance"), tmp_path / "out")
    assert read(tmp_path / "out")[0].truths == truths


def test_predictions_points_and_tasks_without_annotations_are_told(tmp_path: Path) -> None:
    point = result("keypointlabels", {"x": 5, "y": 5, "width": 0.2, "keypointlabels": ["Nose"]}, "k")
    picture(tmp_path / "data" / "b.png")
    bare = {"id": 4, "data": {"image": "b.png"}, "annotations": [], "predictions": [{"result": []}, {"result": []}]}
    data = read(folder_of(tmp_path, task(result("polygonlabels", SQUARE), point), bare))
    assert [len(one.truths) for one in data] == [1, 0]
    told = " ".join(data.notes)
    assert "2 predictions" in told
    assert "1 tasks have no annotation" in told
    assert "1 of the kind keypoint" in told
    assert data.labels.names == ("Car",)


def test_an_entry_of_json_min_is_read_and_two_of_one_task_are_two_truths(tmp_path: Path) -> None:
    entry = {
        "image": "/data/upload/1/3f9b2c01-a.png",
        "id": 3,
        "label": [{**SQUARE, "original_width": 20, "original_height": 10}],
        "weather": "rain",
        "annotator": 1,
        "annotation_id": 7,
        "created_at": "2024-01-01T00:00:00Z",
        "lead_time": 3.2,
    }
    path = folder_of(tmp_path, entry, {**entry, "annotator": 2, "label": []})
    assert recognise(path)[1].dialect == "Label Studio JSON-MIN"
    [sample] = read(path)
    assert [truth.names for truth in sample.truths] == [["Car"], []]
    assert sample.truths[0].masks.areas().tolist() == [32]
    assert sample.meta == {"weather": "rain"}


def entry(**more: Any) -> dict[str, Any]:
    return {"image": "a.png", "id": 3, "annotator": 1, "annotation_id": 7, "lead_time": 3.2, **more}


def test_entries_of_json_min_are_told_apart_by_any_kind_of_id(tmp_path: Path) -> None:
    picture(tmp_path / "data" / "b.png")
    entries = [entry(id="x", label=[SQUARE]), entry(id="y", image="b.png", label=[SQUARE, SQUARE]), entry(id=None, label=[])]
    data = read(folder_of(tmp_path, *entries, entry(id="y", image="b.png", label=[])))
    assert [(one.name, [len(truth) for truth in one.truths]) for one in data] == [("a", [1]), ("b", [2, 0]), ("a_2", [0])]


def test_a_region_that_two_controls_of_json_min_tell_is_one(tmp_path: Path) -> None:
    box = {"x": 50, "y": 50, "width": 20, "height": 30, "rotation": 0}
    [sample] = read(folder_of(tmp_path, entry(box=[box, box], kind=[{**box, "labels": ["Sign"]}, {**box, "labels": ["Post"]}])))
    assert sample.truth.names == ["Sign", "Post"]


def test_answers_of_json_min_that_are_lists_or_tables_are_no_regions(tmp_path: Path) -> None:
    [sample] = read(
        folder_of(tmp_path, entry(label=[SQUARE], captions=["a", "b"], light={"choices": ["day", "rain"]}, stars=4))
    )
    assert sample.truth.names == ["Car"]
    assert sample.meta == {"captions": ["a", "b"], "light": {"choices": ["day", "rain"]}, "stars": 4}


def test_a_task_is_decoded_once_for_all_its_annotations(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    one = task(result("polygonlabels", SQUARE))
    one["annotations"] *= 5
    [sample] = read(folder_of(tmp_path, one))
    decoded: list[object] = []
    monkeypatch.setattr(truth, "truths_of", lambda fields: (decoded.append(fields), truths_of(fields))[1])
    assert (len(sample.truths), len(decoded)) == (5, 1)


def test_what_was_decoded_is_not_taken_for_a_file_that_has_changed_since(tmp_path: Path) -> None:
    path = folder_of(tmp_path, task(result("polygonlabels", SQUARE)))
    [sample] = read(path)
    assert len(sample.truth) == 1
    (path / "export.json").write_text("[]")
    with pytest.raises(UnreadableFile, match="has changed"):
        _ = sample.truth


@pytest.mark.parametrize(
    "name",
    [
        "/data/upload/1/3f9b2c01-my photo.png",
        "/data/upload/1/3f9b2c01-my%20photo.png",
        "/data/local-files/?d=photos%2Fmy%20photo.png",
        "s3://bucket/photos/my photo.png",
        "https://host/photos/my%20photo.png?X-Amz-Signature=ab12",
        "C:\\photos\\my photo.png",
        "../../photos/my photo.png",
    ],
)
def test_a_picture_is_found_under_the_names_that_tasks_give_it(name: str, tmp_path: Path) -> None:
    picture(tmp_path / "data" / "photos" / "my photo.png")
    (tmp_path / "data" / "export.json").write_text(json.dumps([task(result("polygonlabels", SQUARE), image=name)]))
    assert [one.name for one in read(tmp_path / "data")] == ["my photo"]


def test_nothing_outside_the_folder_is_read(tmp_path: Path) -> None:
    picture(tmp_path / "secret.png")
    path = folder_of(tmp_path, task(image="a.png"), task(image="../secret.png"), task(image=str(tmp_path / "secret.png")))
    data = read(path)
    assert [one.name for one in data] == ["a"]
    assert sum("there is no such image" in note for note in data.notes) == 2


def test_the_labelling_configuration_gives_classes_their_order_and_colours(tmp_path: Path) -> None:
    path = folder_of(tmp_path, task(result("polygonlabels", SQUARE)))
    (path / "config.xml").write_text(
        '<View><Image name="image" value="$image"/><BrushLabels name="label" toName="image">'
        '<Label value="Sky" background="#102030"/><Label value="Car" background="red"/></BrushLabels>'
        '<KeyPointLabels name="points" toName="image"><Label value="Nose"/></KeyPointLabels></View>'
    )
    data = read(path)
    assert data.labels.names == ("Sky", "Car")
    assert data.labels.colours.tolist() == [[16, 32, 48], [255, 0, 0]]


def test_a_wrong_region_spoils_itself_and_is_named(tmp_path: Path) -> None:
    wrong = [
        result("polygonlabels", {"points": [[1, 2], [3, 4]], "polygonlabels": ["Car"]}, "two"),
        result("polygonlabels", {"points": [[1, 2], [3, "x"], [3, 4]], "polygonlabels": ["Car"]}, "text"),
        result("brushlabels", {"format": "rle", "rle": [1, 2, 999], "brushlabels": ["Car"]}, "byte"),
        result("brushlabels", {"format": "png", "rle": [], "brushlabels": ["Car"]}, "form"),
        result("rectanglelabels", {"x": 1, "y": 1, "width": None, "height": 3, "rectanglelabels": ["Car"]}, "none"),
        result("polygonlabels", SQUARE, "turned", image_rotation=90),
    ]
    [sample] = read(folder_of(tmp_path, task(*wrong, result("polygonlabels", SQUARE, "good"))))
    truths, problems = sample.salvaged()
    assert truths[0].names == ["Car"]
    named = [text.partition("region ")[2].partition(":")[0] for text in problems]
    assert named == ["two", "text", "byte", "form", "none", "turned"]
    assert all("export.json" in text and "task 3" in text for text in problems)
    with pytest.raises(DataError, match=r"task 3, region \w+.*5 more"):
        _ = sample.truth


def test_a_stated_size_that_is_not_the_pictures_is_refused(tmp_path: Path) -> None:
    path = folder_of(tmp_path, task(result("polygonlabels", SQUARE, original_width=10, original_height=20)))
    with pytest.raises(DataError, match="turned by 90 degrees"):
        _ = read(path)[0].truth


def test_a_folder_of_something_else_is_not_read(tmp_path: Path) -> None:
    (tmp_path / "data.json").write_text('[{"data": 1}]')
    with pytest.raises(UnknownLayout):
        label_studio.read(tmp_path)


def test_an_export_that_is_cut_off_is_refused_as_a_whole(tmp_path: Path) -> None:
    path = folder_of(tmp_path, task(result("polygonlabels", SQUARE)))
    (path / "more.json").write_text((path / "export.json").read_text()[:100])
    with pytest.raises(UnreadableFile, match=r"more\.json"):
        read(path)


def test_what_is_written_can_be_imported(tmp_path: Path) -> None:
    labels = LabelSet.of(["a <b>", "c"], things=["c"])
    truth = Segmentation.from_masks("instance", np.eye(3, dtype=bool)[None], [0], labels)
    sample = Sample.of("a b", Image(np.zeros((3, 3, 3), np.uint8)), truth)
    label_studio.write(Dataset([sample], labels, "instance"), tmp_path / "out")
    [task] = json.loads((tmp_path / "out" / "tasks.json").read_text())
    assert task["data"] == {"image": "/data/local-files/?d=images/a%20b.png"}
    [region] = task["annotations"][0]["result"]
    assert (region["type"], region["original_width"], region["original_height"]) == ("brushlabels", 3, 3)
    assert region["value"]["brushlabels"] == ["a <b>"]
    assert bytes(region["value"]["rle"][:4]) == bytes([0, 0, 0, 36])  # 3 x 3 pixels of 4 channels
    assert np.array_equal(decode(Brush(bytes(region["value"]["rle"])).runs((3, 3))), np.eye(3, dtype=bool))
    assert 'value="a &lt;b&gt;"' in (tmp_path / "out" / "label_config.xml").read_text()


@pytest.mark.shared_data
def test_a_real_export_of_polygons_is_read(shared_data: Path, tmp_path: Path) -> None:
    shutil.copy(shared_data / "labeltools" / "label_studio" / "data_polygons.json", tmp_path / "export.json")
    shutil.copy(shared_data / "labeltools" / "label_studio" / "label_config_polygons.xml", tmp_path / "config.xml")
    picture(tmp_path / "000000000025.jpg", 640, 426)  # the export calls it e97d4735-000000000025.jpg
    data = read(tmp_path)
    assert data.labels.names == ("Airplane", "Car")
    assert data.labels.colours.tolist() == [[255, 0, 0], [0, 0, 255]]
    assert data[0].truth.names == ["Airplane"]
    assert data[0].truth.masks.areas().tolist() == [19268]  # of 37 points; measured with pycocotools alone


@pytest.mark.shared_data
def test_a_real_export_of_several_controls_is_read(shared_data: Path, tmp_path: Path) -> None:
    shutil.copytree(shared_data / "labeltools" / "label_studio" / "coco_export", tmp_path / "data")
    picture(tmp_path / "data" / "test_image1.jpg", 500, 320)
    data = read(tmp_path / "data")
    assert data[0].truth.names == ["rectangle_label", "polygon_label"]
    assert data[0].truth.masks.areas().tolist()[0] == 992
    assert any("2 of the kind keypoint" in note for note in data.notes)
