"""What is wrong with one item by itself: its image, its mask, how they fit the label set, and what reading noticed."""

from collections.abc import Iterable
from pathlib import Path

from pixelwise.core.arrays import Size
from pixelwise.core.labels import VOID
from pixelwise.core.sample import Dataset, Sample
from pixelwise.curate.problem import Fault, Problem, splits_of
from pixelwise.formats.masks import MaskFile, mismatch
from pixelwise.formats.masks.scan import Scan, values_of
from pixelwise.formats.masks.values import Proposal


def problems_of(sample: Sample, size: Size | str, scan: Scan, proposal: Proposal) -> list[Problem]:
    """List what is wrong with a sample, given its image's size or what reading the image said."""
    image = str(sample.source.image or sample.name)
    found = []
    if isinstance(size, str):
        found.append(Problem("image", image, size, fatal=True))
    elif min(size) < 2:
        text = f"{image}: the image is {size[0]} x {size[1]} (height x width), too thin to learn from; it is left out"
        found.append(Problem("tiny", image, text, fatal=True))
    source = sample.truth_source
    if isinstance(source, MaskFile):
        found += _mask_problems(source, size, scan, proposal)
    elif (failure := scan.failures.get(Path(sample.name))) is not None and failure != size:  # else the image is told already
        found.append(Problem("mask", image, failure, fatal=True))
    elif (record := scan.records.get(Path(sample.name) / "0")) is not None and isinstance(size, tuple) and record.size != size:
        text = (
            f"{image}: its mask is {record.size[0]} x {record.size[1]} (height x width), but the image is "
            f"{size[0]} x {size[1]}; resize the mask with nearest-neighbour, or leave the pair out"
        )
        found.append(Problem("size", image, text, fatal=True))
    return found


def _mask_problems(source: MaskFile, size: Size | str, scan: Scan, proposal: Proposal) -> list[Problem]:
    mask = str(source.path)
    if source.path in scan.failures:
        return [Problem("mask", mask, scan.failures[source.path], fatal=True)]
    record = scan.records[source.path]
    found = []
    if isinstance(size, tuple) and record.size != size:
        found.append(Problem("size", mask, mismatch(source.path, source.image, record.size, size), fatal=True))
    labels = proposal.labels
    if labels.encoding != scan.encoding:
        text = f"{mask}: the masks are coded by {scan.encoding}, but the label set maps {labels.encoding} values"
        return [*found, Problem("values", mask, text, fatal=True)]
    held = dict(zip(values_of(record, labels.encoding), record.pixels, strict=True))
    if strange := [value for value in held if value not in labels.values]:
        shown = ", ".join(labels.describe(value) for value in strange[:5]) + (" …" if len(strange) > 5 else "")
        text = (
            f"{mask}: value {shown} ({sum(held[value] for value in strange):,} pixels) is outside the label set "
            f"({', '.join(labels.describe(value) for value in list(labels.values)[:12])}); name it with --classes or --void"
        )
        found.append(Problem("values", mask, text, fatal=True))
    if record.dropped:
        text = f"{mask}: it holds more than a thousand values; is it a photograph?"
        found.append(Problem("values", mask, text, fatal=any(value not in labels.values for value in held)))
    elif all(labels.values.get(value, 0) == VOID for value in held) and proposal.settled:
        found.append(Problem("one value", mask, f"{mask}: every pixel is void, so nothing can be learnt from it", fatal=True))
    elif len(held) == 1 and record.pixels[0] > max(record.size):  # a line of pixels is too thin anyway
        value = next(iter(held))
        text = f"{mask}: the mask holds one value, {labels.describe(value)}, everywhere; look whether that is meant"
        found.append(Problem("one value", mask, text))
    return found


def noted(dataset: Dataset) -> Iterable[Problem]:
    """Turn what reading noticed into problems."""
    source = dataset[0].truth_source if len(dataset) else None
    prefix = f"{source.root}/" if isinstance(source, MaskFile) else ""
    for note in dataset.notes:
        text = note if Path(note.partition(": ")[0]).is_absolute() else prefix + note
        kind: Fault = "name" if "has the stem of" in note else "split" if "entries name no" in note else "partner"
        yield Problem(kind, text.partition(": ")[0], text)


def split_twice(dataset: Dataset) -> Iterable[Problem]:
    """Find samples in two splits: a model would be scored on what it was trained on."""
    for row, names in enumerate(splits_of(dataset.splits, len(dataset))):
        if len(names) > 1:
            file = str(dataset[row].source.image or dataset[row].name)
            text = f"{file}: it is in the splits {' and '.join(sorted(names))}; keep it in one"
            yield Problem("split", file, text, severity="error", rows=(row,))
