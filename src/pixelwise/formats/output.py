"""Store the images of a data set, and check the names they get."""

import shutil
from pathlib import Path

import cv2
import numpy as np

from pixelwise.core.errors import DataError, StorageError
from pixelwise.core.files import make_folder, replacing, write_bytes
from pixelwise.core.image import GREY, RGB, Image, write_image
from pixelwise.core.sample import Dataset, ImageFile, Sample


def require_names(dataset: Dataset) -> None:
    """Check at the door that samples and splits have names that files can have.

    Raises:
        DataError: one has not, or two samples have the same.
    """
    seen: set[str] = set()
    for sample in dataset:
        if not sample.name or sample.name in (".", "..") or "/" in sample.name or "\\" in sample.name or "\0" in sample.name:
            raise DataError(f"{sample.name!r}: expected a sample name that can be a file's; rename the sample")
        if sample.name.casefold() in seen:
            raise DataError(f"two samples are called {sample.name!r}; names must differ, also on disks that ignore case")
        seen.add(sample.name.casefold())
    for name in dataset.splits:
        if "/" in name or "\\" in name or name.startswith("."):
            raise DataError(f"the split {name!r} cannot be a file's name; rename it")


def store_image(sample: Sample, folder: Path) -> str:
    """Copy an image's file byte for byte, or write its pixels without loss; give the name it has now."""
    make_folder(folder)
    if isinstance(sample.pixels, ImageFile):
        name = sample.name + sample.pixels.path.suffix.lower()
        try:
            shutil.copyfile(sample.pixels.path, folder / name)
        except OSError as error:
            raise StorageError(
                f"{sample.pixels.path}: cannot be copied to {folder.parent}: {error.strerror or error}"
            ) from None
        return name
    image = sample.image
    if image.pixels.dtype == np.uint8 and image.bands in (RGB, GREY):
        name = f"{sample.name}.png"
        write_image(folder / name, image.pixels if image.bands == RGB else image.pixels[:, :, 0])
        return name
    return _write_deep(image, folder, sample.name)


def _write_deep(image: Image, folder: Path, stem: str) -> str:
    """Write 16 bits as PNG, and floats or many bands as TIFF."""
    if image.pixels.dtype == np.uint16 and image.bands in (RGB, GREY):
        done, data = cv2.imencode(".png", image.pixels[:, :, ::-1] if image.bands == RGB else image.pixels)
        if not done:
            raise DataError(f"{stem}: the image {image.pixels.shape} cannot be stored as PNG")
        write_bytes(folder / f"{stem}.png", data.tobytes())
        return f"{stem}.png"
    import tifffile  # on first use: most data is JPEG and PNG

    pixels = image.pixels[:, :, 0] if len(image.bands) == 1 else image.pixels
    planes = None if pixels.ndim == 2 else "contig"
    with replacing(folder / f"{stem}.tif") as temporary:  # it also words what the disk refuses
        tifffile.imwrite(temporary, pixels, photometric="minisblack", planarconfig=planes)
    return f"{stem}.tif"
