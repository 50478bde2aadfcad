"""The images of an export: those it is proved on, those that show the ranges of values, and those that watch the score.

By default they are the run's own: proved on what it kept aside for validation, calibrated and watched on what it was trained
on, so that nothing is chosen by the images that decide.
"""

from dataclasses import dataclass
from pathlib import Path

from pixelwise.core.errors import OptionError, UnknownLayout
from pixelwise.core.labels import LabelSet
from pixelwise.core.sample import Dataset, ImageFile, Sample
from pixelwise.core.segmentation import Kind
from pixelwise.curate.held_out import data_of, read_own, with_held_out
from pixelwise.jobs.judge import spread

CALIBRATED = 128  # images that show ranges
WATCHED = 48  # images a score is watched on


@dataclass(frozen=True)
class Material:
    """Images for one export.

    Attributes:
        proof: those the two models are compared on.
        ranges: those that show what values occur.
        watched: with truth, apart from both; None where there are none.
        notes: what to know of the choice.
    """

    proof: Dataset
    ranges: Dataset
    watched: Dataset | None = None
    notes: tuple[str, ...] = ()


def material_of(
    run: Path, data: Dataset | str | Path | None = None, *, split: str | None = None, images: int | None = None
) -> Material:
    """Choose the images of an export.

    Args:
        run: what is exported.
        data: other images than the run's own, labelled or not.
        split: of them, to prove it on; None for val, else test, else all.
        images: how many to prove it on, evenly apart; None for all.

    Raises:
        OptionError: the run's recipe names no data that is there, there is no such split, or there are no images.
        PixelwiseError: the data cannot be read.
    """
    dataset = data if isinstance(data, Dataset) else _read(run, data)
    if not len(dataset):
        raise OptionError(f"{dataset.name}: holds no image to prove an export on")
    name = split or next((usual for usual in ("val", "test") if usual in dataset.splits), None)
    proof = dataset if name in (None, "all") else dataset.split(str(name))
    notes = [f"compared on '{name}'" if name else "compared on all images"]
    if images is not None:
        proof = spread(proof, images)
    taken = {sample.name for sample in proof}
    rest = dataset.split("train") if "train" in dataset.splits else dataset
    rest = rest.where(lambda sample: sample.name not in taken)
    if not len(rest):
        notes.append("the ranges of values are those of the images it is compared on, as there are no others")
        return Material(proof, spread(proof, CALIBRATED), None, tuple(notes))
    labelled = rest.where(lambda sample: sample.truth_source is not None)
    watched = spread(labelled, min(WATCHED, len(rest) // 3)) if len(labelled) and len(rest) >= 3 else None
    watching = {sample.name for sample in watched or ()}
    return Material(proof, spread(rest.where(lambda sample: sample.name not in watching), CALIBRATED), watched, tuple(notes))


def _read(run: Path, data: str | Path | None) -> Dataset:
    if data is None:
        found = read_own(run)
        if found is None:
            stated = data_of(run).get("path")
            why = f"names data that is not there: {stated}" if stated else "does not say what data it was trained on"
            raise OptionError(f"{run}: its recipe {why}; give images to prove the export on with --data")
        return found
    return read_or_list(Path(data), run)


def read_or_list(
    path: Path, run: Path, lists: Path | None = None, void: str | None = None, classes: str | None = None
) -> Dataset:
    """Read labelled data; a folder or a file without labels gives its images alone.

    Raises:
        MissingFile: there is nothing there.
        PixelwiseError: there are labels, and they cannot be read.
    """
    from pixelwise.curate.split_lists import read_with_lists

    try:
        dataset = read_with_lists(path, lists, void=void, classes=classes)
    except UnknownLayout:
        return listed(path)
    return dataset if lists is not None else with_held_out(dataset, run)


def listed(path: Path, kind: Kind = "semantic") -> Dataset:
    """Take the images under a path, without truth.

    Raises:
        MissingFile: there are none.
    """
    from pixelwise.predict.inputs import find_images

    images, _ = find_images(path, path / ".no results")
    samples = [Sample(image.stem, ImageFile(image), None, LabelSet(())) for image in images]
    return Dataset(samples, LabelSet(()), kind, name=path.name)
