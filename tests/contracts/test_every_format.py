"""What holds for every row of ``FORMATS``: write and read give the same masks, one format claims, bad files are named."""

from pathlib import Path

import numpy as np
import PIL.Image
import pytest

from pixelwise.core.errors import DataError, MissingFile, PixelwiseError, UnreadableFile
from pixelwise.core.image import Image
from pixelwise.core.labels import LabelSet
from pixelwise.core.sample import Dataset, Sample
from pixelwise.core.segmentation import Segmentation
from pixelwise.curate.check import check
from pixelwise.formats import FORMATS, Claim, read, recognise

LABELS = LabelSet.of(["land", "lake", "tree"], things=["tree"])
EVERY = sorted(FORMATS)


def hard() -> dict[str, np.ndarray]:
    """Class maps with holes, several parts, one-pixel objects, void, and none of some classes."""
    holes = np.zeros((9, 11), int)
    holes[1:8, 1:8] = 1
    holes[3:6, 3:6] = 0
    holes[4, 4] = 1  # an island in the hole
    parts = np.zeros((9, 11), int)
    parts[0, 0] = parts[8, 10] = parts[4, 5] = 2  # one pixel each, two in corners
    parts[2:4, 7:9] = 2
    void = np.full((9, 11), 255)
    void[2:5, 2:5] = 1
    void[3, 3] = 255
    checks = np.indices((9, 11)).sum(axis=0) % 3
    return {
        "holes": holes,
        "parts": parts,
        "void": void,
        "checks": checks,
        "flat": np.zeros((9, 11), int),
        "10": holes.T,
        "9": parts,
    }


def hard_data() -> Dataset:
    rng = np.random.default_rng(0)
    samples = [
        Sample.of(
            name,
            Image(rng.integers(0, 256, (*classes.shape, 3)).astype(np.uint8)),
            Segmentation.from_class_map(classes, LABELS),
        )
        for name, classes in hard().items()
    ]
    return Dataset(samples, LABELS, "semantic", {"train": [0, 1, 2, 3], "val": [4, 5], "test": [6]}, "hard")


@pytest.fixture(params=EVERY)
def written(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[str, Path]:
    """The hard data, written by each format in turn."""
    FORMATS[request.param].write(hard_data(), tmp_path / "out")
    return request.param, tmp_path / "out"


def test_what_is_written_is_read_back_bit_for_bit(written: tuple[str, Path]) -> None:
    name, path = written
    data = FORMATS[name].read(path)
    assert {one.name: one.truth.class_map().tolist() for one in data} == {key: one.tolist() for key, one in hard().items()}
    assert {one.name: one.truth for one in data} == {one.name: one.truth for one in hard_data()}


def test_images_are_read_back_bit_for_bit(written: tuple[str, Path]) -> None:
    back = {one.name: one.image.pixels.tolist() for one in read(written[1])}
    assert back == {one.name: one.image.pixels.tolist() for one in hard_data()}


def test_labels_and_splits_are_read_back(written: tuple[str, Path]) -> None:
    data = read(written[1])
    assert (data.labels.names, data.labels.things, data.labels.settled) == (LABELS.names, LABELS.things, True)
    assert {name: {data[row].name for row in rows} for name, rows in data.splits.items()} == {
        "train": {"holes", "parts", "void", "checks"},
        "val": {"flat", "10"},
        "test": {"9"},
    }


def test_written_twice_is_written_the_same(written: tuple[str, Path], tmp_path: Path) -> None:
    name, path = written
    FORMATS[name].write(read(path), tmp_path / "again")
    assert {one.name: one.truth for one in read(tmp_path / "again")} == {one.name: one.truth for one in read(path)}


def test_exactly_one_format_claims_it_and_says_why(written: tuple[str, Path]) -> None:
    name, path = written
    claims = {each: claim for each in EVERY if (claim := FORMATS[each].sniff(path)) is not None}
    assert list(claims) == [name]
    assert isinstance(claims[name], Claim)
    assert claims[name].dialect
    assert claims[name].why
    assert recognise(path)[0] == name


def objects() -> Segmentation:
    """Instances that overlap, with a hole, in two parts, of one pixel, equal to another, and a crowd."""
    masks = np.zeros((6, 9, 11), bool)
    masks[0, 1:8, 1:8] = True
    masks[0, 3:6, 3:6] = False
    masks[1, 0, 0] = masks[1, 5:9, 5:9] = True
    masks[2, 8, 10] = True
    masks[3] = masks[4] = masks[0]
    masks[5, :, 6:] = True
    crowd = np.array([False, False, False, False, False, True])
    return Segmentation.from_masks("instance", masks, [2, 0, 2, 2, 1, 2], LABELS, crowd=crowd)


def instance_data() -> Dataset:
    none = objects()[[]]
    image = Image(np.zeros((9, 11, 3), np.uint8))
    samples = [Sample.of("many", image, objects()), Sample.of("none", image, none)]
    return Dataset(samples, LABELS, "instance", {"train": [0], "val": [1]}, "objects")


@pytest.mark.parametrize("name", EVERY)
def test_instances_are_read_back_bit_for_bit_or_refused_with_the_loss_stated(name: str, tmp_path: Path) -> None:
    refusal = ""
    try:
        FORMATS[name].write(instance_data(), tmp_path / "out")
    except DataError as error:
        refusal = str(error)
    if refusal:
        assert "would be lost" in refusal
        return
    back = FORMATS[name].read(tmp_path / "out")
    assert back.kind == "instance"
    assert {one.name: one.truth for one in back} == {one.name: one.truth for one in instance_data()}


@pytest.mark.parametrize("name", EVERY)
def test_an_empty_folder_and_a_foreign_file_are_not_claimed(name: str, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "letter.txt").write_text("Dear reader")
    assert FORMATS[name].sniff(tmp_path / "empty") is None
    assert FORMATS[name].sniff(tmp_path / "letter.txt") is None


@pytest.mark.parametrize("name", EVERY)
def test_a_missing_path_is_a_missing_file(name: str, tmp_path: Path) -> None:
    with pytest.raises(MissingFile):
        FORMATS[name].read(tmp_path / "nowhere")


def test_a_broken_image_is_named_when_it_is_read(written: tuple[str, Path]) -> None:
    name, path = written
    data = FORMATS[name].read(path)
    bad = data[0].source.image
    assert bad is not None
    bad.write_bytes(b"not an image at all")
    with pytest.raises(DataError, match=bad.name):
        _ = FORMATS[name].read(path)[0].image


def test_a_truncated_label_file_is_named_and_the_audit_goes_on_without_its_image(written: tuple[str, Path]) -> None:
    name, path = written
    bad = FORMATS[name].read(path)[0].source.truths[0]
    bad.write_bytes(bad.read_bytes()[:40])
    if bad.suffix == ".json":  # it also lists the images: a whole split would be missing, and nobody would know which images
        with pytest.raises(UnreadableFile, match=bad.name):
            check(path)
        return
    audit = check(path)
    assert [Path(problem.file).name for problem in audit.problems if problem.kind == "mask"] == [bad.name]
    assert len(audit.good) == len(audit.dataset) - 1


def test_a_folder_that_is_not_ours_is_never_written_over(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "thesis.txt").write_text("years of work")
    for name in EVERY:
        with pytest.raises(PixelwiseError):
            FORMATS[name].write(hard_data(), tmp_path / "out")
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


@pytest.mark.shared_data
@pytest.mark.parametrize(
    ("folder", "format"),
    [
        ("camvid", "masks"),
        ("isbi_em", "masks"),
        ("video/car-shadow", "masks"),
        ("labeltools/small_fixtures/camvid_dataset", "masks"),
        ("labeltools/small_fixtures/common_semantic_segmentation_dataset/dataset", "masks"),
        ("coco_tiny160", "coco"),
        ("coco_tiny160/annotations", "coco"),
        ("coco_tiny160/annotations/instances_val2017.json", "coco"),
        ("coco_panoptic/val20", "coco"),
        ("coco_panoptic/sample2", "coco"),
        ("labeltools/small_fixtures/coco_dataset/coco", "coco"),
        ("labeltools/small_fixtures/coco_dataset/coco_instances", "coco"),
        ("labeltools/small_fixtures/coco_dataset/coco_roboflow", "coco"),
        ("labeltools/small_fixtures/coco_dataset/coco_stuff", "coco"),
        ("labeltools/small_fixtures/coco_dataset/mmdet_coco", "coco"),
        ("labeltools/small_fixtures/roboflow_dataset/coco", "coco"),
    ],
)
def test_one_format_claims_each_real_sample(shared_data: Path, folder: str, format: str) -> None:
    assert recognise(shared_data / folder)[0] == format


@pytest.mark.shared_data
@pytest.mark.parametrize("folder", ["bsds500_val", "coco_tiny160", "nuclei", "labeltools/small_fixtures/voc_dataset"])
def test_masks_do_not_claim_what_other_formats_own(shared_data: Path, folder: str) -> None:
    assert FORMATS["masks"].sniff(shared_data / folder) is None


@pytest.mark.shared_data
@pytest.mark.parametrize("name", ["coco_captions", "coco_image_info", "coco_labels", "coco_panoptic"])
def test_files_like_coco_without_outlines_are_claimed_by_none(shared_data: Path, name: str) -> None:
    folder = shared_data / "labeltools" / "small_fixtures" / "coco_dataset" / name
    assert [each for each in EVERY if FORMATS[each].sniff(folder) is not None] == []
