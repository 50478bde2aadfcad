"""What a request may ask for besides masks, read alike from query strings, form fields and JSON.

``Wishes.read`` checks what can be told without a model, ``Wishes.check`` what a model can do, ``Wishes.check_size`` what an
image allows; each bad field is refused (422) by its name. How the model is then run is ``Wishes.way``, which requests that
share a call have in common.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from pixelwise.core.arrays import Size
from pixelwise.core.card import Card
from pixelwise.core.errors import OptionError, nearest
from pixelwise.core.image import Image
from pixelwise.core.predictor import Predictor
from pixelwise.core.prompt import Prompt, objects_of
from pixelwise.core.segmentation import Segmentation
from pixelwise.predict.uncertainty import Measure
from pixelwise.serve import fields as reading
from pixelwise.serve.answers import ANSWERS
from pixelwise.serve.refusal import Refusal
from pixelwise.serve.ways import Way

MOST_PROBABILITIES = 2**28  # bytes of them in one answer


@dataclass(frozen=True)
class Wishes:
    """What one request asks for.

    Attributes:
        forms: of the answer, names of ``ANSWERS``; with several, they come together.
        classes: only their segments are kept; empty for all.
        threshold: as ``Request.threshold``.
        tile: (height, width) to cut the image into; None cuts only what is too large for one pass of a network.
        overlap: of tiles, in pixels.
        flips: average over the mirror image.
        uncertainty: whether a map of it is made too.
        measure: of the uncertainty.
        probabilities: whether the form ``segmentation`` holds them.
        prompts: the objects pointed at, in pixels of the image.
        opacity: of segments in an overlay.
        outline: whether their outlines are drawn there.
        bands: names of the image's bands, where they are not grey or red, green and blue; empty for what its file says.
    """

    forms: tuple[str, ...] = ("ids",)
    classes: tuple[str, ...] = ()
    threshold: float | None = None
    tile: Size | None = None
    overlap: int | None = None
    flips: bool = False
    uncertainty: bool = False
    measure: Measure = "entropy"
    probabilities: bool = False
    prompts: tuple[Prompt, ...] = ()
    opacity: float = 0.5
    outline: bool = True
    bands: tuple[str, ...] = ()

    @classmethod
    def read(cls, asked: Mapping[str, Any]) -> "Wishes":
        """Read a request's fields: texts, JSON values, or lists of texts where a field was given several times.

        >>> Wishes.read({"forms": "ids,json", "tile": "512"}) == Wishes(("ids", "json"), tile=(512, 512))
        True

        Raises:
            Refusal: a field is unknown or not what was expected; 422.
        """
        for name in asked:
            if name not in FIELDS:
                raise Refusal(
                    422, "unknown_field", f"a request has no field '{str(name)[:100]}'; {nearest(str(name)[:100], FIELDS)}"
                )
        found: dict[str, Any] = {}
        for name, value in asked.items():
            found[name] = _READERS[name](name, value)
        objects = found.pop("prompts", ()) + objects_of(found.pop("box", ()), found.pop("point", ()))
        if objects:
            found["prompts"] = reading.bounded(objects)
        if isinstance(found.get("uncertainty"), str):
            found |= {"uncertainty": True, "measure": found["uncertainty"]}
        found["uncertainty"] = found.get("uncertainty", False) or "uncertainty" in found.get("forms", ())
        return cls(**found)._settled()

    def _settled(self) -> "Wishes":
        """Give the wishes back if they go together."""
        for form in self.forms:
            if form not in ANSWERS:
                raise Refusal(
                    422, "bad_forms", f"forms: no form of answer is called '{form[:100]}'; {nearest(form[:100], ANSWERS)}"
                )
        if self.overlap is not None and self.tile is None:
            raise Refusal(422, "bad_overlap", f"overlap: an overlap of {self.overlap} is that of tiles; give 'tile' with it")
        if self.overlap is not None and self.tile is not None and self.overlap > min(self.tile) // 2:
            raise Refusal(
                422,
                "bad_overlap",
                f"overlap: expected at most half of the tile's shorter side, {min(self.tile) // 2}, got {self.overlap}",
            )
        if self.probabilities and "segmentation" not in self.forms:
            raise Refusal(
                422, "bad_probabilities", "probabilities: they are a part of the form 'segmentation' alone; add it to 'forms'"
            )
        return self

    @property
    def way(self) -> Way:
        """How the model is run; images of requests with equal ways may share a call."""
        return Way(
            self.threshold,
            self.tile,
            self.overlap,
            self.flips,
            self.measure if self.uncertainty else None,
            self.probabilities,
            bool(self.prompts),
        )

    def around(self, predictor: Predictor) -> Predictor:
        """Lay tiles, flips and uncertainty around a predictor.

        Raises:
            Refusal: it cannot be tiled or flipped, or says nothing of how unsure it is; 422.
        """
        return self.way.around(predictor)

    def check(self, predictor: Predictor) -> None:
        """Refuse what ``predictor`` cannot do, before an image of it waits.

        Raises:
            Refusal: 422; the message names the field.
        """
        self.way.check(predictor, self.prompts)
        known = predictor.card.labels.names
        for name in self.classes:
            if name not in known:
                raise Refusal(422, "unknown_class", f"classes: no class is called '{name[:100]}'; {nearest(name[:100], known)}")

    def check_size(self, size: Size, card: Card) -> None:
        """Refuse prompts outside an image of (H, W), and probabilities of which there would be too many.

        Raises:
            Refusal: 422, or 413 for too many.
        """
        for number, prompt in enumerate(self.prompts, start=1):
            try:
                prompt.checked(size)
            except OptionError as error:
                raise Refusal(422, "bad_prompts", f"prompts: prompt {number}: {error}") from None
        count = size[0] * size[1] * len(card.labels) * 4
        if self.probabilities and count > MOST_PROBABILITIES:
            raise Refusal(
                413,
                "too_many_probabilities",
                f"probabilities: {len(card.labels)} classes of {size[1]} x {size[0]} pixels are {count:,} bytes; at most "
                f"{MOST_PROBABILITIES:,} are sent; ask for parts of the image",
            )

    def named(self, image: Image) -> Image:
        """Give the bands of an image the names that the request states.

        Raises:
            Refusal: there are more or fewer; 422.
        """
        if not self.bands or self.bands == image.bands:
            return image
        if len(self.bands) != len(image.bands):
            count = len(image.bands)
            raise Refusal(
                422, "bad_bands", f"bands: expected {count} names, as the image has {count} bands, got {len(self.bands)}"
            )
        return Image(image.pixels, self.bands)

    def kept(self, found: Segmentation) -> Segmentation:
        """Keep the segments of the classes wished for."""
        if not self.classes:
            return found
        names = found.labels.names
        wanted = [index for index, name in enumerate(names) if name in self.classes]
        return found[np.isin(found.class_ids, wanted)]


def gathered(pairs: Iterable[tuple[str, Any]]) -> dict[str, Any]:
    """Put fields that came as pairs into one mapping; what was given several times becomes a list.

    >>> gathered([("point", "1,2"), ("point", "3,4"), ("flips", "1")])
    {'point': ['1,2', '3,4'], 'flips': '1'}
    """
    lists: dict[str, list[Any]] = {}
    for name, value in pairs:
        lists.setdefault(name, []).append(value)
    return {name: values[0] if len(values) == 1 else values for name, values in lists.items()}


_READERS: Mapping[str, Callable[[str, Any], Any]] = {
    "forms": reading.words,
    "classes": reading.words,
    "threshold": reading.share,
    "tile": reading.tile,
    "overlap": reading.count,
    "flips": reading.claim,
    "uncertainty": reading.measure,
    "probabilities": reading.claim,
    "opacity": reading.share,
    "outline": reading.claim,
    "bands": reading.words,
    "prompts": reading.prompts,
    "point": reading.points,
    "box": reading.boxes,
}
FIELDS = tuple(_READERS)
