"""Writing a folder all at once: in order, resumable, by one process or several, and never over what is not ours."""

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pixelwise.core.errors import DataError, MissingFile, PlaceTaken, RunInUse, StorageError
from pixelwise.core.files import locked
from pixelwise.core.image import Image
from pixelwise.core.labels import LabelSet
from pixelwise.core.sample import Dataset, Sample
from pixelwise.core.segmentation import Segmentation
from pixelwise.formats import masks
from pixelwise.formats.output import store_image
from pixelwise.formats.writing import JOURNAL, Stage, Writing, Written, count, drop, staged
from pixelwise.formats.writing.journal import Journal, line_of

LABELS = LabelSet.of(["land", "lake"])


def data(number: int) -> Dataset:
    image = Image(np.zeros((2, 3, 3), np.uint8))
    truth = Segmentation.from_class_map(np.array([[0, 1, 1], [0, 0, 255]]), LABELS)
    return Dataset([Sample.of(f"s{row}", image, truth) for row in range(number)], LABELS, "semantic")


class Names:
    """Writes a sample's name into a file of that name, and remembers whom it was asked for; stops at ``last``."""

    def __init__(self, last: str = "") -> None:
        self.asked: list[str] = []
        self.last = last

    def __call__(self, sample: Sample, folder: Path) -> tuple[Any, int]:
        if sample.name == self.last:
            raise KeyboardInterrupt
        self.asked.append(sample.name)
        (folder / sample.name).write_text(sample.name)
        return sample.name.upper(), 2


def write(path: Path, dataset: Dataset, work: Any, writing: Writing) -> tuple[list[Any], Written]:
    with staged(path, lambda name: name.startswith("s"), lambda folder: True, writing) as stage:
        entries = list(stage.each(dataset, work))
    return entries, stage.written


def tree(path: Path) -> dict[str, bytes]:
    return {one.relative_to(path).as_posix(): one.read_bytes() for one in sorted(path.rglob("*")) if one.is_file()}


def left_behind(path: Path) -> list[Path]:
    return sorted(path.glob(".*.part"))


def test_entries_come_in_order_and_are_counted(tmp_path: Path) -> None:
    entries, written = write(tmp_path / "out", data(3), Names(), Writing())
    assert entries == ["S0", "S1", "S2"]
    assert (written.images, written.segments) == (3, 6)
    assert sorted(tree(tmp_path / "out")) == ["s0", "s1", "s2"]


def test_an_interrupted_writing_goes_on_and_does_nothing_twice(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        write(tmp_path / "out", data(4), Names(last="s2"), Writing(resume="same"))
    assert len(left_behind(tmp_path)) == 1
    work = Names()
    entries, _ = write(tmp_path / "out", data(4), work, Writing(resume="same"))
    assert work.asked == ["s2", "s3"]
    assert entries == ["S0", "S1", "S2", "S3"]
    assert left_behind(tmp_path) == []


def test_without_a_stamp_nothing_is_gone_on_with(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        write(tmp_path / "out", data(3), Names(last="s2"), Writing())
    assert list(tmp_path.iterdir()) == []


def test_what_was_left_by_other_options_is_deleted(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        write(tmp_path / "out", data(3), Names(last="s2"), Writing(resume="one"))
    work = Names()
    write(tmp_path / "out", data(3), work, Writing(resume="other"))
    assert work.asked == ["s0", "s1", "s2"]
    assert left_behind(tmp_path) == []


def test_what_another_folder_of_a_like_name_left_is_not_touched(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        write(tmp_path / "out.2", data(3), Names(last="s2"), Writing(resume="one"))
    write(tmp_path / "out", data(1), Names(), Writing(resume="other"))
    work = Names()
    write(tmp_path / "out.2", data(3), work, Writing(resume="one"))
    assert work.asked == ["s2"]


def test_what_another_process_is_writing_there_is_not_deleted(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        write(tmp_path / "out", data(3), Names(last="s2"), Writing(resume="one"))
    with locked(left_behind(tmp_path)[0]), pytest.raises(RunInUse, match="another process is writing"):
        write(tmp_path / "out", data(3), Names(), Writing(resume="other"))
    work = Names()
    write(tmp_path / "out", data(3), work, Writing(resume="one"))
    assert work.asked == ["s2"]


def test_temporary_files_of_a_killed_process_are_swept_away(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        write(tmp_path / "out", data(2), Names(last="s1"), Writing(resume="same"))
    (left_behind(tmp_path)[0] / ".s1.0a1b2c3d.png").write_text("half")
    write(tmp_path / "out", data(2), Names(), Writing(resume="same"))
    assert sorted(tree(tmp_path / "out")) == ["s0", "s1"]


def test_a_line_that_a_crash_cut_off_does_not_count(tmp_path: Path) -> None:
    place = tmp_path / JOURNAL
    place.write_bytes(line_of(0, {"entry": 1}) + line_of(2, {"entry": 3})[:-4])
    journal = Journal(place)
    assert (0 in journal, 2 in journal, len(journal)) == (True, False, 1)
    assert place.read_bytes() == line_of(0, {"entry": 1})


def test_lines_are_given_in_the_order_of_rows_whatever_order_they_were_done_in(tmp_path: Path) -> None:
    journal = Journal(tmp_path / JOURNAL)
    with journal.opened() as file:
        for row in (2, 0, 3, 1):
            journal.add(file, row, line_of(row, {"entry": row}))
    assert [one["entry"] for one in journal.lines()] == [0, 1, 2, 3]
    assert [one["entry"] for one in Journal(tmp_path / JOURNAL).lines()] == [0, 1, 2, 3]


def test_names_that_are_not_utf_8_survive_the_journal(tmp_path: Path) -> None:
    journal = Journal(tmp_path / JOURNAL)
    with journal.opened() as file:
        journal.add(file, 0, line_of(0, {"entry": "a\udce9"}))
    assert [one["entry"] for one in Journal(tmp_path / JOURNAL).lines()] == ["a\udce9"]


def test_what_is_dropped_counted_and_wrong_is_told(tmp_path: Path) -> None:
    def work(sample: Sample, folder: Path) -> tuple[Any, int]:
        if sample.name == "s1":
            raise DataError("s1: it is broken")
        drop(f"{sample.name}: its hole")
        count("small objects", 2)
        return None, 1

    entries, written = write(tmp_path / "out", data(3), work, Writing(strict=False))
    assert entries == [None, None, None]
    assert written == Written(2, 2, ("s0: its hole", "s2: its hole"), ("s1: it is broken",), {"small objects": 4})


def test_strict_stops_at_the_first_that_is_wrong_and_leaves_what_was_there(tmp_path: Path) -> None:
    def work(sample: Sample, folder: Path) -> tuple[Any, int]:
        raise DataError(f"{sample.name}: it is broken")

    write(tmp_path / "out", data(1), Names(), Writing())
    with pytest.raises(DataError, match="s0: it is broken"):
        write(tmp_path / "out", data(2), work, Writing(strict=True))
    assert tree(tmp_path / "out") == {"s0": b"s0"}


def test_what_a_process_left_that_was_killed_while_it_deleted_the_old_set_is_no_hindrance(tmp_path: Path) -> None:
    write(tmp_path / "out", data(1), Names(), Writing(resume="same"))
    for stamp in (b"same", b"other"):
        left = tmp_path / f".out.{hashlib.sha256(stamp).hexdigest()[:16]}.part.old"
        left.mkdir()
        (left / "s9").write_text("of the set before")
    write(tmp_path / "out", data(2), Names(), Writing(resume="same"))
    assert sorted(tree(tmp_path / "out")) == ["s0", "s1"]
    assert [one.name for one in tmp_path.iterdir()] == ["out"]


@pytest.mark.parametrize("dtype", [np.uint16, np.float32])
def test_a_disk_that_is_full_is_told_for_images_of_any_depth(dtype: type, tmp_path: Path) -> None:
    sample = Sample.of("a", Image(np.zeros((2, 3, 3), dtype)))
    (tmp_path / "a.png").mkdir()
    (tmp_path / "a.tif").mkdir()
    with pytest.raises(StorageError, match=r"a\.(png|tif): cannot be written"):
        store_image(sample, tmp_path)


def test_a_foreign_folder_and_a_file_are_refused(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "thesis.txt").write_text("years")
    (tmp_path / "file").write_text("a file")
    for name in ("out", "file"):
        with pytest.raises(PlaceTaken, match="choose another place"):
            write(tmp_path / name, data(1), Names(), Writing())
    assert tree(tmp_path / "out") == {"thesis.txt": b"years"}


def test_progress_is_told_for_every_sample(tmp_path: Path) -> None:
    told: list[tuple[str, int, int]] = []
    write(tmp_path / "out", data(2), Names(), Writing(progress=lambda what, done, of: told.append((what, done, of))))
    assert told == [("writing", 1, 2), ("writing", 2, 2)]


def test_entries_can_be_asked_for_again(tmp_path: Path) -> None:
    work = Names()

    def twice(stage: Stage) -> Iterator[list[Any]]:
        for _ in range(2):
            yield list(stage.each(data(2), work))

    with staged(tmp_path / "out", str.isprintable, lambda folder: True) as stage:
        assert list(twice(stage)) == [["S0", "S1"], ["S0", "S1"]]
    assert work.asked == ["s0", "s1"]


def test_several_processes_write_the_same_bytes_as_one(tmp_path: Path) -> None:
    one = masks.write(data(7), tmp_path / "one", Writing(workers=1))
    two = masks.write(data(7), tmp_path / "two", Writing(workers=2))
    assert one == two
    assert tree(tmp_path / "one") == tree(tmp_path / "two")


def test_an_error_in_another_process_is_raised_here_as_it_was(tmp_path: Path) -> None:
    nowhere = masks.MaskFile(tmp_path / "nowhere.png", tmp_path / "a.jpg", tmp_path)
    good = data(3)
    bad = Sample("bad", good[0].pixels, nowhere, LABELS)
    with pytest.raises(MissingFile, match=r"nowhere\.png: expected an image, found nothing there"):
        masks.write(Dataset([*good, bad], LABELS, "semantic"), tmp_path / "out", Writing(workers=2))
    assert list(tmp_path.iterdir()) == []


def test_a_journal_line_is_json(tmp_path: Path) -> None:
    assert json.loads(line_of(3, {"entry": "é"})) == {"row": 3, "entry": "é"}
