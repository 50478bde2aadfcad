"""Drawn objects in scenes of any size, and a predictor that knows them: it tells from the pixels where its tile lies.

An image of ``Places`` holds the row and the column of each pixel, and takes no memory. The oracle gives the objects of a
window exactly as they are, or as a network would: with borders that differ from tile to tile, some missed, some invented.
"""

from dataclasses import dataclass, field

import cv2
import numpy as np

from pixelwise.core.card import Card
from pixelwise.core.image import Image
from pixelwise.core.labels import LabelSet
from pixelwise.core.masks import OverlappingMasks
from pixelwise.core.predictor import PLAIN
from pixelwise.core.run_windows import Strokes, gathered
from pixelwise.core.runs import encode
from pixelwise.core.segmentation import Segmentation

LABELS = LabelSet.of(["cell", "crystal", "worm"], things=["cell", "crystal", "worm"])


class Places:
    """A raster (H, W) in which a window holds the place of its first pixel."""

    bands = ("row", "column")

    def __init__(self, size):
        self.size = size

    def read(self, rows, columns):
        shape = (rows.stop - rows.start, columns.stop - columns.start, 2)
        return Image(np.broadcast_to(np.array([rows.start, columns.start], np.uint16), shape), self.bands)


def places(size):
    """Give an image (H, W) in which every pixel holds its row and column."""
    return Image(np.stack(np.indices(size), axis=2).astype(np.uint16), Places.bands)


@dataclass(frozen=True)
class Thing:
    """One object: the place of its patch's first pixel, the patch (h, w), its class and score."""

    top: int
    left: int
    patch: np.ndarray
    class_id: int = 0
    score: float = 0.9

    def within(self, top, left, size):
        """Give the object's mask in a window (h, w), which may lie anywhere."""
        mask = np.zeros(size, bool)
        rows, columns = (slice(max(0, own - place), max(0, own - place + length)) for own, place, length in
                         ((self.top, top, self.patch.shape[0]), (self.left, left, self.patch.shape[1])))  # fmt: skip
        part = mask[rows, columns]
        down, along = max(0, top - self.top), max(0, left - self.left)
        part[:] = self.patch[down : down + part.shape[0], along : along + part.shape[1]]
        return mask


@dataclass
class Scene:
    """Objects on an (H, W) grid."""

    size: tuple[int, int]
    things: list[Thing] = field(default_factory=list)

    def draw(self, count, radii, rng, scores=True):
        """Draw blobs: at most one in each cell of a grid, so that none hides quite under another of its size."""
        side = int(np.ceil(np.sqrt(count)))
        for cell in rng.permutation(side * side)[:count]:
            radius = radii[0] * (radii[1] / radii[0]) ** rng.random()
            y, x = (np.array(divmod(int(cell), side)) + rng.uniform(0.2, 0.8, 2)) * self.size / side
            patch = blob(radius, rng)
            top, left = int(y) - patch.shape[0] // 2, int(x) - patch.shape[1] // 2
            cut = patch[max(0, -top) : self.size[0] - top, max(0, -left) : self.size[1] - left]
            if cut.any():
                score = float(rng.uniform(0.5, 1)) if scores else 0.9
                self.things.append(Thing(max(0, top), max(0, left), cut, int(rng.integers(3)), score))
        return self

    def truth(self, kind="instance"):
        """Give the whole truth."""
        parts = [Strokes.of([encode(one.patch)]).moved(one.top, one.left) for one in self.things]
        masks = gathered(parts).union(np.arange(len(parts)), len(parts), self.size)
        classes = np.array([one.class_id for one in self.things], np.int64)
        return Segmentation(kind, OverlappingMasks(masks, self.size), classes, LABELS)


def blob(radius, rng):
    """Draw a round shape with three to five bumps (h, w)."""
    reach = int(radius * 1.5) + 1
    y, x = np.mgrid[-reach : reach + 1, -reach : reach + 1]
    bumps, phase = rng.integers(3, 6), rng.uniform(0, 2 * np.pi)
    patch = np.hypot(y, x) <= radius * (1 + 0.25 * np.cos(bumps * np.arctan2(y, x) + phase))
    patch[reach, reach] = True
    return patch


@dataclass
class Oracle:
    """A predictor that knows a scene.

    Attributes:
        jitter: in each tile an object is larger or smaller by so many pixels, or as it is.
        missed: the share of objects that a tile does not find.
        invented: so many false objects a tile.
        splits: whether the parts of an object that do not hang together in a tile are taken for several.
        hides: (thing, tile's top and left) that are not found.
    """

    scene: Scene
    jitter: int = 0
    missed: float = 0.0
    invented: int = 0
    splits: bool = False
    scored: bool = True
    kind: str = "instance"
    hides: frozenset = frozenset()
    asked: list = field(default_factory=list)

    def __post_init__(self):
        self.card = Card("oracle", self.kind, LABELS, bands=Places.bands, mean=(0.5, 0.5), deviation=(0.5, 0.5))
        self._boxes = np.array(
            [(one.left, one.top, one.left + one.patch.shape[1], one.top + one.patch.shape[0]) for one in self.scene.things]
        ).reshape(-1, 4)

    def __call__(self, images, request=PLAIN):
        self.asked += [(image.size, request) for image in images]
        return [self._one(*(int(value) for value in image.pixels[0, 0]), image.size) for image in images]

    def _one(self, top, left, size):
        rng = np.random.default_rng((top, left))
        inside = (self._boxes[:, :2] < (left + size[1], top + size[0])) & (self._boxes[:, 2:] > (left, top))
        found = []
        for index in np.flatnonzero(inside.all(axis=1)).tolist():
            thing = self.scene.things[index]
            mask = self._jittered(thing.within(top, left, size), rng)
            if rng.random() >= self.missed and mask.any() and (index, top, left) not in self.hides:
                found += [(part, thing.class_id, thing.score) for part in self._parts(mask)]
        for _ in range(self.invented):
            y, x = (int(rng.integers(0, max(1, side - 4))) for side in size)
            found.append((Thing(y, x, blob(2, rng)).within(0, 0, size), int(rng.integers(3)), float(rng.uniform(0, 0.4))))
        masks = OverlappingMasks(tuple(encode(mask) for mask, _, _ in found), size)
        scores = np.array([score for _, _, score in found]) if self.scored else None
        return Segmentation("instance", masks, np.array([one for _, one, _ in found], np.int64), LABELS, scores)

    def _jittered(self, mask, rng):
        step = int(rng.integers(-1, 2)) * self.jitter
        if step == 0:
            return mask
        border = cv2.BORDER_REPLICATE  # an object goes on beyond the tile, so what is cut off does not move
        change = (cv2.dilate if step > 0 else cv2.erode)(
            mask.view(np.uint8), np.ones((3, 3), np.uint8), iterations=abs(step), borderType=border
        )
        return change.astype(bool)

    def _parts(self, mask):
        if not self.splits:
            return [mask]
        count, numbers = cv2.connectedComponents(mask.view(np.uint8))
        return [numbers == number for number in range(1, count)]
