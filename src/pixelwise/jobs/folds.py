"""Cross-validation: train one model a fold, and score every image by the model that has not seen it.

The folds are runs of their own (``RUN/fold_1`` …), each resumable. The out-of-fold scores add the counts of all images, so they
are scores of the whole data set; beside them stand mean and standard deviation over the folds' own scores.
"""

import math
import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pixelwise.core.errors import MissingFile, OptionError
from pixelwise.core.files import write_json
from pixelwise.core.predictor import Predictor
from pixelwise.core.sample import Dataset, Sample
from pixelwise.core.segmentation import Kind, Segmentation
from pixelwise.metrics.evaluate import count, known_truths, with_about
from pixelwise.metrics.result import Report
from pixelwise.metrics.tally import Tally, families_of, report_of
from pixelwise.models import checkpoint
from pixelwise.predict.network import Network
from pixelwise.report.evaluation import page_of
from pixelwise.report.page import write_page
from pixelwise.report.tables import write_tables
from pixelwise.train import origin
from pixelwise.train import start as starting
from pixelwise.train.devices import leads
from pixelwise.train.fit import Run
from pixelwise.train.folds import Folds
from pixelwise.train.goal import goal_of
from pixelwise.train.options import Recipe, read_recipe, write_recipe
from pixelwise.train.run import RunFolder

BESIDE = {"overlap": ("mean_accuracy", "dice")}  # scores of a family whose spread over the folds is told, besides the goal's

Finish = Callable[[Run, starting.Prepared, Recipe, Path], None]


@dataclass(frozen=True)
class CrossValidation:
    """What cross-validation found.

    Attributes:
        kind: of segmentation.
        folder: with ``fold_1`` …, ``folds.json`` and ``report.html``.
        recipe: of all folds.
        folds: who was held by which.
        report: out-of-fold scores; None where training was interrupted.
        scores: of each fold alone, in order.
        stopped: ``interrupted``, or empty.
    """

    kind: Kind
    folder: Path
    recipe: Recipe
    folds: Folds
    report: Report | None
    scores: tuple[Mapping[str, float], ...]
    stopped: str = ""

    @property
    def told(self) -> tuple[str, ...]:
        """The scores whose spread over the folds is told."""
        goal = goal_of(self.kind)
        return (goal.main, goal.beside, *BESIDE.get(goal.family, ()))

    @property
    def spread(self) -> dict[str, tuple[float, float]]:
        """Mean and standard deviation over the folds, by score; folds without a score are left out."""
        return {name: _mean_and_deviation([one.get(name, math.nan) for one in self.scores]) for name in self.told}

    def __str__(self) -> str:
        """Write as a table for the terminal."""
        lines = [str(self.report), ""] if self.report is not None else []
        lines += [
            f"  {name:<15}  {mean:.4f} ± {deviation:.4f} over the folds" for name, (mean, deviation) in self.spread.items()
        ]
        for number, scores in enumerate(self.scores, start=1):
            lines.append(f"  fold {number}: " + "  ".join(f"{name} {scores[name]:.4f}" for name in self.told if name in scores))
        return "\n".join([*lines, *(f"note: {note}" for note in self.folds.notes)])

    def to_json(self) -> dict[str, Any]:
        """Write as plain JSON values."""
        spread = {
            name: {
                "mean": _number(mean),
                "deviation": _number(deviation),
                "folds": [_number(one.get(name)) for one in self.scores],
            }
            for name, (mean, deviation) in self.spread.items()
        }
        return {
            "folds": len(self.folds.folds),
            "rule": self.folds.rule,
            "notes": list(self.folds.notes),
            "spread": spread,
            "out_of_fold": None if self.report is None else self.report.to_json(),
        }


def cross_validate(
    recipe: Recipe | None, out: Path, resume: bool = False, quiet: bool = False, finish: Finish | None = None
) -> CrossValidation:
    """Train and score a model for each of ``[data] folds``.

    Args:
        recipe: of all folds; its minutes are shared out among them. None resumes the one in ``out``.
        out: the folder of all runs.
        resume: go on where it was stopped; folds that are done are only scored again.
        quiet: print nothing.
        finish: called with each fold's run, data, recipe and folder, when it is trained.

    Raises:
        OptionError: the data cannot make so many folds.
        RunInUse: ``out`` holds another run.
        MissingFile: there is nothing to resume.
    """
    folder = RunFolder(Path(out))
    with folder.locked():
        recipe = _opened(recipe, folder, resume)
        say = starting.printer(quiet, folder.log)
        pool, folds, recipe = starting.folds_of(recipe, say)
        say(f"folds: {len(folds.folds)} of {len(pool)} images: {folds.rule}")
        for note in folds.notes:
            say(f"note: {note}")
        tallies: list[Tally] = []
        for number in range(1, len(folds.folds) + 1):
            say(f"fold {number} of {len(folds.folds)}:")
            found = _one(recipe, number, folder.folder / f"fold_{number}", quiet, finish)
            if found is None:
                say(f"stopped in fold {number}; go on with: pixelwise train --resume --out {folder.folder}")
                return CrossValidation(
                    pool.kind, folder.folder, recipe, folds, None, _scores(tallies, pool.kind), "interrupted"
                )
            tallies.append(found)
        metrics = (goal_of(pool.kind).family,)
        report = report_of(_joined(tallies), families_of(metrics), metrics)
        about = {"model": recipe.network, "data": pool.name, "split": "out of fold"}
        result = CrossValidation(
            pool.kind, folder.folder, recipe, folds, with_about(report, about), _scores(tallies, pool.kind)
        )
        write_json(folder.folder / "folds.json", {**result.to_json(), "members": _members(folds, pool)})
        _write_report(result, pool)
    return result


def _opened(recipe: Recipe | None, folder: RunFolder, resume: bool) -> Recipe:
    """Make the folder for new folds and keep their recipe, or read the recipe of those to resume."""
    if resume and folder.recipe.is_file():
        recipe = read_recipe(folder.recipe)
        if not recipe.data.folds or recipe.data.fold:
            raise OptionError(f"{folder.folder}: it holds one run, not folds; resume it without --folds")
        return recipe
    if recipe is None:
        raise MissingFile(
            f"{folder.folder}: expected folds to resume, found no recipe.toml; start them with --data and --folds"
        )
    if not recipe.data.folds:
        raise OptionError("[data] folds: expected 2 or more, got 0")
    if not leads(recipe.train):
        raise OptionError(
            "a launcher started several processes, and folds run one after the other: run each by itself with "
            f"--set data.folds={recipe.data.folds} --set data.fold=1 and so on"
        )
    folder.open_new()
    recipe = starting.absolute(origin.named(recipe, origin.card_of(recipe)))
    write_recipe(folder.recipe, recipe)
    return recipe


def _one(recipe: Recipe, number: int, place: Path, quiet: bool, finish: Finish | None) -> Tally | None:
    """Train or resume one fold and count its images; None where it was interrupted."""
    own = replace(
        recipe,
        data=replace(recipe.data, fold=number),
        train=replace(recipe.train, minutes=recipe.train.minutes / recipe.data.folds),
    )
    is_open = (place / "recipe.toml").is_file()
    run, prepared, done = starting.resume(place, quiet) if is_open else starting.start(own, place, quiet)
    if run.stopped == "interrupted":
        return None
    if finish is not None:
        finish(run, prepared, done, place)
    network = Network(run.model, done.train.device, "32-true")
    families = families_of((goal_of(network.card.kind).family,))
    return count([network], known_truths(prepared.val, network.card, families), families)


def _joined(tallies: Sequence[Tally]) -> Tally:
    """Add what was counted of different images."""
    first = tallies[0]
    return Tally(
        first.labels,
        tuple(name for one in tallies for name in one.names),
        tuple(group for one in tallies for group in one.groups),
        {family: sum(one.counts[family] for one in tallies if family in one.counts) for family in first.counts},
        {family: [each for one in tallies for each in one.single[family]] for family in first.single},
        tuple(row for one in tallies for row in one.rows),
        tuple(failure for one in tallies for failure in one.failures),
    )


def _scores(tallies: Sequence[Tally], kind: Kind) -> tuple[Mapping[str, float], ...]:
    metrics = (goal_of(kind).family,)
    return tuple(report_of(one, families_of(metrics), metrics, None).scores for one in tallies)


def _members(folds: Folds, pool: Dataset) -> dict[str, list[str]]:
    return {f"fold_{number}": [pool[row].name for row in fold.held] for number, fold in enumerate(folds.folds, start=1)}


def _write_report(result: CrossValidation, pool: Dataset) -> None:
    """Write the page; the images shown are segmented once more, each by the model of its fold."""
    assert result.report is not None
    owner = {pool[row].name: number for number, fold in enumerate(result.folds.folds, start=1) for row in fold.held}
    opened: dict[int, Predictor] = {}

    def segment(sample: Sample) -> Segmentation:
        number = owner[sample.name]
        if number not in opened:
            opened.clear()  # one model in memory is enough
            opened[number] = Network(checkpoint.load(result.folder / f"fold_{number}"), result.recipe.train.device, "32-true")
        return opened[number]([sample.image])[0]

    facts = {"folds": f"{len(result.folds.folds)}: {result.folds.rule}"}
    for name, (mean, deviation) in result.spread.items():
        each = ", ".join(f"{scores[name]:.4f}" for scores in result.scores if name in scores)
        facts[f"{name} of the folds"] = f"{mean:.4f} ± {deviation:.4f} ({each})"
    report = replace(result.report, notes=(*result.report.notes, *result.folds.notes))
    title = f"{result.folder.name}: {len(result.folds.folds)} folds of {result.recipe.model['name']}"
    write_tables(result.folder, report, title)
    write_page(result.folder / "report.html", page_of(report, pool, segment, title, facts))


def _mean_and_deviation(values: Sequence[float]) -> tuple[float, float]:
    known = [value for value in values if not math.isnan(value)]
    if not known:
        return math.nan, math.nan
    return statistics.fmean(known), statistics.stdev(known) if len(known) > 1 else math.nan


def _number(value: float | None) -> float | None:
    return None if value is None or not math.isfinite(value) else float(value)
