"""Join what a model knows with what a data set holds: by class name, or by the stored values the model was trained on."""

import re

from pixelwise.core.errors import OptionError, UnsettledLabels
from pixelwise.core.labels import VOID, LabelSet
from pixelwise.core.sample import Dataset

_NUMBERED = re.compile(r"class \d+")


def is_unnamed(labels: LabelSet) -> bool:
    """Tell whether the names are only numbers given for want of names: as class 0 and class 1 are."""
    return all(_NUMBERED.fullmatch(name) for name in labels.names)


def under_model(dataset: Dataset, known: LabelSet) -> Dataset:
    """Read the truth so that it can be compared with a model that knows the classes ``known``.

    A data set with names of its own and a settled value map is left as it is: classes are joined by name. Otherwise its
    stored values are read under the model's own value map; a value that a person has said is void stays void.

    Raises:
        UnsettledLabels: a stored value is outside the model's map.
        OptionError: the data's classes and the model's have no name in common, or the model has none.
    """
    own = dataset.labels
    if not len(known):
        raise OptionError("the model knows no classes; train it first")
    if own.settled and (not is_unnamed(own) or own.same_classes(known)):
        if len(own) and not any(place >= 0 for place in own.map_to(known)):
            raise OptionError(
                f"{dataset.name}: its classes ({_listed(own.names)}) and the model's ({_listed(known.names)}) have no name in "
                f"common; name them alike with --classes"
            )
        return dataset
    said_void = {value for value, index in own.values.items() if own.settled and index == VOID}
    strange = [value for value in own.values if value not in known.values and value not in said_void]
    if strange or own.encoding != known.encoding:
        shown = _listed([own.describe(value) for value in strange]) or f"{own.encoding}-coded masks"
        raise UnsettledLabels(
            f"{dataset.name}: the masks hold {shown}, which the model's value map "
            f"({_listed([known.describe(value) for value in known.values]) or 'empty'}) does not; "
            f"say what it means with --void or --classes (--void none: every value is a class)"
        )
    values = {**known.values, **dict.fromkeys(said_void, VOID)}
    return dataset.under(known.with_values(values))


def require_settled(dataset: Dataset) -> Dataset:
    """Give the data set back if what its values mean is settled, as it must be where no model says it.

    Raises:
        UnsettledLabels: it is not.
    """
    if dataset.labels.settled:
        return dataset
    shown = _listed([dataset.labels.describe(value) for value in dataset.labels.values])
    raise UnsettledLabels(
        f"{dataset.name}: what the mask values ({shown}) mean is not settled; settle it with --void VALUES "
        f"(--void none: every value is a class) or --classes; pixelwise data check shows what is in doubt"
    )


def unknown_to(known: LabelSet, dataset: Dataset) -> list[str]:
    """Name the data set's classes that the model does not know; it can only be wrong on them."""
    return [name for name, place in zip(dataset.labels.names, dataset.labels.map_to(known), strict=True) if place < 0]


def _listed(names: "tuple[str, ...] | list[str]") -> str:
    return ", ".join(names[:12]) + (" …" if len(names) > 12 else "")
