"""Where the options of methods are looked for: ranges by the name of an option, and exceptions by method.

An option that is in neither table keeps its default: seeds, samples and rounds, which trade time for little, and levels that
the image itself chooses. Every range holds the default, or values on both sides of what images choose.
"""

import inspect
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from pixelwise.core.image import GREY, RGB
from pixelwise.methods import METHODS, TRAINABLE


@dataclass(frozen=True)
class Whole:
    """Whole numbers from ``low`` to ``high``, evenly in their logarithm if ``log``."""

    low: int
    high: int
    log: bool = False


@dataclass(frozen=True)
class Real:
    """Numbers from ``low`` to ``high``, evenly in their logarithm if ``log``."""

    low: float
    high: float
    log: bool = False


@dataclass(frozen=True)
class OneOf:
    """One of several values."""

    values: tuple[Any, ...]


Space: TypeAlias = Whole | Real | OneOf

_WINDOWS = OneOf((None, 15, 25, 51, 101))
_FEATURES: dict[str, Space] = {
    "clusters": Whole(2, 8),
    "space": OneOf(("lab", "luv", "hsv", "bands")),
    "place": Real(0.0, 1.0),
    "texture": OneOf(("none", "gabor", "patterns", "structure")),
    "texture_weight": Real(0.25, 2.0, log=True),
    "smooth": Real(0.0, 4.0),
}
_BY_OPTION: dict[str, Space] = {
    **_FEATURES,
    "foreground": OneOf(("auto", "bright", "dark")),
    "channel": OneOf(("grey", "red", "green", "blue", "saturation", "lightness", "a", "b")),
    "window": _WINDOWS,
    "sigma": Real(0.5, 6.0, log=True),
    "gap": Real(0.0, 0.95),
    "tolerance": Real(0.005, 0.3, log=True),
}
_BY_METHOD: dict[str, dict[str, Space]] = {
    "threshold": {"level": Real(0.0, 1.0), "space": OneOf(("grey",))},
    "multiotsu": {"classes": Whole(2, 6)},
    "adaptive": {"offset": Real(-0.1, 0.15), "weights": OneOf(("gaussian", "mean"))},
    "niblack": {"k": Real(-0.5, 0.8)},
    "sauvola": {"k": Real(0.02, 0.6)},
    "bernsen": {"contrast": Real(0.01, 0.3, log=True)},
    "contours": {"gap": Whole(0, 12)},
    "chanvese": {"mu": Real(0.02, 1.0, log=True), "tolerance": OneOf((1e-3,))},
    "morphgac": {"steepness": Real(100.0, 5000.0, log=True), "smoothing": Whole(0, 4)},
    "snakes": {"tension": Real(0.002, 0.1, log=True), "stiffness": Real(0.01, 1.0, log=True)},
    "growing": {"smallest": Real(1e-4, 1e-2, log=True), "smooth": Real(0.0, 4.0)},
    "floodfill": {"smallest": Real(1e-4, 1e-2, log=True)},
    "watershed": {
        "of": OneOf(("gradient", "distance")),
        "contrast": Real(0.001, 0.1, log=True),
        "depth": Real(0.25, 4.0, log=True),
        "smallest": Whole(4, 200, log=True),
    },
    "splitmerge": {
        "tolerance": Real(0.01, 0.2, log=True),
        "difference": Real(0.01, 0.3, log=True),
        "smallest": Real(1e-4, 1e-2, log=True),
    },
    "meanshift": {"quantile": Real(0.02, 0.5, log=True)},
    "dbscan": {"share": Real(0.0005, 0.02, log=True)},
    "agglomerative": {"linkage": OneOf(("ward", "average", "complete"))},
    "fuzzycmeans": {"fuzziness": Real(1.2, 3.0), "tolerance": OneOf((1e-4,))},
    "felzenszwalb": {"scale": Real(20.0, 2000.0, log=True), "smallest": Whole(5, 500, log=True), "smooth": Real(0.0, 2.0)},
    "slic": {"superpixels": Whole(50, 2000, log=True), "compactness": Real(1.0, 50.0, log=True)},
    "quickshift": {"kernel": Real(1.0, 6.0), "ratio": Real(0.1, 1.0), "smooth": Real(0.0, 2.0)},
    "ragmerge": {"level": Real(0.02, 0.98)},
    "normalizedcut": {"cut": Real(0.02, 0.5, log=True), "place": Real(0.05, 0.5, log=True)},
    "graphcut": {"smoothness": Real(0.5, 40.0, log=True), "mixtures": Whole(2, 8)},
    "grabcut": {"rounds": Whole(1, 10)},
    "randomwalker": {"beta": Real(10.0, 2000.0, log=True), "seeds": Whole(2, 16)},
    "randomforest": {
        "depth": Whole(3, 16),
        "trees": Whole(10, 60),
        "scales": OneOf(((0.0, 1.0, 2.0), (0.0, 1.0, 2.0, 4.0, 8.0), (0.0, 2.0, 8.0, 16.0))),
    },
}


def space_of(method: str, bands: tuple[str, ...]) -> Mapping[str, Space]:
    """Give the options of a method that are looked for, and where; channels as far as images of ``bands`` have them.

    >>> sorted(space_of("otsu", ("red", "green", "blue"))), sorted(space_of("otsu", ("grey",)))
    (['channel', 'foreground'], ['foreground'])
    """
    module = METHODS[method]
    parameters = dict(inspect.signature(module.segment).parameters)
    if method in TRAINABLE:
        parameters = {**inspect.signature(module.fit).parameters, **parameters}
    found: dict[str, Space] = {}
    for name, one in parameters.items():
        space = _BY_METHOD.get(method, {}).get(name, _BY_OPTION.get(name))
        if name == "channel":
            space = _channels(one.default, bands)
        if space is not None and not (isinstance(space, OneOf) and len(space.values) < 2):
            found[name] = space
    return found


def _channels(default: str, bands: tuple[str, ...]) -> Space | None:
    if bands == GREY:
        return None
    known = _BY_OPTION["channel"]
    assert isinstance(known, OneOf)
    return OneOf(tuple(dict.fromkeys([default, *(known.values if bands == RGB else ("grey", *bands))])))
