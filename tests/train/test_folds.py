"""Folds: sequences stay whole, neighbours in time are kept apart, classes are spread, and what is missing is said."""

import numpy as np
import pytest

from pixelwise.core.errors import OptionError
from pixelwise.core.image import Image
from pixelwise.core.labels import LabelSet
from pixelwise.core.sample import Dataset, Sample
from pixelwise.core.segmentation import Segmentation
from pixelwise.scenes import scenes
from pixelwise.train.folds import Folds, make_folds, sequences_of

LABELS = LabelSet.of(["ground", "car", "pole"])


def sample(name: str, classes: tuple[int, ...] = (0,), **meta: object) -> Sample:
    """One 2 x 4 image that holds ``classes``."""
    pixels = np.resize(np.array(classes, np.uint8), (2, 4))
    return Sample.of(name, Image(np.zeros((2, 4, 3), np.uint8)), Segmentation.from_class_map(pixels, LABELS), **meta)


def dataset(samples: list[Sample]) -> Dataset:
    return Dataset(samples, LABELS, "semantic")


def numbered(count: int) -> Dataset:
    return dataset([sample(f"image_{index:03d}") for index in range(count)])


def held(folds: Folds) -> list[int]:
    return sorted(row for fold in folds.folds for row in fold.held)


@pytest.mark.parametrize(("images", "count"), [(10, 5), (11, 3), (7, 7), (5, 2)])
def test_every_image_is_held_once_and_folds_are_even(images: int, count: int) -> None:
    folds = make_folds(numbered(images), count)
    assert held(folds) == list(range(images))
    sizes = [len(fold.held) for fold in folds.folds]
    assert max(sizes) - min(sizes) <= 1
    assert all(not set(fold.held) & set(fold.trained) for fold in folds.folds)
    assert all(len(fold.held) + len(fold.trained) == images for fold in folds.folds)


def test_the_seed_alone_decides() -> None:
    data = numbered(20)
    assert make_folds(data, 4, seed=1) == make_folds(data, 4, seed=1)
    assert make_folds(data, 4, seed=1) != make_folds(data, 4, seed=2)


def test_frames_of_one_sequence_are_never_on_both_sides() -> None:
    data = dataset([sample(f"seq{letter}_{frame:05d}") for letter in "ABCDEF" for frame in range(4)])
    folds = make_folds(data, 3)
    for fold in folds.folds:
        names = [{data[row].name[:4] for row in rows} for rows in (fold.held, fold.trained)]
        assert not names[0] & names[1]
    assert "6 sequences" in folds.rule


def test_meta_tells_sequences_before_names_do() -> None:
    data = dataset([sample(f"frame_{index}", sequence=str(index % 3)) for index in range(9)])
    assert sequences_of(data) == ([str(index % 3) for index in range(9)], "sequence")


def test_mere_numbers_are_no_sequence() -> None:
    assert sequences_of(numbered(9))[1] == ""


def test_a_long_sequence_is_cut_into_blocks_and_neighbours_of_a_cut_are_left_out() -> None:
    data = dataset([sample(f"film{letter}_{frame:03d}") for letter in "AB" for frame in range(12)])
    folds = make_folds(data, 4)
    assert held(folds) == list(range(24))
    for fold in folds.folds:
        for row in fold.held:
            same_film = [other for other in (row - 1, row + 1) if 0 <= other < 24 and other // 12 == row // 12]
            assert all(other in fold.held or other not in fold.trained for other in same_film)
    assert "cut into 4 blocks" in folds.rule


def test_time_in_meta_orders_the_frames_of_a_sequence() -> None:
    times = [5, 3, 1, 0, 2, 4]
    data = dataset([sample(f"{index}", sequence="a", time=time) for index, time in enumerate(times)])
    folds = make_folds(data, 2)
    assert sorted(sorted(times[row] for row in fold.held) for fold in folds.folds) == [[0, 1, 2], [3, 4, 5]]
    assert sorted(sorted(times[row] for row in fold.trained) for fold in folds.folds) == [[0, 1], [4, 5]]


def test_a_rare_class_is_in_every_fold_where_that_can_be() -> None:
    data = dataset([sample(f"image_{index}", (0, 2) if index in (0, 1, 2, 3) else (0, 1)) for index in range(40)])
    folds = make_folds(data, 4)
    for fold in folds.folds:
        assert len([row for row in fold.held if row < 4]) == 1
    assert folds.notes == ()


def test_a_fold_without_a_class_has_its_sentence() -> None:
    data = dataset([sample(f"image_{index}", (0, 2) if index == 5 else (0, 1)) for index in range(9)])
    folds = make_folds(data, 3)
    assert len([note for note in folds.notes if "is not scored on 'pole'" in note]) == 2
    assert len([note for note in folds.notes if "cannot learn 'pole'" in note]) == 1


def test_more_folds_than_images_are_refused() -> None:
    with pytest.raises(OptionError, match="3 images cannot make 5 folds"):
        make_folds(numbered(3), 5)
    with pytest.raises(OptionError, match="at least 2"):
        make_folds(numbered(3), 1)


def test_one_image_makes_no_folds() -> None:
    with pytest.raises(OptionError, match="add images"):
        make_folds(scenes(1, (32, 32)), 2)
