"""The page of ``pixelwise data check --out``: an audit's findings handed to the report, each with the samples it is about."""

from pathlib import Path
from typing import TYPE_CHECKING

from pixelwise.core.sample import Dataset, Sample

if TYPE_CHECKING:
    from pixelwise.curate.audit import Audit
    from pixelwise.report.audit import AuditPage, Finding

_EXAMPLES = 4


def write_page(audit: "Audit", path: Path, verdict: str) -> None:
    """Write an audit as a page to ``path``."""
    from pixelwise.report.audit import write_audit

    write_audit(path, page_of(audit, verdict))


def page_of(audit: "Audit", verdict: str) -> "AuditPage":
    """Make the page of an audit."""
    from pixelwise.report.audit import AuditPage, ClassRow

    dataset, labels = audit.dataset, audit.labels
    sizes = [f"{height} x {width} ({count})" for (height, width), count in audit.sizes.items()]
    facts = {
        "images": f"{len(dataset):,}",
        "splits": ", ".join(f"{name} {len(rows):,}" for name, rows in dataset.splits.items()) or "none",
        "sizes (height x width)": ", ".join(sizes[:6]) + (f" and {len(sizes) - 6} more" if len(sizes) > 6 else ""),
    }
    classes = [
        ClassRow(
            row.shown,
            row.name or "(void)",
            labels.names.index(row.name) if row.name in labels.names else None,
            row.pixels,
            row.share,
            row.images,
        )
        for row in audit.rows
    ]
    return AuditPage(
        title=dataset.name,
        labels=labels,
        verdict=verdict,
        facts=facts,
        unsettled=[(reason.text, reason.flag) for reason in audit.reasons],
        classes=classes,
        findings=_findings(audit),
        examples=_examples(audit.good),
        data=audit.to_json(),
    )


def _findings(audit: "Audit") -> list["Finding"]:
    from pixelwise.report.audit import Finding

    found = []
    for problem in (*audit.problems, *audit.notes):
        samples = [(_caption(audit.dataset, row), audit.dataset[row]) for row in problem.rows]
        found.append(Finding(problem.severity, problem.kind, problem.text, samples))
    return found


def _examples(good: Dataset) -> list[tuple[str, Sample]]:
    """Take samples spread evenly over the data set, as neighbours look alike."""
    step = max(1, len(good) // _EXAMPLES)
    return [(_caption(good, row), good[row]) for row in range(0, len(good), step)[:_EXAMPLES]]


def _caption(dataset: Dataset, row: int) -> str:
    inside = [name for name, rows in dataset.splits.items() if row in rows and name not in ("trainval", "all")]
    return dataset[row].name + (f" ({', '.join(inside)})" if inside else "")
