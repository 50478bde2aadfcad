"""Images and masks read at a smaller scale."""

import numpy as np
import pytest

from pixelwise.augment.scale import scale_truth, scaled
from pixelwise.core.image import Image
from pixelwise.core.labels import LabelSet
from pixelwise.core.scale import scale_image, scaled_size
from pixelwise.core.segmentation import Segmentation
from pixelwise.scenes import scenes


def test_a_new_pixel_is_the_mean_of_those_it_covers() -> None:
    image = Image(np.array([[[0], [100]], [[200], [100]]], np.uint8), ("grey",))
    assert scale_image(image, 0.5).pixels.tolist() == [[[100]]]


def test_masks_get_no_new_class_and_keep_to_their_image() -> None:
    classes = np.kron(np.array([[0, 2], [2, 0]], np.uint8), np.ones((4, 6), np.uint8))
    truth = Segmentation.from_class_map(classes, LabelSet.of(["a", "b", "c"]))
    assert scale_truth(truth, 0.5).class_map().tolist() == np.kron([[0, 2], [2, 0]], np.ones((2, 3), int)).tolist()


@pytest.mark.parametrize("kind", ["semantic", "instance", "panoptic"])
def test_a_data_set_at_a_scale_gives_images_and_truths_of_one_size(kind: str) -> None:
    data = scaled(scenes(2, (64, 96), kind), 0.25)  # type: ignore[arg-type]
    for sample in data:
        assert sample.size == sample.image.size == sample.truth.size == scaled_size((64, 96), 0.25)
        assert (sample.truth.masks.areas() > 0).all() or kind == "semantic"


def test_scale_one_changes_nothing() -> None:
    data = scenes(1)
    assert scaled(data, 1) is data
