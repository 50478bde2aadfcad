"""The format ``coco_results``: predictions as COCO's own evaluation takes them, a list of outlines with scores.

Such a list names neither images nor classes: they are those of a COCO file near it (in its folder, in ``annotations/``, or
beside or above that), the one that lists most of its images. An image without results is one on which nothing was found.
Results that are boxes alone hold no masks and are not read.
"""

import contextlib
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Any

import msgspec
import numpy as np

from pixelwise.core.errors import DataError, MissingFile, UnknownLayout
from pixelwise.core.labels import LabelSet
from pixelwise.core.sample import Dataset, Sample
from pixelwise.core.segmentation import Segmentation
from pixelwise.formats.claim import Claim
from pixelwise.formats.coco.classes import classes_of
from pixelwise.formats.coco.entries import (
    Numbers,
    category_ids,
    category_list,
    files_of,
    homes_of,
    is_written,
    mark,
    short,
    tell_unheld,
)
from pixelwise.formats.coco.file import CocoFile, read_info, read_results
from pixelwise.formats.coco.find import BARE, around, around_file, find_files, panoptic_files, rest_of, split_names
from pixelwise.formats.coco.form import form_of
from pixelwise.formats.coco.samples import Gathered, kind_of, no_picture, splits_stated
from pixelwise.formats.coco.stream import document, listed
from pixelwise.formats.coco.write import compressed, image_entry
from pixelwise.formats.folder import Listing
from pixelwise.formats.json_file import decoded, keys_of
from pixelwise.formats.output import require_names, store_image
from pixelwise.formats.pictures import attempts
from pixelwise.formats.writing import Stage, Work, Writing, Written, staged

__all__ = ["LAYOUTS", "image_ids", "read", "read_with", "sniff", "write"]

LAYOUTS = ("results.json (image_id, category_id, segmentation, score) near a COCO file that lists the images",)
_FORMAT = "pixelwise coco_results 1"
_MOST_NEAR = 64  # JSON files of a folder that are looked into for the one that lists the images
_FORMS = ("instances", "info", "boxes", "labels", "panoptic")  # files that list images and categories


class _Entry(msgspec.Struct, gc=False):
    image_id: int | float | str


def sniff(path: Path) -> Claim | None:
    """Tell whether ``path`` is a file of results, or a folder with some and without truth."""
    path = Path(path)
    if not path.exists():
        return None
    _, files = _files(path)
    if not files:
        return None
    names = ", ".join(str(one) for one in files[:3])
    return Claim(f"COCO results: {names}", f"{names}: a list of outlines with image_id, category_id and score")


def _files(path: Path) -> tuple[Listing, tuple[PurePosixPath, ...]]:
    if not path.is_dir():
        is_results = path.suffix.lower() == ".json" and form_of(path) == "results"
        listing, file = around_file(path) if is_results else (Listing(path.parent, (), (), (), ()), None)
        return listing, () if file is None else (file,)
    listing, candidates = around(path)
    found = tuple(one for one in candidates if _is_results(listing.root / one))
    if not found or find_files(path) is not None or panoptic_files(listing, candidates):
        return listing, ()
    return listing, found


def _is_results(path: Path) -> bool:
    """Tell a file of results by what is in it; an empty or broken one by its name, so that reading says what is wrong."""
    is_named = path.stem.casefold().endswith("_results")
    return form_of(path) == "results" or (is_named and keys_of(path) in (None, frozenset({"[]"})))


def read(path: Path, labels: LabelSet | None = None) -> Dataset:
    """Read a file of results, or all of a folder's. ``labels`` are joined by name.

    Raises:
        MissingFile: there is nothing at ``path``.
        UnknownLayout: it holds no results.
        UnreadableFile: a file is broken or cut off.
        DataError: no COCO file near lists the images, or it lists none.
    """
    path = Path(path)
    if not path.exists():
        raise MissingFile(f"{path}: expected COCO results, found nothing there; check the path")
    listing, places = _files(path)
    if not places:
        raise UnknownLayout(f"{path}: expected COCO results, found none. Tried: {LAYOUTS[0]}")
    paths = [listing.root / one for one in places]
    within = listing.root.resolve() if path.is_dir() else None
    return _read(paths, [_list_of(one, within) for one in paths], labels)


def read_with(results: Path, listed: Path, labels: LabelSet | None = None) -> Dataset:
    """Read results whose images and classes are those of the COCO file ``listed``, wherever the two lie.

    Raises:
        MissingFile, UnreadableFile, DataError: as ``read``.
    """
    return _read([Path(results)], [Path(listed)], labels)


def _read(paths: Sequence[Path], lists: Sequence[Path], labels: LabelSet | None) -> Dataset:
    if len(set(lists)) < len(lists):
        names = " and ".join(one.name for one in paths)
        raise DataError(f"{paths[0].parent}: {names} are results of the same images; give one of these files, not the folder")
    files = [read_results(one, info) for one, info in zip(paths, lists, strict=True)]
    homes = [around_file(info) for info in lists]
    home = homes[0][0]
    if len({one.root for one, _ in homes}) > 1:
        raise DataError(f"{paths[0].parent}: its results are of images in different folders; read the files one by one")
    classes, kind = classes_of(files), kind_of([one.about for one in files], paths[0].parent, "instance")
    notes = [*home.refused, *(note for file in files for note in file.notes), *classes.notes]
    splits = splits_stated([one.about for one in files], split_names([place for _, place in homes]))
    for pictures in attempts(home):
        gathered = Gathered(home, classes, kind, list(notes))
        for number, split in enumerate(splits):
            gathered.add(pictures, number, files[number], homes[number][1], split)
            gathered.notes += _odd_scores(files[number])
    if not gathered.pictures:
        raise DataError(no_picture(home, files))
    return gathered.dataset(labels or classes.labels, {})


def image_ids(results: Path) -> set[int]:
    """Tell which images a file of results is of, by their ids.

    Raises:
        UnreadableFile: the file is broken.
    """
    return {one.image_id for one in decoded(results, list[_Entry], "COCO results (a list with an image_id each)")[0]}


def _list_of(results: Path, within: Path | None = None) -> Path:
    """Find the COCO file that lists the images of a file of results, beside or above it but not outside ``within``.

    Raises:
        UnreadableFile: the results are broken.
        DataError: there is no such file, or none lists one of the images.
    """
    wanted = image_ids(results)
    folder = results.resolve().parent
    near = dict.fromkeys((folder, folder / "annotations", folder.parent / "annotations", folder.parent))
    best, most = None, 0
    for path in (one for each in near if _is_inside(each, within) for one in sorted(each.glob("*.json"))[:_MOST_NEAR]):
        if path.is_symlink() or form_of(path) not in _FORMS:
            continue
        try:
            common = wanted.intersection(read_info(path).image_ids)
        except DataError:
            continue
        is_alike = rest_of(PurePosixPath(path.name)) == rest_of(PurePosixPath(results.name))
        worth = 2 * len(common) + (is_alike and (bool(common) or not wanted))
        if worth > most:
            best, most = path, worth
    if best is None:
        raise DataError(
            f"{results}: results name images and classes by their ids alone, and no COCO file near lists them; put the file "
            f"of the annotations (or image_info_*.json) beside it or into {folder / 'annotations'}"
        )
    return best


def _is_inside(folder: Path, root: Path | None) -> bool:
    return folder.is_dir() and (root is None or folder.is_relative_to(root))


def _odd_scores(file: CocoFile) -> list[str]:
    scores = file.rows.scores
    if scores is None:
        return []
    odd, missing = int(((scores < 0) | (scores > 1)).sum()), int(np.isnan(scores).sum())
    outside = [f"{file.path}: {odd} scores are outside 0 to 1; they are taken as the nearer of the two"] * bool(odd)
    return outside + [f"{file.path}: {missing} results have no score; 1 is taken for it"] * bool(missing)


def write(dataset: Dataset, path: Path, writing: Writing | None = None) -> Written:
    """Write ``results/<split>_results.json``, and images and classes in ``annotations/image_info_<split>.json``.

    Truth, which has no scores, is written with a score of 1 each.

    Raises:
        DataError: it holds regions, a name cannot be a file's, or an image cannot be stored.
        StorageError: the folder holds something else, or cannot be written.
    """
    path = Path(path)
    if dataset.kind == "regions":
        raise DataError(f"{path}: results name a class for each object; regions have no classes and would be lost; match them")
    require_names(dataset)
    categories = category_ids(dataset.labels)
    own = partial(is_written, form=_FORMAT)
    with staged(path, lambda name: name in ("images", "annotations", "results"), own, writing) as stage:
        _write_files(dataset, categories, stage, partial(_write_one, categories=categories))
    return stage.written


def _write_files(dataset: Dataset, categories: Sequence[int], stage: Stage, work: Work) -> None:
    numbers = Numbers(stage.each(dataset, work))
    files, listing = files_of(dataset), category_list(dataset.labels, categories)
    heads = {name: {"info": mark(dataset, _FORMAT, name[1:]), "licenses": [], "categories": listing} for name in files}
    with contextlib.ExitStack() as stack:
        folder = stage.folder / "annotations"
        infos = [stack.enter_context(document(folder / f"{BARE}{name}.json", heads[name], is_listing=True)) for name in files]
        results = [stack.enter_context(listed(stage.folder / "results" / f"instances{name}_results.json")) for name in files]
        homes = homes_of(files.values(), len(dataset))
        for row, entry in enumerate(stage.each(dataset, work)):  # the journal once more: nothing is written again
            if entry is None:
                continue
            image, _ = numbers.numbered(row, {"image": entry["image"], "annotations": None})
            for home in homes[row]:
                infos[home].put(image, [])
                for one in entry["results"]:
                    results[home].put({"image_id": image["id"], **one})


def _write_one(sample: Sample, folder: Path, categories: Sequence[int]) -> tuple[dict[str, Any], int]:
    """Store an image; give its entry and those of its results."""
    truth = None if sample.truth_source is None else sample.truth
    tell_unheld(sample, None if truth is None else replace(truth, scores=None), with_captions=False)
    image = image_entry(sample, store_image(sample, folder / "images"), sample.size if truth is None else truth.size)
    entries = [] if truth is None else [_entry(truth, index, categories) for index in range(len(truth))]
    for entry, runs in zip(entries, () if truth is None else truth.masks.run_lengths(), strict=True):
        entry["segmentation"] = compressed(runs)
    return {"image": image, "results": entries}, len(entries)


def _entry(truth: Segmentation, index: int, categories: Sequence[int]) -> dict[str, Any]:
    """Write all of a result but its outline; keys beyond COCO's own are left out where they say nothing."""
    left, top, right, bottom = truth.stated_boxes()[index]
    entry: dict[str, Any] = {
        "category_id": categories[int(truth.class_ids[index])],
        "score": 1.0 if truth.scores is None else float(truth.scores[index]),
        "bbox": [short(side) for side in (left, top, right - left, bottom - top)],
    }
    if truth.source_ids is not None:
        entry["id"] = int(truth.source_ids[index])
    if truth.areas is not None:
        entry["area"] = short(truth.areas[index])
    if truth.is_crowd[index]:
        entry["iscrowd"] = 1
    if truth.attributes and truth.attributes[index]:
        entry["attributes"] = truth.attributes[index]
    return entry
