"""``pixelwise data split`` as a user meets it: lists, table, JSON, and exit codes."""

import json
from pathlib import Path

import cv2
import numpy as np
import PIL.Image
import pytest

from pixelwise.cli import main
from pixelwise.core.files import read_json
from pixelwise.curate import split
from pixelwise.formats import read


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Twenty pairs: three tiles of each of six scenes, and two images of their own."""
    names = [f"town{s}_x{x}_y0" for s in range(6) for x in (0, 64, 128)] + ["alone", "single"]
    for kind in ("images", "masks"):
        (tmp_path / "data" / kind).mkdir(parents=True)
    for k, name in enumerate(names):
        noise = np.random.default_rng(k).integers(0, 255, (6, 8, 3), np.uint8)
        picture = cv2.resize(noise, (64, 48), interpolation=cv2.INTER_CUBIC)
        PIL.Image.fromarray(picture).save(tmp_path / "data" / "images" / f"{name}.png")
        mask = np.zeros((48, 64), np.uint8)
        mask[: 4 + k] = 1 + k % 2
        PIL.Image.fromarray(mask).save(tmp_path / "data" / "masks" / f"{name}.png")
    return tmp_path / "data"


def png(pixels: np.ndarray) -> bytes:
    return bytes(cv2.imencode(".png", pixels)[1])


def lists(out: Path) -> dict[str, list[str]]:
    return {one.stem: one.read_text().splitlines() for one in sorted(out.glob("*.txt"))}


def test_lists_and_a_json_are_written_and_the_data_is_not_touched(folder: Path, tmp_path: Path) -> None:
    before = sorted((one, one.stat().st_mtime_ns) for one in folder.rglob("*"))
    assert main(["data", "split", str(folder), "--out", str(tmp_path / "lists"), "--fractions", "50/50"]) == 0
    assert sorted(one for inside in lists(tmp_path / "lists").values() for one in inside) == sorted(
        one.relative_to(folder).as_posix() for one in (folder / "images").iterdir()
    )
    assert sorted((one, one.stat().st_mtime_ns) for one in folder.rglob("*")) == before


def test_tiles_of_a_scene_are_in_one_list(folder: Path, tmp_path: Path) -> None:
    main(["data", "split", str(folder), "--out", str(tmp_path / "lists")])
    by_scene: dict[str, set[str]] = {}
    for name, inside in lists(tmp_path / "lists").items():
        for one in inside:
            by_scene.setdefault(one.split("_")[0], set()).add(name)
    assert all(len(names) == 1 for names in by_scene.values())


def test_the_same_command_writes_the_same_lists(folder: Path, tmp_path: Path) -> None:
    for out in ("one", "other"):
        main(["data", "split", str(folder), "--out", str(tmp_path / out), "--seed", "9"])
    assert lists(tmp_path / "one") == lists(tmp_path / "other")


def test_without_out_nothing_is_written(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = set(tmp_path.rglob("*"))
    assert main(["data", "split", str(folder)]) == 0
    assert "nothing was written: give --out DIR" in capsys.readouterr().out
    assert set(tmp_path.rglob("*")) == before


def test_a_place_in_the_data_is_refused(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["data", "split", str(folder), "--out", str(folder / "lists")]) == 2
    assert "never touched" in capsys.readouterr().err


def test_scenes_torn_apart_on_request_are_told_and_the_exit_code_is_1(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["data", "split", str(folder), "--group", "none", "--json"]) == 1
    said = capsys.readouterr()
    assert any("keep all of a scene in one split" in one["text"] for one in json.loads(said.out)["leaks"])
    assert "scene 'town" in said.err


def test_the_table_states_what_was_asked_and_what_came(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["data", "split", str(folder), "--fractions", "train=0.8,val=0.2"])
    text = capsys.readouterr().out
    assert "80.0 %" in text
    assert "asked" in text
    assert "images of one scene (told by tile names) are kept together" in text


def test_the_json_states_the_share_of_each_class(folder: Path, tmp_path: Path) -> None:
    main(["data", "split", str(folder), "--out", str(tmp_path / "lists")])
    splits = read_json(tmp_path / "lists" / "split.json")["splits"]
    assert sum(one["classes"]["class 1"]["of_class"] for one in splits.values()) == pytest.approx(1, abs=1e-5)


def test_a_broken_image_is_in_no_list_and_the_exit_code_is_1(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "images" / "alone.png").write_bytes(b"")
    assert main(["data", "split", str(folder), "--out", str(tmp_path / "lists")]) == 1
    assert "alone.png" in capsys.readouterr().err
    assert "images/alone.png" not in [one for inside in lists(tmp_path / "lists").values() for one in inside]


def test_data_info_shows_the_splits_of_lists(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["data", "split", str(folder), "--out", str(tmp_path / "lists"), "--fractions", "fit=0.5,held=0.5"])
    capsys.readouterr()
    assert main(["data", "info", str(folder), "--lists", str(tmp_path / "lists"), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["splits"].keys() == {"fit", "held"}


def test_the_lists_are_taken_by_the_other_commands(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lists = ["--lists", str(tmp_path / "lists"), "--json"]
    main(["data", "split", str(folder), "--out", str(tmp_path / "lists"), "--fractions", "fit=0.5,held=0.5"])
    capsys.readouterr()
    for command in (
        ["data", "check", str(folder)],
        ["data", "convert", str(folder), str(tmp_path / "coco"), "--to", "masks", "--void", "none", "--split", "held"],
        ["data", "prepare", str(folder), str(tmp_path / "ready"), "--void", "none"],
        ["evaluate", "otsu", str(folder), "--split", "held", "--void", "none", "--resamples", "0"],
    ):
        assert main([*command, *lists]) in (0, 1)
        capsys.readouterr()
    held = {Path(one).stem for one in (tmp_path / "lists" / "held.txt").read_text().splitlines()}
    assert {one.stem for one in (tmp_path / "coco" / "images").iterdir()} == held
    assert read(tmp_path / "ready").splits.keys() == {"fit", "held"}


def test_a_folder_of_lists_in_the_place_of_a_split_is_told_where_it_belongs(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "lists").mkdir()
    assert main(["data", "prepare", str(folder), str(tmp_path / "out"), "--split", str(tmp_path / "lists")]) == 2
    assert f"with --lists {tmp_path / 'lists'}" in capsys.readouterr().err


def test_a_leak_between_lists_is_found_by_the_check(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["data", "split", str(folder), "--out", str(tmp_path / "lists"), "--fractions", "50/50", "--group", "none"])
    capsys.readouterr()
    main(["data", "check", str(folder), "--lists", str(tmp_path / "lists")])
    assert "keep all of a scene in one split" in " ".join(capsys.readouterr().out.split())


def test_a_map_of_values_that_is_not_settled_is_told(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "masks" / "alone.png").write_bytes(png(np.full((48, 64), 255, np.uint8)))
    main(["data", "split", str(folder)])
    assert "is not settled: see 'pixelwise data check" in capsys.readouterr().out


def test_a_folder_that_cannot_be_made_is_told_before_the_work(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "taken").write_text("mine")
    monkeypatch.setattr(split, "make_split", lambda *arguments, **options: pytest.fail("the work was done"))
    assert main(["data", "split", str(folder), "--out", str(tmp_path / "taken" / "lists")]) == 1
    assert "a part of the path is a file" in capsys.readouterr().err


def test_wrong_fractions_are_wrong_use(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["data", "split", str(folder), "--fractions", "70/20"]) == 2
    assert "add up to 90" in capsys.readouterr().err


def test_a_file_where_the_lists_should_go_is_wrong_use(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("mine")
    assert main(["data", "split", str(folder), "--out", str(tmp_path / "taken")]) == 2
