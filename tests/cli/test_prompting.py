"""The options ``--prompts --box --point`` of ``pixelwise predict``."""

import json

import numpy as np
import pytest

from pixelwise.cli.app import run
from pixelwise.cli.prompting import prompts_of
from pixelwise.core.errors import OptionError
from pixelwise.core.image import read_ids, write_image
from pixelwise.core.prompt import Prompt


@pytest.fixture
def folder(tmp_path):
    pixels = np.full((12, 16), 40, np.uint8)
    pixels[3:6, 4:8], pixels[8:11, 10:14] = 120, 220
    for name in ("a", "b"):
        write_image(tmp_path / f"{name}.png", pixels)
    return tmp_path


def ids(folder, name="a"):
    return read_ids(folder / "out" / f"{name}.png")[0]


def predict(folder, *options):
    return run(["predict", "floodfill", str(folder / "a.png"), str(folder / "b.png"), "--out", str(folder / "out"), *options])


def test_points_are_an_object_each_and_a_single_box_takes_them_all():
    found = prompts_of(None, (), ("1,2", "3,4", "5,6,out")).everywhere
    assert found == (Prompt(points=((1, 2, True), (5, 6, False))), Prompt(points=((3, 4, True),)))
    assert prompts_of(None, ("0,0,9,9",), ("1,2", "5,6,out")).everywhere == (
        Prompt(points=((1, 2, True), (5, 6, False)), box=(0, 0, 9, 9)),
    )


@pytest.mark.parametrize(
    ("boxes", "points"), [(("1,2,3",), ()), (("a,b,c,d",), ()), ((), ("1",)), ((), ("1,2,in",)), ((), ("nan,2",))]
)
def test_what_is_not_written_as_expected_is_told(boxes, points):
    with pytest.raises(OptionError, match=r"--(box|point) .*: expected .* in pixels"):
        prompts_of(None, boxes, points)


def test_a_point_floods_its_area_in_every_image(folder):
    assert predict(folder, "--point", "5,4", "--point", "11,9") == 0
    for name in "ab":
        assert (ids(folder, name)[4, 5], ids(folder, name)[9, 11], ids(folder, name)[0, 0]) == (2, 3, 1)


def test_a_file_has_prompts_for_images_by_name(folder):
    (folder / "p.json").write_text(json.dumps({"a.png": [{"points": [[5, 4]]}], "b": [{"points": [[11, 9]]}]}))
    assert predict(folder, "--prompts", str(folder / "p.json")) == 0
    assert (ids(folder, "a") == 2).sum() == (ids(folder, "b") == 2).sum() == 12
    assert ids(folder, "b")[9, 11] == 2


def test_other_prompts_are_other_results(folder, capsys):
    assert predict(folder, "--point", "5,4") == predict(folder, "--point", "11,9") == 0
    assert "done before" not in capsys.readouterr().out
    assert predict(folder, "--point", "11,9") == 0
    assert "2 of them done before" in capsys.readouterr().out


def test_a_point_outside_fails_its_image_alone(folder, capsys):
    (folder / "p.json").write_text(json.dumps({"a": [{"points": [[5, 40]]}]}))
    assert predict(folder, "--prompts", str(folder / "p.json")) == 1
    shown = capsys.readouterr()
    assert "a.png: the point (5.0, 40.0) lies outside the image of 16 x 12 pixels" in shown.err
    assert "1 images" in shown.out


def test_a_method_without_prompts_says_so(folder, capsys):
    assert run(["predict", "otsu", str(folder / "a.png"), "--out", str(folder / "out"), "--box", "0,0,4,4"]) == 2
    assert "'otsu' takes no prompts" in capsys.readouterr().err


def test_a_file_without_prompts_is_told(folder, capsys):
    (folder / "p.json").write_text("[]")
    assert predict(folder, "--prompts", str(folder / "p.json")) == 2
    assert "expected prompts, found none" in capsys.readouterr().err


def test_an_image_that_no_prompt_is_for_is_noted(folder, capsys):
    (folder / "p.json").write_text(json.dumps({"a.pgn": [{"points": [[5, 4]]}], "b.png": [{"points": [[11, 9]]}]}))
    assert predict(folder, "--prompts", str(folder / "p.json")) == 0
    assert "none of the prompts are for this image, so it was segmented without (1 image)" in capsys.readouterr().out
