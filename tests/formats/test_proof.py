"""The round-trip proof on masks small enough to count by hand."""

import numpy as np
import pytest

from pixelwise.core.arrays import IntArray, Size
from pixelwise.core.errors import DataError
from pixelwise.core.image import Image
from pixelwise.core.labels import LabelSet
from pixelwise.core.sample import Dataset, Salvaged, Sample, TruthArray
from pixelwise.core.segmentation import Segmentation
from pixelwise.formats.proof import match, prove

LABELS = LabelSet.of(["cat", "dog"], things=["cat", "dog"])


def rows(*spans: tuple[int, int], classes: list[int] | None = None, crowd: list[bool] | None = None) -> Segmentation:
    """Objects on a row of ten pixels, each from one pixel to before another."""
    masks = np.zeros((len(spans), 1, 10), bool)
    for mask, (start, stop) in zip(masks, spans, strict=True):
        mask[0, start:stop] = True
    marks = None if crowd is None else np.array(crowd)
    return Segmentation.from_masks("instance", masks, classes or [0] * len(spans), LABELS, crowd=marks)


def sample(truth: Segmentation, name: str = "a", brightness: int = 0) -> Sample:
    return Sample.of(name, Image(np.full((1, 10, 3), brightness, np.uint8)), truth)


def data(*samples: Sample, **splits: list[int]) -> Dataset:
    return Dataset(samples, LABELS, "instance", splits)


def test_the_same_is_exact() -> None:
    proof = prove(data(sample(rows((0, 4), (4, 8)))), data(sample(rows((0, 4), (4, 8)))))
    assert proof.exact
    assert (proof.images, proof.segments, proof.worst, proof.mean) == (1, 2, 1.0, 1.0)


def test_a_changed_mask_is_measured() -> None:
    proof = prove(data(sample(rows((0, 4), (4, 8)))), data(sample(rows((0, 3), (4, 8)))))
    assert (proof.worst, proof.mean, proof.exact) == (0.75, 0.875, False)


def test_a_lost_segment_counts_as_0() -> None:
    proof = prove(data(sample(rows((0, 4), (4, 8)))), data(sample(rows((4, 8)))))
    assert (proof.lost, proof.worst, proof.mean) == (1, 0.0, 0.5)


def test_segments_in_another_order_are_paired_and_the_order_is_told() -> None:
    found = match(rows((0, 4), (4, 8)), rows((4, 8), (0, 4)))
    assert found.overlaps.tolist() == [1, 1]
    assert (found.order, found.lost, found.classes) == (False, 0, True)


def test_segments_of_equal_masks_stay_in_order() -> None:
    assert match(rows((0, 4), (0, 4), (0, 4)), rows((0, 4), (0, 4), (0, 3))).order


def test_a_segment_of_another_class_is_no_partner() -> None:
    found = match(rows((0, 4), classes=[0]), rows((0, 4), classes=[1]))
    assert (found.lost, found.added, found.classes) == (1, 1, False)


def test_one_partner_serves_one_segment() -> None:
    found = match(rows((0, 4), (0, 4)), rows((0, 4)))
    assert sorted(found.overlaps.tolist()) == [0, 1]


def test_empty_masks_are_equal() -> None:
    assert match(rows((0, 0), (1, 2)), rows((1, 2), (0, 0))).overlaps.tolist() == [1, 1]


def test_a_lost_crowd_mark_is_told() -> None:
    proof = prove(data(sample(rows((0, 4), crowd=[True]))), data(sample(rows((0, 4)))))
    assert (proof.kept["crowd marks"], proof.worst, proof.exact) == (False, 1.0, False)


def test_another_grid_loses_all() -> None:
    small = Segmentation.from_masks("instance", np.ones((1, 1, 5), bool), [0], LABELS)
    assert match(rows((0, 4)), small).overlaps.tolist() == [0]


def test_a_missing_image_counts_its_segments_as_lost() -> None:
    proof = prove(data(sample(rows((0, 4)), "a"), sample(rows((0, 4), (5, 6)), "b")), data(sample(rows((0, 4)), "a")))
    assert (proof.segments, proof.lost) == (3, 2)
    assert proof.problems == ("b: the image is not among what was read back",)


def test_images_the_writer_left_out_are_lost_without_another_word() -> None:
    proof = prove(data(sample(rows((0, 4)), "a"), sample(rows((0, 4)), "b")), data(sample(rows((0, 4)), "a")), left_out=1)
    assert (proof.lost, proof.exact, proof.problems) == (1, False, ())


def test_images_of_other_names_are_paired_in_order_where_their_number_fits() -> None:
    proof = prove(data(sample(rows((0, 4)), "street")), data(sample(rows((0, 4)), "000001")))
    assert proof.exact


def test_changed_pixels_and_splits_are_told() -> None:
    one, other = sample(rows((0, 4))), sample(rows((0, 4)), brightness=1)
    proof = prove(data(one, train=[0]), data(other, val=[0]))
    assert (proof.kept["images"], proof.kept["splits"], proof.exact) == (False, False, False)


def test_a_truth_of_several_that_is_gone_is_lost() -> None:
    both = Sample("a", sample(rows((0, 4))).pixels, TruthArray((rows((0, 4)), rows((1, 5), (6, 7)))), LABELS)
    proof = prove(data(both), data(sample(rows((0, 4)))))
    assert (proof.segments, proof.lost) == (3, 2)


class Unreadable:
    """A truth that cannot be read."""

    def read(self, labels: LabelSet, size: Size) -> tuple[Segmentation, ...]:
        raise DataError("a.json: cut off")

    def salvage(self, labels: LabelSet, size: Size) -> Salvaged:
        raise DataError("a.json: cut off")

    def raw(self) -> list[IntArray]:
        return []


@pytest.mark.parametrize("is_source", [True, False])
def test_labels_that_cannot_be_read_are_a_loss_only_where_they_were_written(is_source: bool) -> None:
    good, bad = sample(rows((0, 4))), Sample("a", sample(rows()).pixels, Unreadable(), LABELS)
    proof = prove(data(bad), data(good)) if is_source else prove(data(good), data(bad))
    assert (proof.lost, bool(proof.problems)) == ((0, False) if is_source else (1, True))


def test_what_is_said_of_an_image_and_not_read_back_is_counted() -> None:
    truth = rows((0, 4))
    image = Image(np.zeros((1, 10, 3), np.uint8))
    before = data(Sample.of("a", image, truth, captions=("a cat",), frame=3), Sample.of("b", image, truth, captions=("two",)))
    after = data(Sample.of("a", image, truth, captions=["a cat"]), Sample.of("b", image, truth))
    assert prove(before, after).unkept == {"frame": 1, "captions": 1}


def bare(name: str) -> Sample:
    return Sample.of(name, Image(np.zeros((1, 10, 3), np.uint8)))


def test_what_becomes_of_images_without_labels_is_told_and_does_not_count() -> None:
    source = data(sample(rows((0, 4)), "a"), bare("b"), bare("c"), bare("d"))
    proof = prove(source, data(sample(rows((0, 4)), "a"), bare("b"), sample(rows()[[]], "c")))
    assert proof.bare == {
        "are read back as if they were labelled and nothing were on them": 1,
        "are stored, but in no label file, and so not read back": 1,
    }
    assert (proof.images, proof.exact, proof.problems) == (1, True, ())
