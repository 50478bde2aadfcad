"""The 35 classes of Cityscapes with their ids, colours and which are things, and what of them counts as void.

The benchmark leaves out what its labels call ``ignoreInEval``: ids -1 to 6, and some rare classes (9, 10, 14 to 16, 18, 29 and
30). The former name what is no object of the scene (the car that films, the border that rectifying left), so they are read as
void. The latter are objects that were labelled, and stay classes: who scores by the benchmark's rule leaves them out by name.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pixelwise.core.errors import DataError, PixelwiseError, UnreadableFile
from pixelwise.core.files import read_json, write_json
from pixelwise.core.labels import VOID, Label, LabelSet
from pixelwise.core.segmentation import KINDS, Kind

VOID_IDS = {
    0: "unlabeled",
    1: "ego vehicle",
    2: "rectification border",
    3: "out of roi",
    4: "static",
    5: "dynamic",
    6: "ground",
}
_CLASSES = (  # id, name, thing, colour, train id
    (7, "road", False, (128, 64, 128), 0),
    (8, "sidewalk", False, (244, 35, 232), 1),
    (9, "parking", False, (250, 170, 160), 255),
    (10, "rail track", False, (230, 150, 140), 255),
    (11, "building", False, (70, 70, 70), 2),
    (12, "wall", False, (102, 102, 156), 3),
    (13, "fence", False, (190, 153, 153), 4),
    (14, "guard rail", False, (180, 165, 180), 255),
    (15, "bridge", False, (150, 100, 100), 255),
    (16, "tunnel", False, (150, 120, 90), 255),
    (17, "pole", False, (153, 153, 153), 5),
    (18, "polegroup", False, (153, 153, 153), 255),
    (19, "traffic light", False, (250, 170, 30), 6),
    (20, "traffic sign", False, (220, 220, 0), 7),
    (21, "vegetation", False, (107, 142, 35), 8),
    (22, "terrain", False, (152, 251, 152), 9),
    (23, "sky", False, (70, 130, 180), 10),
    (24, "person", True, (220, 20, 60), 11),
    (25, "rider", True, (255, 0, 0), 12),
    (26, "car", True, (0, 0, 142), 13),
    (27, "truck", True, (0, 0, 70), 14),
    (28, "bus", True, (0, 60, 100), 15),
    (29, "caravan", True, (0, 0, 90), 255),
    (30, "trailer", True, (0, 0, 110), 255),
    (31, "train", True, (0, 80, 100), 16),
    (32, "motorcycle", True, (0, 0, 230), 17),
    (33, "bicycle", True, (119, 11, 32), 18),
)
PLATE = "license plate"  # id -1: Cityscapes' id maps leave it out, and show the car around it
NAME = "labels.json"  # where we say which ids are whose
FORM = "pixelwise cityscapes 1"


@dataclass(frozen=True)
class Stated:
    """What a set of ours says: its label set, whose values are ids, and its kind."""

    labels: LabelSet
    kind: Kind


def official(kept: Iterable[str] = ()) -> LabelSet:
    """Make the label set of Cityscapes: 27 classes by id, then those of the void ones that are ``kept``; the rest is void."""
    wanted = set(kept)
    rows = [(number, Label(name, thing, colour)) for number, name, thing, colour, _ in _CLASSES]
    rows += [(number, Label(name)) for number, name in VOID_IDS.items() if name in wanted]
    values = {**dict.fromkeys(VOID_IDS, VOID), **{number: index for index, (number, _) in enumerate(rows)}, 255: VOID}
    return LabelSet(tuple(label for _, label in rows), values)


def official_train() -> LabelSet:
    """Make the label set of ``labelTrainIds``: the 19 classes that are scored."""
    rows = sorted((row for row in _CLASSES if row[4] != 255), key=lambda row: row[4])
    labels = tuple(Label(name, thing, colour) for _, name, thing, colour, _ in rows)
    values = {**{row[4]: index for index, row in enumerate(rows)}, 19: VOID, 255: VOID}
    return LabelSet(labels, values)


def ids_for(labels: LabelSet) -> dict[int, int]:
    """Give each class its id: Cityscapes' own if all names are its, else from 7 on, past what Cityscapes calls void."""
    known = {name: number for number, name, *_ in _CLASSES} | {name: number for number, name in VOID_IDS.items() if number}
    if all(name in known for name in labels.names):
        return {index: known[name] for index, name in enumerate(labels.names)}
    return {index: index + 7 for index in range(len(labels))}


def state(folder: Path, labels: LabelSet, kind: Kind) -> None:
    """Write the label set and the kind beside the set."""
    write_json(folder / NAME, {"format": FORM, "kind": kind, **labels.to_json()})


def is_ours(folder: Path) -> bool:
    """Tell whether Pixelwise wrote the set."""
    return _data(folder) is not None


def stated_in(folder: Path) -> Stated | None:
    """Read what we stated; None where another tool wrote the set.

    Raises:
        UnreadableFile: the file is ours, and damaged.
    """
    data = _data(folder)
    if data is None:
        return None
    kind = next((one for one in KINDS if one == data.get("kind")), None)
    try:
        if kind is None:
            raise DataError(f"expected a kind of {', '.join(KINDS)}, got {data.get('kind')!r}")
        return Stated(LabelSet.from_json(data), kind)
    except DataError as error:
        raise UnreadableFile(f"{folder / NAME}: {error}") from None


def _data(folder: Path) -> Mapping[str, Any] | None:
    if (folder / NAME).is_symlink():  # it may lead outside, and we write none
        return None
    try:
        data = read_json(folder / NAME, 2**24)
    except PixelwiseError:
        return None
    return data if isinstance(data, Mapping) and data.get("format") == FORM else None
