"""Slices: the same rules on some of the images, told apart by what is measured, kept in the data or given in a table."""

import numpy as np
import pytest

from pixelwise.core.errors import OptionError, UnreadableFile
from pixelwise.core.image import as_image
from pixelwise.core.labels import LabelSet
from pixelwise.core.sample import Dataset, Sample
from pixelwise.core.segmentation import Segmentation
from pixelwise.metrics import overlap
from pixelwise.metrics.interval import Bootstrap
from pixelwise.metrics.slices import columns, slices
from pixelwise.metrics.tally import families_of, tally
from pixelwise.metrics.truths import Truths

LABELS = LabelSet.of(["sky", "road"])
FAMILIES = families_of(["overlap"])


def seg(rows):
    return Segmentation.from_class_map(np.array(rows, np.uint8), LABELS)


def data(*greys, **meta):
    samples = [
        Sample.of(
            f"s{row}", as_image(np.full((2, 2), grey, np.uint8)), seg([[0, 0], [1, 1]]), **{k: v[row] for k, v in meta.items()}
        )
        for row, grey in enumerate(greys)
    ]
    return Dataset(samples, LABELS, "semantic", name="tiny")


def counted(dataset, wrong=()):
    """Predict rightly but for the samples ``wrong``, which are called sky all over."""
    results = [seg(np.zeros((2, 2))) if row in wrong else sample.truth for row, sample in enumerate(dataset)]
    return tally(enumerate(results), Truths.of(dataset, FAMILIES), FAMILIES, [])


def sliced(dataset, by, wrong=(), bootstrap=None, table=None):
    found = slices(counted(dataset, wrong), FAMILIES, ["miou"], columns(dataset, by, table), bootstrap)
    return {(one.column, one.value): one for one in found}


def test_a_slice_is_scored_from_the_counts_of_its_images_alone():
    dataset = data(0, 0, 0, 0, weather=["rain", "rain", "sun", "sun"])
    found = sliced(dataset, ["weather"], wrong=(0,))
    own = overlap.score(
        overlap.count(seg(np.zeros((2, 2))), dataset[0].truth) + overlap.count(dataset[1].truth, dataset[1].truth)
    )
    assert found["weather", "rain"].scores == {"miou": own["miou"]}
    assert found["weather", "sun"].scores == {"miou": 1}
    assert found["weather", "sun"].count == 2


def test_brightness_makes_thirds_with_their_bounds():
    found = sliced(data(0, 51, 102, 153, 204, 255), ["brightness"], wrong=(0,))
    assert [value for _, value in found] == ["dark (0 to 0.333)", "medium (0.333 to 0.667)", "bright (0.667 to 1)"]
    assert [one.count for one in found.values()] == [2, 2, 2]


def test_a_list_of_tags_puts_an_image_into_several_slices():
    found = sliced(data(0, 0, tags=[["a", "b"], ["b"]]), ["tags"])
    assert {value: one.count for (_, value), one in found.items()} == {"a": 1, "b": 2}


def test_columns_of_a_table_are_joined_by_name_with_or_without_ending(tmp_path):
    table = tmp_path / "facts.csv"
    table.write_text("image,camera,height\ns0.jpg,left,9\ns1,right,10\nelse.png,up,11\n")
    found = sliced(data(0, 0, 0), ["camera", "height"], table=table)
    assert list(found) == [("camera", "left"), ("camera", "right"), ("height", "9"), ("height", "10")]
    assert all(one.count == 1 for one in found.values())


def test_many_numbers_make_thirds_and_many_words_are_refused():
    numbers = data(*[0] * 15, height=list(range(15)))
    assert [one.count for one in sliced(numbers, ["height"]).values()] == [5, 5, 5]
    with pytest.raises(OptionError, match="the column 'town' has 15 values; at most 12 make slices"):
        sliced(data(*[0] * 15, town=[f"n{row}" for row in range(15)]), ["town"])


def test_a_slice_has_intervals_of_its_own_and_says_how_few_images_it_has():
    found = sliced(data(0, 0, 0, side=["l", "l", "r"]), ["side"], wrong=(0,), bootstrap=Bootstrap(resamples=100))
    low, high = found["side", "l"].intervals["miou"]
    assert low < found["side", "l"].scores["miou"] < high
    assert found["side", "r"].intervals == {"miou": None}
    assert "at least two images" in found["side", "r"].note


def test_an_unknown_column_names_the_nearest():
    with pytest.raises(OptionError, match="no column is called 'brightnes'; did you mean 'brightness'"):
        columns(data(0), ["brightnes"])


@pytest.mark.parametrize("text", ["", "image\ns0\n", "image,camera\ns0\n"])
def test_a_table_that_is_none_is_refused(tmp_path, text):
    table = tmp_path / "facts.csv"
    table.write_text(text)
    with pytest.raises(UnreadableFile, match=r"facts.csv: "):
        columns(data(0), ["camera"], table)
