"""Whether a network runs in bfloat16: where that was measured to cost no quality, or where a person asks for it.

The rule of ``auto``: on an accelerator that computes bfloat16 in hardware, yes, as networks are trained in it there. On a CPU
only if that has it in hardware and the network's card says, under ``training``, that at least ``HOLDS`` of the pixels of its
validation images keep their class (``bf16_agreement``); ``pixelwise train`` measures that on such CPUs. Elsewhere 32 bits.
"""

from collections.abc import Iterable
from dataclasses import replace

import numpy as np
import torch

from pixelwise.core.card import Card
from pixelwise.core.errors import OptionError, nearest
from pixelwise.core.image import Image
from pixelwise.core.predictor import Predictor
from pixelwise.core.resources import cpu_has_bf16

HOLDS = 0.998  # of the pixels: what still changes are borders, where truth itself is no surer
_NAMES = {"auto": None, "fp32": False, "32-true": False, "bf16": True, "bf16-mixed": True}


def takes_bf16(precision: str, device: torch.device, card: Card) -> bool:
    """Decide by the rule above.

    Raises:
        OptionError: there is no such precision.
    """
    if precision not in _NAMES:
        raise OptionError(f"--precision {precision}: {nearest(precision, ['auto', 'fp32', 'bf16'])}")
    asked = _NAMES[precision]
    if asked is not None:
        return asked
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    agreement = card.training.get("bf16_agreement")
    return device.type == "cpu" and isinstance(agreement, int | float) and agreement >= HOLDS and cpu_has_bf16()


def agreement(first: Predictor, second: Predictor, images: Iterable[Image]) -> float:
    """Give the share of the pixels of ``images`` to which two predictors give the same class; 1 where there are no pixels."""
    same = total = 0
    for image in images:  # one by one, so that no more than two class maps are held
        (one,), (other,) = first([image]), second([image])
        same += int(np.count_nonzero(one.class_map() == other.class_map()))
        total += image.size[0] * image.size[1]
    return same / total if total else 1.0


def noted(card: Card, share: float) -> Card:
    """Give the card with the share of pixels that keep their class in bfloat16."""
    return replace(card, training={**card.training, "bf16_agreement": round(share, 6)})
