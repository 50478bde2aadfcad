"""``pixelwise data convert`` as a user meets it: what it prints, and its exit codes."""

import json
import os
import sys
from pathlib import Path

import pytest
from running import run

from pixelwise.cli.convert import alike, print_conversion, verdict
from pixelwise.cli.terminal import RESUMES, Steps, console
from pixelwise.core.errors import DataError, OptionError, UnknownName
from pixelwise.core.sample import Dataset
from pixelwise.core.segmentation import PAINTED
from pixelwise.formats import coco, masks, read
from pixelwise.formats.convert import Conversion
from pixelwise.formats.proof import CLAIMS, Proof
from pixelwise.formats.writing import Written
from pixelwise.scenes import scenes


@pytest.fixture
def drawn(tmp_path: Path) -> Path:
    """Three drawn scenes of instances as COCO."""
    data = scenes(3, (32, 48), "instance", seed=1)
    coco.write(Dataset(data.samples, data.labels, data.kind, {"train": [0, 1], "val": [2]}), tmp_path / "in")
    return tmp_path / "in"


def spoil(folder: Path) -> str:
    """Cut off the run lengths of one annotation; name it."""
    path = folder / "annotations" / "instances_train.json"
    document = json.loads(path.read_bytes())
    document["annotations"][0]["segmentation"]["counts"] += "P"
    path.write_text(json.dumps(document))
    return f"annotation {document['annotations'][0]['id']}"


def test_an_exact_conversion_says_so_and_exits_0(drawn: Path, tmp_path: Path) -> None:
    code, text = run("convert", drawn, tmp_path / "out", "--to", "coco")
    assert code == 0
    assert "proof    exact" in text
    assert text.startswith("format   coco (COCO: ")
    assert read(tmp_path / "out")[0].truth == read(drawn)[0].truth


def test_the_rule_of_another_kind_is_printed(drawn: Path, tmp_path: Path) -> None:
    code, text = run("convert", drawn, tmp_path / "out", "--to", "masks", "--as", "semantic")
    assert code == 0
    assert f"as       semantic: {PAINTED}" in text


def test_a_bad_annotation_is_listed_and_exits_1(drawn: Path, tmp_path: Path) -> None:
    name = spoil(drawn)
    code, text = run("convert", drawn, tmp_path / "out", "--to", "coco")
    assert code == 1
    assert text.index("failed   1") < text.index(name) < text.index("proof")


def test_strict_stops_at_a_bad_annotation(drawn: Path, tmp_path: Path) -> None:
    name = spoil(drawn)
    with pytest.raises(DataError, match=name):
        run("convert", drawn, tmp_path / "out", "--to", "coco", "--strict")
    assert not (tmp_path / "out").exists()


def forget_a_picture(folder: Path) -> str:
    """Take away one picture that the label file names."""
    path = min((folder / "images").iterdir())
    path.unlink()
    return path.name


def test_labels_whose_picture_is_gone_are_listed_as_failed_and_exit_1(drawn: Path, tmp_path: Path) -> None:
    name = forget_a_picture(drawn)
    code, text = run("convert", drawn, tmp_path / "out", "--to", "coco")
    assert code == 1
    assert text.index("failed   1") < text.index(name) < text.index("proof")


def test_strict_stops_at_labels_whose_picture_is_gone(drawn: Path, tmp_path: Path) -> None:
    name = forget_a_picture(drawn)
    with pytest.raises(DataError, match=name):
        run("convert", drawn, tmp_path / "out", "--to", "coco", "--strict")
    assert not (tmp_path / "out").exists()


def test_info_exits_1_where_the_picture_of_labels_is_gone(drawn: Path) -> None:
    forget_a_picture(drawn)
    assert run("info", drawn)[0] == 1


def test_json_is_alone_on_standard_output(drawn: Path, tmp_path: Path) -> None:
    code, text = run("convert", drawn, tmp_path / "out", "--to", "coco", "--json")
    told = json.loads(text)
    assert code == 0
    assert set(told) == {"read", "written", "dropped", "refused", "failed", "problems", "proof"}
    assert (told["proof"]["exact"], told["proof"]["worst"], told["read"]["images"]) == (True, 1.0, 3)
    assert told["read"]["format"] == "coco"


def test_one_split_is_converted_alone(drawn: Path, tmp_path: Path) -> None:
    run("convert", drawn, tmp_path / "out", "--to", "coco", "--split", "val")
    assert [one.name for one in read(tmp_path / "out")] == [read(drawn)[2].name]


@pytest.mark.skipif(sys.platform != "linux", reason="file names elsewhere are text")
def test_a_name_that_a_format_cannot_hold_is_an_error_of_ours(drawn: Path, tmp_path: Path) -> None:
    masks.write(read(drawn).semantic(), tmp_path / "in2")
    picture = min((tmp_path / "in2" / "images").iterdir())
    for kind in ("images", "masks"):
        old = tmp_path / "in2" / kind / picture.name
        old.rename(old.with_name(os.fsdecode(b"\xff.png")))
    with pytest.raises(DataError, match="not UTF-8"):
        run("convert", tmp_path / "in2", tmp_path / "out", "--to", "coco")


def test_ctrl_c_says_what_is_kept(drawn: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(KeyboardInterrupt), Steps(RESUMES):
        raise KeyboardInterrupt
    assert capsys.readouterr().err == f"interrupted; {RESUMES}\n"


@pytest.mark.parametrize(
    ("options", "error"),
    [
        (["--to", "masks"], OptionError),
        (["--to", "cocoo"], UnknownName),
        (["--to", "createml"], OptionError),
        (["--to", "coco", "--as", "instances"], OptionError),
        (["--to", "coco", "--split", "nowhere"], OptionError),
        (["--to", "coco", "--void", "3"], OptionError),
    ],
)
def test_wrong_use_is_an_error_and_writes_nothing(
    drawn: Path, tmp_path: Path, options: list[str], error: type[Exception]
) -> None:
    with pytest.raises(error):
        run("convert", drawn, tmp_path / "out", *options)
    assert [one.name for one in tmp_path.iterdir()] == ["in"]


def test_the_data_is_never_written_to(drawn: Path) -> None:
    with pytest.raises(OptionError, match="outside the data"):
        run("convert", drawn, drawn / "out", "--to", "coco")


def proof(worst: float = 1.0, exact: bool = True, lost: int = 0) -> Proof:
    return Proof(2, 9, lost, 0, worst, worst, dict.fromkeys(CLAIMS, exact), exact)


def test_what_is_not_1_never_looks_like_it() -> None:
    assert "worst IoU > 0.9999" in verdict(proof(0.99999, exact=False))


def test_dropped_sentences_are_grouped_and_counted(capsys: pytest.CaptureFixture[str]) -> None:
    dropped = tuple(f"a: object {number}: its hole is lost" for number in range(5)) + ("b: empty",)
    written = Written(2, 9, dropped)
    done = Conversion("set", Path("out"), "yolo", "instance", "", 2, 9, ("cat",), (), written, proof(0.5, exact=False))
    print_conversion(console(), done)
    text = capsys.readouterr().out
    assert text.count("its hole is lost") == 3
    assert "… and 2 more like these" in text
    assert [count for count, _ in alike(dropped)] == [5, 1]


def test_what_is_dropped_of_many_images_alike_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    written = Written(3, 9, tuple(f"{name}: not kept: the source's own ids" for name in "abcde"))
    done = Conversion("set", Path("out"), "via", "instance", "", 5, 9, ("cat",), (), written, proof())
    print_conversion(console(), done)
    text = capsys.readouterr().out
    assert "a and 4 more: not kept: the source's own ids" in text
    assert "more like these" not in text


def test_sentences_that_list_more_or_fewer_objects_are_alike() -> None:
    sentences = ["a: object 1 loses 7 of 1,819 pixels", "b: object 2 loses 9 of 20 pixels, object 3 loses 1 of 8 pixels"]
    assert len(alike(sentences)) == 1


def test_images_the_format_cannot_hold_are_refused_and_not_called_wrong(capsys: pytest.CaptureFixture[str]) -> None:
    written = Written(1, 4, (), ("a: objects overlap: what lies below would be lost", "b.json: shape 3: it has no points"))
    done = Conversion("set", Path("out"), "voc", "instance", "", 2, 9, ("cat",), (), written, proof(0, False, lost=5))
    print_conversion(console(), done)
    text = capsys.readouterr().out
    assert (
        text.index("refused  1 image") < text.index("objects overlap") < text.index("--as panoptic") < text.index("failed   1")
    )
    assert not done.clean


def test_a_loss_the_writer_does_not_tell_is_a_problem() -> None:
    done = Conversion("set", Path("out"), "x", "instance", "", 2, 9, ("cat",), (), Written(2, 9), proof(0, False, lost=4))
    assert done.problems == ("4 segments are not read back, and the writer of x does not say why",)
    assert not done.clean
