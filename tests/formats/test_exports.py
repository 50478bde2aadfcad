"""What the exports of labelling platforms share: items on the disk, masks as PNG and as rings, and the note of ours."""

import json
from pathlib import Path

import numpy as np
import PIL.Image
import pytest

from pixelwise.core.errors import DataError, UnreadableFile
from pixelwise.core.image import Image
from pixelwise.core.labels import LabelSet
from pixelwise.core.runs import decode, encode
from pixelwise.core.sample import Dataset, Sample
from pixelwise.core.segmentation import Segmentation
from pixelwise.formats import darwin, encord, label_studio, labelbox, supervisely
from pixelwise.formats.exports import Item, find_export, items_of
from pixelwise.formats.exports.png import from_base64, mask_of_png, png_of_mask
from pixelwise.formats.exports.rings import Rings, are_exact, rings_of

EVERY = [darwin, encord, label_studio, labelbox, supervisely]
LABELS = LabelSet.of(["cat", "dog"], things=["cat", "dog"])


def texts(items: list[Item]) -> list[bytes]:
    return [one.text() for one in items]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (b' [ {"a": 1} ,\n {"a": 2}]', [b'{"a": 1}', b'{"a": 2}']),
        (b'{"a": 1}\n\n  {"a": 2}\n', [b'{"a": 1}', b'{"a": 2}']),
        (b'\xef\xbb\xbf{"a": 1}\n{"a": 2}', [b'{"a": 1}', b'{"a": 2}']),
        (b'\xef\xbb\xbf[{"a": NaN}, {"a": 2}]', [b'{"a": NaN}', b'{"a": 2}']),
        (b' {"a": 1, "b": {"c": []}} ', [b'{"a": 1, "b": {"c": []}}']),
    ],
)
def test_items_are_found_where_they_lie_in_the_file(text: bytes, expected: list[bytes], tmp_path: Path) -> None:
    (tmp_path / "export.json").write_bytes(text)
    assert texts(items_of(tmp_path / "export.json", "an export")) == expected


@pytest.mark.parametrize("text", [b'[{"a": 1}', b'{"a": 1}\n{"a": ', b"", b"[1, 2"])
def test_a_file_that_is_cut_off_is_named(text: bytes, tmp_path: Path) -> None:
    (tmp_path / "export.json").write_bytes(text)
    with pytest.raises(UnreadableFile, match=r"export\.json"):
        items_of(tmp_path / "export.json", "an export")


def test_a_line_of_ndjson_that_is_broken_is_named_by_its_number(tmp_path: Path) -> None:
    (tmp_path / "export.ndjson").write_bytes(b'{"a": 1}\n{"a": 2}\n{"a": }\n')
    with pytest.raises(UnreadableFile, match="line 3"):
        items_of(tmp_path / "export.ndjson", "an export")


def test_an_item_of_a_file_that_has_changed_is_not_taken_for_what_was_there(tmp_path: Path) -> None:
    (tmp_path / "export.json").write_bytes(b'[{"a": 1}]')
    [item] = items_of(tmp_path / "export.json", "an export")
    (tmp_path / "export.json").write_bytes(b'[{"a": 1234}]')
    with pytest.raises(UnreadableFile, match="has changed"):
        item.decoded(dict)


def test_a_broken_file_beside_one_of_the_tool_is_among_its_files(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text('[{"mine": 1}]')
    (tmp_path / "b.json").write_text('[{"mine"')
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "c.json").write_text('[{"mine"')
    found = find_export(tmp_path, lambda keys: keys is not None and "mine" in keys)
    assert found is not None
    assert [str(one) for one in found.files] == ["a.json", "b.json"]


def test_files_of_another_make_between_those_of_the_tool_hide_none(tmp_path: Path) -> None:
    for name in ("a", "z"):
        (tmp_path / f"{name}.json").write_text('[{"mine": 1}]')
    for number in range(40):
        (tmp_path / f"m{number}.json").write_text('{"other": 1}')
    found = find_export(tmp_path, lambda keys: keys is not None and "mine" in keys)
    assert found is not None
    assert [str(one) for one in found.files] == ["a.json", "z.json"]


@pytest.mark.parametrize("transparent", [False, True])
def test_masks_survive_png(transparent: bool) -> None:
    rng = np.random.default_rng(0)
    for size in ((1, 1), (3, 5), (8, 9), (17, 16)):
        mask = rng.random(size) > 0.5
        data = png_of_mask(mask, transparent=transparent)
        assert np.array_equal(mask_of_png(data, "alpha" if transparent else "colour", size), mask)


def test_a_png_larger_than_the_image_is_refused_before_it_is_decoded() -> None:
    with pytest.raises(DataError, match=r"mask is \[5, 4\], but the image is \[5, 3\]"):
        mask_of_png(png_of_mask(np.ones((5, 4), bool)), "colour", (5, 3))


@pytest.mark.parametrize("data", [b"", b"\x89PNG\r\n\x1a\n", png_of_mask(np.ones((9, 9), bool))[:45], b"GIF89a"])
def test_a_damaged_png_is_an_error_of_ours(data: bytes) -> None:
    with pytest.raises(DataError, match="PNG"):
        mask_of_png(data, "colour", (9, 9))


@pytest.mark.parametrize("text", ["a", "€€€€", "data:image/png;base64,!!!!"])
def test_what_is_no_base64_is_an_error_of_ours(text: str) -> None:
    with pytest.raises(DataError, match="base64"):
        from_base64(text)


def test_any_mask_is_a_list_of_rings() -> None:
    rng = np.random.default_rng(0)
    spiral = np.array([[1, 1, 1, 1, 1], [1, 0, 0, 0, 1], [1, 0, 1, 0, 1], [1, 0, 0, 1, 1], [1, 1, 1, 1, 1]], bool)
    for mask in (spiral, *(rng.random((9, 11)) > share for share in np.linspace(0.1, 0.9, 60))):
        rings = rings_of(mask)
        assert np.array_equal(decode(Rings(tuple(rings)).runs(mask.shape)) if rings else np.zeros_like(mask), mask)
        assert are_exact(rings, encode(mask))


def test_rings_inside_rings_are_holes_and_islands() -> None:
    squares = [np.array([[k, k], [9 - k, k], [9 - k, 9 - k], [k, 9 - k]], float) for k in (0, 2, 4)]
    assert Rings(tuple(squares)).runs((9, 9)).area == 81 - 25 + 1


def data_of(**rows: object) -> Dataset:
    masks = np.zeros((2, 4, 5), bool)
    masks[0, :3, :3] = True
    masks[0, 1, 1] = False
    masks[1, 2:, 2:] = True
    truth = Segmentation.from_masks("instance", masks, [1, 0], LABELS, **rows)
    return Dataset([Sample.of("a", Image(np.zeros((4, 5, 3), np.uint8)), truth)], LABELS, "instance", {"train": [0]}, "pets")


@pytest.mark.parametrize("module", EVERY)
def test_what_a_source_stated_of_an_object_is_kept(module, tmp_path: Path) -> None:
    rows = {
        "crowd": np.array([True, False]),
        "source_ids": [70, 80],
        "track_ids": [-1, 3],
        "boxes": [[0, 0, 2.5, 3], [2, 2, 5, 4]],
        "areas": [8.5, 6],
        "attributes": ({"depth": 3}, {}),
    }
    written = module.write(data_of(**rows), tmp_path / "out")
    truth = module.read(tmp_path / "out")[0].truth
    assert written.dropped == ()
    assert truth == data_of(**rows)[0].truth
    assert truth.source_ids.tolist() == [70, 80]
    assert truth.track_ids.tolist() == [-1, 3]
    assert truth.stated_boxes().tolist() == [[0, 0, 2.5, 3], [2, 2, 5, 4]]
    assert truth.stated_areas().tolist() == [8.5, 6]
    assert truth.attributes == ({"depth": 3}, {})


@pytest.mark.parametrize("module", EVERY)
def test_scores_are_told_as_lost(module, tmp_path: Path) -> None:
    written = module.write(data_of(scores=np.array([0.5, 1.0])), tmp_path / "out")
    assert len(written.dropped) == 1
    assert "scores" in written.dropped[0]


@pytest.mark.parametrize("module", EVERY)
def test_a_set_written_before_is_replaced(module, tmp_path: Path) -> None:
    module.write(data_of(), tmp_path / "out")
    other = data_of()
    renamed = Sample("b", other[0].pixels, other[0].truth_source, LABELS)
    module.write(Dataset([renamed], LABELS, "instance", {"val": [0]}), tmp_path / "out")
    again = module.read(tmp_path / "out")
    assert ([one.name for one in again], again.splits) == (["b"], {"val": (0,)})


@pytest.mark.parametrize("module", EVERY)
def test_a_picture_of_another_size_is_refused(module, tmp_path: Path) -> None:
    module.write(data_of(), tmp_path / "out")
    picture = module.read(tmp_path / "out")[0].source.image
    PIL.Image.new("RGB", (4, 5)).save(picture)
    with pytest.raises(DataError, match=r"5 x 4|\[5, 4\]"):
        _ = module.read(tmp_path / "out")[0].truth


def test_an_image_that_is_named_twice_is_told(tmp_path: Path) -> None:
    label_studio.write(data_of(), tmp_path / "out")
    file = tmp_path / "out" / "train.json"
    file.write_text(json.dumps(json.loads(file.read_text()) * 2))
    data = label_studio.read(tmp_path / "out")
    assert len(data) == 2
    assert "1 images are named more than once (images/a.png)" in data.notes[0]


@pytest.mark.parametrize("module", [encord, label_studio, labelbox])
def test_an_image_in_two_splits_stays_one_sample(module, tmp_path: Path) -> None:
    both = Dataset(data_of().samples, LABELS, "instance", {"train": [0], "val": [0]})
    module.write(both, tmp_path / "out")
    assert module.read(tmp_path / "out").splits == {"train": (0,), "val": (0,)}


@pytest.mark.parametrize("module", [darwin, supervisely])
def test_an_image_in_two_splits_is_put_in_the_first_and_that_is_told(module, tmp_path: Path) -> None:
    both = Dataset(data_of().samples, LABELS, "instance", {"train": [0], "val": [0]})
    written = module.write(both, tmp_path / "out")
    assert written.dropped[0].startswith("a: ")
    assert module.read(tmp_path / "out").splits == {"train": (0,)}


@pytest.mark.parametrize("module", EVERY)
def test_a_note_of_another_writer_says_nothing(module, tmp_path: Path) -> None:
    module.write(data_of(), tmp_path / "out")
    note = tmp_path / "out" / "classes.json"
    note.write_text(json.dumps({**json.loads(note.read_text()), "format": "mine", "kind": "regions"}))
    assert module.read(tmp_path / "out").kind == "instance"
