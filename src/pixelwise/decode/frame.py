"""The frame of an image in a batch: what must be undone to bring its output back to its own pixels."""

from dataclasses import dataclass

import numpy as np

from pixelwise.core.arrays import AnyArray, Size


@dataclass(frozen=True)
class Frame:
    """How one image was laid into a batch.

    Attributes:
        size: the image's own (H, W).
        scale: what it was resized by, (vertical, horizontal).
        padding: rows and columns added at the bottom and the right, after resizing.
    """

    size: Size
    scale: tuple[float, float] = (1.0, 1.0)
    padding: Size = (0, 0)

    def undone(self, output: AnyArray) -> AnyArray:
        """Bring output (…, h, w) of the batch back to the image's own (…, H, W): cut, then each pixel's nearest.

        >>> Frame((1, 2), (2.0, 2.0), (0, 1)).undone(np.array([[5, 5, 7, 7, 0], [5, 5, 7, 7, 0]])).tolist()
        [[5, 7]]
        """
        if self.scale == (1.0, 1.0):
            return output[..., : self.size[0], : self.size[1]]
        sides = [length - pad for length, pad in zip(output.shape[-2:], self.padding, strict=True)]
        rows, columns = (
            np.minimum(((np.arange(side) + 0.5) * factor).astype(np.int64), last - 1)
            for side, factor, last in zip(self.size, self.scale, sides, strict=True)
        )
        return output[..., rows[:, None], columns]
