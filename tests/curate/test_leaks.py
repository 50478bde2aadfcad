"""Leaks beyond copies: tiles of one scene in two splits, tiles that overlap, and a tile of a photo, by name and by content."""

import io
from pathlib import Path

import cv2
import numpy as np
import PIL.Image
import pytest

from pixelwise.core.image import Image
from pixelwise.core.labels import LabelSet
from pixelwise.core.sample import Dataset, Sample
from pixelwise.curate.check import check
from pixelwise.curate.leaks import find_leaks
from pixelwise.curate.leaks_content import find_overlaps
from pixelwise.curate.leaks_tiles import Tile, overlapping, tiles_of
from pixelwise.curate.problem import Problem
from pixelwise.scenes import video

LABELS = LabelSet.of(["a", "b"])
SMALL = Image(np.zeros((4, 4, 3), np.uint8))


def named(*names: str) -> Dataset:
    return Dataset([Sample.of(name, SMALL) for name in names], LABELS, "semantic")


def placed(*places: tuple[str, tuple[int, int]]) -> Dataset:
    samples = [Sample.of(f"t{k}", SMALL, scene=scene, origin=origin) for k, (scene, origin) in enumerate(places)]
    return Dataset(samples, LABELS, "semantic")


def pictured(*pictures: np.ndarray) -> Dataset:
    return Dataset([Sample.of(f"p{k}", Image(np.ascontiguousarray(one))) for k, one in enumerate(pictures)], LABELS, "semantic")


def photo(seed: int, size: tuple[int, int] = (300, 400)) -> np.ndarray:
    """Draw something with as much detail as a photograph: blobs and edges of many sizes."""
    rng = np.random.default_rng(seed)
    canvas = np.full((*size, 3), 120, np.uint8)
    for _ in range(500):
        centre = int(rng.integers(0, size[1])), int(rng.integers(0, size[0]))
        axes = int(rng.integers(2, 24)), int(rng.integers(2, 24))
        colour = tuple(int(one) for one in rng.integers(0, 255, 3))
        cv2.ellipse(canvas, centre, axes, float(rng.integers(0, 180)), 0, 360, colour, -1)
    return canvas


def jpeg(picture: np.ndarray, quality: int) -> np.ndarray:
    file = io.BytesIO()
    PIL.Image.fromarray(picture).save(file, "JPEG", quality=quality)
    return np.array(PIL.Image.open(file))


def leaks(dataset: Dataset, splits: str, by_content: bool = False) -> list[Problem]:
    """Look for leaks where sample k is in the split of letter k; a dot is in none."""
    members = [frozenset({one}) if one != "." else frozenset() for one in splits]
    return list(find_leaks(dataset, members, [sample.size for sample in dataset], by_content=by_content))


PHOTO = photo(0)


@pytest.mark.parametrize(
    ("name", "top", "left"),
    [("town_x512_y256", 256, 512), ("town_r3_c1", 3, 1), ("town_row3_col1", 3, 1), ("town_y256_x512", 256, 512)],
)
def test_a_marked_name_tells_a_tile(name: str, top: int, left: int) -> None:
    tile = tiles_of(named(name))[0]
    assert tile is not None
    assert (tile.scene, tile.top, tile.left) == ("town", top, left)


def test_bare_numbers_that_make_a_grid_tell_tiles() -> None:
    tiles = tiles_of(named("town_0_0", "town_0_512", "town_512_0", "town_512_512"))
    assert tiles[3] == Tile("town", 512, 512, in_pixels=True, is_sure=False)


def test_tiles_too_few_to_make_a_grid_are_told_by_their_neighbours() -> None:
    assert all(tiles_of(named("a_0_0", "a_0_512", "a_512_0", "a_512_512", "b_0_0", "b_0_512")))


def test_photos_of_two_tiles_each_are_told_by_where_they_start() -> None:
    assert all(tiles_of(named("000000000139_0_0", "000000000139_0_512", "000000000285_0_0", "000000000285_512_0")))


def test_dates_are_no_tiles() -> None:
    assert not any(tiles_of(named("2011_09_26", "2011_09_28", "2011_10_03", "2012_01_02")))


def test_the_last_row_of_tiles_may_be_shifted_to_end_with_the_photo() -> None:
    assert all(tiles_of(named(*(f"t_{y}_{x}" for y in (0, 512, 1024, 1488) for x in (0, 512, 900)))))


def test_numbers_of_frames_are_no_tiles() -> None:
    assert not any(tiles_of(named("aachen_000000_000019", "aachen_000001_000019", "aachen_000002_000019", "b_000000_000019")))
    assert not any(
        tiles_of(named(*(f"frankfurt_{one:06}_{two:06}" for one, two in ((0, 294), (0, 576), (1, 2020), (1, 8310)))))
    )


def test_years_and_numbers_are_no_tiles() -> None:
    assert not any(tiles_of(named("2007_000032", "2007_000039", "2008_000002", "2008_000007")))


def test_numbers_of_clips_and_frames_are_no_tiles() -> None:
    assert not any(tiles_of(named(*(f"ride_{clip}_{frame}" for clip in range(3) for frame in range(5)))))


def test_small_numbers_that_are_marked_count_tiles_and_are_no_pixels() -> None:
    tiles = tiles_of(named("t_r0_c0", "t_r0_c1", "t_r1_c0", "t_r1_c1"))
    assert [one.in_pixels for one in tiles if one] == [False] * 4
    assert list(overlapping(tiles, [(4, 4)] * 4, range(4))) == []


def test_tiles_overlap_where_their_boxes_do() -> None:
    tiles = [Tile("s", 0, 0), Tile("s", 0, 3), Tile("s", 3, 3), Tile("s", 8, 8)]
    assert list(overlapping(tiles, [(4, 4)] * 4, range(4))) == [(0, 1), (0, 2), (1, 2)]


def test_tiles_that_touch_do_not_overlap() -> None:
    assert list(overlapping([Tile("s", 0, 0), Tile("s", 0, 4)], [(4, 4)] * 2, range(2))) == []


def test_overlapping_tiles_in_two_splits_are_an_error() -> None:
    found = leaks(placed(("s", (0, 0)), ("s", (0, 2))), "ab")
    assert [(one.kind, one.severity, one.rows) for one in found] == [("leak", "error", (0, 1))]
    assert "tiles overlap: t0 and t1" in found[0].text


def test_tiles_of_one_scene_that_do_not_overlap_are_a_warning() -> None:
    found = leaks(placed(("s", (0, 0)), ("s", (0, 4))), "ab")
    assert [(one.severity, one.rows) for one in found] == [("warning", (0, 1))]


def test_tiles_of_two_photos_of_one_scene_do_not_overlap() -> None:
    samples = [Sample.of(name, SMALL, scene="town", tile_of=name, origin=(0, 0)) for name in ("a", "b")]
    assert [one.severity for one in leaks(Dataset(samples, LABELS, "semantic"), "ab")] == ["warning"]


def test_scenes_that_keep_to_one_split_are_no_leak() -> None:
    assert leaks(placed(("s", (0, 0)), ("s", (0, 2)), ("t", (0, 0))), "aab") == []


def test_a_sequence_in_two_splits_is_told() -> None:
    samples = [Sample.of(str(k), SMALL, sequence="ride") for k in range(3)]
    found = leaks(Dataset(samples, LABELS, "semantic"), "aab")
    assert "sequence 'ride': 2 of its images are in 'a' and 1 of its images are in 'b'" in found[0].text


def test_samples_in_no_split_leak_nothing() -> None:
    assert leaks(placed(("s", (0, 0)), ("s", (0, 2))), "a.") == []


@pytest.mark.parametrize("quality", [None, 75], ids=["the same pixels", "saved as JPEG"])
def test_a_tile_of_a_photo_is_found_by_its_pixels(quality: int | None) -> None:
    tile = PHOTO[40:200, 130:300]
    overlap = find_overlaps(pictured(PHOTO, photo(1), tile if quality is None else jpeg(tile, quality)), np.array([0, 0, 1]))
    assert [(one.row, one.of, one.top, one.left, one.inside) for one in overlap] == [(2, 0, 40, 130, True)]


def test_two_tiles_that_overlap_are_found_by_their_pixels() -> None:
    found = find_overlaps(pictured(PHOTO[:, :220], PHOTO[:, 130:]), np.array([0, 1]))
    assert [(one.height, one.width, one.inside) for one in found] == [(300, 90, False)]


def test_different_photos_share_nothing() -> None:
    assert find_overlaps(pictured(*(photo(seed) for seed in range(5))), np.arange(5)) == []


def test_frames_of_a_film_share_nothing() -> None:
    frames = [sample.image.pixels for sample in video(10, (240, 320), clips=1)]
    assert find_overlaps(pictured(*frames), np.arange(10)) == []


def test_images_of_one_split_are_not_compared() -> None:
    assert find_overlaps(pictured(PHOTO, PHOTO[:200, :200]), np.array([0, 0])) == []


def test_what_the_names_told_is_not_told_again_by_content() -> None:
    samples = [
        Sample.of("a", Image(np.ascontiguousarray(PHOTO[:, :220])), scene="s", origin=(0, 0)),
        Sample.of("b", Image(np.ascontiguousarray(PHOTO[:, 130:])), scene="s", origin=(0, 130)),
    ]
    assert len(leaks(Dataset(samples, LABELS, "semantic"), "ab", by_content=True)) == 1


def test_data_check_tells_of_a_tile_whose_photo_is_in_another_split() -> None:
    whole = pictured(PHOTO, photo(1), PHOTO[40:200, 130:300])
    dataset = Dataset(whole.samples, LABELS, "semantic", {"train": [0, 1], "val": [2]})
    found = [one for one in check(dataset).problems if one.kind == "leak"]
    assert [one.rows for one in found] == [(2, 0)]
    assert "it was cut out of p0, at row 40, column 130" in found[0].text


@pytest.mark.shared_data
def test_frames_of_real_films_share_nothing(shared_data: Path) -> None:
    frames = sorted((shared_data / "camvid" / "train").iterdir())[:60]
    assert find_overlaps(pictured(*(np.array(PIL.Image.open(one)) for one in frames)), np.arange(60)) == []
