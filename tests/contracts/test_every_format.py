"""What holds for every row of ``FORMATS``: write and read give the same masks or the loss is told, one format claims, bad files
are named.

A format need not hold every kind of data: it may refuse one, if it says that it "would be lost", and one that nobody writes may
refuse them all, if it says that it "cannot be written". What it takes, it gives back bit for bit, or it names the sample.
"""

import pickle
import shutil
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import PIL.Image
import pytest
from every_kind import DATA, LABELS, grey, objects, semantic_data

from pixelwise.core.arrays import IntArray, Size
from pixelwise.core.errors import DataError, MissingFile, PixelwiseError
from pixelwise.core.labels import LabelSet
from pixelwise.core.sample import Dataset, Salvaged, Sample
from pixelwise.core.segmentation import Segmentation
from pixelwise.curate.check import check
from pixelwise.formats import FORMATS, Claim, read, recognise
from pixelwise.formats.writing import Stage, Writing, Written

EVERY = sorted(FORMATS)
STATED = ("would be lost", "cannot be written", "expected one truth")  # how a format refuses what it cannot hold


@dataclass(frozen=True)
class Outcome:
    """What became of writing a data set: the folder and what the writer said, or why it was refused."""

    name: str
    what: str
    path: Path
    written: Written | None
    refusal: str

    def copied(self, place: Path) -> Path:
        return Path(shutil.copytree(self.path, place))


@pytest.fixture(scope="session")
def outcomes(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str, str], Outcome]:
    """Write each kind of data by each format, once."""
    seen: dict[tuple[str, str], Outcome] = {}

    def outcome(name: str, what: str) -> Outcome:
        if (name, what) not in seen:
            path = tmp_path_factory.mktemp(f"{name}_{what}") / "out"
            try:
                seen[name, what] = Outcome(name, what, path, FORMATS[name].write(DATA[what](), path), "")
            except DataError as error:
                seen[name, what] = Outcome(name, what, path, None, str(error))
        return seen[name, what]

    return outcome


@pytest.fixture(params=EVERY)
def held(request: pytest.FixtureRequest, outcomes: Callable[[str, str], Outcome]) -> Outcome:
    """The first kind of data that a format holds, written by it."""
    for what in DATA:
        outcome = outcomes(request.param, what)
        if outcome.written is not None:
            return outcome
    pytest.skip(outcome.refusal)


def changed(outcome: Outcome) -> set[str]:
    """Name the samples of which the writer said that something was lost."""
    assert outcome.written is not None
    return {sentence.partition(": ")[0] for sentence in outcome.written.dropped}


@pytest.mark.parametrize("what", DATA)
@pytest.mark.parametrize("name", EVERY)
def test_what_is_written_is_read_back_bit_for_bit_or_the_loss_is_stated(
    name: str, what: str, outcomes: Callable[[str, str], Outcome]
) -> None:
    outcome, source = outcomes(name, what), DATA[what]()
    if outcome.written is None:
        assert any(words in outcome.refusal for words in STATED), outcome.refusal
        return
    back = {one.name: one.truths for one in FORMATS[name].read(outcome.path)}
    exact = {one.name: one.truths for one in source if one.name not in changed(outcome)}
    assert {key: back.get(key) for key in exact} == exact


@pytest.mark.parametrize("what", DATA)
@pytest.mark.parametrize("name", EVERY)
def test_what_is_refused_leaves_nothing_behind(name: str, what: str, outcomes: Callable[[str, str], Outcome]) -> None:
    outcome = outcomes(name, what)
    if outcome.written is None:
        assert list(outcome.path.parent.iterdir()) == []


@pytest.mark.parametrize("what", DATA)
@pytest.mark.parametrize("name", EVERY)
def test_exactly_one_format_claims_it_and_says_why(name: str, what: str, outcomes: Callable[[str, str], Outcome]) -> None:
    outcome = outcomes(name, what)
    if outcome.written is None:
        return
    claims = {each: claim for each in EVERY if (claim := FORMATS[each].sniff(outcome.path)) is not None}
    assert list(claims) == [name]
    assert isinstance(claims[name], Claim)
    assert claims[name].dialect
    assert claims[name].why
    assert recognise(outcome.path)[0] == name


def test_images_are_read_back_bit_for_bit(held: Outcome) -> None:
    back = {one.name: one.image.pixels.tolist() for one in read(held.path)}
    assert back == {one.name: one.image.pixels.tolist() for one in DATA[held.what]()}


def test_classes_that_occur_are_read_back_settled(held: Outcome) -> None:
    back = read(held.path)
    used = {name for sample in DATA[held.what]() for one in sample.truths for name in one.names}
    assert back.labels.settled
    assert held.what in ("regions", "several") or used <= set(back.labels.names)


def test_splits_are_read_back_where_the_tool_has_them(held: Outcome) -> None:
    def members(data: Dataset) -> dict[str, set[str]]:
        return {name: {data[row].name for row in rows} for name, rows in data.splits.items()}

    back = members(read(held.path))
    assert back in ({}, members(DATA[held.what]()))


def test_written_twice_is_written_the_same(held: Outcome, tmp_path: Path) -> None:
    FORMATS[held.name].write(read(held.path), tmp_path / "again")
    assert {one.name: one.truths for one in read(tmp_path / "again")} == {one.name: one.truths for one in read(held.path)}


class Stop(BaseException):
    """What ends a writing in the middle."""


def test_an_interrupted_writing_goes_on_and_ends_in_the_same_bytes(held: Outcome, tmp_path: Path) -> None:
    data, done = DATA[held.what](), []

    def stop(what: str, row: int, of: int) -> None:
        raise Stop

    with pytest.raises(Stop):
        FORMATS[held.name].write(data, tmp_path / "out", Writing(resume="the same", progress=stop))
    assert not (tmp_path / "out").exists()
    FORMATS[held.name].write(
        data, tmp_path / "out", Writing(resume="the same", progress=lambda what, row, of: done.append(row))
    )
    assert 1 not in done
    assert files(tmp_path / "out") == files(held.path)
    assert [one.name for one in tmp_path.iterdir()] == ["out"]


def test_what_writes_a_sample_can_be_sent_to_another_process(
    held: Outcome, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    each = Stage.each
    monkeypatch.setattr(Stage, "each", lambda stage, data, work: each(stage, data, pickle.loads(pickle.dumps(work))))
    FORMATS[held.name].write(DATA[held.what](), tmp_path / "out")
    assert files(tmp_path / "out") == files(held.path)


@pytest.mark.parametrize("what", DATA)
@pytest.mark.parametrize("name", EVERY)
def test_truths_can_be_sent_to_another_process(name: str, what: str, outcomes: Callable[[str, str], Outcome]) -> None:
    outcome = outcomes(name, what)
    if outcome.written is None:
        return
    data = FORMATS[name].read(outcome.path)
    sent = pickle.loads(pickle.dumps(data.samples))
    assert [one.truths for one in sent] == [one.truths for one in data]


def files(folder: Path) -> dict[str, bytes]:
    return {str(one.relative_to(folder)): one.read_bytes() for one in folder.rglob("*") if one.is_file()}


@dataclass(frozen=True)
class Bad:
    """A truth of which nothing, or all but one segment, can be read."""

    good: tuple[Segmentation, ...] | None

    def read(self, labels: LabelSet, size: Size) -> tuple[Segmentation, ...]:
        raise DataError("labels.xyz: object 7 is wrong")

    def salvage(self, labels: LabelSet, size: Size) -> Salvaged:
        if self.good is None:
            raise DataError("labels.xyz: object 7 is wrong")
        return self.good, ("labels.xyz: object 7 is wrong",)

    def raw(self) -> list[IntArray]:
        return []


def with_a_bad_sample(data: Dataset, is_partly_good: bool) -> Dataset:
    first = data[0]
    bad = Bad(first.truths if is_partly_good else None)
    samples = [Sample(first.name, first.pixels, bad, first.labels), *data.samples[1:]]
    return Dataset(samples, data.labels, data.kind, data.splits, data.name)


@pytest.mark.parametrize("is_partly_good", [False, True])
def test_strict_writing_stops_at_what_is_wrong_and_writes_nothing(held: Outcome, is_partly_good: bool, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="object 7 is wrong"):
        FORMATS[held.name].write(with_a_bad_sample(DATA[held.what](), is_partly_good), tmp_path / "out")
    assert list(tmp_path.iterdir()) == []


def test_lenient_writing_leaves_a_bad_image_out_and_names_it(held: Outcome, tmp_path: Path) -> None:
    data = DATA[held.what]()
    told = FORMATS[held.name].write(with_a_bad_sample(data, False), tmp_path / "out", Writing(strict=False))
    assert (told.failed, told.images) == (("labels.xyz: object 7 is wrong",), len(data) - 1)
    if len(data) > 1:
        assert {one.name for one in read(tmp_path / "out")} == {one.name for one in data[1:]}


def test_lenient_writing_keeps_the_good_segments_of_a_bad_image(held: Outcome, tmp_path: Path) -> None:
    told = FORMATS[held.name].write(with_a_bad_sample(DATA[held.what](), True), tmp_path / "out", Writing(strict=False))
    assert told.failed == ("labels.xyz: object 7 is wrong",)
    assert {one.name: one.truths for one in read(tmp_path / "out")} == {one.name: one.truths for one in read(held.path)}


def test_an_image_without_labels_stops_no_writing(held: Outcome, tmp_path: Path) -> None:
    data = DATA[held.what]()
    bare = Sample("bare", data[0].pixels, None, data.labels)
    FORMATS[held.name].write(Dataset([*data, bare], data.labels, data.kind, data.splits, data.name), tmp_path / "out")
    back = {one.name: one.truths for one in read(tmp_path / "out")}
    assert not any(len(one) for one in back.pop("bare", ()))
    assert back == {one.name: one.truths for one in read(held.path)}


SAID = {  # what is known of an object beside its class and mask, and the words in which its loss is told
    "scores": "scores",
    "boxes": "boxes",
    "areas": "areas",
    "source_ids": "the source's own ids",
    "track_ids": "track ids",
    "attributes": "attributes",
}


def stated_data() -> Dataset:
    """Two objects of which everything is stated, boxes and areas otherwise than they follow from the masks."""
    truth = replace(
        objects()[[1, 2]],
        scores=np.array([0.5, 0.25]),
        boxes=np.array([[0.5, 0, 9, 9], [9.5, 7.5, 11, 9]]),
        areas=np.array([17.5, 1.5]),
        source_ids=np.array([7, 3]),
        track_ids=np.array([4, 9]),
        attributes=({"coat": "red"}, {"coat": "blue"}),
    )
    return Dataset([Sample.of("stated", grey(), truth)], LABELS, "instance", {}, "stated")


@pytest.mark.parametrize("name", EVERY)
def test_what_is_stated_of_objects_is_read_back_or_said_to_be_lost(name: str, tmp_path: Path) -> None:
    source = stated_data()
    try:
        told = FORMATS[name].write(source, tmp_path / "out").dropped
    except DataError:  # it does not hold instances, and how that is said is tested above
        return
    before, after = source[0].truth, FORMATS[name].read(tmp_path / "out")[0].truth
    lost = {field for field in SAID if not np.array_equal(getattr(before, field), getattr(after, field))}
    assert {field for field in lost if not any(SAID[field] in sentence for sentence in told)} == set()


@pytest.mark.parametrize("name", EVERY)
def test_an_empty_folder_and_a_foreign_file_are_not_claimed(name: str, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "letter.txt").write_text("Dear reader")
    (tmp_path / "half.json").write_text('{"images": [{"id":')
    (tmp_path / "half.xml").write_text("<annotation><object>")
    for one in ("empty", "letter.txt", "half.json", "half.xml", "nowhere"):
        assert FORMATS[name].sniff(tmp_path / one) is None


@pytest.mark.parametrize("name", EVERY)
def test_a_missing_path_is_a_missing_file(name: str, tmp_path: Path) -> None:
    with pytest.raises(MissingFile):
        FORMATS[name].read(tmp_path / "nowhere")


@pytest.mark.parametrize("name", EVERY)
def test_a_folder_of_something_else_is_an_error_of_ours(name: str, tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "letter.txt").write_text("Dear reader")
    with pytest.raises(DataError):
        FORMATS[name].read(tmp_path / "data")


@pytest.mark.parametrize("name", EVERY)
def test_the_layouts_it_reads_are_told(name: str) -> None:
    assert FORMATS[name].LAYOUTS
    assert all(isinstance(one, str) and one for one in FORMATS[name].LAYOUTS)


def test_a_broken_image_is_named_when_it_is_read(held: Outcome, tmp_path: Path) -> None:
    path = held.copied(tmp_path / "data")
    bad = FORMATS[held.name].read(path)[0].source.image
    assert bad is not None
    bad.write_bytes(b"not an image at all")
    with pytest.raises(DataError, match=bad.name):
        _ = FORMATS[held.name].read(path)[0].image


def test_a_truncated_label_file_is_named_and_spoils_no_other_image(held: Outcome, tmp_path: Path) -> None:
    path = held.copied(tmp_path / "data")
    data = FORMATS[held.name].read(path)
    shared = Counter(file for one in data for file in one.source.truths)
    bad = max(shared, key=shared.__getitem__)
    touched = {one.name for one in data if bad in one.source.truths}
    bad.write_bytes(bad.read_bytes()[: min(40, bad.stat().st_size // 2)])
    again, told = errors(held.name, path)
    if again is None:
        assert bad.name in told["the whole"]
        assert len(touched) > 1 or len(data) == 1, "a broken file of one image must not spoil the others"
        return
    assert set(told) <= touched
    if bad.suffix != ".txt":  # half a line of numbers may be a whole one
        noted = [note for note in again.notes if bad.name in note]
        assert noted or all(bad.name in told.get(one, "") for one in touched)


def test_the_audit_goes_on_without_an_image_whose_mask_is_cut_off(tmp_path: Path) -> None:
    FORMATS["masks"].write(semantic_data(), tmp_path / "data")
    bad = read(tmp_path / "data")[0].source.truths[0]
    bad.write_bytes(bad.read_bytes()[:40])
    audit = check(tmp_path / "data")
    assert [Path(problem.file).name for problem in audit.problems if problem.kind == "mask"] == [bad.name]
    assert len(audit.good) == len(audit.dataset) - 1


def errors(name: str, path: Path) -> tuple[Dataset | None, dict[str, str]]:
    """Read all truths of a data set; give what was said of each that cannot be read, or of the whole."""
    told = {}
    try:
        data = FORMATS[name].read(path)
    except DataError as error:
        return None, {"the whole": str(error)}
    for one in data:
        try:
            _ = one.truths
        except DataError as error:
            told[one.name] = str(error)
    return data, told


def test_a_folder_that_is_not_ours_is_never_written_over(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "thesis.txt").write_text("years of work")
    for name in EVERY:
        for data in DATA.values():
            with pytest.raises(PixelwiseError):
                FORMATS[name].write(data(), tmp_path / "out")
        assert [one.name for one in (tmp_path / "out").iterdir()] == ["thesis.txt"]


def by_hand(root: Path) -> Path:
    """A folder of ``masks`` as another tool leaves it: palette PNG of Pillow's own, CRLF lists with foreign paths."""
    for kind in ("img", "ann"):
        (root / kind).mkdir(parents=True)
    mask = PIL.Image.fromarray(np.array([[0, 0, 1], [2, 2, 1]], np.uint8)).convert("P")
    mask.putpalette([0, 0, 0, 128, 0, 0, 0, 128, 0])
    mask.save(root / "ann" / "street 1.jpg.png", optimize=True, bits=2)
    PIL.Image.new("CMYK", (3, 2)).save(root / "img" / "street 1.jpg")
    (root / "obj_names.names").write_bytes(b"")
    (root / "labels.txt").write_bytes(b"\xef\xbb\xbfland\r\nlake\r\ntree\r\n")
    (root / "val.txt").write_bytes(b"C:\\data\\img\\street 1.jpg\r\n")
    return root


def test_a_folder_not_made_by_our_writer_is_read(tmp_path: Path) -> None:
    path = by_hand(tmp_path / "hand")
    assert recognise(path)[0] == "masks"
    data = read(path, split="val")
    assert data.labels.names == ("land", "lake", "tree")
    assert data[0].truth.class_map().tolist() == [[0, 0, 1], [2, 2, 1]]
    assert data[0].image.pixels.shape == (2, 3, 3)
