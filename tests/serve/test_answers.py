"""What goes into a form of answer comes out of it: masks bit for bit, over kinds, holes, single pixels, none and very many."""

import base64
import io
import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pixelwise.core.errors import DataError, OptionError
from pixelwise.core.image import Image
from pixelwise.core.labels import LabelSet
from pixelwise.core.masks import DisjointMasks
from pixelwise.core.packed import unpack
from pixelwise.core.rasters.place import GeoReference
from pixelwise.core.runs import from_text
from pixelwise.core.segmentation import Kind, Segmentation
from pixelwise.methods.predictor import Method
from pixelwise.predict.folder import predict
from pixelwise.serve.answered import Answered
from pixelwise.serve.answers import ANSWERS
from pixelwise.serve.answers.bundle import bundled
from pixelwise.serve.models import Served
from pixelwise.serve.wishes import Wishes

LABELS = LabelSet.of(["background", "tree", "car"], things=["car"])
PLAIN = Wishes()


def answered(found: Segmentation, **more: Any) -> Answered:
    image = Image(np.random.default_rng(0).integers(0, 256, (*found.size, 3)).astype(np.uint8))
    return Answered(found, Served("m", "1", Method("otsu")), image, {"predict": 0.25}, **more)


def written(form: str, found: Segmentation, wishes: Wishes = PLAIN, **more: Any) -> bytes:
    content = ANSWERS[form].write(answered(found, **more), wishes)
    assert isinstance(content, bytes)
    return content


def pixels_of(png: bytes) -> np.ndarray[Any, Any]:
    return np.array(PIL.Image.open(io.BytesIO(png)))


def filled(parts: list[list[list[list[int]]]], size: tuple[int, int]) -> np.ndarray[Any, Any]:
    """Fill rings along the sides of pixels: what is right of an odd number of upright sides is inside."""
    mask = np.zeros(size, bool)
    for ring in (ring for rings in parts for ring in rings):
        for (x, y), (after, below) in zip(ring, [*ring[1:], ring[0]], strict=True):
            if x == after:
                mask[min(y, below) : max(y, below), x:] ^= True
    return mask


@st.composite
def segmentations(
    draw: st.DrawFn, kinds: tuple[Kind, ...] = ("semantic", "panoptic", "instance", "regions", "multilabel")
) -> Segmentation:
    """Draw a segmentation of any kind, with holes, parts and single pixels; those that may overlap do."""
    kind: Kind = draw(st.sampled_from(kinds))
    size = draw(st.integers(1, 9)), draw(st.integers(1, 9))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    if kind in ("instance", "multilabel"):
        count = draw(st.integers(0, 3 if kind == "multilabel" else 6))
        masks = rng.random((count, *size)) < draw(st.sampled_from([0.02, 0.5, 0.9]))
        classes = np.arange(count) if kind == "multilabel" else rng.integers(0, 3, count)
        return Segmentation.from_masks(kind, masks, classes, LABELS, scores=rng.random(count))
    count = draw(st.integers(0, 3 if kind == "semantic" else 12))
    ids = rng.integers(0, count + 1, size).astype(np.uint8)
    if kind == "semantic":
        return Segmentation(kind, DisjointMasks(ids, count), np.arange(count), LABELS, rng.random(count))
    if kind == "regions":
        return Segmentation(kind, DisjointMasks(ids, count), np.zeros(count, int), LabelSet.of(["region"]))
    return Segmentation(kind, DisjointMasks(ids, count), rng.integers(0, 3, count), LABELS, rng.random(count))


MANY = {
    "300 segments": Segmentation(
        "panoptic", DisjointMasks(np.arange(1, 301, dtype=np.uint16).reshape(15, 20), 300), np.full(300, 2), LABELS
    ),
    "none": Segmentation("instance", DisjointMasks(np.zeros((3, 4), np.uint8), 0), np.zeros(0, int), LABELS),
    "300 classes": Segmentation.from_class_map(
        np.arange(300, dtype=np.uint16).reshape(15, 20), LabelSet.of([f"class {index}" for index in range(300)])
    ),
}
many = pytest.mark.parametrize("found", MANY.values(), ids=MANY.keys())


def check_ids(found: Segmentation) -> None:
    values = pixels_of(written("ids", found))
    expected = found.class_map() if found.kind == "semantic" else found.panoptic_ids()
    assert values.tolist() == expected.tolist()


def check_coco(found: Segmentation) -> None:
    document = json.loads(written("coco", found))
    categories = {one["id"]: one["name"] for one in document["categories"]}
    rows = document["annotations"]
    assert [from_text(one["segmentation"]["counts"].encode(), found.size) for one in rows] == list(found.masks.run_lengths())
    assert [categories[one["category_id"]] for one in rows] == found.names
    if found.scores is not None:
        assert [one["score"] for one in rows] == found.scores.tolist()


def check_json(found: Segmentation) -> None:
    segments = json.loads(written("json", found))["segments"]
    coded = [from_text(one["run_lengths"]["counts"].encode(), found.size) for one in segments]
    assert coded == list(found.masks.run_lengths())
    assert [one["area"] for one in segments] == found.masks.areas().tolist()


def check_polygons(found: Segmentation) -> None:
    document = json.loads(written("polygons", found))
    assert [one["class"] for one in document["segments"]] == found.names
    for index, one in enumerate(document["segments"]):
        parts = [[part["outline"], *part["holes"]] for part in one["polygons"]]
        assert (filled(parts, found.size) == found.masks.mask(index)).all()


def check_geojson(found: Segmentation) -> None:
    features = json.loads(written("geojson", found))["features"]
    assert [one["properties"]["class"] for one in features] == found.names
    for index, one in enumerate(features):
        parts = [[[[int(x), int(y)] for x, y in ring[:-1]] for ring in rings] for rings in one["geometry"]["coordinates"]]
        assert (filled(parts, found.size) == found.masks.mask(index)).all()


def check_panoptic(found: Segmentation) -> None:
    with zipfile.ZipFile(io.BytesIO(written("panoptic", found))) as archive:
        colours = pixels_of(archive.read("panoptic.png")).astype(int)
        document = json.loads(archive.read("panoptic.json"))
    ids = colours[:, :, 0] + 256 * colours[:, :, 1] + 65536 * colours[:, :, 2]
    assert ids.tolist() == found.panoptic_ids().tolist()
    listed = document["annotations"][0]["segments_info"]
    assert {one["id"] for one in listed} == set(np.unique(ids[ids > 0]).tolist())
    assert all(one["area"] == (ids == one["id"]).sum() for one in listed)


def check_overlay(found: Segmentation) -> None:
    shown = pixels_of(written("overlay", found, Wishes(opacity=0.25)))
    names = np.array(["background", *found.names])
    painted = (found.panoptic_ids() > 0) & (names[found.panoptic_ids()] != "background")
    assert shown.shape == (*found.size, 4)
    assert ((shown[:, :, 3] > 0) == painted).all()


def check_segmentation(found: Segmentation) -> None:
    back = unpack(written("segmentation", found), found.size).segmentation
    assert back == found
    assert back.labels == found.labels
    assert (back.scores is None) == (found.scores is None)
    assert found.scores is None or (back.scores == found.scores).all()


CHECKS = {
    "ids": check_ids, "coco": check_coco, "json": check_json, "polygons": check_polygons, "geojson": check_geojson,
    "panoptic": check_panoptic, "overlay": check_overlay, "segmentation": check_segmentation,
}  # fmt: skip


def test_every_form_is_checked_here() -> None:
    assert set(CHECKS) | {"uncertainty"} == set(ANSWERS)


@pytest.mark.parametrize("form", CHECKS)
@given(found=segmentations())
@settings(max_examples=25)
def test_masks_come_out_as_they_went_in(form: str, found: Segmentation) -> None:
    CHECKS[form](found)


@many
@pytest.mark.parametrize("form", CHECKS)
def test_masks_come_out_as_they_went_in_for_none_and_for_very_many(form: str, found: Segmentation) -> None:
    CHECKS[form](found)


@pytest.mark.parametrize("name", ["otsu", "slic"])
def test_ids_are_the_bytes_and_segments_the_entry_that_predict_writes(name: str, tmp_path: Path) -> None:
    pixels = np.random.default_rng(1).integers(0, 256, (24, 31, 3)).astype(np.uint8)
    PIL.Image.fromarray(pixels).save(tmp_path / "a.png")
    predictor, image = Method(name), Image(pixels)
    predict(predictor, [tmp_path / "a.png"], tmp_path / "out", threads=0)
    one = Answered(predictor([image])[0], Served("m", "1", predictor), image)
    assert ANSWERS["ids"].write(one, PLAIN) == (tmp_path / "out" / "a.png").read_bytes()
    entry = json.loads((tmp_path / "out" / "segments.json").read_text())[0]
    told = json.loads(ANSWERS["json"].write(one, PLAIN))
    assert told["segments"] == entry["segments"]
    assert (told["size"], told["kind"]) == (entry["size"], entry["kind"])


def test_uncertainty_is_grey_and_says_its_scale() -> None:
    found = Segmentation.from_class_map(np.array([[0, 1, 2]]), LABELS, np.array([0.9, 0.8, 0.7]))
    unsure = np.array([[0.0, 0.5, 1.0]], np.float32)
    png = written("uncertainty", found, Wishes(measure="margin"), uncertainty=unsure)
    picture = PIL.Image.open(io.BytesIO(png))
    assert (picture.mode, np.array(picture).tolist()) == ("L", [[0, 128, 255]])
    assert picture.text == {"Measure": "margin", "Scale": "value / 255: 0 sure, 1 as unsure as can be"}
    told = json.loads(written("json", found, uncertainty=unsure))
    assert told["uncertainty"] == {"measure": "entropy", "image": 0.5, "pixels": 0.5}
    assert [one["uncertainty"] for one in told["segments"]] == [0.0, 0.5, 1.0]


def test_an_uncertainty_that_was_not_wished_for_is_refused() -> None:
    with pytest.raises(OptionError, match="uncertainty=true"):
        written("uncertainty", MANY["none"])


def test_geojson_of_a_placed_image_is_in_its_coordinates() -> None:
    found = Segmentation.from_masks("instance", np.array([[[True, False]]]), [2], LABELS)
    place = GeoReference((0.5, 0.0, 10.0, 0.0, -0.5, 50.0), "EPSG:4326", 4326)
    document = json.loads(written("geojson", found, place=place))
    assert "coordinates" not in document
    ring = document["features"][0]["geometry"]["coordinates"][0][0]
    assert sorted(map(tuple, ring[:-1])) == [(10.0, 49.5), (10.0, 50.0), (10.5, 49.5), (10.5, 50.0)]


def test_an_outline_is_drawn_in_full_and_can_be_left_out() -> None:
    found = Segmentation.from_masks("instance", np.ones((1, 3, 3), bool) * np.array([[1, 1, 0]], bool), [2], LABELS)
    drawn = pixels_of(written("overlay", found, Wishes(opacity=0.5)))[:, :, 3]
    assert drawn.tolist() == [[128, 255, 0]] * 3
    assert pixels_of(written("overlay", found, Wishes(opacity=0.5, outline=False)))[:, :, 3].max() == 128


def test_pycocotools_reads_the_coco_form(tmp_path: Path) -> None:
    coco = pytest.importorskip("pycocotools.coco")
    (tmp_path / "a.json").write_bytes(written("coco", MANY["300 segments"]))
    read = coco.COCO(tmp_path / "a.json")
    one = read.loadAnns([7])[0]
    assert (read.annToMask(one) == MANY["300 segments"].masks.mask(6)).all()


def test_one_form_is_given_as_it_is_and_several_in_one_object() -> None:
    found = MANY["300 segments"]
    alone = bundled(answered(found), Wishes(("ids",)))
    assert alone == (written("ids", found), "image/png", "ids.png")
    together = bundled(answered(found), Wishes(("ids", "coco")))
    document = json.loads(together.content)
    assert together.media_type == "application/json"
    assert base64.b64decode(document["answers"]["ids"]["base64"]) == alone.content
    assert document["answers"]["coco"] == json.loads(written("coco", found))
    assert (document["model"], document["version"], document["size"]) == ("m", "1", [15, 20])


def test_ids_beyond_16_bits_are_refused_and_the_exact_form_holds_them() -> None:
    ids = np.arange(1, 70_001, dtype=np.uint32).reshape(100, 700)
    found = Segmentation("regions", DisjointMasks(ids, 70_000), np.zeros(70_000, int), LabelSet.of(["region"]))
    with pytest.raises(DataError, match="ids 0"):
        written("ids", found)
    assert (unpack(written("segmentation", found), (100, 700)).segmentation.masks.ids == ids).all()  # type: ignore[attr-defined]
