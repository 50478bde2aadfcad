"""The page of an audit: what a data set holds and what is wrong with it, with pictures, as one HTML file that needs no other.

Pictures are drawn while the page is written, a few of each kind, so that a set of any size makes a page of some megabytes.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from pixelwise.core.arrays import ByteArray
from pixelwise.core.errors import PixelwiseError
from pixelwise.core.files import write_text
from pixelwise.core.labels import LabelSet
from pixelwise.core.sample import Sample
from pixelwise.draw.colours import class_colours, rgb_bytes
from pixelwise.draw.overlay import overlay
from pixelwise.report.examples import Picture, embedded
from pixelwise.report.page import embedded_json, filled

PICTURED = 12  # findings of a kind that are shown with pictures; the others are listed
SIDE = 300  # pixels of a picture's longer side


@dataclass(frozen=True, eq=False)
class Finding:
    """One finding: its severity and kind, a sentence, and the samples to show, each with a caption."""

    severity: str
    kind: str
    text: str
    samples: Sequence[tuple[str, Sample]] = ()


@dataclass(frozen=True, eq=False)
class ClassRow:
    """A class or void, its pixels, their share, the images it is in; ``index`` is None for what has no colour of its own."""

    value: str
    name: str
    index: int | None
    pixels: int
    share: float
    images: int


@dataclass(frozen=True, eq=False)
class AuditPage:
    """What the page says.

    Attributes:
        title: the data set's name.
        labels: its classes.
        verdict: the result in a sentence.
        facts: images, splits, sizes, in words.
        unsettled: why the value -> class map is not settled, each with the option that settles it.
        classes: the stored values.
        findings: the worst first.
        examples: samples to show what the data looks like, where nothing is wrong with it.
        data: the audit's JSON, kept in the page's element ``#audit``.
    """

    title: str
    labels: LabelSet
    verdict: str
    facts: Mapping[str, str] = field(default_factory=dict)
    unsettled: Sequence[tuple[str, str]] = ()
    classes: Sequence[ClassRow] = ()
    findings: Sequence[Finding] = ()
    examples: Sequence[tuple[str, Sample]] = ()
    data: Mapping[str, Any] = field(default_factory=dict)


def write_audit(path: Path, page: AuditPage) -> None:
    """Write ``page`` to ``path`` as one HTML file, whole or not at all.

    Raises:
        StorageError: the file cannot be written.
    """
    write_text(Path(path), render_audit(page))


def render_audit(page: AuditPage) -> str:
    """Give the page as HTML."""
    colours = ["#{:02x}{:02x}{:02x}".format(*colour) for colour in class_colours(page.labels)]
    return filled(
        "audit.html.jinja",
        page=page,
        groups=_groups(page.findings),
        examples=[{"caption": caption, "pictures": pictures_of(sample)} for caption, sample in page.examples],
        colours=colours,
        data=embedded_json(page.data),
    )


def _groups(findings: Sequence[Finding]) -> list[dict[str, Any]]:
    """Group findings by severity and kind, and draw the first of each."""
    groups: dict[tuple[str, str], list[Finding]] = {}
    for one in findings:
        groups.setdefault((one.severity, one.kind), []).append(one)
    return [
        {
            "severity": severity,
            "kind": kind,
            "count": len(found),
            "shown": [_drawn(one) for one in found[:PICTURED]],
            "listed": [one.text for one in found[PICTURED:]],
        }
        for (severity, kind), found in groups.items()
    ]


def _drawn(finding: Finding) -> dict[str, Any]:
    return {
        "text": finding.text,
        "samples": [{"caption": caption, "pictures": pictures_of(sample)} for caption, sample in finding.samples],
    }


def pictures_of(sample: Sample) -> list[Picture]:
    """Draw a sample's image, and its masks over it; what cannot be read is left out, as a page lists broken files."""
    try:
        image = sample.image
        plain = rgb_bytes(image)
    except PixelwiseError:
        plain = None
    drawn: dict[str, ByteArray] = {} if plain is None else {"image": plain}
    try:
        truth = sample.truths[0] if sample.truths else None
        if truth is not None:
            under = plain if plain is not None and plain.shape[:2] == truth.size else np.zeros((*truth.size, 3), np.uint8)
            drawn["mask over image" if under is plain else "mask"] = overlay(under, truth, 0.6)
    except PixelwiseError:
        stored = _stored(sample)
        if stored is not None:
            drawn["mask as stored"] = stored
    return [embedded(caption, picture, SIDE) for caption, picture in drawn.items()]


def _stored(sample: Sample) -> ByteArray | None:
    """Draw a mask that does not fit its image or its label set: its values as grey levels or colours."""
    try:
        raw = sample.raw()
    except PixelwiseError:
        return None
    if not raw:
        return None
    values = np.asarray(raw[0], np.int64)
    if sample.labels.encoding == "rgb":
        return np.stack([values >> 16 & 255, values >> 8 & 255, values & 255], axis=2).astype(np.uint8)
    levels = np.unique(values, return_inverse=True)[1].reshape(values.shape)
    grey = np.asarray(levels * (255 / max(int(levels.max()), 1)), np.uint8)
    return np.repeat(grey[:, :, None], 3, axis=2)
