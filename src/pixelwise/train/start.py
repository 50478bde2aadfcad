"""Start or resume a run from a recipe: read, check, plan, build, fit."""

import hashlib
import json
import os.path
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeAlias

from pixelwise.augment import warnings_for
from pixelwise.augment.scale import scaled
from pixelwise.core.card import Card
from pixelwise.core.errors import DataError, MissingFile, OptionError, StorageError
from pixelwise.core.files import write_json, write_text
from pixelwise.core.options import to_table
from pixelwise.core.sample import Dataset, Sample
from pixelwise.core.segmentation import PAINTED, Kind
from pixelwise.curate.check import Audit, check
from pixelwise.curate.split_lists import read_with_lists
from pixelwise.models.encoders.weights import is_named
from pixelwise.models.foreign_weights import source_of
from pixelwise.models.segmenter import Segmenter
from pixelwise.train import origin
from pixelwise.train import plan as planning
from pixelwise.train.cost import predict_cost, with_loading
from pixelwise.train.devices import leads, part, ranks, share, together
from pixelwise.train.division import divide, pool_of, with_test
from pixelwise.train.facts import look_at
from pixelwise.train.fit import Run, fit_in
from pixelwise.train.folds import Folds, make_folds
from pixelwise.train.loader import Crops
from pixelwise.train.machine import environment, this_machine
from pixelwise.train.options import PLACE, Recipe, read_recipe, recipe_from, tables_of, with_network, write_recipe
from pixelwise.train.run import RunFolder
from pixelwise.train.trial import timed

Say: TypeAlias = Callable[[str], None]


@dataclass(frozen=True)
class Prepared:
    """Data read, checked and divided for a recipe, which has a network from here on."""

    audit: Audit
    train: Dataset
    val: Dataset
    recipe: Recipe


def start(recipe: Recipe, out: Path, quiet: bool = False) -> tuple[Run, Prepared, Recipe]:
    """Start a new run in ``out``; give the run, its data and the resolved recipe.

    Raises:
        UnsettledLabels: the value -> class map is ambiguous; the message names the flag that settles it.
        RunInUse: ``out`` holds another run.
    """
    if not leads(recipe.train):
        return follow(recipe, Path(out))
    folder = RunFolder(Path(out))
    say = printer(quiet)
    if recipe.data.folds and not recipe.data.fold:
        raise OptionError("[data] fold: one run is of one fold; give its number, or train all of them with --folds")
    card = origin.card_of(recipe)
    recipe = origin.named(recipe, card)
    said: list[str] = []
    prepared = prepare(recipe, lambda text: (said.append(text), say(text))[1])
    recipe = prepared.recipe
    with folder.locked():
        folder.open_new()
        write_text(folder.log, "".join(f"{text}\n" for text in said))
        say = printer(quiet, folder.log)
        recipe, model = planned(recipe, card, prepared, say)
        recipe = _timed(recipe, model, prepared, say)
        write_json(folder.card, _with_training(model, prepared, recipe).card.to_json())
        write_json(folder.environment, environment())
        write_recipe(folder.recipe, recipe)
        run = _lead(model, prepared, recipe, folder, False, quiet)
    return run, prepared, recipe


def planned(recipe: Recipe, card: Card | None, prepared: Prepared, say: Say) -> tuple[Recipe, Segmenter]:
    """Plan what the recipe leaves open, say why, and build the network; ``card`` is of the checkpoint it starts from."""
    facts = look_at(prepared.train)
    machine = this_machine(recipe.train.device)
    made = planning.plan(origin.inherited(recipe, card, facts.bands), facts, machine)
    recipe = absolute(made.recipe)
    model = origin.build(recipe, prepared.train, say)
    options = recipe.train
    cost = predict_cost(model, options.batch, options.crop, options.precision, machine, options.freeze_norm)
    train = scaled(prepared.train, recipe.data.scale or 1.0)
    crops = Crops(train, model.head, recipe.augment, options.crop, options.seed, model.card.bands, memory=2**26)
    cost = with_loading(cost, crops, options.batch, machine)
    say("plan:\n" + planning.table([*made.reasons, *planning.cost_reasons(cost, options.steps, machine)]))
    for warning in warnings_for(recipe.augment, prepared.train):
        say(f"augmentation: {warning}")
    return recipe, model


def resume(out: Path, quiet: bool = False, place: Mapping[str, Any] | None = None) -> tuple[Run, Prepared, Recipe]:
    """Go on with the run in ``out`` where it was stopped; a finished run is only loaded.

    Args:
        place: options of ``[train]`` that say where and how it is computed, not what (``PLACE``), in place of the recipe's.

    Raises:
        OptionError: ``place`` holds another option.
        MissingFile: ``out`` holds no run.
        CheckpointError: its state is damaged, or its data changed.
    """
    folder = RunFolder(Path(out))
    if not folder.recipe.is_file():
        raise MissingFile(f"{out}: expected a run folder to resume, found no recipe.toml in it; start a run with --data")
    recipe = _placed(read_recipe(folder.recipe), place or {})
    if not leads(recipe.train):
        return follow(recipe, Path(out))
    prepared = prepare(recipe, printer(quiet))
    with folder.locked():
        model = _with_training(origin.rebuilt(recipe, prepared.train, folder), prepared, recipe)
        run = _lead(model, prepared, recipe, folder, True, quiet)
    return run, prepared, recipe


def follow(recipe: Recipe, out: Path) -> tuple[Run, Prepared, Recipe]:
    """Take part in a run that another process leads: it plans and says what to do, and writes."""
    fabric = together(recipe.train, _follower(recipe, out))
    tables, resumes = share(({}, False), fabric)
    recipe, folder = recipe_from(tables), RunFolder(out)
    prepared = prepare(recipe, printer(True))
    model = _with_training(origin.rebuilt(recipe, prepared.train, folder), prepared, recipe)
    return _run(model, prepared, recipe, folder, resumes, True), prepared, recipe


def _lead(model: Segmenter, prepared: Prepared, recipe: Recipe, folder: RunFolder, resumes: bool, quiet: bool) -> Run:
    """Run; where the run has several processes, start the others and tell them what was planned."""
    if ranks(recipe.train) == 1:
        return _run(model, prepared, recipe, folder, resumes, quiet)
    try:
        share((tables_of(recipe), resumes), together(recipe.train, _follower(recipe, folder.folder)))
        return _run(model, prepared, recipe, folder, resumes, quiet)
    finally:
        part()


def _follower(recipe: Recipe, out: Path) -> list[str]:
    """Give the command that starts another process of a run."""
    return [sys.executable, "-m", "pixelwise.train.follow", str(out.resolve()), json.dumps(to_table(recipe.train))]


def _placed(recipe: Recipe, place: Mapping[str, Any]) -> Recipe:
    if strange := sorted(set(place) - PLACE):
        raise OptionError(
            f"[train] {strange[0]} belongs to what a run is, and cannot change when it is resumed; "
            f"only {', '.join(sorted(PLACE))} can"
        )
    return recipe_from({**tables_of(recipe), "train": {**to_table(recipe.train), **place}})


def _run(model: Segmenter, prepared: Prepared, recipe: Recipe, folder: RunFolder, resume: bool, quiet: bool) -> Run:
    stamp = fingerprint(recipe, prepared)
    train, val = _at_scale(prepared, recipe)
    return fit_in(folder.folder, model, train, val, recipe.train, recipe.augment, resume, quiet, stamp)


def prepare(recipe: Recipe, say: Say = print) -> Prepared:
    """Read, check and divide the data of a recipe; bad files are listed and left out."""
    audit, recipe = audited(recipe, say)
    train, val = divide(audit.good, recipe)
    sizes = f"training on {len(train)} images, validating on {len(val)}"
    test = len(audit.good.splits.get("test", ())) if recipe.data.test or recipe.data.lists else 0
    kept = f", {test} kept for a test" if test else ""
    say(f"data: {recipe.data.path}: {len(train.labels)} classes; {sizes}{kept}")
    return Prepared(audit, train, val, recipe)


def folds_of(recipe: Recipe, say: Say = print) -> tuple[Dataset, Folds, Recipe]:
    """Give the images of a recipe that are divided into folds, the folds, and the recipe with its network."""
    audit, recipe = audited(recipe, say)
    pool = pool_of(audit.good, recipe)
    return pool, make_folds(pool, recipe.data.folds, recipe.train.seed), recipe


def audited(recipe: Recipe, say: Say = print) -> tuple[Audit, Recipe]:
    """Read and check the data of a recipe; where it names no network, the kind of the labels chooses one.

    Raises:
        UnsettledLabels: the value -> class map is ambiguous; the message names the flag that settles it.
        DataError: nothing is left to train on.
    """
    options = recipe.data
    if not options.path:
        raise OptionError("there is no data: give --data PATH, or path in the recipe's table [data]")
    audit = check(
        read_with_lists(Path(options.path), Path(options.lists) if options.lists else None, format=options.format or None),
        void=options.void or None,
        classes=options.classes or None,
        progress=_counter(say),
        full=False,
    )
    for problem in audit.problems[:20]:
        say(f"  {problem.text}")
    if len(audit.problems) > 20:
        say(f"  … and {len(audit.problems) - 20} more; see: pixelwise data check {options.path}")
    audit.require_settled()
    if not len(audit.good):
        raise DataError(
            f"{options.path}: no image with a readable mask is left to train on; see: pixelwise data check {options.path}"
        )
    kind = origin.kind_of(recipe, audit.good.kind)
    if not recipe.network:
        recipe = with_network(recipe, origin.SUITED[kind])
        other = "; --kind semantic paints them as classes" if kind != "semantic" and not recipe.model.get("kind") else ""
        say(f"network: {recipe.network}, for {kind} segmentation{other}")
    return replace(audit, good=with_test(_of_kind(audit.good, kind, say), recipe)), recipe


def _of_kind(dataset: Dataset, kind: Kind, say: Say) -> Dataset:
    """Read the labels as the kind to train for.

    Raises:
        OptionError: it cannot be learnt from them.
    """
    if kind == dataset.kind:
        return dataset
    try:
        if kind == "instance":
            found = dataset.instances()
            say(f"labels: the things alone, as objects: {', '.join(found.labels.names)}")
            return found
        if kind == "semantic":
            found = dataset.semantic()
            if dataset.kind == "instance":
                say(f"labels: {PAINTED}")
            return found
    except DataError as error:
        raise OptionError(str(error)) from None
    raise OptionError(f"{dataset.name}: its labels are {dataset.kind}, so {kind} segmentation cannot be learnt from them")


def _at_scale(prepared: Prepared, recipe: Recipe) -> tuple[Dataset, Dataset]:
    """Read training and validation images at the recipe's scale; a finished model is scored on whole images."""
    scale = recipe.data.scale or 1.0
    return scaled(prepared.train, scale), scaled(prepared.val, scale)


def _timed(recipe: Recipe, model: Segmenter, prepared: Prepared, say: Say) -> Recipe:
    """Turn minutes into steps, once; from here on the recipe says steps alone."""
    options = recipe.train
    if not options.minutes:
        return recipe
    found, speed = timed(model, *_at_scale(prepared, recipe), options, recipe.augment)
    checks = f"{found.validations} validation{'s' * (found.validations > 1)}"
    say(f"  {found.steps} steps of {found.batch} and {checks} fill {options.minutes:g} minutes at {speed:.1f} images/s")
    return replace(recipe, train=found)


def _with_training(model: Segmenter, prepared: Prepared, recipe: Recipe) -> Segmenter:
    options = recipe.train
    training = {
        "data": Path(recipe.data.path).name,
        "train_images": len(prepared.train),
        "val_images": len(prepared.val),
        "val_names": [sample.name for sample in prepared.val],
        "steps": options.steps,
        "batch": options.batch,
        "crop": list(options.crop),
        "encoder_weights": model.network.weights,
        "seed": options.seed,
    }
    if prepared.audit.dataset.kind == "instance" and prepared.train.kind == "semantic":
        training["labels"] = PAINTED
    good = prepared.audit.good
    if recipe.data.lists:
        training["lists"] = Path(recipe.data.lists).name
    if (recipe.data.test or recipe.data.lists) and "test" in good.splits:
        training["test_names"] = [good[row].name for row in good.splits["test"]]
    if recipe.data.folds:
        training |= {"fold": recipe.data.fold, "folds": recipe.data.folds}
    model.card = replace(model.card, training={**model.card.training, **training})
    return model


def fingerprint(recipe: Recipe, prepared: Prepared) -> str:
    """Sum up recipe and data, so that a state is never resumed on others."""
    files = [_stamp(sample) for dataset in (prepared.train, prepared.val) for sample in dataset]
    tables = tables_of(recipe)
    tables["train"] = {name: value for name, value in tables["train"].items() if name not in PLACE}
    text = json.dumps([tables, files, prepared.train.labels.to_json()], sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()


def _stamp(sample: Sample) -> list[object]:
    """Give a sample's name, and the size and time of each of its files."""
    paths = [path for path in (sample.source.image, *sample.source.truths) if path is not None]
    return [sample.name, *((path.stat().st_size, path.stat().st_mtime_ns) for path in paths)]


def absolute(recipe: Recipe) -> Recipe:
    """Make paths absolute, so that the recipe holds from any folder."""
    lists = str(Path(recipe.data.lists).resolve()) if recipe.data.lists else ""
    path = str(Path(recipe.data.path).resolve())
    data = replace(recipe.data, path=path, classes=_resolved(recipe.data.classes), lists=lists)
    model = {**recipe.model, "weights": _absolute_weights(recipe.model.get("weights", "imagenet"))}
    return replace(recipe, data=data, model=model if "weights" in recipe.model else recipe.model)


def _absolute_weights(weights: str) -> str:
    if source := source_of(weights):
        return f"{source.maker}:{source.path.resolve()}"
    return weights if is_named(weights) else str(Path(weights).resolve())


def _resolved(text: str) -> str:
    return str(Path(text).resolve()) if os.path.isfile(text) else text  # a long list of names is no path


def printer(quiet: bool, log: Path | None = None) -> Say:
    """Give what tells a line on stderr, unless ``quiet``, and in ``log``."""

    def say(text: str) -> None:
        if not quiet:
            print(text, file=sys.stderr, flush=True)
        if log is not None:
            try:
                with open(log, "a", encoding="utf-8") as file:
                    file.write(f"{text}\n")
            except OSError as error:
                raise StorageError(f"{log}: cannot be written ({error.strerror}); is the disk full?") from None

    return say


def _counter(say: Say, every_seconds: float = 5.0) -> Callable[[str, int, int], None]:
    """Tell every few seconds how far a long scan is."""
    told = time.monotonic()

    def count(what: str, done: int, total: int) -> None:
        nonlocal told
        if time.monotonic() - told >= every_seconds:
            told = time.monotonic()
            say(f"checking {what}: {done} of {total}")

    return count
