"""The graph that is exported: from the bytes of images to what decoding needs, so that the file alone is the model."""

import copy
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn

from pixelwise.core.arrays import Size
from pixelwise.core.errors import OptionError
from pixelwise.export.constant_padding import with_constant_padding
from pixelwise.export.sheet import Input, Sheet
from pixelwise.models.recorded import cells, cut, repeated
from pixelwise.models.segmenter import Segmenter

MOST = 2**16  # of images and of pixels along a side


class Graph(nn.Module):
    """Bytes of images (N, H, W, C) to the arrays that the head's decoder takes.

    The scale of values, normalisation, padding, the network, its calibration and the reduction of its output are inside. Class
    numbers come as bytes where these hold them all.

    Args:
        model: a copy of it is put into evaluation mode, in 32 bits, on the CPU.
        probabilities: give those of all classes too; else the exported model has classes alone.

    Raises:
        OptionError: the network has no probabilities to give.
    """

    def __init__(self, model: Segmenter, probabilities: bool = False) -> None:
        super().__init__()
        if probabilities and not model.card.gives_probabilities:
            raise OptionError(f"the network '{model.card.name}' gives no probabilities; export it with --output classes")
        copied: Any = with_constant_padding(copy.deepcopy(model).cpu().eval().float())
        self.model: Segmenter = copied.requires_grad_(False)
        self.decoder = model.head.decoder
        self.probabilities = probabilities
        self.outputs = self._named()
        self._places = tuple(self.decoder.outputs.index(name) for name in self.outputs)
        self._as_bytes = len(model.card.labels) <= 256

    def _named(self) -> tuple[str, ...]:
        if self.decoder.name == "multilabel":
            return ("probabilities",)  # all else follows from them
        return tuple(name for name in self.decoder.outputs if self.probabilities or name != "probabilities")

    def forward(self, image: Tensor) -> tuple[Tensor, ...]:
        """Give the arrays that ``outputs`` names."""
        size, head = (image.shape[1], image.shape[2]), self.model.head
        padded = self._padded(size)
        values = (image if padded is size else repeated(image, padded, (1, 2))).permute(0, 3, 1, 2).to(torch.float32)
        if image.dtype == torch.uint8:
            values = values / 255
        seen = padded if head.is_dense else size  # other heads know of the padding
        raw = head(self.model.network((values - self.model.mean) / self.model.deviation), seen)
        reduced: Any = head.exported(raw, seen, self.probabilities)
        found = [reduced[place] for place in self._places]
        if head.is_dense and padded is not size:
            found = [cut(part, size) for part in found]  # least is left to cut once classes have won
        return tuple(self._typed(name, part) for name, part in zip(self.outputs, found, strict=True))

    def _typed(self, name: str, part: Tensor) -> Tensor:
        """Give class numbers as bytes where these hold them all; the classes of queries are probabilities."""
        return part.to(torch.uint8) if name == "classes" and self._as_bytes and not part.dtype.is_floating_point else part

    def _padded(self, size: Size) -> Size:
        """Give the size that the network sees; ``size`` itself where it is known to need no padding."""
        stride = self.model.card.stride
        if all(isinstance(side, int) and side % stride == 0 for side in size):
            return size
        least = self.model.network.least_cells
        return cells(size[0], stride, least) * stride, cells(size[1], stride, least) * stride

    @property
    def _least(self) -> int:
        """The shortest side of a graph of any size: padded by rule, and not because the network asks for more cells."""
        return (self.model.network.least_cells - 1) * self.model.card.stride + 1

    def sheet(self, given: Input) -> Sheet:
        """Describe the graph for inputs of a kind."""
        card = self.model.card
        gives = self.probabilities or self.decoder.name == "multilabel"
        given = replace(given, least=self._least if given.size is None else 1)
        return Sheet(replace(card, gives_probabilities=gives), self.decoder, self.outputs, given)

    def example(self, given: Input) -> Tensor:
        """Make an input of the kind that ``given`` describes, with no two of its dimensions alike."""
        stride = self.model.card.stride
        height, width = given.size or (stride * -(-96 // stride) + 5, stride * (-(-96 // stride) + 1) + 6)
        shape = (given.batch or 2, height, width, len(self.model.card.bands))
        generator = torch.Generator().manual_seed(0)
        if given.values == "uint8":
            return torch.randint(0, 256, shape, dtype=torch.uint8, generator=generator)
        return torch.rand(shape, generator=generator)

    def dynamic(self, given: Input) -> tuple[dict[int, Any]] | None:
        """Name the dimensions of the input that may vary, as torch's exporter wants them."""
        free: dict[int, Any] = {} if given.batch else {0: torch.export.Dim("batch", min=1, max=MOST)}
        if given.size is None:
            least = self._least
            free |= {1: torch.export.Dim("rows", min=least, max=MOST), 2: torch.export.Dim("columns", min=least, max=MOST)}
        return (free,) if free else None
