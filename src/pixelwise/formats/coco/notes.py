"""What is odd about a COCO file as a whole: ids given twice, annotations of no image, boxes outside."""

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath

import numpy as np

from pixelwise.core.arrays import FloatArray, IntArray
from pixelwise.core.errors import DataError
from pixelwise.core.sample import LostLabels

_LISTED = 5  # annotations named in one sentence
_TOLD = 20  # images that are missing, a sentence each; the rest are counted


def refuse_twins(path: Path, what: str, ids: Sequence[int | str]) -> None:
    """Refuse a file in which two images, or two categories, share an id.

    Raises:
        DataError: they do.
    """
    twins = [one for one, count in Counter(ids).items() if count > 1] if len(set(ids)) < len(ids) else []
    if twins:
        raise DataError(
            f"{path}: two or more {'images' if what == 'image' else 'categories'} have the id {_shown(twins)}, so it is open "
            f"which of them an annotation means; give each its own"
        )


def strays(path: Path, listed: Path, named: Sequence[tuple[object, object]]) -> Iterator[str]:
    """Tell of annotations, by their own and their images' ids, of images that the file does not list."""
    if named:
        shown = ", ".join(f"{own} (image {image})" for own, image in named[:_LISTED])
        more = f" and {len(named) - _LISTED} more" if len(named) > _LISTED else ""
        if path == listed:
            yield LostLabels(f"{path}: annotation {shown}{more}: the file lists no such image; left out")
        else:
            yield LostLabels(f"{path}: {len(named)} results are of images that {listed} does not list; left out")


def outside(path: Path, ids: IntArray, boxes: FloatArray, sizes: IntArray) -> Iterator[str]:
    """Tell of annotations whose box (A, 4), as stated, has nothing of its image, whose size (A, 2) is 0 where unknown."""
    heights, widths = sizes.T
    left, top, right, bottom = boxes.T
    with np.errstate(invalid="ignore"):  # nan, where no box is stated, is on no side
        is_out = (right <= 0) | (bottom <= 0) | (left >= widths) | (top >= heights)
        found = np.flatnonzero(is_out & (right > left) & (bottom > top) & (sizes > 0).all(axis=1))
    if found.size:
        shown = _shown([int(own) if own >= 0 else "without an id" for own in ids[found].tolist()])
        yield f"{path}: annotation {shown}: its box lies wholly outside its image; so does its mask, if the box is right"


def doubled(path: Path, ids: IntArray) -> Iterator[str]:
    """Tell of annotation ids that are given twice: other readers keep one of the two alone."""
    if (np.diff(ids) > 0).all():  # as most tools number them
        return
    values, counts = np.unique(ids[ids >= 0], return_counts=True)
    if (twice := values[counts > 1]).size:
        yield f"{path}: annotation id {_shown(twice.tolist())} is given more than once; all are kept, each needs its own"


def missing_pictures(root: Path, file: Path, missing: Sequence[tuple[str, Sequence[PurePosixPath]]]) -> Iterator[str]:
    """Tell of images, by what a file calls them, of which there is no picture, or more than one."""
    for name, there in missing[:_TOLD]:
        if there:
            yield LostLabels(f"{name}: {file} names it, and {there[0]} and {there[1]} may both be meant; it is left out")
        else:
            yield LostLabels(f"{name}: {file} names it, but there is no such image in {root}; it is left out")
    if len(missing) > _TOLD:
        yield LostLabels(f"{file}: {len(missing) - _TOLD} more of the images it names are not there; they are left out")


def _shown(ids: Sequence[object]) -> str:
    return ", ".join(map(str, ids[:_LISTED])) + (f" and {len(ids) - _LISTED} more" if len(ids) > _LISTED else "")
