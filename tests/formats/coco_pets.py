"""A COCO set of two pictures and what is outlined on them, written by hand as other tools do; for the tests of ``coco``."""

import json
from pathlib import Path
from typing import Any

import PIL.Image

SQUARE = [1, 1, 4, 1, 4, 3, 1, 3]  # columns 1 to 3, rows 1 and 2, of an image of 5 x 6
CATEGORIES = [{"id": 7, "name": "dog", "supercategory": "animal"}, {"id": 3, "name": "cat", "supercategory": "animal"}]
IMAGES = [{"id": 11, "file_name": "a.png", "height": 5, "width": 6}, {"id": 12, "file_name": "b.png", "height": 5, "width": 6}]


def one(**parts: Any) -> dict[str, Any]:
    """Give an annotation, of a dog on the first picture unless ``parts`` say otherwise."""
    return {"id": 1, "image_id": 11, "category_id": 7, "segmentation": [SQUARE], "iscrowd": 0, **parts}


def put(root: Path, annotations: list[dict[str, Any]], **parts: Any) -> Path:
    """Write the pictures and one JSON into a folder."""
    root.mkdir(parents=True, exist_ok=True)
    for name in ("a.png", "b.png"):
        PIL.Image.new("RGB", (6, 5)).save(root / name)
    document = {"images": IMAGES, "annotations": annotations, "categories": CATEGORIES, **parts}
    (root / "labels.json").write_text(json.dumps(document))
    return root
