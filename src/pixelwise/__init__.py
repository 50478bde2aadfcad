"""Pixelwise: images to masks, from any label file in to a measured, exported and served model out.

The public names are loaded on first use, so ``import pixelwise`` is light and needs no torch.
"""

import importlib
import sys
import types
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pixelwise.core.image import Image, read_image
    from pixelwise.core.labels import Label, LabelSet
    from pixelwise.core.predictor import Predictor, Request
    from pixelwise.core.prompt import Prompt
    from pixelwise.core.sample import Dataset, Sample
    from pixelwise.core.segmentation import Segmentation
    from pixelwise.formats import read
    from pixelwise.load import load
    from pixelwise.metrics.evaluate import evaluate
    from pixelwise.predict.flipped import Flipped
    from pixelwise.predict.folder import predict
    from pixelwise.predict.refined import Refined
    from pixelwise.predict.tiled import Tiled
    from pixelwise.train import fit

__version__ = "0.1.0"

_PLACES = {
    "Dataset": "pixelwise.core.sample",
    "Flipped": "pixelwise.predict.flipped",
    "Image": "pixelwise.core.image",
    "Label": "pixelwise.core.labels",
    "LabelSet": "pixelwise.core.labels",
    "Predictor": "pixelwise.core.predictor",
    "Prompt": "pixelwise.core.prompt",
    "Refined": "pixelwise.predict.refined",
    "Request": "pixelwise.core.predictor",
    "Sample": "pixelwise.core.sample",
    "Segmentation": "pixelwise.core.segmentation",
    "Tiled": "pixelwise.predict.tiled",
    "evaluate": "pixelwise.metrics.evaluate",
    "fit": "pixelwise.train",
    "load": "pixelwise.load",
    "predict": "pixelwise.predict.folder",
    "read": "pixelwise.formats",
    "read_image": "pixelwise.core.image",
}

__all__ = [
    "Dataset",
    "Flipped",
    "Image",
    "Label",
    "LabelSet",
    "Predictor",
    "Prompt",
    "Refined",
    "Request",
    "Sample",
    "Segmentation",
    "Tiled",
    "evaluate",
    "fit",
    "load",
    "predict",
    "read",
    "read_image",
]


def __getattr__(name: str) -> Any:
    if name in _PLACES:
        return getattr(importlib.import_module(_PLACES[name]), name)
    raise AttributeError(f"module 'pixelwise' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])


class _Package(types.ModuleType):
    """Keep the public functions: importing the submodule ``pixelwise.load`` would put the module in the function's place."""

    def __setattr__(self, name: str, value: Any) -> None:
        if not (name in _PLACES and isinstance(value, types.ModuleType)):
            super().__setattr__(name, value)


sys.modules[__name__].__class__ = _Package
