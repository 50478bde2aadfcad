"""Sum up a predictor in a few letters, so that results are never taken for those of another one."""

import hashlib
import json
from typing import Protocol, runtime_checkable

from pixelwise.core.predictor import Predictor


@runtime_checkable
class Fingerprinted(Protocol):
    """What a predictor has that is more than its card: weights, tiles, views."""

    def fingerprint(self) -> str:
        """Sum up all that its results depend on."""


def fingerprint(predictor: Predictor) -> str:
    """Sum up ``predictor``: in its own words where it has some, else by its card."""
    if isinstance(predictor, Fingerprinted):
        return predictor.fingerprint()
    return card_fingerprint(predictor)


def card_fingerprint(predictor: Predictor) -> str:
    """Sum up a predictor's card."""
    text = json.dumps(predictor.card.to_json(), sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()
