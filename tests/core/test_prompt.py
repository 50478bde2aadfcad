"""Prompts: checked against the image, drawn as markers."""

import numpy as np
import pytest

from pixelwise.core.errors import OptionError
from pixelwise.core.prompt import Prompt

SIZE = (4, 6)


@pytest.mark.parametrize(
    "prompt",
    [
        Prompt(),
        Prompt(points=((0, 0, True), (5.9, 3.9, False))),
        Prompt(box=(0, 0, 6, 4)),
        Prompt(polygon=((0, 0), (5, 0), (5, 3)), class_id=2),
        Prompt(scribbles=((((1, 1), (2, 2)), True),)),
    ],
)
def test_what_lies_inside_is_given_back(prompt: Prompt) -> None:
    assert prompt.checked(SIZE) is prompt


@pytest.mark.parametrize(
    ("prompt", "said"),
    [
        (Prompt(points=((6, 0, True),)), r"the point \(6, 0\) lies outside the image of 6 x 4 pixels"),
        (Prompt(points=((0, -1, True),)), "outside"),
        (Prompt(points=((float("nan"), 0, True),)), "outside"),
        (Prompt(polygon=((0, 0), (1, 4), (2, 2))), r"point \(1, 4\)"),
        (Prompt(scribbles=((((1, 1), (9, 2)), False),)), r"point \(9, 2\)"),
        (Prompt(box=(0, 0, 7, 4)), "empty or outside the image of 6 x 4 pixels"),
        (Prompt(box=(2, 2, 2, 3)), "empty or outside"),
        (Prompt(box=(3, 0, 1, 2)), "empty or outside"),
        (Prompt(box=(float("nan"), 0, 1, 2)), "empty or outside"),
    ],
)
def test_what_lies_outside_or_is_empty_is_refused(prompt: Prompt, said: str) -> None:
    with pytest.raises(OptionError, match=said):
        prompt.checked(SIZE)


def test_points_become_markers() -> None:
    markers = Prompt(points=((1, 1, True), (5, 3, False))).markers(SIZE, radius=0)
    expected = np.zeros(SIZE, int)
    expected[1, 1], expected[3, 5] = 2, 1
    assert markers.tolist() == expected.tolist()


def test_scribbles_become_markers_and_an_empty_one_none() -> None:
    prompt = Prompt(scribbles=((((0, 2), (5, 2)), True), ((), False)))
    assert prompt.markers(SIZE, radius=0)[2].tolist() == [2] * 6
    assert (prompt.markers(SIZE, radius=0) == 2).sum() == 6


def test_a_box_becomes_a_mask() -> None:
    assert Prompt(box=(1, 0, 3, 2)).box_mask((2, 4)).astype(int).tolist() == [[0, 1, 1, 0], [0, 1, 1, 0]]
    assert not Prompt().box_mask(SIZE).any()
