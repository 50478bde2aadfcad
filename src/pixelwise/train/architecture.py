"""Choose, by the data's fingerprint, the scale at which images are read and the network that suits them."""

import inspect
import math
from dataclasses import replace
from typing import Any

import numpy as np

from pixelwise.core.arrays import Size
from pixelwise.models import MODELS
from pixelwise.models.foreign_weights import source_of
from pixelwise.models.maskrcnn_weights import is_whole
from pixelwise.train.facts import Facts
from pixelwise.train.machine import Machine
from pixelwise.train.options import DataOptions

CROP_PIXELS = {"cpu": 144_000, "cuda": 512 * 512, "mps": 384 * 384}
ENCODERS = {"small": "tf_efficientnet_lite0", "usual": "tf_efficientnet_lite2"}  # their ImageNet weights are installed
HUGE = 4_000_000  # pixels of a median image that is read at a smaller scale
VIEW = 8  # a crop shall show at least one part in so many of an image
SMALL_OBJECT = 32.0  # pixels a side: the smallest anchor of the paper's
ROOM = 1.25  # places for objects over the most that a training image holds
CANDIDATES = 3  # for each detection that an image may have, as many of them overlap a better one
THIN = 2.0  # pixels that the thinnest class must keep when images are reduced

Reasons = list[tuple[str, str, str]]


def scaled(data: DataOptions, facts: Facts, machine: Machine, reasons: Reasons) -> DataOptions:
    """Read huge images smaller, so that a crop shows enough of one; but never so small that the thinnest class is lost."""
    pixels = facts.size[0] * facts.size[1]
    shape = f"{facts.size[0]} x {facts.size[1]}"
    if data.scale:
        if data.scale != 1:
            reasons.append(("scale", f"{data.scale:g}", f"asked for; images are {shape}"))
        return data
    wanted = math.sqrt(VIEW * CROP_PIXELS[machine.device] / pixels)
    if pixels <= HUGE or wanted >= 1:
        return replace(data, scale=1.0)
    thinnest = float(np.nanmin(facts.widths)) if facts.widths is not None and np.isfinite(facts.widths).any() else math.inf
    scale = min(1.0, max(wanted, THIN / thinnest))
    if scale == 1.0:
        reasons.append(("scale", "1", f"images are {shape}, but their thinnest class is {thinnest:.1f} pixels wide"))
    else:
        scale = round(scale, 3)
        reasons.append(("scale", f"{scale:g}", f"images are {shape}: a crop of their own pixels would show too little of one"))
    return replace(data, scale=scale)


def at_scale(facts: Facts, scale: float) -> Facts:
    """Give the facts of the images as they are read."""
    if scale == 1:
        return facts
    sizes = [(max(1, round(height * scale)), max(1, round(width * scale))) for height, width in (facts.size, facts.largest)]
    widths = None if facts.widths is None else facts.widths * scale
    return replace(facts, size=sizes[0], largest=sizes[1], widths=widths, side=facts.side * scale)


def choose_network(model: dict[str, Any], facts: Facts, machine: Machine, crop: Size, reasons: Reasons) -> None:
    """Choose encoder, depth, bands and normalisation, where the network has them as options and the user left them open."""
    known = inspect.signature(MODELS[model["name"]].build).parameters
    is_open = "encoder" in known and "encoder" not in model and not is_whole(model.get("weights"))
    if is_open and known["encoder"].default in ENCODERS.values():  # else it has its own
        small = facts.size[0] * facts.size[1] <= 160 * 160
        many = machine.device == "cpu" and facts.count >= 5000
        model["encoder"] = ENCODERS["small" if small or many else "usual"]
        why = (
            "small images" if small else f"{facts.count:,} images: more of them in the same time" if many else "small and fast"
        )
        reasons.append(("encoder", model["encoder"], f"{why}; its ImageNet weights are installed"))
    if "bands" in known and "bands" not in model and facts.bands != ("red", "green", "blue"):
        if facts.bands == ("grey",):
            reasons.append(
                ("bands", "red, green, blue", "grey images are repeated to three bands: the ImageNet weights expect colour")
            )
        else:
            model["bands"] = facts.bands
            reasons.append(("bands", ", ".join(facts.bands), "as the images have them"))
    if "levels" in known and "levels" not in model and model.get("encoder") != "plain":
        levels = max(3, min(5, int(math.log2(min(crop) / 4))))
        if levels < 5:
            model["levels"] = levels
            side = min(crop) // 2**levels
            reasons.append(("depth", f"{levels} levels", f"crops of {crop[0]} x {crop[1]} leave {side} pixels at the deepest"))
    if facts.objects:
        _fit_objects(model, facts, {name: one.default for name, one in known.items()}, reasons)
    if "mean" in known and "mean" not in model and facts.mean:
        _normalise(model, facts, reasons)


def _fit_objects(model: dict[str, Any], facts: Facts, usual: dict[str, Any], reasons: Reasons) -> None:
    """Make room for as many objects as an image holds, and look for them at their size.

    What the weights of a whole network bring stays as it is.
    """
    if is_whole(weights := model.get("weights")) or source_of(weights) or model.get("config"):
        return
    is_open = {name for name in usual if name not in model}
    if "anchors" in is_open and facts.side < SMALL_OBJECT:
        model["anchors"] = "small"
        reasons.append(("anchors", "small", f"the median object is {facts.side:.0f} pixels a side"))
    has_stride_2 = model.get("encoder") in ENCODERS.values()  # others may begin at stride 4
    if {"queries", "finest"} <= is_open and has_stride_2 and facts.side < SMALL_OBJECT:
        model["finest"] = 2
        reasons.append(
            ("masks", "at 1/2", f"the median object is {facts.side:.0f} pixels a side; at 1/4 edges would be coarse")
        )
    for name, step, most in (("queries", 10, 300), ("detections", 100, 1000), ("centres", 100, 1000)):
        room = min(most, math.ceil(ROOM * facts.objects / step) * step)
        if name in is_open and usual[name] < room:
            model[name] = room
            reasons.append((name, str(room), f"an image holds up to {facts.objects} objects"))
    wanted = CANDIDATES * model.get("detections", 0)
    if "candidates" in is_open and isinstance(usual["candidates"], int) and usual["candidates"] < wanted:  # else of two stages
        model["candidates"] = wanted
        reasons.append(("candidates", str(wanted), f"{CANDIDATES} for each of the {model['detections']} detections"))


def _normalise(model: dict[str, Any], facts: Facts, reasons: Reasons) -> None:
    """Normalise by the data's own statistics where the encoder's, of ImageNet, would leave them far from 0 and 1."""
    photographic = all(0.15 < mean < 0.75 for mean in facts.mean) and all(0.1 < one < 0.4 for one in facts.deviation)
    as_colour = facts.bands in (("red", "green", "blue"), ("grey",))
    if photographic and as_colour:
        return
    times = 3 if facts.bands == ("grey",) and "bands" not in model else 1
    model["mean"] = tuple(round(mean, 4) for mean in facts.mean) * times
    model["deviation"] = tuple(round(max(one, 1e-3), 4) for one in facts.deviation) * times
    shown = f"mean {facts.mean[0]:.3f}, deviation {facts.deviation[0]:.3f}"
    why = "far from those of photographs" if as_colour else "the bands have no ImageNet statistics"
    reasons.append(("normalisation", "the data's own", f"{shown}{' of the first band' * (len(facts.mean) > 1)}: {why}"))
