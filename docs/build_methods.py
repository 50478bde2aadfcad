"""Make the pages of the classical methods, with pictures: docs/methods/*.md and docs/images/methods/*.jpg.

Words come from the methods' own modules, pictures from running them at their default options on photographs that come with
scikit-image and are free to use: a coffee cup (CC0), an astronaut (NASA, public domain), coins (no known restrictions).
Run: python docs/build_methods.py [METHOD ...]
"""

import inspect
import re
import sys
from pathlib import Path
from types import ModuleType

import cv2
import numpy as np
from skimage import data

from pixelwise.core.arrays import ByteArray
from pixelwise.core.image import Image, as_image
from pixelwise.core.segmentation import Segmentation
from pixelwise.draw.overlay import overlay
from pixelwise.draw.regions import outlined
from pixelwise.methods import METHODS, TRAINED
from pixelwise.methods.clusters.features import Features
from pixelwise.methods.predictor import Method
from pixelwise.scenes import scenes

HERE = Path(__file__).parent
PAGES, PICTURES = HERE / "methods", HERE / "images" / "methods"
HEIGHT, GAP = 200, 6  # of a picture in a strip, and between two
FAMILIES = {
    "threshold": ("Thresholds", ("coins", "coffee")),
    "edge": ("Edges", ("coins", "coffee")),
    "region": ("Regions", ("coins", "coffee")),
    "clustering": ("Clustering", ("coffee", "astronaut")),
    "graph": ("Graphs", ("coffee", "astronaut")),
    "learned": ("Learned", ("scene", "scene")),
}


def photo(name: str) -> Image:
    """Give a sample photograph, at most 400 pixels wide."""
    pixels = getattr(data, name)()
    factor = min(1.0, 400 / pixels.shape[1])
    size = round(pixels.shape[1] * factor), round(pixels.shape[0] * factor)
    return as_image(cv2.resize(pixels, size, interpolation=cv2.INTER_AREA))


def strip(name: str, photos: tuple[str, ...]) -> ByteArray:
    """Draw each photograph beside what a method makes of it."""
    if name in TRAINED:
        drawn = scenes(8, (192, 256), seed=5)
        method = Method(name).fit(drawn.take(range(6)))
        images = [drawn[6].image, drawn[7].image]
    else:
        method, images = Method(name), [photo(one) for one in photos]
    panels = []
    for image in images:
        found = method([image])[0]
        panels += [as_shown(image), shown(image, found)]
    gap = np.full((HEIGHT, GAP, 3), 255, np.uint8)
    parts = [part for panel in panels for part in (_at_height(panel), gap)][:-1]
    return np.concatenate(parts, axis=1)


def as_shown(image: Image) -> ByteArray:
    """Give an image as three bytes a pixel."""
    return np.ascontiguousarray(np.broadcast_to(image.pixels, (*image.size, 3)))


def shown(image: Image, found: Segmentation) -> ByteArray:
    """Draw a result: borders of many regions, colours of few."""
    if found.kind == "regions" and len(found) > 12:
        return outlined(image, found, max(image.size))
    return overlay(image, found, 0.6)


def _at_height(panel: ByteArray) -> ByteArray:
    width = round(panel.shape[1] * HEIGHT / panel.shape[0])
    return cv2.resize(panel, (width, HEIGHT), interpolation=cv2.INTER_AREA)


def page(family: str, names: list[str]) -> str:
    """Write the page of a family."""
    title, _ = FAMILIES[family]
    package = inspect.getmodule(sys.modules[METHODS[names[0]].__name__.rpartition(".")[0]])
    lines = [f"# {title}", "", (package.__doc__ or "").strip() if package else "", ""]
    lines += ["| method | good for | bad for |", "|---|---|---|"]
    lines += [f"| [`{name}`](#{name}) | {METHODS[name].ABOUT.good_for} | {METHODS[name].ABOUT.bad_for} |" for name in names]
    for name in names:
        lines += ["", *section(name, METHODS[name])]
    if family == "clustering":
        lines += ["", "## Features", "", *(f"- `{key}`: {value}" for key, value in described(Features, "Attributes").items())]
    return "\n".join(lines) + "\n"


def section(name: str, module: ModuleType) -> list[str]:
    """Write what there is to know of a method, in its own words."""
    words = inspect.getdoc(module) or ""
    options = inspect.signature(module.segment).parameters.values()
    stated = [f"`{one.name}={one.default!r}`" for one in options if one.default is not inspect.Parameter.empty]
    text = [f"## {name}", "", f"![{name}](../images/methods/{name}.jpg)", "", words.replace("``", "`"), ""]
    text += [f"Options: {', '.join(stated)}.", ""] if stated else []
    told = described(module.segment, "Args")
    return [*text, *(f"- `{key}`: {value}" for key, value in told.items()), "", f"*Source*: {module.ABOUT.source}."]


def described(owner: object, heading: str) -> dict[str, str]:
    """Read what a docstring says of each name in its section ``heading``."""
    words = inspect.getdoc(owner) or ""
    found = re.search(rf"^{heading}:\n((?:    .*\n?)+)", words, re.MULTILINE)
    told: dict[str, str] = {}
    name = ""
    for line in found[1].splitlines() if found else ():
        if begun := re.match(r"    (\w[\w, ]*): (.*)", line):
            name, told[begun[1]] = begun[1], begun[2]
        else:
            told[name] += " " + line.strip()
    return {key: value.replace("``", "`").replace("see `Features`", "see [Features](#features)") for key, value in told.items()}


def main() -> None:
    """Make the pages, and the pictures of all methods or of those named."""
    wanted = sys.argv[1:] or list(METHODS)
    for name in wanted:
        METHODS[name]  # a name that is none is told before anything is drawn
    PAGES.mkdir(exist_ok=True)
    PICTURES.mkdir(parents=True, exist_ok=True)
    for name in wanted:
        print(name, flush=True)
        picture = strip(name, FAMILIES[METHODS[name].ABOUT.family][1])
        cv2.imwrite(str(PICTURES / f"{name}.jpg"), picture[:, :, ::-1], [cv2.IMWRITE_JPEG_QUALITY, 80])
    for family in FAMILIES:
        if names := [name for name in METHODS if METHODS[name].ABOUT.family == family]:
            (PAGES / f"{family}.md").write_text(page(family, names), encoding="utf-8")


if __name__ == "__main__":
    main()
