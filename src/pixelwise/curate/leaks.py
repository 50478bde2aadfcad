"""Leaks between splits beyond copies of whole images: tiles of one scene, tiles that overlap, a tile of a photo.

Copies (exact and near) are found by ``duplicates`` and told by ``compare.copies``. Here are images that are different, and yet
show the same place: a model that was trained on one has seen part of the other.
"""

from collections.abc import Iterator, Sequence

import numpy as np

from pixelwise.core.arrays import IntArray, Size
from pixelwise.core.sample import Dataset
from pixelwise.curate.leaks_content import Overlap, cell_side, find_overlaps
from pixelwise.curate.leaks_tiles import SCENES, Tile, overlapping, pairs_across, scenes_across, tiles_of
from pixelwise.curate.problem import Problem
from pixelwise.curate.progress import Progress

_NAMED = 3  # pairs named in one sentence


def find_leaks(
    dataset: Dataset,
    members: Sequence[frozenset[str]],
    sizes: Sequence[Size | None],
    progress: Progress | None = None,
    by_content: bool = True,
) -> Iterator[Problem]:
    """Tell scenes and overlapping pixels that are in several splits.

    Args:
        dataset: the samples.
        members: the splits of each sample.
        sizes: (H, W) of each image; None where it is not known.
        progress: told how far the work is.
        by_content: look at pixels too; that decodes every image.
    """
    if len(frozenset().union(*members)) < 2:
        return
    tiles = tiles_of(dataset)
    told: set[tuple[int, int]] = set()
    yield from _scene_leaks(dataset, members, sizes, tiles, told)
    if by_content and cell_side(dataset, range(len(dataset))) is None:
        text = f"{dataset.name}: too many images to look, by their pixels, for tiles that overlap; scenes told by name were"
        yield Problem("leak", dataset.name, text, severity="note")
    if by_content:
        for overlap in find_overlaps(dataset, groups_of_members(members), progress):
            if (min(overlap.row, overlap.of), max(overlap.row, overlap.of)) not in told:
                yield overlap_leak(dataset, overlap, members)


def groups_of_members(members: Sequence[frozenset[str]]) -> IntArray:
    """Number the sets of splits (N,); -1 for samples in none.

    >>> groups_of_members([frozenset({"a"}), frozenset(), frozenset({"b"}), frozenset({"a"})]).tolist()
    [0, -1, 1, 0]
    """
    kinds = sorted({tuple(sorted(one)) for one in members if one})
    return np.array([kinds.index(tuple(sorted(one))) if one else -1 for one in members], np.int64)


def scene_keys(dataset: Dataset, tiles: Sequence[Tile | None]) -> tuple[list[str | None], str]:
    """Give each sample's scene, and what tells it: tiles' names, or a key of ``meta``; "" where nothing does."""
    for key in SCENES:
        if any(key in sample.meta for sample in dataset):
            return [str(sample.meta[key]) if key in sample.meta else None for sample in dataset], key
    if any(tiles):
        return [None if tile is None else tile.scene for tile in tiles], "tile names"
    return [None] * len(dataset), ""


def _scene_leaks(
    dataset: Dataset,
    members: Sequence[frozenset[str]],
    sizes: Sequence[Size | None],
    tiles: Sequence[Tile | None],
    told: set[tuple[int, int]],
) -> Iterator[Problem]:
    keys, by = scene_keys(dataset, tiles)
    word = "scene" if by == "tile names" else by
    for scene, by_split in scenes_across(keys, members).items():
        rows = sorted({row for rows in by_split.values() for row in rows})
        shared = [pair for pair in overlapping(tiles, sizes, rows) if members[pair[0]] != members[pair[1]]]
        told.update((min(pair), max(pair)) for pair in shared)
        counts = " and ".join(f"{len(rows)} of its images are in '{split}'" for split, rows in by_split.items())
        first, second = next(pairs_across(by_split))
        example = shared[0] if shared else (by_split[first][0], by_split[second][0])
        files = [_file(dataset, row) for row in example]
        if shared:
            named = ", ".join(f"{_file(dataset, a)} and {_file(dataset, b)}" for a, b in shared[:_NAMED])
            more = f" and {len(shared) - _NAMED} more pairs" if len(shared) > _NAMED else ""
            text = (
                f"{files[0]}: LEAK: {word} '{scene}': {counts}, and tiles overlap: {named}{more}; a model is scored on pixels "
                f"it was trained on: keep all of a {word} in one split"
            )
            yield Problem("leak", files[0], text, severity="error", others=(files[1],), rows=example)
        else:
            text = (
                f"{files[0]}: {word} '{scene}': {counts}; images of one {word} are alike, so scores look better than they are: "
                f"keep all of a {word} in one split"
            )
            yield Problem("leak", files[0], text, others=(files[1],), rows=example)


def overlap_leak(dataset: Dataset, overlap: Overlap, members: Sequence[frozenset[str]]) -> Problem:
    """Word the leak of two images that share pixels."""
    file, other = _file(dataset, overlap.row), _file(dataset, overlap.of)
    place = f"row {overlap.top}, column {overlap.left}"
    if overlap.inside:
        what = f"it was cut out of {other}, at {place}"
    else:
        what = f"it shares {overlap.height} x {overlap.width} pixels (height x width) with {other}, there at {place}"
    text = (
        f"{file}: LEAK: {what}, and one is in '{_and(members[overlap.row])}', the other in '{_and(members[overlap.of])}', so "
        f"a model is scored on pixels it was trained on; keep both in one split"
    )
    return Problem("leak", file, text, severity="error", others=(other,), rows=(overlap.row, overlap.of))


def _file(dataset: Dataset, row: int) -> str:
    return str(dataset[row].source.image or dataset[row].name)


def _and(names: frozenset[str]) -> str:
    return " and ".join(sorted(names))
