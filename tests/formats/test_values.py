"""The value map: when it is settled, what is proposed, and how a person's word settles it."""

import tracemalloc
from pathlib import Path

import cv2
import numpy as np
import pytest

from pixelwise.core.errors import OptionError
from pixelwise.core.labels import pack_colour
from pixelwise.formats.classes import ClassName, ClassTable
from pixelwise.formats.masks.reasons import listed
from pixelwise.formats.masks.scan import Scan, combine, measure
from pixelwise.formats.masks.settle import settle
from pixelwise.formats.masks.values import propose

BLOCKS = np.kron(np.array([[0, 0, 0], [0, 1, 0], [2, 2, 0]]), np.ones((8, 8), int)).astype(np.uint8)


def scan_of(*masks: np.ndarray, rgb: bool = False, names: tuple[ClassName, ...] = ()) -> Scan:
    table = ClassTable(Path("classes.txt"), names) if names else None
    return combine({Path(str(i)): measure(mask, rgb) for i, mask in enumerate(masks)}, table=table)


def mapped(values: tuple[int, ...]) -> np.ndarray:
    return np.array(values, np.uint8)[BLOCKS]


def named(*names: str) -> tuple[ClassName, ...]:
    return tuple(ClassName(name) for name in names)


def test_values_far_apart_are_told_without_counting_all_between() -> None:
    tracemalloc.start()
    assert listed([3, 4, 2**40]) == f"3, 4, {2**40}"
    assert tracemalloc.get_traced_memory()[1] < 2**20
    tracemalloc.stop()
    assert listed([3, 4, 5]) == "3..5"


@pytest.mark.parametrize("values", [(0, 0, 0), (0, 1, 1), (0, 1, 2), (1, 2, 2), (2, 1, 0)])
def test_ordinary_values_are_settled(values: tuple[int, ...]) -> None:
    proposal = propose(scan_of(mapped(values)))
    assert proposal.reasons == ()
    assert proposal.labels.settled
    assert proposal.labels.names == tuple(f"class {value}" for value in sorted(set(values)))


def test_0_and_255_is_unsettled_and_255_is_proposed_as_a_class() -> None:
    proposal = propose(scan_of(mapped((0, 255, 0))))
    assert dict(proposal.labels.values) == {0: 0, 255: 1}
    assert proposal.labels.names == ("background", "foreground")
    assert not proposal.labels.settled
    assert "not taken for void" in proposal.reasons[0].text
    assert proposal.reasons[0].flag.startswith("--void none")


def test_a_gap_is_unsettled() -> None:
    proposal = propose(scan_of(mapped((0, 1, 4))))
    assert not proposal.settled
    assert "2, 3 do not occur" in proposal.reasons[0].text
    assert "--classes" in proposal.reasons[0].flag


def test_a_value_of_250_or_more_is_unsettled_and_proposed_as_void() -> None:
    proposal = propose(scan_of(mapped((0, 1, 250))))
    assert dict(proposal.labels.values) == {0: 0, 1: 1, 250: -1}
    assert [reason.flag.split(" (")[0] for reason in proposal.reasons] == ["--void 250"]


def test_a_value_of_249_is_only_a_gap() -> None:
    assert ["gap" in reason.text for reason in propose(scan_of(mapped((0, 1, 249)))).reasons] == [True]


def test_fewer_names_than_values_is_unsettled() -> None:
    proposal = propose(scan_of(mapped((0, 1, 2)), names=named("sky", "car")))
    assert not proposal.labels.settled
    assert "one unexplained value" in proposal.reasons[0].text
    assert proposal.reasons[0].flag.startswith("--void 2")


def test_more_names_than_values_is_settled() -> None:
    proposal = propose(scan_of(mapped((0, 3, 3)), names=named("sky", "car", "road", "tree")))
    assert proposal.labels.settled
    assert proposal.labels.names == ("sky", "car", "road", "tree")


def test_a_name_that_says_void_is_void() -> None:
    proposal = propose(scan_of(mapped((0, 1, 2)), names=named("unlabelled", "car", "road")))
    assert proposal.labels.names == ("car", "road")
    assert proposal.labels.void_values == (0,)
    assert proposal.labels.settled


def test_two_names_for_0_and_255_are_given_in_value_order_but_not_settled() -> None:
    proposal = propose(scan_of(mapped((0, 255, 0)), names=named("land", "water")))
    assert dict(proposal.labels.values) == {0: 0, 255: 1}
    assert not proposal.labels.settled


def test_names_without_values_follow_value_order_once_that_is_confirmed() -> None:
    scan = scan_of(mapped((1, 2, 3)), names=named("sky", "car", "road"))
    assert propose(scan).reasons[0].flag == "--void none if the names are in value order (1 is sky, 3 is road)"
    assert settled(scan, void="none") == (("sky", "car", "road"), {1: 0, 2: 1, 3: 2}, True)


def test_names_follow_value_order_after_a_void_value() -> None:
    scan = scan_of(mapped((0, 1, 2)), names=named("sky", "car"))
    assert settled(scan, void="0") == (("sky", "car"), {0: -1, 1: 0, 2: 1}, True)


def test_colours_without_a_table_are_unsettled() -> None:
    colours = np.array([0, pack_colour((255, 0, 0)), pack_colour((0, 0, 255))], np.int32)[BLOCKS]
    proposal = propose(scan_of(colours, rgb=True))
    assert "3 RGB colours (#000000, #0000ff, #ff0000)" in proposal.reasons[0].text
    assert proposal.labels.names == ("class 0", "class 1", "class 2")
    assert not proposal.labels.settled


def test_a_mask_resized_with_interpolation_is_unsettled() -> None:
    small = np.kron(np.random.default_rng(0).integers(0, 2, (6, 6)), np.ones((10, 10))).astype(np.uint8) * 200
    large = cv2.resize(small, (151, 149), interpolation=cv2.INTER_LINEAR)
    proposal = propose(scan_of(large))
    assert "rare values along borders" in proposal.reasons[0].text
    assert {value for value, index in proposal.labels.values.items() if index >= 0} == {0, 200}


def test_a_mask_resized_with_nearest_neighbour_is_settled() -> None:
    large = cv2.resize(BLOCKS, (151, 149), interpolation=cv2.INTER_NEAREST)
    assert propose(scan_of(large)).settled


def test_thin_rare_classes_are_not_taken_for_interpolation() -> None:
    mask = np.zeros((100, 100), np.uint8)
    mask[:, 50:] = 2
    mask[20:80, 10] = 1
    mask[10:90, 70] = 3
    assert propose(scan_of(mask)).settled


def test_leftovers_between_everything_are_suspected_to_be_void() -> None:
    mask = np.kron(np.random.default_rng(1).permutation(36).reshape(6, 6) % 6, np.ones((12, 12), int)).astype(np.uint8)
    mask[::12], mask[:, ::12] = 6, 6
    mask[11::12], mask[:, 11::12] = 6, 6
    mask[5:7, 30:34] = 6
    wide = np.kron(np.arange(6).reshape(2, 3), np.ones((60, 60), int)).astype(np.uint8)
    wide[0], wide[:, 0] = 0, 0
    proposal = propose(scan_of(*[np.where(mask == 6, 6, mask)], *[wide] * 4))
    assert [reason.flag for reason in proposal.reasons] == ["--void 6 (or --void none if it is a class)"]


@pytest.mark.parametrize("seed", range(6))
def test_shapes_on_a_background_are_not_suspected(seed: int) -> None:
    rng = np.random.default_rng(seed)
    masks = []
    for _ in range(8):
        mask = np.zeros((96, 96), np.uint8)
        for _ in range(9):
            centre = (int(rng.integers(96)), int(rng.integers(96)))
            cv2.circle(mask, centre, int(rng.integers(5, 16)), int(rng.integers(1, 6)), -1)
        masks.append(mask)
    assert propose(scan_of(*masks)).reasons == ()


def test_a_thin_class_that_touches_few_others_is_not_suspected() -> None:
    mask = np.kron(np.arange(9).reshape(3, 3), np.ones((20, 20), int)).astype(np.uint8)
    mask[:40, 20] = 9  # a line between 0, 1, 3 and 4
    assert propose(scan_of(mask)).reasons == ()


def settled(scan: Scan, **said: str) -> tuple[tuple[str, ...], dict[int, int], bool]:
    labels = settle(scan, **said).labels
    return labels.names, dict(labels.values), labels.settled


def test_void_values_settle() -> None:
    assert settled(scan_of(mapped((0, 1, 2))), void="2") == (("class 0", "class 1"), {0: 0, 1: 1, 2: -1}, True)
    assert settled(scan_of(mapped((0, 1, 2))), void=" 0, 2") == (("class 1",), {0: -1, 1: 0, 2: -1}, True)


def test_void_none_takes_every_value_for_a_class() -> None:
    assert settled(scan_of(mapped((0, 255, 0))), void="none") == (("background", "foreground"), {0: 0, 255: 1}, True)
    assert settled(scan_of(mapped((0, 1, 255))), void="none")[1] == {0: 0, 1: 1, 255: 2}


def test_void_none_keeps_a_class_whose_name_says_void() -> None:
    names, values, _ = settled(scan_of(mapped((0, 1, 2)), names=named("void", "car", "road")), void="none")
    assert (names, values) == (("void", "car", "road"), {0: 0, 1: 1, 2: 2})


def test_names_in_value_order_settle() -> None:
    scan = scan_of(mapped((0, 100, 255)))
    assert settled(scan, classes="sky,car,road") == (("sky", "car", "road"), {0: 0, 100: 1, 255: 2}, True)
    assert settled(scan, classes="sky,car", void="255") == (("sky", "car"), {0: 0, 100: 1, 255: -1}, True)


def test_pairs_settle_and_rest_makes_the_others_void() -> None:
    scan = scan_of(mapped((0, 100, 255)))
    assert settled(scan, classes="255=cell,0=back", void="rest") == (("cell", "back"), {0: 1, 100: -1, 255: 0}, True)


def test_pairs_that_leave_a_value_unexplained_do_not_settle() -> None:
    proposal = settle(scan_of(mapped((0, 100, 255))), classes="255=cell,0=back")
    assert not proposal.labels.settled
    assert "the masks also hold 100" in proposal.reasons[0].text


def test_a_void_that_leaves_a_value_unexplained_does_not_settle() -> None:
    proposal = settle(scan_of(mapped((0, 1, 2)), names=named("sky")), void="2")
    assert not proposal.labels.settled
    assert "the masks also hold 1" in proposal.reasons[0].text


def test_void_completes_the_names_of_the_folder() -> None:
    assert settled(scan_of(mapped((0, 1, 2)), names=named("sky", "car")), void="2") == (
        ("sky", "car"),
        {0: 0, 1: 1, 2: -1},
        True,
    )


def test_a_file_of_names_settles(tmp_path) -> None:
    (tmp_path / "mine.txt").write_text("sky\ncar\nroad\ntree\n")
    names, values, done = settled(scan_of(mapped((0, 1, 3))), classes=str(tmp_path / "mine.txt"))
    assert (names, values[3], done) == (("sky", "car", "road", "tree"), 3, True)


def test_colours_are_settled_by_pairs_and_void() -> None:
    scan = scan_of(np.array([0, 0xFF0000, 0x0000FF], np.int32)[BLOCKS], rgb=True)
    assert settled(scan, classes="#ff0000=roof,#0000ff=pool", void="#000000") == (
        ("roof", "pool"),
        {0: -1, 0xFF: 1, 0xFF0000: 0},
        True,
    )
    assert settle(scan, classes="#ff0000=roof,#0000ff=pool,#000000=land").labels.labels[0].colour == (255, 0, 0)


def test_interpolated_masks_are_settled_by_naming_the_real_values() -> None:
    large = cv2.resize(mapped((0, 200, 200)), (151, 149), interpolation=cv2.INTER_LINEAR)
    assert not settle(scan_of(large), void="none").labels.settled
    labels = settle(scan_of(large), void="rest", classes="0=back,200=cell").labels
    assert labels.names == ("back", "cell")
    assert labels.settled


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ({"void": "7"}, "the value 7 does not occur in the masks; there are 0..2"),
        ({"void": "seven"}, "expected a number, 'none' or 'rest', got 'seven'"),
        ({"void": "0,1,2"}, "no class would be left"),
        ({"void": "rest"}, "add --classes"),
        ({"classes": "sky,car"}, "2 names for 3 values"),
        ({"classes": "sky,car,road,tree"}, "4 names for 3 values"),
        ({"classes": "sky,car", "void": "0,1"}, "2 names for 1 values"),
        ({"classes": "sky,sky,car"}, "used twice: sky"),
        ({"classes": "sky,,car"}, "found an empty one"),
        ({"classes": "0=sky,7=car"}, "the value 7 does not occur"),
        ({"classes": "0=sky,0=car"}, "each value once"),
        ({"classes": "0=sky", "void": "0,1"}, "say one of the two"),
    ],
)
def test_what_does_not_fit_is_an_option_error(said: dict[str, str], message: str) -> None:
    with pytest.raises(OptionError, match=message):
        settle(scan_of(mapped((0, 1, 2))), **said)


def test_a_missing_file_of_names_is_said(tmp_path) -> None:
    with pytest.raises(FileNotFoundError, match=r"none\.txt: expected a file of class names"):
        settle(scan_of(mapped((0, 1, 2))), classes=str(tmp_path / "none.txt"))
