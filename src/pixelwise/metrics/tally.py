"""Count predictions against truths, image by image, keeping nothing of an image but its counts."""

from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from types import ModuleType
from typing import Any, TypeAlias

import numpy as np

from pixelwise.core.errors import DataError, OptionError, PixelwiseError, UnknownName, nearest
from pixelwise.core.labels import LabelSet
from pixelwise.core.segmentation import Segmentation
from pixelwise.metrics import METRICS
from pixelwise.metrics.context import Before, Context
from pixelwise.metrics.interval import PLAIN, Bootstrap, Resampled, caution, group_of, intervals, joined, resample
from pixelwise.metrics.result import Report
from pixelwise.metrics.truths import Truths
from pixelwise.metrics.views import Families, View, as_kind, as_tracks, view_of

_MEANS = {"miou": "iou", "ap": "ap", "box_ap": "box_ap", "pq": "pq"}  # a mean over classes, and the class's own score
_MERGE = 64  # counts kept apart before they are added: adding one by one would copy the rows of images each time
Progress: TypeAlias = Callable[[int, int], None]  # called with (images done, images in all)
Predicted: TypeAlias = Segmentation | Sequence[Segmentation]  # several of one method at several settings


@dataclass(frozen=True, eq=False)
class Tally:
    """What was counted of N images.

    Attributes:
        names: of the images, in the order they were counted.
        groups: which images belong together, for intervals.
        counts: the sum of each family.
        single: the counts of each image, for families that cannot be resampled from their sum.
        rows: the scores of each image, with its name.
        failures: what could not be counted, and why.
        labels: the classes of the truth.
        blank: how many of the images have a truth without a labelled pixel, so that nothing could be told from them.
    """

    labels: LabelSet
    names: tuple[str, ...]
    groups: tuple[Hashable, ...]
    counts: Mapping[str, Any]
    single: Mapping[str, Sequence[Any]]
    rows: tuple[Mapping[str, Any], ...]
    failures: tuple[tuple[str, str], ...] = ()
    blank: int = 0


def families_of(metrics: Sequence[str]) -> dict[str, ModuleType]:
    """Find the metric modules that give the families or scores named.

    Raises:
        UnknownName: no family and no score has a name; the message has the nearest ones.
        OptionError: none is asked for.
    """
    if not metrics:
        raise OptionError(f"no metric is asked for; known are: {', '.join(sorted(METRICS))}")
    found: dict[str, ModuleType] = {}
    for name in metrics:
        if name in METRICS:
            found[name] = METRICS[name]
            continue
        holders = [family for family in METRICS if name in METRICS[family].RULES]
        if not holders:
            known = {*METRICS, *(score for family in METRICS for score in METRICS[family].RULES)}
            raise UnknownName(f"no metric or score is called '{name}'; {nearest(name, known)}")
        found[holders[0]] = METRICS[holders[0]]
    return found


def needs_probabilities(families: Families) -> list[str]:
    """Name the families that want the probabilities of predictions."""
    return [family for family, module in families.items() if getattr(module, "NEEDS_PROBABILITIES", False)]


def tally(
    results: Iterable[tuple[int, Predicted | PixelwiseError]],
    truths: Truths,
    families: Families,
    failures: list[tuple[str, str]],
    group: str | None = None,
) -> Tally:
    """Count predictions, each with the row of its sample, against the truths of a data set.

    ``failures`` may grow while ``results`` is read; ``group`` is as in ``Bootstrap``.
    """
    sums = Sums(truths, families, failures, group)
    for row, result in results:
        sums.add(row, result)
    return sums.tally()


class Sums:
    """Adds up image by image what ``tally`` gives: two predictors can be counted in turns, while an image is at hand.

    ``failures`` grows by what cannot be counted; ``group`` is as in ``Bootstrap``.
    """

    def __init__(self, truths: Truths, families: Families, failures: list[tuple[str, str]], group: str | None = None) -> None:
        self._truths, self._families, self._failures, self._group = truths, families, failures, group
        self._pending: dict[str, list[Any]] = {family: [] for family in families}
        self._single: dict[str, list[Any]] = {name: [] for name, module in families.items() if not hasattr(module, "resampled")}
        self._rows: list[dict[str, Any]] = []
        self._groups: list[Hashable] = []
        self._counter = Counter(truths, families)

    def add(self, row: int, result: Predicted | PixelwiseError) -> None:
        """Count what was predicted of the sample at ``row``."""
        sample = self._truths.dataset[row]
        try:
            counts = self._counter.count(row, result)
        except PixelwiseError as error:
            self._failures.append((sample.name, str(error)))
            return
        self._groups.append(group_of(sample, self._group))
        scores = {key: value for name, module in self._families.items() for key, value in module.score(counts[name]).items()}
        kept = {key: value for key, value in scores.items() if not key.endswith("_per_image")}
        self._rows.append({"name": sample.name, **kept})
        for family, one in counts.items():
            if family in self._single:
                self._single[family].append(one)
            self._pending[family].append(one)
            if len(self._pending[family]) >= _MERGE:
                self._pending[family] = [sum(self._pending[family])]

    def tally(self) -> Tally:
        """Give what was counted."""
        summed = {family: sum(each) for family, each in self._pending.items() if each}
        names = tuple(row["name"] for row in self._rows)
        kept = tuple(self._groups), summed, self._single, tuple(self._rows), tuple(self._failures), self._counter.blank
        return Tally(self._truths.labels, names, *kept)


class Counter:
    """Counts images one after the other; of films it remembers the frame before.

    Attributes:
        blank: how many had a truth without a labelled pixel.
    """

    def __init__(self, truths: Truths, families: Families) -> None:
        self.blank = 0
        self._truths = truths
        self._families = families
        self._before: dict[View, tuple[str, Before]] = {}  # by view: the film, and its last frame

    def count(self, row: int, result: Predicted | PixelwiseError) -> dict[str, Any]:
        """Count the sample at ``row`` by every family.

        Raises:
            DataError: one of them cannot score it; it then counts for none.
        """
        before, self._before = self._before, {}
        if isinstance(result, PixelwiseError):
            raise result
        levels = (result,) if isinstance(result, Segmentation) else tuple(result)
        for one in levels:
            _require_scores(one)
        sample = self._truths.dataset[row]
        seen: dict[View, tuple[tuple[Segmentation, ...], tuple[Segmentation, ...], Context]] = {}
        for view in dict.fromkeys(map(view_of, self._families.values())):
            predictions, truths = self._read(row, view, levels)
            clip, last = before.get(view, (None, None))
            context = Context.of(sample, last if clip is not None and clip == sample.meta.get("sequence") else None)
            seen[view] = predictions, truths, context
            if context.clip is not None and len(predictions) == len(truths) == 1:
                self._before[view] = context.clip, Before(predictions[0], truths[0], context.image)
        counts = {family: _count(module, *seen[view_of(module)], sample.name) for family, module in self._families.items()}
        labelled = [truths for view, (_, truths, _) in seen.items() if view not in ("instance", "tracks")]
        self.blank += bool(labelled) and not any(len(one) for truths in labelled for one in truths)
        return counts

    def _read(
        self, row: int, view: View, levels: tuple[Segmentation, ...]
    ) -> tuple[tuple[Segmentation, ...], tuple[Segmentation, ...]]:
        """Read predictions and truths as ``view``; where both are classes, the objects of films are numbered by them."""
        if view != "tracks":
            return tuple(as_kind(one, view) for one in levels), self._truths.read(row, view)
        are_classes = {one.kind for one in levels} | {self._truths.dataset.kind} == {"semantic"}
        numbers = self._truths.labels if are_classes else None
        return tuple(as_tracks(one, numbers) for one in levels), self._truths.read(row, view, numbers)


def _require_scores(one: Segmentation) -> None:
    if one.scores is not None and (wrong := np.flatnonzero(~((one.scores >= 0) & (one.scores <= 1)))).size:
        raise DataError(f"segment {wrong[0] + 1} has the score {one.scores[wrong[0]]}; expected one from 0 to 1")


def _count(
    module: ModuleType, levels: tuple[Segmentation, ...], truths: tuple[Segmentation, ...], context: Context, name: str
) -> Any:
    """Hand a family what it takes: one prediction and one truth, or several."""
    if not truths or (len(truths) > 1 and not getattr(module, "SEVERAL_TRUTHS", False)):
        raise DataError(f"{name}: expected one truth to score against, found {len(truths)}")
    if len(levels) > 1 and not getattr(module, "SEVERAL_LEVELS", False):
        raise DataError(
            f"{name}: expected one prediction, found {len(levels)}, and only partitions are scored at several levels"
        )
    prediction = levels if len(levels) > 1 else levels[0]
    truth = truths if len(truths) > 1 else truths[0]
    return (
        module.count(prediction, truth, context) if getattr(module, "WANTS_CONTEXT", False) else module.count(prediction, truth)
    )


def report_of(found: Tally, families: Families, metrics: Sequence[str], bootstrap: Bootstrap | None = PLAIN) -> Report:
    """Score what was counted; ``bootstrap`` says how intervals are made, None leaves them out."""
    scores: dict[str, float] = {}
    per_class: dict[str, dict[str, float]] = {name: {} for name in found.labels.names}
    rules: dict[str, str] = {}
    details: dict[str, Any] = {}
    for family, module in families.items():
        rules.update(module.RULES | module.NOTES)
        if family not in found.counts:
            scores.update(dict.fromkeys(module.RULES, np.nan))
            continue
        scores.update(module.score(found.counts[family]))
        for name, values in module.per_class(found.counts[family]).items():
            per_class.setdefault(name, {}).update(values)
        if hasattr(module, "details"):
            details.update(module.details(found.counts[family], found.names))
    kept = chosen(scores, metrics, families)
    report = Report(
        scores=kept,
        per_class={name: values for name, values in per_class.items() if values},
        confusion=found.counts["overlap"].confusion if "overlap" in found.counts else None,
        classes=found.labels.names,
        per_image=tuple({"name": row["name"], **chosen(row, metrics, families)} for row in found.rows),
        count=len(found.rows),
        rules={name: text for name, text in rules.items() if name in kept or name not in scores},
        failures=found.failures,
        details=details,
        notes=_blank(found),
    )
    return report if bootstrap is None else _with_intervals(report, found, families, bootstrap)


def _blank(found: Tally) -> tuple[str, ...]:
    if not found.blank:
        return ()
    return (f"nothing is labelled in {found.blank} of {len(found.names)} images (all void): they add nothing to the scores",)


def chosen(scores: Mapping[str, Any], metrics: Sequence[str], families: Families) -> dict[str, Any]:
    """Keep the scores asked for by name, and all of the families asked for."""
    wanted = {name for family in families if family in metrics for name in families[family].RULES} | set(metrics)
    return {name: value for name, value in scores.items() if name in wanted}


def resampled(found: Tally, families: Families, bootstrap: Bootstrap, shared: Sequence[int] | None = None) -> Resampled:
    """Score every draw from the images counted, or from the ``shared`` ones of them: each family's scores together."""
    rows = range(len(found.names)) if shared is None else shared
    return joined(
        [
            resample(families[name], counts, found.single.get(name, ()), found.groups, rows, bootstrap)
            for name, counts in found.counts.items()
        ]
    )


def _with_intervals(report: Report, found: Tally, families: Families, bootstrap: Bootstrap) -> Report:
    note = caution(found.groups, bootstrap)
    if len(set(found.groups)) < 2:
        nothing = {name: dict.fromkeys(_scored(values)) for name, values in report.per_class.items()}
        return replace(report, intervals=dict.fromkeys(report.scores), class_intervals=nothing, notes=(*report.notes, note))
    drawn = resampled(found, families, bootstrap)
    every, by_class = intervals(drawn, bootstrap.level)
    return replace(
        report,
        intervals={name: every[name] for name in report.scores},
        class_intervals={
            name: {key: by_class[name][key] for key in _scored(values)} for name, values in report.per_class.items()
        },
        rules={**report.rules, "interval": bootstrap.rule},
        notes=(*report.notes, *([note] if note else []), *_shaky(report, by_class)),
    )


def _scored(values: Mapping[str, float]) -> list[str]:
    return [name for name, value in values.items() if not isinstance(value, int)]  # pixels are counted, not scored


def _shaky(report: Report, by_class: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Say which classes are in so few images that means over classes jump from draw to draw."""
    own = next((own for mean, own in _MEANS.items() if mean in report.scores), "")
    few = [
        name
        for name, values in report.per_class.items()
        if own in values and not np.isnan(values[own]) and by_class[name][own] is None
    ]
    if not few:
        return []
    listed = ", ".join(few[:8]) + (f" and {len(few) - 8} more" if len(few) > 8 else "")
    return [f"in too few images for an interval of their own, and for a firm one of the means over classes: {listed}"]
