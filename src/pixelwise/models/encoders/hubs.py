"""Fetch weights by name from the hub of timm, torchvision, transformers or smp, or from what is kept of them here.

Every hub is asked only after its host has answered; what was fetched before is read from the disk without asking.
"""

import os
import socket
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any
from urllib.parse import urlparse

import torch
from torch import Tensor

from pixelwise.core.errors import MissingFile, UnknownName, nearest
from pixelwise.models.encoders.mix_transformer import DEPTHS
from pixelwise.models.weights import read_tensors

NAMES = (
    "imagenet",
    "none",
    "timm:NAME[.TAG]",
    "torchvision:NAME[.TAG]",
    "smp:TAG",
    "hub:OWNER/NAME",
    "detectron2:PATH",
    "mmdet:PATH",
)
HUBS = ("timm:", "torchvision:", "smp:", "hub:")
MAKERS = ("detectron2:", "mmdet:")  # of files of whole networks, see ``models.foreign_weights``
_INSTALLED = "'tf_efficientnet_lite0' and 'tf_efficientnet_lite2' have theirs installed with pixelwise"


@dataclass(frozen=True)
class Fetched:
    """Weights, where they are from in words, and what input they expect; empty where that is not known."""

    tensors: dict[str, Tensor]
    origin: str
    mean: tuple[float, ...] = ()
    deviation: tuple[float, ...] = ()


def is_named(weights: str) -> bool:
    """Tell whether ``weights`` is a name, or a file of another library, and not a path of ours."""
    return weights in ("imagenet", "none") or weights.startswith((*HUBS, *MAKERS))


def fetch(weights: str, encoder: str) -> Fetched:
    """Fetch what ``weights`` names; ``imagenet`` and ``smp:TAG`` are those of ``encoder``.

    Raises:
        MissingFile: the hub cannot be reached, or refuses, and the weights are not on this disk.
        UnknownName: the hub has none of that name.
    """
    import timm

    hub, _, name = weights.partition(":")
    if hub == "hub":
        raise UnknownName(f"'{weights}' names a whole network of transformers' hub; an encoder's weights are wanted")
    if f"{hub}:" in MAKERS:
        raise UnknownName(f"'{weights}' names a file of a whole network that this one has no names for; an encoder's is wanted")
    if hub == "torchvision":
        return _from_torchvision(name, weights)
    if hub == "timm" or (weights == "imagenet" and timm.is_model(encoder)):
        return _from_timm(name or encoder, weights)
    if weights == "imagenet" and encoder in DEPTHS:
        return _from_transformers(encoder, weights)
    return _from_smp(encoder, name or "imagenet", weights)


def _from_timm(name: str, weights: str) -> Fetched:
    import timm

    base = name.partition(".")[0]
    if not timm.is_model(base):
        raise UnknownName(f"timm has no model '{base}'; {nearest(base, timm.list_models())}")
    tags = timm.list_pretrained(f"{base}.*")
    if "." in name and name not in tags:
        raise UnknownName(f"timm has no weights '{name}'; {nearest(name, tags)}")
    config: Any = timm.get_pretrained_cfg(name)
    if config is None or not config.has_weights:
        raise MissingFile(_cannot(weights, f"timm has no weights for '{base}'"))
    tensors = _cached(config.hf_hub_id)
    if tensors is None:
        _require_host(weights, os.environ.get("HF_ENDPOINT", "https://huggingface.co"))
        try:
            tensors = dict(timm.create_model(name, pretrained=True).state_dict())
        except Exception as error:  # timm, the hub's client and a proxy each raise their own
            raise MissingFile(_cannot(weights, f"timm's hub gave none: {error}")) from None
    tag = f"{base}.{config.tag}" if config.tag else base
    return Fetched(tensors, f"ImageNet, from timm's hub ({tag})", tuple(config.mean), tuple(config.std))


def _cached(repository: str | None) -> dict[str, Tensor] | None:
    """Read weights that the hub's client keeps on this disk."""
    from huggingface_hub import try_to_load_from_cache

    for file in ("model.safetensors", "pytorch_model.bin") if repository else ():
        path = try_to_load_from_cache(repository, file)
        if isinstance(path, str):
            return read_tensors(Path(path))
    return None


def _from_torchvision(name: str, weights: str) -> Fetched:
    from torchvision import models

    base, _, tag = name.partition(".")
    if base not in models.list_models():
        raise UnknownName(f"torchvision has no model '{base}'; {nearest(base, models.list_models())}")
    choices = models.get_model_weights(base)
    known = list(choices.__members__)
    if tag and tag not in known:
        raise UnknownName(f"torchvision has no weights '{name}'; {nearest(name, [f'{base}.{one}' for one in known])}")
    if not known:
        raise MissingFile(_cannot(weights, f"torchvision has no weights for '{base}'"))
    chosen: Any = choices[tag] if tag else choices.DEFAULT  # type: ignore[attr-defined]
    if not (Path(torch.hub.get_dir()) / "checkpoints" / Path(urlparse(chosen.url).path).name).is_file():
        _require_host(weights, chosen.url)
    try:
        tensors = chosen.get_state_dict(progress=False, check_hash=True, weights_only=True, map_location="cpu")
    except Exception as error:  # urllib's, a proxy's, a damaged download
        raise MissingFile(_cannot(weights, f"torchvision's hub gave none: {error}")) from None
    expects = chosen.transforms()
    statistics = [tuple(map(float, getattr(expects, each, ()))) for each in ("mean", "std")]
    return Fetched(dict(tensors), f"{chosen.name}, from torchvision's hub ({base})", *statistics)


def _from_transformers(encoder: str, weights: str) -> Fetched:
    from transformers import SegformerModel

    repository = f"nvidia/{encoder.replace('_', '-')}"
    try:
        try:
            model = SegformerModel.from_pretrained(repository, local_files_only=True)
        except OSError:
            _require_host(weights, os.environ.get("HF_ENDPOINT", "https://huggingface.co"))
            model = SegformerModel.from_pretrained(repository)
    except MissingFile:
        raise
    except Exception as error:  # transformers, the hub's client and a proxy each raise their own
        raise MissingFile(_cannot(weights, f"transformers' hub gave none: {error}")) from None
    return Fetched(dict(model.state_dict()), f"ImageNet, from transformers' hub ({repository}), licence NVIDIA: for research")


def _from_smp(encoder: str, tag: str, weights: str) -> Fetched:
    from segmentation_models_pytorch.encoders import encoders, get_encoder, get_preprocessing_params

    settings = encoders.get(encoder, {}).get("pretrained_settings", {})
    if encoder not in encoders:
        raise UnknownName(f"smp has no encoder '{encoder}', so no weights '{tag}' for it; {nearest(encoder, encoders)}")
    if not settings and tag == "imagenet":
        raise MissingFile(_cannot(weights, f"smp has no weights for '{encoder}'"))
    if tag not in settings:
        raise UnknownName(f"smp has no weights '{tag}' for '{encoder}'; {nearest(tag, settings)}")
    _require_host(weights, os.environ.get("HF_ENDPOINT", "https://huggingface.co"))
    try:
        tensors = dict(get_encoder(encoder, weights=tag).state_dict())
        expects = get_preprocessing_params(encoder, tag)
    except Exception as error:  # the hub's client and a proxy each raise their own
        raise MissingFile(_cannot(weights, f"smp's hub gave none: {error}")) from None
    in_unit = max(expects.get("input_range") or (0, 1)) <= 1  # what expects 0 to 255 has statistics of that scale
    mean, deviation = (_numbers(expects.get(each)) if in_unit else () for each in ("mean", "std"))
    return Fetched(tensors, f"{tag}, from smp's hub ({encoder})", mean, deviation)


def _numbers(values: Iterable[float] | None) -> tuple[float, ...]:
    return tuple(map(float, values or ()))


def _require_host(weights: str, address: str) -> None:
    if not hub_is_reachable(urlparse(address).hostname or "huggingface.co"):
        offline = os.environ.get("HF_HUB_OFFLINE", "")
        why = f"HF_HUB_OFFLINE={offline} is set" if offline else f"{urlparse(address).hostname} cannot be reached"
        raise MissingFile(_cannot(weights, why))


def _cannot(weights: str, why: str) -> str:
    return (
        f"the weights '{weights}' cannot be had: {why}. Fetch the file where there is a network and give its path "
        f"(--weights FILE), start from random weights (--weights none), or choose another encoder: {_INSTALLED}"
    )


def hub_is_reachable(host: str) -> bool:
    """Tell whether a weight hub answers within two seconds; ``HF_HUB_OFFLINE=1`` says no without asking."""
    if os.environ.get("HF_HUB_OFFLINE", "").lower() in ("1", "true", "yes", "on"):
        return False
    if os.environ.get("HTTPS_PROXY") or os.environ.get("https_proxy"):
        return True  # only the proxy can tell; a refusal there is handled where the weights are fetched
    return _answers(host)


@lru_cache
def _answers(host: str) -> bool:
    try:
        with socket.create_connection((host, 443), timeout=2):
            return True
    except OSError:
        return False
