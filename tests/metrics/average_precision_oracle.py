"""Average precision by pycocotools, for the tests: plain COCO entries in, ``COCOeval`` after its three steps out."""

import contextlib
import io
from pathlib import Path

import numpy as np
from pycocotools import mask as coco
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval
from scipy import ndimage


def listed(truths, boxes=None):
    """Write truths (image id -> Segmentation) as a data set of COCO; ``boxes`` are left, top, width, height."""
    some = next(iter(truths.values()))
    annotations = []
    for number, truth in truths.items():
        stated = truth.stated_areas().tolist()
        for index, runs in enumerate(truth.masks.run_lengths()):
            entry = {
                "id": len(annotations) + 1,
                "image_id": number,
                "category_id": int(truth.class_ids[index]) + 1,
                "segmentation": {"size": [*runs.size], "counts": runs.counts},
                "area": stated[index],
                "bbox": coco.toBbox({"size": [*runs.size], "counts": runs.counts}).tolist(),
                "iscrowd": int(truth.is_crowd[index]),
            }
            annotations.append(entry if boxes is None else {**entry, "bbox": boxes[number][index].tolist()})
    images = [{"id": number, "height": one.size[0], "width": one.size[1]} for number, one in truths.items()]
    categories = [{"id": index + 1, "name": name} for index, name in enumerate(some.labels.names)]
    found = COCO()
    found.dataset = {"images": images, "annotations": annotations, "categories": categories}
    with contextlib.redirect_stdout(io.StringIO()):
        found.createIndex()
    return found


def results(predictions, boxes=None, category_of=lambda index: index + 1):
    """Write predictions (image id -> Segmentation) as COCO's results."""
    found = []
    for number, one in predictions.items():
        for index, runs in enumerate(one.masks.run_lengths()):
            entry = {
                "image_id": number,
                "category_id": category_of(int(one.class_ids[index])),
                "segmentation": {"size": [*runs.size], "counts": runs.counts},
                "score": float(one.scores[index]),
            }
            found.append(entry if boxes is None else {**entry, "bbox": boxes[number][index].tolist()})
    return found


def evaluated(truth, found, iou_type="segm", evaluation=COCOeval):
    """Evaluate results (entries, or their file) against a truth (``COCO``, or its file)."""
    with contextlib.redirect_stdout(io.StringIO()):
        truth = truth if isinstance(truth, COCO) else COCO(str(truth))
        taken = str(found) if isinstance(found, Path) else [dict(entry) for entry in found]  # loadRes writes into them
        one = evaluation(truth, truth.loadRes(taken), iou_type)
        one.evaluate()
        one.accumulate()
        one.summarize()
    return one


class BoundaryEval(COCOeval):
    """COCO's evaluation with the overlap of Boundary IoU (Cheng et al., CVPR 2021): whole grids, one mask at a time."""

    def computeIoU(self, image, category):  # noqa: N802
        whole = super().computeIoU(image, category)
        truth, found = self._gts[image, category], self._dts[image, category]
        order = np.argsort([-one["score"] for one in found], kind="mergesort")[: self.params.maxDets[-1]]
        if len(truth) == 0 or len(found) == 0:
            return whole
        borders = [border(coco.decode(found[index]["segmentation"])) for index in order]
        for column, one in enumerate(truth):
            own = border(coco.decode(one["segmentation"]))
            for row, other in enumerate(borders):
                inner = (own & other).sum() / max((own | other).sum(), 1)
                whole[row, column] = whole[row, column] if one["iscrowd"] else min(whole[row, column], inner)
        return whole


def border(mask):
    """Mark what of a mask (H, W) lies within 2 % of the diagonal of its outside."""
    width = max(1, round(0.02 * (mask.shape[0] ** 2 + mask.shape[1] ** 2) ** 0.5))
    inner = ndimage.binary_erosion(mask, np.ones((3, 3)), iterations=width, border_value=0)
    return mask.astype(bool) & ~inner
