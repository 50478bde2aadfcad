"""Planes of files made elsewhere: layouts, activations, sizes."""

import numpy as np
import pytest

from pixelwise.core.errors import DataError
from pixelwise.core.labels import LabelSet
from pixelwise.core.predictor import PLAIN, Request
from pixelwise.decode.frame import Frame
from pixelwise.decode.planes import PlanesReduced, decode

TWO = LabelSet.of(["background", "person"])
THREE = LabelSet.of(["a", "b", "c"])


def one(planes, labels=TWO, frame=None, request=PLAIN, **options):
    planes = np.asarray(planes, np.float32)
    (found,) = decode(PlanesReduced(planes), [frame or Frame((2, 2))], labels, request, **options)
    return found


def test_one_plane_is_the_probability_of_the_foreground():
    found = one([[[[0.9, 0.2], [0.4, 0.6]]]], request=Request(probabilities=True))
    assert found.class_map().tolist() == [[1, 0], [0, 1]]
    assert found.probabilities[1] == pytest.approx(np.array([[0.9, 0.2], [0.4, 0.6]]))
    assert found.probabilities.sum(axis=0) == pytest.approx(1)


def test_the_threshold_moves_the_border_of_one_plane():
    assert one([[[[0.9, 0.2], [0.4, 0.6]]]], request=Request(threshold=0.3)).class_map().tolist() == [[1, 0], [1, 1]]


def test_layouts_say_where_the_classes_are():
    planes = np.random.default_rng(0).random((1, 3, 2, 2)).astype(np.float32)
    first = one(planes, THREE).class_map()
    assert (one(planes.transpose(0, 2, 3, 1), THREE, layout="NHWC").class_map() == first).all()
    assert one([[[0.9, 0.1], [0.1, 0.9]]], layout="NHW").class_map().tolist() == [[1, 0], [0, 1]]


def test_logits_become_probabilities_by_the_activation():
    wants = Request(probabilities=True)
    sigmoid = one([[[[0.0, 3.0], [-3.0, 0.0]]]], request=wants, activation="sigmoid")
    assert sigmoid.probabilities[1, 0, 1] == pytest.approx(1 / (1 + np.exp(-3)))
    softmax = one(np.log([[[[0.2]], [[0.3]], [[0.5]]]]), THREE, Frame((1, 1)), wants, activation="softmax")
    assert softmax.probabilities.ravel() == pytest.approx([0.2, 0.3, 0.5], abs=1e-6)


def test_a_small_plane_is_brought_to_the_images_size_bilinearly():
    found = one([[[[1.0, 0.0]]]], frame=Frame((1, 4), (1.0, 0.5)), request=Request(probabilities=True))
    assert found.probabilities[1].tolist() == [[1.0, 0.75, 0.25, 0.0]]


def test_padding_is_cut_off_before_resizing():
    padded = np.zeros((1, 1, 4, 4), np.float32)
    padded[:, :, :2] = 1  # the image's rows; those below are padding
    assert (one(padded, frame=Frame((4, 8), (0.5, 0.5), (2, 0))).class_map() == 1).all()


def test_another_number_of_planes_than_classes_is_refused():
    with pytest.raises(DataError, match="expected 3 planes, one a class, got 2"):
        one(np.zeros((1, 2, 2, 2)), THREE)
