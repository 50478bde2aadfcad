"""Keep the first stages of an encoder as they came, for all of a run or for its first steps.

A frozen stage has no gradient, and its batch norms normalise by the statistics they came with. Whether it is frozen follows
from the step alone, so a resumed run needs no state of it.
"""

from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from pixelwise.core.errors import OptionError
from pixelwise.models.network import stages
from pixelwise.models.segmenter import Segmenter
from pixelwise.train.options import TrainOptions


class Frozen:
    """The part of a model's encoder that does not learn.

    Attributes:
        until: the step at which it begins to learn; None for never.

    Raises:
        OptionError: the network has no encoder to freeze.
    """

    def __init__(self, model: Segmenter, options: TrainOptions) -> None:
        self.layers: tuple[nn.Module, ...] = ()
        self.until = round(options.unfreeze_at * options.steps) if options.unfreeze_at else None
        self._still_norms = options.freeze_norm
        self._is_frozen = False
        if not options.freeze:
            return
        divided = stages(model.network, len(model.card.bands))
        count = len(divided) if options.freeze == "encoder" else min(options.freeze, len(divided))
        self.layers = tuple(layer for stage in divided[:count] for layer in stage)
        if not self.layers:
            raise OptionError(f"[train] freeze: '{model.card.name}' has no encoder to freeze; leave it out")
        held = sum(parameter.numel() for layer in self.layers for parameter in layer.parameters(recurse=False))
        total = sum(parameter.numel() for parameter in model.parameters())
        self._what = f"{count} of {len(divided)} encoder stages, {held / total:.0%} of the weights"

    def describe(self, step: int) -> str:
        """Say what is frozen at ``step``; empty where nothing is."""
        if not self._frozen_at(step):
            return ""
        return f"frozen: {self._what}" + ("" if self.until is None else f", until step {self.until}")

    def apply(self, step: int) -> str:
        """Freeze or release for ``step``; give a sentence where that releases something, else nothing."""
        frozen = self._frozen_at(step)
        if frozen == self._is_frozen:
            return ""
        self._is_frozen = frozen
        for layer in self.layers:
            for parameter in layer.parameters(recurse=False):
                parameter.requires_grad_(not frozen)
            if isinstance(layer, _BatchNorm):
                layer.train(not frozen and not self._still_norms)
        return "" if frozen else f"from step {step} on all stages learn"

    def _frozen_at(self, step: int) -> bool:
        return bool(self.layers) and (self.until is None or step < self.until)
