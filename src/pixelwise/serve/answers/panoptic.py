"""COCO panoptic: a ZIP of ``panoptic.png``, with a number a segment in its colours, and ``panoptic.json``, which names them.

A pixel's number is red + 256 green + 65536 blue, 0 where there is no segment. Where objects overlap, the smaller is on top, and
areas are of what is seen; a segment of which nothing is seen is left out, as a PNG cannot hold it.
"""

import io
import zipfile
from typing import Any

import msgspec
import numpy as np

from pixelwise.core.labels import LabelSet
from pixelwise.core.masks import DisjointMasks
from pixelwise.core.png import encode_colours
from pixelwise.formats.coco.entries import category_ids, category_list
from pixelwise.serve.answered import Answered
from pixelwise.serve.wishes import Wishes

MEDIA_TYPE = "application/zip"
PNG, JSON = "panoptic.png", "panoptic.json"
IMAGE_ID = 1


def write(answered: Answered, wishes: Wishes) -> bytes:
    """Write the answer.

    Raises:
        DataError: there are no pixels.
    """
    found = answered.segmentation
    pixels = found.panoptic_ids().astype(np.uint32)
    picture = encode_colours(np.stack([pixels & 255, pixels >> 8 & 255, pixels >> 16], axis=2).astype(np.uint8))
    labels = LabelSet.of(["region"]) if found.kind == "regions" else found.labels
    ids, seen = category_ids(labels), DisjointMasks(pixels, len(found))
    areas, boxes = seen.areas().tolist(), seen.boxes().tolist()
    segments: list[dict[str, Any]] = []
    for index, (left, top, right, bottom) in enumerate(boxes):
        if areas[index]:
            one: dict[str, Any] = {
                "id": index + 1,
                "category_id": ids[int(found.class_ids[index])],
                "iscrowd": int(found.is_crowd[index]),
            }
            one |= {"bbox": [left, top, right - left, bottom - top], "area": areas[index]}
            segments.append(one if found.scores is None else {**one, "score": float(found.scores[index])})
    height, width = found.size
    document = {
        "images": [{"id": IMAGE_ID, "file_name": "image", "height": height, "width": width}],
        "annotations": [{"image_id": IMAGE_ID, "file_name": PNG, "segments_info": segments}],
        "categories": category_list(labels, ids),
    }
    return zipped({PNG: picture, JSON: msgspec.json.encode(document)})


def zipped(files: dict[str, bytes]) -> bytes:
    """Put files into a ZIP, as they are: PNGs are deflated already. The same files give the same bytes."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for name, content in files.items():
            archive.writestr(zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0)), content)
    return buffer.getvalue()
