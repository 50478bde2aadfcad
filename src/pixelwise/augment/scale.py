"""Read a data set at a smaller scale: for huge images, of which a crop of a network's size would show too little."""

from dataclasses import dataclass, replace

from pixelwise.augment import geometry
from pixelwise.core.arrays import IntArray, Size
from pixelwise.core.image import Image
from pixelwise.core.labels import LabelSet
from pixelwise.core.sample import Dataset, ImageSource, Salvaged, Sample, TruthSource
from pixelwise.core.scale import scale_image, scaled_size
from pixelwise.core.segmentation import Segmentation


def scale_truth(truth: Segmentation, scale: float) -> Segmentation:
    """Reduce masks by nearest neighbour, so that no class is invented; segments that lose all pixels are dropped."""
    if scale == 1:
        return truth
    size = scaled_size(truth.size, scale)
    matrix = geometry.scale(size[0] / truth.size[0], size[1] / truth.size[1])
    moved = replace(truth, masks=geometry.warp_masks(truth.masks, matrix, size), boxes=None, areas=None, probabilities=None)
    return moved if truth.kind == "semantic" else moved[moved.masks.areas() > 0]


def scaled(dataset: Dataset, scale: float) -> Dataset:
    """Give a data set that is read at a scale."""
    if scale == 1:
        return dataset
    samples = [_scaled_sample(sample, scale) for sample in dataset]
    return Dataset(samples, dataset.labels, dataset.kind, dataset.splits, dataset.name, dataset.notes)


def _scaled_sample(sample: Sample, scale: float) -> Sample:
    truths = None if sample.truth_source is None else _ScaledTruth(sample.truth_source, sample.pixels, scale)
    return replace(sample, pixels=_ScaledImage(sample.pixels, scale), truth_source=truths)


@dataclass(frozen=True)
class _ScaledImage:
    """An image source at a scale."""

    source: ImageSource
    scale: float

    def read(self) -> Image:
        return scale_image(self.source.read(), self.scale)

    def size(self) -> Size:
        return scaled_size(self.source.size(), self.scale)


@dataclass(frozen=True)
class _ScaledTruth:
    """A truth source at a scale; ``pixels`` knows the size the truth is stored at."""

    source: TruthSource
    pixels: ImageSource
    scale: float

    def read(self, labels: LabelSet, size: Size) -> tuple[Segmentation, ...]:
        return tuple(scale_truth(truth, self.scale) for truth in self.source.read(labels, self.pixels.size()))

    def salvage(self, labels: LabelSet, size: Size) -> Salvaged:
        truths, problems = self.source.salvage(labels, self.pixels.size())
        return tuple(scale_truth(truth, self.scale) for truth in truths), problems

    def raw(self) -> list[IntArray]:
        return self.source.raw()
