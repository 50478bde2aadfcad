"""A stream of images through a predictor: batched by size, in order, one bad image spoiling no other."""

from collections.abc import Iterator, Sequence

import numpy as np
import pytest

from pixelwise.core import batches
from pixelwise.core.batches import stream
from pixelwise.core.card import Card
from pixelwise.core.errors import DataError, OptionError
from pixelwise.core.image import Image
from pixelwise.core.labels import LabelSet
from pixelwise.core.predictor import PLAIN, Request
from pixelwise.core.segmentation import Segmentation

LABELS = LabelSet.of(str(index) for index in range(200))
BAD = 199


class Shade:
    """Segment an image as the class its first pixel says; images of the shade 199 cannot be segmented."""

    card = Card("shade", "semantic", LABELS)

    def __init__(self) -> None:
        self.seen: list[list[tuple[int, ...]]] = []

    def __call__(self, images: Sequence[Image], request: Request = PLAIN) -> list[Segmentation]:
        self.seen.append([image.pixels.shape for image in images])
        if request.prompts:
            raise OptionError("no prompts here")
        if any(image.pixels[0, 0, 0] == BAD for image in images):
            raise DataError("too bright")
        return [Segmentation.from_class_map(image.pixels[:, :, 0], LABELS) for image in images]


def picture(shade: int, height: int = 2, width: int = 2) -> Image:
    return Image(np.full((height, width, 1), shade, np.uint8), ("grey",))


def test_results_come_in_order_whatever_the_sizes_and_sizes_are_never_mixed() -> None:
    items = [(index, picture(index, height=1 + index % 3)) for index in range(50)]
    shade = Shade()
    found = list(stream(shade, items, batch=4))
    assert [key for key, _, _ in found] == list(range(50))
    for key, image, result in found:
        assert isinstance(result, Segmentation)
        assert result.class_ids.tolist() == [key]
        assert result.size == image.size
    assert all(len(set(shapes)) == 1 and len(shapes) <= 4 for shapes in shade.seen)
    assert max(map(len, shade.seen)) == 4


def test_an_image_that_cannot_be_segmented_gives_its_error_and_spoils_no_other() -> None:
    found = list(stream(Shade(), [("a", picture(1)), ("bad", picture(BAD)), ("c", picture(3))]))
    assert [type(result) for _, _, result in found] == [Segmentation, DataError, Segmentation]
    assert str(found[1][2]) == "too bright"


def test_a_wrong_request_stops_everything() -> None:
    with pytest.raises(OptionError, match="no prompts here"):
        list(stream(Shade(), [("a", picture(1)), ("b", picture(2))], request=Request(prompts=((),))))


def test_no_batch_is_smaller_than_one_image() -> None:
    with pytest.raises(OptionError, match="at least 1 image, got 0"):
        list(stream(Shade(), [], batch=0))
    assert list(stream(Shade(), [])) == []


def test_a_batch_of_one_size_is_segmented_before_more_is_read() -> None:
    read = 0

    def endless() -> Iterator[tuple[int, Image]]:
        nonlocal read
        while True:
            read += 1
            yield read, picture(1)

    assert next(stream(Shade(), endless(), batch=3))[0] == 1
    assert read == 3


def test_only_a_window_of_many_sizes_is_read_ahead() -> None:
    read = 0

    def endless() -> Iterator[tuple[int, Image]]:
        nonlocal read
        while True:
            read += 1
            yield read, picture(1, height=1 + read % 20)

    assert next(stream(Shade(), endless(), batch=3))[0] == 1
    assert read == 3 * batches.WINDOW


def test_a_size_that_comes_late_fills_its_batch_while_others_wait() -> None:
    shade = Shade()
    heights = [1, 2, 2, 1, 2, 2, 1, 1]
    found = list(stream(shade, [(index, picture(index, height)) for index, height in enumerate(heights)], batch=4))
    assert [key for key, _, _ in found] == list(range(8))
    assert [[shape[0] for shape in shapes] for shapes in shade.seen] == [[2, 2, 2, 2], [1, 1, 1, 1]]


def test_large_images_go_one_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batches, "MAX_PIXELS", 10)
    shade = Shade()
    list(stream(shade, [(index, picture(index, 3, 3)) for index in range(4)], batch=4))
    assert [len(shapes) for shapes in shade.seen] == [1, 1, 1, 1]
