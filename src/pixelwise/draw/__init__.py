"""Pictures for people: masks over images, errors, comparisons, legends and training curves; nothing is read back from them.

The modules have the names of their functions, so all are imported here first: whoever writes ``from pixelwise.draw import
overlay`` gets the function, in whatever order modules are imported. matplotlib waits for the first curve or caption.
"""

from pixelwise.draw.compare import compare, error_map, errors, side_by_side
from pixelwise.draw.curves import curves, read_history
from pixelwise.draw.legend import legend
from pixelwise.draw.overlay import overlay

__all__ = ["compare", "curves", "error_map", "errors", "legend", "overlay", "read_history", "side_by_side"]
