"""What a loss is computed from, whichever way the logits are read."""

from typing import TypeAlias

from pixelwise.models.losses.memberships import Memberships
from pixelwise.models.losses.pixels import Pixels

Evidence: TypeAlias = Pixels | Memberships  # one class a pixel, or a yes or no for each class
