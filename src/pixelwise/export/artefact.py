"""An exported file as a predictor. No torch is imported for it, unless the file is torch's own."""

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple, Protocol, runtime_checkable

import numpy as np

from pixelwise.core.arrays import AnyArray
from pixelwise.core.card import Card
from pixelwise.core.errors import CheckpointError, DataError, OptionError, TooLarge
from pixelwise.core.image import FULL_SCALES, Image
from pixelwise.core.predictor import PLAIN, Request
from pixelwise.core.segmentation import Segmentation
from pixelwise.core.streaming import Streaming
from pixelwise.decode.batch import Batch, batches, fitting
from pixelwise.decode.frame import Frame
from pixelwise.export.sheet import Sheet


class Session(Protocol):
    """A file that a runtime has opened."""

    def __call__(self, images: AnyArray) -> Sequence[AnyArray]:
        """Run on images as the sheet's ``input`` says; give the arrays of its ``outputs``, in order."""


@runtime_checkable
class Sharing(Protocol):
    """A session that can divide the machine's cores among several calls."""

    def share(self, calls: int) -> None:
        """Do so for so many calls at a time."""


class Opened(NamedTuple):
    """What a runtime makes of a file: a session, and the sheet if there is one inside."""

    session: Session
    sheet: Sheet | None


class Artefact(Streaming):
    """An exported model behind the waist.

    Args:
        session: what runs the graph; called from several threads at once where ``stream`` or a server does so.
        sheet: what the graph takes and gives.
        path: of the file, for messages.
    """

    def __init__(self, session: Session, sheet: Sheet, path: Path) -> None:
        self.session, self.sheet, self.path = session, sheet, path

    @property
    def card(self) -> Card:
        """What the model is."""
        return self.sheet.card

    def fingerprint(self) -> str:
        """Sum up the file, or all files of the folder."""
        files = [self.path] if self.path.is_file() else sorted(path for path in self.path.rglob("*") if path.is_file())
        sums = hashlib.sha256(self.sheet.to_text().encode())
        for file in files:
            with file.open("rb") as stream:
                sums.update(hashlib.file_digest(stream, "sha256").digest())
        return sums.hexdigest()

    def share(self, calls: int) -> None:
        """Prepare for so many calls at a time, as a server makes them: runtimes that can divide the cores among them."""
        if isinstance(self.session, Sharing):
            self.session.share(calls)

    def __call__(self, images: Sequence[Image], request: Request = PLAIN) -> list[Segmentation]:
        """Segment each image; those of one size share a call of the runtime.

        Raises:
            OptionError: probabilities are wanted of a model that was exported without, a threshold is given to a model of more
                than two classes, or prompts are given.
            DataError: an image has no pixels, not the bands of the model, or more bits than the model takes.
            TooLarge: an image is larger than the one size of the model.
        """
        request = fitting(request, self.card)
        wants = request.probabilities or (request.threshold is not None and self.card.kind in ("semantic", "multilabel"))
        if wants and "probabilities" in self.sheet.decoder.outputs and not self.card.gives_probabilities:
            raise OptionError(
                f"{self.path.name}: was exported with classes alone, and probabilities are needed; "
                f"export it again with --output probabilities"
            )
        found: dict[int, Segmentation] = {}
        for batch in batches(images, self.card, self.sheet.input.batch):
            found.update(zip(batch.rows, self._batch(batch, request), strict=True))
        return [found[row] for row in range(len(images))]

    def _batch(self, batch: Batch, request: Request) -> list[Segmentation]:
        given, frames = self._fitted(self._values(batch.pixels), batch.frames)
        count = len(given)
        if self.sheet.input.batch is not None and count < self.sheet.input.batch:
            given = np.concatenate([given, np.repeat(given[-1:], self.sheet.input.batch - count, axis=0)])
        arrays = self.session(given if self.sheet.input.layout == "NHWC" else np.ascontiguousarray(given.transpose(0, 3, 1, 2)))
        if len(arrays) != len(self.sheet.outputs):
            raise CheckpointError(
                f"{self.path.name}: expected {len(self.sheet.outputs)} arrays of its graph, as described inside, got "
                f"{len(arrays)}"
            )
        named = dict(zip(self.sheet.outputs, arrays, strict=True))
        shape = (count, 0, *given.shape[1:3])
        reduced = [named[name][:count] if name in named else np.zeros(shape, np.float32) for name in self.sheet.decoder.outputs]
        return self.sheet.decoder(reduced, frames, self.card.labels, request)

    def _values(self, pixels: AnyArray) -> AnyArray:
        """Bring pixels (N, H, W, C) to the values that the graph takes."""
        taken = self.sheet.input
        if taken.values == "uint8":
            if pixels.dtype != np.uint8:
                raise DataError(
                    f"{self.path.name}: takes images of 8 bits, got {pixels.dtype}; export the model with --input float32 for "
                    f"more"
                )
            return pixels
        values = pixels.astype(np.float32) / np.float32(FULL_SCALES[pixels.dtype.name])
        if taken.mean:
            values = (values - np.array(taken.mean, np.float32)) / np.array(taken.deviation, np.float32)
        return values

    def _fitted(self, images: AnyArray, frames: Sequence[Frame]) -> tuple[AnyArray, list[Frame]]:
        """Bring images (N, H, W, C) to a size that the graph takes."""
        taken, size = self.sheet.input, images.shape[1:3]
        if taken.size is not None and taken.fit == "resize":
            return _resized(images, frames, taken.size)
        sides = taken.size or tuple(max(side, taken.least) for side in size)
        if sides[0] < size[0] or sides[1] < size[1]:
            raise TooLarge(
                f"{self.path.name}: takes images of {sides[0]} x {sides[1]} (height x width) alone, got {size[0]} x {size[1]}; "
                f"cut it into tiles: --tile {sides[0]},{sides[1]}, or export it with a dynamic size"
            )
        more = (sides[0] - size[0], sides[1] - size[1])
        if any(more):
            images = np.pad(images, ((0, 0), (0, more[0]), (0, more[1]), (0, 0)), mode="edge")
        return images, [replace(frame, padding=more) for frame in frames]


def _resized(images: AnyArray, frames: Sequence[Frame], size: tuple[int, int]) -> tuple[AnyArray, list[Frame]]:
    import cv2

    shaped = [cv2.resize(image, size[::-1], interpolation=cv2.INTER_AREA) for image in images]
    stacked = np.stack([image if image.ndim == 3 else image[:, :, None] for image in shaped])
    return stacked, [replace(frame, scale=(size[0] / frame.size[0], size[1] / frame.size[1])) for frame in frames]
