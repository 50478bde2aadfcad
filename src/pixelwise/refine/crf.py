"""Draw labels to the edges of the image: a fully connected CRF by mean field [1].

Pixels that are alike in colour and not far apart are drawn to one label, and so are neighbours. Probabilities are used where
there are some; else each pixel is taken to be right with probability ``certainty``. The marginals come back as probabilities.

Cost: linear in pixels times classes (``lattice``, ``meanfield``). An image of more than 2 megapixels, or of more than 128
million probabilities, is worked on reduced and comes back along its edges, which a note says; within tiles nothing is reduced.

[1] Krähenbühl and Koltun: Efficient inference in fully connected CRFs with Gaussian edge potentials, NeurIPS 2011.
"""

import math
from collections.abc import Callable
from dataclasses import replace

import cv2
import numpy as np

from pixelwise.core.arrays import BoolArray, FloatArray, IntArray
from pixelwise.core.errors import OptionError
from pixelwise.core.image import Image
from pixelwise.core.segmentation import Segmentation
from pixelwise.decode.pixel import highest
from pixelwise.methods.reduced import PIXELS, enlarged, reduced
from pixelwise.refine.about import About
from pixelwise.refine.decided import decided
from pixelwise.refine.meanfield import Pull, mean_field
from pixelwise.refine.pieces import Piece, reshaped, with_ids

_VALUES = 2**27  # probabilities worked on at once: half a gigabyte, held four times
_SEEN = 0.01  # a class nowhere more probable has no part in it
_OBJECT = 2**18  # pixels of one object's window
_BANDS = 3  # principal components of an image of more bands
ABOUT = About(
    rules={
        "semantic": "classes by their probabilities, or by ``certainty`` without them; void stays void",
        "panoptic": "the same, with segments in the place of classes; what has no segment stays so",
        "instance": "each object against the rest of a window around it",
    },
    refused={
        "regions": "they are found by colour already; 'merge' joins those that are alike",
        "multilabel": "its classes may overlap, and a CRF chooses one",
    },
    cost="linear in pixels times classes; reduced above 2 megapixels",
    source="Krähenbühl and Koltun, Efficient inference in fully connected CRFs, NeurIPS 2011",
    uses_probabilities=True,
)


def refine(
    image: Image,
    found: Segmentation,
    *,
    appearance: float = 4.0,
    reach: float = 10.0,
    colour: float = 6.0,
    smoothness: float = 0.0,
    near: float = 2.0,
    rounds: int = 5,
    certainty: float = 0.8,
    threshold: float | None = None,
) -> Segmentation:
    """Draw the labels of ``found`` to the edges of ``image``.

    Args:
        appearance: how strongly pixels alike in colour draw each other, 0 to 60 with ``smoothness``.
        reach: how far, as a standard deviation in pixels, from 1 up.
        colour: how alike, as a standard deviation in levels of 255, from 0.5 up.
        smoothness: how strongly neighbours of any colour draw each other.
        near: how far, as a standard deviation in pixels, from 0.3 to 50.
        rounds: of mean field, from 1 to 100.
        certainty: how probable a given label is without probabilities, above 0.5 and below 1.
        threshold: of two classes with probabilities, the foreground's above which a pixel counts.

    Raises:
        OptionError: an option is out of range.
    """
    pull = Pull(appearance, reach, colour, smoothness, near)
    _check(pull, rounds, certainty)
    if found.kind == "instance":
        return _objects(image, found, pull, rounds, certainty)
    ids = found.panoptic_ids()
    if found.kind == "semantic" and found.probabilities is not None:
        marginals, notes = _refined(image, found.probabilities, pull, rounds)
        refined = decided(found.labels, marginals, threshold, is_void=ids == 0)
        return replace(refined, notes=(*found.notes, *notes))
    if len(found) < 2:
        return found
    drawn, notes = _redrawn(image, ids, len(found), pull, rounds, certainty)
    return replace(with_ids(found, np.where(ids == 0, 0, drawn).astype(ids.dtype)), notes=(*found.notes, *notes))


def _check(pull: Pull, rounds: int, certainty: float) -> None:
    if not (pull.appearance >= 0 and pull.smoothness >= 0 and pull.appearance + pull.smoothness <= 60):
        raise OptionError(
            f"crf: appearance and smoothness are from 0 up, to 60 together, got {pull.appearance} and {pull.smoothness}"
        )
    if not (1 <= pull.reach < math.inf and 0.5 <= pull.colour < math.inf and 0.3 <= pull.near <= 50):
        raise OptionError(
            f"crf: reach is from 1 pixel up, colour from 0.5 of 255 levels up, near from 0.3 to 50 pixels, got {pull.reach}, "
            f"{pull.colour} and {pull.near}"
        )
    if not 1 <= rounds <= 100:
        raise OptionError(f"crf: rounds are from 1 to 100, got {rounds}")
    if not 0.5 < certainty < 1:
        raise OptionError(f"crf: the certainty is above 0.5 and below 1, got {certainty}")


def _refined(image: Image, probabilities: FloatArray, pull: Pull, rounds: int) -> tuple[FloatArray, tuple[str, ...]]:
    """Give the marginals (L, H, W), worked out on fewer pixels where there are many; and a note that says so."""
    seen = np.flatnonzero([float(each.max(initial=0)) >= _SEEN for each in probabilities])
    if len(seen) < 2:
        return probabilities, ()
    small, marginals, notes = _worked_out(image, lambda row: probabilities[seen[row]], len(seen), pull, rounds)
    whole = np.zeros(probabilities.shape, np.float32)
    if not notes:
        whole[seen] = marginals
        return whole, ()
    place = enlarged(np.arange(small.size[0] * small.size[1], dtype=np.int32).reshape(small.size), small, image)
    for index, each in zip(seen, marginals, strict=True):
        np.take(each, place, out=whole[index])
    return whole, notes


def _redrawn(
    image: Image, ids: IntArray, count: int, pull: Pull, rounds: int, certainty: float
) -> tuple[IntArray, tuple[str, ...]]:
    """Draw ids (H, W) of 1 to ``count`` anew; where there is 0, all are as probable."""
    strange, unknown = np.float32((1 - certainty) / (count - 1)), np.float32(1 / count)

    def given(row: int) -> FloatArray:
        own = np.where(ids == row + 1, np.float32(certainty), strange)
        own[ids == 0] = unknown
        return own

    small, marginals, notes = _worked_out(image, given, count, pull, rounds)
    drawn = highest(marginals[None])[0].astype(np.int32) + 1
    return enlarged(drawn, small, image), notes


def _worked_out(
    image: Image, field: Callable[[int], FloatArray], count: int, pull: Pull, rounds: int
) -> tuple[Image, FloatArray, tuple[str, ...]]:
    """Give the image worked on, its marginals (L, h, w) and a note if it is a smaller one.

    ``field`` gives the probabilities (H, W) of each of ``count`` classes, one by one: all of them at full size are gigabytes.
    """
    small, notes = reduced(image, max(1, min(PIXELS, _VALUES // count)))
    given = np.empty((count, *small.size), np.float32)
    for row in range(count):
        whole = np.asarray(field(row), np.float32)
        given[row] = cv2.resize(whole, small.size[::-1], interpolation=cv2.INTER_AREA) if notes else whole
    return small, mean_field(given, colours(small), _scaled(pull, small.size[0] / image.size[0]), rounds), notes


def _scaled(pull: Pull, factor: float) -> Pull:
    """Give the same widths on a smaller image."""
    return pull._replace(reach=max(1.0, pull.reach * factor), near=max(0.3, pull.near * factor))


def colours(image: Image) -> FloatArray:
    """Give what pixels are compared by (H, W, C), from 0 to 255: the bands, or three principal components of more."""
    values = np.nan_to_num(image.unit(), nan=0.0, posinf=1.0, neginf=0.0) * np.float32(255)
    if values.shape[2] <= _BANDS:
        return values
    flat = values.reshape(-1, values.shape[2])
    centred = flat - flat.mean(axis=0, dtype=np.float64).astype(np.float32)
    _, directions = np.linalg.eigh((centred.T @ centred).astype(np.float64))
    return (centred @ directions[:, -_BANDS:].astype(np.float32)).reshape(*values.shape[:2], _BANDS)


def _objects(image: Image, found: Segmentation, pull: Pull, rounds: int, certainty: float) -> Segmentation:
    shrunk: list[str] = []

    def change(piece: Piece) -> BoolArray:
        part = Image(image.pixels[piece.window], image.bands)
        small, notes = reduced(part, _OBJECT)
        shrunk.extend(notes)
        shown = cv2.resize(piece.mask.astype(np.float32), small.size[::-1], interpolation=cv2.INTER_AREA).reshape(small.size)
        inside = (1 - certainty) + (2 * certainty - 1) * shown
        near = _scaled(pull, small.size[0] / part.size[0])
        first, second = mean_field(np.stack([1 - inside, inside]), colours(small), near, rounds)
        drawn = (second > first).astype(np.uint8)
        return np.asarray((enlarged(drawn, small, part) if notes else drawn) > 0)

    refined = reshaped(found, change, lambda side: max(8, side // 4))
    told = f"crf: objects in windows of more than {_OBJECT:,} pixels were worked out on fewer, and brought back along edges"
    return replace(refined, notes=(*found.notes, told)) if shrunk else refined
