"""Time a training step of an encoder with depthwise convolutions: our backward pass against the plain one.

EfficientNet-Lite0, batch 8, 352 x 480, bfloat16, channels last; the two alternate, medians are compared.
"""

import statistics
import time

import timm
import torch
from torch import nn

from pixelwise.models.depthwise import with_fast_depthwise
from pixelwise.train.machine import keep_freed_memory, this_machine


def step(encoder: nn.Module, images: torch.Tensor) -> float:
    """Time one forward and backward pass in seconds."""
    began = time.perf_counter()
    with torch.autocast("cpu", torch.bfloat16):
        features = encoder(images)
    sum(feature.float().mean() for feature in features).backward()
    return time.perf_counter() - began


def main(rounds: int = 7) -> None:
    keep_freed_memory()
    torch.set_num_threads(this_machine("cpu").cores)
    images = torch.rand(8, 3, 352, 480).to(memory_format=torch.channels_last)
    plain = timm.create_model("tf_efficientnet_lite0", features_only=True, pretrained=False)
    fast = with_fast_depthwise(timm.create_model("tf_efficientnet_lite0", features_only=True, pretrained=False))
    encoders = {"plain": plain, "fast": fast}
    times: dict[str, list[float]] = {name: [] for name in encoders}
    for encoder in encoders.values():
        encoder.train().to(memory_format=torch.channels_last)
        step(encoder, images)
    for _ in range(rounds):
        for name, encoder in encoders.items():
            times[name].append(step(encoder, images))
    medians = {name: statistics.median(values) for name, values in times.items()}
    for name, median in medians.items():
        spread = f"from {min(times[name]):.3f} to {max(times[name]):.3f}"
        print(f"{name:<6} {median:.3f} s a step of 8 images ({spread}), {8 / median:.1f} images/s")
    print(f"RATIO depthwise ours/peer {medians['plain'] / medians['fast']:.2f}")


if __name__ == "__main__":
    main()
