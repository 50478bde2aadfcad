"""Images with hundreds of objects train in a memory that a usual machine has."""

import json
import subprocess
import sys

import pytest

STEP = """
import json
import resource
import sys

import numpy as np
import torch

from pixelwise.core.labels import LabelSet
from pixelwise.core.masks import DisjointMasks
from pixelwise.core.segmentation import Segmentation
from pixelwise.models import MODELS
from pixelwise.train.loader import collate

name, more = sys.argv[1], json.loads(sys.argv[2])
y, x = np.mgrid[:256, :256]
ids = (y * 17 // 256) * 18 + x * 18 // 256 + 1
ids = np.where(ids <= 300, ids, 0).astype(np.uint16)
labels = LabelSet.of(["a", "b"], things=["a", "b"])
options = {"encoder": "tf_efficientnet_lite0", "weights": "none", **more}
model = MODELS[name].build(labels, "instance", **options).train()
targets = model.head.targets(Segmentation("instance", DisjointMasks(ids, 300), np.arange(300) % 2, labels))
batch = collate([(np.zeros((256, 256, 3), np.uint8), targets, "")] * 8, model.head.ragged)
torch.stack(list(model.loss(batch.images(torch.device("cpu")), batch.targets).values())).sum().backward()
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20)
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("maskrcnn", {"detections": 300}),
        ("maskformer", {"queries": 300}),
        ("mask2former", {"queries": 300}),
        ("mask2former", {"queries": 300, "finest": 2}),
    ],
)
def test_8_images_with_300_objects_each_train_within_8_gigabytes(name: str, options: dict[str, int]) -> None:
    command = [sys.executable, "-c", STEP, name, json.dumps(options)]
    found = subprocess.run(command, capture_output=True, text=True, check=True)
    assert float(found.stdout.split()[-1]) < 8
