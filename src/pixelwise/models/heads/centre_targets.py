"""What a centre head is taught of an image: classes, which object each pixel belongs to, and where objects have their centres.

An object's centre is the mean of its pixels, and the heat map has a Gaussian there [1]. Offsets to the centres are no target of
their own: they follow from the objects' numbers, which take a fifth of the bytes.

[1] Cheng et al., Panoptic-DeepLab, CVPR 2020, section 3.2.
"""

import numpy as np

from pixelwise.core.arrays import AnyArray, FloatArray, IntArray
from pixelwise.core.segmentation import Kind, Segmentation

VOID = -1  # a pixel that is not labelled: it teaches nothing
_REACH = 3  # of a Gaussian, in its deviations


def targets_of(truth: Segmentation, kind: Kind, sigma: float) -> dict[str, AnyArray]:
    """Give ``classes`` and ``owners`` (H, W), ``heat`` (H, W) and ``objects`` (T, 3).

    Classes have ``VOID`` where none is labelled, and under crowds; for instances the pixels of no object have the class after
    the last. Owners say which object a pixel belongs to, counted from 1, with 0 for none and ``VOID`` where neither heat nor
    offsets are taught. Objects have the row and column of their centre, in pixels, and their area.

    Where instances overlap, the smaller one is on top, as in ``Segmentation.class_map``.
    """
    numbers = truth.panoptic_ids()
    areas = np.bincount(numbers.ravel(), minlength=len(truth) + 1)[1:]
    is_instance = kind == "instance"
    is_object = (areas > 0) & ~truth.is_crowd & (is_instance | np.isin(truth.class_ids, truth.labels.things))
    around = (len(truth.labels), 0) if is_instance else (VOID, VOID)
    classes, owners = (np.full(len(truth) + 1, of_rest, np.int16) for of_rest in around)
    classes[1:] = np.where(truth.is_crowd, VOID, truth.class_ids)
    owners[1:] = np.where(truth.is_crowd, VOID, np.cumsum(is_object) * is_object)
    owned = owners[numbers]
    objects = _objects(owned, int(is_object.sum()))
    heat = heat_of(objects[:, :2], owned.shape, sigma)
    return {"classes": classes[numbers], "owners": owned, "heat": heat, "objects": objects}


def _objects(owners: IntArray, count: int) -> FloatArray:
    """Give the mean row, the mean column and the area (T, 3) of the objects 1 to ``count``."""
    rows, columns = np.nonzero(owners > 0)
    of = owners[rows, columns]
    areas = np.bincount(of, minlength=count + 1)[1:]
    sums = [np.bincount(of, places, count + 1)[1:] for places in (rows, columns)]
    return np.stack([*(each / areas for each in sums), areas], axis=1).astype(np.float32)


def heat_of(centres: FloatArray, size: tuple[int, ...], sigma: float) -> FloatArray:
    """Give a map (H, W) with a Gaussian of height 1 at the pixel of each centre (T, 2); where several meet, the highest.

    >>> [f"{height:.2f}" for height in heat_of(np.array([[0.0, 1.2]]), (1, 3), 1.0)[0]]
    ['0.61', '1.00', '0.61']
    """
    heat = np.zeros(size, np.float32)
    reach = int(np.ceil(_REACH * sigma))
    for centre in np.rint(centres).astype(int).tolist():
        box = tuple(slice(max(0, place - reach), place + reach + 1) for place in centre)
        down, across = (
            np.exp(-((np.arange(side)[part] - place) ** 2) / (2 * sigma**2))
            for side, part, place in zip(size, box, centre, strict=True)
        )
        heat[box] = np.maximum(heat[box], down[:, None] * across)
    return heat.astype(np.float16)
