"""The format geojson: polygons over pictures that lie on the earth, QuPath's pixels, and coordinates that make no sense."""

import contextlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import pytest
import tifffile
from hypothesis import given
from hypothesis import strategies as st

from pixelwise.core.errors import DataError, MissingExtra, UnknownLayout, UnreadableFile
from pixelwise.core.image import Image
from pixelwise.core.labels import LabelSet
from pixelwise.core.sample import Dataset, Sample
from pixelwise.core.segmentation import Segmentation
from pixelwise.formats import read, recognise
from pixelwise.formats.geojson import write
from pixelwise.formats.geojson.place import Place, clipped, find_place

ROOF = [[500004, 4999996], [500012, 4999996], [500012, 4999990], [500004, 4999990], [500004, 4999996]]  # 8 m by 6 m
UTM = {"type": "name", "properties": {"name": "urn:ogc:def:crs:EPSG::32633"}}
SQUARE = [[1, 1], [6, 1], [6, 6], [1, 6], [1, 1]]  # 5 x 5 pixels
HOLE = [[2, 2], [4, 2], [4, 3], [2, 3], [2, 2]]  # 2 x 1 pixels


def feature(geometry: Any, **properties: Any) -> dict[str, Any]:
    return {"type": "Feature", "geometry": geometry, "properties": properties}


def polygon(*rings: list[list[Any]]) -> dict[str, Any]:
    return {"type": "Polygon", "coordinates": list(rings)}


def collection(*features: Any, **more: Any) -> dict[str, Any]:
    return {"type": "FeatureCollection", "features": list(features), **more}


def raster(path: Path, code: int = 32633, kind: int = 1) -> None:
    """A GeoTIFF of 20 x 10 pixels of 2 m, whose top left corner is at 500000 E, 5000000 N."""
    keys = (1, 1, 0, 3, 1024, 0, 1, 1, 1025, 0, 1, kind, 3072, 0, 1, code)
    tie = (0, 0, 0, 500000.0 + (kind == 2), 5000000.0 - (kind == 2), 0)  # of the first pixel's corner, or its middle
    tags = [(33550, "d", 3, (2.0, 2.0, 0.0)), (33922, "d", 6, tie), (34735, "H", len(keys), keys)]
    path.parent.mkdir(parents=True, exist_ok=True)
    tifffile.imwrite(path, np.zeros((10, 20), np.uint8), extratags=tags)


def put(root: Path, document: Any, name: str = "a.geojson") -> Path:
    root.mkdir(parents=True, exist_ok=True)
    (root / name).write_text(json.dumps(document))
    return root


def flat(root: Path, document: Any) -> Path:
    """A picture that lies nowhere, of 8 x 8 pixels, and its features."""
    put(root, document)
    PIL.Image.new("RGB", (8, 8)).save(root / "a.png")
    return root


@pytest.mark.parametrize("kind", [1, 2])
def test_a_polygon_lies_where_the_tags_of_a_geotiff_say(kind: int, tmp_path: Path) -> None:
    raster(tmp_path / "a.tif", kind=kind)
    data = read(put(tmp_path, collection(feature(polygon(ROOF), label="roof", height=3), crs=UTM)))
    truth = data[0].truth
    assert truth.masks.boxes().tolist() == [[2, 2, 6, 5]]
    assert truth.masks.areas().tolist() == [12]
    assert (truth.names, truth.attributes, data.notes) == (["roof"], ({"height": 3},), ())


@pytest.mark.parametrize("name", ["a.pgw", "a.png.wld", "a.PGW"])
def test_a_world_file_says_it_too(name: str, tmp_path: Path) -> None:
    put(tmp_path, collection(feature(polygon(ROOF))))
    PIL.Image.new("L", (20, 10)).save(tmp_path / "a.png")
    (tmp_path / name).write_text("2.0\n0\n0\n-2.0\n500001.0\n4999999.0\n")
    assert read(tmp_path)[0].truth.masks.boxes().tolist() == [[2, 2, 6, 5]]


def test_longitude_and_latitude_are_converted(tmp_path: Path) -> None:
    warp = pytest.importorskip("rasterio.warp")
    raster(tmp_path / "a.tif")
    east, north = warp.transform("EPSG:32633", "EPSG:4326", [x for x, _ in ROOF], [y for _, y in ROOF])
    data = read(put(tmp_path, collection(feature(polygon([list(pair) for pair in zip(east, north, strict=True)])))))
    assert data[0].truth.masks.boxes().tolist() == [[2, 2, 6, 5]]


def test_what_converts_is_named_where_it_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "rasterio", None)
    raster(tmp_path / "a.tif")
    with pytest.raises(MissingExtra, match=r"EPSG:4326 over a picture in EPSG:32633 needs rasterio: .*pixelwise\[geo\]"):
        read(put(tmp_path, collection(feature(polygon([[15, 45], [15.1, 45], [15, 45.1]])))))


def test_one_file_over_many_pictures_gives_each_its_part(tmp_path: Path) -> None:
    raster(tmp_path / "tiles" / "west.tif")
    raster(tmp_path / "tiles" / "again.tif")
    PIL.Image.new("L", (20, 10)).save(tmp_path / "tiles" / "logo.png")
    away = [[x + 10_000, y] for x, y in ROOF]
    data = read(put(tmp_path, collection(feature(polygon(ROOF)), feature(polygon(away)), crs=UTM), "roofs.geojson"))
    assert [one.name for one in data] == ["again", "west"]
    assert [len(one.truth) for one in data] == [1, 1]
    assert "1 of 2 features lie in none of the pictures" in data.notes[0]


def test_what_reaches_far_beyond_the_picture_is_cut_off(tmp_path: Path) -> None:
    raster(tmp_path / "a.tif")
    country = [[0, 0], [10**7, 0], [10**7, 4999990], [0, 4999990], [0, 0]]  # all that is south of the fifth row
    data = read(put(tmp_path, collection(feature(polygon(country)), crs=UTM)))
    assert data[0].truth.masks.boxes().tolist() == [[0, 5, 20, 10]]


def test_what_has_no_place_in_the_reference_system_of_a_picture_is_elsewhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """PROJ gives infinity for such points; it is replaced here by what shifts degrees, and knows the west alone."""

    def west_alone(points: np.ndarray, crs: str, place: Place) -> np.ndarray:
        return np.where(points[:, :1] > 0, np.inf, points + (500000 + 20, 5000000 - 10))

    monkeypatch.setattr("pixelwise.formats.geojson.place._converted", west_alone)
    raster(tmp_path / "a.tif")
    here, across, torn = ([[x, 0], [x, 4], [x + w, 4], [x, 0]] for x, w in ((-8, 4), (90, 4), (-8, 99)))
    data = read(put(tmp_path, collection(feature(polygon(here)), feature(polygon(across)))))
    assert len(data[0].truth) == 1
    assert "1 of 2 features lie in none of the pictures" in data.notes[0]
    with pytest.raises(DataError, match="feature 1: a coordinate is beyond all numbers"):
        _ = read(put(tmp_path, collection(feature(polygon(torn)))))[0].truth


def test_clipping_keeps_what_is_inside() -> None:
    triangle = np.array([[2.0, 2.0], [6.0, 2.0], [2.0, 6.0]])
    assert clipped(triangle, (0, 0, 8, 8)).tolist() == triangle.tolist()
    assert clipped(triangle, (9, 9, 12, 12)).tolist() == []


def test_holes_are_cut_out_of_their_own_part(tmp_path: Path) -> None:
    island = [[2, 2], [3, 2], [3, 3], [2, 3], [2, 2]]
    parts = {"type": "MultiPolygon", "coordinates": [[SQUARE, HOLE], [island]]}
    data = read(flat(tmp_path, collection(feature(polygon(SQUARE, HOLE)), feature(parts))))
    assert data[0].truth.masks.areas().tolist() == [23, 24]


def test_qupath_is_read_in_pixels_with_its_classes_and_colours(tmp_path: Path) -> None:
    tumor = {"name": "Tumor", "color": [200, 0, 0]}
    features = [
        {"id": "c1b2", **feature(polygon(SQUARE), objectType="annotation", classification=tumor, name="first")},
        feature(polygon(HOLE), objectType="detection"),
    ]
    raster(tmp_path / "a.tif")  # on the earth, and yet in pixels
    data = read(put(tmp_path, features))
    assert recognise(tmp_path)[1].dialect == "GeoJSON in pixels (QuPath)"
    assert data.labels.names == ("Tumor", "object")
    assert data.labels.labels[0].colour == (200, 0, 0)
    assert data[0].truth.masks.areas().tolist() == [25, 2]
    assert data[0].truth.attributes == ({"name": "first"}, {})


def test_a_file_is_read_by_itself(tmp_path: Path) -> None:
    root = flat(tmp_path, collection(feature(polygon(SQUARE))))
    assert recognise(root / "a.geojson")[0] == "geojson"
    assert len(read(root / "a.geojson")[0].truth) == 1


def test_points_and_lines_are_counted(tmp_path: Path) -> None:
    point, line = {"type": "Point", "coordinates": [1, 1]}, {"type": "LineString", "coordinates": [[1, 1], [2, 2]]}
    data = read(flat(tmp_path, collection(feature(point), feature(point), feature(line), feature(polygon(SQUARE)))))
    assert data.notes[0].endswith("2 of the kind Point, 1 of the kind LineString: they have no mask; left out")
    assert len(data[0].truth) == 1


NESTED: Any = 1
for _ in range(900):
    NESTED = [NESTED]
BAD = {
    "two points": (polygon([[1, 1], [2, 2]]), "2 points; expected at least 3"),
    "words": (polygon([["a", "b"]] * 4), "expected points as pairs of finite numbers"),
    "not finite": (polygon([[1, 1], [5, 1], [5, float("nan")]]), "expected points as pairs of finite numbers"),
    "far": (polygon([[1, 1], [1e30, 1], [5, 5]]), r"reaches 1e\+30 pixels out"),
    "beyond numbers": (polygon([[1, 1], [10**400, 1], [5, 5]]), "."),
    "no rings": (polygon(), "no ring of points"),
    "null": ({"type": "Polygon", "coordinates": None}, "no ring of points"),
    "a number": ({"type": "MultiPolygon", "coordinates": 7}, "a list of coordinates"),
    "deep": ({"type": "Polygon", "coordinates": NESTED}, "."),
    "no geometries": ({"type": "GeometryCollection"}, "a list of geometries"),
}


@pytest.mark.parametrize("kind", BAD)
def test_a_bad_feature_is_named_and_spoils_itself_alone(kind: str, tmp_path: Path) -> None:
    geometry, words = BAD[kind]
    sample = read(flat(tmp_path, collection(feature(polygon(SQUARE)), feature(geometry))))[0]
    with pytest.raises(DataError, match=rf"a\.geojson: feature 2: .*{words}"):
        _ = sample.truth
    assert len(sample.salvaged()[0][0]) == 1


@pytest.mark.parametrize(
    "content", ["", '{"type": "FeatureCollection", "features": [{"ty', '{"features": 3}', "[" * 100_000, "7"]
)
def test_a_broken_file_spoils_its_image_alone(content: str, tmp_path: Path) -> None:
    root = flat(tmp_path, collection(feature(polygon(SQUARE))))
    PIL.Image.new("RGB", (8, 8)).save(root / "b.png")
    (root / "b.geojson").write_text(content)
    data = read(root)
    assert len(data[0].truth) == 1
    with pytest.raises(UnreadableFile, match=r"b\.geojson"):
        _ = data[1].truth


@pytest.mark.parametrize("text", ["1\n2\n", "a b c d e f", "0 0 0 0 0 0", "nan 0 0 1 0 0", "1e400 0 0 1 0 0", "1 " * 4000])
def test_a_broken_world_file_is_named(text: str, tmp_path: Path) -> None:
    PIL.Image.new("L", (2, 2)).save(tmp_path / "a.png")
    (tmp_path / "a.pgw").write_text(text)
    with pytest.raises(UnreadableFile, match=r"a\.pgw"):
        find_place(tmp_path / "a.png", tmp_path / "a.pgw")


def test_a_reference_system_without_a_number_is_named(tmp_path: Path) -> None:
    raster(tmp_path / "a.tif")
    odd = {"type": "name", "properties": {"name": "My village"}}
    data = read(put(tmp_path, collection(feature(polygon(ROOF)), crs=odd)))
    with pytest.raises(UnreadableFile, match=r"expected a crs such as .*found 'My village'"):
        _ = data[0].truth


def test_other_json_is_not_claimed(tmp_path: Path) -> None:
    flat(tmp_path, {})
    (tmp_path / "a.geojson").rename(tmp_path / "a.json")
    with pytest.raises(UnknownLayout):
        read(tmp_path, format="geojson")


coordinate = st.one_of(st.floats(), st.integers(-20, 20), st.none(), st.text(max_size=2))
ring = st.lists(st.lists(coordinate, max_size=3), max_size=5)


@given(
    geometry=st.fixed_dictionaries(
        {"type": st.sampled_from(["Polygon", "MultiPolygon"]), "coordinates": st.lists(ring, max_size=2)}
    )
)
def test_odd_coordinates_lead_to_no_other_error(tmp_path_factory: pytest.TempPathFactory, geometry: dict[str, Any]) -> None:
    root = flat(tmp_path_factory.mktemp("fuzz"), collection(feature(geometry)))
    with contextlib.suppress(DataError):
        _ = read(root)[0].truth


def test_what_is_written_is_geojson_that_qupath_opens(tmp_path: Path) -> None:
    labels = LabelSet.of(["Tumor"], things=["Tumor"])
    mask = np.ones((3, 3), bool)
    mask[1, 1] = False
    truth = Segmentation.from_masks("instance", mask[None], [0], labels, attributes=({"stage": 2},), source_ids=np.array([5]))
    write(Dataset([Sample.of("a", Image(np.zeros((3, 3, 3), np.uint8)), truth)], labels, "instance"), tmp_path / "out")
    document = json.loads((tmp_path / "out" / "geojson" / "a.geojson").read_text())
    assert document["features"] == [
        {
            "type": "Feature",
            "geometry": {
                "type": "Polygon",
                "coordinates": [[[0, 0], [0, 3], [3, 3], [3, 0], [0, 0]], [[1, 1], [1, 2], [2, 2], [2, 1], [1, 1]]],
            },
            "properties": {
                "objectType": "annotation",
                "classification": {"name": "Tumor", "color": list(labels.labels[0].colour)},
                "source_id": 5,
                "attributes": {"stage": 2},
            },
        }
    ]
    back = read(tmp_path / "out")[0].truth
    assert back == truth
    assert back.attributes == truth.attributes


@given(bits=st.lists(st.booleans(), min_size=36, max_size=36))
def test_any_mask_is_read_back_bit_for_bit(tmp_path_factory: pytest.TempPathFactory, bits: list[bool]) -> None:
    labels = LabelSet.of(["x"])
    truth = Segmentation.from_masks("instance", np.array(bits).reshape(1, 6, 6), [0], labels)
    out = tmp_path_factory.mktemp("any") / "out"
    write(Dataset([Sample.of("a", Image(np.zeros((6, 6, 3), np.uint8)), truth)], labels, "instance"), out)
    assert read(out)[0].truth == truth
