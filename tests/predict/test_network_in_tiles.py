"""Tiles and flips around a network: memory, and what it says of a pixel."""

import subprocess
import sys

import numpy as np
import pytest

from pixelwise.core.errors import DataError
from pixelwise.core.image import Image
from pixelwise.core.labels import LabelSet
from pixelwise.core.predictor import Request
from pixelwise.predict.fingerprint import fingerprint
from pixelwise.predict.flipped import Flipped
from pixelwise.predict.tiled import Tiled

torch = pytest.importorskip("torch")


def unet(classes=3, seed=0):
    from pixelwise.models import MODELS
    from pixelwise.predict.network import Network

    torch.manual_seed(seed)
    built = MODELS["unet"].build(
        LabelSet.of([f"class {index}" for index in range(classes)]), "semantic", encoder="resnet18", weights="none"
    )
    return Network(built, "cpu")


@pytest.fixture(scope="module")
def network():
    return unet()


def noise(size):
    return Image(np.random.default_rng(0).integers(0, 256, (*size, 3)).astype(np.uint8))


def test_flips_are_the_mean_of_the_network_and_its_mirror(network):
    image = noise((50, 70))
    mirrored = Image(image.pixels[:, ::-1].copy())
    wanted = Request(probabilities=True)
    plain, other = network([image, mirrored], wanted)
    (found,) = Flipped(network)([image], wanted)
    mean = (plain.probabilities + other.probabilities[:, :, ::-1]) / 2
    np.testing.assert_allclose(found.probabilities, mean, atol=1e-5)
    assert (found.class_map() == mean.argmax(axis=0)).mean() > 0.999


def test_tiles_of_a_network_have_the_size_of_the_image_and_its_classes(network):
    image = noise((90, 130))
    (found,) = Tiled(Flipped(network), (64, 64), 16)([image])
    assert (found.size, found.kind, found.labels) == ((90, 130), "semantic", network.card.labels)
    assert set(np.unique(found.class_map())) <= {0, 1, 2}


def test_an_image_without_pixels_is_refused_in_a_sentence(network):
    with pytest.raises(DataError, match="with pixels, got one of 0 x 5"):
        network([np.zeros((0, 5, 3), np.uint8)])


def test_fingerprints_tell_weights_apart(network):
    assert fingerprint(network) == fingerprint(unet())
    assert fingerprint(network) != fingerprint(unet(seed=1))


_MEASURE = """
import resource, sys
import numpy as np
from pixelwise.core.card import Card
from pixelwise.core.image import Image
from pixelwise.core.labels import LabelSet
from pixelwise.core.predictor import PLAIN
from pixelwise.core.segmentation import Segmentation
from pixelwise.predict.flipped import Flipped
from pixelwise.predict.tiled import Tiled

labels = LabelSet.of([str(index) for index in range(23)])

class Cheap:
    card = Card("cheap", "semantic", labels, gives_probabilities=True)
    def __call__(self, images, request=PLAIN):
        return [self.one(image, request.probabilities) for image in images]
    def one(self, image, keeps):
        volume = np.zeros((23, *image.size), np.float32)
        volume[3] = 1
        return Segmentation.from_class_map(np.full(image.size, 3, np.uint8), labels, probabilities=volume if keeps else None)

image = Image(np.zeros((4000, 6000, 3), np.uint8))
image.pixels[:] = 1
peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**10
before = peak()
(found,) = Tiled(Flipped(Cheap()), (512, 768), 128)([image])
assert found.areas is None and found.masks.areas().tolist() == [4000 * 6000]
print(peak() - before)
"""


@pytest.mark.slow
def test_a_photo_of_24_megapixels_and_23_classes_takes_the_memory_of_a_few_tiles():
    ended = subprocess.run([sys.executable, "-c", _MEASURE], capture_output=True, text=True, check=True)
    assert float(ended.stdout) < 400  # MiB; all probabilities at once would be 2,100
