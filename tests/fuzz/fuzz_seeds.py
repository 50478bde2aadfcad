"""What a fuzzer starts from: the corpus, which is written by hand, and what each format's own writer makes of small data."""

from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from fuzz_trees import ALONE, Entry, Tree, put, tree_of

from pixelwise.core.errors import PixelwiseError
from pixelwise.core.image import SUFFIXES, Image
from pixelwise.core.labels import LabelSet
from pixelwise.core.masks import DisjointMasks
from pixelwise.core.sample import Dataset, Sample
from pixelwise.core.segmentation import Kind, Segmentation
from pixelwise.formats import FORMATS

CORPUS = Path(__file__).parent / "corpus"
LABELS = LabelSet.of(["land", "tree"], things=["tree"])
SIZE = (6, 8)
_PICTURES = tuple(SUFFIXES)
_LABELS = (".json", ".ndjson", ".xml", ".geojson", ".csv")


def seeds(format: str) -> list[dict[str, Entry]]:
    """Give the trees of one format: those of the corpus, in order, then those that it writes, then parts that it also reads.

    Such parts are the label files without the pictures, and each label file alone.
    """
    folder = CORPUS / format
    found = [tree_of(one) for one in sorted(folder.iterdir())] if folder.is_dir() else []
    with TemporaryDirectory() as place:
        for number, data in enumerate((_semantic(), _instances(), _panoptic(), _regions())):
            try:
                FORMATS[format].write(data, Path(place) / str(number))
            except PixelwiseError:  # it holds no such data, or nobody writes it
                continue
            found.append(tree_of(Path(place) / str(number)))
    bare = [{name: one[name] for name in one if not name.casefold().endswith(_PICTURES)} for one in found]
    lone = [{f"{ALONE}{Path(name).name}": one[name]} for one in found for name in one if name.casefold().endswith(_LABELS)]
    return found + [one for one in (*bare, *lone) if one and _is_read(format, one)]


def _is_read(format: str, tree: Tree) -> bool:
    """Tell whether a format reads a part of a data set."""
    with TemporaryDirectory() as place:
        try:
            FORMATS[format].read(put(tree, Path(place) / "root"))
        except PixelwiseError:
            return False
    return True


def _image() -> Image:
    return Image(np.arange(SIZE[0] * SIZE[1] * 3, dtype=np.uint8).reshape(*SIZE, 3))


def _dataset(truth: Segmentation, kind: Kind) -> Dataset:
    samples = [Sample.of("a", _image(), truth), Sample.of("b", _image(), truth[[]] if kind == "instance" else truth)]
    return Dataset(samples, truth.labels, kind, {"train": [0], "val": [1]}, "small")


def _ids() -> np.ndarray:
    """Three segments: one with a hole, one in two parts, one of one pixel; and a pixel under none."""
    ids = np.ones(SIZE, np.uint8)
    ids[1:5, 1:5] = 2
    ids[2, 2] = ids[5, 7] = 3
    ids[0, 7] = 0
    return ids


def _semantic() -> Dataset:
    classes = np.where(_ids() == 2, 1, 0)
    classes[0, 7] = LABELS.void
    return _dataset(Segmentation.from_class_map(classes, LABELS), "semantic")


def _instances() -> Dataset:
    masks = np.stack([_ids() == 1, _ids() == 2, _ids() > 1])
    crowd = np.array([False, False, True])
    return _dataset(Segmentation.from_masks("instance", masks, [0, 1, 1], LABELS, crowd=crowd), "instance")


def _panoptic() -> Dataset:
    return _dataset(Segmentation("panoptic", DisjointMasks(_ids(), 3), np.array([0, 1, 1]), LABELS), "panoptic")


def _regions() -> Dataset:
    ids = np.maximum(_ids(), 1)
    return _dataset(Segmentation("regions", DisjointMasks(ids, 3), np.zeros(3, int), LabelSet(())), "regions")
