"""An exported file as a predictor: sizes, bands, batches and requests, on a session of NumPy."""

from pathlib import Path

import numpy as np
import pytest

from pixelwise.core.card import Card
from pixelwise.core.errors import CheckpointError, DataError, OptionError, TooLarge
from pixelwise.core.image import Image
from pixelwise.core.labels import LabelSet
from pixelwise.core.predictor import Request
from pixelwise.decode.decoders import Decoder
from pixelwise.export.artefact import Artefact
from pixelwise.export.sheet import Input, Sheet
from pixelwise.predict.calibrated import Calibrated
from pixelwise.predict.flipped import Flipped
from pixelwise.predict.tiled import Tiled

LABELS = LabelSet.of(["dark", "light"])


class Bright:
    """Classes by brightness, as sure as it is far from the middle; keeps what it was given."""

    def __init__(self):
        self.given = []

    def __call__(self, images):
        self.given.append(images)
        level = images.astype(np.float32).mean(axis=-1)
        if images.dtype == np.uint8:
            level /= 255
        return [(level > 0.5).astype(np.uint8), np.maximum(level, 1 - level)]


def artefact(kind="semantic", session=None, **given):
    card = Card("bright", kind, LABELS)
    return Artefact(
        session or Bright(), Sheet(card, Decoder("pixel"), ("classes", "confidence"), Input(**given)), Path("a.onnx")
    )


def image(size=(6, 8), value=200, dtype=np.uint8):
    return Image(np.full((*size, 3), value, dtype))


def test_classes_and_their_mean_certainty_are_those_of_the_graph():
    half = np.zeros((2, 4, 3), np.uint8)
    half[:, 2:] = 255
    half[0, 3] = 204
    (found,) = artefact()([Image(half)])
    assert found.class_map().tolist() == [[0, 0, 1, 1]] * 2
    assert found.scores == pytest.approx([1.0, 0.95])


def test_images_of_one_size_share_a_call():
    session = Bright()
    found = artefact(session=session)([image(), image((4, 4)), image(value=10)])
    assert [given.shape for given in session.given] == [(2, 6, 8, 3), (1, 4, 4, 3)]
    assert [one.size for one in found] == [(6, 8), (4, 4), (6, 8)]
    assert [int(one.class_ids[0]) for one in found] == [1, 1, 0]


def test_padding_counts_for_nothing():
    session, pixels = Bright(), np.zeros((5, 7, 3), np.uint8)
    pixels[:, -1] = 255
    pixels[:, 0] = 51
    (found,) = artefact(session=session, least=16)([Image(pixels)])
    assert session.given[0].shape == (1, 16, 16, 3)
    assert (session.given[0][0, :5, 7:] == 255).all(), "the edge is repeated"
    assert found.class_map().sum() == 5
    assert found.scores[0] == pytest.approx((0.8 + 5 * 1.0) / 6)


def test_a_fixed_batch_is_filled_and_what_fills_it_is_left_out():
    session = Bright()
    found = artefact(session=session, batch=2)([image(), image(), image(value=10)])
    assert [len(given) for given in session.given] == [2, 2]
    assert [int(one.class_ids[0]) for one in found] == [1, 1, 0]


def test_a_fixed_size_takes_smaller_images_and_sends_larger_ones_to_tiles():
    one = artefact(size=(6, 8))
    assert one([image((3, 8))])[0].size == (3, 8)
    with pytest.raises(TooLarge, match=r"a\.onnx: takes images of 6 x 8 .* got 7 x 8; cut it into tiles: --tile 6,8"):
        one([image((7, 8))])


def test_a_model_of_whole_images_of_one_size_gets_them_resized():
    session, pixels = Bright(), np.zeros((12, 16, 3), np.uint8)
    pixels[:6] = 255
    (found,) = artefact(session=session, size=(6, 8), fit="resize")([Image(pixels)])
    assert session.given[0].shape == (1, 6, 8, 3)
    assert found.class_map().tolist() == [[1] * 16] * 6 + [[0] * 16] * 6


def test_values_are_brought_to_what_the_graph_takes():
    session = Bright()
    made = artefact(session=session, values="float32", layout="NHWC", mean=(0.5,) * 3, deviation=(0.25,) * 3)
    made([image(value=65535, dtype=np.uint16), image(value=0)])
    assert session.given[0].dtype == np.float32
    assert session.given[0].max() == 2
    assert session.given[1].min() == -2


def test_channels_come_first_where_the_graph_wants_them_so():
    class First(Bright):
        def __call__(self, images):
            return super().__call__(images.transpose(0, 2, 3, 1))

    session = First()
    assert artefact(session=session, layout="NCHW")([image()])[0].size == (6, 8)


def test_more_bits_than_the_graph_takes_are_refused():
    with pytest.raises(DataError, match=r"a\.onnx: takes images of 8 bits, got uint16; export the model with --input float32"):
        artefact()([image(value=9, dtype=np.uint16)])


@pytest.mark.parametrize("request_", [Request(probabilities=True), Request(threshold=0.4)])
def test_probabilities_of_a_model_exported_without_are_refused_by_name(request_):
    with pytest.raises(OptionError, match=r"exported with classes alone.*--output probabilities"):
        artefact()([image()], request_)


def test_a_graph_that_gives_other_arrays_than_described_is_told():
    class Short(Bright):
        def __call__(self, images):
            return super().__call__(images)[:1]

    with pytest.raises(CheckpointError, match="expected 2 arrays of its graph"):
        artefact(session=Short())([image()])


@pytest.mark.parametrize(
    ("around", "said"),
    [
        (lambda one: Flipped(one), "flips take the mean of class probabilities"),
        (lambda one: Tiled(one, tile=(4, 4), overlap=2, join="gaussian"), "could be blended over tiles; join them by cut"),
        (lambda one: Calibrated(one, 2.0), "this cannot be calibrated"),
    ],
)
def test_classes_alone_refuse_blending_flips_and_calibration_by_name(around, said):
    with pytest.raises(OptionError, match=said):
        around(artefact())([image()])
    assert Tiled(artefact(), tile=(4, 4), overlap=2)([image()])[0].size == (6, 8)
