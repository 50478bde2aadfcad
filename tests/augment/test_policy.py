"""One draw for an image and its masks: they stay together, and the same generator draws the same."""

import threading
from dataclasses import replace

import numpy as np
import pytest

from pixelwise.augment import POLICIES, AugmentOptions, Draw, apply, draw
from pixelwise.augment.policy import NONE, apply_image, apply_truth
from pixelwise.core.arrays import AnyArray
from pixelwise.core.errors import SizeMismatch
from pixelwise.core.image import Image
from pixelwise.core.labels import LabelSet
from pixelwise.core.masks import OverlappingMasks, as_overlapping
from pixelwise.core.segmentation import Segmentation
from pixelwise.scenes import scenes

LABELS = LabelSet.of(["a", "b", "c", "d"], things=["d"])
WILD = AugmentOptions(flip_vertically=0.5, rotate=30, shear=15, scale=(0.5, 2.0), stretch=0.3)
GEOMETRY = replace(WILD, brightness=0, contrast=0, gain=0, gamma=0, hue=0, saturation=0, noise=0, blur=0)
BENT = {  # each way of moving pixels, always drawn
    "affine": GEOMETRY,
    "turn": replace(GEOMETRY, turn=1),
    "perspective": replace(GEOMETRY, perspective=0.2, chance=1),
    "grid": AugmentOptions("none", grid=1, chance=1),
    "elastic": AugmentOptions("none", elastic=1, chance=1),
    "all": replace(GEOMETRY, turn=0.5, perspective=0.1, grid=0.7, elastic=0.7, chance=1),
}


def blocks(side: int = 20) -> AnyArray:
    """Classes in blocks large enough to have an inside at half the size."""
    return np.kron(np.array([[0, 1, 2, 3], [2, 3, 0, 1], [1, 0, 3, 2]], np.uint8), np.ones((side, side), np.uint8))


def pair(dtype: type[np.generic] = np.uint8, bands: int = 3) -> tuple[Image, Segmentation]:
    """An image whose every band is the class map, at 50 levels a class."""
    classes = blocks()
    pixels = np.repeat(classes[:, :, None] * np.array(50, dtype), bands, axis=2)
    return Image(pixels, tuple(f"band {index}" for index in range(bands))), Segmentation.from_class_map(classes, LABELS)


@pytest.mark.parametrize(("dtype", "bands"), [(np.uint8, 3), (np.uint8, 1), (np.uint16, 3), (np.float32, 5), (np.uint16, 5)])
@pytest.mark.parametrize("way", BENT)
@pytest.mark.parametrize("seed", range(4))
def test_image_and_masks_agree_away_from_edges(seed: int, way: str, dtype: type[np.generic], bands: int) -> None:
    image, truth = pair(dtype, bands)
    drawn = draw(BENT[way], np.random.default_rng(seed), image.size, (60, 66), bands)
    moved, found = apply(image, truth, drawn)
    classes = found.class_map().astype(int)
    assert moved.pixels.dtype == dtype
    assert moved.size == found.size == (60, 66)
    inside = classes < 4
    for shift in [(0, 1), (0, -1), (1, 0), (-1, 0), (1, 1), (-1, -1), (1, -1), (-1, 1), (0, 2), (0, -2), (2, 0), (-2, 0)]:
        inside &= np.roll(classes, shift, axis=(0, 1)) == classes
    inside[[0, 1, -2, -1], :] = inside[:, [0, 1, -2, -1]] = False
    assert inside.sum() > 100
    assert (np.abs(moved.pixels[inside].astype(float) - 50 * classes[inside][:, None]) <= 1).all()


def test_no_augmentation_changes_nothing() -> None:
    image, truth = pair()
    moved, found = apply(image, truth, draw(NONE, np.random.default_rng(0), image.size, image.size))
    assert (moved.pixels == image.pixels).all()
    assert found == truth


def test_an_object_of_one_pixel_moves_to_the_right_place() -> None:
    masks = np.zeros((1, 4, 6), bool)
    masks[0, 1, 2] = True
    truth = Segmentation.from_masks("instance", masks, [3], LABELS)

    def place(matrix: AnyArray, size: tuple[int, int]) -> list[list[int]]:
        return np.argwhere(apply_truth(truth, Draw(matrix, size)).masks.dense().any(axis=0)).tolist()

    assert place(np.array([[-1, 0, 5], [0, 1, 0], [0, 0, 1.0]]), (4, 6)) == [[1, 3]]
    assert place(np.array([[1, 0, -2], [0, 1, -1], [0, 0, 1.0]]), (2, 2)) == [[0, 0]]
    assert place(np.array([[2, 0, 0.5], [0, 2, 0.5], [0, 0, 1.0]]), (8, 12)) == [[2, 4], [2, 5], [3, 4], [3, 5]]
    assert place(np.array([[1, 0, -3], [0, 1, 0], [0, 0, 1.0]]), (4, 3)) == []


def test_what_lies_outside_the_image_is_void_and_of_mean_colour() -> None:
    pixels = np.full((4, 4, 3), (10, 200, 30), np.uint8)
    truth = Segmentation.from_class_map(np.zeros((4, 4), np.uint8), LABELS)
    drawn = draw(replace(NONE), np.random.default_rng(0), (4, 4), (8, 8))
    moved, found = apply(Image(pixels), truth, drawn)
    assert (moved.pixels == np.array([10, 200, 30])).all()
    assert (found.class_map() == 255).sum() == 64 - 16
    assert (found.class_map() == 0).sum() == 16


def test_instances_keep_their_rows_and_lose_what_no_longer_holds() -> None:
    stack = np.zeros((2, 8, 8), bool)
    stack[0, 0:6, 0:6] = stack[1, 4:8, 4:8] = True
    truth = Segmentation.from_masks(
        "instance", stack, [3, 3], LABELS, crowd=[False, True], source_ids=[7, 9], boxes=np.ones((2, 4)), areas=[1, 2]
    )
    moved = apply_truth(truth, draw(replace(NONE, flip=1), np.random.default_rng(0), (8, 8), (8, 8)))
    assert (moved.masks.dense() == stack[:, :, ::-1]).all()
    assert moved.is_crowd.tolist() == [False, True]
    assert moved.source_ids is not None
    assert moved.source_ids.tolist() == [7, 9]
    assert (moved.boxes, moved.areas) == (None, None)
    assert moved.stated_areas().tolist() == [36, 16]


def test_the_same_generator_draws_the_same_and_another_does_not() -> None:
    image, truth = pair()
    first, again, other = (
        apply(image, truth, draw(WILD, np.random.default_rng((1, 2, seed)), image.size, (24, 24))) for seed in (3, 3, 4)
    )
    assert (first[0].pixels == again[0].pixels).all()
    assert first[1] == again[1]
    assert (first[0].pixels != other[0].pixels).any()


def test_the_input_is_not_touched() -> None:
    image, truth = pair()
    before = image.pixels.copy(), truth.panoptic_ids().copy()
    image.pixels.setflags(write=False)
    apply(image, truth, draw(WILD, np.random.default_rng(2), image.size, (24, 24)))
    assert (image.pixels == before[0]).all()
    assert (truth.panoptic_ids() == before[1]).all()


@pytest.mark.parametrize("drawn_for", [1, 3, 5])
@pytest.mark.parametrize(("dtype", "bands"), [(np.uint8, 1), (np.uint8, 2), (np.uint8, 4), (np.uint8, 5), (np.uint16, 5)])
def test_a_draw_for_another_number_of_bands_is_no_obstacle(drawn_for: int, dtype: type[np.generic], bands: int) -> None:
    image, _ = pair(dtype, bands)
    drawn = draw(WILD, np.random.default_rng(0), image.size, (16, 16), drawn_for)
    moved = apply_image(image, replace(drawn, noise=0.01, blur=0.8))
    assert (moved.pixels.shape, moved.pixels.dtype, moved.bands) == ((16, 16, bands), dtype, image.bands)


def test_crops_fall_everywhere_inside_a_larger_image() -> None:
    rows = np.repeat(np.arange(100, dtype=np.uint8)[:, None, None], 20, axis=1)
    seen = set()
    for seed in range(60):
        drawn = draw(NONE, np.random.default_rng(seed), (100, 20), (20, 20))
        crop = apply_image(Image(rows, ("grey",)), drawn).pixels[:, 10, 0]
        assert (np.diff(crop.astype(int)) == 1).all()  # the very pixels of the image, nothing from outside
        seen.add(int(crop[0]) // 20)
    assert seen >= {0, 1, 2, 3}


@pytest.mark.parametrize("crop", [(31, 47), (40, 60), (55, 33)])
def test_mirrors_turns_and_crops_move_pixels_without_blending_them(crop: tuple[int, int]) -> None:
    pixels = np.random.default_rng(0).integers(1, 256, (40, 57, 3), np.uint8)
    truth = Segmentation.from_class_map((pixels[:, :, 0] % 4).astype(np.uint8), LABELS)
    options = replace(NONE, flip=0.5, flip_vertically=0.5, turn=0.5, rare=0.3)
    for seed in range(12):
        moved, found = apply(Image(pixels), truth, draw(options, np.random.default_rng(seed), (40, 57), crop, 3, truth))
        classes = found.class_map()
        inside = classes != 255
        assert (moved.pixels[inside][:, 0] % 4 == classes[inside]).all()
        assert set(map(tuple, moved.pixels[inside].tolist())) <= set(map(tuple, pixels.reshape(-1, 3).tolist()))


def test_the_scale_is_drawn_within_its_bounds_and_halves_as_often_as_it_doubles() -> None:
    options = replace(NONE, scale=(0.5, 2.0))
    factors = [draw(options, np.random.default_rng(seed), (10, 10), (10, 10)).matrix[0, 0] for seed in range(400)]
    assert min(factors) >= 0.5
    assert max(factors) <= 2.0
    assert 160 < sum(factor < 1 for factor in factors) < 240


def marked(size: tuple[int, int], places: list[tuple[int, int]]) -> tuple[Image, Segmentation]:
    """An image with white squares of 5 x 5, each an instance."""
    pixels, stack = np.zeros((*size, 3), np.uint8), np.zeros((len(places), *size), bool)
    for index, (row, column) in enumerate(places):
        pixels[row - 2 : row + 3, column - 2 : column + 3] = 255
        stack[index, row - 2 : row + 3, column - 2 : column + 3] = True
    truth = Segmentation.from_masks("instance", stack, [3] * len(places), LABELS, source_ids=range(10, 10 + len(places)))
    return Image(pixels), truth


@pytest.mark.parametrize("way", BENT)
@pytest.mark.parametrize("overlapping", [False, True])
def test_each_object_lies_on_its_pixels_and_keeps_its_number(way: str, overlapping: bool) -> None:
    image, truth = marked((64, 80), [(12, 14), (14, 60), (40, 30), (52, 68)])
    if overlapping:
        truth = replace(truth, masks=as_overlapping(truth.masks))
    kept = 0
    for seed in range(8):
        drawn = draw(BENT[way], np.random.default_rng(seed), image.size, (64, 80))
        moved, found = apply(image, truth, drawn)
        assert isinstance(found.masks, OverlappingMasks) == overlapping
        assert found.source_ids is not None
        assert set(found.source_ids) <= {10, 11, 12, 13}
        assert (found.masks.areas() > 0).all()
        white = moved.pixels[:, :, 0] >= 128
        assert np.mean(found.masks.dense().any(axis=0) != white) < 0.01
        for index, box in enumerate(found.masks.boxes()):
            rows, columns = np.nonzero(found.masks.mask(index))
            assert box.tolist() == [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]
        kept += len(found)
    assert kept > 8


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("kind", ["semantic", "instance", "panoptic", "multilabel"])
def test_no_policy_invents_a_class_or_an_object(policy: str, kind: str) -> None:
    sample = scenes(1, (64, 80), kind=kind, seed=4)[0]  # type: ignore[arg-type]
    image, truth = sample.image, sample.truth
    for seed in range(6):
        drawn = draw(AugmentOptions(policy), np.random.default_rng(seed), image.size, (48, 56), 3, truth)  # type: ignore[arg-type]
        moved, found = apply(image, truth, drawn)
        assert (moved.pixels.dtype, moved.size, found.size, found.kind) == (np.uint8, (48, 56), (48, 56), kind)
        assert len(found) <= len(truth)
        assert set(found.class_ids) <= set(truth.class_ids)
        assert set(np.unique(found.class_map())) <= set(np.unique(truth.class_map())) | {truth.labels.void}


@pytest.mark.parametrize(
    ("dtype", "bands"), [(np.uint8, 3), (np.uint8, 1), (np.uint16, 3), (np.float32, 3), (np.uint16, 6), (np.float32, 2)]
)
def test_the_strongest_of_everything_works_at_every_depth_and_number_of_bands(dtype: type[np.generic], bands: int) -> None:
    top = {np.uint8: 255, np.uint16: 65535, np.float32: 1.0}[dtype]  # type: ignore[index]
    pixels = (np.random.default_rng(0).random((40, 50, bands)) * top).astype(dtype)
    names = {3: ("red", "green", "blue"), 1: ("grey",)}.get(bands, tuple(f"band {index}" for index in range(bands)))
    truth = Segmentation.from_class_map(np.zeros((40, 50), np.uint8), LABELS)
    everything = replace(AugmentOptions("strong"), chance=1, grey=0.5, shuffle=1, cutout_void=True)
    for seed in range(12):
        moved, found = apply(
            Image(pixels, names), truth, draw(everything, np.random.default_rng(seed), (40, 50), (32, 36), bands)
        )
        assert (moved.pixels.dtype, moved.pixels.shape, moved.bands) == (dtype, (32, 36, bands), names)
        assert 0 <= moved.pixels.min() <= moved.pixels.max() <= top
        assert np.isfinite(moved.pixels.astype(float)).all()
        assert found.size == (32, 36)


def test_a_draw_is_the_same_bit_for_bit_in_any_thread() -> None:
    sample = scenes(1, (64, 80), seed=1)[0]
    image, truth, options = sample.image, sample.truth, replace(AugmentOptions("strong"), chance=0.6)

    def run(seed: int) -> tuple[bytes, bytes]:
        moved, found = apply(image, truth, draw(options, np.random.default_rng([7, 1, seed]), image.size, (48, 48), 3, truth))
        return moved.pixels.tobytes(), found.class_map().tobytes()

    expected = {seed: run(seed) for seed in range(12)}
    found: dict[tuple[int, int], tuple[bytes, bytes]] = {}
    threads = [
        threading.Thread(target=lambda t=t: found.update({(t, seed): run(seed) for seed in reversed(range(12))}))
        for t in range(3)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 36
    assert all(one == expected[seed] for (_, seed), one in found.items())


def test_a_crop_on_a_rare_class_holds_it_and_never_leaves_the_image() -> None:
    classes = np.zeros((200, 300), np.uint8)
    classes[3:5, 290:292] = 1  # in a corner, so that the crop cannot be centred on it
    classes[120, 150] = 2
    image, truth = Image(np.zeros((200, 300, 3), np.uint8)), Segmentation.from_class_map(classes, LABELS)
    options = replace(NONE, rare=1)
    seen = set()
    for seed in range(30):
        drawn = draw(options, np.random.default_rng(seed), image.size, (40, 60), 3, truth)
        crop = apply(image, truth, drawn)[1].class_map()
        assert (crop == 255).sum() == 0
        seen |= set(np.unique(crop))
        assert {1, 2} & set(np.unique(crop))
        if 2 in crop:
            assert np.abs(np.argwhere(crop == 2)[0] - [20, 30]).max() <= 1
    assert seen == {0, 1, 2}


def test_rare_crops_come_as_often_as_asked_and_need_a_truth() -> None:
    classes = np.zeros((400, 400), np.uint8)
    classes[200, 200] = 1
    truth = Segmentation.from_class_map(classes, LABELS)
    options = replace(NONE, rare=0.33)
    held = 0
    for seed in range(300):
        drawn = draw(options, np.random.default_rng(seed), (400, 400), (20, 20), 3, truth)
        held += 1 in apply_truth(truth, drawn).class_map()
    assert 70 <= held <= 130  # 99, and one in 400 by chance
    plain = draw(options, np.random.default_rng(1), (400, 400), (20, 20))
    assert plain.words == ()
    with pytest.raises(SizeMismatch, match="400 x 400"):
        draw(options, np.random.default_rng(1), (300, 400), (20, 20), 3, truth)


@pytest.mark.parametrize("kind", ["semantic", "instance"])
def test_cut_out_hides_the_image_alone_unless_the_truth_is_to_be_void(kind: str) -> None:
    pixels = np.full((50, 50, 3), 200, np.uint8)
    pixels[25:] = 100
    stack = np.ones((1, 50, 50), bool)
    truth = Segmentation.from_masks(kind, stack, [3], LABELS)  # type: ignore[arg-type]
    for void in (False, True):
        options = replace(NONE, cutout=0.4, cutout_void=void, chance=1)
        drawn = draw(options, np.random.default_rng(0), (50, 50), (50, 50))
        moved, found = apply(Image(pixels), truth, drawn)
        hidden = (moved.pixels != pixels).any(axis=2)
        assert 0 < hidden.mean() < 0.5
        assert found.masks.mask(0).tolist() == (~hidden if void else stack[0]).tolist()


def test_hue_saturation_and_grey_leave_other_bands_than_rgb_alone() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (8, 8, 3), np.uint8)
    drawn = Draw(np.eye(3), (8, 8), hue=90, saturation=0.0)
    assert (apply_image(Image(pixels, ("near infrared", "red", "green")), drawn).pixels == pixels).all()
    grey = apply_image(Image(pixels), drawn).pixels
    assert np.ptp(grey.astype(int), axis=2).max() == 0


def test_shuffled_channels_are_the_same_channels() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (8, 8, 5), np.uint8)
    names = tuple("abcde")
    drawn = draw(replace(NONE, shuffle=1), np.random.default_rng(3), (8, 8), (8, 8), 5)
    moved = apply_image(Image(pixels, names), drawn)
    assert moved.bands == names
    assert (moved.pixels == pixels[:, :, list(drawn.order)]).all()
    assert sorted(drawn.order) == [0, 1, 2, 3, 4]


def test_what_is_drawn_for_some_images_is_drawn_for_that_share() -> None:
    options = replace(NONE, perspective=0.1, elastic=0.5, noise=0.1, shot=0.1, blur=1, motion=5, jpeg=0.5, fog=0.5, chance=0.25)
    draws = [draw(options, np.random.default_rng(seed), (20, 20), (20, 20)) for seed in range(400)]
    for share in (
        np.mean(["perspective" in one.words for one in draws]),
        np.mean([one.field is not None for one in draws]),
        np.mean([one.noise > 0 for one in draws]),
        np.mean([one.blur > 0 for one in draws]),
        np.mean([one.quality > 0 for one in draws]),
        np.mean([one.fog > 0 for one in draws]),
    ):
        assert 0.18 < share < 0.32
    assert {one.noise_kind for one in draws if one.noise} == {"noise", "shot"}
    assert {one.blur_kind for one in draws if one.blur} == {"blur", "motion"}
    assert all(1 <= one.quality <= 100 for one in draws if one.quality)
