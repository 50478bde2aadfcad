"""The encoders of SegFormer [1], ``mit_b0`` to ``mit_b5``: four stages of transformer blocks without position embeddings.

They are built from transformers' classes, which are under Apache-2.0; smp's are under NVIDIA's licence for research alone. The
published ImageNet weights are under that licence, too.

[1] Xie et al., SegFormer, NeurIPS 2021, arXiv 2105.15203, table 6.
"""

from typing import Any

import torch.nn.functional as F
from torch import Tensor, nn

from pixelwise.core.errors import OptionError

DEPTHS = {
    "mit_b0": (2, 2, 2, 2),
    "mit_b1": (2, 2, 2, 2),
    "mit_b2": (3, 4, 6, 3),
    "mit_b3": (3, 4, 18, 3),
    "mit_b4": (3, 8, 27, 3),
    "mit_b5": (3, 6, 40, 3),
}
STRIDES = (4, 8, 16, 32)
ATTENTION = "pixelwise"  # the name under which transformers knows ``attended``


class MixTransformer(nn.Module):
    """Images (N, B, H, W) to features at the strides 4 to 32, or the first ``levels`` of them.

    Attributes:
        channels: of each feature.

    Raises:
        OptionError: there are not so many levels.
    """

    def __init__(self, name: str, bands: int, levels: int = 0) -> None:
        from transformers import AttentionInterface, SegformerConfig, SegformerModel

        super().__init__()
        AttentionInterface.register(ATTENTION, attended)
        if not 0 <= levels <= len(STRIDES):
            raise OptionError(f"encoder '{name}' has fewer than {levels} levels")
        widths = (32, 64, 160, 256) if name == "mit_b0" else (64, 128, 320, 512)
        options: dict[str, Any] = {"num_channels": bands, "depths": DEPTHS[name], "hidden_sizes": widths}
        config = SegformerConfig(**options, attn_implementation=ATTENTION)
        self.stages: nn.ModuleList = SegformerModel(config).stages[: levels or len(STRIDES)]
        self.channels = widths[: len(self.stages)]

    def forward(self, images: Tensor) -> list[Tensor]:
        """Give the features, finest first."""
        features, values = [], images
        for stage in self.stages:
            values = stage(values)
            features.append(values)
        return features


def attended(
    module: nn.Module,
    queries: Tensor,
    keys: Tensor,
    values: Tensor,
    mask: Tensor | None,
    dropout: float = 0.0,
    scaling: float | None = None,
    **others: object,
) -> tuple[Tensor, None]:
    """Attend from (N, heads, Q, C) to (N, heads, K, C), and give (N, Q, heads, C).

    transformers' own function asks how many queries there are, to tell text that is being written from an image; an exporter
    would take the answer for that of images of any size.
    """
    found = F.scaled_dot_product_attention(queries, keys, values, mask, dropout, scale=scaling)
    return found.transpose(1, 2).contiguous(), None
