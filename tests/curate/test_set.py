"""What only shows beside the rest of a set, in drawn scenes: copies, leaks, odd images, classes, the cleaned copy."""

import shutil
from pathlib import Path

import numpy as np
import PIL.Image
import pytest

from pixelwise.core.errors import OptionError, StorageError, UnsettledLabels
from pixelwise.core.image import Image
from pixelwise.core.labels import LabelSet
from pixelwise.core.sample import Dataset, Sample
from pixelwise.core.segmentation import Segmentation
from pixelwise.curate.audit import Audit
from pixelwise.curate.check import check
from pixelwise.curate.fix import write_fixed
from pixelwise.formats import coco, masks, read
from pixelwise.scenes import scenes


@pytest.fixture
def drawn(tmp_path: Path) -> Path:
    """Twelve drawn scenes, eight of them for training."""
    data = scenes(12, (192, 256), seed=5)
    data.splits = {"train": tuple(range(8)), "val": tuple(range(8, 12))}
    masks.write(data, tmp_path / "data")
    return tmp_path / "data"


def stems(root: Path) -> list[str]:
    return sorted(path.stem for path in (root / "images").iterdir())


def add_copy(root: Path, stem: str, split: str, new: str = "again") -> None:
    """Add a re-encoded copy of an image, with its mask, to a split."""
    PIL.Image.open(root / "images" / f"{stem}.png").save(root / "images" / f"{new}.jpg", quality=70)
    shutil.copy(root / "masks" / f"{stem}.png", root / "masks" / f"{new}.png")
    with (root / f"{split}.txt").open("a") as file:
        file.write(f"images/{new}.jpg\n")


def kinds(audit: Audit) -> list[tuple[str, str, str]]:
    return [(problem.kind, problem.severity, Path(problem.file).stem) for problem in audit.problems]


def test_drawn_scenes_are_clean(drawn: Path) -> None:
    audit = check(drawn)
    assert audit.clean
    assert audit.counts == {"error": 0, "warning": 0, "note": 0}


def test_a_copy_in_the_same_split_is_a_warning(drawn: Path) -> None:
    stem = stems(drawn)[2]
    add_copy(drawn, stem, "train")
    audit = check(drawn)
    assert kinds(audit) == [("near duplicate", "warning", "again")] or kinds(audit) == [("near duplicate", "warning", stem)]
    assert {Path(file).stem for file in (audit.problems[0].file, *audit.problems[0].others)} == {"again", stem}


def test_a_copy_in_another_split_is_a_leak_and_an_error(drawn: Path) -> None:
    stem = stems(drawn)[2]
    add_copy(drawn, stem, "val")
    problem = check(drawn).problems[0]
    assert (problem.kind, problem.severity, problem.fatal) == ("leak", "error", False)
    assert "'train'" in problem.text
    assert "'val'" in problem.text
    assert not check(drawn, full=False).problems


def test_equal_pixels_leak_even_in_the_quick_audit(drawn: Path) -> None:
    one, other = stems(drawn)[1], stems(drawn)[9]
    shutil.copy(drawn / "images" / f"{one}.png", drawn / "images" / f"{other}.png")
    audit = check(drawn, full=False)
    assert kinds(audit) == [("leak", "error", other)]
    assert "their masks differ" in audit.problems[0].text


def test_folders_are_splits_too(tmp_path: Path) -> None:
    data = scenes(4, (96, 128))
    for split, rows in (("train", (0, 1)), ("val", (2, 3, 0))):
        for row in rows:
            for kind, picture in (("images", data[row].image.pixels), ("masks", data[row].truth.class_map())):
                folder = tmp_path / split / kind
                folder.mkdir(parents=True, exist_ok=True)
                PIL.Image.fromarray(picture).save(folder / f"{split}{row}.png")
    assert [problem.kind for problem in check(tmp_path, void="none").problems] == ["leak"]


def test_swapped_masks_name_each_other(drawn: Path) -> None:
    one, other = stems(drawn)[0], stems(drawn)[7]
    first, second = (drawn / "masks" / f"{stem}.png" for stem in (one, other))
    held = first.read_bytes()
    first.write_bytes(second.read_bytes())
    second.write_bytes(held)
    audit = check(drawn)
    assert kinds(audit) == [("swapped mask", "warning", one), ("swapped mask", "warning", other)]
    assert [Path(problem.others[0]).stem for problem in audit.problems] == [other, one]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda one: one.resize((64, 48)), "pixels"),
        (lambda one: one.resize((256, 96)), "as wide as high"),
        (lambda one: PIL.Image.fromarray(np.array(one) // 10), "contrast"),
        (lambda one: PIL.Image.fromarray(np.array(one) * np.array([1, 0, 0], np.uint8)), "red minus green"),
    ],
)
def test_an_image_far_from_the_rest_is_told_with_its_figure(drawn: Path, change: object, words: str) -> None:
    stem = stems(drawn)[3]
    path, mask = drawn / "images" / f"{stem}.png", drawn / "masks" / f"{stem}.png"
    changed = change(PIL.Image.open(path))  # type: ignore[operator]
    PIL.Image.open(mask).resize(changed.size, PIL.Image.Resampling.NEAREST).save(mask)
    changed.save(path)
    odd = [problem for problem in check(drawn).problems if problem.kind == "odd image"]
    assert [Path(problem.file).stem for problem in odd] == [stem]
    assert words in odd[0].text


def test_another_kind_of_images_is_not_far_from_the_rest() -> None:
    """Upright photographs among wide ones, a quarter of all."""
    samples = []
    for row in range(20):
        sample = scenes(20, (96, 128), seed=1)[row]
        pixels = np.rot90(sample.image.pixels).copy() if row % 4 == 0 else sample.image.pixels
        samples.append(Sample.of(str(row), Image(pixels)))
    audit = check(Dataset(samples, LabelSet.of(["a"]), "instance"), full=False)
    assert [problem.kind for problem in audit.problems] == []


def test_a_blank_image_is_a_note(drawn: Path) -> None:
    stem = stems(drawn)[3]
    PIL.Image.new("RGB", (256, 192), (90, 120, 60)).save(drawn / "images" / f"{stem}.png")
    audit = check(drawn)
    assert audit.clean
    assert [(problem.kind, Path(problem.file).stem) for problem in audit.notes] == [("blank", stem)]


def without(root: Path, split: str, value: int, instead: int = 0) -> None:
    """Take a class out of the masks of a split."""
    for line in (root / f"{split}.txt").read_text().split():
        path = root / "masks" / f"{Path(line).stem}.png"
        picture = PIL.Image.open(path)
        values = np.array(picture)
        changed = PIL.Image.fromarray(np.where(values == value, instead, values).astype(np.uint8))
        changed.putpalette(picture.getpalette())
        changed.save(path)


def test_a_class_absent_from_training_is_a_warning_and_from_another_split_a_note(drawn: Path) -> None:
    without(drawn, "train", 2)
    audit = check(drawn, full=False)
    assert [(problem.kind, problem.severity) for problem in audit.problems] == [("absent class", "warning")]
    assert "'train' has no pixel of 'grass'" in audit.problems[0].text
    without(drawn, "val", 1)
    audit = check(drawn, full=False)
    assert ["'val' has no pixel of 'water'" in problem.text for problem in audit.notes] == [True]


def test_a_class_that_is_nowhere_is_a_note(drawn: Path) -> None:
    without(drawn, "train", 6)
    without(drawn, "val", 6)
    audit = check(drawn, full=False)
    assert audit.clean
    assert "no pixel of 'tree' anywhere" in audit.notes[0].text


def many(classes: int) -> Dataset:
    """One image, 16 bits a mask, of so many classes, a pixel each."""
    labels = LabelSet.of([f"c{index}" for index in range(classes)])
    stored = np.arange(classes, dtype=np.uint16).reshape(-1, 25)
    image = Image(np.random.default_rng(0).integers(0, 255, (*stored.shape, 3)).astype(np.uint8))
    return Dataset([Sample.of("one", image, Segmentation.from_class_map(stored, labels))], labels, "semantic")


def test_one_image_of_500_classes_in_16_bits_is_audited(tmp_path: Path) -> None:
    masks.write(many(500), tmp_path / "data")
    audit = check(tmp_path / "data")
    assert audit.clean
    assert len(audit.labels) == 500
    assert len(audit.rows) == 500


def test_few_pixels_of_a_class_are_noted_in_one_sentence() -> None:
    labels = LabelSet.of(["land", "lake", "tree"])
    stored = np.zeros((100, 100), np.uint8)
    stored[0, :2] = [1, 2]
    stored[50:] = 1
    rng = np.random.default_rng(0)
    samples = [
        Sample.of(
            str(row), Image(rng.integers(0, 255, (100, 100, 3)).astype(np.uint8)), Segmentation.from_class_map(stored, labels)
        )
        for row in range(4)
    ]
    audit = check(Dataset(samples, labels, "semantic"), full=False)
    assert [problem.kind for problem in audit.notes] == ["rare class"]
    assert "'tree' (4 pixels in 4 images)" in audit.notes[0].text
    assert "'lake'" not in audit.notes[0].text


def test_a_cleaned_copy_has_neither_copies_nor_broken_files_and_the_data_is_as_it_was(drawn: Path, tmp_path: Path) -> None:
    stem = stems(drawn)[2]
    add_copy(drawn, stem, "val")
    (drawn / "images" / f"{stems(drawn)[5]}.png").write_bytes(b"")
    before = {path: path.read_bytes() for path in drawn.rglob("*") if path.is_file()}
    mended = write_fixed(check(drawn), tmp_path / "clean", drawn)
    assert {path: path.read_bytes() for path in drawn.rglob("*") if path.is_file()} == before
    assert mended.left == ()
    assert set(mended.dropped) == {stem, stems(drawn)[5]}  # of the leak, the one that would be trained on
    clean = check(tmp_path / "clean")
    assert clean.clean
    assert mended.kept == len(clean.dataset) == 11
    assert {sample.name for sample in clean.dataset.split("val")} >= {"again"}


def test_of_many_copies_over_splits_one_stays_and_no_leak_is_left(drawn: Path, tmp_path: Path) -> None:
    """The first of them is in training, a second too, and a third is scored on: the third alone may stay."""
    for new, split in (("scored", "val"), ("trained", "train")):
        for kind in ("images", "masks"):
            shutil.copy(drawn / kind / f"{stems(drawn)[0]}.png", drawn / kind / f"{new}.png")
        with (drawn / f"{split}.txt").open("a") as file:
            file.write(f"images/{new}.png\n")
    first = stems(drawn)[0]
    mended = write_fixed(check(drawn), tmp_path / "clean", drawn)
    assert set(mended.dropped) == {first, "trained"}
    assert mended.left == ()
    assert check(tmp_path / "clean").clean


def test_a_sample_in_two_splits_stays_in_the_held_out_one(drawn: Path, tmp_path: Path) -> None:
    stem = stems(drawn)[9]
    with (drawn / "train.txt").open("a") as file:
        file.write(f"images/{stem}.png\n")
    mended = write_fixed(check(drawn), tmp_path / "clean", drawn)
    assert mended.moved == {stem: "val"}
    assert stem not in [sample.name for sample in read(tmp_path / "clean").split("train")]


def test_values_become_contiguous(tmp_path: Path) -> None:
    data = scenes(3, (96, 128))
    for row, sample in enumerate(data):
        for kind, picture in (("images", sample.image.pixels), ("masks", sample.truth.class_map() * 10)):
            (tmp_path / "data" / kind).mkdir(parents=True, exist_ok=True)
            PIL.Image.fromarray(picture).save(tmp_path / "data" / kind / f"{row}.png")
    audit = check(tmp_path / "data", void="none")
    write_fixed(audit, tmp_path / "clean")
    stored = np.unique(np.concatenate([np.unique(sample.raw()[0]) for sample in read(tmp_path / "clean")]))
    assert stored.tolist() == list(range(len(audit.labels)))


def test_what_cannot_be_mended_is_listed(drawn: Path, tmp_path: Path) -> None:
    one, other = (drawn / "masks" / f"{stems(drawn)[row]}.png" for row in (0, 7))
    held = one.read_bytes()
    one.write_bytes(other.read_bytes())
    other.write_bytes(held)
    mended = write_fixed(check(drawn), tmp_path / "clean", drawn)
    assert [problem.kind for problem in mended.left] == ["swapped mask", "swapped mask"]


def test_a_cleaned_copy_goes_to_a_new_place_only(drawn: Path, tmp_path: Path) -> None:
    audit = check(drawn, full=False)
    for inside in (drawn, drawn / "clean", tmp_path):
        with pytest.raises(OptionError, match="outside the data"):
            write_fixed(audit, inside, drawn)
    full = tmp_path / "full"
    full.mkdir()
    (full / "mine.txt").write_text("keep me")
    with pytest.raises(StorageError, match="not empty"):
        write_fixed(audit, full, drawn)
    assert (full / "mine.txt").read_text() == "keep me"


def test_an_unsettled_map_is_not_written(drawn: Path, tmp_path: Path) -> None:
    (drawn / "classes.json").unlink()
    for path in (drawn / "masks").iterdir():
        PIL.Image.fromarray(np.where(np.array(PIL.Image.open(path)) > 2, 255, 0).astype(np.uint8)).save(path)
    with pytest.raises(UnsettledLabels):
        write_fixed(check(drawn), tmp_path / "clean", drawn)
    assert not (tmp_path / "clean").exists()


def test_a_second_audit_decodes_no_image_for_its_looks(drawn: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = check(drawn, full=False)
    monkeypatch.setattr("pixelwise.curate.looks.look", lambda image: pytest.fail("measured again"))
    assert check(drawn, full=False).to_json() == first.to_json()


@pytest.mark.parametrize("given", ["annotations/instances.json", "annotations"])
def test_a_part_of_the_data_given_as_its_path_opens_no_way_into_it(given: str, tmp_path: Path) -> None:
    coco.write(scenes(3, (32, 48), "instance", seed=1), tmp_path / "data")
    before = sorted(tmp_path.rglob("*"))
    source = tmp_path / "data" / given
    for inside in (tmp_path / "data" / "clean", tmp_path / "data" / "annotations" / "clean", tmp_path / "data"):
        with pytest.raises(OptionError, match="outside the data"):
            write_fixed(check(source, full=False), inside, source)
    assert sorted(tmp_path.rglob("*")) == before
