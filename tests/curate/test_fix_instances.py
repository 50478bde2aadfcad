"""A cleaned copy of instances is a COCO set: nothing of its objects is lost."""

from pathlib import Path

from pixelwise.curate.check import check
from pixelwise.curate.fix import write_fixed
from pixelwise.formats import coco, read
from pixelwise.scenes import scenes


def test_instances_are_kept_as_instances(tmp_path: Path) -> None:
    drawn = scenes(3, (32, 48), "instance", seed=1)
    coco.write(drawn, tmp_path / "data")
    write_fixed(check(tmp_path / "data"), tmp_path / "clean", tmp_path / "data")
    clean = read(tmp_path / "clean")
    assert clean.kind == "instance"
    assert {one.name: one.truth for one in clean} == {one.name: one.truth for one in drawn}
