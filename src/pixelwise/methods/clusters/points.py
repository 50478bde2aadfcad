"""The pixels of an image as points to cluster: distinct ones with counts, a sample of them, and a label for each pixel.

Where only colour counts, an image of 8 bits (grey or three bands), or grey of 16, is its distinct colours: a photo of 24
megapixels has some hundred thousand. Then clusters are looked up, not worked out, for each pixel. Other images are described
in strips, so that descriptions of all pixels are never held at once.
"""

import math
from collections.abc import Callable

import numpy as np

from pixelwise.core.arrays import FloatArray, IntArray
from pixelwise.core.image import Image
from pixelwise.core.masks import smallest_dtype
from pixelwise.methods.clusters.features import Features, blurred, brightness, colours
from pixelwise.methods.clusters.textures import TEXTURES
from pixelwise.methods.effort import advance
from pixelwise.methods.grey import grey_levels
from pixelwise.methods.reduced import reduced

_STRIP = 2**18  # pixels that are described at once


class Points:
    """The described pixels of one image."""

    def __init__(self, image: Image, features: Features) -> None:
        """Look at ``image``; descriptions are worked out when asked for."""
        self.image, self.features, self.size = image, features, image.size
        self.channels = image.pixels.shape[2]
        self.notes: tuple[str, ...] = ()
        self._count = self.size[0] * self.size[1]
        self._pixels = image.pixels.reshape(self._count, self.channels)
        self._smooth = blurred(colours(image, features.space), features.smooth) if features.smooth else None
        self._codes = _codes(self._pixels) if features.are_of_colour_alone else None
        self._distinct, self._counts = _counted(self._codes) if self._codes is not None else (None, None)
        self._texture = self._textured()

    @property
    def is_plain(self) -> bool:
        """Tell whether all pixels have one colour: there is nothing to part then, wherever they are."""
        if self._distinct is not None:
            return len(self._distinct) <= 1
        values = np.nan_to_num(self._pixels, posinf=1.0, neginf=0.0) if self._pixels.dtype.kind == "f" else self._pixels
        return not self._count or bool((values.min(axis=0) == values.max(axis=0)).all())

    def at(self, pixels: IntArray | slice) -> FloatArray:
        """Describe pixels, by their numbers in reading order: (N, F) float32."""
        columns = [self._smooth.reshape(-1, self.channels)[pixels]] if self._smooth is not None else []
        if not columns:
            own = Image(self._pixels[pixels][None], self.image.bands)
            columns = [colours(own, self.features.space)[0]]
        if self.features.place or self._texture is not None:
            numbers = np.arange(*pixels.indices(self._count)) if isinstance(pixels, slice) else pixels
            places = np.stack(np.divmod(numbers, max(self.size[1], 1)), axis=1)
        if self.features.place:
            columns.append((places * (self.features.place / max(self.size))).astype(np.float32))
        if self._texture is not None:
            columns.append(_between(self._texture, places, self.size))
        return columns[0] if len(columns) == 1 else np.concatenate(columns, axis=1)

    def all(self) -> tuple[FloatArray, FloatArray] | None:
        """Give the distinct descriptions (N, F) and how many pixels each has (N,), where only colours count; else None."""
        if self._distinct is None or self._counts is None:
            return None
        return self._described(self._distinct), self._counts.astype(np.float64)

    def sample(self, count: int, seed: int) -> tuple[FloatArray, FloatArray]:
        """Draw ``count`` pixels without return, or take all: their distinct descriptions (N, F), and counts (N,)."""
        if self._distinct is not None and len(self._distinct) <= count:
            found, weights = self._described(self._distinct), self._counts
        else:
            found, weights = self.drawn(count, seed), None
        distinct, places = np.unique(found, axis=0, return_inverse=True)
        return distinct, np.bincount(places.ravel(), weights=weights, minlength=len(distinct)).astype(np.float64)

    def drawn(self, count: int, seed: int) -> FloatArray:
        """Draw ``count`` pixels without return, or all there are: (N, F), in reading order."""
        if self._count <= count:
            return self.at(slice(0, self._count))
        rng = np.random.default_rng(seed)
        return self.at(np.sort(rng.choice(self._count, count, replace=False)))

    def brightness(self, values: FloatArray) -> FloatArray:
        """Give the brightness (N,) of descriptions (N, F)."""
        return brightness(values, self.image.bands, self.features.space)

    def labelled(self, assign: Callable[[FloatArray], IntArray], clusters: int, done: float = 0.5) -> IntArray:
        """Label every pixel: (H, W) of what ``assign`` says of its description.

        Args:
            assign: gives numbers (N,) from 0 to ``clusters`` - 1 for descriptions (N, F).
            clusters: how many there are.
            done: the share of the method's work that came before.
        """
        dtype = smallest_dtype(max(clusters - 1, 0))
        whole = self._count if self._distinct is None else len(self._distinct)
        labels = np.empty(whole, dtype)
        for start in range(0, whole, _STRIP):
            strip = slice(start, min(whole, start + _STRIP))
            labels[strip] = assign(self.at(strip) if self._distinct is None else self._described(self._distinct[strip]))
            advance(done + (1 - done) * strip.stop / whole)
        if self._distinct is not None and self._codes is not None:
            table = np.empty(int(self._distinct[-1]) + 1 if whole else 0, dtype)
            table[self._distinct] = labels
            labels = table[self._codes]
        return labels.reshape(self.size)

    def _described(self, codes: IntArray) -> FloatArray:
        """Describe colours by their codes: (N, C)."""
        if self.channels == 1:
            pixels = codes.astype(self._pixels.dtype)[:, None]
        else:
            pixels = np.stack([codes >> 16, codes >> 8 & 255, codes & 255], axis=1).astype(np.uint8)
        return colours(Image(pixels[None], self.image.bands), self.features.space)[0]

    def _textured(self) -> FloatArray | None:
        """Give the channels (h, w, T) of texture, scaled; on a smaller image if this one is large."""
        if self.features.texture == "none" or not self.features.texture_weight or not self._count:
            return None
        small, _ = reduced(self.image)
        if small.size != self.size:
            (height, width), (down, across) = self.size, small.size
            self.notes += (f"texture was worked out on {down} x {across} of {height} x {width} pixels",)
        channels = TEXTURES[self.features.texture](np.ascontiguousarray(grey_levels(small)))
        own = colours(small, self.features.space)
        spread, wanted = (math.sqrt(each.var(axis=(0, 1), dtype=np.float64).sum()) for each in (channels, own))
        return channels * np.float32(self.features.texture_weight * wanted / spread if spread > 1e-6 else 0.0)


def _codes(pixels: IntArray) -> IntArray | None:
    """Give the colour (P,) of pixels (P, C) as one number, where there are at most 2^24 colours; else None."""
    if pixels.dtype.kind == "u" and pixels.shape[1] == 1:
        return pixels[:, 0]
    if pixels.dtype != np.uint8 or pixels.shape[1] != 3:
        return None
    codes = pixels[:, 0].astype(np.uint32) << 8
    codes |= pixels[:, 1]
    codes <<= 8
    codes |= pixels[:, 2]
    return codes


def _counted(codes: IntArray) -> tuple[IntArray, IntArray]:
    """Give the distinct codes, rising, and how often each comes."""
    if codes.dtype.itemsize < 4:  # few enough for a bin each
        bins = np.bincount(codes, minlength=1)
        found = np.flatnonzero(bins)
        return found.astype(np.uint32), bins[found]
    ordered = np.sort(codes)
    starts = np.flatnonzero(np.concatenate([[True], ordered[1:] != ordered[:-1]])) if len(codes) else np.zeros(0, np.int64)
    return ordered[starts], np.diff(np.append(starts, len(codes)))


def _between(values: FloatArray, places: IntArray, size: tuple[int, int]) -> FloatArray:
    """Look up channels (h, w, T) at pixels (N, 2) of an image (H, W), linearly between four."""
    cells = values.shape[:2]
    if cells == size:
        return values[places[:, 0], places[:, 1]]
    flat = values.reshape(-1, values.shape[2])
    at = [np.clip((places[:, side] + 0.5) * (cells[side] / size[side]) - 0.5, 0, cells[side] - 1) for side in (0, 1)]
    (top, left), (below, right) = ([one.astype(np.int64) for one in at], [np.ceil(one).astype(np.int64) for one in at])
    down, across = ((one - np.floor(one)).astype(np.float32)[:, None] for one in at)
    above = flat[top * cells[1] + left] * (1 - across) + flat[top * cells[1] + right] * across
    under = flat[below * cells[1] + left] * (1 - across) + flat[below * cells[1] + right] * across
    return above * (1 - down) + under * down
