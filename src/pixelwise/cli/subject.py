"""What can be scored: a model, a method or predictions made before, opened on the data it is to be scored on."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pixelwise.core.predictor import Predictor
    from pixelwise.core.sample import Dataset, Sample
    from pixelwise.core.segmentation import Segmentation
    from pixelwise.metrics.predictions import Predictions
    from pixelwise.metrics.tally import Progress, Tally
    from pixelwise.metrics.views import Families
    from pixelwise.refine.refiner import Refiner

Wrap = Callable[["Predictor"], "Predictor"]


@dataclass(frozen=True)
class Chosen:
    """The samples to score, those to match or train methods on, and what to say about the choice."""

    dataset: "Dataset"
    train: "Dataset | None"
    split: str
    note: str = ""


@dataclass(frozen=True)
class Running:
    """How a model or a method is run.

    Attributes:
        batch: images of one size segmented at once.
        threshold: the foreground probability above which a pixel counts, of one-class models.
        wrap: put around it, as tiles or flips are; without it, huge images alone are tiled.
        levels: an option of a method and the settings it is scored at, ``clusters=2,4,8``.
        refiners: among what ``wrap`` puts around it; they may change the kind of what it gives.
    """

    batch: int = 8
    threshold: float | None = None
    wrap: Wrap | None = None
    levels: str | None = None
    refiners: "Sequence[Refiner]" = ()


@dataclass(frozen=True)
class Subject:
    """Something that can be scored, and what is said about it.

    Attributes:
        name: what it calls itself.
        chosen: what it is to be scored on; methods may have set a part aside to be trained on.
        dataset: the samples to score, read as they are shown.
        metrics: what is scored.
        count: counts it on ``dataset``, by families and group, telling progress.
        segment: gives one sample's prediction.
        gives_probabilities: whether it can be asked for them.
        notes: what the reader must know.
        facts: what it was trained on, as its card says.
    """

    name: str
    chosen: Chosen
    dataset: "Dataset"
    metrics: Sequence[str]
    count: "Callable[[Families, str | None, Progress], Tally]"
    segment: "Callable[[Sample], Segmentation]"
    gives_probabilities: bool = False
    notes: tuple[str, ...] = ()
    facts: Mapping[str, object] = field(default_factory=dict)


def read_to_score(
    data: Path, lists: Path | None, *runs: Path, void: str | None = None, classes: str | None = None
) -> "Dataset":
    """Read the data to score on: with the splits of list files where they are given, else with what the runs kept aside."""
    from pixelwise.curate.held_out import with_held_out
    from pixelwise.curate.split_lists import read_with_lists

    dataset = read_with_lists(data, lists, void=void, classes=classes)
    return dataset if lists is not None else with_held_out(dataset, *runs)


def choose_split(dataset: "Dataset", name: str | None) -> Chosen:
    """Choose what to score: the split named, else val, else test, else everything.

    Raises:
        OptionError: there is no split of that name.
    """
    from pixelwise.formats.names import SPLITS

    train = dataset.split("train") if "train" in dataset.splits else None
    if name == "all":
        return Chosen(dataset, train, "all")
    if name is not None:
        alias = SPLITS.get(name.casefold(), name)
        found = name if name in dataset.splits else alias
        return Chosen(dataset.split(found if found in dataset.splits else name), train, found)
    for usual in ("val", "test"):
        if usual in dataset.splits:
            return Chosen(dataset.split(usual), train, usual, f"no --split given: scoring '{usual}'")
    note = f"no --split given: scoring all {len(dataset)} samples" if dataset.splits else ""
    return Chosen(dataset, train, "all", note)


def open_subject(
    source: str,
    chosen: Chosen,
    metrics: Sequence[str] | None = None,
    running: Running | None = None,
) -> Subject:
    """Open a model, a method or predictions made before on the samples chosen.

    Args:
        source: what ``load`` takes; or a folder of predictions, a file of COCO results, or anything read as labelled images.
        metrics: what is to be scored; None for what is usual for the kind of the truth and of the predictions.
        running: how a model is run.

    Raises:
        UnknownName: there is nothing of that name, or no such metric.
        UnsettledLabels: what the data's values mean is in doubt.
        OptionError: predictions are given with options that are for models, or a metric does not fit.
    """
    from pixelwise.cli.predictions import open_predictions
    from pixelwise.core.errors import OptionError

    found = open_predictions(source, chosen.dataset)
    if found is None:
        return _model(source, chosen, metrics, Running() if running is None else running)
    if running is not None and (running.threshold, running.wrap, running.levels) != (None, None, None):
        raise OptionError(
            f"{source} holds predictions already made; --threshold, --tile, --flips, --refine and --levels are for models"
        )
    return _predictions(found, chosen, metrics)


def _predictions(found: "Predictions", chosen: Chosen, metrics: Sequence[str] | None) -> Subject:
    from pixelwise.metrics.films import is_film
    from pixelwise.metrics.predictions import Scored
    from pixelwise.metrics.tally import families_of
    from pixelwise.metrics.truths import usual

    names = list(metrics or usual(chosen.dataset.kind, found.kind, is_film(chosen.dataset)))
    scored = Scored.on(found, chosen.dataset)
    truths = scored.truths(families_of(names))
    return Subject(
        found.name,
        chosen,
        truths.shown,
        names,
        lambda families, group, progress: scored.count(scored.truths(families), families, group, progress),
        scored.read,
        notes=tuple(scored.notes(truths)),
    )


def _model(source: str, chosen: Chosen, metrics: Sequence[str] | None, running: Running) -> Subject:
    from pixelwise.cli.levels import at_levels
    from pixelwise.cli.preparing import prepare
    from pixelwise.cli.scoring import run_facts
    from pixelwise.cli.wrapping import wrapping
    from pixelwise.core.predictor import Request
    from pixelwise.load import load
    from pixelwise.metrics.evaluate import count, known_truths
    from pixelwise.metrics.films import is_film
    from pixelwise.metrics.tally import families_of
    from pixelwise.metrics.truths import usual
    from pixelwise.metrics.views import view_of

    loaded = load(source, precision="fp32")  # as training scores: figures do not depend on the machine
    truth, gives = chosen.dataset.kind, loaded.card.kind
    if gives == "regions" and truth != "regions" and running.levels is None:
        gives = "semantic"  # a method's regions are matched to classes where the truth has some
    for refiner in running.refiners:
        gives = refiner.gives(gives)
    names = list(metrics or usual(truth, gives, is_film(chosen.dataset)))
    families = families_of(names)
    notes: list[str] = []
    if running.levels is None and any(module.KIND != "regions" for module in families.values()):
        wants_objects = gives == "semantic" and any(view_of(module) == "instance" for module in families.values())
        loaded, chosen, notes = prepare(loaded, chosen, running.batch, wants_objects)
    levels = [loaded] if running.levels is None else at_levels(loaded, running.levels, families)
    around = running.wrap or wrapping("auto", None, False, False)
    predictors = [around(one) for one in levels]
    predictor = predictors[len(predictors) // 2]  # that is shown
    card, training = predictor.card, loaded.card.training
    truths = known_truths(chosen.dataset, card, families)
    trained_on = str(training.get("data", ""))
    if chosen.split == "all" and trained_on and Path(trained_on).name == chosen.dataset.name:
        notes.append(f"the images scored may include those the model was trained on ({trained_on})")
    request = Request(threshold=running.threshold)
    return Subject(
        predictor.card.name + (f" at {running.levels}" if running.levels else ""),
        chosen,
        truths.shown,
        names,
        lambda families, group, progress: count(
            predictors,
            known_truths(chosen.dataset, card, families),
            families,
            batch=running.batch,
            threshold=running.threshold,
            group=group,
            progress=progress,
        ),
        lambda sample: predictor([sample.image], request)[0],
        predictor.card.gives_probabilities,
        (*truths.notes(chosen.dataset, card.labels, card.kind), *notes),
        run_facts(Path(source), predictor) if training and Path(source).is_dir() else training,
    )
