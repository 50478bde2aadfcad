"""Choose what the user left open, from the data's fingerprint and the machine, with a reason for each choice.

The order matters: the scale at which images are read, the network, then crop and batch, which must fit the memory together,
and last how long. The rules are nnU-Net's [1] made to suit photographs and pretrained encoders.

[1] Isensee et al., nnU-Net: a self-configuring method for deep learning-based biomedical image segmentation, 2021, methods.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np

from pixelwise.augment import AugmentOptions
from pixelwise.core.arrays import Size
from pixelwise.core.errors import OptionError
from pixelwise.models import MODELS
from pixelwise.train.architecture import CROP_PIXELS, Reasons, at_scale, choose_network, scaled
from pixelwise.train.balance import class_weights
from pixelwise.train.cost import Cost, Footprint, footprint_of
from pixelwise.train.devices import fits, ranks
from pixelwise.train.facts import Facts
from pixelwise.train.machine import Machine
from pixelwise.train.options import VALIDATIONS, Recipe, TrainOptions
from pixelwise.train.reporter import duration

BATCH = {"cpu": 8, "cuda": 32, "mps": 8}
MEMORY_SHARE = {"cpu": 0.5, "cuda": 0.85, "mps": 0.5}  # of what is free; on a CPU decoded images are kept in a quarter more
STRIDE = 32
RARE_IMAGES = 0.1  # of the images: a class in fewer of them is sampled more often
FEW_IMAGES = 1000  # with objects: fewer show too few of them in too few places
RARE_PIXELS = 0.005  # of the pixels: a class with fewer gets crops of its own


@dataclass(frozen=True)
class Plan:
    """A recipe with nothing left open but the number of steps for ``minutes``, and why: one (what, value, reason) a line."""

    recipe: Recipe
    reasons: tuple[tuple[str, str, str], ...]


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


def plan(
    recipe: Recipe,
    facts: Facts,
    machine: Machine,
    memory_of: Callable[[Mapping[str, Any], int, str], Footprint] = footprint_of,
) -> Plan:
    """Fill what ``recipe`` leaves open; ``memory_of`` counts what a network of ``[model]`` holds in training.

    A recipe without a network is planned for one that is built already.

    Raises:
        OptionError: not even one small crop fits the memory.
    """
    reasons: Reasons = []
    options, model = recipe.train, dict(recipe.model)
    options = replace(options, precision=_precision(options, machine, reasons))
    data = scaled(recipe.data, facts, machine, reasons)
    facts = at_scale(facts, data.scale)
    crop = options.crop if all(options.crop) else crop_for(facts.size, CROP_PIXELS[machine.device])
    if recipe.network:  # else it is built already
        choose_network(model, facts, machine, crop, reasons)
    kept = memory_of(model, len(facts.shares), options.precision)
    options = _crop_and_batch(options, crop, facts, machine, kept, reasons)
    _note_norm(options, model, reasons)
    _note_places(recipe.network, options.crop, facts, reasons)
    reasons.append(("learning rate", f"{options.rate:g}", _why_rate(options)))
    _weigh_classes(options, model, facts, reasons)
    options = replace(options, sampling=_sampling(options, facts, reasons))
    if not options.minutes:  # else a trial tells how many there is time for
        options = replace(options, validations=options.validations or VALIDATIONS)
    augment = replace(
        recipe.augment,
        rare=_rare_crops(recipe.augment.rare, facts, options.crop, reasons),
        copy_paste=_pasting(recipe.augment, facts, reasons),
    )
    options = _with_steps(options, facts, machine, reasons)
    return Plan(replace(recipe, data=data, train=options, model=model, augment=augment), tuple(reasons))


def _precision(options: TrainOptions, machine: Machine, reasons: Reasons) -> str:
    where = f"{machine.name}, {machine.cores} cores" if machine.device == "cpu" else machine.name
    if options.precision != "auto":
        reasons.append(("precision", options.precision, "asked for"))
        return options.precision
    why = "computes bfloat16 in hardware" if machine.bf16 else "has no bfloat16 in hardware"
    reasons.append(("precision", "bf16-mixed" if machine.bf16 else "32-true", f"{where} {why}"))
    return reasons[-1][1]


def _crop_and_batch(
    options: TrainOptions, crop: Size, facts: Facts, machine: Machine, kept: Footprint, reasons: Reasons
) -> TrainOptions:
    """Choose the largest batch that serves and fits, then shrink the crop if not even two of them fit."""
    budget = MEMORY_SHARE[machine.device] * machine.memory
    asked, processes = options.batch, ranks(options)
    devices = processes if machine.device == "cuda" else 1  # the processes of a CPU share its memory
    batch = asked or max(1, min(BATCH[machine.device] * devices, facts.count))
    while not asked and batch > 2 * devices and kept.bytes(batch // devices, crop) > budget:
        batch //= 2
    batch = batch if asked else -(-batch // processes) * processes  # each is given as many
    full = crop
    while not all(options.crop) and kept.bytes(batch // devices, crop) > budget and min(crop) > 2 * STRIDE:
        crop = crop_for(facts.size, int(crop[0] * crop[1] * 0.7))
    need = kept.bytes(max(1, batch // devices), crop)
    if need > 2 * budget:
        raise OptionError(
            f"a step of {batch} crops of {crop[0]} x {crop[1]} needs about {need / 2**30:.1f} GiB, and "
            f"{machine.memory / 2**30:.1f} GiB are free; lower the batch or the crop: --set train.batch={max(1, batch // 2)}"
        )
    if not all(options.crop):
        reasons.append(("crop", f"{crop[0]} x {crop[1]}", _why_crop(crop, full, facts, machine)))
    if not asked:
        limited = batch < min(BATCH[machine.device] * devices, facts.count)
        why = f"the memory of {machine.memory / 2**30:.1f} GiB holds no more" if limited else "larger ones mean fewer steps"
        reasons.append(("batch", str(batch), f"at most the {facts.count} images; {why}"))
    options = replace(options, crop=crop, batch=batch)
    fits(options)
    if processes > 1 or options.accumulate > 1:
        times = f"{options.accumulate} batches of {batch}" if options.accumulate > 1 else "one batch"
        shared = f", each over {processes} processes" if processes > 1 else ""
        reasons.append(("images a step", str(options.step_images), times + shared))
    return options


def _note_places(network: str, crop: Size, facts: Facts, reasons: Reasons) -> None:
    """Say how to predict where a network knows objects by their place in an image, and learns on parts of images."""
    is_part = crop[0] < facts.size[0] or crop[1] < facts.size[1]
    if network and is_part and getattr(MODELS[network], "BY_PLACE", False):
        told = f"{network} knows objects by their place in the image; at other sizes than the crop's it finds few"
        reasons.append(("prediction", f"--tile {crop[0]},{crop[1]}", told))


def _note_norm(options: TrainOptions, model: Mapping[str, Any], reasons: Reasons) -> None:
    """Say what a batch of one means for batch norm, and that frozen norms are."""
    if options.freeze_norm:
        reasons.append(("batch norm", "frozen", "its statistics stay those of the weights; asked for"))
    elif max(1, options.batch // ranks(options)) == 1 and model.get("norm", "batch") == "batch":
        why = (
            "batch norm takes its statistics from one image at a time; --set train.freeze_norm=true keeps those of the weights"
        )
        reasons.append(("batch norm", "of one", why))


def _why_rate(options: TrainOptions) -> str:
    """Say by which optimiser and schedule the rate is used."""
    name = {"adamw": "AdamW", "adam": "Adam", "sgd": "SGD", "lion": "Lion"}[options.optimiser]
    shape = {
        "cosine": f"then a cosine to {options.final_rate:g}",
        "poly": f"then a fall by the power 0.9 to {options.final_rate:g}",
        "plateau": f"then {options.plateau_factor:g} of it whenever mIoU stops rising",
        "constant": "then level",
    }
    if options.schedule == "onecycle":
        said = f"{name}; one cycle: up for 30 % of the steps, then down"
    else:
        said = f"{name}; {options.warmup:.0%} warm-up, {shape[options.schedule]}"
    usual = {"sgd": "0.01 to 0.1", "lion": "0.0001 to 0.0003"}.get(options.optimiser)
    if usual and options.rate == TrainOptions.rate:
        said += f"; this is AdamW's usual rate, {name}'s is {usual}: --find-lr tries them"
    return said


def _why_crop(crop: Size, full: Size, facts: Facts, machine: Machine) -> str:
    shape = f"{facts.size[0]} x {facts.size[1]}"
    if crop != full:
        return f"{full[0]} x {full[1]} would not fit the memory of {machine.memory / 2**30:.1f} GiB"
    if crop[0] >= facts.size[0] and crop[1] >= facts.size[1]:
        return f"whole images fit (median {shape})"
    return f"images are {shape}; {crop[0] * crop[1] // 1000}k pixels suit a {machine.device}"


def _weigh_classes(options: TrainOptions, model: dict[str, Any], facts: Facts, reasons: Reasons) -> None:
    weights = class_weights(options.class_weights, facts.shares, facts.presence)
    present = facts.shares > 0
    spread = float(facts.shares[present].max() / facts.shares[present].min())
    alike = "objects count alike, whatever their class" if facts.objects else "regions in the loss count classes alike"
    what = alike if weights is None else "rare classes weigh more in the loss"
    reasons.append(
        ("class weights", options.class_weights, f"{what}; the largest has {spread:,.0f} times the smallest's pixels")
    )
    if not present.all():
        absent = [facts.names[place] if facts.names else str(place) for place in np.flatnonzero(~present)]
        shown = ", ".join(absent[:5]) + (f" and {len(absent) - 5} more" if len(absent) > 5 else "")
        reasons.append(
            ("absent classes", str(len(absent)), f"no training pixel of {shown}: they weigh nothing and are not learnt")
        )
    if weights is not None and "class_weights" not in model:
        model["class_weights"] = weights


def _sampling(options: TrainOptions, facts: Facts, reasons: Reasons) -> Literal["uniform", "balanced"]:
    """Draw images of rare classes more often where a class is in few of them."""
    if options.sampling != "auto":
        return options.sampling
    seen = facts.presence[facts.presence > 0] if facts.presence is not None else np.ones(1)
    if seen.min() >= RARE_IMAGES:
        return "uniform"
    few = max(1, round(float(seen.min()) * facts.count))
    reasons.append(("sampling", "balanced", f"a class is in {few} of {facts.count} images: those are drawn more often"))
    return "balanced"


def _rare_crops(asked: float, facts: Facts, crop: Size, reasons: Reasons) -> float:
    """Centre a third of the crops on rare classes, as nnU-Net does, where crops are parts and a class has few pixels."""
    least = float(facts.shares[facts.shares > 0].min())
    if asked or least >= RARE_PIXELS or (crop[0] >= facts.size[0] and crop[1] >= facts.size[1]):
        return asked
    reasons.append(
        ("rare crops", "0.33", f"a class has {least:.2%} of the pixels: a third of the crops are centred on such ones")
    )
    return 0.33


def _pasting(asked: AugmentOptions, facts: Facts, reasons: Reasons) -> float:
    """Paste objects of other images into half of the images, where there are objects, few images, and no other policy."""
    if asked.copy_paste or asked.policy != "default" or not facts.objects or not 1 < facts.count < FEW_IMAGES:
        return asked.copy_paste
    reasons.append(("copy-paste", "0.5", f"{facts.count} images: objects of others are pasted into half of them"))
    return 0.5


def _with_steps(options: Any, facts: Facts, machine: Machine, reasons: list[tuple[str, str, str]]) -> Any:
    if options.minutes:
        reasons.append(("steps", "measured", f"to fill {options.minutes:g} minutes; set after a short warm-up"))
        return options
    if options.steps:
        reasons.append(("steps", str(options.steps), "asked for"))
        return options
    if options.epochs:
        steps = max(1, math.ceil(options.epochs * facts.count / options.step_images))
        reasons.append(
            ("steps", str(steps), f"{options.epochs:g} passes over {facts.count} images, {options.step_images} a step")
        )
    else:
        passes = 40 if machine.device == "cpu" else 100
        least, most = (300, 4000) if machine.device == "cpu" else (2000, 40_000)
        steps = int(np.clip(math.ceil(passes * facts.count / options.step_images), least, most))
        passes = round(steps * options.step_images / facts.count)
        reasons.append(
            (
                "steps",
                str(steps),
                f"{passes:.0f} passes over {facts.count} images; --epochs or --minutes change it",
            )
        )
    return replace(options, steps=steps, epochs=0.0)


def cost_reasons(cost: Cost, steps: int, machine: Machine) -> Reasons:
    """Say what a step, and the run, are predicted to cost."""
    share = cost.memory / max(machine.memory, 1)
    reasons = [("memory", f"{cost.memory / 2**30:.1f} GiB", f"predicted at the peak; {share:.0%} of what is free")]
    speed = f"{cost.seconds:.2f} s a step"
    return [
        *reasons,
        ("time", speed if not steps else duration(cost.seconds * steps), f"predicted for the steps alone; {speed}"),
    ]


def table(reasons: Sequence[tuple[str, str, str]]) -> str:
    """Write the reasons as lines for a terminal or a log."""
    wide = max(len(what) for what, _, _ in reasons)
    value_wide = min(24, max(len(value) for _, value, _ in reasons))
    return "\n".join(f"  {what:<{wide}}  {value:<{value_wide}}  {reason}" for what, value, reason in reasons)
