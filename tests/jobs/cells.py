"""Small labelled images for jobs: bright squares on a dim ground, as classes or as objects."""

import numpy as np

from pixelwise.core.image import as_image
from pixelwise.core.labels import Label, LabelSet
from pixelwise.core.sample import Dataset, Sample
from pixelwise.core.segmentation import Segmentation

THING = LabelSet((Label("background", False, (0, 0, 0)), Label("cell", True, (255, 0, 0))), {0: 0, 1: 1})


def cells(count=8, kind="semantic", level=0.2):
    """Images of two bright squares on a dim ground whose levels lie on both sides of ``level``, with exact truth."""
    rng = np.random.default_rng(3)
    rows = []
    for index in range(count):
        mask = np.zeros((2, 24, 30), bool)
        top, left = rng.integers(2, 10, 2)
        mask[0, top : top + 6, left : left + 6] = mask[1, top + 3 : top + 9, left + 9 : left + 14] = True
        grey = np.where(mask.any(axis=0), level + 0.1, level - 0.1) + rng.normal(0, 0.02, (24, 30))
        image = as_image((np.clip(grey, 0, 1) * 255).astype(np.uint8))
        if kind == "instance":
            truth = Segmentation.from_masks("instance", mask, [0, 0], LabelSet.of(["cell"], things=["cell"]))
        else:
            truth = Segmentation.from_class_map(mask.any(axis=0).astype(np.uint8), THING)
        rows.append(Sample.of(f"{index}", image, truth))
    return Dataset(rows, rows[0].labels, kind)
