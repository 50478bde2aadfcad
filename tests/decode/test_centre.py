"""Centres: grouping against a search by loops, and what votes, thresholds and frames do on written-out cases."""

import numpy as np
import pytest

from pixelwise.core.errors import DataError, OptionError
from pixelwise.core.labels import LabelSet
from pixelwise.core.predictor import Request
from pixelwise.core.segmentation import Segmentation
from pixelwise.decode import centre
from pixelwise.decode.centre import CentreReduced, Rules, nearest
from pixelwise.decode.decoders import Decoder
from pixelwise.decode.frame import Frame

LABELS = LabelSet.of(["sky", "car", "dog"], things=["car", "dog"])
SKY, CAR, DOG = range(3)
PLAIN = Request()
PANOPTIC = Rules()


def reduced(semantic, centres=(), scores=(), offsets=None, confidence=0.5, rows=4) -> CentreReduced:
    """Make what a head leaves of one image, with a fixed number of rows for centres, and offsets at full size."""
    semantic = np.array(semantic, np.uint8)
    places, heights = np.zeros((1, rows, 2), np.int64), np.zeros((1, rows), np.float32)
    places[0, : len(centres)], heights[0, : len(scores)] = np.reshape(centres, (-1, 2)), scores
    offsets = np.zeros((2, *semantic.shape), np.float32) if offsets is None else np.asarray(offsets, np.float32)
    sure = np.broadcast_to(np.float32(confidence), semantic.shape)
    return CentreReduced(semantic[None], sure[None], offsets[None], places, heights, np.array([semantic.shape]))


def decoded(
    given: CentreReduced, rules: Rules = PANOPTIC, request: Request = PLAIN, frame: Frame | None = None
) -> Segmentation:
    frame = Frame(given.semantic.shape[1:]) if frame is None else frame
    return centre.decode(given, [frame], LABELS, request, rules)[0]


def test_every_pixel_of_a_thing_goes_to_the_centre_that_a_search_by_loops_finds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(centre, "_STRIP", 50)  # several strips, the last one shorter
    monkeypatch.setattr(centre, "_AT_ONCE", 30)
    rng = np.random.default_rng(4)
    size, centres = (11, 14), rng.choice(11 * 14, 7, replace=False)
    semantic = rng.integers(0, 3, size)
    offsets = rng.normal(0, 3, (2, *size)).astype(np.float32)
    places = np.stack(np.divmod(centres, size[1]), axis=1)
    found = decoded(reduced(semantic, places, np.linspace(0.9, 0.3, 7), offsets, rows=9))
    groups: dict[int, list[tuple[int, int]]] = {}
    for row in range(size[0]):
        for column in range(size[1]):
            if semantic[row, column] != SKY:
                y, x = row + offsets[0, row, column], column + offsets[1, row, column]
                far = [(y - one[0]) ** 2 + (x - one[1]) ** 2 for one in places.tolist()]
                groups.setdefault(far.index(min(far)), []).append((row, column))
    things = [index for index, of_class in enumerate(found.class_ids) if of_class != SKY]
    assert {frozenset(zip(*found.masks.mask(index).nonzero(), strict=True)) for index in things} == set(
        map(frozenset, groups.values())
    )
    assert (found.class_map()[semantic == SKY] == SKY).all()


def test_equally_near_centres_give_the_first() -> None:
    assert nearest(np.array([[0.0, 1.0]]), np.array([[0, 2], [0, 0]])).tolist() == [0]


def test_a_group_has_the_class_of_most_of_its_pixels_and_those_of_others_count_nothing_in_its_score() -> None:
    found = decoded(reduced([[CAR, CAR, DOG, SKY]], [[0, 1]], [0.8], confidence=0.5))
    assert found.names == ["car", "sky"]
    assert found.class_map().tolist() == [[CAR, CAR, CAR, SKY]]
    assert found.scores == pytest.approx([0.8 * 2 * 0.5 / 3, 0.5])


def test_things_without_a_centre_are_void() -> None:
    found = decoded(reduced([[CAR, SKY]]))
    assert found.class_map().tolist() == [[LABELS.void, SKY]]


def test_stuff_below_the_limit_is_left_out() -> None:
    given = reduced([[SKY, SKY, CAR]], [[0, 2]], [0.9])
    assert decoded(given, Rules(stuff_area=2)).names == ["car", "sky"]
    assert decoded(given, Rules(stuff_area=3)).names == ["car"]


def test_a_threshold_of_panoptic_hands_pixels_of_weak_centres_to_others() -> None:
    given = reduced([[CAR, CAR, CAR, CAR]], [[0, 0], [0, 3]], [0.9, 0.4])
    assert len(decoded(given)) == 2
    assert decoded(given, request=Request(threshold=0.5)).panoptic_ids().tolist() == [[1, 1, 1, 1]]


def test_instances_are_sorted_and_those_below_a_threshold_are_left_out() -> None:
    nothing = len(LABELS)
    given = reduced([[CAR, nothing, SKY, SKY]], [[0, 0], [0, 3]], [0.6, 0.9])
    found = decoded(given, Rules("instance"))
    assert (found.kind, found.names) == ("instance", ["sky", "car"])
    assert found.scores == pytest.approx([0.45, 0.3])
    assert found.panoptic_ids().tolist() == [[2, 0, 1, 1]]
    assert decoded(given, Rules("instance"), Request(threshold=0.4)).names == ["sky"]


def test_an_image_read_at_half_its_size_is_grouped_at_its_own_pixels() -> None:
    given = reduced([[CAR, CAR], [CAR, CAR]], [[0, 0], [0, 1]], [0.9, 0.9])
    found = decoded(given, frame=Frame((3, 4), (0.5, 0.5)))
    assert found.panoptic_ids().tolist() == [[1, 1, 2, 2]] * 3


def test_padding_below_and_to_the_right_counts_for_nothing() -> None:
    given = reduced([[CAR, SKY, DOG], [DOG, DOG, DOG]], [[0, 0]], [0.9])
    found = decoded(given, frame=Frame((1, 2), padding=(1, 1)))
    assert found.names == ["car", "sky"]
    assert found.size == (1, 2)


def test_no_numbers_and_probabilities_are_refused() -> None:
    with pytest.raises(DataError, match="NaN"):
        decoded(reduced([[CAR]], confidence=np.nan))
    with pytest.raises(ValueError, match="panoptic"):
        decoded(reduced([[CAR]]), request=Request(probabilities=True))


def test_rules_that_make_no_sense_are_refused() -> None:
    with pytest.raises(OptionError, match="centre_score"):
        Rules(centre_score=1.5)
    with pytest.raises(OptionError, match="stuff_area"):
        Rules(stuff_area=-1)


def test_a_decoder_comes_back_from_json() -> None:
    given = reduced([[CAR, SKY]], [[0, 0]], [0.9])
    again = Decoder.from_json(Decoder("centre", Rules(stuff_area=2).to_json()).to_json())
    assert again(given, [Frame((1, 2))], LABELS, PLAIN)[0].names == ["car"]
