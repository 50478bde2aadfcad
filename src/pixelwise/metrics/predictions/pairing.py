"""Find the prediction of each image by name: predictions lie in folders of their own, as the images do or all in one.

Both are known by paths without endings. A prediction goes with the image whose last name it bears; of several of that name,
with the one whose folders agree farthest, read from the end: ``car/0001`` with ``frames/car/0001`` and not with
``frames/boat/0001``. Where no prediction bears an image's name, but all have one and the same mark behind it (``a_pred``), the
mark is taken off.
"""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path, PurePath

from pixelwise.core.errors import DataError
from pixelwise.core.sample import Dataset, Sample

_SHOWN = 3


@dataclass(frozen=True)
class Pairs:
    """Which prediction is of which image.

    Attributes:
        keys: the key of the prediction, by the name of the sample.
        strange: the keys of predictions that are of none of the samples.
        doubtful: the keys that could be a sample's, by its name, where there are several.
        notes: what the reader must know of how they were found.
    """

    keys: Mapping[str, str]
    strange: tuple[str, ...]
    doubtful: Mapping[str, tuple[str, ...]]
    notes: tuple[str, ...] = ()


def pairs(keys: Collection[str], dataset: Dataset, name: str) -> Pairs:
    """Pair predictions, whose ``keys`` are paths without endings, with samples; ``name`` says where they are from.

    Raises:
        DataError: there are predictions, and none is of one of the samples; or one could as well be of two of them.
    """
    paths = {key: PurePath(key).parts for key in keys}
    found = _joined(paths, dataset, name)
    notes = []
    if not (found.keys or found.doubtful) and (mark := _mark(paths.values(), dataset)):
        paths = {key: (*parts[:-1], parts[-1].removesuffix(mark)) for key, parts in paths.items() if parts[-1].endswith(mark)}
        found = _joined(paths, dataset, name)
        notes.append(f"'{mark}' at the end of the predictions' names was taken off")
    if keys and len(dataset) and not (found.keys or found.doubtful):
        raise DataError(
            f"{name}: none of its {len(keys)} predictions ({listed(sorted(keys))}) is of one of the {len(dataset)} images "
            f"({listed([sample.name for sample in dataset])}); name them as the images are, or give the --split they are of"
        )
    used = {*found.keys.values(), *(key for each in found.doubtful.values() for key in each)}
    return Pairs(found.keys, tuple(sorted(set(keys) - used)), found.doubtful, (*notes, *found.notes))


def keys_of(files: Sequence[str]) -> list[str]:
    """Give each image that was predicted its full path without the ending, or with it where another has the same without.

    >>> keys_of(["/photos/a.jpg", "/photos/b.jpg", "/photos/b.png"])
    ['/photos/a', '/photos/b.jpg', '/photos/b.png']
    """
    paths = [Path(file).resolve() for file in files]
    short = [str(path.with_name(path.stem)) if path.stem else str(path) for path in paths]
    times = Counter(short)
    return [key if times[key] == 1 else str(path) for key, path in zip(short, paths, strict=True)]


def listed(names: Sequence[str]) -> str:
    """Write the first few names.

    >>> listed(["a", "b", "c", "d"])
    'a, b, c …'
    """
    return ", ".join(names[:_SHOWN]) + (" …" if len(names) > _SHOWN else "")


def _joined(paths: Mapping[str, tuple[str, ...]], dataset: Dataset, name: str) -> Pairs:
    by_last: dict[str, list[str]] = defaultdict(list)
    for key, parts in paths.items():
        by_last[parts[-1] if parts else ""].append(key)
    offers: dict[str, list[tuple[int, Sample]]] = defaultdict(list)  # by key: how far the names agree, and with whose
    doubtful = {}
    for sample in dataset:
        places = _places(sample)
        near = dict.fromkeys(key for place in places for key in by_last.get(place[-1], ()))
        reach = {key: max(_agreement(paths[key], place) for place in places) for key in near}
        best = tuple(key for key, length in reach.items() if length == max(reach.values()))
        if len(best) == 1:
            offers[best[0]].append((reach[best[0]], sample))
        elif best:
            doubtful[sample.name] = best
    found, alone = {}, []
    for key, offered in offers.items():
        most = max(length for length, _ in offered)
        takers = [sample for length, sample in offered if length == most]
        if len(takers) > 1:
            raise DataError(
                f"{name}: {key} could be the prediction of {listed([one.name for one in takers])}; put predictions into "
                f"folders as the images are"
            )
        found[takers[0].name] = key
        if most == 1 and len(paths[key]) > 1 and takers[0].source.image is not None:
            alone.append(f"{key} for {takers[0].name}")
    told = f"{len(alone)} predictions lie in other folders than their images, and go by their last name: {listed(alone)}"
    return Pairs(found, (), doubtful, (told,) if alone else ())


def _places(sample: Sample) -> list[tuple[str, ...]]:
    """List the paths by which the prediction of a sample may be known: its name and its image."""
    image = sample.source.image
    if image is not None:
        path = image.resolve()
        return [PurePath(sample.name).parts, path.with_name(path.stem).parts, path.parts]
    return [PurePath(sample.name).parts]


def _agreement(one: tuple[str, ...], other: tuple[str, ...]) -> int:
    """Count the parts that two paths share from the end."""
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(reversed(one), reversed(other), strict=False)))


def _mark(paths: Iterable[tuple[str, ...]], dataset: Dataset) -> str:
    """Find the one mark that stands behind images' names; empty where there is none, or more than one."""
    names = {place[-1] for sample in dataset for place in _places(sample)}
    marks: Counter[str] = Counter()
    for parts in paths:
        last = parts[-1] if parts else ""
        cuts = [cut for cut in range(len(last) - 1, 0, -1) if last[:cut] in names and last[cut] in "_-. "]
        if cuts:
            marks[last[cuts[0] :]] += 1
    return next(iter(marks)) if len(marks) == 1 else ""
