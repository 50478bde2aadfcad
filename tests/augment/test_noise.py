"""Noise: the deviation asked for, independent from pixel to pixel, from the seed alone."""

import threading

import numpy as np
import pytest

from pixelwise.augment.noise import NOISES, add_noise
from pixelwise.core.arrays import AnyArray

TOPS = {np.uint8: 255, np.uint16: 65535, np.float32: 1.0}
DEPTHS = pytest.mark.parametrize(("dtype", "top"), TOPS.items())


def flat(share: float, dtype: type[np.generic], top: float, size: tuple[int, int, int] = (300, 300, 3)) -> AnyArray:
    return np.full(size, share * top).astype(dtype)


@DEPTHS
@pytest.mark.parametrize("amount", [0.005, 0.02, 0.1])
def test_gaussian_noise_has_the_deviation_asked_for_and_no_bias(dtype: type[np.generic], top: float, amount: float) -> None:
    pixels = flat(0.5, dtype, top)
    change = add_noise(pixels, "noise", amount, 7).astype(np.float64) - pixels
    expected = np.hypot(amount * top, np.sqrt(1 / 12) if top == 255 else 0)  # rounding to whole levels adds 1/12
    assert change.std() == pytest.approx(expected, rel=0.02)
    assert abs(change.mean()) < 4 * expected / np.sqrt(change.size)


def test_gaussian_noise_is_normal_and_pixels_are_independent() -> None:
    pixels = flat(0.5, np.float32, 1.0, (600, 600, 3))
    noise = (add_noise(pixels, "noise", 0.1, 3) - pixels) / 0.1
    assert [np.mean(np.abs(noise) < width) for width in (1, 2, 3)] == pytest.approx([0.683, 0.954, 0.997], abs=0.01)
    for shifted in (
        np.roll(noise, 1, axis=0),
        np.roll(noise, 1, axis=1),
        np.roll(noise, 1, axis=2),
        noise[::-1],
        noise[:, ::-1],
    ):
        assert abs(np.mean(noise * shifted)) < 0.01


@DEPTHS
def test_photon_noise_grows_with_the_root_of_the_brightness(dtype: type[np.generic], top: float) -> None:
    for share in (0.1, 0.4, 0.8):
        pixels = flat(share, dtype, top)
        change = (add_noise(pixels, "shot", 0.05, 1).astype(np.float64) - pixels) / top
        assert change.std() == pytest.approx(0.05 * np.sqrt(share), rel=0.05)
        assert abs(change.mean()) < 0.0015


@DEPTHS
def test_speckle_grows_with_the_brightness(dtype: type[np.generic], top: float) -> None:
    for share in (0.2, 0.6):
        pixels = flat(share, dtype, top)
        change = (add_noise(pixels, "speckle", 0.1, 1).astype(np.float64) - pixels) / top
        assert change.std() == pytest.approx(0.1 * share, rel=0.03)
    black = flat(0, dtype, top)
    assert (add_noise(black, "speckle", 0.1, 1) == black).all()


@DEPTHS
def test_salt_and_pepper_set_whole_pixels_to_white_or_black(dtype: type[np.generic], top: float) -> None:
    pixels = flat(0.5, dtype, top)
    noisy = add_noise(pixels, "salt_pepper", 0.05, 1)
    changed = (noisy != pixels).any(axis=2)
    assert changed.mean() == pytest.approx(0.05, abs=0.005)
    assert sorted(np.unique(noisy[changed])) == [0, top]
    assert np.ptp(noisy[changed].astype(np.float64), axis=1).max() == 0
    assert (noisy[changed][:, 0] == 0).mean() == pytest.approx(0.5, abs=0.05)


@DEPTHS
@pytest.mark.parametrize("kind", NOISES)
@pytest.mark.parametrize("bands", [1, 2, 3, 5])
def test_the_same_seed_gives_the_same_noise_within_the_range(
    kind: str, dtype: type[np.generic], top: float, bands: int
) -> None:
    rng = np.random.default_rng(0)
    pixels = (rng.random((40, 50, bands)) * top).astype(dtype)
    before = pixels.copy()
    first, again, other = (add_noise(pixels, kind, 0.2, seed) for seed in (5, 5, 6))  # type: ignore[arg-type]
    assert (first.dtype, first.shape) == (pixels.dtype, pixels.shape)
    assert (first == again).all()
    assert (first != other).any()
    assert first.min() >= 0
    assert first.max() <= top
    assert (pixels == before).all()


def test_noise_does_not_wrap_round() -> None:
    assert add_noise(np.zeros((50, 50, 1), np.uint8), "noise", 0.02, 1).max() < 60
    assert add_noise(np.full((50, 50, 1), 255, np.uint8), "noise", 0.02, 1).min() > 195


def test_noise_is_the_same_in_every_thread_and_leaves_the_global_state_alone() -> None:
    pixels, found = flat(0.5, np.uint8, 255), {}
    state = np.random.get_state()[1].copy()  # type: ignore[index]
    threads = [threading.Thread(target=lambda k=k: found.update({k: add_noise(pixels, "noise", 0.1, 9)})) for k in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 4
    assert all((one == add_noise(pixels, "noise", 0.1, 9)).all() for one in found.values())
    assert (np.random.get_state()[1] == state).all()  # type: ignore[index]
