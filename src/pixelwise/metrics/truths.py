"""The truths of a data set as predictions are scored against them: under one label set, as each kind the scores want."""

from dataclasses import dataclass

from pixelwise.core.errors import OptionError
from pixelwise.core.labels import LabelSet
from pixelwise.core.sample import Dataset
from pixelwise.core.segmentation import PAINTED, Kind, Segmentation
from pixelwise.metrics import METRICS
from pixelwise.metrics.films import BY_NAME, in_films, of_films
from pixelwise.metrics.settle import require_settled, under_model, unknown_to
from pixelwise.metrics.views import SURELY, Families, View, as_kind, as_tracks, followed, readable, view_of

_USUAL: dict[Kind, tuple[str, ...]] = {
    "instance": ("average_precision", "box_average_precision", "objects"),
    "panoptic": ("panoptic_quality", "parsing_covering"),
    "semantic": ("overlap",),
    "multilabel": ("multilabel",),
    "regions": ("partition",),
}


@dataclass(frozen=True)
class Truths:
    """The truths of a data set's samples.

    Attributes:
        dataset: the samples as they are.
        classes: the same samples as classes alone; None where no score wants that.
        tracked: whether objects are followed through films.
    """

    dataset: Dataset
    classes: Dataset | None
    tracked: bool = False

    @classmethod
    def of(cls, dataset: Dataset, families: Families, known: LabelSet | None = None) -> "Truths":
        """Read a data set under the classes ``known`` to a model; None where nothing but the data says what it knows.

        Raises:
            UnsettledLabels: what the data's stored values mean is in doubt, or they do not fit the model's value map.
            OptionError: the data's classes and the model's have no name in common; or a family cannot score such truths.
        """
        _require(dataset.kind, families, f"{dataset.name} has {dataset.kind} truth")
        if of_films(families):
            dataset = in_films(dataset)
        kinds, views = {module.KIND for module in families.values()}, set(map(view_of, families.values()))
        if views == {"tracks"} and dataset.labels.settled:
            known = None  # an object is known by its number, whatever its class is called
        classes = dataset.semantic() if "semantic" in kinds else None
        if classes is not None:
            classes = _settled(classes, known)
        if dataset.kind == "semantic" and classes is not None:
            return cls(classes, classes, "tracks" in views)
        return cls(_settled(dataset, known) if kinds - {"semantic"} else dataset, classes, "tracks" in views)

    @property
    def labels(self) -> LabelSet:
        """The classes of what is shown."""
        return self.shown.labels

    @property
    def shown(self) -> Dataset:
        """The samples as a person is shown them: as classes where those are scored."""
        return self.dataset if self.classes is None else self.classes

    def read(self, row: int, view: View, numbers: LabelSet | None = None) -> tuple[Segmentation, ...]:
        """Read the truths of one sample as ``view``; ``numbers`` is as in ``as_tracks``.

        Raises:
            DataError: they cannot be read, or not so.
        """
        if view == "semantic" and self.classes is not None:
            return self.classes[row].truths
        truths = self.dataset[row].truths
        if view == "tracks":
            return tuple(as_tracks(one, numbers, is_truth=True) for one in truths)
        return tuple(as_kind(one, view) for one in truths)

    def notes(self, given: Dataset, known: LabelSet | None, predicted: Kind) -> list[str]:
        """Say what the reader must know of how the data set ``given`` was joined with predictions of a kind and of classes."""
        notes = []
        if given.kind == "instance" and self.classes is not None:
            notes.append(f"the truth's {PAINTED}")
            if predicted == "instance":
                notes.append(SURELY)
            given = given.semantic()
        if self.tracked:
            notes += self._of_tracks(predicted)
        if any(
            "sequence" in after.meta and "sequence" not in before.meta
            for after, before in zip(self.dataset, given, strict=True)
        ):
            notes.append(BY_NAME)
        if self.shown.labels != given.labels:
            labels = self.labels
            pairs = [
                f"{labels.describe(value)} {labels.names[index] if index >= 0 else 'void'}"
                for value, index in labels.values.items()
            ]
            notes.append(f"the masks were read under the model's value map: {', '.join(pairs)}")
        has_classes = "regions" not in (predicted, self.shown.kind) and not (self.tracked and self.classes is None)
        if known is not None and has_classes and (missing := unknown_to(known, self.shown)):
            notes.append(f"the model does not know {', '.join(missing)}: it cannot be right there")
        return notes

    def _of_tracks(self, predicted: Kind) -> list[str]:
        """Say how classes alone were followed as objects."""
        notes = []
        if self.dataset.kind == "semantic":
            names = ", ".join(self.labels.names[index] for index in followed(self.labels))
            notes.append(f"the truth is of classes alone: each is followed through a film as one object ({names})")
        if (self.dataset.kind == "semantic") != (predicted == "semantic"):
            notes.append("objects are numbered in truth or prediction alone: each frame is matched by itself")
        return notes


def usual(truth: Kind, predicted: Kind, is_film: bool = False) -> tuple[str, ...]:
    """Name the families that score predictions of one kind against truth of another, where nobody has asked for any.

    >>> usual("panoptic", "semantic")
    ('overlap',)
    """
    if truth == "panoptic" and predicted == "semantic":
        return _USUAL["semantic"]  # things would have to be told apart
    if readable(predicted, truth):
        return ("video",) if is_film and truth == "instance" else _USUAL.get(truth, _USUAL["semantic"])
    return _USUAL["semantic" if readable(predicted, "semantic") else "regions"]


def require_kind(kind: Kind, families: Families, name: str) -> None:
    """Refuse predictions of a kind that the families cannot score.

    Raises:
        OptionError: they cannot; the message names the families that can.
    """
    if kind == "regions" and any(module.KIND != "regions" for module in families.values()):
        raise OptionError(
            f"'{name}' gives regions without classes; score them as a partition (--metrics partition), or match them to "
            f"classes first: match(predictor, the training split) of pixelwise.metrics.majority"
        )
    _require(kind, families, f"'{name}' gives {kind} segments")


def _require(kind: Kind, families: Families, what: str) -> None:
    unfit = [family for family, module in families.items() if not readable(kind, view_of(module))]
    if unfit:
        raise OptionError(f"{what}, which {', '.join(unfit)} cannot score; {_fitting(kind)}")


def _fitting(kind: Kind) -> str:
    fit = [family for family in METRICS if readable(kind, view_of(METRICS[family]))]
    return f"metrics that can: {', '.join(fit)}" if fit else "no metric can"


def _settled(dataset: Dataset, known: LabelSet | None) -> Dataset:
    if dataset.kind == "regions":
        return dataset
    return require_settled(dataset) if known is None else under_model(dataset, known)
