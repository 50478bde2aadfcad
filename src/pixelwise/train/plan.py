"""Choose what the user left open, from the data and the machine, with a reason for each choice."""

import math
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from pixelwise.core.arrays import FloatArray, IntArray, Size
from pixelwise.core.errors import OptionError
from pixelwise.core.sample import Dataset, Sample
from pixelwise.train.machine import Machine, usable_cores
from pixelwise.train.options import Recipe

CROP_PIXELS = {"cpu": 144_000, "cuda": 512 * 512, "mps": 384 * 384}
BATCH = {"cpu": 8, "cuda": 16, "mps": 8}
STRIDE = 32
ENCODER = "tf_efficientnet_lite2"


@dataclass(frozen=True)
class Facts:
    """What the plan is made from.

    Attributes:
        count: training images.
        size: their median (H, W).
        bands: of the first image.
        depth: its type, ``uint8`` …
        shares: (L,) share of the labelled pixels of each class.
    """

    count: int
    size: Size
    bands: tuple[str, ...]
    depth: str
    shares: FloatArray


@dataclass(frozen=True)
class Plan:
    """A recipe with nothing left open but the number of steps for ``minutes``, and why: one (what, value, reason) a line."""

    recipe: Recipe
    reasons: tuple[tuple[str, str, str], ...]


def look_at(train: Dataset, limit: int = 400) -> Facts:
    """Look at a training set: class pixels of every mask, so that none looks absent, and sizes of at most ``limit`` images.

    Raises:
        OptionError: no pixel is labelled, or only one class is.
    """
    chosen = train.take(sorted({round(place) for place in np.linspace(0, len(train) - 1, min(limit, len(train)))}))
    with ThreadPoolExecutor(usable_cores()) as pool:
        pixels = sum(pool.map(_class_pixels, train))
    sizes = np.array([sample.size for sample in chosen])
    first = chosen[0].image
    total = int(np.sum(pixels))
    labels = train.labels
    if np.count_nonzero(pixels) < 2:
        seen = [name for name, count in zip(labels.names, pixels, strict=True) if count]  # type: ignore[call-overload]
        raise OptionError(
            f"{train.name}: the training masks hold {f'only one class ({seen[0]})' if seen else 'no labelled pixel'}; "
            f"a network needs at least two to tell apart. Look at them with: pixelwise data check"
        )
    size = (int(np.median(sizes[:, 0])), int(np.median(sizes[:, 1])))
    return Facts(len(train), size, first.bands, first.pixels.dtype.name, np.asarray(pixels / total, np.float64))


def _class_pixels(sample: Sample) -> IntArray:
    classes = sample.truth.class_map()
    return np.bincount(classes.ravel(), minlength=sample.labels.void + 1)[: len(sample.labels)]


def crop_for(size: Size, pixels: int, stride: int = STRIDE) -> Size:
    """Choose a crop of about ``pixels`` with the image's aspect, sides multiples of ``stride``; an image that fits stays whole.

    >>> crop_for((360, 480), 144_000), crop_for((128, 160), 144_000), crop_for((4000, 6000), 144_000)
    ((320, 448), (128, 160), (320, 480))
    """
    shrink = min(1.0, math.sqrt(pixels / (size[0] * size[1])))
    rounding = math.ceil if shrink == 1.0 else round
    height, width = (max(stride, rounding(side * shrink / stride) * stride) for side in size)
    most = max(stride, math.ceil(pixels * 1.1 / min(height, width)) // stride * stride)  # a strip of 1 x 20000 stays a strip
    height, width = min(height, most), min(width, most)
    return height, width


def class_weights(rule: str, shares: FloatArray) -> tuple[float, ...] | None:
    """Weigh classes against their imbalance; a class without pixels gets 0. The mean weight is 1.

    ``log``: 1 / ln(1.02 + share), ENet (arXiv 1606.02147, section 4.1). ``median``: median share / share, Eigen and Fergus
    (ICCV 2015, section 5.3.2).

    >>> [round(weight, 2) for weight in class_weights("median", np.array([0.5, 0.3, 0.2]))]
    [0.58, 0.97, 1.45]
    """
    if rule == "none":
        return None
    present = shares > 0
    median = np.median(shares[present])
    weights = 1 / np.log(1.02 + shares) if rule == "log" else median / np.where(present, shares, 1)
    weights = np.where(present, weights, 0)
    return tuple(float(weight) for weight in weights / weights[present].mean())


def plan(recipe: Recipe, facts: Facts, machine: Machine) -> Plan:
    """Fill what ``recipe`` leaves open."""
    reasons: list[tuple[str, str, str]] = []
    options, model = recipe.train, dict(recipe.model)
    where = f"{machine.name}, {machine.cores} cores" if machine.device == "cpu" else machine.name
    precision = options.precision
    if precision == "auto":
        precision = "bf16-mixed" if machine.bf16 else "32-true"
    why = "computes bfloat16 in hardware" if machine.bf16 else "has no bfloat16 in hardware"
    reasons.append(("precision", precision, f"{where} {why}" if options.precision == "auto" else "asked for"))
    if model["name"] == "unet":
        _choose_encoder(model, facts, reasons)
    crop = options.crop
    if not all(crop):
        crop = crop_for(facts.size, CROP_PIXELS[machine.device])
        whole = crop[0] >= facts.size[0] and crop[1] >= facts.size[1]
        shape = f"{facts.size[0]} x {facts.size[1]}"
        reason = (
            f"whole images fit (median {shape})"
            if whole
            else f"images are {shape}; {crop[0] * crop[1] // 1000}k pixels suit a {machine.device}"
        )
        reasons.append(("crop", f"{crop[0]} x {crop[1]}", reason))
    batch = options.batch
    if not batch:
        batch = max(1, min(BATCH[machine.device], facts.count))
        reasons.append(
            ("batch", str(batch), f"at most the {facts.count} images; larger ones mean fewer steps in the same time")
        )
    reasons.append(
        ("learning rate", f"{options.rate:g}", f"AdamW; {options.warmup:.0%} warm-up, then a cosine to {options.final_rate:g}")
    )
    weights = class_weights(options.class_weights, facts.shares)
    present = facts.shares[facts.shares > 0]
    spread = float(present.max() / present.min())
    what = "the Dice term counts classes alike" if weights is None else "rare classes weigh more in the cross entropy"
    reasons.append(
        ("class weights", options.class_weights, f"{what}; the largest has {spread:,.0f} times the smallest's pixels")
    )
    if weights is not None and "class_weights" not in model:
        model["class_weights"] = weights
    options = replace(options, precision=precision, crop=crop, batch=batch, validations=options.validations or 10)
    options = _with_steps(options, facts, machine, reasons)
    return Plan(replace(recipe, train=options, model=model), tuple(reasons))


def _choose_encoder(model: dict[str, Any], facts: Facts, reasons: list[tuple[str, str, str]]) -> None:
    if "encoder" not in model:
        model["encoder"] = ENCODER
        reasons.append(("encoder", ENCODER, "small, fast on any device, and its ImageNet weights are installed"))
    if "bands" not in model and facts.bands != ("red", "green", "blue"):
        if facts.bands == ("grey",):
            reasons.append(
                ("bands", "red, green, blue", "grey images are repeated to three bands: the ImageNet weights expect colour")
            )
        else:
            model["bands"] = facts.bands
            reasons.append(("bands", ", ".join(facts.bands), "as the images have them"))


def _with_steps(options: Any, facts: Facts, machine: Machine, reasons: list[tuple[str, str, str]]) -> Any:
    if options.minutes:
        reasons.append(("steps", "measured", f"to fill {options.minutes:g} minutes; set after a short warm-up"))
        return options
    if options.steps:
        reasons.append(("steps", str(options.steps), "asked for"))
        return options
    if options.epochs:
        steps = max(1, math.ceil(options.epochs * facts.count / options.batch))
        reasons.append(("steps", str(steps), f"{options.epochs:g} passes over {facts.count} images, {options.batch} a step"))
    else:
        passes = 40 if machine.device == "cpu" else 100
        least, most = (300, 4000) if machine.device == "cpu" else (2000, 40_000)
        steps = int(np.clip(math.ceil(passes * facts.count / options.batch), least, most))
        reasons.append(
            (
                "steps",
                str(steps),
                f"{steps * options.batch / facts.count:.0f} passes over {facts.count} images; --epochs or --minutes change it",
            )
        )
    return replace(options, steps=steps, epochs=0.0)


def table(reasons: Sequence[tuple[str, str, str]]) -> str:
    """Write the reasons as lines for a terminal or a log."""
    wide = max(len(what) for what, _, _ in reasons)
    value_wide = min(24, max(len(value) for _, value, _ in reasons))
    return "\n".join(f"  {what:<{wide}}  {value:<{value_wide}}  {reason}" for what, value, reason in reasons)
