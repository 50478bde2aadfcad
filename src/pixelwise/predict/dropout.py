"""Ask a network several times, each time with other parts of it dropped out.

Dropout kept on at prediction draws networks from an approximate posterior; their mean is the prediction, their disagreement
what the network does not know [1]. Only its dropout layers are set to training: batch norms keep what they learnt.

[1] Gal and Ghahramani, Dropout as a Bayesian Approximation, ICML 2016.
"""

import contextlib
import hashlib
from collections.abc import Iterator, Sequence

import torch
from torch import nn

from pixelwise.core.card import Card
from pixelwise.core.errors import OptionError
from pixelwise.core.image import Image
from pixelwise.core.predictor import PLAIN, Around, Predictor, Request
from pixelwise.core.segmentation import Segmentation
from pixelwise.core.streaming import Streaming
from pixelwise.predict.decision import probabilities_of
from pixelwise.predict.fingerprint import fingerprint
from pixelwise.predict.network import Network
from pixelwise.predict.opinions.committee import Opinion, refuse_prompts, require_classes, segmented

PASSES = 8
_LAYERS = (nn.Dropout, nn.Dropout1d, nn.Dropout2d, nn.Dropout3d, nn.AlphaDropout, nn.FeatureAlphaDropout)


class Dropout(Streaming):
    """A network that is asked several times with dropout, and the mean of what it says; a ``Predictor``.

    Each image is worked on alone and its draws begin with the same seed, so that what is found does not depend on which images
    came before it.
    """

    notes: tuple[str, ...] = ()

    def __init__(self, predictor: Predictor, passes: int = PASSES, seed: int = 0) -> None:
        """Find the dropout layers.

        Args:
            predictor: a network that gives probabilities of classes, or tiles or views around one.
            passes: how often it is asked.
            seed: of what is dropped.

        Raises:
            OptionError: there is no network, or it has no dropout.
        """
        require_classes(predictor.card, "passes with dropout take the mean of class probabilities, so leave them out")
        if passes < 2:
            raise OptionError(f"expected at least 2 passes with dropout, got {passes}")
        self.predictor = predictor
        self.passes = int(passes)
        self.seed = int(seed)
        network = _network_in(predictor)
        if network is None:
            raise OptionError(
                f"dropout is a part of networks, and '{predictor.card.name}' is none on one device; leave it out, or name "
                f"one device"
            )
        self._device = network.device
        self._layers = [layer for layer in network.model.modules() if isinstance(layer, _LAYERS) and layer.p > 0]
        if not self._layers:
            raise OptionError(
                f"'{predictor.card.name}' was built without dropout: train it with some, as in --set model.dropout=0.2, or ask "
                f"several views instead (--uncertainty views)"
            )

    @property
    def card(self) -> Card:
        """What the network is."""
        return self.predictor.card

    @property
    def shares(self) -> tuple[float, ...]:
        """What each pass counts."""
        return (1 / self.passes,) * self.passes

    def fingerprint(self) -> str:
        """Sum up the network and the passes."""
        return hashlib.sha256(f"dropout {self.passes} {self.seed} {fingerprint(self.predictor)}".encode()).hexdigest()

    def __call__(self, images: Sequence[Image], request: Request = PLAIN) -> list[Segmentation]:
        """Segment each image by the mean of the passes.

        Raises:
            OptionError: prompts are given, or a threshold to a network of more than two classes.
        """
        refuse_prompts(request, "passes with dropout")
        return [segmented(self, [image], request)[0] for image in images]

    def opinions(self, images: Sequence[Image]) -> Iterator[Opinion]:
        """Give the probabilities of each image, pass after pass."""
        length, wanted = len(self.card.labels), Request(probabilities=True)
        for number, share in enumerate(self.shares):
            found = []
            for image in images:
                with self._dropping(number):
                    found += self.predictor([image], wanted)
            yield share, [probabilities_of(one, length) for one in found]

    @contextlib.contextmanager
    def _dropping(self, number: int) -> Iterator[None]:
        """Set the dropout layers to training for one pass, and the device's random numbers to what that pass begins with."""
        devices = [self._device] if self._device.type == "cuda" else []
        with torch.random.fork_rng(devices=devices):
            torch.manual_seed(self.seed * 1_000_003 + number)
            for layer in self._layers:
                layer.train()
            try:
                yield
            finally:
                for layer in self._layers:
                    layer.eval()


def _network_in(predictor: Predictor) -> Network | None:
    """Find the network that tiles, views and the like are laid around."""
    inside: object = predictor
    while not isinstance(inside, Network) and isinstance(inside, Around):
        inside = inside.predictor
    return inside if isinstance(inside, Network) else None
