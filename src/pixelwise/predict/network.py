"""A network as a predictor: images of any size and mode in, batched by equal size, in inference mode."""

import hashlib
from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import replace

import numpy as np
import torch

from pixelwise.augment.scale import scale_image, scaled_size
from pixelwise.core.arrays import AnyArray, Size
from pixelwise.core.card import Card
from pixelwise.core.errors import DataError, OptionError, TooLarge
from pixelwise.core.image import Image, as_image
from pixelwise.core.predictor import PLAIN, Request
from pixelwise.core.segmentation import Segmentation
from pixelwise.decode.frame import Frame
from pixelwise.models.segmenter import Segmenter
from pixelwise.predict.fingerprint import card_fingerprint

BATCH_PIXELS = 4_000_000  # together in one forward pass; more gain nothing and cost memory


class Network:
    """A trained model behind the waist.

    Args:
        model: with its card.
        device: ``auto``, ``cpu``, ``cuda`` or ``mps``.
        precision: ``32-true`` or ``bf16-mixed``; ``auto`` takes 32 bits on a CPU, bfloat16 on an accelerator that has it.
    """

    def __init__(self, model: Segmenter, device: str = "auto", precision: str = "auto") -> None:
        if device == "auto":
            device = "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu"
        self.device = torch.device(device)
        self.model = model.eval().to(self.device).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        has_bf16 = device == "cuda" and torch.cuda.is_bf16_supported(including_emulation=False)
        self.half = precision == "bf16-mixed" or (precision == "auto" and has_bf16)

    @property
    def card(self) -> Card:
        """What the model is."""
        return self.model.card

    def fingerprint(self) -> str:
        """Sum up the card, the weights and the precision."""
        sums = hashlib.sha256(f"{card_fingerprint(self)} {self.half}".encode())
        for name, value in self.model.state_dict().items():
            sums.update(name.encode())
            sums.update(value.detach().cpu().contiguous().view(-1).view(torch.uint8).numpy())
        return sums.hexdigest()

    def __call__(self, images: Sequence[Image], request: Request = PLAIN) -> list[Segmentation]:
        """Segment each image; images of different sizes never share a batch, so none is padded for another's sake.

        Raises:
            OptionError: a threshold is given to a model of more than two classes, or prompts are given.
            DataError: an image has no pixels, or not the bands of the model.
        """
        if request.prompts:
            raise OptionError(f"the network '{self.card.name}' takes no prompts; methods such as grabcut do")
        if request.threshold is not None and self.card.kind == "semantic" and len(self.card.labels) != 2:
            raise OptionError(
                f"a threshold is for models of two classes (background and one more); this one has {len(self.card.labels)}"
            )
        if request.threshold is None and self.card.threshold is not None:
            request = replace(request, threshold=self.card.threshold)
        given = [as_image(image).to_bands(self.card.bands) for image in images]
        if empty := [image.size for image in given if 0 in image.size]:
            raise DataError(f"expected an image with pixels, got one of {empty[0][0]} x {empty[0][1]} (height x width)")
        frames = [_frame(image.size, self.card.scale) for image in given]
        pixels = [scale_image(image, self.card.scale).pixels for image in given]
        found: dict[int, Segmentation] = {}
        for rows in _alike(pixels):
            found.update(
                zip(rows, self._batch([pixels[row] for row in rows], [frames[row] for row in rows], request), strict=True)
            )
        return [found[row] for row in range(len(images))]

    @torch.inference_mode()
    def _batch(self, pixels: list[AnyArray], frames: list[Frame], request: Request) -> list[Segmentation]:
        top = {"uint8": 255.0, "uint16": 65535.0}.get(pixels[0].dtype.name, 1.0)
        stacked = torch.from_numpy(np.stack(pixels)).to(self.device).to(torch.float32).div_(top).permute(0, 3, 1, 2)
        try:
            with self._precision():
                return self.model.predict(stacked, frames, request)
        except (torch.OutOfMemoryError, MemoryError):
            reason = f"do not fit the memory of {self.device}"
        except RuntimeError as error:
            if "not enough memory" not in str(error):  # what torch's allocator of main memory says
                raise
            reason = "do not fit the main memory"
        raise TooLarge(
            f"{len(pixels)} x {frames[0].size[0]} x {frames[0].size[1]} pixels {reason}; cut it into tiles: "
            f"--tile 1024,1024, or Tiled(predictor, tile=(1024, 1024)) in Python"
        )

    def _precision(self) -> AbstractContextManager[object]:
        return torch.autocast(self.device.type, torch.bfloat16, enabled=self.half)


def _frame(size: Size, scale: float) -> Frame:
    """Say how an image lies in its batch, when it is read at a scale."""
    small = scaled_size(size, scale)
    return Frame(size, (small[0] / size[0], small[1] / size[1]))


def _alike(pixels: Sequence[AnyArray]) -> list[list[int]]:
    """Group rows of equal shape and type, in order, each group within the pixels of one forward pass."""
    open_groups: dict[tuple[object, ...], list[int]] = {}
    done: list[list[int]] = []
    for row, one in enumerate(pixels):
        key = (one.shape, one.dtype.name)
        group = open_groups.setdefault(key, [])
        if group and (len(group) + 1) * one.shape[0] * one.shape[1] > BATCH_PIXELS:
            done.append(group)
            group = open_groups[key] = []
        group.append(row)
    return done + [group for group in open_groups.values() if group]
