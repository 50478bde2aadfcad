"""Draw the diagrams of the networks' pages: boxes in columns, from the image to its segmentation, and arrows between them.

What a diagram shows is data at the end of this file: a row a box, in columns from left to right, and pairs of names for the
arrows. Columns are as wide as their widest text, and an arrow bends in the gap before the column that it leads to.

Run: python docs/draw_networks.py [NAME …]     (writes docs/images/networks/NAME.png; all of them without a name)
"""

import sys
from pathlib import Path
from typing import NamedTuple

from PIL import Image, ImageDraw, ImageFont

OUT = Path(__file__).parent / "images" / "networks"
FINE = 3  # drawn so many times as large, and made smaller at the end: smooth edges
TITLE, TEXT = 17, 13  # heights of letters
LINE, PADDING, GAP, MARGIN = 18, 14, 46, 28
ROW, BETWEEN = 84, 16  # height of a box of one row, and what lies between two
HEAD = 10  # length of an arrow's head
INK, SOFT, PAPER, ARROW = "#1f2933", "#52606d", "#ffffff", "#7b8794"
COLOURS = {  # of a kind of box: its face, its edge
    "image": ("#f1f3f5", "#adb5bd"),
    "encoder": ("#e0edfb", "#5b9bd5"),
    "pyramid": ("#def3ea", "#44a27c"),
    "head": ("#fdeeda", "#e09f3e"),
    "decode": ("#eee6f8", "#8d6bb8"),
}
MEANINGS = {"encoder": "encoder", "pyramid": "features", "head": "head", "decode": "decoding (NumPy)"}


class Box(NamedTuple):
    """A box of a diagram.

    Attributes:
        name: what arrows call it.
        column: from the left, from 0 on.
        row: of its upper edge, from 0 on; halves are allowed.
        kind: a key of ``COLOURS``.
        title, text: what stands in it; lines of the text are parted by line breaks.
        rows: its height.
    """

    name: str
    column: int
    row: float
    kind: str
    title: str
    text: str = ""
    rows: float = 1


class Diagram(NamedTuple):
    """Boxes, and arrows between them: ``"a b, b c"`` leads from a to b and from b to c."""

    boxes: tuple[Box, ...]
    arrows: str


class Place(NamedTuple):
    """Where a box lies, in pixels of the picture."""

    left: float
    top: float
    right: float
    bottom: float


def drawn(diagram: Diagram) -> Image.Image:
    """Draw a diagram on a white ground, with a legend below."""
    places, size = placed(diagram)
    whole = (round(size[0] * FINE), round((size[1] + LINE + MARGIN) * FINE))
    picture = Image.new("RGB", whole, PAPER)
    pen = ImageDraw.Draw(picture)
    for pair in diagram.arrows.split(","):
        start, end = pair.split()
        _arrow(pen, places[start], places[end])
    for box in diagram.boxes:
        _box(pen, box, places[box.name])
    _legend(pen, [kind for kind in MEANINGS if any(box.kind == kind for box in diagram.boxes)], size[1])
    return picture.resize((whole[0] // FINE * 2, whole[1] // FINE * 2), Image.Resampling.LANCZOS)


def placed(diagram: Diagram) -> tuple[dict[str, Place], tuple[float, float]]:
    """Give each box its place, and the size (width, height) of all together with a margin."""
    widths: dict[int, float] = {}
    for box in diagram.boxes:
        widths[box.column] = max(widths.get(box.column, 0.0), _width(box) + 2 * PADDING)
    left, lefts = float(MARGIN), {}
    for column in sorted(widths):
        lefts[column] = left
        left += widths[column] + GAP
    found = {}
    for box in diagram.boxes:
        top = MARGIN + box.row * (ROW + BETWEEN)
        height = box.rows * ROW + (box.rows - 1) * BETWEEN
        found[box.name] = Place(lefts[box.column], top, lefts[box.column] + widths[box.column], top + height)
    return found, (left - GAP + MARGIN, max(place.bottom for place in found.values()) + MARGIN)


def _font(height: float) -> ImageFont.FreeTypeFont:
    found = ImageFont.load_default(height * FINE)
    assert isinstance(found, ImageFont.FreeTypeFont)  # Pillow has it with FreeType, which its wheels bring
    return found


def _width(box: Box) -> float:
    lines = [_font(TITLE).getlength(box.title), *(_font(TEXT).getlength(line) for line in box.text.split("\n"))]
    return max(lines) / FINE


def _box(pen: ImageDraw.ImageDraw, box: Box, place: Place) -> None:
    face, edge = COLOURS[box.kind]
    corners = [side * FINE for side in place]
    pen.rounded_rectangle(corners, 10 * FINE, fill=face, outline=edge, width=2 * FINE)
    lines = box.text.split("\n") if box.text else []
    middle, top = (place.left + place.right) / 2, (place.top + place.bottom - LINE * len(lines)) / 2
    pen.text((middle * FINE, top * FINE), box.title, INK, _font(TITLE), anchor="mm")
    for number, line in enumerate(lines, 1):
        pen.text((middle * FINE, (top + 3 + LINE * number) * FINE), line, SOFT, _font(TEXT), anchor="mm")


def _arrow(pen: ImageDraw.ImageDraw, start: Place, end: Place) -> None:
    """Draw an arrow: straight where the two boxes share a height, downwards in one column, else with two bends."""
    if start.left == end.left:
        middle = (start.left + start.right) / 2
        down = start.bottom <= end.top
        path = [(middle, start.bottom if down else start.top), (middle, end.top if down else end.bottom)]
    else:
        low, high = max(start.top, end.top), min(start.bottom, end.bottom)
        rows = [(low + high) / 2] * 2 if low < high else [(place.top + place.bottom) / 2 for place in (start, end)]
        bend = end.left - GAP / 2
        path = [(start.right, rows[0]), (bend, rows[0]), (bend, rows[1]), (end.left, rows[1])]
    pen.line([(x * FINE, y * FINE) for x, y in path], ARROW, 2 * FINE, joint="curve")
    (before_x, before_y), (x, y) = path[-2], path[-1]
    length = max(abs(x - before_x), abs(y - before_y))  # an arrow ends along an axis
    along, across = (x - before_x) / length, (y - before_y) / length
    back = (x - HEAD * along, y - HEAD * across)
    aside = (HEAD / 2 * across, HEAD / 2 * along)
    tip = [(x, y), (back[0] - aside[0], back[1] - aside[1]), (back[0] + aside[0], back[1] + aside[1])]
    pen.polygon([(one * FINE, other * FINE) for one, other in tip], ARROW)


def _legend(pen: ImageDraw.ImageDraw, kinds: list[str], top: float) -> None:
    left = float(MARGIN)
    for kind in kinds:
        face, edge = COLOURS[kind]
        pen.rounded_rectangle([one * FINE for one in (left, top, left + 16, top + 16)], 4 * FINE, face, edge, 2 * FINE)
        pen.text(((left + 24) * FINE, (top + 8) * FINE), MEANINGS[kind], SOFT, _font(TEXT), anchor="lm")
        left += 24 + _font(TEXT).getlength(MEANINGS[kind]) / FINE + 26


def _start(row: float, text: str, rows: float = 1) -> tuple[Box, Box]:
    """Begin a diagram: the image, and the encoder with what it gives."""
    return Box("image", 0, row, "image", "image"), Box("encoder", 1, row, "encoder", "encoder", text, rows)


DIAGRAMS = {
    "panoptic_deeplab": Diagram(
        (
            *_start(1, "last stage dilated\nstrides 4, 8, 16"),
            Box("classes", 2, 0, "pyramid", "decoder for classes", "ASPP, then steps up\nto the strides 8 and 4"),
            Box("objects", 2, 2, "pyramid", "decoder for objects", "ASPP, then steps up\nto the strides 8 and 4"),
            Box("semantic", 3, 0, "head", "classes", "one for every pixel\nhardest 15 % are learnt"),
            Box("heat", 3, 1.5, "head", "heat map", "a Gaussian at\neach centre"),
            Box("offsets", 3, 2.5, "head", "offsets", "from each pixel\nto its centre"),
            Box("peaks", 4, 1.5, "head", "centres", "highest of 7 x 7,\nabove 0.1, best 200"),
            Box("group", 5, 2, "decode", "group pixels", "of things, by the\nnearest centre"),
            Box("vote", 6, 0.5, "decode", "vote", "a group has the class\nof most of its pixels"),
            Box("found", 7, 0.5, "image", "panoptic", "or instances"),
        ),
        "image encoder, encoder classes, encoder objects, classes semantic, objects heat, objects offsets, "
        "heat peaks, peaks group, offsets group, semantic vote, group vote, vote found",
    ),
    "solov2": Diagram(
        (
            *_start(1, "strides 4 to 32"),
            Box("pyramid", 2, 1, "pyramid", "feature pyramid", "strides 4 to 64"),
            Box("category", 3, 0, "head", "classes", "each level resized to\nS x S cells; S x S x classes"),
            Box("kernel", 3, 1, "head", "kernels", "the same cells, with\ncoordinates; S x S x E"),
            Box("feature", 3, 2, "head", "mask features", "levels added up at 1/4,\nwith coordinates, E wide"),
            Box("dynamic", 4, 1.5, "head", "dynamic convolution", "a kernel of 1 x 1 for\neach sure cell"),
            Box("nms", 5, 0.5, "head", "Matrix NMS", "scores fall with what\nbetter masks cover"),
            Box("found", 6, 0.5, "decode", "masks", "enlarged, cut at 0.5"),
        ),
        "image encoder, encoder pyramid, pyramid category, pyramid kernel, pyramid feature, kernel dynamic, "
        "feature dynamic, category nms, dynamic nms, nms found",
    ),
    "yolo": Diagram(
        (
            *_start(1, "strides 4 to 32"),
            Box("pyramid", 2, 1, "pyramid", "path aggregation", "down to the finest level\nand up again"),
            Box("classes", 3, 0, "head", "classes", "a score each"),
            Box("boxes", 3, 1, "head", "boxes", "four distances, each\nover 16 bins"),
            Box("coefficients", 3, 2, "head", "coefficients", "32 an object"),
            Box("prototypes", 3, 3, "head", "prototypes", "32 maps at 1/4"),
            Box("best", 4, 0.5, "head", "best apart", "boxes that overlap\nleave the surest"),
            Box("masks", 5, 1.5, "decode", "masks", "sums of prototypes,\ncut to their boxes"),
            Box("found", 6, 1.5, "image", "instances"),
        ),
        "image encoder, encoder pyramid, pyramid classes, pyramid boxes, pyramid coefficients, pyramid prototypes, "
        "classes best, boxes best, best masks, coefficients masks, prototypes masks, masks found",
    ),
    "panoptic_fpn": Diagram(
        (
            *_start(1, "strides 4 to 32"),
            Box("pyramid", 2, 1, "pyramid", "feature pyramid", "strides 4 to 64"),
            Box("proposals", 3, 0, "head", "proposals", "boxes that may\nhold something"),
            Box("boxes", 4, 0, "head", "boxes and masks", "class, box, 28 x 28 mask\nof each proposal"),
            Box("branch", 3, 2, "pyramid", "semantic branch", "levels enlarged to 1/4\nand added up"),
            Box("stuff", 4, 2, "head", "stuff", "its classes, and one\nfor all things"),
            Box("merge", 5, 1, "decode", "merge", "surest objects first,\nstuff where none is"),
            Box("found", 6, 1, "image", "panoptic"),
        ),
        "image encoder, encoder pyramid, pyramid proposals, pyramid branch, proposals boxes, branch stuff, "
        "boxes merge, stuff merge, merge found",
    ),
    "upsnet": Diagram(
        (
            *_start(1, "strides 4 to 32"),
            Box("pyramid", 2, 1, "pyramid", "feature pyramid", "strides 4 to 64"),
            Box("boxes", 3, 0, "head", "boxes and masks", "of Mask R-CNN"),
            Box("semantic", 3, 2, "head", "semantic head", "deformable convolutions\non every level, then 1/4"),
            Box("logits", 4, 1, "decode", "panoptic logits", "stuff; mask + class of each\nobject; unknown; no weights"),
            Box("softmax", 5, 1, "decode", "highest logit", "a pixel has one owner;\nunknown ones are void"),
            Box("found", 6, 1, "image", "panoptic"),
        ),
        "image encoder, encoder pyramid, pyramid boxes, pyramid semantic, boxes logits, semantic logits, "
        "logits softmax, softmax found",
    ),
    "blendmask": Diagram(
        (
            *_start(1, "strides 4 to 32"),
            Box("pyramid", 2, 1, "pyramid", "feature pyramid", "coarsest levels\nby convolutions"),
            Box("tower", 3, 0, "head", "FCOS towers", "class, box, centre-ness\nat every location"),
            Box("attention", 4, 1, "head", "attention", "K x 7 x 7 an object,\na softmax over K"),
            Box("bottom", 3, 2, "pyramid", "bottom module", "K = 4 bases of\nthe whole image"),
            Box("best", 4, 0, "head", "best apart", "boxes that overlap\nleave the surest"),
            Box("blend", 5, 1, "head", "blend", "bases cut to the box,\nweighted and added"),
            Box("paste", 6, 1, "decode", "paste", "masks into boxes"),
            Box("found", 7, 1, "image", "instances"),
        ),
        "image encoder, encoder pyramid, pyramid tower, pyramid bottom, tower best, tower attention, best blend, "
        "attention blend, bottom blend, blend paste, paste found",
    ),
    "maskdino": Diagram(
        (
            *_start(1, "strides 4 to 32"),
            Box("pixels", 2, 1, "pyramid", "deformable encoder", "cells look at places\nof all levels"),
            Box("select", 3, 0, "head", "query selection", "surest cells; boxes\naround their masks"),
            Box("decoder", 4, 0, "head", "decoder", "attention to each other and\nto points in their boxes"),
            Box("noise", 3, 1, "head", "noisy objects", "boxes and classes to clean,\nin training alone"),
            Box("features", 3, 2, "pyramid", "pixel features", "with stride 4, at 1/4"),
            Box("classes", 5, 0, "head", "classes and boxes", "after every layer"),
            Box("masks", 5, 1.5, "head", "masks", "query times features"),
            Box("rules", 6, 0.5, "decode", "Mask2Former's rules", "by the kind wanted"),
            Box("found", 7, 0.5, "image", "instances,", "panoptic or classes"),
        ),
        "image encoder, encoder pixels, pixels select, pixels features, select decoder, noise decoder, "
        "decoder classes, decoder masks, features masks, classes rules, masks rules, rules found",
    ),
}


def main(names: list[str]) -> None:
    """Write the pictures of the networks named, or of all."""
    OUT.mkdir(parents=True, exist_ok=True)
    for name in names or sorted(DIAGRAMS):
        drawn(DIAGRAMS[name]).quantize(128).save(OUT / f"{name}.png", optimize=True)
        print(OUT / f"{name}.png")


if __name__ == "__main__":
    main(sys.argv[1:])
