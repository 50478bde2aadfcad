"""What a tile shows of the objects of an image: pieces of them, in the image's own pixels."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from pixelwise.core.arrays import BoolArray, FloatArray, IntArray, Size
from pixelwise.core.grid import Tile
from pixelwise.core.run_windows import Strokes, gathered
from pixelwise.core.segmentation import Segmentation

Window = tuple[int, int, int, int]  # left, top, right, bottom; right and bottom exclusive


@dataclass(frozen=True, eq=False)
class Pieces:
    """P pieces of objects, of one tile or of many.

    Attributes:
        strokes: their masks.
        groups: (P,) twice the class, and one more for a crowd: pieces of different groups are never of one object.
        scores: (P,), or None.
        boxes: (P, 4) left, top, right, bottom.
        is_cut: (P,) True where the piece reaches a border of its tile inside the image, so that the object may go on beyond.
        is_rim: (P,) True where it gives nothing to its object: other tiles see more of that, and have all pixels of the piece
            further from their borders. It is matched nevertheless, so that no other piece is taken for it.
        tiles: (P,) the number of each piece's tile.
    """

    strokes: Strokes
    groups: IntArray
    scores: FloatArray | None
    boxes: IntArray
    is_cut: BoolArray
    is_rim: BoolArray
    tiles: IntArray

    def __len__(self) -> int:
        return len(self.strokes)

    def take(self, rows: IntArray) -> "Pieces":
        """Take the pieces at ``rows``."""
        rest = (self.boxes[rows], self.is_cut[rows], self.is_rim[rows], self.tiles[rows])
        return Pieces(self.strokes.take(rows), self.groups[rows], None if self.scores is None else self.scores[rows], *rest)


def pieces_of(found: Segmentation, tile: Tile, number: int, size: Size, margin: int) -> Pieces:
    """Take the segments of a tile as pieces, in pixels of the image (H, W); those without a pixel are left out.

    A piece is of the rim if it reaches a border inside the image and has no pixel in the tile's core.

    Args:
        margin: a piece that ends within so many pixels of a border counts as reaching it.
    """
    strokes = Strokes.of(found.masks.run_lengths()).moved(tile.top, tile.left)
    boxes = strokes.boxes()
    is_cut = reaches(boxes, inner(window(tile), (0, 0, size[1], size[0])), margin)
    is_rim = is_cut & (strokes.cut(core(tile)).areas() == 0)
    groups = 2 * found.class_ids.astype(np.int64) + found.is_crowd
    pieces = Pieces(strokes, groups, found.scores, boxes, is_cut, is_rim, np.full(len(found), number))
    return pieces.take(np.flatnonzero(strokes.areas()))


def together(parts: Sequence[Pieces]) -> Pieces:
    """Put the pieces of all tiles into one list; scores are kept if every tile with pieces gave them."""
    scores = [part.scores for part in parts if len(part)]
    return Pieces(
        gathered([part.strokes for part in parts]),
        np.concatenate([np.zeros(0, np.int64), *(part.groups for part in parts)]),
        np.concatenate([np.zeros(0), *(each for each in scores if each is not None)]) if all_given(scores) else None,
        np.concatenate([np.zeros((0, 4), np.int64), *(part.boxes for part in parts)]),
        np.concatenate([np.zeros(0, bool), *(part.is_cut for part in parts)]),
        np.concatenate([np.zeros(0, bool), *(part.is_rim for part in parts)]),
        np.concatenate([np.zeros(0, np.int64), *(part.tiles for part in parts)]),
    )


def all_given(scores: Sequence[FloatArray | None]) -> bool:
    """Tell whether there are scores, and none is missing."""
    return bool(scores) and all(each is not None for each in scores)


def window(tile: Tile) -> Window:
    """Give the place of a tile."""
    return tile.left, tile.top, tile.left + tile.width, tile.top + tile.height


def core(tile: Tile) -> Window:
    """Give the place of a tile's core."""
    top, left, bottom, right = tile.core
    return left, top, right, bottom


def common(first: Window, second: Window) -> Window | None:
    """Give what two windows share, or None."""
    left, top = max(first[0], second[0]), max(first[1], second[1])
    right, bottom = min(first[2], second[2]), min(first[3], second[3])
    return (left, top, right, bottom) if left < right and top < bottom else None


def inner(own: Window, other: Window) -> tuple[int | None, int | None, int | None, int | None]:
    """Give the borders of a window beyond which another one goes on: left, top, right, bottom, or None.

    >>> inner((0, 0, 8, 8), (0, 0, 20, 8))
    (None, None, 8, None)
    """
    left, top, right, bottom = own
    return (
        left if other[0] < left else None,
        top if other[1] < top else None,
        right if other[2] > right else None,
        bottom if other[3] > bottom else None,
    )


def reaches(boxes: IntArray, borders: Sequence[int | None], margin: int) -> BoolArray:
    """Tell which boxes (P, 4) end within ``margin`` pixels of a border on its inner side: the first pixel is one of them."""
    found = np.zeros(len(boxes), bool)
    for side, border in enumerate(borders):
        if border is not None:
            found |= boxes[:, side] < border + margin if side < 2 else boxes[:, side] > border - margin
    return found
