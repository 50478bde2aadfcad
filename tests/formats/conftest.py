"""Small labelled folders, built for a test."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import PIL.Image
import pytest

Put = Callable[..., Path]

SQUARE = np.array([[0, 0, 0, 0], [0, 1, 1, 0], [0, 1, 2, 0], [0, 0, 0, 0]], np.uint8)


@pytest.fixture
def put(tmp_path: Path) -> Put:
    """Write pictures into a folder: ``put("images/a.png", "masks/a.png")``; masks get ``mask``, images are grey."""

    def write(*names: str, mask: np.ndarray = SQUARE, root: str = "data") -> Path:
        folder = tmp_path / root
        for number, name in enumerate(names):
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            words = str(name).lower()
            is_mask = any(word in words for word in ("mask", "label", "annot", "ann/", "gt", "_seg", "_l.", "_p.")) or (
                number % 2 == 1 and path.with_suffix(".jpg").exists()
            )
            pixels = mask if is_mask else np.full(mask.shape[:2], 40 + number, np.uint8)
            PIL.Image.fromarray(pixels).save(path)
        return folder

    return write
