"""Objects of a method without classes take those of their colours, and stay apart."""

import numpy as np

from pixelwise.core.card import Card
from pixelwise.core.image import as_image
from pixelwise.core.labels import LabelSet
from pixelwise.core.predictor import PLAIN, Predictor
from pixelwise.core.sample import Dataset, Sample
from pixelwise.core.segmentation import Segmentation
from pixelwise.jobs.objects import as_objects, match_objects, parts_objects
from pixelwise.methods.predictor import Method

FRONT = LabelSet.of(["background", "foreground"], things=["foreground"])
LABELS = LabelSet.of(["soil", "leaf"], things=["leaf"])
IDS = np.array([[2, 2, 1, 3, 3], [1, 1, 1, 1, 1], [4, 4, 1, 1, 1]])
GREY = np.array([[200, 200, 20, 200, 200], [20, 20, 20, 20, 20], [20, 20, 20, 20, 20]], np.uint8)


class Given:
    """Find a background and three objects, of which the last is as dark as the background."""

    card = Card("given", "panoptic", FRONT)

    def __call__(self, images, request=PLAIN):
        masks = np.stack([number == IDS for number in range(1, 5)])
        return [Segmentation.from_masks("panoptic", masks, [0, 1, 1, 1], FRONT, notes=("told",)) for _ in images]


def labelled():
    truth = Segmentation.from_class_map((GREY > 100).astype(np.uint8), LABELS)
    return Dataset([Sample.of("one", as_image(GREY), truth)], LABELS, "semantic")


def test_things_stay_apart_and_the_rest_is_one_segment_a_class():
    predictor = match_objects(Given(), labelled(), "panoptic")
    assert isinstance(predictor, Predictor)
    (found,) = predictor([as_image(GREY)])
    assert (found.kind, predictor.card.kind) == ("panoptic", "panoptic")
    assert found.names == ["leaf", "leaf", "soil"]
    assert found.panoptic_ids().tolist() == [[1, 1, 3, 2, 2], [3, 3, 3, 3, 3], [3, 3, 3, 3, 3]]
    assert found.notes == ("told",)


def test_instances_are_the_things_alone():
    (found,) = match_objects(Given(), labelled(), "instance")([as_image(GREY)])
    assert found.kind == "instance"
    assert found.panoptic_ids().tolist() == [[1, 1, 0, 2, 2], [0, 0, 0, 0, 0], [0, 0, 0, 0, 0]]


def test_only_what_gives_objects_parts_them():
    assert parts_objects(Method("watershed"))
    assert not parts_objects(Method("otsu"))
    assert not parts_objects(Method("kmeans"))


def test_connected_parts_of_what_a_method_finds_are_objects():
    masks = np.zeros((2, 30, 40), bool)
    masks[0, 4:16, 4:16] = masks[1, 12:26, 24:36] = True
    grey = np.where(masks.any(axis=0), 200, 20).astype(np.uint8)
    grey[2, 38] = 200  # a speck
    labels = LabelSet.of(["cell"], things=["cell"])
    data = Dataset(
        [Sample.of("one", as_image(grey), Segmentation.from_masks("instance", masks, [0, 0], labels))], labels, "instance"
    )
    (found,) = as_objects(Method("otsu"), data)([as_image(grey)])
    assert (found.kind, found.names) == ("instance", ["cell", "cell"])
    assert sorted(found.masks.areas().tolist()) == [144, 168]
