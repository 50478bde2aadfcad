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
    from pixelwise.core.streaming import stream
    from pixelwise.formats import read
    from pixelwise.jobs.export import export
    from pixelwise.load import load
    from pixelwise.metrics.evaluate import evaluate
    from pixelwise.predict.calibrated import Calibrated
    from pixelwise.predict.dropout import Dropout
    from pixelwise.predict.ensemble import Ensemble
    from pixelwise.predict.flipped import Flipped
    from pixelwise.predict.folder import predict
    from pixelwise.predict.refined import Refined
    from pixelwise.predict.smoothed import Smoothed
    from pixelwise.predict.tiled import Tiled
    from pixelwise.predict.tracked import Tracked
    from pixelwise.predict.uncertainty import Uncertain
    from pixelwise.predict.views import Views
    from pixelwise.train import fit

__version__ = "0.1.0"

_PLACES = {
    "Calibrated": "pixelwise.predict.calibrated",
    "Dataset": "pixelwise.core.sample",
    "Dropout": "pixelwise.predict.dropout",
    "Ensemble": "pixelwise.predict.ensemble",
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
    "Smoothed": "pixelwise.predict.smoothed",
    "Tiled": "pixelwise.predict.tiled",
    "Tracked": "pixelwise.predict.tracked",
    "Uncertain": "pixelwise.predict.uncertainty",
    "Views": "pixelwise.predict.views",
    "evaluate": "pixelwise.metrics.evaluate",
    "export": "pixelwise.jobs.export",
    "fit": "pixelwise.train",
    "load": "pixelwise.load",
    "predict": "pixelwise.predict.folder",
    "read": "pixelwise.formats",
    "read_image": "pixelwise.core.image",
    "stream": "pixelwise.core.streaming",
}

__all__ = [
    "Calibrated",
    "Dataset",
    "Dropout",
    "Ensemble",
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
    "Smoothed",
    "Tiled",
    "Tracked",
    "Uncertain",
    "Views",
    "evaluate",
    "export",
    "fit",
    "load",
    "predict",
    "read",
    "read_image",
    "stream",
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
