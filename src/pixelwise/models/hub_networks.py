"""Whole networks with their weights, from transformers' hub: ``hub:facebook/mask2former-swin-tiny-coco-panoptic``.

A repository there holds ``config.json`` (the architecture and the names of its classes), ``model.safetensors`` and a card that
states the licence. Only safetensors are read, as a pickle can run anything. A folder with the same files may be given in place
of a name: ``hub:/path/to/folder``.
"""

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from torch import Tensor

from pixelwise.core.errors import CheckpointError, MissingFile
from pixelwise.core.labels import VOID, LabelSet
from pixelwise.models.encoders.build import IMAGENET
from pixelwise.models.encoders.hubs import hub_is_reachable
from pixelwise.models.segmenter import Segmenter

CONFIG, INPUT, ABOUT = "config.json", "preprocessor_config.json", "README.md"


@dataclass(frozen=True)
class Published:
    """A published network.

    Attributes:
        name: of the repository or folder.
        config: transformers' configuration.
        tensors: by the names of transformers' model; files have older ones, which transformers translates.
        classes: their names, in order.
        mean, deviation: of the input in [0, 1], a band.
        licence: as the card states it; empty where it states none.
    """

    name: str
    config: Mapping[str, Any]
    tensors: Mapping[str, Tensor]
    classes: tuple[str, ...]
    mean: tuple[float, ...]
    deviation: tuple[float, ...]
    licence: str

    @property
    def origin(self) -> str:
        """Say where the weights come from, and under which licence."""
        return f"{self.name}, from transformers' hub, licence {self.licence or 'not stated: look it up before use'}"


def is_hub_network(weights: object) -> bool:
    """Tell whether ``weights`` names a whole network.

    >>> is_hub_network("hub:facebook/mask2former-swin-tiny-coco-panoptic"), is_hub_network("imagenet")
    (True, False)
    """
    return isinstance(weights, str) and weights.startswith("hub:")


def config_of(weights: str) -> dict[str, Any]:
    """Read the configuration alone of what ``hub:…`` names, without the names of its classes.

    Raises:
        MissingFile: it is not on this disk and cannot be fetched.
    """
    config = _json(_file(weights, CONFIG))
    return {key: value for key, value in config.items() if value is not None and key not in ("id2label", "label2id")}


def read_published(weights: str, name: str, model: Any) -> Published:
    """Read or fetch what ``hub:OWNER/NAME`` or ``hub:FOLDER`` names, for the network ``name``, transformers' class ``model``.

    Raises:
        MissingFile: it is not on this disk and cannot be fetched, or holds no safetensors.
        CheckpointError: a file is damaged, or it is another network.
    """
    config = _json(_file(weights, CONFIG))
    if (found := config.get("model_type")) != name:
        raise CheckpointError(f"{weights}: expected a network of the type '{name}', found '{found}'; choose --model {found}")
    classes = config.get("id2label") or {}
    names = tuple(str(classes[key]) for key in sorted(classes, key=int))
    try:
        given = _json(_file(weights, INPUT))
    except MissingFile:
        given = {}
    mean, deviation = (tuple(map(float, given.get(key) or usual)) for key, usual in zip(_STATISTICS, IMAGENET, strict=True))
    return Published(weights[4:], config_of(weights), _tensors(weights, model), names, mean, deviation, _licence(weights))


_STATISTICS = ("image_mean", "image_std")


def fill(model: Segmenter, published: Published, renamed: Mapping[str, str]) -> None:
    """Fill a model with published weights: all of it but the rows of classes that were published under no such name.

    Args:
        renamed: beginnings of the names of transformers' tensors, and of ours; names without a place are left out.

    Raises:
        CheckpointError: a tensor is missing or of another shape.
    """
    given = {
        ours + name[len(theirs) :]: tensor
        for name, tensor in published.tensors.items()
        for theirs, ours in renamed.items()
        if name.startswith(theirs)
    }
    ruled = {f"head.{row}" for row in model.head.class_rows}
    places = _places(published.classes, model.card.labels)
    for name, own in model.state_dict().items():
        tensor = given.get(name)
        if name in ruled and tensor is not None and tensor.shape[1:] == own.shape[1:]:
            rows = own.clone()
            for source, place in enumerate(places):
                if place != VOID:
                    rows[place] = tensor[source]
            rows[len(model.card.labels) :] = tensor[len(places) :]  # no object
            given[name] = rows
        elif tensor is None or tensor.shape != own.shape:
            came = "none" if tensor is None else str(tuple(tensor.shape))
            raise CheckpointError(f"{published.name}: expected a tensor {tuple(own.shape)} for '{name}', found {came}")
    model.load_state_dict(given, strict=False)


def _places(classes: Sequence[str], labels: LabelSet) -> list[int]:
    """Find the published classes among the labels, by name; case does not count."""
    known = {name.casefold(): index for index, name in reversed(list(enumerate(labels.names)))}
    return [known.get(name.casefold(), VOID) for name in classes]


def _tensors(weights: str, model: Any) -> dict[str, Tensor]:
    """Let transformers read the weights, as it knows the names that older versions of it wrote."""
    name = weights.removeprefix("hub:")
    offline = not Path(name).is_dir() and not hub_is_reachable(_host())
    try:
        whole, info = model.from_pretrained(name, use_safetensors=True, local_files_only=offline, output_loading_info=True)
    except OSError as error:
        raise MissingFile(f"{weights}: its weights cannot be had as safetensors: {error}") from None
    except (RuntimeError, ValueError, SafetensorError) as error:
        raise CheckpointError(f"{weights}: its weights do not fit its configuration: {error}") from None
    if missing := sorted(info["missing_keys"]):
        raise CheckpointError(f"{weights}: {len(missing)} tensors are missing, '{missing[0]}' first; fetch it again")
    return dict(whole.state_dict())


def _host() -> str:
    return os.environ.get("HF_ENDPOINT", "https://huggingface.co").partition("://")[2].strip("/")


def _licence(weights: str) -> str:
    from huggingface_hub import ModelCard

    try:
        return str(ModelCard.load(_file(weights, ABOUT), ignore_metadata_errors=True).data.get("license") or "")
    except (MissingFile, ValueError):  # without a card, or one that is no YAML
        return ""


def _json(path: Path) -> dict[str, Any]:
    try:
        found: dict[str, Any] = json.loads(path.read_text("utf-8"))
    except (ValueError, OSError) as error:
        raise CheckpointError(f"{path}: expected JSON, but {error}; fetch it again") from None
    return found


def _file(weights: str, file: str) -> Path:
    """Give a file of what ``hub:…`` names: of a folder, of the hub's cache, or fetched.

    Raises:
        MissingFile: it has none, or the hub cannot be reached.
    """
    from huggingface_hub import hf_hub_download, try_to_load_from_cache

    name = weights.removeprefix("hub:")
    if Path(name).is_dir():
        if not (Path(name) / file).is_file():
            raise MissingFile(f"{name}: expected {file} in this folder, found none")
        return Path(name) / file
    cached = try_to_load_from_cache(name, file) if name.count("/") == 1 else None
    if isinstance(cached, str):
        return Path(cached)
    host = _host()
    if name.count("/") != 1 or not hub_is_reachable(host):
        raise MissingFile(
            f"the weights '{weights}' cannot be had: there is no such folder, and {host} cannot be reached. Fetch the "
            f"repository where there is a network and give its folder (hub:FOLDER), or start from an encoder's weights "
            f"(--weights imagenet)"
        )
    try:
        return Path(hf_hub_download(name, file))
    except Exception as error:  # the hub's client and a proxy each raise their own
        raise MissingFile(f"the weights '{weights}' cannot be had: the hub gave no {file}: {error}") from None
