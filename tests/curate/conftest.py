"""Drawn scenes written to a folder, for tests of what only shows beside other images."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import PIL.Image
import pytest

from pixelwise.formats import masks
from pixelwise.scenes import scenes

Change = Callable[[np.ndarray], np.ndarray]


@pytest.fixture
def drawn(tmp_path: Path) -> Path:
    """Twelve drawn scenes, eight of them for training."""
    data = scenes(12, (96, 128), seed=5)
    data.splits = {"train": tuple(range(8)), "val": tuple(range(8, 12))}
    masks.write(data, tmp_path / "data")
    return tmp_path / "data"


def stems(root: Path) -> list[str]:
    """The names of the drawn scenes, in order."""
    return sorted(path.stem for path in (root / "images").iterdir())


def pixels(path: Path) -> np.ndarray:
    return np.array(PIL.Image.open(path))


def put(path: Path, values: np.ndarray) -> None:
    PIL.Image.fromarray(values).save(path)


def in_list(root: Path, split: str, stem: str) -> None:
    """Add a sample to the list of a split."""
    with (root / f"{split}.txt").open("a") as file:
        file.write(f"images/{stem}.png\n")
