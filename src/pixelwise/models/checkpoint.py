"""A model on the disk: ``<name>.safetensors`` beside ``card.json``. Loading builds the network from the card and fills it."""

from pathlib import Path

from pixelwise.core.card import Card
from pixelwise.core.errors import CheckpointError, MissingFile, OptionError
from pixelwise.core.files import read_json, write_json
from pixelwise.core.labels import LabelSet
from pixelwise.models import MODELS
from pixelwise.models.build_options import fitted_options
from pixelwise.models.segmenter import Segmenter
from pixelwise.models.weights import read_tensors, write_tensors

CARD = "card.json"
PREFERRED = ("best.safetensors", "last.safetensors", "model.safetensors")


def save(model: Segmenter, path: Path) -> None:
    """Write a model's weights to ``path`` (.safetensors), and its card beside them if it is not there yet."""
    write_tensors(path, model.state_dict(), {"pixelwise": model.card.name})
    if not (path.parent / CARD).is_file():
        write_json(path.parent / CARD, model.card.to_json())


def find(path: Path) -> Path:
    """Find the weight file that ``path`` (a run folder or the file itself) means: best, else last.

    Raises:
        MissingFile: there is none.
    """
    if path.is_file():
        return path
    for name in PREFERRED:
        if (path / name).is_file():
            return path / name
    if not path.exists():
        raise MissingFile(f"{path}: expected a run folder or a checkpoint, found nothing there")
    if folds := sorted(fold.name for fold in path.glob("fold_*") if fold.is_dir()):
        raise MissingFile(f"{path}: holds {len(folds)} models, one a fold of a cross-validation; name one: {path / folds[0]}")
    raise MissingFile(f"{path}: expected {' or '.join(PREFERRED)} in this folder, found none; has training saved anything yet?")


def load(path: Path, labels: LabelSet | None = None) -> Segmenter:
    """Load a model from a run folder or a ``.safetensors`` file with its card beside it, in evaluation mode.

    Args:
        labels: refuse a model of another label set; None takes any.

    Raises:
        MissingFile: there are no weights or no card.
        CheckpointError: the file is truncated, its tensors do not fit the card's network, or its classes are others.
    """
    file = find(Path(path))
    card = card_of(file)
    if card is None:
        raise MissingFile(
            f"{file}: its card ({CARD}) is not beside it, and a model needs both; "
            f"training can start from such a file: pixelwise train --weights {file}"
        )
    if labels is not None and not labels.same_classes(card.labels):
        raise CheckpointError(
            f"{file}: the model knows the classes {', '.join(card.labels.names)}, the data {', '.join(labels.names)}; "
            f"train on this data, or choose a model of these classes"
        )
    model = build(card)
    fill(model, read_tensors(file), str(file))
    return model.eval()


def card_of(path: Path) -> Card | None:
    """Read the card of a run folder or of a ``.safetensors`` file; None for a foreign file, which has none.

    Raises:
        MissingFile: there is nothing at ``path``, or no weights in the folder, or no card.
        CheckpointError: the card is damaged.
    """
    path = Path(path)
    file = find(path)
    card = file.parent / CARD
    if file.suffix != ".safetensors" or not card.is_file():
        if path.is_dir():
            raise MissingFile(f"{file}: its card ({CARD}) is not beside it; a model needs both")
        return None
    return Card.from_json(read_json(card), str(card))


def build(card: Card) -> Segmenter:
    """Build the network a card describes, with random weights."""
    network = MODELS[card.name]
    try:
        options = fitted_options(network.build, card.options)
        options |= {"weights": "none"} if "weights" in options else {}
        model: Segmenter = network.build(card.labels, card.kind, **options)
    except (TypeError, OptionError) as error:
        raise CheckpointError(f"the card's options do not fit the network '{card.name}': {error}") from None
    return Segmenter(model.network, model.head, card)  # normalised by the card, whatever timm's statistics are by now


def fill(model: Segmenter, tensors: dict[str, object], where: str) -> None:
    """Load tensors into a model, all of them.

    Raises:
        CheckpointError: one is missing, left over or of another shape.
    """
    own = model.state_dict()
    for name, tensor in own.items():
        given = tensors.get(name)
        if given is None or getattr(given, "shape", None) != tensor.shape:
            came = "none" if given is None else str(tuple(given.shape))  # type: ignore[attr-defined]
            raise CheckpointError(
                f"{where}: expected a tensor {tuple(tensor.shape)} for '{name}', found {came}; is its card of another model?"
            )
    if left := sorted(set(tensors) - set(own)):
        raise CheckpointError(f"{where}: {len(left)} tensors have no place in the model, '{left[0]}' first")
    model.load_state_dict(tensors)  # type: ignore[arg-type]
