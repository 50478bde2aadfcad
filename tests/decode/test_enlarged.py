"""Masks are enlarged as torch does it, whole or in parts."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from pixelwise.decode.enlarged import Enlarged
from pixelwise.decode.frame import Frame


@pytest.mark.parametrize(("size", "padded"), [((32, 48), (32, 48)), ((29, 41), (32, 48)), ((5, 33), (32, 64))])
def test_masks_are_enlarged_as_torch_does_and_the_padding_is_left_out(size: tuple[int, int], padded: tuple[int, int]) -> None:
    masks = np.random.default_rng(0).standard_normal((3, padded[0] // 4, padded[1] // 4)).astype(np.float32)
    expected = F.interpolate(torch.from_numpy(masks)[None], size=padded, mode="bilinear")[0, :, : size[0], : size[1]].numpy()
    enlarged = Enlarged(masks, Frame(size), padded)
    whole = enlarged.part(masks, slice(0, size[0]), slice(0, size[1]))
    np.testing.assert_allclose(whole, expected, atol=1e-5)
    np.testing.assert_allclose(enlarged.part(masks, slice(3, 5), slice(7, 20)), expected[:, 3:5, 7:20], atol=1e-5)


def test_masks_of_an_image_read_smaller_come_at_its_own_size() -> None:
    masks = np.random.default_rng(0).standard_normal((2, 8, 12)).astype(np.float32)  # of an image read at half its size
    enlarged = Enlarged(masks, Frame((64, 96), (0.5, 0.5)), (32, 48))
    expected = F.interpolate(torch.from_numpy(masks)[None], size=(64, 96), mode="bilinear")[0].numpy()
    np.testing.assert_allclose(enlarged.part(masks, slice(0, 64), slice(0, 96)), expected, atol=1e-5)
