"""``pixelwise data prepare`` as a user meets it: what it prints, and its exit codes."""

import json
from pathlib import Path

import numpy as np
import PIL.Image
import pytest

from pixelwise.cli import main
from pixelwise.core.sample import Dataset
from pixelwise.formats import coco, prepared
from pixelwise.scenes import scenes


@pytest.fixture
def drawn(tmp_path: Path) -> Path:
    """Four drawn scenes of instances as COCO."""
    data = scenes(4, (32, 48), "instance", seed=1)
    coco.write(Dataset(data.samples, data.labels, data.kind, {"train": [0, 1, 2], "val": [3]}), tmp_path / "in")
    return tmp_path / "in"


def spoil(folder: Path) -> int:
    """Cut off the run lengths of one annotation; give its id."""
    path = folder / "annotations" / "instances_train.json"
    document = json.loads(path.read_bytes())
    bad = document["annotations"][0]
    bad["segmentation"]["counts"] = bad["segmentation"]["counts"][:1]
    path.write_text(json.dumps(document))
    return int(bad["id"])


def test_it_says_what_was_written_and_how_objects_were_painted(
    drawn: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["data", "prepare", str(drawn), str(tmp_path / "out"), "--format", "coco"]) == 0
    told = capsys.readouterr().out
    assert "4 images" in told
    assert "rule     objects are painted as classes" in told
    assert f"pixelwise train --data {tmp_path / 'out'}" in told
    assert prepared.read(tmp_path / "out").splits == {"train": (0, 1, 2), "val": (3,)}


def test_bad_annotations_are_listed_and_the_rest_is_kept(
    drawn: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    number = spoil(drawn)
    assert main(["data", "prepare", str(drawn), str(tmp_path / "out"), "--format", "coco", "--json"]) == 1
    told = json.loads(capsys.readouterr().out)
    assert told["written"]["images"] == 4
    assert len(told["failed"]) == 1
    assert f"annotation {number}" in told["failed"][0]


def test_strict_stops_and_writes_nothing(drawn: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    number = spoil(drawn)
    assert main(["data", "prepare", str(drawn), str(tmp_path / "out"), "--format", "coco", "--strict"]) == 1
    assert f"annotation {number}" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_what_is_left_out_on_purpose_is_counted_and_no_fault(
    drawn: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["--format", "coco", "--min-area", "100000", "--json"]
    assert main(["data", "prepare", str(drawn), str(tmp_path / "out"), *arguments]) == 0
    told = json.loads(capsys.readouterr().out)
    objects = sum(len(one.truth) for one in coco.read(drawn))
    assert told["left_out"] == {"objects smaller than 100000 pixels": objects}
    assert told["written"]["segments"] == 0


@pytest.mark.parametrize(
    "arguments",
    [["--tile", "a"], ["--resize", "1,2,3"], ["--merge", "x"], ["--classes", "nothing like it"], ["--overlap", "4"]],
)
def test_wrong_use_is_said_with_exit_code_2(arguments: list[str], drawn: Path, tmp_path: Path) -> None:
    assert main(["data", "prepare", str(drawn), str(tmp_path / "out"), "--format", "coco", *arguments]) == 2
    assert not (tmp_path / "out").exists()


def test_a_place_inside_the_data_is_wrong_use(drawn: Path) -> None:
    assert main(["data", "prepare", str(drawn), str(drawn / "out")]) == 2


def test_tiles_of_one_channel(drawn: Path, tmp_path: Path) -> None:
    arguments = ["--format", "coco", "--tile", "16,24", "--binary"]
    assert main(["data", "prepare", str(drawn), str(tmp_path / "out"), *arguments]) == 0
    files = sorted((tmp_path / "out" / "semantic").iterdir())
    assert len(files) == 16
    assert all(PIL.Image.open(one).size == (24, 16) for one in files)
    assert {value for one in files for value in np.unique(np.array(PIL.Image.open(one)))} <= {0, 1, 255}


@pytest.mark.shared_data
def test_coco_is_prepared_as_pycocotools_and_the_rule_say(shared_data: Path, tmp_path: Path) -> None:
    assert main(["data", "prepare", str(shared_data / "coco_tiny160"), str(tmp_path / "out"), "--format", "coco"]) == 0
    data = prepared.read(tmp_path / "out")
    by_name = {one.name: one for one in data}
    assert (len(data), sum(len(one.truth) for one in data), sum(int(one.truth.is_crowd.sum()) for one in data)) == (
        160,
        1520,
        17,
    )
    # areas of the masks and pixels of the class map, counted with pycocotools and NumPy alone
    assert by_name["000000532481"].truth.masks.areas().tolist() == [2184, 83, 73, 93, 104, 74, 93, 153, 2491, 966]
    painted = np.array(PIL.Image.open(tmp_path / "out" / "semantic" / "000000532481.png"))
    assert np.unique(painted, return_counts=True)[1].tolist() == [266349, 2317, 517, 2491, 966]
    crowded = np.array(PIL.Image.open(tmp_path / "out" / "semantic" / "000000184324.png"))
    assert ((crowded == 255).sum(), (crowded == 0).sum(), (crowded == 1).sum()) == (28369, 213932, 20331)
