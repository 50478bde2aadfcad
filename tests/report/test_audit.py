"""The page of an audit: what it shows, what it leaves out, and that nothing in a name can break it."""

import json
import re

import numpy as np

from pixelwise.core.image import Image
from pixelwise.core.labels import LabelSet
from pixelwise.core.sample import Sample
from pixelwise.core.segmentation import Segmentation
from pixelwise.report.audit import PICTURED, AuditPage, ClassRow, Finding, pictures_of, render_audit
from pixelwise.scenes import LABELS, scenes

SCENE = scenes(1, (48, 64))[0]


def page(*findings: Finding) -> str:
    rows = [ClassRow("0", "sky", 0, 1234567, 0.5, 3), ClassRow("9", "(void)", None, 10, 0.1, 1)]
    return render_audit(AuditPage("set", LABELS, "two things", findings=findings, classes=rows, data={"clean": False}))


def test_findings_are_grouped_and_pictured() -> None:
    text = page(Finding("error", "leak", "one", [("a", SCENE), ("b", SCENE)]), Finding("note", "blank", "two"))
    assert text.index("Leak") < text.index("Blank")
    assert text.count("<img") == 4
    assert "1,234,567" in text


def test_beyond_the_first_of_a_kind_findings_are_listed_without_pictures() -> None:
    text = page(*(Finding("warning", "duplicate", f"copy {index}", [("a", SCENE)]) for index in range(PICTURED + 3)))
    assert text.count("<img") == 2 * PICTURED
    assert f"copy {PICTURED + 2}" in text
    assert "3 more without pictures" in text


def test_names_cannot_break_the_page() -> None:
    text = page(Finding("error", "leak", "<script>alert(1)</script>"))
    assert "<script>alert" not in text


def test_the_audit_is_in_the_page_as_json() -> None:
    found = re.search(r'id="audit">(.*?)</script>', page())
    assert found is not None
    assert json.loads(found.group(1)) == {"clean": False}


def test_a_mask_of_another_size_is_shown_by_itself() -> None:
    labels = LabelSet.of(["a", "b"])
    truth = Segmentation.from_class_map(np.eye(20, dtype=np.uint8), labels)
    sample = Sample.of("odd", Image(np.zeros((30, 40, 3), np.uint8)), truth)
    assert [picture.caption for picture in pictures_of(sample)] == ["image", "mask"]
