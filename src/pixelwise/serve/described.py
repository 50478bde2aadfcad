"""What a model is, as the client reads it: its card without what says where it was made, and what it takes."""

from dataclasses import replace
from typing import Any

from pixelwise import __version__
from pixelwise.core.card import Card
from pixelwise.core.errors import OptionError
from pixelwise.core.predictor import Request
from pixelwise.core.prompt import Prompt
from pixelwise.predict.fingerprint import fingerprint
from pixelwise.predict.remote import FORMAT
from pixelwise.serve.models import Served

_TOLD = ("crop",)  # of a training, what a client needs to choose tiles


def described(served: Served, max_pixels: int) -> dict[str, Any]:
    """Describe a model; its weights are summed up for that, which takes a while."""
    return {
        "format": FORMAT,
        "server": f"pixelwise {__version__}",
        "model": served.name,
        "version": served.version,
        "card": public(served.predictor.card).to_json(),
        "fingerprint": fingerprint(served.predictor),
        "takes": {
            "threshold": _takes(served, Request(threshold=0.5)),
            "prompts": _takes(served, Request(prompts=((Prompt(points=((0.0, 0.0, True),)),),))),
        },
        "max_pixels": max_pixels,
    }


def public(card: Card) -> Card:
    """Leave out of a card how the model was built and trained: files, folders and names of images stand there."""
    return replace(card, options={}, training={name: card.training[name] for name in _TOLD if name in card.training})


def _takes(served: Served, request: Request) -> bool:
    try:
        served.predictor((), request)
    except OptionError:
        return False
    return True
