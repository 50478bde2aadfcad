"""A network as a predictor: images of any size and mode in, batched by equal size, in inference mode."""

import copy
import hashlib
from collections.abc import Iterable, Sequence
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
from pixelwise.core.resources import cpu_has_bf16
from pixelwise.core.segmentation import Segmentation
from pixelwise.core.streaming import Streaming
from pixelwise.decode.frame import Frame
from pixelwise.models.segmenter import Segmenter
from pixelwise.predict.devices import device_of
from pixelwise.predict.divided import Divided
from pixelwise.predict.fingerprint import card_fingerprint
from pixelwise.predict.precision import agreement, noted, takes_bf16

BATCH_PIXELS = 4_000_000  # together in one forward pass; more gain nothing and cost memory


class Network(Streaming):
    """A trained model behind the waist.

    Args:
        model: with its card.
        device: ``auto``, ``cpu``, ``cuda``, ``mps``, or one of several as in ``cuda:1``.
        precision: ``fp32``, ``bf16``, or ``auto`` by the rule of ``pixelwise.predict.precision``. The names that training has
            for them, ``32-true`` and ``bf16-mixed``, are known too.

    Raises:
        OptionError: there is no such device here, or no such precision.
    """

    def __init__(self, model: Segmenter, device: str = "auto", precision: str = "auto") -> None:
        self.device = device_of(device)
        self.model = model.eval().to(self.device).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.half = takes_bf16(precision, self.device, model.card)

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
        stacked = self._sent(pixels).to(torch.float32).div_(top).permute(0, 3, 1, 2)
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

    def _sent(self, pixels: list[AnyArray]) -> torch.Tensor:
        """Stack pixels (N, H, W, C) on the device, in the type they are in: bytes travel in a quarter of the time of floats."""
        stacked = torch.from_numpy(np.stack(pixels))
        if self.device.type != "cuda":
            return stacked.to(self.device)
        return stacked.pin_memory().to(self.device, non_blocking=True)

    def _precision(self) -> AbstractContextManager[object]:
        return torch.autocast(self.device.type, torch.bfloat16, enabled=self.half)


def with_agreement(network: Network, images: Iterable[Image]) -> Card:
    """Give the card of a network in 32 bits, with the share of pixels that keep their class in bfloat16.

    The card stays as it is where that says nothing: on accelerators, and on CPUs without bfloat16 in hardware.
    """
    if network.device.type != "cpu" or network.half or not cpu_has_bf16():
        return network.card
    return noted(network.card, agreement(network, Network(network.model, "cpu", "bf16"), images))


def on_devices(model: Segmenter, devices: str = "auto", precision: str = "auto") -> Network | Divided:
    """Put a model on one device, or a replica on each of several, as in ``cuda:0,cuda:1``.

    Raises:
        OptionError: there is no such device or precision.
    """
    names = [name.strip() for name in devices.split(",")]
    if len(names) == 1:
        return Network(model, names[0], precision)
    return Divided([Network(copy.deepcopy(model) if row else model, name, precision) for row, name in enumerate(names)])


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
