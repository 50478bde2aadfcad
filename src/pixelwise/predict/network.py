"""A network as a predictor: images of any size and mode in, batched by equal size, in inference mode."""

import copy
import hashlib
from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager

import torch

from pixelwise.core.arrays import AnyArray
from pixelwise.core.card import Card
from pixelwise.core.errors import TooLarge
from pixelwise.core.image import FULL_SCALES, Image
from pixelwise.core.predictor import PLAIN, Request
from pixelwise.core.resources import cpu_has_bf16
from pixelwise.core.segmentation import Segmentation
from pixelwise.core.streaming import Streaming
from pixelwise.decode.batch import batches, fitting
from pixelwise.decode.frame import Frame
from pixelwise.models.segmenter import Segmenter
from pixelwise.predict.devices import device_of
from pixelwise.predict.divided import Divided
from pixelwise.predict.fingerprint import card_fingerprint
from pixelwise.predict.precision import agreement, noted, takes_bf16


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
        request = fitting(request, self.card)
        found: dict[int, Segmentation] = {}
        for batch in batches(images, self.card):
            found.update(zip(batch.rows, self._batch(batch.pixels, batch.frames, request), strict=True))
        return [found[row] for row in range(len(images))]

    @torch.inference_mode()
    def _batch(self, pixels: AnyArray, frames: Sequence[Frame], request: Request) -> list[Segmentation]:
        stacked = self._sent(pixels).to(torch.float32).div_(FULL_SCALES[pixels.dtype.name]).permute(0, 3, 1, 2)
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

    def _sent(self, pixels: AnyArray) -> torch.Tensor:
        """Bring pixels (N, H, W, C) to the device in the type they are in: bytes travel in a quarter of the time of floats."""
        stacked = torch.from_numpy(pixels)
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
