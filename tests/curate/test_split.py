"""Splits: fractions and classes come out as asked, what belongs together stays so, and a seed gives the same lists again."""

import json
from pathlib import Path

import cv2
import numpy as np
import PIL.Image
import pytest

from pixelwise.core.errors import DataError, MissingFile, OptionError, StorageError
from pixelwise.core.image import Image
from pixelwise.core.labels import LabelSet
from pixelwise.core.sample import Dataset, Sample
from pixelwise.core.segmentation import Segmentation
from pixelwise.curate.split import Split, make_split, read_fractions
from pixelwise.curate.split_balance import deal_out
from pixelwise.curate.split_groups import compiled, groups_of
from pixelwise.curate.split_lists import check_out, root_of, with_lists, write_lists
from pixelwise.formats import masks, read, settled

LABELS = LabelSet.of(["ground", "tree", "pond"])
HALVES = {"a": 0.5, "b": 0.5}


def picture(seed: int, size: tuple[int, int] = (48, 64)) -> Image:
    noise = np.random.default_rng(seed).integers(0, 255, (6, 8, 3), np.uint8)
    return Image(cv2.resize(noise, size[::-1], interpolation=cv2.INTER_CUBIC))


def sample(name: str, pixels: dict[int, int] | None = None, seed: int | None = None, **meta: object) -> Sample:
    """Make a sample with so many pixels of each class; the rest is ground."""
    classes = np.zeros(48 * 64, np.uint8)
    start = 0
    for index, count in (pixels or {}).items():
        classes[start : start + count] = index
        start += count
    truth = Segmentation.from_class_map(classes.reshape(48, 64), LABELS)
    number = sum(name.encode()) * 7919 + len(name) if seed is None else seed
    return Sample.of(name, picture(number), truth, **meta)


def dataset(*samples: Sample) -> Dataset:
    return Dataset(samples, LABELS, "semantic")


def split(data: Dataset, fractions: dict[str, float] | None = None, **options: object) -> Split:
    return make_split(data, fractions, **{"look": False, "group": "none", **options})  # type: ignore[arg-type]


def owners(made: Split) -> dict[str, str]:
    return {made.dataset[row].name: name for name, rows in made.rows.items() for row in rows}


MANY = dataset(*(sample(f"n{k}", {1: 100 * (k % 5 == 0), 2: 40 * (k % 10 == 0)}) for k in range(100)))


def test_every_image_is_in_exactly_one_split() -> None:
    rows = sorted(row for inside in split(MANY).rows.values() for row in inside)
    assert rows == list(range(100))


def test_splits_have_the_fractions_that_were_asked() -> None:
    assert {name: len(rows) for name, rows in split(MANY).rows.items()} == {"train": 70, "val": 20, "test": 10}


def test_each_split_gets_its_share_of_every_class() -> None:
    made = split(MANY)
    assert {name: shares["pond"].images for name, shares in made.classes.items()} == {"train": 7, "val": 2, "test": 1}
    assert {name: shares["tree"].images for name, shares in made.classes.items()} == {"train": 14, "val": 4, "test": 2}


def test_pixels_count_and_not_images_alone() -> None:
    data = dataset(*(sample(f"n{k}", {1: 500 if k < 2 else 20}) for k in range(12)))
    made = split(data, HALVES)
    assert {name: shares["tree"].pixels for name, shares in made.classes.items()} == {"a": 600, "b": 600}


def test_without_stratification_only_images_are_counted() -> None:
    made = split(MANY, stratify=False)
    assert not made.stratified
    assert {name: len(rows) for name, rows in made.rows.items()} == {"train": 70, "val": 20, "test": 10}


def test_the_same_seed_gives_the_same_splits_whatever_the_order_of_files() -> None:
    assert owners(split(MANY, seed=3)) == owners(split(MANY.take(range(99, -1, -1)), seed=3))


def test_another_seed_gives_other_splits() -> None:
    assert owners(split(MANY, seed=3)) != owners(split(MANY, seed=4))


@pytest.mark.parametrize("key", ["scene", "sequence", "patient"])
def test_what_meta_says_belongs_together_stays_together(key: str) -> None:
    data = dataset(*(sample(f"{k}", **{key: f"s{k // 4}"}) for k in range(80)))
    found = owners(split(data, group="auto"))
    assert all(len({found[str(k)] for k in range(4 * s, 4 * s + 4)}) == 1 for s in range(20))


def test_tiles_of_a_scene_told_by_names_stay_together() -> None:
    data = dataset(*(sample(f"s{s}_x{x}_y{y}") for s in range(8) for x in (0, 64) for y in (0, 48)))
    made = split(data, HALVES, group="auto")
    found = owners(made)
    assert all(len({found[name] for name in found if name.startswith(f"s{s}_")}) == 1 for s in range(8))
    assert made.leaks == ()


def test_a_pattern_of_names_tells_groups() -> None:
    data = dataset(*(sample(f"p{k // 3}_slice_{k}") for k in range(30)))
    found = owners(split(data, HALVES, group="*_slice_*"))
    assert all(len({found[f"p{p}_slice_{3 * p + k}"] for k in range(3)}) == 1 for p in range(10))


def test_a_regular_expression_tells_groups_by_what_it_catches() -> None:
    groups = groups_of(dataset(sample("a1x"), sample("b1x"), sample("a2x")), r"(\d)x$", 2)
    assert groups.of == (0, 0, 1)


def test_names_that_a_pattern_does_not_fit_are_told() -> None:
    groups = groups_of(dataset(sample("a_1"), sample("a_2"), sample("odd")), "*_*", 2)
    assert (len(groups), groups.notes) == (2, ("--group *_* tells nothing of 1 images (odd); each is a group of its own",))


def test_a_pattern_that_fits_nothing_is_refused() -> None:
    with pytest.raises(OptionError, match="no name fits, such as 'a'"):
        groups_of(dataset(sample("a")), "x*", 2)


@pytest.mark.parametrize("pattern", ["(", "(?:a)|(?=b)("])
def test_a_broken_expression_is_refused(pattern: str) -> None:
    with pytest.raises(OptionError, match="expected a regular expression"):
        compiled(pattern)


def test_an_expression_without_a_group_is_refused() -> None:
    with pytest.raises(OptionError, match="expected a group in parentheses"):
        compiled("(?:a)")


def test_an_unknown_way_names_the_nearest() -> None:
    with pytest.raises(OptionError, match="did you mean 'folder'"):
        groups_of(dataset(sample("a")), "folders", 2)


def test_few_long_sequences_are_cut_into_blocks_of_neighbours() -> None:
    data = dataset(*(sample(f"ride{s}_{k:03}") for s in range(2) for k in range(40)))
    made = split(data, HALVES, group="auto")
    assert "only 2 sequences" in made.groups.notes[0]
    found = owners(made)
    changes = sum(found[f"ride0_{k:03}"] != found[f"ride0_{k + 1:03}"] for k in range(39))
    assert changes < 10  # of 39, where single images would change about 20 times


def test_copies_stay_together_even_where_nothing_else_tells() -> None:
    data = dataset(*(sample(f"n{k}", seed=k % 10) for k in range(20)))  # each picture twice
    found = owners(split(data, HALVES, group="auto", look=True))
    assert all(found[f"n{k}"] == found[f"n{k + 10}"] for k in range(10))


def test_copies_that_end_up_apart_are_told() -> None:
    data = dataset(*(sample(f"n{k}", seed=0) for k in range(6)))
    made = split(data, HALVES, look=True)
    assert made.leaks
    assert "LEAK: it is the same image as n0, but one is in" in made.leaks[0].text


def test_images_that_look_alike_stay_together_on_request() -> None:
    data = dataset(*(sample(f"n{k}", seed=k // 2) for k in range(12)))
    found = owners(split(data, HALVES, group="similarity", look=True))
    assert all(found[f"n{2 * k}"] == found[f"n{2 * k + 1}"] for k in range(6))


def test_similarity_needs_a_look() -> None:
    with pytest.raises(OptionError, match="cannot go with --no-look"):
        split(MANY, group="similarity")


def test_groups_too_large_for_a_fraction_are_told() -> None:
    data = dataset(*(sample(f"{k}", scene="large" if k < 16 else f"s{k}") for k in range(20)))
    made = split(data, {"train": 0.5, "val": 0.5}, group="scene")
    assert any("% were asked: groups are kept whole, and the largest has 16 images" in text for text in made.warnings)


def test_a_class_that_a_split_lacks_is_told() -> None:
    data = dataset(sample("a", {1: 5}), sample("b"), sample("c"), sample("d"))
    assert any("has no pixel of 'tree' (in 1 image)" in text for text in split(data, HALVES).warnings)


def test_fewer_groups_than_splits_are_refused() -> None:
    with pytest.raises(OptionError, match=r"each of 2 splits, found 1 \("):
        split(dataset(sample("a", scene="s"), sample("b", scene="s")), HALVES, group="scene")


def test_no_split_stays_empty_where_there_are_groups_enough() -> None:
    found = deal_out(np.zeros((3, 0), int), np.array([50, 1, 1]), np.array([0.9, 0.05, 0.05]), seed=0)
    assert sorted(found.tolist()) == [0, 1, 2]


def test_what_cannot_be_read_is_in_no_split_and_told(tmp_path: Path) -> None:
    folder = data_on_disk(tmp_path)
    (folder / "images" / "a" / "i0.png").write_bytes(b"not a picture")
    made = make_split(read(folder), HALVES, root=folder)
    assert len(made.problems) == 1
    assert "i0.png" in made.problems[0]
    assert made.images == 11


def test_labels_whose_image_is_gone_are_told(tmp_path: Path) -> None:
    folder = data_on_disk(tmp_path)
    (folder / "images" / "a" / "i0.png").unlink()
    made = make_split(read(folder), HALVES, root=folder)
    assert [one.endswith("mask without image; it is left out") for one in made.problems] == [True]


def data_on_disk(tmp_path: Path) -> Path:
    """Twelve pairs in two folders, with names that need care."""
    folder = tmp_path / "data"
    for k in range(12):
        name = ("#i" if k == 11 else "with space " if k == 10 else "i") + str(k)
        for kind in ("images", "masks"):
            (folder / kind / "ab"[k % 2]).mkdir(parents=True, exist_ok=True)
        PIL.Image.fromarray(picture(k).pixels).save(folder / "images" / "ab"[k % 2] / f"{name}.png")
        PIL.Image.fromarray(np.eye(48, 64, dtype=np.uint8) * (k % 3)).save(folder / "masks" / "ab"[k % 2] / f"{name}.png")
    return folder


def test_folders_stay_together_on_request(tmp_path: Path) -> None:
    made = split(read(data_on_disk(tmp_path)), HALVES, group="folder")
    assert {name: len({made.dataset[row].source.image.parent for row in rows}) for name, rows in made.rows.items()} == {
        "a": 1,
        "b": 1,
    }


def test_lists_give_the_splits_back(tmp_path: Path) -> None:
    folder = data_on_disk(tmp_path)
    data = read(folder)
    made = split(data)
    write_lists(data, made.rows, tmp_path / "lists", root_of(data, folder), made.to_json())
    found = with_lists(read(folder), tmp_path / "lists")
    assert {name: sorted(rows) for name, rows in found.splits.items()} == {name: list(rows) for name, rows in made.rows.items()}


def test_the_splits_of_lists_are_in_the_usual_order(tmp_path: Path) -> None:
    folder = data_on_disk(tmp_path)
    data = read(folder)
    write_lists(data, {"test": [0], "val": [1], "train": [2]}, tmp_path / "lists", folder, {})
    assert list(with_lists(data, tmp_path / "lists").splits.items()) == [("train", (2,)), ("val", (1,)), ("test", (0,))]


def namesakes(tmp_path: Path) -> Dataset:
    """Two pairs of one name in two folders."""
    for folder in ("x", "y"):
        for kind in ("images", "masks"):
            (tmp_path / "data" / kind / folder).mkdir(parents=True)
            PIL.Image.fromarray(np.eye(4, dtype=np.uint8)).save(tmp_path / "data" / kind / folder / "a.png")
    return read(tmp_path / "data")


def test_an_image_that_is_gone_is_not_taken_for_its_namesake(tmp_path: Path) -> None:
    data = namesakes(tmp_path)
    write_lists(data, {"train": [0, 1]}, tmp_path / "lists", tmp_path / "data", {})
    (tmp_path / "data" / "images" / "y" / "a.png").unlink()
    found = with_lists(read(tmp_path / "data"), tmp_path / "lists")
    assert found.splits == {"train": (0,)}
    assert found.notes[-1].endswith("train.txt: 1 of 2 entries name no image of data, the first: 'images/y/a.png'")


def test_lists_hold_for_a_set_with_other_folders_by_names_alone(tmp_path: Path) -> None:
    folder = data_on_disk(tmp_path)
    data = read(folder)
    write_lists(data, {"train": [0, 1], "val": [2]}, tmp_path / "lists", folder, {})
    masks.write(data.under(settled(data, "none")), tmp_path / "copy")
    found = with_lists(read(tmp_path / "copy"), tmp_path / "lists")
    assert {name: {found[row].name for row in rows} for name, rows in found.splits.items()} == {
        "train": {data[0].name, data[1].name},
        "val": {data[2].name},
    }


def test_a_list_of_other_data_is_told(tmp_path: Path) -> None:
    folder = data_on_disk(tmp_path)
    data = read(folder)
    write_lists(data, {"train": [0, 1]}, tmp_path / "lists", folder, {})
    (tmp_path / "lists" / "val.txt").write_text("elsewhere.png\n")
    found = with_lists(data, tmp_path / "lists")
    assert list(found.splits) == ["train"]
    assert found.notes[-1].endswith("val.txt: most of its lines name no image of data; it is not read")


def test_lists_in_the_data_folder_are_read_by_the_format_itself(tmp_path: Path) -> None:
    folder = data_on_disk(tmp_path)
    data = read(folder)
    made = split(data, {"train": 0.5, "val": 0.5})
    write_lists(data, made.rows, tmp_path / "lists", folder, {})
    for name in ("train", "val"):
        (folder / f"{name}.txt").write_text((tmp_path / "lists" / f"{name}.txt").read_text())
    assert {name: len(rows) for name, rows in read(folder).splits.items()} == {"train": 6, "val": 6}


def test_what_is_told_of_a_split_is_in_its_json(tmp_path: Path) -> None:
    made = split(MANY, seed=5)
    write_lists(MANY, made.rows, tmp_path / "lists", tmp_path, made.to_json())
    about = json.loads((tmp_path / "lists" / "split.json").read_text())
    assert (about["seed"], about["fractions"], about["splits"]["val"]["got"]) == (
        5,
        {"train": 0.7, "val": 0.2, "test": 0.1},
        0.2,
    )
    assert about["splits"]["test"]["classes"]["pond"]["images"] == 1


def test_lists_of_an_earlier_split_do_not_stay(tmp_path: Path) -> None:
    for fractions in (None, HALVES):
        made = split(MANY, fractions)
        write_lists(MANY, made.rows, tmp_path / "lists", tmp_path, made.to_json())
    assert sorted(one.name for one in (tmp_path / "lists").iterdir()) == ["a.txt", "b.txt", "split.json"]


def test_a_place_in_the_data_is_refused(tmp_path: Path) -> None:
    with pytest.raises(OptionError, match="outside the data"):
        check_out(tmp_path / "lists", tmp_path)


def test_lists_of_someone_else_are_not_replaced(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "lists").mkdir()
    (tmp_path / "lists" / "train.txt").write_text("mine\n")
    with pytest.raises(StorageError, match="this command did not make"):
        check_out(tmp_path / "lists", tmp_path / "data")


def test_a_name_with_a_line_break_is_refused(tmp_path: Path) -> None:
    data = dataset(sample("a\nb"))
    with pytest.raises(DataError, match="line break"):
        write_lists(data, {"a": [0]}, tmp_path / "lists", tmp_path, {})
    assert not (tmp_path / "lists").exists()


def test_a_folder_without_lists_is_refused(tmp_path: Path) -> None:
    with pytest.raises(MissingFile, match="expected a folder of list files"):
        with_lists(MANY, tmp_path / "none")
    with pytest.raises(DataError, match="no list file in it names images"):
        with_lists(MANY, tmp_path)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("train=0.7,val=0.2,test=0.1", {"train": 0.7, "val": 0.2, "test": 0.1}),
        ("80/20", {"train": 0.8, "val": 0.2}),
        ("0.6/0.2/0.2", {"train": 0.6, "val": 0.2, "test": 0.2}),
        ("a=1/3,b=2", None),
        ("70/20", None),
        ("train=1.2,val=-0.2", None),
        ("train=0.5,train=0.5", None),
        ("../x=0.5,val=0.5", None),
        ("nan/1", None),
        ("1", None),
        ("25/25/25/25", None),
    ],
)
def test_fractions_are_read_or_refused(text: str, expected: dict[str, float] | None) -> None:
    if expected is not None:
        assert read_fractions(text) == expected
        return
    with pytest.raises(OptionError, match="--fractions"):
        read_fractions(text)


@pytest.mark.slow
@pytest.mark.shared_data
def test_camvids_splits_have_their_share_of_rare_classes(shared_data: Path) -> None:
    made = make_split(read(shared_data / "camvid", void="11"), look=False)
    assert {name: round(shares["class 9"].of_class, 1) for name, shares in made.classes.items()} == {
        "train": 0.7,
        "val": 0.2,
        "test": 0.1,
    }
