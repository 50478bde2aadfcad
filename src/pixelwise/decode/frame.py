"""The frame of an image in a batch: what must be undone to bring its output back to its own pixels."""

from dataclasses import dataclass

from pixelwise.core.arrays import Size


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
