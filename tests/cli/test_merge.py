"""``pixelwise data merge`` as a user meets it: what it prints, and its exit codes."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import PIL.Image
import pytest
from running import run

from pixelwise.core.errors import OptionError, UnsettledLabels
from pixelwise.core.sample import Dataset
from pixelwise.formats import coco, masks, read
from pixelwise.scenes import scenes


@pytest.fixture
def sets(tmp_path: Path) -> list[Path]:
    """Two sets of drawn scenes; the samples of both have the same names."""
    for seed, name in enumerate(("north", "south")):
        data = scenes(2, (32, 48), "instance", seed=seed)
        samples = [replace(one, name=f"scene_{row}") for row, one in enumerate(data)]
        coco.write(Dataset(samples, data.labels, data.kind), tmp_path / name)
    return [tmp_path / "north", tmp_path / "south"]


def test_two_sets_become_one_and_the_proof_is_exact(sets: list[Path], tmp_path: Path) -> None:
    code, text = run("merge", *sets, tmp_path / "out")
    assert code == 0
    assert "renamed  4 samples" in text
    assert "proof    exact" in text
    whole = read(tmp_path / "out")
    assert {one.name: one.truth for one in whole} == {
        f"{place.name}_{one.name}": one.truth for place in sets for one in read(place)
    }


def test_joined_and_lone_classes_are_printed(sets: list[Path], tmp_path: Path) -> None:
    first = read(sets[0]).labels.names[0]
    text = run("merge", *sets, tmp_path / "out", "--map", f"north:{first}=toy")[1]
    assert f"joined   north:{first} → toy" in text
    assert "only in  north: toy" in text
    assert f"only in  south: {first}" in text


def test_a_set_is_named_on_the_command_line(sets: list[Path], tmp_path: Path) -> None:
    run("merge", f"n={sets[0]}", f"s={sets[1]}", tmp_path / "out")
    assert {one.name[:2] for one in read(tmp_path / "out")} == {"n_", "s_"}


def test_json_holds_the_merge_and_the_conversion(sets: list[Path], tmp_path: Path) -> None:
    told = json.loads(run("merge", *sets, tmp_path / "out", "--json")[1])
    assert set(told) == {"merge", "read", "written", "dropped", "refused", "failed", "problems", "proof"}
    assert told["written"]["images"] == 4


def test_sets_of_two_kinds_are_merged_as_semantic(sets: list[Path], tmp_path: Path) -> None:
    masks.write(read(sets[1]).semantic(), tmp_path / "painted")
    with pytest.raises(OptionError, match="--as semantic"):
        run("merge", sets[0], tmp_path / "painted", tmp_path / "out")
    run("merge", sets[0], tmp_path / "painted", tmp_path / "out", "--as", "semantic")
    assert read(tmp_path / "out").kind == "semantic"


def test_a_place_inside_a_set_is_refused(sets: list[Path]) -> None:
    with pytest.raises(OptionError, match="outside the data"):
        run("merge", *sets, sets[1] / "out")


def test_two_sets_of_one_name_are_refused(sets: list[Path], tmp_path: Path) -> None:
    with pytest.raises(OptionError, match="two data sets are called 'north'"):
        run("merge", sets[0], sets[0], tmp_path / "out")


def test_one_set_is_wrong_use(sets: list[Path], tmp_path: Path) -> None:
    with pytest.raises(OptionError, match="two or more"):
        run("merge", sets[0], tmp_path / "out")


def grey(folder: Path, *values: int) -> Path:
    """A pair whose mask holds the values."""
    for kind in ("images", "masks"):
        (folder / kind).mkdir(parents=True)
        pixels = np.repeat(np.array(values, np.uint8), 8)[None].repeat(16, axis=0)
        PIL.Image.fromarray(pixels).save(folder / kind / "a.png")
    return folder


def test_void_and_classes_are_said_of_one_set_or_of_all(tmp_path: Path) -> None:
    first, second = grey(tmp_path / "first", 0, 1, 7), grey(tmp_path / "second", 0, 255)
    options = ("--void", "first:7", "--classes", "second:road,car", "--classes", "first:road,sky")
    told = json.loads(run("merge", first, second, tmp_path / "out", *options, "--json")[1])
    assert told["read"]["classes"] == ["road", "sky", "car"]
    assert [one.truth.class_map()[0, ::8].tolist() for one in read(tmp_path / "out")] == [[0, 1, 255], [0, 2]]


def test_what_is_said_of_a_set_that_is_none_is_refused(sets: list[Path], tmp_path: Path) -> None:
    with pytest.raises(OptionError, match="--void norht:11: no data set is called 'norht'; did you mean 'north'"):
        run("merge", *sets, tmp_path / "out", "--void", "norht:11")
    with pytest.raises(OptionError, match="said twice"):
        run("merge", *sets, tmp_path / "out", "--void", "11", "--void", "12")


def test_what_is_left_of_a_merge_with_another_void_is_not_gone_on_with(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = grey(tmp_path / "first", 0, 1, 7), grey(tmp_path / "second", 0, 1, 7)
    stamps = []
    write = masks.write
    monkeypatch.setattr(masks, "write", lambda data, path, how: (stamps.append(how.resume), write(data, path, how))[1])
    for void in ("1", "7"):
        run("merge", first, second, tmp_path / "out", "--void", void, "--classes", "road,car")
    assert stamps[0] != stamps[1]


def test_a_set_that_is_not_settled_is_told_how_to_settle_it(sets: list[Path], tmp_path: Path) -> None:
    for kind, value in (("images", 7), ("masks", 255)):
        (tmp_path / "grey" / kind).mkdir(parents=True)
        PIL.Image.fromarray(np.pad(np.full((2, 2), value, np.uint8), 1)).save(tmp_path / "grey" / kind / "a.png")
    with pytest.raises(UnsettledLabels, match=r"--void none.*as --void grey:…"):
        run("merge", sets[0], tmp_path / "grey", tmp_path / "out")
