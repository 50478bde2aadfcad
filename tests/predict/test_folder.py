"""Prediction of files and folders: what is written, under which name, and what happens to bad files."""

import csv
import json

import numpy as np
import PIL.Image
import pytest

from pixelwise.core import runs
from pixelwise.core.card import Card
from pixelwise.core.errors import MissingFile, OptionError, StorageError
from pixelwise.core.image import write_image
from pixelwise.core.labels import LabelSet
from pixelwise.core.predictor import PLAIN
from pixelwise.core.segmentation import Segmentation
from pixelwise.methods.predictor import Method
from pixelwise.metrics.predictions import read_predictions
from pixelwise.predict.folder import predict

OTSU = Method("otsu")


def picture(size=(20, 30), depth=np.uint8):
    pixels = np.full(size, 40, depth)
    pixels[5:10, 6:16] = 200
    return pixels


@pytest.fixture
def images(tmp_path):
    folder = tmp_path / "in"
    (folder / "deeper").mkdir(parents=True)
    write_image(folder / "b.png", picture())
    write_image(folder / "a.png", picture((25, 30)))
    write_image(folder / "deeper" / "c.png", picture())
    (folder / "notes.txt").write_text("not an image, and not taken for one")
    return folder


def entries(out):
    return json.loads((out / "segments.json").read_text())


def test_writes_ids_overlay_and_measurements(images, tmp_path):
    summary = predict(OTSU, images, tmp_path / "out")
    assert (summary.count, summary.segments, summary.failures) == (3, 6, ())
    written = {path.name for path in (tmp_path / "out").iterdir()}
    masks = {f"{stem}{end}" for stem in "abc" for end in (".png", "_overlay.jpg")}
    assert written == masks | {"segments.json", "segments.csv", "failures.json", "labels.json"}
    with PIL.Image.open(tmp_path / "out" / "a.png") as mask:
        assert mask.mode == "P"
        ids = np.array(mask)
    assert ids.shape == (25, 30)
    assert (ids == (picture((25, 30)) == 200)).all()


def test_the_json_has_one_entry_an_image_in_order(images, tmp_path):
    predict(OTSU, images, tmp_path / "out")
    found = entries(tmp_path / "out")
    assert [entry["mask"] for entry in found] == ["a.png", "b.png", "c.png"]
    assert found[1]["size"] == [20, 30]
    thing = found[1]["segments"][1]
    assert (thing["id"], thing["class"], thing["area"]) == (1, "foreground", 50)
    assert thing["box"] == [6, 5, 16, 10]
    assert thing["centroid"] == [10.5, 7.0]
    assert thing["perimeter"] == 26
    assert thing["mean_colour"] == [200]
    coded = runs.Runs(tuple(thing["run_lengths"]["size"]), thing["run_lengths"]["counts"].encode())
    assert (runs.decode(coded) == (picture() == 200)).all()


def test_the_csv_has_one_row_a_segment(images, tmp_path):
    predict(OTSU, images, tmp_path / "out")
    with open(tmp_path / "out" / "segments.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 6
    assert rows[3] == {
        "image": str(images / "b.png"),
        "segment": "1",
        "class": "foreground",
        "score": "",
        "area": "50",
        "box_x": "6",
        "box_y": "5",
        "box_width": "10",
        "box_height": "5",
        "centroid_x": "10.5",
        "centroid_y": "7.0",
        "perimeter": "26.0",
        "mean_grey": "200.0",
    }


def test_bad_files_are_listed_and_the_rest_finished(images, tmp_path):
    (images / "empty.png").write_bytes(b"")
    (images / "text.jpg").write_text("hello")
    whole = (images / "a.png").read_bytes()
    (images / "cut.png").write_bytes(whole[: len(whole) // 2])
    summary = predict(OTSU, [images, tmp_path / "nowhere.png"], tmp_path / "out")
    assert summary.count == 3
    failed = json.loads((tmp_path / "out" / "failures.json").read_text())
    assert {row["file"].rsplit("/", 1)[1] for row in failed} == {"empty.png", "text.jpg", "cut.png", "nowhere.png"}
    assert all(row["error"] for row in failed)


def test_images_of_one_stem_do_not_overwrite_each_other(images, tmp_path):
    write_image(images / "a.jpg", picture())
    write_image(images / "deeper" / "A.png", picture())
    write_image(images / "a_2.png", picture())
    predict(OTSU, images, tmp_path / "out")
    names = [entry["mask"] for entry in entries(tmp_path / "out")]
    assert len({name.casefold() for name in names}) == len(names) == 6
    assert dict(zip([entry["file"].rsplit("/", 1)[1] for entry in entries(tmp_path / "out")], names, strict=True))[
        "a_2.png"
    ] == ("a_2.png")


def test_an_input_is_never_overwritten(images):
    before = (images / "b.png").read_bytes()
    predict(OTSU, images / "b.png", images)
    assert (images / "b.png").read_bytes() == before
    assert (images / "b_2.png").is_file()


def test_the_folder_of_the_images_is_refused_as_out(images):
    with pytest.raises(OptionError, match="folder of the images"):
        predict(OTSU, images, images)


def test_results_inside_the_folder_are_not_read_as_images(images):
    for _ in range(2):
        assert predict(OTSU, images, images / "out").count == 3


def test_patterns_and_repeats(images, tmp_path):
    summary = predict(OTSU, [str(images / "*.png"), images / "a.png", images], tmp_path / "out")
    assert summary.count == 3


def test_nothing_to_do_is_an_error(images, tmp_path):
    (tmp_path / "empty").mkdir()
    for nothing in (tmp_path / "empty", tmp_path / "nowhere", str(tmp_path / "*.tif"), []):
        with pytest.raises(MissingFile, match="expected"):
            predict(OTSU, nothing, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_file_in_the_place_of_out_is_an_error(images, tmp_path):
    (tmp_path / "out").write_text("")
    with pytest.raises(StorageError, match="expected a folder"):
        predict(OTSU, images, tmp_path / "out")


@pytest.mark.parametrize("size", [(1, 1), (1, 20000), (20000, 1)])
def test_thin_images_survive(size, tmp_path):
    write_image(tmp_path / "thin.png", np.full(size, 7, np.uint8))
    assert predict(OTSU, tmp_path / "thin.png", tmp_path / "out").failures == ()
    with PIL.Image.open(tmp_path / "out" / "thin.png") as mask:
        assert mask.size == size[::-1]


def test_binary_writes_0_and_255(images, tmp_path):
    predict(OTSU, images, tmp_path / "out", binary=True, overlay=False)
    with PIL.Image.open(tmp_path / "out" / "b.png") as mask:
        assert mask.mode == "L"
        assert (np.array(mask) == np.where(picture() == 200, 255, 0)).all()
    assert not list((tmp_path / "out").glob("*.jpg"))
    stored = read_predictions(tmp_path / "out").stored
    assert dict(stored.values) == {0: 0, 255: 1}


def test_the_threshold_reaches_the_predictor(images, tmp_path):
    predict(Method("threshold"), images / "b.png", tmp_path / "out", threshold=0.9)
    assert [one["class"] for one in entries(tmp_path / "out")[0]["segments"]] == ["background"]


class Fixed:
    """Give the same segmentation whatever the image."""

    def __init__(self, found):
        self.found = found
        self.card = Card("fixed", found.kind, found.labels)

    def __call__(self, images, request=PLAIN):
        return [self.found for _ in images]


def test_binary_and_threshold_want_one_foreground_class(images, tmp_path):
    labels = LabelSet.of(["a", "b", "c"])
    many = Fixed(Segmentation.from_class_map(np.zeros((20, 30), np.uint8), labels))
    for options in ({"binary": True}, {"threshold": 0.5}):
        with pytest.raises(OptionError, match="3 classes"):
            predict(many, images, tmp_path / "out", **options)
    with pytest.raises(OptionError, match="regions without classes"):
        predict(Method("kmeans"), images, tmp_path / "out", binary=True)


def test_instances_are_written_as_segment_ids_and_lose_nothing_in_run_lengths(tmp_path):
    write_image(tmp_path / "a.png", picture())
    masks = np.zeros((2, 20, 30), bool)
    masks[0, 2:12, 2:12] = True
    masks[1, 8:12, 8:20] = True
    labels = LabelSet.of(["leaf"], things=["leaf"])
    found = Segmentation.from_masks("instance", masks, [0, 0], labels, scores=np.array([0.9, 0.25]))
    predict(Fixed(found), tmp_path / "a.png", tmp_path / "out")
    with PIL.Image.open(tmp_path / "out" / "a.png") as mask:
        assert sorted(np.unique(np.array(mask)).tolist()) == [0, 1, 2]
    first, second = entries(tmp_path / "out")[0]["segments"]
    assert (first["id"], first["score"], first["area"], second["area"]) == (1, 0.9, 100, 48)


def test_more_than_255_segments_take_16_bits(tmp_path):
    write_image(tmp_path / "a.png", np.zeros((20, 30), np.uint8))
    ids = np.arange(1, 601).reshape(20, 30)
    masks = np.stack([ids == value for value in range(1, 401)])
    found = Segmentation.from_masks("regions", masks, np.zeros(400, int), LabelSet.of(["region"]))
    predict(Fixed(found), tmp_path / "a.png", tmp_path / "out")
    with PIL.Image.open(tmp_path / "out" / "a.png") as mask:
        assert np.array(mask).max() == 400


def test_the_csv_quotes_names_and_has_a_column_for_each_band_of_any_image(tmp_path):
    name = 'leaf, "young"'
    found = Segmentation.from_class_map(np.zeros((20, 30), np.uint8), LabelSet.of([name]))
    write_image(tmp_path / "in" / "a,b.png", picture())
    write_image(tmp_path / "in" / "colour.png", np.full((20, 30, 3), (10, 20, 30), np.uint8))
    predict(Fixed(found), tmp_path / "in", tmp_path / "out")
    assert ',0,"leaf, ""young""",,600,' in (tmp_path / "out" / "segments.csv").read_text()
    with open(tmp_path / "out" / "segments.csv", newline="") as file:
        first, second = csv.DictReader(file)
    assert (first["image"], first["class"]) == (str(tmp_path / "in" / "a,b.png"), name)
    assert [first[f"mean_{band}"] for band in ("grey", "red", "green", "blue")] != ["", "", "", ""]
    assert [second[f"mean_{band}"] for band in ("grey", "red", "green", "blue")] == ["", "10.0", "20.0", "30.0"]


def test_images_of_all_modes_and_one_size_are_never_mixed_in_a_batch(tmp_path):
    grey = picture()
    (tmp_path / "in").mkdir()
    PIL.Image.fromarray(grey > 100).save(tmp_path / "in" / "bits.png")
    for mode in ("L", "RGB", "RGBA", "P", "CMYK"):
        PIL.Image.fromarray(grey).convert(mode).save(tmp_path / "in" / f"{mode}.{'tif' if mode == 'CMYK' else 'png'}")
    PIL.Image.fromarray(grey.astype(np.uint16) * 257).save(tmp_path / "in" / "deep.png")
    summary = predict(OTSU, tmp_path / "in", tmp_path / "out")
    assert (summary.count, summary.failures) == (7, ())
    for entry in entries(tmp_path / "out"):
        with PIL.Image.open(tmp_path / "out" / entry["mask"]) as mask:
            assert (np.array(mask) == (grey == 200)).all(), entry["file"]


@pytest.mark.parametrize("threads", [0, 1, 3])
def test_threads_change_nothing_of_what_is_written(images, tmp_path, threads):
    predict(OTSU, images, tmp_path / "usual")
    predict(OTSU, images, tmp_path / "out", threads=threads)
    for path in (tmp_path / "usual").iterdir():
        assert path.read_bytes() == (tmp_path / "out" / path.name).read_bytes()


def test_what_follows_a_film_is_refused_for_images_one_by_one(images, tmp_path):
    from pixelwise.predict.smoothed import Smoothed

    with pytest.raises(OptionError, match="outermost"):
        predict(Smoothed(OTSU), images, tmp_path / "out")
