"""Steadiness in films: what flickers, what is right twice, and what the optical flow carries along."""

import math

import cv2
import numpy as np
import pytest

from pixelwise.core.errors import PixelwiseError, SizeMismatch
from pixelwise.core.image import Image
from pixelwise.core.labels import LabelSet
from pixelwise.core.segmentation import Segmentation
from pixelwise.metrics import temporal
from pixelwise.metrics.context import Before, Context
from pixelwise.metrics.interval import Bootstrap, draws
from pixelwise.scenes import video as drawn_film

LABELS = LabelSet.of(["sky", "car"])
VOID = 255


def seg(rows, labels=LABELS):
    return Segmentation.from_class_map(np.array(rows, np.uint8), labels)


def after(prediction, truth, images=None, clip="film"):
    """Make the context of a frame that follows another; ``images`` are of this frame and the one before."""
    now, then = (None, None) if images is None else ((lambda one=one: one) for one in images)
    return Context(clip=clip, frame=1, before=Before(prediction, truth, then), image=now)


def scores(prediction, truth, before, true_before, images=None):
    return temporal.score(temporal.count(prediction, truth, after(before, true_before, images)))


def shifted(size=(60, 80), by=(3, 5)):
    """Make an image of smooth noise, and the same moved down and to the right."""
    rng = np.random.default_rng(0)
    noise = cv2.GaussianBlur(rng.random((size[0] + 20, size[1] + 20)).astype(np.float32), (0, 0), 2)
    grey = np.uint8(255 * (noise - noise.min()) / np.ptp(noise))
    then = grey[10:-10, 10:-10]
    now = grey[10 - by[0] : -10 - by[0], 10 - by[1] : -10 - by[1]]
    return Image(np.repeat(now[..., None], 3, axis=2)), Image(np.repeat(then[..., None], 3, axis=2))


def square(top, left, size=(60, 80), around=0):
    classes = np.full(size, around, np.uint8)
    classes[top : top + 20, left : left + 20] = 1
    return seg(classes)


def wrong_everywhere(one):
    return seg(np.where(one.class_map() == VOID, VOID, 1 - one.class_map()))


class TestStability:
    def test_it_is_the_share_of_still_pixels_whose_prediction_stays(self):
        true_before, truth = seg([[0, 0, 0, 1, 1, VOID]]), seg([[0, 0, 0, 0, 1, 0]])  # four stay
        before, prediction = seg([[0, 1, 0, 0, 1, 0]]), seg([[0, 1, 1, 1, 1, 1]])
        found = scores(prediction, truth, before, true_before)
        assert found["temporal_stability"] == 3 / 4
        assert found["video_consistency"] == 2 / 4

    def test_a_steady_error_is_stable_but_not_consistent(self):
        truth = square(5, 5)
        found = scores(wrong_everywhere(truth), truth, wrong_everywhere(truth), truth)
        assert (found["temporal_stability"], found["video_consistency"]) == (1, 0)

    def test_what_changes_in_the_truth_does_not_count(self):
        found = scores(square(5, 9), square(5, 9), square(5, 5), square(5, 5))
        assert (found["temporal_stability"], found["video_consistency"]) == (1, 1)

    def test_classes_are_joined_by_name(self):
        other = LabelSet.of(["car", "tree", "sky"])
        truth = seg([[0, 1, 0]])
        found = scores(seg([[2, 0, 1]], other), truth, seg([[2, 0, 1]], other), truth)
        assert found["video_consistency"] == 2 / 3

    def test_without_truth_in_both_frames_it_is_unknown(self):
        found = scores(seg([[0, 1]]), seg([[0, VOID]]), seg([[0, 1]]), seg([[VOID, 1]]))
        assert math.isnan(found["temporal_stability"])


class TestFlow:
    def test_a_prediction_that_moves_with_the_image_is_consistent(self):
        unknown = seg(np.full((60, 80), VOID))
        moved = scores(square(23, 35), unknown, square(20, 30), unknown, shifted())["temporal_consistency"]
        still = scores(square(20, 30), unknown, square(20, 30), unknown, shifted())["temporal_consistency"]
        assert moved > 0.97
        assert still < 0.8

    def test_it_is_the_mean_iou_with_what_was_carried_along(self):
        from sklearn.metrics import jaccard_score

        now, then = shifted()
        flow = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM).calc(
            *(np.ascontiguousarray(one.pixels[..., 0]) for one in (now, then)), None
        )
        prediction, before, unknown = square(23, 33), square(20, 30), seg(np.full((60, 80), VOID))
        pairs = []
        for y, x in np.ndindex(60, 80):
            v, u = round(float(y + np.float64(flow[y, x, 1]))), round(float(x + np.float64(flow[y, x, 0])))
            if 0 <= v < 60 and 0 <= u < 80:
                pairs.append((prediction.class_map()[y, x], before.class_map()[v, u]))
        expected = jaccard_score(*zip(*pairs, strict=True), average="macro")
        found = scores(prediction, unknown, before, unknown, (now, then))
        assert found["temporal_consistency"] == pytest.approx(expected, rel=0, abs=1e-12)

    def test_truth_is_consistent_with_itself_where_the_flow_can_be_trusted(self):
        found = scores(square(20, 30), square(20, 30), square(20, 30), square(20, 30), shifted())
        assert found["temporal_consistency"] == 1

    def test_pixels_of_no_predicted_class_are_one_class_more(self):
        unknown = seg(np.full((60, 80), VOID))
        found = scores(square(23, 35, around=VOID), unknown, square(20, 30, around=VOID), unknown, shifted())
        assert found == pytest.approx(
            scores(square(23, 35), unknown, square(20, 30), unknown, shifted()), rel=0, abs=0, nan_ok=True
        )

    def test_how_far_the_flow_was_trusted_is_told(self):
        counts = temporal.count(square(20, 30), square(20, 30), after(square(20, 30), square(20, 30), shifted()))
        (row,) = temporal.details(counts, ["a"])["steadiness"]
        assert (row["clip"], row["pairs"]) == ("film", 1)
        assert 0.9 < row["flow_trusted"] < 0.99

    @pytest.mark.parametrize("bands", [("grey",), ("red", "green", "blue", "near infrared")])
    def test_images_of_other_bands_are_read_as_grey(self, bands):
        images = [Image(np.repeat(one.pixels[..., :1], len(bands), axis=2), bands) for one in shifted()]
        unknown = seg(np.full((60, 80), VOID))
        assert scores(square(23, 35), unknown, square(20, 30), unknown, images)["temporal_consistency"] > 0.97

    def test_images_that_cannot_be_read_leave_it_unknown(self):
        def broken():
            raise PixelwiseError("gone")

        truth = square(5, 5)
        context = Context(clip="film", before=Before(truth, truth, broken), image=broken)
        found = temporal.score(temporal.count(truth, truth, context))
        assert math.isnan(found["temporal_consistency"])
        assert found["temporal_stability"] == 1

    def test_frames_of_a_few_pixels_have_no_flow(self):
        images = [Image(np.zeros((8, 9, 3), np.uint8))] * 2
        truth = seg(np.zeros((8, 9)))
        found = scores(truth, truth, truth, truth, images)
        assert math.isnan(found["temporal_consistency"])


@pytest.mark.parametrize("size", [(0, 0), (0, 3), (3, 4)])
def test_frames_without_labels_survive(size):
    none = seg(np.full(size, VOID))
    assert all(math.isnan(value) for value in scores(none, none, none, none).values())


def test_an_image_that_stands_alone_has_no_score():
    counts = temporal.count(square(5, 5), square(5, 5))
    assert all(math.isnan(value) for value in temporal.score(counts).values())
    assert temporal.details(counts, ["a"]) == {"steadiness": []}


def test_frames_of_other_sizes_are_refused():
    with pytest.raises(SizeMismatch, match="the one before it"):
        scores(seg([[0]]), seg([[0]]), seg([[0, 1]]), seg([[0, 1]]))
    with pytest.raises(SizeMismatch, match="the image"):
        scores(square(5, 5), square(5, 5), square(5, 5), square(5, 5), [Image(np.zeros((70, 80, 3), np.uint8))] * 2)


def test_means_are_over_pairs_then_clips():
    truth = seg([[0, 1]])
    steady, changed = (truth, truth), (truth, seg([[1, 0]]))
    parts = [
        temporal.count(now, truth, after(then, truth, clip=clip))
        for (now, then), clip in ((steady, "a"), (steady, "a"), (changed, "a"), (changed, "a"), (steady, "b"))
    ]
    assert temporal.score(sum(parts))["temporal_stability"] == (0.5 + 1) / 2


def films(noise):
    """Count two drawn films whose predictions are wrong at some pixels, other ones in each frame."""
    rng = np.random.default_rng(0)
    parts = []
    for clip in range(2):
        last = None
        for sample in drawn_film(4 + clip, (48, 64), kind="semantic", seed=clip):
            truth = sample.truth
            classes = np.where(rng.random(truth.size) < noise, rng.integers(0, 7, truth.size), truth.class_map())
            guess = Segmentation.from_class_map(classes.astype(np.uint8), truth.labels)
            context = Context.of(sample, last)
            parts.append(temporal.count(guess, truth, context))
            last = Before(guess, truth, context.image)
    return parts


def test_truth_is_perfect_and_noise_is_not():
    assert set(temporal.score(sum(films(0))).values()) == {1.0}
    assert all(0 < value < 0.9 for value in temporal.score(sum(films(0.2))).values())


def test_parts_add_in_any_order():
    parts = films(0.1)
    whole = temporal.score(sum(parts))
    assert temporal.score(sum(parts[5:][::-1]) + sum(parts[:5])) == whole


def test_resampled_clips_equal_clips_counted_as_often():
    parts = films(0.1)
    clips = [part.clips[0] for part in parts]
    weights = next(draws(clips, Bootstrap(resamples=100)))
    found = temporal.resampled(sum(parts), weights).scores
    for row, times in enumerate(weights[:10]):
        copies = [
            temporal.Counts((f"{part.clips[0]} {copy}",), part.rows)
            for part, often in zip(parts, times, strict=True)
            for copy in range(often)
        ]
        expected = temporal.score(sum(copies))
        assert {name: values[row] for name, values in found.items()} == pytest.approx(expected, rel=0, abs=1e-12)


@pytest.mark.shared_data
def test_a_film_whose_masks_follow_the_car_is_steadier_than_one_whose_masks_jump(shared_data):
    folder = shared_data / "video" / "car-shadow"
    frames = sorted((folder / "frames").glob("*.jpg"))[:4]
    images = [Image(cv2.cvtColor(cv2.imread(str(path)), cv2.COLOR_BGR2RGB)) for path in frames]
    masks = [seg(cv2.imread(str(folder / "masks" / f"{path.stem}.png"), cv2.IMREAD_GRAYSCALE) > 0) for path in frames]
    jumping = [seg(np.roll(one.class_map(), 30 * (number % 2), axis=1)) for number, one in enumerate(masks)]
    unknown = seg(np.full(masks[0].size, VOID))

    def film(predictions, truths):
        found = []
        for number in range(1, 4):
            pair = images[number], images[number - 1]
            context = after(predictions[number - 1], truths[number - 1], pair)
            found.append(temporal.count(predictions[number], truths[number], context))
        return temporal.score(sum(found))["temporal_consistency"]

    assert film(masks, masks) == 1
    assert film(masks, [unknown] * 4) > 0.9
    assert film(jumping, masks) < film(masks, [unknown] * 4) - 0.1
