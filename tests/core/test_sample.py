"""Samples and data sets: lazy, split, divided, chosen."""

import pickle
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import PIL.Image
import pytest

from pixelwise.core.arrays import Size
from pixelwise.core.errors import DataError, MissingFile, OptionError
from pixelwise.core.image import Image
from pixelwise.core.labels import LabelSet
from pixelwise.core.sample import Dataset, ImageArray, ImageFile, Sample, TruthArray
from pixelwise.core.segmentation import Kind, Segmentation

LABELS = LabelSet.of(["sky", "road"])
PIXELS = Image(np.zeros((1, 2, 3), np.uint8))


def truth(*classes: int) -> Segmentation:
    return Segmentation.from_class_map(np.array([classes]), LABELS)


def dataset(count: int, splits: dict[str, list[int]] | None = None) -> Dataset:
    samples = [Sample.of(f"s{index}", PIXELS, truth(0, 1)) for index in range(count)]
    return Dataset(samples, LABELS, "semantic", splits, "city")


def names(data: Dataset) -> list[str]:
    return [sample.name for sample in data]


@dataclass(frozen=True)
class NeverRead:
    def read(self) -> Image:
        raise AssertionError("read")

    def size(self) -> tuple[int, int]:
        raise AssertionError("size")


def test_nothing_is_read_until_a_sample_is_asked_for_it() -> None:
    lazy = Dataset([Sample(str(index), NeverRead(), None, LABELS) for index in range(4)], LABELS, "semantic", {"a": [0, 1]})
    part = lazy.split("a").under(LABELS).divided(0.5)[0].take([0])
    assert len(part) == 1
    assert repr(lazy) == "Dataset('data', semantic, 4 samples, 2 classes, a 2)"
    with pytest.raises(AssertionError, match="read"):
        _ = part[0].image


def test_a_sample_reads_its_file_and_tells_its_size_from_the_header(tmp_path: Path) -> None:
    PIL.Image.fromarray(np.full((3, 5, 3), 7, np.uint8)).save(tmp_path / "a b ü.png")
    sample = Sample("a", ImageFile(tmp_path / "a b ü.png"), None, LABELS)
    assert sample.size == (3, 5)
    assert (sample.image.pixels == 7).all()
    (tmp_path / "a b ü.png").unlink()
    with pytest.raises(MissingFile, match="a b ü"):
        _ = sample.image


def test_a_sample_in_memory_has_its_truth_and_its_raw_values() -> None:
    sample = Sample.of("one", PIXELS, truth(0, 255), time="noon")
    assert sample.truth == truth(0, 255)
    assert sample.raw()[0].tolist() == [[0, 255]]
    assert sample.meta == {"time": "noon"}
    assert sample.labels is LABELS


def test_no_truth_or_several_is_an_error_that_names_the_sample() -> None:
    bare = Sample.of("bare", PIXELS)
    assert bare.truths == ()
    assert bare.raw() == []
    with pytest.raises(DataError, match="bare: expected one truth, found 0; it is an image without labels"):
        _ = bare.truth
    twice = Sample("twice", ImageFile(Path("x")), TruthArray((truth(0, 1), truth(1, 1))), LABELS)
    twice = Sample("twice", Sample.of("", PIXELS).pixels, twice.truth_source, LABELS)
    assert len(twice.truths) == 2
    with pytest.raises(DataError, match="twice: expected one truth, found 2"):
        _ = twice.truth


def test_truth_is_read_under_other_labels_by_name_and_loses_what_they_lack() -> None:
    other = LabelSet.of(["road", "tree"])
    moved = Sample.of("one", PIXELS, truth(0, 1)).under(other)
    assert moved.truth.names == ["road"]
    assert moved.truth.class_map().tolist() == [[255, 0]]


def test_a_data_set_is_a_sequence() -> None:
    data = dataset(4)
    assert len(data) == 4
    assert data[0].name == "s0"
    assert data[-1].name == "s3"
    assert names(data[1:3]) == ["s1", "s2"]
    with pytest.raises(IndexError):
        data[4]


def test_a_split_keeps_its_order_and_a_miss_lists_the_others() -> None:
    data = dataset(4, {"train": [2, 0], "val": [3]})
    assert names(data.split("train")) == ["s2", "s0"]
    assert data.split("train").splits == {"train": (0, 1)}
    with pytest.raises(OptionError, match="city: no split is called 'vall'; did you mean 'val'"):
        data.split("vall")
    with pytest.raises(OptionError, match="none; a fraction such as"):
        dataset(2).split("val")


def test_a_split_that_names_no_sample_is_refused() -> None:
    with pytest.raises(DataError, match=r"city: the split 'val' names a sample outside 0\.\.3"):
        dataset(4, {"train": [0], "val": [4]})


def test_taking_samples_keeps_the_splits_that_have_any_left() -> None:
    data = dataset(5, {"train": [0, 1, 2], "val": [3], "test": [4]})
    part = data.take([4, 1, 0])
    assert names(part) == ["s4", "s1", "s0"]
    assert part.splits == {"train": (1, 2), "test": (0,)}
    assert names(part.split("train")) == ["s1", "s0"]
    assert data.take([-1]).splits == {"test": (0,)}
    assert data.take([0, 0]).splits == {"train": (0, 1)}
    assert data[::-1].splits == {"train": (2, 3, 4), "val": (1,), "test": (0,)}


def test_where_keeps_what_the_claim_holds_for() -> None:
    data = dataset(4, {"train": [0, 1], "val": [2, 3]}).where(lambda sample: sample.name in ("s1", "s2"))
    assert names(data) == ["s1", "s2"]
    assert data.splits == {"train": (0,), "val": (1,)}


def test_dividing_gives_every_sample_once_and_the_same_for_a_seed() -> None:
    data = dataset(10)
    rest, part = data.divided(0.3, seed=5)
    assert (len(rest), len(part)) == (7, 3)
    assert sorted(names(rest) + names(part)) == names(data)
    assert names(data.divided(0.3, seed=5)[1]) == names(part)
    assert {tuple(names(data.divided(0.3, seed=seed)[1])) for seed in range(9)} != {tuple(names(part))}


@pytest.mark.parametrize(("count", "fraction", "expected"), [(2, 0.01, (1, 1)), (2, 0.99, (1, 1)), (3, 0.5, (1, 2))])
def test_dividing_leaves_at_least_one_in_each(count: int, fraction: float, expected: tuple[int, int]) -> None:
    rest, part = dataset(count).divided(fraction)
    assert (len(rest), len(part)) == expected


@pytest.mark.parametrize(("count", "fraction"), [(4, 0.0), (4, 1.0), (4, -1), (4, float("nan")), (1, 0.5), (0, 0.5)])
def test_a_division_that_cannot_be_is_refused(count: int, fraction: float) -> None:
    with pytest.raises(OptionError):
        dataset(count).divided(fraction)


def test_under_other_labels_everything_else_stays() -> None:
    labels = LABELS.with_values({0: -1, 1: 0})
    data = dataset(3, {"val": [1]}).under(labels)
    assert data.labels is labels
    assert all(sample.labels is labels for sample in data)
    assert (data.splits, data.name, data.kind) == ({"val": (1,)}, "city", "semantic")


def test_a_sample_pickles_for_the_workers_of_a_loader() -> None:
    back = pickle.loads(pickle.dumps(Sample.of("one", PIXELS, truth(0, 1))))
    assert back.truth == truth(0, 1)
    assert back.image.size == (1, 2)


def test_the_semantic_view_of_instances_is_read_under_classes_with_background() -> None:
    labels = LabelSet.of(["cat"], things=["cat"]).with_values({7: 0})
    one = Segmentation.from_masks("instance", np.array([[[True, False]]]), [0], labels)
    data = Dataset([Sample.of("a", PIXELS, one)], labels, "instance", {"val": [0]}, "pets", ["a note"]).semantic()
    assert (data.kind, data.labels.names, data.splits, data.notes) == (
        "semantic",
        ("background", "cat"),
        {"val": (0,)},
        ("a note",),
    )
    assert data[0].truth.class_map().tolist() == [[1, 0]]
    assert data[0].raw()[0].tolist() == [[7, 0]]
    assert data.labels.to_classes(data[0].raw()[0]).tolist() == [[1, 0]]
    assert data.semantic() is data


def test_a_semantic_view_is_read_under_other_labels_by_name() -> None:
    labels = LabelSet.of(["cat", "dog"])
    one = Segmentation.from_masks("instance", np.array([[[True, False]]]), [1], labels)
    data = Dataset([Sample.of("a", PIXELS, one)], labels, "instance").semantic()
    assert data.under(LabelSet.of(["dog", "background"]))[0].truth.class_map().tolist() == [[0, 1]]


@pytest.mark.parametrize("kind", ["multilabel", "regions"])
def test_what_has_not_one_class_a_pixel_has_no_semantic_view(kind: Kind) -> None:
    with pytest.raises(DataError, match=f"{kind} truth cannot be read as semantic"):
        Dataset([], LABELS, kind).semantic()


@dataclass(frozen=True, eq=False)
class Painted(TruthArray):
    """A source that has its classes painted already."""

    def semantic(self, labels: LabelSet, size: Size) -> tuple[Segmentation, ...]:
        """Give a class map that no painting would give."""
        return (Segmentation.from_class_map(np.array([[1, 0]]), labels),)


def test_a_source_that_has_its_classes_painted_is_not_painted_again() -> None:
    objects = Segmentation.from_masks("instance", np.array([[[True, True]]]), [1], LABELS)
    sample = Sample("a", ImageArray(PIXELS), Painted((objects,)), LABELS)
    assert sample.semantic(LABELS).truth.class_map().tolist() == [[1, 0]]
    assert sample.semantic(LABELS).salvaged()[0][0].class_map().tolist() == [[1, 0]]
