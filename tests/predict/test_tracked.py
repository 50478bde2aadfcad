"""Objects keep their numbers through a film: past one another, behind something, with faint and false detections."""

import numpy as np
import pytest

from pixelwise.core.card import Card
from pixelwise.core.errors import OptionError
from pixelwise.core.image import Image
from pixelwise.core.labels import LabelSet
from pixelwise.core.predictor import PLAIN
from pixelwise.core.segmentation import Segmentation
from pixelwise.methods.predictor import Method
from pixelwise.predict.refined import Refined
from pixelwise.predict.tracked import Tracked
from pixelwise.predict.tracking.motion import Motion
from pixelwise.predict.tracking.shapes import Shape, overlaps
from pixelwise.predict.tracking.tracks import Tracking
from pixelwise.scenes import video

SIZE = (60, 120)
LABELS = LabelSet.of(["ball", "wall"], things=["ball", "wall"])


class Told:
    """A predictor that gives the segmentations it was told, one after the other."""

    def __init__(self, found, kind="instance", labels=LABELS):
        self.found = list(found)
        self.card = Card("told", kind, labels)
        self._next = 0

    def __call__(self, images, request=PLAIN):
        first, self._next = self._next, self._next + len(images)
        return self.found[first : self._next]


def disc(x, y=30, radius=8):
    rows, columns = np.mgrid[: SIZE[0], : SIZE[1]]
    return (rows - y) ** 2 + (columns - x) ** 2 <= radius**2


def frame(masks, classes=None, scores=None):
    return Segmentation.from_masks(
        "instance", np.reshape(masks, (-1, *SIZE)), classes or [0] * len(masks), LABELS, scores=scores
    )


def tracked(frames, tracking=None, images=None):
    images = images or [Image(np.full((*SIZE, 3), 90, np.uint8))] * len(frames)
    return Tracked(Told(frames), tracking or Tracking())(images)


def numbers(found):
    return [one.track_ids.tolist() for one in found]


def behind_a_wall(hidden):
    """A red ball that passes behind a wall so wide that nothing of it is seen for ``hidden`` frames; and one that does not."""
    step, radius = 3, 8
    left = 45
    right = left + 2 * radius + hidden * step
    frames, images = [], []
    for index in range(45):
        ball, other = disc(4 + step * index - 40, 30, radius), disc(20 + index % 5, 50, 6)
        wall = np.zeros(SIZE, bool)
        wall[18:43, left:right] = True
        ball &= ~wall
        pixels = np.full((*SIZE, 3), 90, np.uint8)
        pixels[wall], pixels[ball], pixels[other] = (40, 40, 40), (220, 30, 30), (30, 30, 220)
        masks = [(mask, name) for mask, name in ((ball, 1), (other, 2)) if mask.any()]
        frames.append((frame([mask for mask, _ in masks]), [name for _, name in masks]))
        images.append(Image(pixels))
    return frames, images


def switches(found, names):
    """Count how often an object is given another number than the last time it was seen, as CLEAR MOT does."""
    last, count = {}, 0
    for one, own in zip(found, names, strict=True):
        for name, number in zip(own, one.track_ids.tolist(), strict=True):
            count += last.get(name, number) != number
            last[name] = number
    return count


def test_a_number_lasts_through_an_occlusion_of_10_frames():
    frames, images = behind_a_wall(10)
    names = [own for _, own in frames]
    gone = [1 not in own for own in names]
    assert sum(gone[15:]) == 10, "the ball is hidden for ten frames, and seen before and after"
    found = tracked([one for one, _ in frames], Tracking(confirm=1), images)
    assert switches(found, names) == 0
    assert set(np.concatenate([one.track_ids for one in found]).tolist()) == {1, 2}


def test_one_that_was_hidden_for_longer_than_it_is_waited_for_is_another():
    frames, images = behind_a_wall(10)
    found = tracked([one for one, _ in frames], Tracking(confirm=1, keep=5), images)
    assert switches(found, [own for _, own in frames]) == 1


def test_two_that_pass_each_other_keep_their_numbers():
    frames = [frame([disc(20 + 3 * index, 26), disc(100 - 3 * index, 34)]) for index in range(27)]
    assert set(map(tuple, numbers(tracked(frames)))) == {(1, 2)}


def test_a_faint_detection_goes_on_with_a_track_but_begins_none():
    frames = [frame([disc(20 + index)], scores=np.array([0.3 if 3 < index < 8 else 0.9])) for index in range(12)]
    assert numbers(tracked(frames)) == [[1]] * 12
    faint = [frame([disc(20)], scores=np.array([0.3]))] * 5
    assert numbers(tracked(faint)) == [[]] * 5


def test_a_detection_of_a_single_frame_gets_no_number():
    frames = [frame([disc(20)] + ([disc(80)] if index in (3, 6, 7) else [])) for index in range(10)]
    assert numbers(tracked(frames)) == [[1]] * 7 + [[1, 2]] + [[1]] * 2


def test_objects_of_two_classes_are_never_one():
    frames = [frame([disc(30)], classes=[0])] * 3 + [frame([disc(30)], classes=[1])] * 3
    assert numbers(tracked(frames, Tracking(confirm=1))) == [[1]] * 3 + [[2]] * 3


def test_another_scene_ends_all_tracks():
    images = [Image(np.full((*SIZE, 3), level, np.uint8)) for level in (20, 20, 220, 220)]
    assert numbers(tracked([frame([disc(30)])] * 4, images=images)) == [[1], [1], [2], [2]]


def test_a_stream_gives_what_a_call_gives_and_holds_nothing_back():
    frames = [frame([disc(20 + 2 * index)]) for index in range(6)]
    taken = []

    def images():
        for index in range(6):
            taken.append(index)
            yield Image(np.full((*SIZE, 3), 90, np.uint8))

    stream = Tracked(Told(frames)).stream(images(), batch=1)
    next(stream)
    assert taken == [0]
    assert [one.track_ids.tolist() for one in stream] == [[1]] * 5


@pytest.mark.parametrize("seed", range(4))
def test_things_of_a_drawn_film_keep_their_numbers(seed):
    film = video(24, (96, 128), "panoptic", seed)
    found = Tracked(Told([sample.truth for sample in film], "panoptic", film.labels))([sample.image for sample in film])
    stuff = len(film.labels.names) - len(film.labels.things)
    last, wrong, seen = {}, 0, 0
    for one, sample in zip(found, film, strict=True):
        truth = sample.truth
        for row, (own, number) in enumerate(zip(truth.track_ids.tolist(), one.track_ids.tolist(), strict=True)):
            if truth.class_ids[row] < stuff:
                assert number == truth.class_ids[row] + 1
                continue
            assert number > len(film.labels)
            seen += 1
            if truth.masks.areas()[row] > 4:  # a thing of a pixel jumps by more than its size
                wrong += last.get(own, number) != number
                last[own] = number
    assert seen > 40
    assert wrong == 0


def test_regions_of_a_method_are_followed_and_class_maps_are_refused_with_what_to_do():
    images = []
    for index in range(4):
        pixels = np.full((40, 60), 30, np.uint8)
        pixels[10:20, 5 + 3 * index : 20 + 3 * index] = 220
        images.append(Image(pixels[:, :, None], ("grey",)))
    found = Tracked(Method("felzenszwalb"))(images)
    assert len(found[0]) > 1
    assert all(sorted(one.track_ids.tolist()) == sorted(found[0].track_ids.tolist()) for one in found)
    assert numbers(Tracked(Refined(Method("otsu"), "split"))(images)) == [[1]] * 4
    with pytest.raises(OptionError, match="--refine split"):
        Tracked(Method("otsu"))


def test_options_that_contradict_each_other_are_refused():
    with pytest.raises(OptionError, match="0 <= low <= high <= 1"):
        Tracking(high=0.1, low=0.5)
    with pytest.raises(OptionError, match="confirm from 1"):
        Tracking(confirm=0)


def test_motion_foresees_what_moves_evenly():
    motion = Motion.begin((0, 0, 10, 20))
    for step in range(1, 15):
        motion = motion.ahead().seen((2 * step, step, 10 + 2 * step, 20 + step))
    assert np.allclose(motion.ahead().centre, (5 + 30, 10 + 15), atol=0.3)


def test_overlaps_are_those_of_whole_masks():
    rng = np.random.default_rng(0)
    wholes = rng.random((2, 20, 20)) > 0.5
    shapes = [Shape(0, 0, whole, int(whole.sum())) for whole in wholes]
    union, inside = overlaps(shapes[:1], [shapes[1].moved(3, -2)])
    moved = np.zeros((20, 20), bool)
    moved[:18, 3:] = wholes[1][2:, :17]
    common = int((wholes[0] & moved).sum())
    total = int(wholes[0].sum() + wholes[1].sum())
    assert union[0, 0] == common / (total - common)
    assert inside[0, 0] == common / min(int(wholes[0].sum()), int(wholes[1].sum()))
