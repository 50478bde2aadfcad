"""Streams of images through predictors: order, what is read ahead, what a stream takes and what it refuses."""

from collections.abc import Iterator, Sequence

import numpy as np
import pytest

import pixelwise as pw
from pixelwise.core.card import Card
from pixelwise.core.errors import DataError, MissingFile, OptionError
from pixelwise.core.image import Image, write_image
from pixelwise.core.labels import LabelSet
from pixelwise.core.predictor import PLAIN, Request
from pixelwise.core.segmentation import Segmentation
from pixelwise.methods.predictor import Method

LABELS = LabelSet.of(str(index) for index in range(50))


class Foreign:
    """A predictor of another project: it is called, and no more."""

    card = Card("foreign", "semantic", LABELS)

    def __call__(self, images: Sequence[Image], request: Request = PLAIN) -> list[Segmentation]:
        if any(image.pixels[0, 0, 0] == 49 for image in images):
            raise DataError("too bright")
        return [Segmentation.from_class_map(image.pixels[:, :, 0], LABELS) for image in images]


def picture(shade: int, height: int = 2) -> Image:
    return Image(np.full((height, 3, 1), shade, np.uint8), ("grey",))


def test_results_come_in_order_whatever_the_sizes() -> None:
    found = list(pw.stream(Foreign(), (picture(shade, 1 + shade % 3) for shade in range(40))))
    assert [one.class_ids.tolist() for one in found] == [[shade] for shade in range(40)]


def test_arrays_and_files_are_taken_too(tmp_path) -> None:
    write_image(tmp_path / "a.png", np.full((4, 5), 7, np.uint8))
    given = [np.full((4, 5), 3, np.uint8), tmp_path / "a.png", str(tmp_path / "a.png")]
    assert [one.class_ids.tolist() for one in pw.stream(Foreign(), given)] == [[3], [7], [7]]


def test_a_method_streams_as_it_is_called() -> None:
    images = [Image(np.random.default_rng(seed).integers(0, 256, (9, 8, 3)).astype(np.uint8)) for seed in range(5)]
    assert list(Method("otsu").stream(images)) == Method("otsu")(images)


def test_with_batches_of_one_nothing_is_taken_before_it_is_due() -> None:
    taken = 0

    def camera() -> Iterator[Image]:
        nonlocal taken
        while True:
            taken += 1
            yield picture(1)

    stream = pw.stream(Foreign(), camera(), batch=1)
    for count in (1, 2, 3):
        next(stream)
        assert taken == count


def test_what_came_before_a_bad_image_is_given() -> None:
    found = pw.stream(Foreign(), [picture(1), picture(2), picture(49)])
    assert [next(found).class_ids.tolist() for _ in range(2)] == [[1], [2]]
    with pytest.raises(DataError, match="too bright"):
        next(found)


def test_a_missing_file_is_named(tmp_path) -> None:
    with pytest.raises(MissingFile, match=r"gone\.png: expected an image"):
        list(pw.stream(Foreign(), [tmp_path / "gone.png"]))


def test_prompts_are_refused_as_no_one_knows_how_many_images_will_come() -> None:
    with pytest.raises(OptionError, match="prompts"):
        list(pw.stream(Foreign(), [picture(1)], Request(prompts=((),))))
