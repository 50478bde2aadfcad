"""Frames: what was done to an image is undone to its output."""

import numpy as np

from pixelwise.decode.frame import Frame

OUTPUT = np.arange(2 * 4 * 6).reshape(2, 4, 6)


def test_padding_is_cut_off() -> None:
    assert Frame((3, 4), padding=(1, 2)).undone(OUTPUT).tolist() == OUTPUT[:, :3, :4].tolist()


def test_a_frame_of_the_whole_batch_changes_nothing() -> None:
    assert Frame((4, 6)).undone(OUTPUT).tolist() == OUTPUT.tolist()


def test_an_enlarged_image_comes_back_pixel_for_pixel() -> None:
    image = np.arange(6).reshape(2, 3)
    enlarged = np.pad(np.kron(image, np.ones((2, 3), int)), ((0, 1), (0, 2)), constant_values=-1)
    assert Frame((2, 3), (2.0, 3.0), (1, 2)).undone(enlarged).tolist() == image.tolist()


def test_a_reduced_image_comes_back_in_its_own_size_and_without_padding() -> None:
    reduced = np.array([[1, 2, 9], [9, 9, 9]])
    assert Frame((3, 4), (0.5, 0.5), (1, 1)).undone(reduced).tolist() == [[1, 1, 2, 2]] * 3
