"""Refiners by name, with options, and in chains."""

import numpy as np
import pytest

from pixelwise.core.errors import OptionError, SizeMismatch, UnknownName
from pixelwise.core.image import as_image
from pixelwise.core.labels import LabelSet
from pixelwise.core.segmentation import Segmentation
from pixelwise.refine.refiner import Refiner, chain


def test_a_chain_is_read_with_options_and_written_as_it_was():
    read = chain("crf(colour=8, rounds=3) ,smallest( area = 40 ),holes")
    assert [refiner.name for refiner in read] == ["crf", "smallest", "holes"]
    assert [refiner.options for refiner in read] == [{"colour": 8.0, "rounds": 3}, {"area": 40}, {}]
    assert chain(", ".join(map(repr, read)))[0].options == read[0].options


@pytest.mark.parametrize("text", ["", "crf,,holes", "crf(8)", "crf(", "1", "crf(colour=x)", "crf(**{})", "a.b", "crf; holes"])
def test_what_is_no_chain_is_refused_with_an_example(text):
    with pytest.raises(OptionError, match="as in 'crf'"):
        chain(text)


def test_misspelt_names_and_options_name_the_nearest():
    with pytest.raises(UnknownName, match="no refiner is called 'holez'; did you mean 'holes'"):
        chain("crf,holez")
    with pytest.raises(OptionError, match="'crf' has no option 'color'; did you mean 'colour'"):
        chain("crf(color=3)")
    with pytest.raises(OptionError, match="smallest: area: expected int, got 'big'"):
        chain("smallest(area='big')")


def test_a_threshold_is_the_requests_and_no_option():
    with pytest.raises(OptionError, match="no option 'threshold'"):
        Refiner("crf", threshold=0.5)


def test_an_image_of_another_size_is_refused():
    found = Segmentation.from_class_map(np.eye(3, dtype=np.uint8), LabelSet.of(["a", "b"]))
    with pytest.raises(SizeMismatch, match="one size"):
        Refiner("holes")(as_image(np.zeros((3, 4), np.uint8)), found)


@pytest.mark.parametrize(
    "text", ["crf(name='holes')", "crf(colour={[]: 1})", "(" * 300, "-" * 100_000 + "1", "crf(colour=" + "-" * 100_000 + "1)"]
)
def test_whatever_is_written_is_read_or_refused(text):
    with pytest.raises(OptionError):
        chain(text)
