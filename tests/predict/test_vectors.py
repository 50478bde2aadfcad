"""Polygons written to files are what geographic programs read: in place, with holes, and as large as what they stand for."""

import json
import sqlite3

import numpy as np
import pytest

from pixelwise.core.errors import MissingExtra, OptionError
from pixelwise.core.rasters.place import GeoReference
from pixelwise.predict.vectors.vectors import check_vectors, write_vectors

UTM = GeoReference((2.0, 0.0, 500000.0, 0.0, -2.0, 5000000.0), "EPSG:32633", 32633, 1.0)
DEGREES = GeoReference((0.001, 0.0, 15.0, 0.0, -0.001, 45.0), "EPSG:4326", 4326)
IDS = np.array([[1, 1, 1, 2], [1, 0, 1, 2], [1, 1, 1, 255], [2, 2, 255, 255]], np.uint8)
COLUMNS = {
    0: {"class": "hole", "class_id": 0, "score": None},
    1: {"class": "ring", "class_id": 1, "score": 0.9},
    2: {"class": "ends", "class_id": 2, "score": 0.8},
}


def written(path, place=UTM, ids=IDS, **options):
    count = write_vectors(path, lambda first, last: ids[first:last], ids.shape, place, 255, COLUMNS, **options)
    return path, count


def placed(place):
    """The reference system in words, as a raster that GDAL reads has it."""
    rasterio = pytest.importorskip("rasterio")
    return GeoReference(place.affine, rasterio.crs.CRS.from_epsg(place.epsg).to_wkt(), place.epsg, place.metres)


def test_geojson_is_in_longitude_and_latitude_and_turns_as_the_standard_says(tmp_path):
    path, count = written(tmp_path / "a.geojson", DEGREES)
    found = json.loads(path.read_text())
    assert (found["type"], len(found["features"]), count) == ("FeatureCollection", 4, 4)
    ring = next(one for one in found["features"] if one["properties"]["class"] == "ring")
    assert ring["properties"] == {"id": 1, "class": "ring", "class_id": 1, "score": 0.9, "area": 8}
    outer, hole = ring["geometry"]["coordinates"]
    assert sorted(map(tuple, outer[:-1])) == [(15.0, 44.997), (15.0, 45.0), (15.003, 44.997), (15.003, 45.0)]
    assert outer[0] == outer[-1]
    assert turning(outer) > 0 > turning(hole)


def turning(ring):
    x, y = (np.array(ring) - np.array(ring[0])).T
    return float(x[:-1] @ y[1:] - x[1:] @ y[:-1])


def test_geojson_of_another_system_is_converted(tmp_path):
    geopandas = pytest.importorskip("geopandas")
    place = placed(UTM)
    path, _ = written(tmp_path / "a.geojson", place)
    frame = geopandas.read_file(path)
    assert frame.crs.to_epsg() == 4326
    there = frame.to_crs(32633)
    assert there.total_bounds == pytest.approx([500000, 5000000 - 8, 500008, 5000000], abs=1e-3)


def test_geojson_of_another_system_needs_the_extra(tmp_path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "rasterio.warp", None)
    with pytest.raises(MissingExtra, match=r"a\.geojson: longitude and latitude of a raster in EPSG:32633 needs rasterio"):
        written(tmp_path / "a.geojson")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("place", [UTM, DEGREES])
def test_a_geopackage_opens_in_its_own_system(tmp_path, place):
    geopandas = pytest.importorskip("geopandas")
    path, count = written(tmp_path / "a.gpkg", placed(place))
    frame = geopandas.read_file(path)
    assert (len(frame), frame.crs.to_epsg()) == (count, place.epsg)
    assert set(frame.geom_type) == {"Polygon"}
    assert frame.is_valid.all()
    ring = frame[frame["class"] == "ring"].iloc[0]
    assert (ring["area"], ring["score"], len(ring.geometry.interiors)) == (8, 0.9, 1)
    pixel = abs(place.affine[0] * place.affine[4])
    assert np.allclose(frame.area / pixel, frame["area"])
    assert frame["area"].sum() == (IDS != 255).sum()


def test_a_geopackage_without_words_for_its_system_is_known_by_number(tmp_path):
    geopandas = pytest.importorskip("geopandas")
    path, _ = written(tmp_path / "a.gpkg", UTM)
    assert geopandas.read_file(path).crs.to_epsg() == 32633


def test_a_geopackage_says_what_it_is_and_where(tmp_path):
    path, _ = written(tmp_path / "a.gpkg")
    assert path.read_bytes()[68:72] == b"GPKG"
    with sqlite3.connect(path) as file:
        row = file.execute("SELECT table_name, data_type, min_x, min_y, max_x, max_y, srs_id FROM gpkg_contents").fetchone()
        assert row == ("segments", "features", 500000.0, 4999992.0, 500008.0, 5000000.0, 32633)
        assert file.execute("SELECT area_m2 FROM segments WHERE class = 'ring'").fetchone() == (32.0,)
        assert {one for (one,) in file.execute("SELECT srs_id FROM gpkg_spatial_ref_sys")} == {-1, 0, 4326, 32633}
    file.close()


def test_what_is_together_is_one_multipolygon(tmp_path):
    geopandas = pytest.importorskip("geopandas")
    path, count = written(tmp_path / "a.gpkg", placed(UTM), together=True)
    frame = geopandas.read_file(path)
    assert count == 3
    assert set(frame.geom_type) == {"MultiPolygon"}
    assert frame.set_index("id")["area"].to_dict() == {0: 1, 1: 8, 2: 4}
    features = json.loads(written(tmp_path / "a.geojson", DEGREES, together=True)[0].read_text())["features"]
    assert [len(one["geometry"]["coordinates"]) for one in features] == [1, 1, 2]


def test_without_a_place_both_are_in_pixels(tmp_path):
    path, _ = written(tmp_path / "a.geojson", GeoReference())
    assert "in pixels" in json.loads(path.read_text())["coordinates"]
    path, _ = written(tmp_path / "a.gpkg", GeoReference())
    with sqlite3.connect(path) as file:
        assert file.execute("SELECT srs_id, max_x, max_y FROM gpkg_contents").fetchone() == (-1, 4.0, 4.0)
    file.close()


def test_nothing_found_is_a_file_without_rows(tmp_path):
    empty = np.full((3, 3), 255, np.uint8)
    path, count = written(tmp_path / "a.geojson", DEGREES, empty)
    assert (json.loads(path.read_text())["features"], count) == ([], 0)
    path, count = written(tmp_path / "a.gpkg", UTM, empty)
    assert count == 0
    geopandas = pytest.importorskip("geopandas")
    assert len(geopandas.read_file(path)) == 0


def test_the_bound_of_simpler_polygons_is_told_with_each(tmp_path):
    y, x = np.mgrid[:60, :60]
    ids = ((x - 30) ** 2 + (y - 30) ** 2 < 500).astype(np.uint8)
    whole, simple = (
        json.loads(written(tmp_path / "a.geojson", DEGREES, ids, simplify=bound)[0].read_text())["features"]
        for bound in (None, 0.95)
    )
    corners = [sum(len(one["geometry"]["coordinates"][0]) for one in found) for found in (whole, simple)]
    assert corners[1] < corners[0] / 2
    assert all(0.95 <= one["properties"]["iou"] <= 1 for one in simple)
    assert "iou" not in whole[0]["properties"]


@pytest.mark.parametrize(
    ("form", "simplify", "message"),
    [("shp", None, "expected one of gpkg, geojson"), ("gpkg", 1.5, "above 0 and up to 1"), (None, 0.9, "is of polygons")],
)
def test_what_cannot_be_written_is_refused(form, simplify, message):
    with pytest.raises(OptionError, match=message):
        check_vectors(form, simplify)
