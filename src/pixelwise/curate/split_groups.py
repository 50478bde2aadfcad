"""Which samples must stay in one split: those of a scene, a sequence, a patient, a folder, or those that look alike."""

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from pixelwise.core.errors import OptionError, nearest
from pixelwise.core.sample import Dataset
from pixelwise.curate.duplicates import candidates
from pixelwise.curate.leaks import scene_keys
from pixelwise.curate.leaks_tiles import tiles_of
from pixelwise.curate.looks import Looked, known
from pixelwise.formats.folder import natural

WAYS = ("auto", "scene", "folder", "similarity", "none")
_ALIKE = 0.9  # correlation of the thumbnails of images that look alike; frames of one standing camera are above 0.95
_LEAST = 3  # images a name's first part must have in the mean to be that of a sequence
_BLOCKS = 8  # for each split, that too few sequences are cut into
_SHOWN = 3


@dataclass(frozen=True, eq=False)
class Groups:
    """The group (N,) of each sample, numbered from 0 in natural order of names; what told them, in words; and notes."""

    of: tuple[int, ...]
    rule: str
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        return max(self.of, default=-1) + 1


def groups_of(
    dataset: Dataset, way: str, splits: int, looks: Sequence[Looked] = (), alike: Iterable[tuple[int, int]] = ()
) -> Groups:
    """Group samples.

    Args:
        dataset: the samples.
        way: one of ``WAYS``, a key of ``meta``, or a pattern of names: a regular expression with a group, or text in which
            ``*`` stands for anything and the first one is the group.
        splits: how many there are to be; few sequences are cut into blocks of neighbours for them.
        looks: of the images, for ``similarity``.
        alike: pairs of samples, copies or overlapping tiles, that are kept together unless the way is ``none``.

    Raises:
        OptionError: the way tells no groups here.
    """
    notes: list[str] = []
    keys: list[str | None] = [None] * len(dataset)
    if way == "auto":
        keys, rule = _found_out(dataset, splits, notes)
    elif way == "none":
        return _numbered(dataset, keys, [], "single images, whatever they show", ())
    elif way == "similarity":
        alike, rule = [*alike, *similar(looks)], "images that look alike are kept together"
    elif way == "folder":
        keys, rule = [_folder(dataset, row) for row in range(len(dataset))], "folders are kept together"
    else:
        keys, rule = _told(dataset, way, notes)
    alike = list(alike)
    if alike and way != "similarity":
        rule += "; copies and overlapping tiles are kept together too"
    return _numbered(dataset, keys, alike, rule, notes)


def _found_out(dataset: Dataset, splits: int, notes: list[str]) -> tuple[list[str | None], str]:
    keys, by = scene_keys(dataset, tiles_of(dataset))
    if by and by != "sequence":
        return keys, f"images of one {'scene (told by tile names)' if by == 'tile names' else by} are kept together"
    if by == "sequence":
        return _cut(dataset, keys, splits, notes, "sequences")
    parts = [re.fullmatch(r"(.*?)[\W_]*\d+", sample.name) for sample in dataset]
    stems = [part[1] if part and part[1] else None for part in parts]
    if all(stems) and 2 <= len(set(stems)) <= len(stems) / _LEAST:
        return _cut(dataset, stems, splits, notes, "sequences (told by the first part of names)")
    return [None] * len(dataset), "single images: neither names nor meta tell which belong together"


def _cut(
    dataset: Dataset, keys: Sequence[str | None], splits: int, notes: list[str], what: str
) -> tuple[list[str | None], str]:
    """Keep sequences whole where there are enough of them, else cut long ones into blocks of neighbours."""
    count = len(set(keys))
    if count >= 3 * splits:
        return list(keys), f"{what} are kept together"
    most = max(2, -(-len(dataset) // (_BLOCKS * splits)))
    members: dict[str | None, list[int]] = defaultdict(list)
    for row in sorted(range(len(dataset)), key=lambda row: natural(dataset[row].name)):
        members[keys[row]].append(row)
    found: list[str | None] = [None] * len(dataset)
    for key, rows in members.items():
        for block, part in enumerate(np.array_split(rows, -(-len(rows) // most))):
            for row in part:
                found[row] = f"{key} block {block}"
    notes.append(
        f"there are only {count} {what}, so they were cut into {len(set(found))} blocks of neighbours; images on either side "
        f"of a cut are alike: to keep sequences whole, give --group a pattern such as '*_*' and fractions they can meet"
    )
    return found, f"blocks of neighbours of {count} {what}"


def _told(dataset: Dataset, way: str, notes: list[str]) -> tuple[list[str | None], str]:
    """Group by a key of ``meta`` or a pattern; ``scene`` may be told by tile names as well."""
    if any(way in sample.meta for sample in dataset):
        keys = [str(sample.meta[way]) if way in sample.meta else None for sample in dataset]
        rule = f"images of one {way} are kept together"
    elif way == "scene":
        keys, by = scene_keys(dataset, tiles_of(dataset))
        if not by:
            raise OptionError(f"--group scene: neither meta nor names of {dataset.name} tell scenes; give a pattern of names")
        rule = f"images of one {'scene (told by tile names)' if by == 'tile names' else by} are kept together"
    else:
        if "*" not in way and "(" not in way:
            raise OptionError(
                f"--group {way}: expected {', '.join(WAYS)}, a pattern with * or a regular expression with a (group); "
                f"{nearest(way, WAYS)}"
            )
        keys = [_matched(compiled(way), sample.name) for sample in dataset]
        rule = f"names of one '{way}' are kept together"
    missing = [dataset[row].name for row, key in enumerate(keys) if key is None]
    if len(missing) == len(dataset):
        raise OptionError(f"--group {way}: no name fits, such as '{dataset[0].name if len(dataset) else ''}'")
    if missing:
        shown = ", ".join(missing[:_SHOWN]) + (" …" if len(missing) > _SHOWN else "")
        notes.append(f"--group {way} tells nothing of {len(missing)} images ({shown}); each is a group of its own")
    return keys, rule


def compiled(pattern: str) -> re.Pattern[str]:
    r"""Compile a pattern of names: a regular expression where it has a group, else text in which ``*`` is anything.

    >>> compiled("*_slice_*").match("patient7_slice_12")[1], compiled(r"^(\d+)-").search("12-a")[1]
    ('patient7', '12')

    Raises:
        OptionError: it is no regular expression.
    """
    if "(" not in pattern:
        first, *rest = pattern.split("*")
        parts = [re.escape(first), "(.*?)", ".*?".join(re.escape(one) for one in rest)]
        return re.compile(f"^{''.join(parts)}$")
    try:
        found = re.compile(pattern)
    except re.error as error:
        raise OptionError(f"--group {pattern}: expected a regular expression, but {error}") from None
    if not found.groups:
        raise OptionError(f"--group {pattern}: expected a group in parentheses: what it matches is what is kept together")
    return found


def _matched(pattern: re.Pattern[str], name: str) -> str | None:
    match = pattern.search(name)
    return None if match is None else "\0".join(part or "" for part in match.groups())


def _folder(dataset: Dataset, row: int) -> str | None:
    image = dataset[row].source.image
    return None if image is None else image.parent.as_posix()


def similar(looks: Sequence[Looked]) -> list[tuple[int, int]]:
    """Give the pairs of images whose thumbnails are alike, seen directly or in a mirror: a looser sense than a copy."""
    images = [(row, one) for row, one in known(looks) if one.tells]
    plain, mirrored = (np.array([one.hashes[way] for _, one in images], np.uint64) for way in (0, 1))
    thumbs = [one.thumbnail() for _, one in images]
    found = []
    for hashes, is_mirrored in ((plain, False), (mirrored, True)):
        for i, j in candidates(plain, hashes):
            other = thumbs[j][:, ::-1] if is_mirrored else thumbs[j]
            if np.corrcoef(thumbs[i].ravel(), other.ravel())[0, 1] >= _ALIKE:
                found.append((images[i][0], images[j][0]))
    return found


def _numbered(
    dataset: Dataset, keys: Sequence[str | None], alike: Sequence[tuple[int, int]], rule: str, notes: Sequence[str]
) -> Groups:
    """Join samples of one key, of one picture, and those that are alike; number groups by their first name."""
    parent = list(range(len(dataset)))

    def root(row: int) -> int:
        while parent[row] != row:
            parent[row] = parent[parent[row]]
            row = parent[row]
        return row

    first: dict[object, int] = {}
    for row, (key, sample) in enumerate(zip(keys, dataset, strict=True)):
        for mark in (("key", key) if key is not None else None, ("file", sample.source.image) if sample.source.image else None):
            if mark is not None:
                parent[root(row)] = root(first.setdefault(mark, row))
    for one, other in alike:
        parent[root(one)] = root(other)
    order = sorted(range(len(dataset)), key=lambda row: natural(dataset[row].name))
    numbers: dict[int, int] = {}
    for row in order:
        numbers.setdefault(root(row), len(numbers))
    return Groups(tuple(numbers[root(row)] for row in range(len(dataset))), rule, tuple(notes))
