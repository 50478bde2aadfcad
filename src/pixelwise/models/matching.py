"""Match the tensors of a weight file to those of a model by name and shape, whatever prefixes either side has.

Files wrap the same network in other names: ``module.`` of a data-parallel copy, ``encoder.`` of a segmentation network,
``backbone.`` of a detector. Of all pairs (prefix in the file, prefix in the model) the one under which most weights fit is
taken; under it, a tensor is taken where name and shape agree.
"""

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from torch import Tensor

Shape = tuple[int, ...]


@dataclass(frozen=True)
class Matched:
    """What fits.

    Attributes:
        tensors: by the model's names, of the model's shapes.
        sources: the file's name of each.
        adapted: names in ``tensors`` whose input bands were averaged and repeated.
        differing: (name in the model, its shape, the file's shape) where only the names agree.
        missing: names of the model for which the file has nothing.
        unused: names of the file for which the model has no place.
        prefixes: what was taken off the file's names, and what was put before them.
    """

    tensors: dict[str, Tensor]
    sources: dict[str, str]
    adapted: tuple[str, ...]
    differing: tuple[tuple[str, Shape, Shape], ...]
    missing: tuple[str, ...]
    unused: tuple[str, ...]
    prefixes: tuple[str, str]

    @property
    def fits(self) -> bool:
        """Whether any weight fits; a norm or a bias of the same length alone says nothing."""
        return any(tensor.ndim > 1 for tensor in self.tensors.values())


def match(
    own: Mapping[str, Tensor], given: Mapping[str, Tensor], bands: int, prefixes: tuple[str, str] | None = None
) -> Matched:
    """Match a file's tensors to a model's.

    Args:
        own: the model's tensors.
        given: the file's.
        bands: of the model's input; a first convolution for another number of bands is adapted by ``to_bands``.
        prefixes: what to take off the file's names and put before them; None finds the best.
    """
    taken_off, put_before = prefixes if prefixes is not None else best_prefixes(own, given)
    places = {_canonical(name): name for name in own}
    tensors: dict[str, Tensor] = {}
    sources: dict[str, str] = {}
    adapted, differing = [], []
    for source, tensor in given.items():
        name = places.get(_canonical(put_before + source[len(taken_off) :])) if source.startswith(taken_off) else None
        if name is None:
            continue
        sources[name] = source
        if tensor.shape == own[name].shape:
            tensors[name] = tensor
        elif not adapted and _differs_in_bands(own[name], tensor, bands):
            tensors[name] = to_bands(tensor, bands)
            adapted.append(name)
        else:
            differing.append((name, tuple(own[name].shape), tuple(tensor.shape)))
    used = {source for name, source in sources.items() if name in tensors}
    return Matched(
        tensors,
        {name: source for name, source in sources.items() if name in tensors},
        tuple(adapted),
        tuple(differing),
        tuple(name for name in own if name not in sources),
        tuple(source for source in given if source not in used and source not in sources.values()),
        (taken_off, put_before),
    )


def best_prefixes(own: Mapping[str, Tensor], given: Mapping[str, Tensor]) -> tuple[str, str]:
    """Find the prefixes under which most weights (counted in numbers) agree in name and shape; the shortest of equals."""
    places: dict[str, list[tuple[str, Tensor]]] = {}
    for name, tensor in own.items():
        for prefix, tail in _cuts(name):
            places.setdefault(_canonical(tail), []).append((prefix, tensor))
    votes: Counter[tuple[str, str]] = Counter()
    for name, tensor in given.items():
        for prefix, tail in _cuts(name):
            for own_prefix, place in places.get(_canonical(tail), ()):
                if tensor.ndim > 1 and place.shape == tensor.shape:
                    votes[prefix, own_prefix] += tensor.numel()
    if not votes:
        return "", ""
    return max(votes, key=lambda pair: (votes[pair], -len(pair[0]) - len(pair[1])))


def to_bands(weight: Tensor, bands: int) -> Tensor:
    """Turn a first convolution's weight (O, B, h, w) into one for ``bands`` bands.

    Its mean over the bands is repeated, times B / bands: an image that is alike in all bands gives the same features as
    before. For one band that is the sum over the bands.
    """
    return weight.mean(dim=1, keepdim=True).repeat(1, bands, 1, 1) * (weight.shape[1] / bands)


def _differs_in_bands(own: Tensor, given: Tensor, bands: int) -> bool:
    return (
        own.ndim == given.ndim == 4
        and own.shape[1] == bands
        and own.shape[0] == given.shape[0]
        and own.shape[2:] == given.shape[2:]
        and given.is_floating_point()
    )


def _cuts(name: str) -> Iterator[tuple[str, str]]:
    """Give each way to cut a name into a prefix and a tail of at least two parts.

    >>> list(_cuts("a.b.weight"))
    [('', 'a.b.weight'), ('a.', 'b.weight')]
    """
    parts = name.split(".")
    for cut in range(max(1, len(parts) - 1)):
        yield "".join(part + "." for part in parts[:cut]), ".".join(parts[cut:])


def _canonical(name: str) -> str:
    """Write a name as before timm flattened it for feature maps: ``stages_0.blocks`` was ``stages.0.blocks``."""
    return re.sub(r"(^|\.)([a-z]+)_(\d+)\.", r"\1\2.\3.", name)
