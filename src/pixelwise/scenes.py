"""Drawn scenes with exact truth: the data of the demo and of the tests, any number of them, from nothing but a seed.

A scene is a landscape (sky, water, grass) with balls, crates, rings and trees in it. Every surface takes its colour from one
shared palette, so colour alone says little: a class is known by its texture, shape and place. Rings have holes, some
with a part of their own in the middle; things hide one another, lakes hold islands, and some balls are a single pixel.
Shadows, uneven light and noise change pixels, never truth. Scene ``(seed, index)`` is the same whoever asks for it, in any
order and in any process; the same drawing gives the truth of every kind.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, TypeAlias

import cv2
import numpy as np

from pixelwise.core.arrays import BoolArray, ByteArray, FloatArray, IntArray, Size
from pixelwise.core.errors import OptionError, nearest
from pixelwise.core.image import Image
from pixelwise.core.labels import Label, LabelSet
from pixelwise.core.masks import DisjointMasks, from_dense, smallest_dtype
from pixelwise.core.sample import Dataset, Salvaged, Sample, TruthArray
from pixelwise.core.segmentation import KINDS, Kind, Segmentation

SKY, WATER, GRASS, BALL, CRATE, RING, TREE = range(7)
SMALLEST = 32  # pixels a side: below it the shapes have no room for their textures

# Okabe and Ito's colours, which stay apart for colour-blind readers.
LABELS = LabelSet(
    (
        Label("sky", False, (86, 180, 233)),
        Label("water", False, (0, 114, 178)),
        Label("grass", False, (0, 158, 115)),
        Label("ball", True, (213, 94, 0)),
        Label("crate", True, (230, 159, 0)),
        Label("ring", True, (204, 121, 167)),
        Label("tree", True, (240, 228, 66)),
    ),
    {index: index for index in range(7)},
)
_PALETTE = np.array(
    [(128, 172, 214), (168, 172, 176), (214, 160, 132), (72, 118, 136), (92, 132, 76), (170, 148, 92), (92, 100, 118)],
    np.float32,
)
_STUFF_COLOURS = {SKY: (0, 1, 2, 3), WATER: (0, 1, 3, 4), GRASS: (3, 4, 5, 6)}  # rows of the palette


@dataclass(frozen=True)
class Scene:
    """Which scene: enough to draw it again anywhere."""

    seed: int
    index: int
    size: Size
    moves: bool = False
    frame: int = 0


Row: TypeAlias = tuple[str, Scene, dict[str, Any]]  # name, scene, meta


@dataclass(frozen=True, eq=False)
class Thing:
    """One object: class, centre (y, x), radius in pixels (0 is a single pixel), angle, colour and a detail in [0, 1]."""

    class_id: int
    centre: tuple[float, float]
    radius: float
    angle: float
    colour: FloatArray
    detail: float
    velocity: tuple[float, float]
    spin: float
    track: int


@dataclass(frozen=True, eq=False)
class Drawing:
    """A drawn scene: pixels (H, W, 3), the stuff behind everything (H, W), and things with whole masks, back to front."""

    pixels: ByteArray
    stuff: IntArray
    things: tuple[Thing, ...]
    whole: BoolArray  # (T, H, W), also where another thing hides it

    @property
    def front(self) -> IntArray:
        """The thing seen at each pixel (H, W), counted from 1; 0 where there is none."""
        ids = np.zeros(self.stuff.shape, smallest_dtype(len(self.things)))
        for index, mask in enumerate(self.whole):
            ids[mask] = index + 1
        return ids


def scenes(count: int, size: Size = (128, 160), kind: Kind = "semantic", seed: int = 0) -> Dataset:
    """Make a data set of ``count`` scenes, drawn when they are read.

    What the truth is depends on ``kind``: ``semantic`` and ``panoptic`` are what is seen; ``instance`` has the whole of each
    thing, also where a smaller one hides it, so masks overlap; ``multilabel`` says of each pixel all that lies there, seen or
    hidden; ``regions`` are the connected parts that are seen, without classes.

    Raises:
        OptionError: the kind is unknown, a side is shorter than 32 pixels, or a number is negative.

    >>> scenes(2).labels.names
    ('sky', 'water', 'grass', 'ball', 'crate', 'ring', 'tree')
    """
    size = _checked(count, size, kind, seed)
    rows: list[Row] = [(f"scene_{seed}_{index:04d}", Scene(seed, index, size), {}) for index in range(count)]
    return _dataset(rows, kind, "drawn scenes")


def video(frames: int = 24, size: Size = (128, 160), kind: Kind = "instance", seed: int = 0, clips: int = 1) -> Dataset:
    """Make a data set of ``clips`` films of ``frames`` frames each, in which things move, turn and hide one another.

    ``meta`` has the ``sequence``, ``frame`` and ``time`` in seconds of each sample. Instance and panoptic truth has
    ``track_ids``: a number keeps its thing through the film.

    Raises:
        OptionError: as ``scenes``.
    """
    size = _checked(min(frames, clips), size, kind, seed)
    rows: list[Row] = [
        (
            f"clip_{seed}_{clip:02d}_{frame:04d}",
            Scene(seed, clip, size, moves=True, frame=frame),
            {"sequence": f"clip_{seed}_{clip:02d}", "frame": frame, "time": frame / 25},
        )
        for clip in range(clips)
        for frame in range(frames)
    ]
    return _dataset(rows, kind, "drawn film")


def labels_of(kind: Kind) -> LabelSet:
    """Give the label set of scenes of one kind: things alone for instances, one class for regions."""
    if kind == "regions":
        return LabelSet.of(["region"])
    if kind == "instance":
        things = tuple(label for label in LABELS.labels if label.is_thing)
        return LabelSet(things, {index: index for index in range(len(things))})
    return LABELS


def _checked(count: int, size: Size, kind: str, seed: int) -> Size:
    if kind not in KINDS:
        raise OptionError(f"no kind of segmentation is called '{kind}'; {nearest(str(kind), KINDS)}")
    if count < 0 or seed < 0:
        raise OptionError(f"expected a count and a seed of 0 or more, got {count} and {seed}")
    if len(size) != 2 or min(size) < SMALLEST:
        raise OptionError(f"expected a size (height, width) of at least {SMALLEST} x {SMALLEST}, got {tuple(size)}")
    return int(size[0]), int(size[1])


def _dataset(rows: list[Row], kind: Kind, name: str) -> Dataset:
    labels = labels_of(kind)
    samples = [Sample(each, ScenePixels(scene), SceneTruth(scene, kind), labels, meta=meta) for each, scene, meta in rows]
    return Dataset(samples, labels, kind, name=name)


@dataclass(frozen=True)
class ScenePixels:
    """The image of a scene, drawn when read."""

    scene: Scene

    def read(self) -> Image:
        """Draw the image; the caller may write to it."""
        return Image(draw(self.scene).pixels.copy())

    def size(self) -> Size:
        """Give (H, W)."""
        return self.scene.size


@dataclass(frozen=True)
class SceneTruth:
    """The truth of a scene, of one kind."""

    scene: Scene
    kind: Kind

    def read(self, labels: LabelSet, size: Size) -> tuple[Segmentation, ...]:
        """Give the truth under ``labels``, joined by name."""
        return TruthArray((truth(self.scene, self.kind),)).read(labels, size)

    def salvage(self, labels: LabelSet, size: Size) -> Salvaged:
        """Give the truth; nothing can be wrong with it."""
        return self.read(labels, size), ()

    def raw(self) -> list[IntArray]:
        """Give the class map."""
        return TruthArray((truth(self.scene, self.kind),)).raw()


def truth(scene: Scene, kind: Kind) -> Segmentation:
    """State what is where in a scene; ``scenes`` says what each kind means."""
    drawing = draw(scene)
    classes = np.array([thing.class_id for thing in drawing.things], np.int64)
    if kind == "multilabel":
        layers = [drawing.stuff == index for index in (SKY, WATER, GRASS)]
        layers += [drawing.whole[classes == index].any(axis=0) for index in (BALL, CRATE, RING, TREE)]
        present = [index for index, layer in enumerate(layers) if layer.any()]
        return Segmentation.from_masks(kind, np.stack([layers[index] for index in present]), present, LABELS)
    front = drawing.front
    if kind == "semantic":
        table = np.concatenate([[0], classes]).astype(np.uint8)
        return Segmentation.from_class_map(np.where(front > 0, table[front], drawing.stuff), LABELS)
    tracks = np.array([thing.track for thing in drawing.things], np.int64)
    if kind == "instance":
        seen = np.isin(np.arange(1, len(classes) + 1), front)
        masks, followed = from_dense(drawing.whole[seen]), tracks[seen] if scene.moves else None
        return Segmentation(kind, masks, classes[seen] - BALL, labels_of(kind), track_ids=followed)
    # Stuff is 1..3 and thing k is 3 + k; those that nothing is seen of are left out.
    painted = np.where(front > 0, front.astype(np.int64) + BALL, drawing.stuff + 1)
    if kind == "regions":
        ids = _connected(painted)
        return Segmentation(kind, DisjointMasks(ids, int(ids.max())), np.zeros(int(ids.max()), np.int64), labels_of(kind))
    every = Segmentation(
        "panoptic",
        DisjointMasks(painted, BALL + len(classes)),
        np.concatenate([[SKY, WATER, GRASS], classes]),
        LABELS,
        track_ids=np.concatenate([len(tracks) + np.arange(1, BALL + 1), tracks]) if scene.moves else None,
    )
    return every[every.masks.areas() > 0]


def _connected(ids: IntArray) -> IntArray:
    """Number the connected parts (4 neighbours) of an id map (H, W) from 1."""
    parts, count = np.zeros(ids.shape, np.int64), 0
    for value in np.unique(ids):
        found, numbers = cv2.connectedComponents((ids == value).astype(np.uint8), connectivity=4)
        parts = np.where(numbers > 0, numbers + count, parts)
        count += found - 1
    return parts.astype(smallest_dtype(count))


@lru_cache(maxsize=16)  # an image is mostly followed by its truth
def draw(scene: Scene) -> Drawing:
    """Draw a scene; what it gives is shared, so nothing may be written to it."""
    rng = np.random.default_rng((scene.seed, scene.index, int(scene.moves)))
    stuff = _landscape(rng, scene.size)
    canvas = _surfaces(rng, stuff)
    things = [_moved(thing, scene) for thing in _things(rng, scene.size, canvas)]
    painted = [_paint(thing, scene.size) for thing in things]
    if not scene.moves:  # larger ones lie behind, so that flattened instances are what is seen; in a film, depth is fixed
        order = np.argsort([-int(mask.sum()) for mask, _ in painted], kind="stable")
        things, painted = [things[i] for i in order], [painted[i] for i in order]
    for thing, (mask, light) in zip(things, painted, strict=True):
        _shadow(canvas, mask, thing)
        canvas[mask] = thing.colour + light[mask][:, None]
    canvas *= _daylight(rng, scene.size)[:, :, None]
    grain = np.random.default_rng((scene.seed, scene.index, int(scene.moves), scene.frame + 1))  # a frame 0 would repeat rng
    canvas += np.float32(rng.uniform(3, 8)) * grain.standard_normal(canvas.shape, np.float32)
    whole = np.stack([mask for mask, _ in painted]) if painted else np.zeros((0, *scene.size), bool)
    pixels = np.clip(np.rint(canvas), 0, 255).astype(np.uint8)
    for array in (pixels, stuff, whole):
        array.setflags(write=False)
    return Drawing(pixels, stuff, tuple(things), whole)


def _wave(rng: np.random.Generator, length: int, knots: int) -> FloatArray:
    """Draw a smooth curve (length,) between -1 and 1."""
    points = rng.uniform(-1, 1, (1, knots)).astype(np.float32)
    return np.asarray(np.clip(cv2.resize(points, (length, 1), interpolation=cv2.INTER_CUBIC)[0], -1, 1), np.float32)


def _field(rng: np.random.Generator, size: Size, grain: tuple[float, float]) -> FloatArray:
    """Draw smooth noise (H, W) of unit deviation whose blots measure ``grain`` (height, width) pixels."""
    rows, columns = (max(2, round(side / step)) for side, step in zip(size, grain, strict=True))
    coarse = rng.standard_normal((rows, columns), np.float32)
    return np.asarray(cv2.resize(coarse, (size[1], size[0]), interpolation=cv2.INTER_LINEAR), np.float32)


def _landscape(rng: np.random.Generator, size: Size) -> IntArray:
    """Lay out sky above a horizon, grass below it, and a shore or a lake, some with an island: classes (H, W)."""
    height, width = size
    y, x = np.mgrid[:height, :width].astype(np.float32)
    horizon = height * (rng.uniform(0.28, 0.5) + 0.06 * _wave(rng, width, 4))
    stuff = np.where(y < horizon, SKY, GRASS).astype(np.uint8)
    layout = rng.choice(["shore", "lake", "dry"], p=[0.4, 0.45, 0.15])
    if layout == "shore":
        depth = height * (rng.uniform(0.2, 0.3) + 0.06 * _wave(rng, width, 5))
        stuff[(y >= horizon) & (y < horizon + depth)] = WATER
    elif layout == "lake":
        middle = height * rng.uniform(0.68, 0.8), width * rng.uniform(0.3, 0.7)
        radii = height * rng.uniform(0.16, 0.24), width * rng.uniform(0.28, 0.42)
        turn = np.arctan2(y - middle[0], x - middle[1])
        reach = np.hypot((y - middle[0]) / radii[0], (x - middle[1]) / radii[1]) + 0.12 * np.sin(3 * turn + rng.uniform(0, 6))
        has_island = rng.random() < 0.4
        stuff[(reach < 1) & (reach > (0.35 if has_island else -1)) & (y >= horizon)] = WATER
    return stuff


def _surfaces(rng: np.random.Generator, stuff: IntArray) -> FloatArray:
    """Colour the stuff and give it texture: soft clouds, flat ripples, upright blades: (H, W, 3)."""
    size = stuff.shape[0], stuff.shape[1]
    scale = max(1.0, min(size) / 160)
    textures = {
        SKY: 9 * _field(rng, size, (size[0] / 5, size[1] / 4)),
        WATER: 22 * _field(rng, size, (2 * scale, 11 * scale)),
        GRASS: 22 * _field(rng, size, (6 * scale, 1.5 * scale)),
    }
    canvas, used = np.zeros((*size, 3), np.float32), set[int]()
    for index, texture in textures.items():
        row = int(rng.choice([row for row in _STUFF_COLOURS[index] if row not in used]))  # neighbours differ within a scene
        used.add(row)
        colour = _PALETTE[row] + rng.normal(0, 12, 3).astype(np.float32)
        mask = stuff == index
        canvas[mask] = colour + texture[mask][:, None]
    return canvas


def _things(rng: np.random.Generator, size: Size, canvas: FloatArray) -> list[Thing]:
    """Choose three to seven things, some beside the one before, then up to three balls of a single pixel."""
    side = min(size)
    found: list[Thing] = []
    for track in range(1, int(rng.integers(3, 8)) + 1):
        class_id = int(rng.integers(BALL, TREE + 1))
        radius = side * float(rng.uniform(0.09, 0.16) * {BALL: 1.0, CRATE: 1.05, RING: 1.15, TREE: 1.35}[class_id])
        y, x = rng.uniform(0.12, 0.9) * size[0], rng.uniform(0.08, 0.92) * size[1]
        if found and rng.random() < 0.4:
            y, x = np.array(found[-1].centre) + (found[-1].radius + radius) * 0.6 * rng.choice([-1, 1], 2)
        y = np.clip(y, 0.4 * size[0] if class_id == TREE else 0, size[0] - 1)
        found.append(_thing(rng, class_id, (float(y), float(np.clip(x, 0, size[1] - 1))), radius, canvas, track))
    for track in range(len(found) + 1, len(found) + 1 + int(rng.integers(0, 4))):
        place = float(rng.integers(0, size[0])), float(rng.integers(0, size[1]))
        found.append(_thing(rng, BALL, place, 0.0, canvas, track))
    return found


def _thing(
    rng: np.random.Generator, class_id: int, centre: tuple[float, float], radius: float, canvas: FloatArray, track: int
) -> Thing:
    """Give a thing the one of three palette colours that stands out most from what is behind it."""
    height, width = canvas.shape[:2]
    behind = canvas[int(centre[0]), int(centre[1])]
    tried = _PALETTE[rng.choice(len(_PALETTE), 3, replace=False)] + rng.normal(0, 12, (3, 3)).astype(np.float32)
    colour = tried[np.abs(tried - behind).sum(axis=1).argmax()]
    if radius == 0:
        colour = np.full(3, 245 if behind.mean() < 128 else 15, np.float32)
    pace = rng.uniform(-2.5, 2.5, 2) * min(height, width) / 128
    return Thing(
        class_id,
        centre,
        radius,
        0.0 if class_id == TREE else float(rng.uniform(0, 2 * np.pi)),
        colour,
        float(rng.random()),
        (float(pace[0]) * (class_id != TREE), float(pace[1])),
        0.0 if class_id == TREE else float(rng.uniform(-0.1, 0.1)),
        track,
    )


def _moved(thing: Thing, scene: Scene) -> Thing:
    """Give a thing's pose at the scene's frame: it turns back where its centre meets the border."""
    if not scene.frame:
        return thing
    places = []
    for start, pace, side in zip(thing.centre, thing.velocity, scene.size, strict=True):
        last = side - 1
        round_trip = (start + pace * scene.frame) % (2 * last)
        places.append(last - abs(last - round_trip))
    return replace(thing, centre=(places[0], places[1]), angle=thing.angle + thing.spin * scene.frame)


def _paint(thing: Thing, size: Size) -> tuple[BoolArray, FloatArray]:
    """Give a thing's mask (H, W) and the light (H, W), in grey levels, that its texture adds."""
    mask, light = np.zeros(size, bool), np.zeros(size, np.float32)
    if thing.radius == 0:
        mask[round(thing.centre[0]), round(thing.centre[1])] = True
        return mask, light
    top, left = (max(0, int(place - 1.5 * thing.radius)) for place in thing.centre)
    bottom, right = (min(side, int(place + 1.5 * thing.radius) + 2) for place, side in zip(thing.centre, size, strict=True))
    y, x = np.mgrid[top:bottom, left:right].astype(np.float32)
    y, x = (y - thing.centre[0]) / thing.radius, (x - thing.centre[1]) / thing.radius
    sine, cosine = np.sin(thing.angle), np.cos(thing.angle)
    box = slice(top, bottom), slice(left, right)
    mask[box], light[box] = _SHAPES[thing.class_id](cosine * x + sine * y, cosine * y - sine * x, thing.detail)
    return mask, light


Shape: TypeAlias = Callable[[FloatArray, FloatArray, float], tuple[BoolArray, FloatArray]]  # u, v, detail -> mask, light


def _ball(u: FloatArray, v: FloatArray, detail: float) -> tuple[BoolArray, FloatArray]:
    """Draw a disk, lit from one side, with a highlight."""
    distance = (u + 0.35) ** 2 + (v + 0.35) ** 2
    return u**2 + v**2 <= 1, 32 - 45 * distance + 55 * (distance < 0.05 + 0.04 * detail)


def _crate(u: FloatArray, v: FloatArray, detail: float) -> tuple[BoolArray, FloatArray]:
    """Draw a rectangle of planks in a bright frame."""
    v = v / (0.75 + 0.25 * detail)
    reach = np.maximum(np.abs(u), np.abs(v))
    planks = np.where(np.floor((v + 1) * 2.5) % 2 == 0, 18, -22)
    return reach <= 0.9, np.where(reach > 0.66, 36, planks)


def _ring(u: FloatArray, v: FloatArray, detail: float) -> tuple[BoolArray, FloatArray]:
    """Draw a ring of light and dark sectors; some have a dot of their own in the hole."""
    radius = np.hypot(u, v)
    hole = 0.42 + 0.1 * detail
    mask = (radius <= 1) & (radius >= hole)
    if detail > 0.7:
        mask |= radius <= 0.45 * hole
    return mask, np.where(np.floor(np.arctan2(v, u) * 4 / np.pi) % 2 == 0, 30, -30)


def _tree(u: FloatArray, v: FloatArray, detail: float) -> tuple[BoolArray, FloatArray]:
    """Draw a crown of three blotched lobes on a dark trunk."""
    lobes = ((-0.42, -0.05, 0.45), (0.42, -0.1, 0.45), (0.0, -0.45 - 0.1 * detail, 0.5))
    crown = np.any([np.hypot(u - x, v - y) <= radius for x, y, radius in lobes], axis=0)
    trunk = (np.abs(u) <= 0.15) & (v >= 0) & (v <= 0.95)
    leaves = 34 * np.sin(14 * u + 5 * np.sin(9 * v + 6 * detail)) * np.sin(15 * v + 4 * np.sin(8 * u))
    return crown | trunk, np.where(crown, leaves, -55)


_SHAPES: dict[int, Shape] = {BALL: _ball, CRATE: _crate, RING: _ring, TREE: _tree}


def _shadow(canvas: FloatArray, mask: BoolArray, thing: Thing) -> None:
    """Darken what lies below and to the right of a thing; ``canvas`` is written to."""
    step = max(1, round(thing.radius * 0.18))
    if thing.radius:
        cast = np.zeros_like(mask)
        cast[step:, step:] = mask[:-step, :-step]
        canvas[cast] *= 0.82


def _daylight(rng: np.random.Generator, size: Size) -> FloatArray:
    """Draw uneven light (H, W): brighter on one side than on the other."""
    angle, contrast = rng.uniform(0, 2 * np.pi), rng.uniform(0, 0.18)
    y, x = np.mgrid[-1 : 1 : size[0] * 1j, -1 : 1 : size[1] * 1j].astype(np.float32)
    return np.asarray(rng.uniform(0.88, 1.06) + contrast * (np.sin(angle) * y + np.cos(angle) * x) / 1.4, np.float32)
