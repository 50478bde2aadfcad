"""A classical method as a predictor."""

import hashlib
import inspect
import json
import pickle
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from pixelwise.core.card import Card
from pixelwise.core.errors import OptionError, nearest
from pixelwise.core.image import Image, as_image
from pixelwise.core.labels import LabelSet, foreground_of
from pixelwise.core.predictor import PLAIN, Request
from pixelwise.core.sample import Dataset
from pixelwise.core.segmentation import Segmentation
from pixelwise.core.streaming import Streaming
from pixelwise.methods import METHODS, TRAINABLE, TRAINED
from pixelwise.methods.grey import LABELS


class Method(Streaming):
    """A method of the table ``METHODS`` with its options; a ``Predictor``.

    Attributes:
        name, options: as given.
        module: where its code is.
        training: what is to be known of its options or its model: how they were tuned, what it was trained on.
    """

    def __init__(self, name: str, /, **options: Any) -> None:
        """Choose a method by name.

        Raises:
            UnknownName: no method has that name.
            OptionError: it has no such option; the message has the nearest ones.
        """
        self.name = name
        self.module = METHODS[name]
        self.options = dict(options)
        self.training: Mapping[str, Any] = {}
        self._known = set(inspect.signature(self.module.segment).parameters) - {"image"}
        known = self._known | self._learning
        for key in options:
            if key not in known or key == "probabilities":
                raise OptionError(
                    f"the method '{name}' has no option '{key}'; {nearest(key, known - {'probabilities', 'model'})}"
                )

    @property
    def _learning(self) -> set[str]:
        """The options of ``fit``; none where there is nothing to learn."""
        return set(inspect.signature(self.module.fit).parameters) - {"dataset"} if self.name in TRAINABLE else set()

    @property
    def is_trained(self) -> bool:
        """Tell whether the method must be trained before it can segment."""
        return self.name in TRAINED

    @property
    def is_ready(self) -> bool:
        """Tell whether the method can segment now."""
        return not self.is_trained or "model" in self.options

    def for_strokes(self) -> "Method":
        """Give the method as it is where strokes will be given: one that needs them has classes then, as its card tells."""
        if self.is_ready or not {"prompts", "classes"} <= self._known or "classes" in self.options:
            return self
        return Method(self.name, classes=LABELS.names, **self.options)

    def known_to(self, training: Mapping[str, Any]) -> "Method":
        """Give the same method with what is to be known of it."""
        found = Method(self.name, **self.options)
        found.training = dict(training)
        return found

    def fit(self, dataset: Dataset) -> "Method":
        """Train on ``dataset``, instances painted as classes; the method itself stays as it is.

        Raises:
            OptionError: this method has nothing to learn.
        """
        if self.name not in TRAINABLE:
            raise OptionError(f"the method '{self.name}' needs no training; call it as it is")
        options = {key: value for key, value in self.options.items() if key != "model"}
        painted = dataset.semantic() if dataset.kind == "instance" else dataset
        learning = {key: value for key, value in options.items() if key in self._learning}
        return Method(self.name, **options, model=self.module.fit(painted, **learning))

    @property
    def card(self) -> Card:
        """What this method is; of one that is trained, the classes are its training data's."""
        options = {key: value for key, value in self.options.items() if key != "model"}
        return Card(
            self.name,
            self.module.KIND,
            self._labels(),
            gives_probabilities="probabilities" in self._known,
            options=options,
            training=self.training,
        )

    def fingerprint(self) -> str:
        """Sum up the name, the options and, of one that was trained, what it learned."""
        card = json.dumps(self.card.to_json(), sort_keys=True, default=str)
        return hashlib.sha256(card.encode() + pickle.dumps(self.options.get("model"))).hexdigest()

    def _labels(self) -> LabelSet:
        if self.is_trained:
            return self.options["model"].labels if self.is_ready else self._stroke_labels()
        return LABELS if self.module.KIND in ("semantic", "panoptic") else LabelSet.of(["region"])

    def _stroke_labels(self) -> LabelSet:
        """Give the classes that were named for strokes, before anything was learned."""
        if "classes" not in self.options:
            return LabelSet(())
        labels: LabelSet = self.module.stroke_labels(self.options["classes"])
        return labels

    def __call__(self, images: Sequence[Image], request: Request = PLAIN) -> list[Segmentation]:
        """Segment each image.

        A request's threshold is the grey level of a method that has one, and the foreground's probability of one that gives
        probabilities of two classes.

        Raises:
            OptionError: the method must be trained first, or cannot do what is requested.
        """
        if not self.is_ready and not (request.prompts and "prompts" in self._known) and not self.options.get("prompts"):
            raise OptionError(
                f"the method '{self.name}' must be trained first: Method('{self.name}').fit(dataset), or on the command line "
                f"pixelwise train --model {self.name}" + ("; or given strokes as prompts" if "prompts" in self._known else "")
            )
        if request.probabilities and "probabilities" not in self._known:
            raise OptionError(f"the method '{self.name}' gives no probabilities")
        if request.prompts and "prompts" not in self._known:
            raise OptionError(f"the method '{self.name}' takes no prompts")
        if request.threshold is not None and not self._takes_threshold():
            raise OptionError(f"the method '{self.name}' takes no threshold; the method 'threshold' splits at a stated level")
        return [self._segment(as_image(image), request, row) for row, image in enumerate(images)]

    def _takes_threshold(self) -> bool:
        return "level" in self._known or ("probabilities" in self._known and len(self.card.labels) == 2)

    def _segment(self, image: Image, request: Request, row: int) -> Segmentation:
        options = {key: value for key, value in self.options.items() if key in self._known}
        if request.threshold is not None and "level" in self._known:
            options["level"] = request.threshold
        if "probabilities" in self._known:
            options["probabilities"] = request.probabilities or request.threshold is not None
        if request.prompts:
            options["prompts"] = request.prompts[row]
        found = self.module.segment(image, **options)
        if request.threshold is None or "level" in self._known:
            return found
        front = foreground_of(found.labels)
        chosen = np.where(found.probabilities[front] > request.threshold, front, 1 - front).astype(np.uint8)
        volume = found.probabilities if request.probabilities else None
        return replace(Segmentation.from_class_map(chosen, found.labels, probabilities=volume), notes=found.notes)
