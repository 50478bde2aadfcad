"""Prompts: checked against the image, drawn as markers, scaled with it, and read from JSON."""

import json
from pathlib import Path

import numpy as np
import pytest

from pixelwise.core.errors import DataError, OptionError
from pixelwise.core.prompt import Prompt, Prompts, read_prompts

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


FULL = Prompt(
    points=((1.0, 2.0, True), (3.0, 0.0, False)),
    box=(0.0, 0.0, 4.0, 3.0),
    scribbles=((((0.0, 1.0), (2.0, 1.0)), False),),
    polygon=((0.0, 0.0), (3.0, 0.0), (3.0, 2.0)),
    class_id=2,
)


@pytest.mark.parametrize("prompt", [FULL, Prompt(), Prompt(box=(1.0, 2.0, 3.0, 4.0))])
def test_json_gives_the_prompt_back(prompt: Prompt) -> None:
    assert Prompt.from_json(json.loads(json.dumps(prompt.to_json()))) == prompt


@pytest.mark.parametrize(
    ("plain", "said"),
    [
        ([1, 2], "expected an object"),
        ({"boxes": []}, "did you mean 'box'"),
        ({"box": [1, 2, 3]}, r"box: expected \[left, top, right, bottom\] in pixels"),
        ({"box": [1, 2, 3, True]}, "box"),
        ({"points": [[1]]}, r"expected \[x, y\]"),
        ({"points": [[1, 2, 3]]}, "true or false"),
        ({"points": 3}, "expected a list"),
        ({"points": [["a", "b"]]}, "in pixels"),
        ({"scribbles": [[[0, 0]]]}, "scribbles: expected"),
        ({"polygon": [[0, 0], [1, 1]]}, "three corners"),
        ({"class_id": -1}, "class_id"),
    ],
)
def test_json_of_another_form_is_told(plain: object, said: str) -> None:
    with pytest.raises(DataError, match=f"here: .*{said}|{said}"):
        Prompt.from_json(plain, "here")


def test_a_file_lists_prompts_for_all_images_or_by_name(tmp_path: Path) -> None:
    file = tmp_path / "prompts.json"
    file.write_text(json.dumps([FULL.to_json()]))
    assert read_prompts(file).of("any/where.png") == (FULL,)
    file.write_text(json.dumps(FULL.to_json()))
    assert read_prompts(file).everywhere == (FULL,)
    file.write_text(json.dumps({"scans/a.tif": [FULL.to_json()], "b": []}))
    found = read_prompts(file)
    assert found.of("scans/a.tif") == (FULL,)
    assert found.of("other/a.tif") == found.of("b.png") == ()
    assert Prompts(by_name={"a": (FULL,)}).of("x/a.png") == (FULL,)


@pytest.mark.parametrize(("text", "said"), [("3", "expected a list of prompts"), ('{"a.png": 3}', "a.png: expected a list")])
def test_a_file_of_another_form_is_told(text: str, said: str, tmp_path: Path) -> None:
    (tmp_path / "prompts.json").write_text(text)
    with pytest.raises(DataError, match=said):
        read_prompts(tmp_path / "prompts.json")


def test_a_scaled_prompt_lies_where_the_resized_image_has_it() -> None:
    half = FULL.scaled((4, 6), (2, 3))
    assert half.checked((2, 3)) is half
    assert half.box == (0, 0, 2, 2)
    assert half.points[0] == (0.25, 0.75, True)
    tiny = Prompt(box=(5, 3, 6, 4), points=((5.9, 3.9, True),)).scaled((4, 6), (1, 1))
    assert (tiny.box, tiny.checked((1, 1))) == ((0, 0, 1, 1), tiny)


def test_marks_at_the_far_rim_are_drawn_on_the_last_pixel() -> None:
    rim = (5.9, 3.9)
    for prompt in (Prompt(points=((*rim, True),)), Prompt(scribbles=(((rim,), True),)), Prompt(polygon=(rim, rim, rim))):
        drawn = prompt.polygon_mask(SIZE) if prompt.polygon else prompt.markers(SIZE, radius=0) == 2
        assert np.argwhere(drawn).tolist() == [[3, 5]]


def test_a_box_within_a_pixel_fills_that_pixel() -> None:
    assert np.argwhere(Prompt(box=(1.1, 0.1, 1.4, 0.2)).box_mask(SIZE)).tolist() == [[0, 1]]
    assert np.argwhere(Prompt(box=(5.7, 3.8, 6, 4)).box_mask(SIZE)).tolist() == [[3, 5]]


def test_numbers_beyond_any_image_are_told() -> None:
    with pytest.raises(DataError, match="in pixels"):
        Prompt.from_json({"points": [[1, 10**400]]})
