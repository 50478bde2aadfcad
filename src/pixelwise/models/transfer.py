"""Start a network from weights that were trained for something else, and state what came from where.

From a Pixelwise checkpoint, classes of the same name keep their rows of the classifying layer and new ones stay as drawn; every
other tensor is taken where name and shape fit. From a foreign file, tensors are taken under the prefix that fits best.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from torch import Tensor

from pixelwise.core.card import Card
from pixelwise.core.errors import CheckpointError
from pixelwise.core.labels import VOID, LabelSet
from pixelwise.models import checkpoint
from pixelwise.models.matching import Matched, match
from pixelwise.models.segmenter import Segmenter
from pixelwise.models.weights import read_tensors


@dataclass(frozen=True)
class Transfer:
    """What a model took from a weight file; names are the model's, but for ``left_out``.

    Attributes:
        source: the file or run folder, as it was given.
        origin: what it holds, in words.
        loaded: tensors taken.
        share: of the model's numbers that were taken.
        adapted: tensors taken whose input bands were averaged and repeated.
        by_class: tensors of which the rows of shared classes were taken.
        new: tensors for which the file has nothing.
        differing: (name, the model's shape, the file's) of tensors that fit by name alone.
        left_out: the file's tensors that the model has no place for.
        kept_classes, new_classes, dropped_classes: of both sides, of the model alone, of the file alone.
    """

    source: str
    origin: str
    loaded: tuple[str, ...]
    share: float
    adapted: tuple[str, ...] = ()
    by_class: tuple[str, ...] = ()
    new: tuple[str, ...] = ()
    differing: tuple[tuple[str, tuple[int, ...], tuple[int, ...]], ...] = ()
    left_out: tuple[str, ...] = ()
    kept_classes: tuple[str, ...] = ()
    new_classes: tuple[str, ...] = ()
    dropped_classes: tuple[str, ...] = ()

    def __str__(self) -> str:
        """Write as a table for a log."""
        shapes = [f"{name} {_shape(given)} -> {_shape(own)}" for name, own, given in self.differing]
        rows = [
            ("loaded", f"{len(self.loaded)} tensors, {self.share:.1%} of the network's weights"),
            ("other bands", _listed(self.adapted, "the mean over bands, repeated")),
            ("new", _listed(self.new)),
            ("shape differs", _listed(shapes)),
            ("left out", _listed(self.left_out)),
            ("classes kept", ", ".join(self.kept_classes)),
            ("classes new", ", ".join(self.new_classes)),
            ("classes dropped", ", ".join(self.dropped_classes)),
        ]
        return "\n".join([f"weights: {self.source} ({self.origin})", *(f"  {what:<15}  {text}" for what, text in rows if text)])

    def summary(self) -> str:
        """Say in a few words where the weights come from."""
        return f"{self.origin}, {self.share:.0%} of the weights ({Path(self.source).name})"

    def to_json(self) -> dict[str, Any]:
        """Write as plain JSON values, for the card."""
        return {
            "source": self.source,
            "origin": self.origin,
            "loaded": len(self.loaded),
            "share": round(self.share, 6),
            "adapted": list(self.adapted),
            "by_class": list(self.by_class),
            "new": list(self.new),
            "shape_differs": [{"name": name, "model": list(own), "file": list(given)} for name, own, given in self.differing],
            "left_out": list(self.left_out),
            "classes": {
                "kept": list(self.kept_classes),
                "new": list(self.new_classes),
                "dropped": list(self.dropped_classes),
            },
        }


def transfer(model: Segmenter, source: Path) -> Transfer:
    """Fill ``model`` from a run folder, a Pixelwise checkpoint or a foreign weight file, as far as that fits.

    Raises:
        MissingFile: there is nothing, or a run folder without weights.
        CheckpointError: it is truncated or unsafe, of another network or kind, or nothing in it fits.
    """
    source = Path(source)
    card = checkpoint.card_of(source)
    tensors = read_tensors(checkpoint.find(source))
    if card is None:
        return _from_foreign(model, tensors, source)
    return _from_checkpoint(model, tensors, card, source)


def _from_foreign(model: Segmenter, tensors: dict[str, Tensor], source: Path) -> Transfer:
    found = match(model.state_dict(), tensors, len(model.card.bands))
    _refuse_nothing(model, found, tensors, source)
    model.load_state_dict(found.tensors, strict=False)
    taken_off, put_before = found.prefixes
    origin = f"foreign file; '{taken_off}*' became '{put_before}*'" if taken_off or put_before else "foreign file"
    return _stated(model, found, source, origin)


def _from_checkpoint(model: Segmenter, tensors: dict[str, Tensor], card: Card, source: Path) -> Transfer:
    require_same_network(card, model.card.name, model.card.kind, source)
    places = _places(model, card.labels)
    rows_to = _rows_to(model, card.labels, places)
    ruled = {name: tensors.pop(name) for name in rows_to if name in tensors}
    own = {name: tensor for name, tensor in model.state_dict().items() if name not in ruled}
    found = match(own, tensors, len(model.card.bands), ("", ""))
    _refuse_nothing(model, found, tensors, source)
    rows = {
        name: _with_rows(tensor, ruled[name], rows_to[name])
        for name, tensor in model.state_dict().items()
        if name in ruled and tensor.shape[1:] == ruled[name].shape[1:]
    }
    model.load_state_dict({**found.tensors, **rows}, strict=False)
    taken = set(places) - {VOID} if rows else set()
    names, own_names = card.labels.names, model.card.labels.names
    in_rows = sum(tensor[0].numel() * sum(place != VOID for place in rows_to[name]) for name, tensor in rows.items())
    stated = _stated(model, found, source, _described(card), tuple(rows), in_rows)
    return replace(
        stated,
        kept_classes=tuple(name for index, name in enumerate(own_names) if index in taken),
        new_classes=tuple(name for index, name in enumerate(own_names) if index not in taken),
        dropped_classes=tuple(name for name, place in zip(names, places, strict=True) if place == VOID or not rows),
    )


def _places(model: Segmenter, given: LabelSet) -> list[int]:
    """Give the model's class of each of a checkpoint's, or ``VOID``; heads of things and stuff keep the two apart."""
    own = model.card.labels
    places: list[int] = given.map_to(own).tolist()
    if not (model.head.thing_rows or model.head.stuff_rows):
        return places
    return [
        place if place != VOID and own.labels[place].is_thing == label.is_thing else VOID
        for label, place in zip(given.labels, places, strict=True)
    ]


def _rows_to(model: Segmenter, given: LabelSet, places: Sequence[int]) -> dict[str, list[int]]:
    """Say where each row of a checkpoint's tensors goes, by the names of those that have a row a class, a thing or a stuff."""
    found = {f"head.{name}": list(places) for name in model.head.class_rows}
    for names, is_thing in ((model.head.thing_rows, True), (model.head.stuff_rows, False)):
        if not names:
            continue
        own = [index for index, label in enumerate(model.card.labels.labels) if label.is_thing == is_thing]
        rows = {VOID: VOID} | {place: row for row, place in enumerate(own)}
        to = [rows[place] for place, label in zip(places, given.labels, strict=True) if label.is_thing == is_thing]
        found |= {f"head.{name}": to for name in names}
    return found


def require_same_network(card: Card, name: str, kind: str, source: Path) -> None:
    """Check that a checkpoint was trained for the network and the kind it shall start.

    Raises:
        CheckpointError: it was not.
    """
    if card.name != name:
        raise CheckpointError(
            f"{source}: the checkpoint is of the network '{card.name}', and '{name}' is asked for; "
            f"fine-tune it with --model {card.name}, or choose a checkpoint of '{name}'"
        )
    if card.kind != kind:
        raise CheckpointError(
            f"{source}: the checkpoint was trained for {card.kind} segmentation, and {kind} is asked for; "
            f"choose a checkpoint of that kind, or give --kind {card.kind} with such labels"
        )


def _with_rows(own: Tensor, given: Tensor, places: Sequence[int]) -> Tensor:
    """Put the rows of shared classes into their places; the others stay as drawn. Rows behind the classes are taken as well."""
    result = own.clone()
    for index, place in enumerate(places):
        if place != VOID:
            result[place] = given[index]
    if behind := len(given) - len(places):  # a query's "no object" is the same whatever the classes
        result[-behind:] = given[-behind:]
    return result


def _stated(
    model: Segmenter, found: Matched, source: Path, origin: str, by_class: tuple[str, ...] = (), in_rows: int = 0
) -> Transfer:
    own = model.state_dict()
    return Transfer(
        source=str(source),
        origin=origin,
        loaded=tuple(name for name in own if name in found.tensors or name in by_class),
        share=(sum(own[name].numel() for name in found.tensors) + in_rows) / sum(tensor.numel() for tensor in own.values()),
        adapted=found.adapted,
        by_class=by_class,
        new=tuple(name for name in found.missing if name not in by_class),
        differing=found.differing,
        left_out=found.unused,
    )


def _refuse_nothing(model: Segmenter, found: Matched, tensors: Mapping[str, Tensor], source: Path) -> None:
    if found.fits:
        return
    weights = [f"{name} {_shape(tuple(tensor.shape))}" for name, tensor in tensors.items() if tensor.ndim > 1]
    own = [f"{name} {_shape(tuple(tensor.shape))}" for name, tensor in model.state_dict().items() if tensor.ndim > 1]
    encoder = model.card.options.get("encoder", "none")
    raise CheckpointError(
        f"{source}: nothing in it fits {model.card.name} with the encoder '{encoder}'. The file holds {_first(weights)}; "
        f"the network wants {_first(own)}. Choose the encoder that the file was made with"
    )


def _described(card: Card) -> str:
    data = card.training.get("data")
    return f"{card.name} of {len(card.labels)} classes" + (f", trained on {data}" if data else "")


def _first(names: Sequence[str], count: int = 4) -> str:
    return (", ".join(names[:count]) + (f" … ({len(names)} in all)" if len(names) > count else "")) or "no weights"


def _listed(names: Sequence[str], why: str = "") -> str:
    """Count names and show the first of them."""
    if not names:
        return ""
    shown = ", ".join(names[:3]) + (" …" if len(names) > 3 else "")
    return f"{len(names)}: {shown}" + (f" ({why})" if why else "")


def _shape(shape: Sequence[int]) -> str:
    return "(" + ", ".join(map(str, shape)) + ")"
