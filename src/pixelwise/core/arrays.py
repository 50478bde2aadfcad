"""Names for the array types that cross module borders; shapes stand in each docstring."""

from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

AnyArray: TypeAlias = NDArray[Any]
BoolArray: TypeAlias = NDArray[np.bool_]
IntArray: TypeAlias = NDArray[np.integer[Any]]
FloatArray: TypeAlias = NDArray[np.floating[Any]]
ByteArray: TypeAlias = NDArray[np.uint8]
Size: TypeAlias = tuple[int, int]  # (height, width), always
