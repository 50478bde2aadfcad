"""The objects of a truth of any kind: what is pasted onto another image, and what a crop is centred on.

Instance truth lists them; of panoptic truth they are the things. Semantic and multilabel truth do not tell objects apart: there
each connected part of a class that is a thing is one. Crowds are no objects.
"""

import cv2
import numpy as np

from pixelwise.core import runs
from pixelwise.core.arrays import IntArray
from pixelwise.core.idmaps import encode_ids
from pixelwise.core.masks import DisjointMasks, Masks, OverlappingMasks, as_disjoint
from pixelwise.core.runs import Runs
from pixelwise.core.segmentation import Segmentation


def objects_of(truth: Segmentation) -> Segmentation:
    """Give the objects of a truth as instances, those without a pixel left out; regions have none."""
    if truth.kind in ("semantic", "multilabel"):
        return _parts(truth)
    kept = (truth.masks.areas() > 0) & ~truth.is_crowd
    if truth.kind == "panoptic":
        kept &= np.isin(truth.class_ids, truth.labels.things)
    rows = np.flatnonzero(kept & (truth.kind != "regions"))
    return Segmentation("instance", truth.masks.select(rows), truth.class_ids[rows], truth.labels)


def _parts(truth: Segmentation) -> Segmentation:
    """Divide each class that is a thing into its connected parts; pixels that touch at corners are connected."""
    found: list[Runs] = []
    classes: list[int] = []
    for row in np.flatnonzero(np.isin(truth.class_ids, truth.labels.things) & ~truth.is_crowd).tolist():
        count, ids = cv2.connectedComponents(truth.masks.mask(row).view(np.uint8), connectivity=8)
        found += encode_ids(np.asarray(ids, np.int64), count - 1)
        classes += [int(truth.class_ids[row])] * (count - 1)
    masks = OverlappingMasks(tuple(found), truth.size)
    return Segmentation(
        "instance", as_disjoint(masks) if truth.kind == "semantic" else masks, np.array(classes, np.int64), truth.labels
    )


def object_pixel(truth: Segmentation, rng: np.random.Generator) -> tuple[int, int, int] | None:
    """Choose an object, a small one as likely as a large one, and a pixel of it: (row, column, class); None without objects."""
    objects = objects_of(truth)
    if not len(objects):
        return None
    chosen = int(rng.integers(len(objects)))
    rows, columns = np.nonzero(objects.masks.mask(chosen))
    nth = int(rng.integers(len(rows)))
    return int(rows[nth]), int(columns[nth]), int(objects.class_ids[chosen])


def groups(masks: Masks) -> IntArray:
    """Number masks (S,) such that those that share a pixel have one number, also by way of a third."""
    if isinstance(masks, DisjointMasks) or not len(masks):
        return np.arange(len(masks))
    from scipy.sparse import csgraph  # on first use: `import pixelwise` stays light

    coded = masks.run_lengths()
    return np.asarray(csgraph.connected_components(runs.intersection_over_union(coded, coded) > 0, directed=False)[1])
