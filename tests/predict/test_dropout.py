"""Dropout at prediction: only dropout is random, the draws repeat, and the network is left as it was."""

import numpy as np
import pytest
import torch
from opinionated import WANTED, Given, always, noise

from pixelwise.core.errors import OptionError
from pixelwise.core.labels import LabelSet
from pixelwise.models.networks import unet
from pixelwise.predict.dropout import Dropout
from pixelwise.predict.network import Network
from pixelwise.predict.tiled import Tiled
from pixelwise.predict.uncertainty import Uncertain

LABELS = LabelSet.of(["background", "a", "b"])


def network(dropout):
    torch.manual_seed(0)
    return Network(unet.build(LABELS, "semantic", encoder="plain", weights="none", width=4, depth=2, dropout=dropout), "cpu")


@pytest.fixture(scope="module")
def dropping():
    return network(0.5)


def test_passes_differ_and_the_same_passes_come_again(dropping):
    image = noise((16, 16))
    first, second = ([one[0].copy() for _, one in Dropout(dropping, passes=3).opinions([image])] for _ in range(2))
    assert not np.allclose(first[0], first[1])
    assert all((one == other).all() for one, other in zip(first, second, strict=True))


def test_an_image_gives_the_same_in_any_company(dropping):
    images = [noise((16, 16), seed) for seed in range(3)]
    together = Dropout(dropping, passes=2)(images, WANTED)
    (alone,) = Dropout(dropping, passes=2)([images[2]], WANTED)
    assert (together[2].probabilities == alone.probabilities).all()


def test_the_network_and_the_random_numbers_are_left_as_they_were(dropping):
    image = noise((16, 16))
    before, state = dropping([image], WANTED)[0].probabilities, torch.get_rng_state()
    Dropout(dropping)([image])
    assert (torch.get_rng_state() == state).all()
    assert not any(layer.training for layer in dropping.model.modules())
    assert (dropping([image], WANTED)[0].probabilities == before).all()


def test_passes_disagree(dropping):
    found = Uncertain(Dropout(dropping, passes=4), "disagreement").assess([noise((16, 16))])[0]
    assert 0 < found.image < 1


def test_it_goes_around_tiles(dropping):
    (found,) = Dropout(Tiled(dropping, (16, 16), 4), passes=2)([noise((20, 24))], WANTED)
    assert found.probabilities.shape == (3, 20, 24)


def test_what_has_no_dropout_is_refused_with_the_way_out():
    with pytest.raises(
        OptionError, match=r"'unet' was built without dropout: train it with some, as in --set model.dropout=0.2"
    ):
        Dropout(network(0.0))
    with pytest.raises(OptionError, match="dropout is a part of networks, and 'given' is none"):
        Dropout(Given(always(0.5)))
    with pytest.raises(OptionError, match="at least 2 passes"):
        Dropout(network(0.5), passes=1)
