"""Calibrate a run: fit a temperature on validation images, and keep it in the model's card.

The weights are not touched. ``load`` reads the temperature with the card, so whatever is done with the run from then on, be it
prediction, scoring or an export, gives calibrated probabilities. It is a step of its own, and not the end of every training:
a temperature is fitted anew in a minute when there are new labels, and a model that was trained elsewhere can have one too.
"""

import math
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from pixelwise.core.card import Card
from pixelwise.core.errors import OptionError
from pixelwise.core.files import locked, write_json
from pixelwise.core.sample import Dataset
from pixelwise.core.segmentation import Segmentation
from pixelwise.metrics import calibration
from pixelwise.models import checkpoint
from pixelwise.models.segmenter import Segmenter
from pixelwise.predict.calibrated import at_temperature, pixels_of, temperature_of, threshold_at
from pixelwise.predict.network import Network
from pixelwise.predict.opinions.sampled import Progress, SampledPixels


@dataclass(frozen=True)
class Calibration:
    """What a temperature does on the pixels it was fitted on.

    Attributes:
        temperature: the logits are divided by it.
        pixels, images: how many it was fitted on.
        before, after: scores of ``metrics.calibration`` by name, at a temperature of 1 and at the one found.
        failures: the images that could not be used, and why.
    """

    temperature: float
    pixels: int
    images: int
    before: dict[str, float]
    after: dict[str, float]
    failures: tuple[tuple[str, str], ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Write as plain JSON values."""
        return {**asdict(self), "failures": [{"image": name, "error": error} for name, error in self.failures]}

    def __str__(self) -> str:
        """Say it in three lines."""
        verb = "were surer than they are right" if self.temperature > 1 else "were less sure than they could be"
        changes = [f"{name} {self.before[name]:.4f} -> {self.after[name]:.4f}" for name in ("ece", "nll", "brier")]
        return (
            f"temperature {self.temperature:g}: the probabilities {verb}\n"
            f"{', '.join(changes)}\n"
            f"fitted on {self.pixels:,} pixels of {self.images} images"
        )


def calibrate(
    run: Path, dataset: Dataset, *, seed: int = 0, device: str = "auto", progress: Progress | None = None
) -> Calibration:
    """Fit the temperature of the model in ``run`` on labelled images, and write it into its card.

    Args:
        run: a run folder, or a ``.safetensors`` file with its card beside it.
        dataset: images that it was not trained on: on those it was, it is rightly sure.
        seed: of the pixels that are looked at.
        device: ``auto``, ``cpu``, ``cuda`` or ``mps``.

    Raises:
        OptionError: the model does not classify pixels by one softmax.
        DataError: the data has no labelled pixels of the model's classes.
        RunInUse: the run is being trained.
    """
    file = checkpoint.find(Path(run))
    with locked(file.parent):
        model = checkpoint.load(file)
        plain = _at_one(model.card)
        if plain.kind != "semantic" or not model.head.has_temperature:
            raise OptionError(
                f"'{plain.name}' gives {plain.kind} segments by {type(model.head).__name__}: a temperature is fitted for "
                f"networks that classify pixels by one softmax, such as unet (in Python, Calibrated.fitted takes whatever "
                f"gives probabilities of classes)"
            )
        network = Network(Segmenter(model.network, model.head, plain), device)
        pixels = pixels_of(network, dataset, seed=seed, progress=progress)
        temperature = temperature_of(pixels)
        before, after = (_scores(pixels, plain, value) for value in (1.0, temperature))
        images = len(dataset) - len(pixels.failures)
        found = Calibration(temperature, len(pixels.classes), images, before, after, pixels.failures)
        threshold = None if plain.threshold is None else threshold_at(plain.threshold, temperature)
        write_json(file.parent / "calibration.json", found.to_json())
        write_json(file.parent / checkpoint.CARD, replace(plain, temperature=temperature, threshold=threshold).to_json())
    return found


def _at_one(card: Card) -> Card:
    """Undo an earlier calibration, in the threshold too."""
    threshold = None if card.threshold is None else threshold_at(card.threshold, 1 / card.temperature)
    return replace(card, temperature=1.0, threshold=threshold)


def _scores(pixels: SampledPixels, card: Card, temperature: float) -> dict[str, float]:
    """Score the pixels as one row of an image, as ``evaluate`` would score it."""
    probabilities = at_temperature(pixels.probabilities[0][:, None], temperature)
    dtype = np.uint8 if card.labels.void == 255 else np.uint16
    told = Segmentation.from_class_map(probabilities.argmax(axis=0).astype(dtype), card.labels, probabilities=probabilities)
    true = Segmentation.from_class_map(pixels.classes[None].astype(dtype), card.labels)
    scores = calibration.score(calibration.count(told, true))
    return {name: value for name, value in scores.items() if math.isfinite(value)}
