"""A COCO file of one image: its segments as annotations with run lengths and scores, and the classes as categories.

``pycocotools.coco.COCO`` reads it as it is, and its annotations are rows of results as ``loadRes`` takes them. Categories have
the ids that the model's training data had.
"""

from typing import Any

import msgspec

from pixelwise.core.labels import LabelSet
from pixelwise.formats.coco.entries import category_ids, category_list, short
from pixelwise.formats.coco.write import compressed
from pixelwise.serve.answered import Answered
from pixelwise.serve.wishes import Wishes

MEDIA_TYPE = "application/json"
IMAGE_ID = 1


def write(answered: Answered, wishes: Wishes) -> bytes:
    """Write the answer."""
    found = answered.segmentation
    labels = LabelSet.of(["region"]) if found.kind == "regions" else found.labels
    ids = category_ids(labels)
    boxes, areas, scores = found.stated_boxes(), found.stated_areas(), found.scores
    rows: list[dict[str, Any]] = []
    for index, runs in enumerate(found.masks.run_lengths()):
        left, top, right, bottom = boxes[index]
        rows.append(
            {
                "id": index + 1,
                "image_id": IMAGE_ID,
                "category_id": ids[int(found.class_ids[index])],
                "segmentation": compressed(runs),
                "bbox": [short(side) for side in (left, top, right - left, bottom - top)],
                "area": short(areas[index]),
                "iscrowd": int(found.is_crowd[index]),
                "score": 1.0 if scores is None else float(scores[index]),
            }
        )
    height, width = found.size
    images = [{"id": IMAGE_ID, "file_name": "image", "height": height, "width": width}]
    info = {"description": f"{answered.served.name} {answered.served.version}"}
    return msgspec.json.encode({"info": info, "images": images, "annotations": rows, "categories": category_list(labels, ids)})
