"""Rows of the augmentation page: draws at the image's own shape, in words that fit, for truth of every kind."""

from dataclasses import replace

import numpy as np
import pytest

from pixelwise.augment import AugmentOptions, Draw
from pixelwise.core.errors import DataError, OptionError
from pixelwise.core.image import Image
from pixelwise.core.labels import LabelSet
from pixelwise.core.sample import Dataset, Sample
from pixelwise.core.segmentation import KINDS, Segmentation
from pixelwise.report.augment import LONGEST, describe, row_of
from pixelwise.scenes import scenes

NONE = AugmentOptions("none")


def data_of(sample: Sample) -> Dataset:
    return Dataset([sample], sample.labels, "semantic")


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_truth_can_be_shown(kind: str) -> None:
    row = row_of(scenes(2, (48, 64), kind=kind), 0, AugmentOptions("strong"), 2, seed=0)  # type: ignore[arg-type]
    assert [one.masked.address == one.plain.address for one in row.pictures] == [False] * 3
    assert row.pictures[0].words == ("original, 48 x 64",)


def test_a_large_photograph_is_drawn_small_with_the_same_options() -> None:
    image = Image(np.zeros((LONGEST, 4 * LONGEST, 3), np.uint8))
    truth = Segmentation.from_class_map(np.zeros(image.size, np.uint8), LabelSet.of(["a"]))
    row = row_of(data_of(Sample.of("large", image, truth)), 0, replace(NONE, scale=(1.5, 1.5)), 1, seed=0)
    assert row.pictures[1].words == ("scale 1.50",)
    plain = row.pictures[1].plain
    assert plain.width / plain.height == pytest.approx(4, rel=0.02)


def test_an_image_without_labels_is_refused_by_name() -> None:
    with pytest.raises(DataError, match="bare: expected one truth"):
        row_of(data_of(Sample.of("bare", Image(np.zeros((8, 8, 3), np.uint8)))), 0, NONE, 1, seed=0)


def test_words_tell_what_was_drawn_and_shows_and_nothing_else() -> None:
    colour, grey = Image(np.zeros((4, 4, 3), np.uint8)), Image(np.zeros((4, 4, 1), np.uint16), ("grey",))
    assert describe(Draw(np.eye(3), (4, 4)), colour) == ()
    drawn = Draw(np.eye(3), (4, 4), 0.7, ("flipped",), contrast=0.8, saturation=0.0, noise=0.05, noise_kind="shot", quality=40)
    assert describe(drawn, colour) == (
        "scale 0.70",
        "flipped",
        "contrast -20%",
        "no colour",
        "photon noise 5.0%",
        "JPEG quality 40",
    )
    assert describe(drawn, grey) == ("scale 0.70", "flipped", "contrast -20%", "photon noise 5.0%")


def test_what_is_mixed_is_told_and_what_a_kind_cannot_hold_is_refused() -> None:
    mixing = replace(NONE, mosaic=1.0, copy_paste=1.0)
    words = row_of(scenes(4, (48, 64), kind="instance"), 2, mixing, 1, seed=0).pictures[1].words
    assert words[0] == "mosaic of four"
    assert words[1].endswith("pasted")
    with pytest.raises(OptionError, match="panoptic truth has one segment a pixel"):
        row_of(scenes(2, (48, 64), kind="panoptic"), 0, replace(NONE, mixup=1.0), 1, seed=0)
