"""The CRF against the exact sums over all pairs of pixels, and against what it is for."""

from dataclasses import replace

import numpy as np
import pytest

from pixelwise.core.errors import OptionError
from pixelwise.core.image import as_image
from pixelwise.core.labels import LabelSet
from pixelwise.core.segmentation import Segmentation
from pixelwise.refine import crf, lattice
from pixelwise.refine.lattice import Lattice
from pixelwise.refine.meanfield import LEAST, Pull, mean_field
from pixelwise.refine.refiner import Refiner
from pixelwise.scenes import scenes

PULLS = [Pull(10, 80, 13, 3, 3), Pull(3, 20, 6, 0, 2), Pull(4, 40, 6, 3, 3)]


def exact(probabilities, colours, pull, rounds):
    """Mean field with all N x N pairs: softmax(log P + a A Q + s S Q), each kernel scaled by 1 / sqrt(d_i d_j)."""
    length, height, width = probabilities.shape
    places = np.stack(np.mgrid[:height, :width], axis=-1).reshape(-1, 2).astype(np.float64)
    shades = colours.reshape(height * width, -1).astype(np.float64)

    def kernel(points):
        gaussian = np.exp(-0.5 * ((points[:, None] - points[None]) ** 2).sum(axis=-1))
        root = np.sqrt(gaussian.sum(axis=1))
        return gaussian / root[:, None] / root[None]

    appearance = kernel(np.concatenate([places / pull.reach, shades / pull.colour], axis=1))
    smoothness = kernel(places / pull.near)
    known = probabilities.reshape(length, -1).T.astype(np.float64)
    marginals = known / known.sum(axis=1, keepdims=True)
    for _ in range(rounds):
        message = np.log(np.maximum(known, LEAST)) + pull.appearance * appearance @ marginals
        message += pull.smoothness * smoothness @ marginals
        marginals = np.exp(message - message.max(axis=1, keepdims=True))
        marginals /= marginals.sum(axis=1, keepdims=True)
    return marginals.T.reshape(length, height, width)


def scene(seed, size=(24, 24)):
    """A drawn scene, and probabilities of five classes that are right on the whole and blurred and noisy at each pixel."""
    import cv2

    rng = np.random.default_rng(seed)
    sample = next(iter(scenes(1, size=(96, 96), seed=seed)))
    top, left = rng.integers(0, 96 - size[0]), rng.integers(0, 96 - size[1])
    window = slice(top, top + size[0]), slice(left, left + size[1])
    classes = np.minimum(sample.truth.semantic().class_map()[window], 4)
    hot = np.eye(5, dtype=np.float32)[classes]
    soft = cv2.GaussianBlur(hot, (0, 0), 2.0) + rng.random((*size, 5)).astype(np.float32) * 0.4
    soft /= soft.sum(axis=2, keepdims=True)
    return np.ascontiguousarray(soft.transpose(2, 0, 1)), sample.image.bytes()[window].astype(np.float32), classes


@pytest.mark.parametrize("most", [lattice.EVERY_PAIR, 0])
@pytest.mark.parametrize("pull", PULLS)
def test_mean_field_agrees_with_the_sums_over_all_pairs(monkeypatch, pull, most):
    monkeypatch.setattr(lattice, "EVERY_PAIR", most)  # 0: by the lattice, which 24 x 24 pixels would not need
    differences, equal = [], []
    for seed in range(4):
        probabilities, colours, _ = scene(seed)
        wanted, got = exact(probabilities, colours, pull, 10), mean_field(probabilities, colours, pull, 10)
        differences.append(np.abs(wanted - got).mean())
        equal.append((wanted.argmax(axis=0) == got.argmax(axis=0)).mean())
    assert max(differences) <= 1e-2
    assert np.mean(equal) >= 0.99


@pytest.mark.slow
def test_the_lattice_agrees_with_the_sums_over_all_pairs_on_more_pixels():
    probabilities, colours, _ = scene(7, size=(48, 64))
    for pull in PULLS:
        wanted, got = exact(probabilities, colours, pull, 10), mean_field(probabilities, colours, pull, 10)
        assert np.abs(wanted - got).mean() <= 1e-2
        assert (wanted.argmax(axis=0) == got.argmax(axis=0)).mean() >= 0.99


def test_noise_agrees_with_the_sums_over_all_pairs():
    rng = np.random.default_rng(5)
    probabilities = rng.dirichlet(np.ones(4), (24, 24)).transpose(2, 0, 1).astype(np.float32)
    colours = rng.integers(0, 256, (24, 24, 3)).astype(np.float32)
    for pull in PULLS:
        wanted, got = exact(probabilities, colours, pull, 10), mean_field(probabilities, colours, pull, 10)
        assert np.abs(wanted - got).mean() <= 1e-2
        assert (wanted.argmax(axis=0) == got.argmax(axis=0)).mean() >= 0.99


@pytest.mark.parametrize("dimensions", [1, 2, 3, 5])
def test_lattice_sums_are_those_of_gaussians(dimensions):
    rng = np.random.default_rng(dimensions)
    points, values = rng.normal(0, 1.5, (400, dimensions)), rng.random((400, 2)).astype(np.float32)
    points[:200] /= 4  # some crowded, some nearly alone
    gaussian = np.exp(-0.5 * ((points[:, None] - points[None]) ** 2).sum(axis=-1))
    root = np.sqrt(gaussian.sum(axis=1, keepdims=True))
    wanted = (gaussian / root / root.T) @ values
    differences = np.abs(Lattice(points).sums(values) - wanted)
    assert differences.mean() < 0.04 * wanted.mean()  # those nearly alone in five dimensions are up to a half off


def test_points_far_apart_do_not_touch():
    points = np.array([[0.0, 0.0], [100.0, 0.0], [-1e6, 3e5]])
    np.testing.assert_allclose(Lattice(points).sums(np.eye(3, dtype=np.float32)), np.eye(3), atol=1e-6)


def test_a_ragged_outline_is_drawn_to_the_edge_of_the_image():
    pixels = np.full((60, 80, 3), 60, np.uint8)
    pixels[15:45, 20:60] = 170, 90, 40
    truth = (pixels[:, :, 0] > 100).astype(np.uint8)
    ragged = np.roll(truth, 3, axis=1)
    labels = LabelSet.of(["a", "b"])
    refined = Refiner("crf")(as_image(pixels), Segmentation.from_class_map(ragged, labels))
    assert (refined.class_map() == truth).mean() > 0.995 > (ragged == truth).mean()


def test_an_object_is_drawn_to_its_edge_alone():
    pixels = np.full((50, 50, 3), 60, np.uint8)
    pixels[10:40, 10:40] = 170
    truth = pixels[:, :, 0] > 100
    masks = np.stack([np.roll(truth, 2, axis=0), truth & (np.arange(50) > 24)])
    given = Segmentation.from_masks("instance", masks, [0, 0], LabelSet.of(["a"], things=["a"]), scores=[0.9, 0.4])
    refined = Refiner("crf")(as_image(pixels), given)
    assert (refined.masks.mask(0) == truth).mean() > 0.99
    assert refined.scores.tolist() == [0.9, 0.4]


def test_a_threshold_holds_for_the_marginals():
    labels = LabelSet.of(["background", "a"])
    given = Segmentation.from_class_map(
        np.zeros((8, 8), np.uint8), labels, probabilities=np.stack([np.full((8, 8), 0.6), np.full((8, 8), 0.4)])
    )
    image = as_image(np.full((8, 8), 9, np.uint8))
    assert Refiner("crf", rounds=1)(image, given, threshold=0.01).class_map().min() == 1
    assert Refiner("crf", rounds=1)(image, given).class_map().max() == 0


def test_a_large_image_is_worked_on_reduced_and_says_so(monkeypatch):
    monkeypatch.setattr(crf, "PIXELS", 1200)
    pixels = np.full((60, 80, 3), 60, np.uint8)
    pixels[15:45, 20:60] = 170, 90, 40
    truth = (pixels[:, :, 0] > 100).astype(np.uint8)
    soft = np.clip(np.roll(truth, 3, axis=1), 0.2, 0.8).astype(np.float32)
    given = Segmentation.from_class_map(truth, LabelSet.of(["a", "b"]), probabilities=np.stack([1 - soft, soft]))
    refined = Refiner("crf")(as_image(pixels), given)
    by_label = Refiner("crf")(as_image(pixels), replace(given, probabilities=None))
    for one in (refined, by_label):
        assert one.notes[0].startswith("worked out on 30 x 40 of 60 x 80 pixels")
        assert (one.class_map() == truth).mean() > 0.98


@pytest.mark.parametrize(
    "options",
    [
        {"reach": 0.5},
        {"colour": 0},
        {"appearance": -1},
        {"appearance": 50, "smoothness": 20},
        {"rounds": 0},
        {"certainty": 1.0},
    ],
)
def test_options_out_of_range_are_refused(options):
    given = Segmentation.from_class_map(np.eye(4, dtype=np.uint8), LabelSet.of(["a", "b"]))
    with pytest.raises(OptionError, match="crf: "):
        Refiner("crf", **{key: float(value) if key != "rounds" else value for key, value in options.items()})(
            as_image(np.eye(4, dtype=bool)), given
        )


@pytest.mark.slow
def test_labels_are_those_of_the_authors_program():
    """pydensecrf2 has no wheels and is no dependency; where somebody built it, 99 % of labels are equal."""
    dense = pytest.importorskip("pydensecrf.densecrf")
    probabilities, colours, _ = scene(1, size=(80, 90))
    pull = Pull(10, 80, 13, 3, 3)
    peer = dense.DenseCRF2D(90, 80, 5)
    peer.setUnaryEnergy(np.ascontiguousarray(-np.log(probabilities.reshape(5, -1))))
    peer.addPairwiseGaussian(sxy=pull.near, compat=pull.smoothness)
    image = np.ascontiguousarray(colours.astype(np.uint8))
    peer.addPairwiseBilateral(sxy=pull.reach, srgb=pull.colour, rgbim=image, compat=pull.appearance)
    wanted = np.array(peer.inference(10)).reshape(5, 80, 90)
    got = mean_field(probabilities, colours, pull, 10)
    assert (wanted.argmax(axis=0) == got.argmax(axis=0)).mean() > 0.99
