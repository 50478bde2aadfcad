"""Which images are tiles of one scene, and where in it: by what ``meta`` says, else by their names.

``meta`` may hold ``scene``, ``tile_of`` (the photo, where a scene has several) and ``origin`` (top, left), as ``data prepare``
writes them. Names tell tiles in three ways:
``town_x512_y0``, ``town_r3_c1``, and ``town_512_0``. Two bare numbers are also how frames are named (``aachen_000012_000019``),
so those count only if the numbers make up grids, in most scenes with tiles enough to tell.
"""

import math
import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from pathlib import PurePosixPath

from pixelwise.core.arrays import Size
from pixelwise.core.sample import Dataset, Sample

SCENES = ("scene", "sequence", "patient")  # what says in ``meta`` which images belong together
_JOINT = r"[_\-. ]"
_COLUMN_FIRST = re.compile(rf"^(?P<scene>.+?){_JOINT}x[=_-]?(?P<left>\d+){_JOINT}?y[=_-]?(?P<top>\d+)$", re.IGNORECASE)
_ROW_FIRST = re.compile(
    rf"^(?P<scene>.+?){_JOINT}(?:y|r|row)[=_-]?(?P<top>\d+){_JOINT}?(?:x|c|col|column)[=_-]?(?P<left>\d+)$", re.IGNORECASE
)
_BARE = re.compile(rf"^(?P<scene>.+?){_JOINT}(?P<top>\d+){_JOINT}(?P<left>\d+)$")
_IN_PIXELS = 16  # a step from which on numbers are pixels; below, they count tiles, or, bare, are clips and frames
_LEAST_TILES = 4  # of a scene whose names are to make a grid
_FILLED = 0.5  # of the grid's places
_MOSTLY = 0.8  # of the scenes


@dataclass(frozen=True)
class Tile:
    """A place in a scene; ``top`` and ``left`` are None where only the scene is known, and are pixels or count tiles.

    ``is_sure`` is False where names do not say which number counts rows.
    """

    scene: str
    top: int | None = None
    left: int | None = None
    in_pixels: bool = True
    is_sure: bool = True


def tiles_of(dataset: Dataset) -> list[Tile | None]:
    """Tell each sample's place; None where it is no tile as far as ``meta`` and names say."""
    told = [_by_meta(sample) for sample in dataset]
    if any(told):
        return told
    paths = [_path(sample) for sample in dataset]
    for with_folder in (False, True):  # numbering that starts anew in each folder tells different scenes
        parsed = [_parsed(path, with_folder) for path in paths]
        places = Counter((one.scene, one.top, one.left) for one in parsed if one is not None)
        if all(count == 1 for count in places.values()):
            return _checked(parsed)
    return [None] * len(dataset)


def _by_meta(sample: Sample) -> Tile | None:
    scene, origin = sample.meta.get("tile_of", sample.meta.get("scene")), sample.meta.get("origin")
    if scene is None:
        return None
    scene = str(scene)
    if isinstance(origin, Sequence) and len(origin) == 2 and all(isinstance(one, int) for one in origin):
        return Tile(scene, int(origin[0]), int(origin[1]))
    return Tile(scene)


def _path(sample: Sample) -> PurePosixPath:
    return PurePosixPath(sample.name if sample.source.image is None else sample.source.image.as_posix())


def _parsed(path: PurePosixPath, with_folder: bool) -> Tile | None:
    stem = path.stem if path.suffix else path.name
    for pattern in (_COLUMN_FIRST, _ROW_FIRST, _BARE):
        if match := pattern.match(stem):
            scene = f"{path.parent.name}/{match['scene']}" if with_folder else match["scene"]
            return Tile(scene, int(match["top"]), int(match["left"]), is_sure=pattern is not _BARE)
    return None


def _checked(parsed: Sequence[Tile | None]) -> list[Tile | None]:
    """Keep the tiles of scenes that make sense, and tell whether their numbers are pixels."""
    scenes: dict[str, list[int]] = defaultdict(list)
    for row, tile in enumerate(parsed):
        if tile is not None:
            scenes[tile.scene].append(row)
    numbers = {scene: _numbers([parsed[row] for row in rows]) for scene, rows in scenes.items()}
    bare = {
        scene for scene, rows in scenes.items() if any((one := parsed[row]) is not None and not one.is_sure for row in rows)
    }
    if bare and not _are_grids([numbers[scene] for scene in bare]):
        scenes = {scene: rows for scene, rows in scenes.items() if scene not in bare}
    found: list[Tile | None] = [None] * len(parsed)
    for scene, rows in scenes.items():
        in_pixels = max(_step(values) for values in numbers[scene]) >= _IN_PIXELS
        for row in rows:
            found[row] = None if (one := parsed[row]) is None else replace(one, in_pixels=in_pixels)
    return found


def _numbers(tiles: Sequence[Tile | None]) -> tuple[list[int], list[int]]:
    """Give all tops, and all lefts."""
    tops = [one.top for one in tiles if one is not None and one.top is not None]
    return tops, [one.left for one in tiles if one is not None and one.left is not None]


def _are_grids(scenes: Sequence[tuple[list[int], list[int]]]) -> bool:
    """Tell whether bare numbers are places: most scenes with tiles enough make grids, or, if none has, all start at 0, 0."""
    judged = [_is_grid(tops, lefts) for tops, lefts in scenes if len(tops) >= _LEAST_TILES]
    if judged:
        return sum(judged) >= _MOSTLY * len(judged)
    steps = [max(_step(tops), _step(lefts)) for tops, lefts in scenes if len(tops) > 1]
    return bool(steps) and min(steps) >= _IN_PIXELS and all((0, 0) in zip(*numbers, strict=True) for numbers in scenes)


def _is_grid(tops: Sequence[int], lefts: Sequence[int]) -> bool:
    """Tell whether pairs of bare numbers are places of a grid: evenly spaced both ways, and most of them taken."""
    places = 1
    for values in (sorted(set(tops)), sorted(set(lefts))):
        step = _step(values)
        if len(values) < 2 or step < _IN_PIXELS or values[0] > step or (values[-2] - values[0]) // step + 2 > 2 * len(values):
            return False
        places *= len(values)
    return len(tops) >= _FILLED * places


def _step(values: Sequence[int]) -> int:
    """Find the step between places; the last one may be shifted to end with the scene."""
    ordered = sorted(set(values))
    inner = ordered[:-1] if len(ordered) > 2 else ordered
    return math.gcd(*(value - ordered[0] for value in inner)) if len(ordered) > 1 else 0


def overlapping(tiles: Sequence[Tile | None], sizes: Sequence[Size | None], rows: Sequence[int]) -> Iterator[tuple[int, int]]:
    """Give the pairs among ``rows``, of one scene or photo, that share pixels."""
    scenes: dict[str, list[int]] = defaultdict(list)
    for row in rows:
        if (tile := tiles[row]) is not None and _box(tile, sizes[row]) is not None:
            scenes[tile.scene].append(row)
    for placed in scenes.values():
        placed.sort(key=lambda row: _top(tiles[row]))
        tallest = max(max(size) for row in placed if (size := sizes[row]) is not None)
        for place, row in enumerate(placed):
            for other in placed[place + 1 :]:
                if _top(tiles[other]) - _top(tiles[row]) >= tallest:
                    break
                if _share_pixels(tiles[row], sizes[row], tiles[other], sizes[other]):
                    yield row, other


def _top(tile: Tile | None) -> int:
    return 0 if tile is None or tile.top is None else tile.top


def _box(tile: Tile | None, size: Size | None) -> tuple[int, int, int, int] | None:
    if tile is None or size is None or tile.top is None or tile.left is None or not tile.in_pixels:
        return None
    return tile.top, tile.left, tile.top + size[0], tile.left + size[1]


def _share_pixels(one: Tile | None, size: Size | None, other: Tile | None, other_size: Size | None) -> bool:
    """Compare two boxes; where names do not say which number is which, both readings must overlap."""
    readings = [(size, other_size)]
    if one is not None and not one.is_sure and size is not None and other_size is not None:
        readings.append((size[::-1], other_size[::-1]))
    for mine, theirs in readings:
        a, b = _box(one, mine), _box(other, theirs)
        if a is None or b is None or a[0] >= b[2] or b[0] >= a[2] or a[1] >= b[3] or b[1] >= a[3]:
            return False
    return True


def scenes_across(keys: Sequence[str | None], members: Sequence[frozenset[str]]) -> dict[str, dict[str, list[int]]]:
    """Give the scenes with images in several splits: for each, the rows by split."""
    found: dict[str, dict[str, list[int]]] = defaultdict(lambda: defaultdict(list))
    for row, (key, splits) in enumerate(zip(keys, members, strict=True)):
        if key is not None:
            for split in sorted(splits):
                found[key][split].append(row)
    return {key: dict(by_split) for key, by_split in found.items() if len(by_split) > 1}


def pairs_across(by_split: dict[str, list[int]]) -> Iterator[tuple[str, str]]:
    """Give the pairs of splits that a scene is in."""
    yield from combinations(by_split, 2)
