"""The image as some thousand pieces to cluster: superpixels, or the pixels themselves where they are as few.

For methods that compare each with each. Superpixels are SLIC's [1], on a level of at most a megapixel; what is found comes back
along the edges of the image (``reduced``).

[1] Achanta et al.: SLIC superpixels compared to state-of-the-art superpixel methods, IEEE TPAMI 2012.
"""

from typing import NamedTuple

import numpy as np

from pixelwise.core.arrays import AnyArray, FloatArray, IntArray
from pixelwise.core.errors import OptionError
from pixelwise.core.image import RGB, Image
from pixelwise.core.segmentation import Segmentation
from pixelwise.methods.clusters.features import Features, colours
from pixelwise.methods.clusters.points import Points
from pixelwise.methods.effort import advance
from pixelwise.methods.partition import as_regions, numbered_from_1
from pixelwise.methods.reduced import enlarged, reduced

_PIXELS = 1_000_000  # that superpixels are found on, at most
_COMPACTNESS = 0.1  # colours that differ by a tenth weigh as much as a superpixel's width
_STRIP = 2**18


class Pieces(NamedTuple):
    """A partition of an image into N pieces, described.

    Attributes:
        ids: (h, w) the piece of each pixel, from 0, of the image that was worked on.
        values: (N, F) mean descriptions.
        areas: (N,) in pixels.
        points: of the image that was worked on.
        image: the whole image.
        notes: how it was made.
    """

    ids: IntArray
    values: FloatArray
    areas: FloatArray
    points: Points
    image: Image
    notes: tuple[str, ...]

    def colours(self) -> FloatArray:
        """Give the mean colours (N, C): the descriptions without place and texture."""
        return self.values[:, : self.points.channels]

    def neighbours(self) -> AnyArray:
        """Give the sparse matrix (N, N) of pieces that share a side."""
        from scipy.sparse import csr_array

        count, ids = len(self.values), self.ids.astype(np.int64)
        pairs = np.concatenate([(a * count + b).ravel() for a, b in ((ids[:, :-1], ids[:, 1:]), (ids[:-1], ids[1:]))])
        first, second = np.divmod(np.unique(pairs), count)
        differ = first != second
        first, second = first[differ], second[differ]
        rows, columns = np.concatenate([first, second]), np.concatenate([second, first])
        return csr_array((np.ones(len(rows)), (rows, columns)), shape=(count, count))

    def regions(self, labels: IntArray) -> Segmentation:
        """Make regions of the pieces' labels (N,), from dark to bright."""
        clusters, places = np.unique(labels, return_inverse=True)
        weights = np.bincount(places, self.areas)
        level = np.bincount(places, self.areas * self.points.brightness(self.values)) / weights
        ranks = np.argsort(np.lexsort((np.arange(len(clusters)), level)))
        ids, _ = numbered_from_1(ranks[places][self.ids])
        return as_regions(enlarged(ids, self.points.image, self.image), self.notes)


def check_count(method: str, count: int, highest: int) -> None:
    """Refuse a number of superpixels that is too low or too high.

    Raises:
        OptionError: it is.
    """
    if not 2 <= count <= highest:
        raise OptionError(f"{method}: superpixels must be from 2 to {highest}, got {count}")


def pieces(image: Image, features: Features, count: int) -> Pieces | None:
    """Cut ``image`` into about ``count`` superpixels, or into its pixels if there are no more; None if it has one colour."""
    points = Points(image, Features())
    if points.is_plain:
        return None
    small, notes = (image, ()) if image.size[0] * image.size[1] <= count else reduced(image, _PIXELS)
    points = Points(small, features)
    pixels = small.size[0] * small.size[1]
    if pixels <= count:
        ids = np.arange(pixels).reshape(small.size)
    else:
        ids = _superpixels(small, count)
        notes = (f"clusters {int(ids.max()) + 1} superpixels", *notes)
    advance(0.3)
    areas = np.bincount(ids.ravel()).astype(np.float64)
    sums = _sums(points, ids.ravel(), len(areas))
    return Pieces(ids, sums / areas[:, None], areas, points, image, (*points.notes, *notes))


def _superpixels(image: Image, count: int) -> IntArray:
    """Number about ``count`` superpixels (H, W) from 0."""
    from skimage.segmentation import slic

    values = np.asarray(colours(image, "lab" if image.bands == RGB else "bands"), np.float32)
    found = slic(values, count, _COMPACTNESS, max_num_iter=5, convert2lab=False, channel_axis=2, start_label=0)
    return numbered_from_1(found)[0].astype(np.int64) - 1


def _sums(points: Points, ids: IntArray, count: int) -> FloatArray:
    """Add up the descriptions of the pixels of each piece: (N, F)."""
    total: FloatArray = np.zeros((count, 0))
    for start in range(0, len(ids), _STRIP):
        strip = slice(start, min(len(ids), start + _STRIP))
        values = points.at(strip)
        part = [np.bincount(ids[strip], column, minlength=count) for column in values.T]
        total = np.stack(part, axis=1) + (total if total.size else 0)
    return total
