"""What a server says of its models to those who choose one: what they find, what a request may ask of them, where they are."""

from functools import lru_cache
from typing import Any

from pixelwise.predict.uncertainty import MEASURES
from pixelwise.serve.answers import ANSWERS
from pixelwise.serve.models import Models, Served
from pixelwise.serve.options import ServeOptions
from pixelwise.serve.refusal import Refusal
from pixelwise.serve.ways import Way


@lru_cache(256)
def entry(served: Served) -> dict[str, Any]:
    """Describe a model."""
    card = served.predictor.card
    return {
        "model": served.name,
        "version": served.version,
        "network": card.name,
        "kind": card.kind,
        "classes": [{"name": one.name, "colour": list(one.colour), "is_thing": one.is_thing} for one in card.labels.labels],
        "bands": list(card.bands),
        "takes": _takes(served),
        "gives_probabilities": card.gives_probabilities,
        "predict": f"/v1/models/{served.name}/versions/{served.version}/predict",
    }


def listed(models: Models, options: ServeOptions) -> dict[str, Any]:
    """List all models, the default one first, with the forms of answers and the limits of requests."""
    return {
        "models": [entry(one) for one in models.all()],
        "default": models.named().name,
        "forms": sorted(ANSWERS),
        "limits": {"max_pixels": options.max_pixels, "max_bytes": options.max_bytes, "deadline": options.deadline},
        "takes_urls": options.allow_urls,
    }


def _takes(served: Served) -> dict[str, Any]:
    """Say which wishes a model meets; it is asked without an image, which costs nothing."""

    def takes(way: Way) -> bool:
        try:
            way.check(served.predictor)
        except Refusal:
            return False
        return True

    return {
        "threshold": takes(Way(threshold=0.5)),
        "prompts": takes(Way(is_prompted=True)),
        "tile": takes(Way(tile=(512, 512))),
        "flips": takes(Way(flips=True)),
        "uncertainty": [measure for measure in MEASURES if takes(Way(uncertainty=measure))],
    }
