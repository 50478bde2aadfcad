"""Instances over tiles: each object is there once, whole, with its class and score, however the image was cut."""

import numpy as np
import pytest
from placed_objects import LABELS, Oracle, Places, Scene, Thing, places

from pixelwise.core import runs
from pixelwise.core.card import Card
from pixelwise.core.errors import DataError, OptionError, TooLarge
from pixelwise.core.labels import LabelSet
from pixelwise.core.predictor import Request
from pixelwise.core.prompt import Prompt
from pixelwise.core.segmentation import Segmentation
from pixelwise.predict.tiles.joined import Joined
from pixelwise.predict.tiles.matching import Rules
from pixelwise.predict.tiles.tiling import Tiling


def joined(oracle, tile=(40, 50), overlap=12, rules=None, stride=1):
    return Joined(oracle, Tiling(tile, overlap, stride=stride), rules).segment(Places(oracle.scene.size))


def as_set(found):
    return sorted((int(one), mask.counts) for one, mask in zip(found.class_ids, found.masks.run_lengths(), strict=True))


def bars(size, *rows):
    """Draw one thing a row of a scene: (top, left, bottom, right[, class, score])."""
    things = [Thing(top, left, np.ones((bottom - top, right - left), bool), *more) for top, left, bottom, right, *more in rows]
    return Scene(size, things)


@pytest.mark.parametrize("size", [(40, 51), (97, 131), (41, 200)])
@pytest.mark.parametrize(("tile", "overlap"), [((40, 50), 12), ((32, 32), 18), ((64, 48), 3)])
def test_every_object_is_found_once_and_bit_for_bit_as_it_is(size, tile, overlap):
    rng = np.random.default_rng(sum(size))
    scene = Scene(size).draw(30, (2, 8), rng).draw(4, (10, 40), rng)
    assert as_set(joined(Oracle(scene), tile, overlap)) == as_set(scene.truth())


def test_tiles_on_a_stride_are_joined_likewise():
    scene = Scene((97, 131)).draw(30, (2, 30), np.random.default_rng(0))
    assert as_set(joined(Oracle(scene), (48, 48), 9, stride=16)) == as_set(scene.truth())


def test_an_object_over_many_tiles_is_one_though_tiles_show_its_ends_as_several():
    shape = np.zeros((150, 180), bool)
    shape[10:140, 20:30] = shape[10:20, 20:160] = shape[10:140, 150:160] = shape[10:140, 85:95] = True  # an m
    scene = Scene(shape.shape, [Thing(0, 0, shape)])
    oracle = Oracle(scene, splits=True)
    assert as_set(joined(oracle, (40, 110))) == as_set(scene.truth())
    assert len(joined(oracle, (40, 110), rules=Rules(contained=1.1))) > 1


def test_a_ring_of_which_no_tile_shows_the_middle_is_one():
    y, x = np.mgrid[:200, :200] - 100
    ring = (np.hypot(y, x) < 95) & (np.hypot(y, x) > 80)
    scene = Scene((200, 200), [Thing(0, 0, ring)])
    assert as_set(joined(Oracle(scene, splits=True))) == as_set(scene.truth())


def test_objects_of_one_class_that_lie_on_one_another_stay_apart():
    scene = bars((60, 90), (10, 10, 50, 80), (20, 30, 40, 60), (0, 40, 60, 46), (25, 44, 30, 50))
    assert as_set(joined(Oracle(scene))) == as_set(scene.truth())


def test_neighbours_that_touch_stay_apart_though_their_borders_differ_from_tile_to_tile():
    scene = bars((60, 90), *((top, left, top + 10, left + 15) for top in range(0, 60, 10) for left in range(0, 90, 15)))
    assert len(joined(Oracle(scene, jitter=1))) == len(scene.things)


def test_classes_are_joined_only_where_that_is_asked_for():
    class Undecided(Oracle):
        def _one(self, top, left, size):
            found = super()._one(top, left, size)
            classes = np.full(len(found), 0 if left == 0 else 1)
            return Segmentation("instance", found.masks, classes, LABELS, np.where(classes, 0.9, 0.5))

    scene = bars((30, 88), (5, 10, 25, 80))
    assert sorted(joined(Undecided(scene)).class_ids) == [0, 1]
    found = joined(Undecided(scene), rules=Rules(across_classes=True))
    assert found.class_ids.tolist() == [1]  # more pixels, and better scores
    assert as_set(found)[0][1] == as_set(scene.truth())[0][1]


class Ranked(Oracle):
    """Score objects by the tile: 0.2 in the first, 0.6 in the others."""

    def _one(self, top, left, size):
        found = super()._one(top, left, size)
        return Segmentation("instance", found.masks, found.class_ids, LABELS, np.full(len(found), 0.6 if left else 0.2))


def test_an_object_that_a_tile_shows_whole_has_its_score():
    whole_in_second = bars((30, 88), (5, 40, 25, 60))
    assert joined(Ranked(whole_in_second)).scores.tolist() == [0.6]


def test_the_score_of_an_object_that_is_put_together_is_weighted_by_pixels():
    over_both = bars((30, 88), (5, 4, 25, 84))
    assert joined(Ranked(over_both)).scores[0] == pytest.approx((0.2 * 40 + 0.6 * 40) / 80)  # the cores meet at 44


def test_scores_fall_from_the_first_object_to_the_last():
    scene = Scene((97, 131)).draw(30, (2, 20), np.random.default_rng(1))
    assert (np.diff(joined(Oracle(scene)).scores) <= 0).all()


def test_objects_without_scores_are_joined_likewise():
    scene = Scene((97, 131)).draw(30, (2, 20), np.random.default_rng(1))
    found = joined(Oracle(scene, scored=False))
    assert found.scores is None
    assert as_set(found) == as_set(scene.truth())


@pytest.mark.parametrize("missing", [(0, 0, 0), (0, 0, 38)])
def test_an_object_whole_in_the_overlap_stays_if_one_tile_has_missed_it(missing):
    scene = bars((30, 88), (5, 40, 15, 48))
    assert as_set(joined(Oracle(scene, hides=frozenset({missing})))) == as_set(scene.truth())


def test_where_the_most_central_tile_has_missed_an_object_the_others_decide():
    scene = bars((30, 126), (5, 10, 25, 120))  # tiles at 0, 38 and 76
    found = joined(Oracle(scene, hides=frozenset({(0, 0, 38)})))
    assert sorted(mask.box for mask in found.masks.run_lengths()) == [(10, 5, 50, 25), (76, 5, 120, 25)]


def test_a_scrap_at_a_tiles_end_that_no_other_tile_confirms_is_no_object():
    scene = bars((30, 88), (5, 46, 25, 70))
    assert len(joined(Oracle(scene, hides=frozenset({(0, 0, 38)})))) == 0


def test_crowds_are_joined_with_crowds_alone():
    class Crowded(Oracle):
        def _one(self, top, left, size):
            found = super()._one(top, left, size)
            return Segmentation("instance", found.masks, found.class_ids, LABELS, crowd=found.class_ids == 1)

    scene = bars((30, 88), (5, 4, 25, 84, 0), (5, 4, 25, 84, 1))
    found = joined(Crowded(scene))
    assert sorted(zip(found.class_ids.tolist(), found.crowd.tolist(), strict=True)) == [(0, False), (1, True)]


def test_an_image_without_objects_has_none():
    found = joined(Oracle(Scene((97, 131))))
    assert (len(found), found.size, found.kind) == (0, (97, 131), "instance")


def test_images_are_cut_and_those_that_fit_into_a_tile_go_through_whole_with_the_request():
    scene = Scene((97, 131)).draw(30, (2, 20), np.random.default_rng(1))
    oracle, request = Oracle(scene), Request(threshold=0.3)
    small, large = Joined(oracle, Tiling((40, 50), 12))([places((20, 50)), places((97, 131))], request)
    assert oracle.asked[0] == ((20, 50), request)
    assert {size for size, _ in oracle.asked[1:]} == {(40, 50)}
    assert {asked for _, asked in oracle.asked} == {request}
    assert small == oracle([places((20, 50))])[0]
    assert as_set(large) == as_set(scene.truth())


def test_progress_counts_tiles():
    told = []
    predictor = Joined(Oracle(Scene((40, 88))), Tiling((40, 50), 12))
    predictor.segment(Places((40, 88)), progress=lambda *numbers: told.append(numbers))
    assert told == [(1, 2), (2, 2)]


@pytest.mark.parametrize("seed", range(3))
def test_objects_that_differ_from_tile_to_tile_are_still_there_once(seed):
    scene = Scene((200, 260)).draw(40, (7, 16), np.random.default_rng(seed))
    found, truth = joined(Oracle(scene, jitter=1, missed=0.05, invented=1), (90, 100), 40), scene.truth()
    found = found[found.scores >= 0.5]
    alike = runs.intersection_over_union(found.masks.run_lengths(), truth.masks.run_lengths())
    alike *= found.class_ids[:, None] == truth.class_ids
    assert ((alike > 0.5).sum(axis=0) <= 1).all()  # none is there twice
    assert (alike.max(axis=0) > 0.5).mean() >= 0.9  # and few are lost: those that lie in one tile alone, and it missed them


class Of:
    def __init__(self, kind):
        self.card = Card("of", kind, LabelSet.of(["a"]))


@pytest.mark.parametrize(
    ("kind", "overlap", "says"),
    [
        ("regions", 4, "nothing tells which of two tiles"),
        ("semantic", 4, "use Tiled"),
        ("instance", 0, "overlap above 0, got 0"),
    ],
)
def test_what_cannot_be_joined_is_refused(kind, overlap, says):
    with pytest.raises(OptionError, match=says):
        Joined(Of(kind), Tiling((40, 50), overlap))


@pytest.mark.parametrize("request_", [Request(probabilities=True), Request(prompts=((Prompt(box=(0, 0, 2, 2)),),))])
def test_probabilities_and_prompts_are_refused_of_images_that_are_cut(request_):
    with pytest.raises(OptionError):
        Joined(Oracle(Scene((40, 88))), Tiling((40, 50), 12))([places((40, 88))], request_)


def test_an_image_of_more_pixels_than_run_lengths_count_is_refused_before_work_begins():
    oracle = Oracle(Scene((65536, 65536)))
    with pytest.raises(TooLarge, match="4,294,967,295 pixels"):
        Joined(oracle, Tiling((4096, 4096), 64)).segment(Places((65536, 65536)))
    assert not oracle.asked


def test_a_predictor_that_gives_another_kind_or_size_is_named():
    class Wrong(Oracle):
        def _one(self, top, left, size):
            return Segmentation.from_class_map(np.zeros(size, np.uint8), LABELS)

    with pytest.raises(DataError, match="got semantic ones"):
        joined(Wrong(Scene((40, 88))))


@pytest.mark.parametrize("options", [{"alike": 0}, {"alike": 1.1}, {"contained": 0}, {"margin": 0}])
def test_rules_out_of_range_are_refused(options):
    with pytest.raises(OptionError, match="expected shares above 0"):
        Rules(**options)


def test_results_of_other_tiles_or_rules_are_not_taken_for_these():
    oracle = Oracle(Scene((40, 88)))
    sums = {
        Joined(oracle, Tiling(tile, overlap), Rules(alike=alike)).fingerprint()
        for tile, overlap, alike in [((40, 50), 12, 0.3), ((40, 50), 12, 0.4), ((40, 50), 13, 0.3), ((40, 51), 12, 0.3)]
    }
    assert len(sums) == 4
