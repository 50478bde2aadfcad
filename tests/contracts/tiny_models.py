"""Options that make each network tiny, and what it needs besides to learn two drawn scenes by heart."""

from typing import Any

TINY: dict[str, dict[str, Any]] = {
    "unet": {"encoder": "plain", "width": 12, "depth": 3},
}
FITS: dict[str, dict[str, Any]] = {  # "size" of the scenes and "options" of training, where the usual ones do not do
    "unet": {"options": {"rate": 6e-3}},
}
