"""Holes, small parts, outlines, fragments and necks: known answers."""

import numpy as np
import pytest

from pixelwise.core.errors import OptionError
from pixelwise.core.image import as_image
from pixelwise.core.labels import LabelSet
from pixelwise.core.masks import DisjointMasks
from pixelwise.core.segmentation import Segmentation
from pixelwise.refine import crf, grabcut, split
from pixelwise.refine.refiner import Refiner

LABELS = LabelSet.of(["background", "cell", "dirt"], things=["cell"])
PLAIN = as_image(np.full((12, 14), 90, np.uint8))


def of(classes, labels=LABELS):
    return Segmentation.from_class_map(np.asarray(classes, np.uint8), labels)


def regions(ids):
    ids = np.asarray(ids, np.uint8)
    return Segmentation("regions", DisjointMasks(ids, int(ids.max())), np.zeros(ids.max(), int), LabelSet.of(["region"]))


def refined(name, found, image=None, **options):
    grey = np.full(found.size, 90, np.uint8) if image is None else image
    return Refiner(name, **options)(as_image(grey), found)


def ring(hole=0):
    classes = np.zeros((12, 14), np.uint8)
    classes[2:10, 3:11] = 1
    classes[4:8, 5:9] = hole
    return classes


def test_background_inside_a_segment_is_filled():
    assert (refined("holes", of(ring())).class_map() == np.where(ring() == 1, 1, 0) + (ring(2) == 2)).all()


def test_another_class_inside_stays_unless_it_is_small_enough():
    assert (refined("holes", of(ring(2))).class_map() == ring(2)).all()
    assert (refined("holes", of(ring(2)), area=15).class_map() == ring(2)).all()
    assert (refined("holes", of(ring(2)), area=16).class_map() == (ring(1))).all()


def test_what_reaches_the_border_is_no_hole():
    classes = np.ones((5, 5), np.uint8)
    classes[0, 2] = classes[2, 2] = 0
    wanted = np.ones((5, 5), np.uint8)
    wanted[0, 2] = 0
    assert (refined("holes", of(classes)).class_map() == wanted).all()


def test_a_hole_with_an_island_is_filled_whole():
    classes = ring()
    classes[5, 6] = 1
    assert (refined("holes", of(classes)).class_map() == ring(1)).all()


def test_the_holes_of_overlapping_masks_are_filled_each():
    masks = np.stack([ring() == 1, ring(1) == 1])
    found = Segmentation.from_masks("instance", masks, [1, 1], LABELS)
    assert (refined("holes", found).masks.dense() == (ring(1) == 1)).all()
    assert refined("holes", found, area=15).masks == found.masks


def test_small_parts_go_to_the_nearest_large_one():
    classes = np.zeros((4, 12), np.uint8)
    classes[:, 6:] = 1
    classes[1, 1] = classes[2, 10] = 2
    assert refined("smallest", of(classes), area=2).class_map().tolist() == [[0] * 6 + [1] * 6] * 4
    assert (refined("smallest", of(classes), area=1).class_map() == classes).all()


def test_small_objects_go_and_small_parts_of_large_ones():
    masks = np.zeros((2, 6, 9), bool)
    masks[0, :4, :4] = masks[0, 5, 8] = masks[1, 2, 6] = True
    found = Segmentation.from_masks("instance", masks, [1, 1], LABELS, scores=[0.4, 0.9])
    kept = refined("smallest", found, area=3)
    assert kept.scores.tolist() == [0.4]
    assert kept.masks.areas().tolist() == [16]


def test_a_spike_goes_and_a_straight_edge_stays():
    classes = np.zeros((20, 20), np.uint8)
    classes[:, 10:] = 1
    spiked = classes.copy()
    spiked[9, 3:10] = 1
    assert (refined("smooth", of(spiked), radius=2).class_map() == classes)[:, :8].all()  # its foot is rounded
    assert (refined("smooth", of(classes), radius=3).class_map() == classes).all()


def test_two_regions_alike_become_one_and_a_third_stays():
    ids = np.repeat([[1] * 4 + [2] * 4 + [3] * 4], 12, axis=0)
    grey = np.repeat([[100] * 4 + [108] * 4 + [200] * 4], 12, axis=0).astype(np.uint8)
    assert refined("merge", regions(ids), grey, area=1).panoptic_ids()[0].tolist() == [1] * 8 + [2] * 4
    assert len(refined("merge", regions(ids), grey, colour=0.0, area=1)) == 3
    assert len(refined("merge", regions(ids), grey, colour=200.0)) == 1


def test_the_most_alike_are_joined_first():
    ids = np.repeat([[1] * 4 + [2] * 4 + [3] * 4], 12, axis=0)
    grey = np.repeat([[100] * 4 + [112] * 4 + [122] * 4], 12, axis=0).astype(np.uint8)  # 4.7 and 3.9 of 100 apart
    assert refined("merge", regions(ids), grey, colour=5.0, area=1).panoptic_ids()[0].tolist() == [1] * 4 + [2] * 8


def test_fragments_join_the_neighbour_most_like_them():
    classes, grey = np.zeros((10, 12), np.uint8), np.full((10, 12), 50, np.uint8)
    classes[:, 6:], grey[:, 6:] = 1, 200
    classes[4, 5], grey[4, 5] = 2, 190
    merged = refined("merge", of(classes), grey, area=4)
    assert merged.class_map()[4, 5] == 1
    assert merged.names == ["background", "cell"]


def test_fragments_of_fragments_join_too_and_small_objects_stay():
    classes = np.zeros((10, 12), np.uint8)
    classes[3, 3], classes[3, 4] = 1, 2
    assert refined("merge", of(classes), area=4).class_map().max() == 0
    ids = (classes + 1).astype(np.uint8)
    panoptic = Segmentation("panoptic", DisjointMasks(ids, 3), np.arange(3), LABELS)
    assert len(refined("merge", panoptic, area=4)) == 3


def two_discs(gap=22):
    rows, columns = np.mgrid[:40, :70]
    one, other = np.hypot(rows - 20, columns - 22) < 13, np.hypot(rows - 20, columns - 22 - gap) < 13
    return one, other


def test_touching_discs_are_parted_at_their_neck():
    one, other = two_discs()
    found = refined("split", of((one | other).astype(np.uint8)))
    assert (found.kind, len(found), found.names) == ("instance", 2, ["cell", "cell"])
    sides = [mask[:, :33].sum() > mask[:, 33:].sum() for mask in found.masks.dense()]
    assert sorted(sides) == [False, True]
    assert (found.masks.dense().any(axis=0) == (one | other)).all()


@pytest.mark.parametrize("most", [2_000_000, 800])
def test_parts_keep_class_and_score_also_where_split_on_a_smaller_mask(monkeypatch, most):
    monkeypatch.setattr(split, "PIXELS", most)
    one, other = two_discs()
    found = Segmentation.from_masks("instance", (one | other)[None], [1], LABELS, scores=[0.7])
    parted = refined("split", found)
    assert (parted.scores.tolist(), parted.class_ids.tolist()) == ([0.7, 0.7], [1, 1])
    assert (parted.masks.dense().sum(axis=0) == (one | other)).all()


def test_a_disc_a_bar_and_an_object_in_two_parts_stay_whole():
    one, _ = two_discs()
    bar = np.zeros((40, 70), bool)
    bar[10:14, 5:60] = True
    apart = np.zeros((40, 70), bool)
    apart[2:12, 2:12] = apart[20:30, 40:50] = True
    found = Segmentation.from_masks("instance", np.stack([one, bar, apart]), [1, 1, 1], LABELS)
    assert refined("split", found).masks == found.masks


def test_stuff_is_not_split_and_things_of_a_panoptic_map_are():
    one, other = two_discs()
    ids = np.where(one | other, 2, 1).astype(np.uint8)
    panoptic = Segmentation("panoptic", DisjointMasks(ids, 2), np.array([0, 1]), LABELS)
    assert refined("split", panoptic).names == ["background", "cell", "cell"]
    swapped = Segmentation("panoptic", DisjointMasks(ids, 2), np.array([1, 0]), LABELS)
    assert refined("split", swapped).names.count("background") == 1


def test_parts_keep_the_order_of_touching_regions():
    one, other = two_discs()
    assert len(refined("split", regions(np.where(one | other, 2, 1)), depth=0.3)) >= 3


def test_without_things_there_is_nothing_to_split():
    with pytest.raises(OptionError, match="none of the classes is a thing: sky, sea"):
        refined("split", of(np.eye(4), LabelSet.of(["sky", "sea"])))


def photo(shift=0):
    """A bright square on dark ground with a little noise, and its mask moved aside."""
    grey = np.full((60, 60), 60.0)
    grey[15:45, 15:45] = 180
    noisy = np.clip(grey + np.random.default_rng(0).normal(0, 5, grey.shape), 0, 255).astype(np.uint8)
    return noisy, np.roll(grey > 100, shift, axis=1)


@pytest.mark.parametrize(("name", "options"), [("grabcut", {}), ("guided", {"radius": 8, "softness": 0.001})])
@pytest.mark.parametrize("kind", ["instance", "panoptic", "semantic"])
def test_an_outline_a_little_off_is_drawn_to_the_edge(name, options, kind):
    grey, truth = photo()
    _, moved = photo(shift=3)
    ids = moved.astype(np.uint8) + np.uint8(1)
    found = {
        "instance": Segmentation.from_masks("instance", moved[None], [1], LABELS),
        "panoptic": Segmentation("panoptic", DisjointMasks(ids, 2), np.array([0, 1]), LABELS),
        "semantic": of(moved),
    }[kind]
    after = refined(name, found, grey, **options)
    drawn = after.masks.mask(after.class_ids.tolist().index(1))
    assert (drawn != truth).mean() < 0.4 * (moved != truth).mean()


def test_the_guided_filter_is_the_fit_of_its_paper():
    """Against the definition: a line of colours in each window by least squares, and the mean of the lines at each pixel."""
    from pixelwise.refine.guided import _filtered

    rng = np.random.default_rng(3)
    pixels, field, radius, softness = rng.random((9, 10, 3)).astype(np.float32), rng.random((1, 9, 10)), 1, 0.01
    guide, own = (np.pad(each, ((6, 6), (6, 6), (0, 0)), mode="symmetric") for each in (pixels, field[0][:, :, None]))
    slopes, offsets = np.zeros((*guide.shape[:2], 3)), np.zeros(guide.shape[:2])
    for y in range(radius, guide.shape[0] - radius):
        for x in range(radius, guide.shape[1] - radius):
            window = slice(y - radius, y + radius + 1), slice(x - radius, x + radius + 1)
            colours, values = guide[window].reshape(-1, 3).astype(np.float64), own[window].ravel()
            covariance = np.cov(colours.T, bias=True) + softness * np.eye(3)
            slopes[y, x] = np.linalg.solve(
                covariance, ((colours - colours.mean(0)) * (values - values.mean())[:, None]).mean(0)
            )
            offsets[y, x] = values.mean() - slopes[y, x] @ colours.mean(0)
    wanted = np.zeros((9, 10))
    for y in range(9):
        for x in range(10):
            window = slice(y + 6 - radius, y + 7 + radius), slice(x + 6 - radius, x + 7 + radius)
            wanted[y, x] = (slopes[window].mean(axis=(0, 1)) * guide[y + 6, x + 6]).sum() + offsets[window].mean()
    got = _filtered(as_image(pixels), field.astype(np.float32), radius, softness)[0]
    inside = np.s_[2:-2, 2:-2]  # at the border it matters how the means of lines are continued
    np.testing.assert_allclose(got[inside], np.clip(wanted, 0, 1)[inside], atol=2e-3)


def test_strips_of_the_guided_filter_equal_the_whole(monkeypatch):
    from pixelwise.refine import guided

    rng = np.random.default_rng(4)
    image, fields = as_image(rng.random((40, 21, 3))), rng.random((2, 40, 21)).astype(np.float32)
    whole = guided._filtered(image, fields, 2, 0.01)
    monkeypatch.setattr(guided, "_STRIP", 100)
    np.testing.assert_allclose(guided._filtered(image, fields, 2, 0.01), whole, atol=1e-4)


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("holes", {"area": 0}),
        ("smallest", {"area": 0}),
        ("smooth", {"radius": 0}),
        ("merge", {"colour": -1.0}),
        ("merge", {"area": 0}),
        ("split", {"depth": 0.0}),
        ("guided", {"radius": 0}),
        ("guided", {"softness": 0.0}),
        ("grabcut", {"band": 0}),
        ("grabcut", {"rounds": 0}),
    ],
)
def test_options_out_of_range_are_refused(name, options):
    with pytest.raises(OptionError, match=f"{name}: "):
        refined(name, of(ring()), **options)


@pytest.mark.parametrize(("module", "limit"), [(crf, "_OBJECT"), (grabcut, "_PIXELS")])
def test_an_object_worked_out_on_fewer_pixels_says_so(monkeypatch, module, limit):
    mask = np.zeros((1, 40, 40), bool)
    mask[0, 10:30, 10:30] = True
    image = as_image(np.where(mask[0], 200, 40).astype(np.uint8))
    found = Segmentation.from_masks("instance", mask, [0], LabelSet.of(["a"], things=["a"]), notes=("first",))
    assert module.refine(image, found).notes == ("first",)
    monkeypatch.setattr(module, limit, 400)
    refined = module.refine(image, found)
    assert (refined.masks.mask(0) != mask[0]).mean() < 0.1
    assert refined.notes[0] == "first"
    assert "in windows of more than 400 pixels" in refined.notes[1]
