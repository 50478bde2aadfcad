"""Pair images with their masks, in every layout people have, and find the splits.

In order: what list files say; folders with one key (see ``names``); then images and masks side by side in one folder.
Whatever finds no partner is noted, never dropped in silence.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import PurePosixPath

from pixelwise.core.errors import DataError
from pixelwise.core.sample import LostLabels
from pixelwise.formats.folder import Listing, natural
from pixelwise.formats.lists import Entry, FileList, read_lists
from pixelwise.formats.names import LAST_IMAGES, MASK_MARKS, SHORT_MARKS, Place, image_core, mask_core, place_of, stem_of

LOSSY = frozenset({".jpg", ".jpeg", ".webp"})
LAYOUTS = (
    "images/ + masks/ (or image, img, original_images + label, labels, annotations, ann, gt, label_images_semantic)",
    "train/ + trainannot/ (val/ + valannot/ …)",
    "train/images/ + train/masks/ (val, valid, test)",
    "images/train/ + masks/train/",
    "one folder with a.jpg + a_mask.png (_label, _gt, _seg, _labelIds …) or a.jpg + a.png",
    "train/a_mask.png beside train/a.jpg, with train/_classes.csv (Roboflow's masks)",
    "list files (train.txt, val.txt) of image and mask paths",
)


@dataclass(frozen=True)
class Pair:
    """An image and its mask, relative to the root, and the split their folder or list names."""

    image: PurePosixPath
    mask: PurePosixPath
    split: str | None


@dataclass(frozen=True)
class Pairs:
    """All pairs of a folder, the splits by name (indices into ``pairs``), and what was noticed on the way."""

    pairs: tuple[Pair, ...]
    splits: dict[str, tuple[int, ...]]
    notes: tuple[str, ...]
    dialect: str


@dataclass
class _Work:
    """What pairing has found so far."""

    pairs: list[Pair] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    dialects: list[str] = field(default_factory=list)
    lone_images: list[PurePosixPath] = field(default_factory=list)
    lone_masks: list[PurePosixPath] = field(default_factory=list)

    def add(self, image: PurePosixPath, mask: PurePosixPath, split: str | None, dialect: str) -> None:
        self.pairs.append(Pair(image, mask, split))
        if dialect not in self.dialects:
            self.dialects.append(dialect)


def has_pairs(listing: Listing) -> bool:
    """Tell whether some image has a mask; where a list cannot be read, none has."""
    try:
        return bool(find_pairs(listing).pairs)
    except DataError:
        return False


def find_pairs(listing: Listing) -> Pairs:
    """Pair the pictures of a folder."""
    lists = read_lists(listing)
    work = _Work(notes=list(listing.refused))
    taken = _pair_by_lists(lists, work)
    places = {folder: place_of(folder) for folder in {one.parent for one in listing.pictures}}
    groups: dict[tuple[str, ...], dict[str, list[PurePosixPath]]] = defaultdict(lambda: defaultdict(list))
    for picture in listing.pictures:
        if picture not in taken:
            place = places[picture.parent]
            groups[place.key][place.role].append(picture)
    for group in groups.values():
        _pair_group(group, places, work)
    if not work.pairs:
        _pair_across(groups, work)
    work.pairs.sort(key=lambda pair: natural(pair.image))
    splits = _splits(work.pairs, lists, work.notes)
    _note_lone(work)
    return Pairs(tuple(work.pairs), splits, tuple(work.notes), "; ".join(work.dialects))


def _pair_by_lists(lists: Iterable[FileList], work: _Work) -> set[PurePosixPath]:
    """Take the pairs that list files state outright."""
    taken: set[PurePosixPath] = set()
    for one in lists:
        for entry in one.entries:
            if len(entry.files) == 2 and all(len(files) == 1 for files in entry.files):
                image, mask = entry.files[0][0], entry.files[1][0]
                if image != mask and image not in taken:
                    work.add(image, mask, None, f"pairs from {one.path.name}")
                    taken |= {image, mask}
    return taken


def _pair_group(group: dict[str, list[PurePosixPath]], places: dict[PurePosixPath, Place], work: _Work) -> None:
    """Pair the pictures of all folders with one key."""
    named = [one for one in group["image"] if places[one.parent].rank < LAST_IMAGES] or group["image"]
    images, masks = named or group["plain"], group["mask"]
    left = [one for one in (*group["image"], *group["plain"]) if one not in set(images)]
    if masks and images:
        masks, spare = _preferred(masks, places)
        before = len(work.pairs)
        lone_images, lone_masks = _match(images, masks, work)
        if len(work.pairs) > before:
            work.lone_images += lone_images
            work.lone_masks += lone_masks
            work.notes += [f"{folder}/: masks in {masks[0].parent}/ are used; this folder is left out" for folder in spare]
            images, masks = [], []
    work.lone_masks += masks
    by_folder: dict[PurePosixPath, list[PurePosixPath]] = defaultdict(list)
    for picture in (*images, *left):
        by_folder[picture.parent].append(picture)
    for folder, pictures in by_folder.items():
        lone = _pair_within(pictures, places[folder].split, work)
        if lone is None and pictures[0] in images:
            work.lone_images += pictures


def _preferred(masks: list[PurePosixPath], places: dict[PurePosixPath, Place]) -> tuple[list[PurePosixPath], list[str]]:
    """Where several mask folders have one key, take the best name; name the others."""
    ranks = {folder: places[folder].rank for folder in {mask.parent for mask in masks}}
    best = min(ranks.values())
    spare = sorted(str(folder) for folder, rank in ranks.items() if rank != best)
    return [mask for mask in masks if ranks[mask.parent] == best], spare


def _match(
    images: Sequence[PurePosixPath], masks: Sequence[PurePosixPath], work: _Work
) -> tuple[list[PurePosixPath], list[PurePosixPath]]:
    """Match images and masks by stem, then by stem without marks; give back those without partner."""
    exact: dict[str, PurePosixPath] = {}
    cores: dict[str, tuple[int, PurePosixPath]] = {}
    doubled: set[PurePosixPath] = set()
    for mask in masks:
        stem = stem_of(mask.name)
        if stem in exact:
            work.notes.append(f"{mask}: has the stem of {exact[stem]}, which is used; rename one of them")
            doubled.add(mask)
            continue
        exact[stem] = mask
        core = mask_core(stem) or (image_core(stem), len(MASK_MARKS))
        if core[0] not in cores or core[1] < cores[core[0]][0]:
            cores[core[0]] = core[1], mask
    used: dict[PurePosixPath, PurePosixPath] = {}
    lone: list[PurePosixPath] = []
    for image in images:
        stem = stem_of(image.name)
        partner = exact.get(stem) or (cores[stem][1] if stem in cores else None) or cores.get(image_core(stem), (0, None))[1]
        if partner is None:
            lone.append(image)
        elif partner in used:
            work.notes.append(f"{image}: has the stem of {used[partner]}, which the mask {partner} is used for; rename one")
        else:
            used[partner] = image
            work.add(image, partner, place_of(image.parent).split or place_of(partner.parent).split, _dialect(image, partner))
    return lone, [mask for mask in masks if mask not in used and mask not in doubled]


def _pair_within(pictures: list[PurePosixPath], split: str | None, work: _Work) -> list[PurePosixPath] | None:
    """Pair images and masks that lie side by side in one folder; None if there are none."""
    stems = {stem_of(one.name) for one in pictures}
    marked = []
    for one in pictures:
        core = mask_core(stem := stem_of(one.name))
        if core and (core[0] in stems or image_core(stem) != stem or _has_image(core[0], stems)):
            if MASK_MARKS[core[1]] in SHORT_MARKS and one.suffix.lower() in LOSSY:
                continue
            marked.append(one)
    if marked:
        images = [one for one in pictures if one not in set(marked)]
    else:
        images = [one for one in pictures if one.suffix.lower() in LOSSY]
        marked = [one for one in pictures if one.suffix.lower() not in LOSSY]
        if not {stem_of(one.name) for one in images} & {stem_of(one.name) for one in marked}:
            return None
    before = len(work.pairs)
    lone_images, lone_masks = _match(images, marked, work)
    if len(work.pairs) == before:
        return None
    work.lone_images += lone_images
    work.lone_masks += lone_masks
    work.pairs[before:] = [Pair(pair.image, pair.mask, split) for pair in work.pairs[before:]]
    return lone_images


def _has_image(core: str, stems: set[str]) -> bool:
    return any(image_core(stem) == core for stem in stems if mask_core(stem) is None)


def _pair_across(groups: dict[tuple[str, ...], dict[str, list[PurePosixPath]]], work: _Work) -> None:
    """Last: one set of image folders and one of mask folders whose paths differ otherwise (``a/images`` + ``b/masks``)."""
    images = [one for group in groups.values() for one in group["image"]]
    masks = [one for group in groups.values() for one in group["mask"]]
    images = images or [one for group in groups.values() for one in group["plain"]]
    if images and masks and len({stem_of(one.name) for one in images}) == len(images):
        notes = list(work.notes)
        lone_images, lone_masks = _match(images, masks, work)
        if work.pairs:
            work.lone_images, work.lone_masks = lone_images, lone_masks
        else:
            work.notes = notes


def _dialect(image: PurePosixPath, mask: PurePosixPath) -> str:
    if image.parent == mask.parent:
        return f"masks beside images in {image.parent}/"
    return f"{image.parent}/ + {mask.parent}/"


def _note_lone(work: _Work) -> None:
    paired_images, paired_masks = {pair.image.parent for pair in work.pairs}, {pair.mask.parent for pair in work.pairs}
    for lone, used, what, other in (
        (work.lone_images, paired_images, "image", "mask"),
        (work.lone_masks, paired_masks, "mask", "image"),
    ):
        whole: dict[PurePosixPath, int] = defaultdict(int)
        for one in lone:
            if one.parent in used:
                note = f"{one}: {what} without {other}; it is left out"
                work.notes.append(LostLabels(note) if what == "mask" else note)
            else:
                whole[one.parent] += 1
        noun = "picture" if what == "image" else "mask"  # of a whole folder nobody knows whether it is images
        for folder, count in whole.items():
            work.notes.append(f"{folder}/: {count} {noun}{'s' * (count != 1)} without {other}; left out")


def _splits(pairs: Sequence[Pair], lists: Sequence[FileList], notes: list[str]) -> dict[str, tuple[int, ...]]:
    """Find each pair's splits: lists first, folders for what no list names."""
    owner: dict[PurePosixPath, list[int]] = defaultdict(list)
    for row, pair in enumerate(pairs):
        owner[pair.image].append(row)
        owner[pair.mask].append(row)
    found: dict[str, list[int]] = defaultdict(list)
    for one in lists:
        missing = []
        for entry in one.entries:
            rows = _rows_of(entry, owner)
            if len(rows) > 1:
                rows = [row for row in rows if pairs[row].split == one.split] or rows
            if len(rows) == 1:
                found[one.split].append(rows[0])
            else:
                missing.append(f"{entry.text!r} matches {len(rows)} pairs" if rows else f"{entry.text!r}")
        if missing:
            notes.append(f"{one.path}: {len(missing)} of {len(one.entries)} entries name no pair here, the first: {missing[0]}")
    listed = {row for rows in found.values() for row in rows}
    listed_splits = set(found)
    for row, pair in enumerate(pairs):
        if row not in listed and pair.split is not None:
            if pair.split in listed_splits:
                notes.append(f"{pair.image}: in the folder of split {pair.split}, but not in its list; it is in no split")
            else:
                found[pair.split].append(row)
    order = {"train": 0, "val": 1, "test": 2}
    names = sorted(found, key=lambda name: (order.get(name, 3), natural(name)))
    return {name: tuple(sorted(set(found[name]))) for name in names if found[name]}


def _rows_of(entry: Entry, owner: dict[PurePosixPath, list[int]]) -> list[int]:
    rows: set[int] = set()
    for files in entry.files:
        here = {row for file in files for row in owner.get(file, ())}
        rows = rows & here if rows and here else rows | here
    return sorted(rows)
