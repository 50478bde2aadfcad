"""The audit: every kind of bad item is named, the rest goes on, and an unsettled map is refused."""

import json
import os
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import PIL.Image
import pytest

from pixelwise.core.errors import DataError, OptionError, UnsettledLabels
from pixelwise.core.image import Image
from pixelwise.core.labels import LabelSet
from pixelwise.core.sample import Dataset, Sample
from pixelwise.core.segmentation import Segmentation
from pixelwise.curate.check import Audit, check
from pixelwise.curate.split_lists import with_lists
from pixelwise.formats import coco, read
from pixelwise.scenes import scenes

SQUARE = np.pad(np.array([[1, 1], [1, 2]], np.uint8), 3)

Folder = Callable[..., Path]


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    """Make a folder of good pairs; ``masks`` by name replace those."""

    def make(mask: np.ndarray = SQUARE, **masks: np.ndarray) -> Path:
        root = tmp_path / "data"
        for kind in ("images", "masks"):
            (root / kind).mkdir(parents=True)
        for name, each in {"good": mask, "fine": mask, **masks}.items():
            PIL.Image.fromarray(np.full(each.shape[:2], 90, np.uint8)).save(root / "images" / f"{name}.png")
            PIL.Image.fromarray(each).save(root / "masks" / f"{name}.png")
        return root

    return make


def kinds(audit: Audit) -> list[tuple[str, str, bool]]:
    return [(problem.kind, Path(problem.file).name, problem.fatal) for problem in audit.problems]


def good(audit: Audit) -> list[str]:
    return sorted(sample.name for sample in audit.good)


def test_good_data_is_clean(folder: Folder) -> None:
    audit = check(folder())
    assert audit.clean
    assert audit.require_settled() is audit
    assert good(audit) == ["fine", "good"]
    assert audit.sizes == {(8, 8): 2}


def test_values_are_counted_with_shares_and_images(folder: Folder) -> None:
    audit = check(folder(), void="2")
    assert [(row.value, row.name, row.pixels, row.images) for row in audit.rows] == [
        (0, "class 0", 120, 2),
        (1, "class 1", 6, 2),
        (2, None, 2, 2),
    ]
    assert sum(row.share for row in audit.rows) == pytest.approx(1)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "empty file"),
        (b"these are words, not pixels", "of no known kind"),
        (b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR", "truncated or damaged|of no known kind"),
    ],
)
@pytest.mark.parametrize("kind", ["images", "masks"])
def test_a_broken_file_is_named_and_the_rest_goes_on(folder: Folder, content: bytes, message: str, kind: str) -> None:
    root = folder(bad=SQUARE)
    (root / kind / "bad.png").write_bytes(content)
    audit = check(root)
    assert kinds(audit) == [(kind.removesuffix("s"), "bad.png", True)]
    assert re.search(message, audit.problems[0].text)
    assert good(audit) == ["fine", "good"]
    assert audit.settled
    assert not audit.clean


@pytest.mark.parametrize("kind", ["images", "masks"])
def test_a_file_cut_short_is_named(folder: Folder, kind: str) -> None:
    rng = np.random.default_rng(0)
    root = folder(bad=rng.integers(0, 3, (64, 64)).astype(np.uint8))
    path = root / kind / "bad.png"
    PIL.Image.fromarray(rng.integers(0, 3, (64, 64)).astype(np.uint8)).save(path)
    path.write_bytes(path.read_bytes()[:-200])
    audit = check(root)
    assert kinds(audit) == [(kind.removesuffix("s"), "bad.png", True)]
    assert "truncated or damaged" in audit.problems[0].text


def test_a_bomb_is_refused(folder: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    root = folder(bad=np.pad(SQUARE, 8))
    monkeypatch.setenv("PIXELWISE_MAX_PIXELS", "100")
    audit = check(root)
    assert good(audit) == ["fine", "good"]
    assert "PIXELWISE_MAX_PIXELS" in audit.problems[0].text


def test_a_photo_of_objects_that_cannot_be_read_is_told_once(tmp_path: Path) -> None:
    coco.write(scenes(3, (32, 48), "instance", seed=1), tmp_path / "data")
    min((tmp_path / "data" / "images").iterdir()).write_bytes(b"")
    assert [problem.kind for problem in check(tmp_path / "data", full=False).problems if problem.fatal] == ["image"]


def test_a_list_elsewhere_is_named_where_it_is(folder: Folder, tmp_path: Path) -> None:
    root = folder()
    (tmp_path / "lists").mkdir()
    (tmp_path / "lists" / "train.txt").write_text("images/good.png\nimages/gone.png\n")
    told = check(with_lists(read(root), tmp_path / "lists"), full=False).problems
    assert [(problem.kind, problem.file) for problem in told if "entries" in problem.text] == [
        ("split", str((tmp_path / "lists").resolve() / "train.txt"))
    ]


def test_a_mask_of_another_size_is_named(folder: Folder) -> None:
    root = folder(bad=SQUARE)
    PIL.Image.fromarray(SQUARE[:, :6]).save(root / "masks" / "bad.png")
    audit = check(root)
    assert kinds(audit) == [("size", "bad.png", True)]
    assert "8 x 6" in audit.problems[0].text
    assert "8 x 8" in audit.problems[0].text


def test_a_mask_of_one_value_is_listed_but_used(folder: Folder) -> None:
    audit = check(folder(flat=np.zeros((8, 8), np.uint8)))
    assert kinds(audit) == [("one value", "flat.png", False)]
    assert good(audit) == ["fine", "flat", "good"]


def test_a_mask_that_is_all_void_is_left_out(folder: Folder) -> None:
    audit = check(folder(blank=np.full((8, 8), 2, np.uint8)), void="2")
    assert kinds(audit) == [("one value", "blank.png", True)]


def test_a_value_outside_given_labels_is_named(folder: Folder) -> None:
    audit = check(folder(odd=np.where(SQUARE == 2, 9, SQUARE).astype(np.uint8)), labels=LabelSet.of(["a", "b", "c"]))
    assert kinds(audit) == [("values", "odd.png", True)]
    assert "value 9 (1 pixels) is outside the label set (0, 1, 2)" in audit.problems[0].text


@pytest.mark.parametrize("shape", [(1, 1), (1, 2000)])
def test_an_image_one_pixel_thin_is_left_out(folder: Folder, shape: tuple[int, int]) -> None:
    audit = check(folder(thin=np.zeros(shape, np.uint8)))
    assert ("tiny", "thin.png", True) in kinds(audit)
    assert good(audit) == ["fine", "good"]


def test_missing_partners_are_listed(folder: Folder) -> None:
    root = folder(lonely=SQUARE, single=SQUARE)
    (root / "masks" / "lonely.png").unlink()
    (root / "images" / "single.png").unlink()
    audit = check(root)
    assert kinds(audit) == [("partner", "lonely.png", False), ("partner", "single.png", False)]
    assert audit.problems[0].file == str(root / "images" / "lonely.png")
    assert audit.problems[0].text.startswith(audit.problems[0].file)


def test_a_sample_in_two_splits_is_listed(folder: Folder) -> None:
    root = folder()
    (root / "train.txt").write_text("good\nfine\n")
    (root / "val.txt").write_text("good\n")
    audit = check(root)
    assert kinds(audit) == [("split", "good.png", False)]
    assert "train and val" in audit.problems[0].text


def test_an_unsettled_map_is_refused_with_the_flag_that_settles_it(folder: Folder) -> None:
    root = folder(np.where(SQUARE > 0, 255, 0).astype(np.uint8))
    with pytest.raises(UnsettledLabels, match="--void none"):
        check(root).require_settled()
    assert check(root, void="none").require_settled().labels.names == ("background", "foreground")


def test_a_data_set_settled_while_reading_stays_settled(folder: Folder) -> None:
    root = folder(np.where(SQUARE > 0, 255, 0).astype(np.uint8))
    audit = check(read(root, void="none"))
    assert audit.clean
    assert audit.good.labels.settled


def test_a_data_set_read_unsettled_is_refused(folder: Folder) -> None:
    assert not check(read(folder(np.where(SQUARE > 0, 255, 0).astype(np.uint8)))).settled


def test_labels_and_flags_exclude_each_other(folder: Folder) -> None:
    with pytest.raises(OptionError, match="leave one of them out"):
        check(folder(), labels=LabelSet.of(["a", "b", "c"]), void="2")


def test_nothing_usable_is_an_error_with_the_first_problem(folder: Folder) -> None:
    root = folder()
    for name in ("good", "fine"):
        (root / "images" / f"{name}.png").write_bytes(b"")
    with pytest.raises(DataError, match=r"none of 2 images with masks can be used: .*empty file"):
        check(root).require_good()


def test_data_in_memory_is_checked_too() -> None:
    labels = LabelSet.of(["sky", "car"])
    sample = Sample.of("a", Image(np.zeros((8, 8, 3), np.uint8)), Segmentation.from_class_map(np.minimum(SQUARE, 1), labels))
    audit = check(Dataset([sample], labels, "semantic"))
    assert audit.clean
    assert [(row.name, row.pixels) for row in audit.rows] == [("sky", 60), ("car", 4)]


def test_data_in_memory_that_is_unsettled_is_refused() -> None:
    labels = LabelSet.of(["sky", "car"]).with_values({0: 0, 1: 1}, settled=False)
    sample = Sample.of("a", Image(np.zeros((8, 8, 3), np.uint8)), Segmentation.from_class_map(np.minimum(SQUARE, 1), labels))
    with pytest.raises(UnsettledLabels):
        check(Dataset([sample], labels, "semantic")).require_settled()


def test_a_whole_set_of_one_value_is_listed(folder: Folder) -> None:
    assert kinds(check(folder(np.zeros((8, 8), np.uint8)))) == [
        ("one value", f"{name}.png", False) for name in ("fine", "good")
    ]


def test_a_mask_that_changed_is_counted_again(folder: Folder) -> None:
    root = folder()
    assert len(check(root).rows) == 3
    for name in ("good", "fine"):
        path = root / "masks" / f"{name}.png"
        PIL.Image.fromarray(np.minimum(SQUARE, 1)).save(path)
        os.utime(path, ns=(1, 1))
    assert len(check(root).rows) == 2


def test_a_broken_cache_is_no_obstacle(folder: Folder) -> None:
    root = folder()
    check(root)
    for file in Path(os.environ["PIXELWISE_CACHE"]).iterdir():
        file.write_text('{"format": "pixelwise cache 1", "files": {"x": 3}')
    assert check(root).clean


def test_no_place_for_a_cache_is_no_obstacle(folder: Folder, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("PIXELWISE_CACHE", str(tmp_path / "file" / "cache"))
    assert check(folder()).clean


def test_the_json_is_json_and_says_what_the_audit_says(folder: Folder) -> None:
    audit = check(folder(flat=np.zeros((8, 8), np.uint8)))
    data = json.loads(json.dumps(audit.to_json(), allow_nan=False))
    assert (data["images"], data["usable"], data["settled"], data["clean"]) == (3, 3, True, False)
    assert [row["class"] for row in data["values"]] == ["class 0", "class 1", "class 2"]
    assert data["problems"][0]["kind"] == "one value"
    assert LabelSet.from_json(data["labels"]) == audit.labels


@pytest.mark.shared_data
def test_camvid_may_hold_void_and_says_so(shared_data: Path) -> None:
    audit = check(shared_data / "camvid", full=False)
    with pytest.raises(UnsettledLabels, match=r"[Oo]ne of 12 values may be void: 11 .* --void 11 "):
        audit.require_settled()


@pytest.mark.shared_data
def test_isbi_proposes_background_and_a_class_and_waits(shared_data: Path) -> None:
    audit = check(shared_data / "isbi_em")
    assert [(row.value, row.name) for row in audit.rows] == [(0, "background"), (255, "foreground")]
    assert not audit.settled
    assert check(shared_data / "isbi_em", void="none").clean
