"""The one draw that is applied to an image and its masks.

``draw`` is seeded by the caller from (seed, epoch, index), so a worker holds no state and a resumed run draws the same.
``apply`` is exact: all that moves pixels is one matrix (and one field where a distortion is drawn), so image and masks are
resampled once, from the same places.
"""

import math
from dataclasses import dataclass, replace

import numpy as np

from pixelwise.augment import colour, cover, focus, geometry
from pixelwise.augment.noise import NOISES, Noise, add_noise
from pixelwise.augment.objects import object_pixel
from pixelwise.augment.options import AugmentOptions
from pixelwise.augment.rare import rare_pixel, there
from pixelwise.core.arrays import AnyArray, FloatArray, Size
from pixelwise.core.errors import SizeMismatch
from pixelwise.core.image import RGB, Image
from pixelwise.core.segmentation import Segmentation

NONE = AugmentOptions("none")
_SMALLEST_BLUR = 0.3  # of sigma: less is not seen


@dataclass(frozen=True, eq=False)
class Draw:
    """One draw: where pixels of the image go, and how they look there. What it leaves at its default changes nothing.

    Attributes:
        matrix: (3, 3), from pixel indices (x, y, 1) of the image to those of the output.
        size: (height, width) of the output.
        factor: the scale drawn; the matrix has it already.
        words: what else was drawn of the geometry, for people.
        field: moves that are not linear, on top of the matrix.
        brightness, contrast, gamma, gains: as ``colour.jitter`` takes them.
        hue, saturation, order: a turn in degrees, a factor, and the channels' new order; empty for the old one.
        noise, noise_kind, noise_seed: as ``add_noise`` takes them.
        blur, blur_kind, blur_way: as ``focus.blurred`` takes them.
        sharpen, quality: of the unsharp mask, and of JPEG; 0 for none.
        shadow, shadow_corners, fog, fog_knots: as ``cover`` takes them.
        holes, holes_void: rectangles painted over, and whether the truth is erased under them.
    """

    matrix: FloatArray
    size: Size
    factor: float = 1.0
    words: tuple[str, ...] = ()
    field: geometry.Field | None = None
    brightness: float = 1.0
    contrast: float = 1.0
    gamma: float = 1.0
    gains: tuple[float, ...] = (1.0, 1.0, 1.0)
    hue: float = 0.0
    saturation: float = 1.0
    order: tuple[int, ...] = ()
    noise: float = 0.0
    noise_kind: Noise = "noise"
    noise_seed: int = 0
    blur: float = 0.0
    blur_kind: focus.Blur = "blur"
    blur_way: float = 0.0
    sharpen: float = 0.0
    quality: int = 0
    shadow: float = 0.0
    shadow_corners: FloatArray | None = None
    fog: float = 0.0
    fog_knots: FloatArray | None = None
    holes: tuple[cover.Hole, ...] = ()
    holes_void: bool = False


def draw(
    options: AugmentOptions,
    rng: np.random.Generator,
    size: Size,
    crop: Size,
    bands: int = 3,
    truth: Segmentation | None = None,
) -> Draw:
    """Draw once for an image of (H, W), to be cropped or padded to ``crop``.

    ``truth`` is needed for crops on rare classes and on objects alone; without it, those options have no effect.

    Raises:
        SizeMismatch: the truth is not of the image's size.
    """
    if truth is not None and truth.size != tuple(size):
        raise SizeMismatch(f"expected a truth of the image's {size[0]} x {size[1]}, got {truth.size[0]} x {truth.size[1]}")
    drawn = replace(
        _placed(options, rng, size, crop, truth),
        brightness=1 + rng.uniform(-options.brightness, options.brightness),
        contrast=1 + rng.uniform(-options.contrast, options.contrast),
        gains=tuple((1 + rng.uniform(-options.gain, options.gain, bands)).tolist()),
        hue=rng.uniform(-options.hue, options.hue),
        noise_seed=int(rng.integers(2**31)),
    )
    if options.gamma:
        drawn = replace(drawn, gamma=math.exp(rng.uniform(-options.gamma, options.gamma)))
    if options.saturation:
        drawn = replace(drawn, saturation=1 + rng.uniform(-options.saturation, options.saturation))
    if options.grey and rng.random() < options.grey:
        drawn = replace(drawn, saturation=0.0)
    if options.shuffle and rng.random() < options.shuffle:
        drawn = replace(drawn, order=tuple(rng.permutation(bands).tolist()))
    return _with_covers(_with_sharpness(_with_field(drawn, options, rng), options, rng), options, rng)


def _placed(options: AugmentOptions, rng: np.random.Generator, size: Size, crop: Size, truth: Segmentation | None) -> Draw:
    """Draw the matrix: turn, rotate and shear, perspective, scale, place in the crop, mirror."""
    words = []
    factor = math.exp(rng.uniform(math.log(options.scale[0]), math.log(options.scale[1])))
    stretch = math.exp(rng.uniform(-options.stretch, options.stretch) / 2)
    vertical, horizontal = factor * stretch, factor / stretch
    degrees, slant = rng.uniform(-options.rotate, options.rotate), rng.uniform(-options.shear, options.shear)
    turns = int(rng.integers(1, 4)) if options.turn and rng.random() < options.turn else 0
    matrix, turned = geometry.quarter_turns(size, turns)
    matrix = geometry.affine(turned, degrees, slant) @ matrix
    if options.perspective and rng.random() < options.chance:
        matrix = geometry.perspective(turned, rng.uniform(-options.perspective, options.perspective, (4, 2))) @ matrix
        words.append("perspective")
    matrix = geometry.scale(vertical, horizontal) @ matrix
    scaled = (turned[0] * vertical, turned[1] * horizontal)
    down, right = (_place(rng, length, window) for length, window in zip(scaled, crop, strict=True))
    if truth is not None and (pixel := _centre(options, rng, truth)) is not None:
        x, y = geometry.moved(matrix, pixel[1], pixel[0])
        right, down = _centred(x, scaled[1], crop[1]), _centred(y, scaled[0], crop[0])
        words.append(f"on {truth.labels.names[pixel[2]]}" if truth.kind != "regions" else "on a region")
    if (matrix == np.rint(matrix)).all():  # pixels only change places: a crop between pixels would blur them for nothing
        right, down = round(right), round(down)
    matrix = geometry.shift(right, down) @ matrix
    if rng.random() < options.flip:
        matrix = geometry.flip(crop[1]) @ matrix
        words.append("flipped")
    if rng.random() < options.flip_vertically:
        matrix = geometry.flip_vertically(crop[0]) @ matrix
        words.append("flipped vertically")
    parts = {
        f"turn {90 * turns}°": turns,
        f"rotate {degrees:.0f}°": abs(degrees) >= 0.5,
        f"shear {slant:.0f}°": abs(slant) >= 0.5,
    }
    return Draw(matrix, crop, factor, (*(text for text, is_on in parts.items() if is_on), *words))


def _centre(options: AugmentOptions, rng: np.random.Generator, truth: Segmentation) -> tuple[int, int, int] | None:
    """Choose the pixel a crop is centred on, with its class, or None: one of a rare class, else one of an object."""
    pixel = rare_pixel(truth, rng) if options.rare and rng.random() < options.rare else None
    if pixel is None and options.objects and rng.random() < options.objects:
        pixel = object_pixel(truth, rng)
    return pixel


def _place(rng: np.random.Generator, length: float, window: int) -> float:
    """Choose by how much to move: a crop anywhere inside a larger image, a smaller one anywhere inside the crop."""
    return float(rng.uniform(min(0.0, window - length), max(0.0, window - length)))


def _centred(place: float, length: float, window: int) -> float:
    """Give by how much to move so that ``place`` comes to the middle of the crop, as far as the image reaches."""
    low, high = sorted((0.0, window - length))
    return float(np.clip((window - 1) / 2 - place, low, high))


def _with_field(drawn: Draw, options: AugmentOptions, rng: np.random.Generator) -> Draw:
    """Draw a distortion: at most one of the two, as an image resampled by both could fold."""
    kinds = [name for name in ("grid", "elastic") if getattr(options, name)]
    if not kinds or rng.random() >= options.chance:
        return drawn
    kind = kinds[int(rng.integers(len(kinds)))]
    shorter = int(rng.integers(3, 7))  # cells along the shorter side
    sides = [max(2, round(shorter * side / min(drawn.size))) for side in drawn.size]
    reach = geometry.FOLD * getattr(options, kind) * rng.uniform(0.3, 1)
    knots = rng.uniform(-reach, reach, (sides[0] + 1, sides[1] + 1, 2))
    return replace(drawn, field=geometry.Field(knots, kind == "elastic"), words=(*drawn.words, kind))


def _with_sharpness(drawn: Draw, options: AugmentOptions, rng: np.random.Generator) -> Draw:
    """Draw at most one noise and at most one blur, then sharpening and JPEG."""
    if kind := _one_of(NOISES, options, rng):
        drawn = replace(drawn, noise=rng.uniform(0, getattr(options, kind)), noise_kind=kind)  # type: ignore[arg-type]
    if kind := _one_of(focus.BLURS, options, rng):
        amount = rng.uniform(0, getattr(options, kind))
        drawn = replace(drawn, blur=amount, blur_kind=kind, blur_way=rng.uniform(0, 180))  # type: ignore[arg-type]
    if options.sharpen and not drawn.blur and rng.random() < options.chance:
        drawn = replace(drawn, sharpen=rng.uniform(0, options.sharpen))
    if options.jpeg and rng.random() < options.chance:
        drawn = replace(drawn, quality=max(1, round(100 * (1 - rng.uniform(0, options.jpeg)))))
    return drawn


def _one_of(names: tuple[str, ...], options: AugmentOptions, rng: np.random.Generator) -> str:
    """Choose one of those that are on, or none."""
    there = [name for name in names if getattr(options, name)]
    if not there or rng.random() >= options.chance:
        return ""
    return there[int(rng.integers(len(there)))] if len(there) > 1 else there[0]


def _with_covers(drawn: Draw, options: AugmentOptions, rng: np.random.Generator) -> Draw:
    """Draw shadow, fog and cut-out."""
    if options.shadow and rng.random() < options.chance:
        near, far = np.sort(rng.uniform(-0.2, 1.2, (2, 2)), axis=0)  # a band across the picture, from edge to edge
        corners = np.array([[near[0], -0.2], [far[0], -0.2], [far[1], 1.2], [near[1], 1.2]])
        corners = corners if rng.random() < 0.5 else corners[:, ::-1]
        drawn = replace(drawn, shadow=rng.uniform(0.2, 1) * options.shadow, shadow_corners=corners)
    if options.fog and rng.random() < options.chance:
        drawn = replace(drawn, fog=rng.uniform(0.2, 1) * options.fog, fog_knots=rng.uniform(0.4, 1, (4, 4)))
    if options.cutout and rng.random() < options.chance:
        holes = tuple(_hole(rng, drawn.size, options.cutout) for _ in range(int(rng.integers(1, 4))))
        drawn = replace(drawn, holes=holes, holes_void=options.cutout_void)
    return drawn


def _hole(rng: np.random.Generator, size: Size, longest: float) -> cover.Hole:
    height, width = (max(1, round(side * share)) for side, share in zip(size, rng.uniform(0.3, 1, 2) * longest, strict=True))
    top, left = (int(rng.integers(side - length + 1)) for side, length in zip(size, (height, width), strict=True))
    return top, left, top + height, left + width


def apply(image: Image, truth: Segmentation, drawn: Draw) -> tuple[Image, Segmentation]:
    """Apply one draw to an image and its truth; what was outside the image becomes void (no segment) and mean grey."""
    return apply_image(image, drawn), apply_truth(truth, drawn)


def apply_image(image: Image, drawn: Draw) -> Image:
    """Apply one draw to an image: geometry, colours, light, blur, noise and JPEG, in the order a camera has them."""
    fill = _mean(image.pixels)
    pixels = _looked(geometry.warp_image(image.pixels, drawn.matrix, drawn.size, fill, drawn.field), image.bands, drawn)
    if drawn.shadow or drawn.fog:
        light = cover.shadow_light(drawn.size, drawn.shadow_corners, drawn.shadow) if drawn.shadow_corners is not None else None
        fog = cover.fog_density(drawn.size, drawn.fog_knots, drawn.fog) if drawn.fog_knots is not None else None
        pixels = cover.lit(pixels, light, fog)
    if drawn.holes:
        pixels = cover.painted_over(pixels, drawn.holes, _mean(pixels))
    if drawn.blur > _SMALLEST_BLUR:
        pixels = focus.blurred(pixels, drawn.blur_kind, drawn.blur, drawn.blur_way)
    if drawn.sharpen > 0:
        pixels = focus.sharpened(pixels, drawn.sharpen)
    if drawn.noise > 0:
        pixels = add_noise(pixels, drawn.noise_kind, drawn.noise, drawn.noise_seed)
    if drawn.quality:
        pixels = focus.jpeg(pixels, drawn.quality)
    return Image(pixels, image.bands)


def _looked(pixels: AnyArray, bands: tuple[str, ...], drawn: Draw) -> AnyArray:
    """Change colours in ``pixels``: all that is linear in one matrix of RGB; curves, and other bands, in one table."""
    gains = np.ones(len(bands))  # bands beyond those drawn for keep theirs
    gains[: len(drawn.gains)] = drawn.gains[: len(gains)]
    is_plain = (drawn.brightness, drawn.contrast, drawn.gamma) == (1.0, 1.0, 1.0) and bool((gains == 1).all())
    mixes = bands == RGB and (drawn.hue != 0 or drawn.saturation != 1)
    if mixes:
        mix = colour.saturation_change(drawn.saturation) @ colour.hue_turn(drawn.hue)
        if drawn.gamma == 1:
            line = colour.linear(drawn.brightness, drawn.contrast, gains, colour.top_of(pixels))
            pixels, is_plain = colour.mixed(pixels, np.column_stack([line[:, :3] @ mix, line[:, 3]]), out=pixels), True
        else:
            pixels = colour.mixed(pixels, mix, out=pixels)
    if not is_plain:
        pixels = colour.jitter(pixels, drawn.brightness, drawn.contrast, gains, drawn.gamma)
    if drawn.order and len(drawn.order) == len(bands) and drawn.order != tuple(range(len(bands))):
        pixels = np.ascontiguousarray(pixels[:, :, list(drawn.order)])
    return pixels


def _mean(pixels: AnyArray) -> FloatArray:
    """Fill what lies outside with the image's mean: neither an edge to learn nor a colour that says "outside"."""
    step = max(1, min(pixels.shape[:2]) // 32)
    return np.asarray(pixels[::step, ::step].reshape(-1, pixels.shape[2]).mean(axis=0, dtype=np.float64))


def apply_truth(truth: Segmentation, drawn: Draw) -> Segmentation:
    """Apply one draw to a truth: masks move; segments of which nothing is left are dropped, the rest keep their rows.

    Boxes and areas that the source stated no longer hold and are dropped: they follow from the masks. ``holes_void`` erases
    truth: that is void in semantic and panoptic truth, background in instance truth.
    """
    masks = geometry.warp_masks(truth.masks, drawn.matrix, drawn.size, drawn.field)
    if drawn.holes_void:
        masks = cover.erased(masks, drawn.holes)
    moved = replace(truth, masks=masks, boxes=None, areas=None, probabilities=None)
    is_left = there(masks)
    return moved if is_left.all() else moved[is_left]
