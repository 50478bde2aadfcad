"""Films: J and F against a plain version of the published rule, who is matched with whom, which frames count."""

import itertools
import math

import numpy as np
import pytest
from davis_oracle import SIZE, blob, perturbed, plain_f, plain_j
from hypothesis import given, settings
from hypothesis import strategies as st

from pixelwise.core.errors import DataError, SizeMismatch
from pixelwise.core.labels import LabelSet
from pixelwise.core.segmentation import Segmentation
from pixelwise.metrics import video
from pixelwise.metrics.context import ALONE, Context
from pixelwise.metrics.interval import Bootstrap, draws
from pixelwise.scenes import video as drawn_film

LABELS = LabelSet.of(["cat", "dog"], things=["cat", "dog"])


def objects(masks, numbers=None, classes=None, size=SIZE, **rows):
    """Make a frame of masks (S, H, W), numbered for the film or not."""
    stack = np.asarray(masks, bool)
    stack = stack.reshape(-1, *size) if stack.size else np.zeros((0, *size), bool)
    numbers = None if numbers is None else np.asarray(numbers, np.int64)
    return Segmentation.from_masks("instance", stack, classes or [0] * len(stack), LABELS, track_ids=numbers, **rows)


def box(top, left, bottom, right, size=SIZE):
    mask = np.zeros(size, bool)
    mask[top:bottom, left:right] = True
    return mask


def frame(number, clip="film"):
    return Context(key=(1, 0, f"{clip}_{number:04d}"), clip=clip, frame=number)


def film(truths, predictions, clip="film"):
    pairs = enumerate(zip(predictions, truths, strict=True))
    return [video.count(prediction, truth, frame(number, clip)) for number, (prediction, truth) in pairs]


class TestOneFrame:
    @pytest.mark.parametrize("seed", range(30))
    def test_j_and_f_equal_the_published_rule(self, seed):
        rng = np.random.default_rng(seed)
        truth = blob(rng)
        prediction = perturbed(truth, rng) if seed % 2 else blob(rng)
        found = video.score(video.count(objects(prediction, [1]), objects(truth, [1])))
        if not truth.any():
            assert math.isnan(found["j"])  # there is no object
            return
        assert found["j"] == pytest.approx(plain_j(truth, prediction), rel=0, abs=1e-12)
        assert found["f"] == pytest.approx(plain_f(truth, prediction), rel=0, abs=1e-12)

    @pytest.mark.parametrize("size", [(300, 500), (640, 90)])
    def test_frames_of_any_size_equal_it_too(self, size):
        corner, rough = box(0, 0, 9, 50, size), blob(np.random.default_rng(1), size)
        for truth, prediction in ((box(20, 10, 250, 80, size), box(26, 12, 250, 83, size)), (corner, rough)):
            found = video.score(video.count(objects(prediction, size=size), objects(truth, size=size)))
            assert found["j"] == pytest.approx(plain_j(truth, prediction), rel=0, abs=1e-12)
            assert found["f"] == pytest.approx(plain_f(truth, prediction), rel=0, abs=1e-12)

    def test_a_missing_prediction_scores_nothing(self):
        found = video.score(video.count(objects([]), objects(box(5, 5, 20, 20), [1])))
        assert (found["j"], found["f"], found["j_recall"]) == (0, 0, 0)

    def test_a_mask_without_border_has_a_contour_of_one_against_none(self):
        found = video.score(video.count(objects([]), objects(np.ones(SIZE), [1])))
        assert (found["j"], found["f"]) == (0, 1)

    def test_pixels_under_a_crowd_are_void(self):
        truth = objects([box(0, 0, 20, 20), box(0, 20, 40, 60)], [1, 2], crowd=np.array([False, True]))
        exact, over = objects(box(0, 0, 20, 20), [1]), objects(box(0, 0, 20, 35), [1])
        assert video.score(video.count(over, truth)) == video.score(video.count(exact, truth))

    def test_predictions_of_low_score_are_left_out(self):
        truth = objects(box(0, 0, 20, 20), [1])
        assert video.score(video.count(objects(box(0, 0, 20, 20), [1], scores=np.array([0.4])), truth))["j"] == 0
        assert video.score(video.count(objects(box(0, 0, 20, 20), [1], scores=np.array([0.5])), truth))["j"] == 1

    @pytest.mark.parametrize("value", [math.nan, -0.1, 1.5])
    def test_a_score_outside_0_1_is_named(self, value):
        prediction = objects([box(0, 0, 9, 9), box(9, 9, 20, 20)], scores=np.array([0.5, value]))
        with pytest.raises(DataError, match=f"segment 1 has the score {value}"):
            video.count(prediction, objects([]))

    def test_a_number_used_twice_is_refused(self):
        twice = objects([box(0, 0, 9, 9), box(9, 9, 20, 20)], [4, 4])
        with pytest.raises(DataError, match="two masks of the number 4"):
            video.count(twice, objects([]))

    def test_other_sizes_are_refused(self):
        with pytest.raises(SizeMismatch):
            video.count(objects([], size=(3, 4)), objects([]))

    @pytest.mark.parametrize("size", [(0, 0), (0, 5), (3, 4)])
    def test_a_frame_without_objects_counts_for_nothing(self, size):
        none = video.count(objects([], size=size), objects([], size=size))
        assert all(math.isnan(value) for value in video.score(none).values())
        assert all(row["objects"] == 0 and math.isnan(row["j"]) for row in video.per_class(none).values())
        one = video.count(objects(box(0, 0, 9, 9)), objects(box(0, 0, 9, 12)))
        assert video.score(one + none) == video.score(one)


def moving(shifts, numbers=(1, 2)):
    """Make a film of two boxes; in each frame the first is moved by a shift."""
    return [objects([box(5, 5 + shift, 15, 15 + shift), box(20, 30, 38, 50)], numbers) for shift in shifts]


class TestClip:
    def test_the_first_and_last_frame_do_not_count(self):
        truths = moving([0, 0, 0, 0])
        bad = objects([], [])
        counts = sum(film(truths, [bad, *truths[1:3], bad]))
        assert video.score(counts)["j_and_f"] == 1
        assert video.score(counts)["j_and_f_unsupervised"] == 0.5

    def test_all_frames_of_a_short_clip_count(self):
        truths = moving([0, 0])
        assert video.score(sum(film(truths, [truths[0], objects([], [])])))["j"] == 0.5

    def test_means_are_over_frames_then_objects_of_all_clips(self):
        long, short = moving([0] * 7), moving([0], numbers=(1, 2))
        only_first = [one[[0]] for one in long]
        counts = sum(film(long, only_first)) + sum(film(short, short, clip="other"))
        assert video.score(counts)["j"] == (1 + 0 + 1 + 1) / 4

    def test_recall_is_the_share_of_frames_above_a_half(self):
        truths = moving([0] * 6, numbers=(1, 2))
        predictions = moving([0, 0, 3, 4, 9, 0])  # IoU 1, 0.54, 0.43, 0.05
        assert video.score(sum(film(truths, predictions)))["j_recall"] == (0.5 + 1) / 2

    def test_decay_is_the_loss_from_the_first_quarter_to_the_last(self):
        truths = moving([0] * 10)
        predictions = [truths[0][[0]] if number < 5 else objects([], []) for number in range(10)]
        rows = video.details(sum(film(truths, predictions)), [str(number) for number in range(10)])["followed"]
        assert [(row["object"], row["frames"], row["j_decay"]) for row in rows] == [(2, 8, 0.0), (1, 8, 1.0)]

    def test_a_frame_in_which_neither_is_has_both_scores_one(self):
        truths = moving([0] * 4)
        truths[1] = truths[1][[0]]
        assert video.score(sum(film(truths, truths)))["j_and_f"] == 1

    def test_frames_are_ordered_by_number_wherever_they_were_counted(self):
        truths, predictions = moving([0] * 12), moving([0, 1, 2, 0, 5, 1, 7, 3, 2, 1, 0, 9])
        parts = film(truths, predictions)
        shuffled = [parts[number] for number in np.random.default_rng(0).permutation(12)]
        assert video.score(sum(shuffled)) == video.score(sum(parts))

    def test_images_of_no_clip_stand_alone(self):
        truth = objects(box(5, 5, 15, 15), [1])
        counts = [video.count(one, truth, ALONE) for one in (truth, objects([], []), truth)]
        assert video.score(sum(counts))["j"] == 2 / 3


class TestMatching:
    def test_a_prediction_is_of_the_object_of_its_number(self):
        truths = moving([0] * 4)
        swapped = [objects(one.masks.dense(), [2, 1]) for one in truths]
        found = video.score(sum(film(truths, swapped)))
        assert found["j"] == 0
        assert found["j_and_f_unsupervised"] == 1

    def test_tracks_are_given_to_objects_over_the_whole_clip(self):
        truths = moving([0] * 5)
        swaps = [objects(one.masks.dense(), [7, 9] if number < 3 else [9, 7]) for number, one in enumerate(truths)]
        assert video.score(sum(film(truths, swaps)))["j_and_f_unsupervised"] == pytest.approx(3 / 5)

    def test_the_best_assignment_is_found(self):
        rng = np.random.default_rng(3)
        truths = [objects([blob(rng) | box(0, 0, 2, 2), blob(rng) | box(9, 9, 12, 12)], [1, 2]) for _ in range(3)]
        predictions = [objects([perturbed(m, rng) for m in (*t.masks.dense(), blob(rng))], [5, 6, 7]) for t in truths]
        found = video.score(sum(film(truths, predictions)))["j_and_f_unsupervised"]

        def plain(order):
            pairs = [
                (truth.masks.mask(place), guess.masks.mask(order[place]))
                for truth, guess in zip(truths, predictions, strict=True)
                for place in (0, 1)
            ]
            return np.mean([[plain_j(*pair), plain_f(*pair)] for pair in pairs])

        best = max(plain(order) for order in itertools.permutations(range(3), 2))
        assert found == pytest.approx(best, rel=0, abs=1e-12)

    def test_without_numbers_each_frame_is_matched_for_the_best_fit(self):
        truths = moving([0] * 4)
        turned = [objects(one.masks.dense()[::-1]) for one in truths]
        counts = sum(film(truths, turned))
        assert video.score(counts)["j_and_f"] == 1
        assert not video.details(counts, list("abcd"))["film"]["matched_by_number"]

    def test_objects_without_numbers_stand_for_themselves(self):
        truths = [objects(one.masks.dense()) for one in moving([0] * 4)]
        counts = sum(film(truths, [one[[0]] for one in truths]))
        assert video.score(counts)["j"] == 0.5
        assert {row["object"] for row in video.details(counts, list("abcd"))["followed"]} == {None}

    def test_predictions_of_no_object_are_told_but_do_not_count(self):
        truths = moving([0] * 4)
        more = [objects([*one.masks.dense(), box(0, 50, 9, 60)], [1, 2, 8]) for one in truths]
        counts = sum(film(truths, more))
        assert video.score(counts)["j_and_f"] == 1
        assert video.details(counts, list("abcd"))["film"]["tracks_of_no_object"] == 1

    def test_classes_group_objects_and_do_not_match_them(self):
        truths = [objects(one.masks.dense(), [1, 2], [0, 1]) for one in moving([0] * 3)]
        predictions = [objects(one.masks.dense()[[1]], [2], [0]) for one in truths]
        assert video.per_class(sum(film(truths, predictions))) == {
            "cat": {"j": 0, "f": 0, "j_and_f": 0, "objects": 1},
            "dog": {"j": 1, "f": 1, "j_and_f": 1, "objects": 1},
        }


def noisy(seed):
    """Make the counts of three drawn films of unequal length with noisy predictions."""
    rng = np.random.default_rng(seed)
    found = []
    for clip, length in enumerate((2, 5, 6)):
        truths = [sample.truth for sample in drawn_film(length, (32, 48), seed=seed % 50 + clip)]
        for number, truth in enumerate(truths):
            masks = np.array([perturbed(mask, rng) for mask in truth.masks.dense()]).reshape(-1, 32, 48)
            kept = rng.random(len(masks)) < 0.8
            guess = Segmentation.from_masks(
                "instance", masks[kept], truth.class_ids[kept], truth.labels, track_ids=truth.track_ids[kept]
            )
            found.append((guess, truth, frame(number, f"film {clip}")))
    return found


def test_resampled_clips_equal_clips_counted_as_often():
    every = noisy(3)
    groups = [context.clip for _, _, context in every]
    weights = next(draws(groups, Bootstrap(resamples=100)))
    found = video.resampled(sum(video.count(*one) for one in every), weights)
    for row, times in enumerate(weights[:10]):
        copies = [
            video.count(guess, truth, Context(context.key, clip=f"{context.clip} {copy}", frame=context.frame))
            for (guess, truth, context), often in zip(every, times, strict=True)
            for copy in range(often)
        ]
        expected, by_class = video.score(sum(copies)), video.per_class(sum(copies))
        assert {name: values[row] for name, values in found.scores.items()} == pytest.approx(expected, rel=0, abs=1e-12)
        for name, values in by_class.items():
            for key in ("j", "f", "j_and_f"):
                assert found.per_class[name][key][row] == pytest.approx(values[key], rel=0, abs=1e-12, nan_ok=True)


@settings(max_examples=8)
@given(st.integers(0, 1000), st.randoms(use_true_random=False))
def test_parts_add_in_any_order_and_truth_is_perfect(seed, random):
    every = noisy(seed)
    parts = [video.count(*one) for one in every]
    whole = video.score(sum(parts))
    random.shuffle(parts)
    assert video.score(sum(parts[:4]) + sum(parts[4:])) == whole
    assert set(video.score(sum(video.count(truth, truth, context) for _, truth, context in every)).values()) == {1.0}


@settings(max_examples=8)
@given(st.integers(0, 1000), st.randoms(use_true_random=False))
def test_neither_the_order_nor_the_numbers_of_objects_matter(seed, random):
    names = random.sample(range(100, 200), 60)

    def renamed(one):
        order = random.sample(range(len(one)), len(one))
        numbers = np.array([names[number] for number in one.track_ids], np.int64)
        return Segmentation(
            one.kind, one.masks.select(np.array(order, np.int64)), one.class_ids[order], one.labels, track_ids=numbers[order]
        )

    every = noisy(seed)
    whole = video.score(sum(video.count(*one) for one in every))
    other = video.score(sum(video.count(renamed(guess), renamed(truth), context) for guess, truth, context in every))
    assert other == pytest.approx(whole, rel=0, abs=1e-12)


@pytest.mark.shared_data
def test_a_real_film_scores_as_by_the_published_rule(shared_data):
    import cv2

    rng = np.random.default_rng(0)
    paths = sorted((shared_data / "video" / "car-shadow" / "masks").glob("*.png"))[:40:8]
    masks = [cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)[::2, ::2] > 0 for path in paths]
    size = masks[0].shape
    guesses = [perturbed(mask, rng) for mask in masks]
    truths, predictions = ([objects(mask, [1], size=size) for mask in each] for each in (masks, guesses))
    found = video.score(sum(film(truths, predictions)))
    pairs = list(zip(masks, guesses, strict=True))[1:-1]
    assert found["j"] == pytest.approx(np.mean([plain_j(*pair) for pair in pairs]), rel=0, abs=1e-12)
    assert found["f"] == pytest.approx(np.mean([plain_f(*pair) for pair in pairs]), rel=0, abs=1e-12)
    assert 0.5 < found["j_and_f"] < 1
