"""Copies: whatever was done to an image it is found again; frames of a video and different images are none."""

import io

import cv2
import numpy as np
import PIL.Image
import pytest

from pixelwise.core.image import Image
from pixelwise.core.sample import Dataset, Sample
from pixelwise.curate.duplicates import Copy, candidates, find_copies, residuals
from pixelwise.curate.looks import look, perceptual_hashes
from pixelwise.scenes import LABELS, scenes, video

PICTURES = [sample.image.pixels for sample in scenes(6, (240, 320), seed=2)]


def copies_of(pictures: list[np.ndarray], near: bool = True) -> list[Copy]:
    images = [Image(np.ascontiguousarray(one)) for one in pictures]
    samples = [Sample.of(str(place), one) for place, one in enumerate(images)]
    return find_copies(Dataset(samples, LABELS, "semantic"), [look(one) for one in images], near=near)


def jpeg(picture: np.ndarray, quality: int) -> np.ndarray:
    file = io.BytesIO()
    PIL.Image.fromarray(picture).save(file, "JPEG", quality=quality)
    return np.array(PIL.Image.open(file))


def resized(picture: np.ndarray, scale: float) -> np.ndarray:
    return cv2.resize(picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)


def brighter(picture: np.ndarray, amount: int) -> np.ndarray:
    return np.clip(picture.astype(int) + amount, 0, 255).astype(np.uint8)


def cropped(picture: np.ndarray, share: float) -> np.ndarray:
    down, across = round(share * picture.shape[0]), round(share * picture.shape[1])
    return picture[down:-down, across:-across]


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda one: jpeg(one, 60), id="JPEG of quality 60"),
        pytest.param(lambda one: resized(one, 0.9), id="resized to 90 %"),
        pytest.param(lambda one: resized(one, 0.5), id="resized to half"),
        pytest.param(lambda one: brighter(one, 10), id="brightened by 10"),
        pytest.param(lambda one: brighter(one, -15), id="darkened by 15"),
        pytest.param(lambda one: cropped(one, 0.02), id="cropped by 2 %"),
        pytest.param(lambda one: jpeg(brighter(cropped(one, 0.02), 10), 60), id="all at once"),
        pytest.param(lambda one: cv2.cvtColor(cv2.cvtColor(one, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB), id="made grey"),
    ],
)
def test_a_changed_copy_is_found(change: object) -> None:
    for place, one in enumerate(PICTURES[:3]):
        assert copies_of([*PICTURES, change(one)]) == [Copy(6, place, exact=False)]  # type: ignore[operator]


def test_a_mirrored_copy_is_found() -> None:
    assert copies_of([*PICTURES, jpeg(PICTURES[1][:, ::-1], 80)]) == [Copy(6, 1, exact=False, mirrored=True)]


def test_equal_pixels_are_an_exact_copy_and_each_is_listed_once() -> None:
    assert copies_of([*PICTURES, PICTURES[3], PICTURES[3]]) == [Copy(6, 3, exact=True), Copy(7, 3, exact=True)]


def test_without_near_only_equal_pixels_are_found() -> None:
    assert copies_of([*PICTURES, brighter(PICTURES[0], 10), PICTURES[3]], near=False) == [Copy(7, 3, exact=True)]


def test_different_images_are_no_copies() -> None:
    assert copies_of(PICTURES) == []


def test_frames_of_a_video_are_no_copies() -> None:
    frames = [sample.image.pixels for sample in video(12, (240, 320), clips=1)]
    assert copies_of(frames) == []


def test_one_moving_thing_makes_two_frames() -> None:
    moved = PICTURES[0].copy()
    moved[80:140, 100:180] = PICTURES[1][80:140, 100:180]
    assert copies_of([PICTURES[0], moved]) == []


def test_blank_images_and_icons_are_never_copies() -> None:
    blank = np.full((64, 64, 3), 90, np.uint8)
    icon = np.arange(192, dtype=np.uint8).reshape(8, 8, 3)
    assert copies_of([blank, blank, icon, icon]) == []


def test_candidates_are_those_within_the_radius() -> None:
    rng = np.random.default_rng(0)
    hashes = rng.integers(0, 2**63, 600).astype(np.uint64)
    hashes[599] = hashes[3] ^ np.uint64(0b1011)
    expected = {
        (one, other)
        for one in range(600)
        for other in range(one + 1, 600)
        if int(hashes[one] ^ hashes[other]).bit_count() <= 14
    }
    assert set(candidates(hashes, hashes, radius=14)) == expected
    assert (3, 599) in expected


def test_the_second_hash_is_that_of_the_mirror_image() -> None:
    grey = PICTURES[0][:, :, 0].astype(np.float32)
    plain, mirrored = perceptual_hashes(grey)
    assert (int(perceptual_hashes(np.ascontiguousarray(grey[:, ::-1]))[0]) ^ mirrored).bit_count() <= 2
    assert (plain ^ mirrored).bit_count() > 10


def test_residuals_of_an_image_with_itself_in_other_tones_are_nil() -> None:
    grey = cv2.GaussianBlur(PICTURES[0][:, :, 1].astype(np.float32), (0, 0), 1)
    found = residuals(grey, 0.6 * grey + 30)
    assert found is not None
    assert found.max() < 1.5
