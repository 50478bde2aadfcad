"""What a report page asks for, and which samples several runs kept aside."""

import json
from dataclasses import replace

import numpy as np
import pytest

from pixelwise.cli.scoring import page_metrics
from pixelwise.core.errors import OptionError
from pixelwise.core.image import as_image
from pixelwise.core.labels import LabelSet
from pixelwise.core.sample import Dataset, ImageFile, Sample
from pixelwise.curate.held_out import with_held_out
from pixelwise.scenes import scenes

DRAWN = scenes(6, (32, 32))


def kept(folder, names):
    folder.mkdir()
    (folder / "card.json").write_text(json.dumps({"training": {"val_names": names}}))
    return folder


def test_calibration_is_shown_where_there_are_probabilities_small_enough_to_hold():
    assert page_metrics(["miou"], False, DRAWN) == (["miou", "sizes"], "")
    assert page_metrics(["miou"], True, DRAWN) == (["miou", "sizes", "calibration"], "")
    huge = Sample.of("huge", as_image(np.broadcast_to(np.zeros((1, 1), np.uint8), (4000, 6000))))
    data = Dataset([huge], LabelSet.of([f"c{index}" for index in range(23)]), "semantic")
    names, note = page_metrics(["miou"], True, data)
    assert names == ["miou", "sizes"]
    assert "2.2 GB an image" in note
    assert page_metrics(["calibration"], True, data) == (["calibration", "sizes"], "")


def test_borders_and_kinds_of_errors_stand_beside_whole_families_where_they_cost_little():
    assert page_metrics(["overlap"], False, DRAWN) == (["overlap", "boundary", "error_kinds", "sizes"], "")
    assert page_metrics(["average_precision"], False, DRAWN)[0] == ["average_precision", "boundary_average_precision"]
    assert page_metrics(["ap50"], False, DRAWN)[0] == ["ap50"]
    huge = Sample.of("huge", as_image(np.broadcast_to(np.zeros((1, 1), np.uint8), (4000, 6000))))
    names, note = page_metrics(["overlap"], False, Dataset([huge] * 60, LabelSet.of(["a"]), "semantic"))
    assert names == ["overlap", "sizes"]
    assert "60 images of up to 24.0 megapixels" in note
    assert "--metrics boundary,error_kinds" in note


def test_a_broken_image_is_left_for_its_turn(tmp_path):
    (tmp_path / "a.png").write_bytes(b"no image")
    broken = replace(DRAWN[0], pixels=ImageFile(tmp_path / "a.png"))
    assert page_metrics(["miou"], True, Dataset([broken], DRAWN.labels, "semantic"))[0] == ["miou", "sizes", "calibration"]


def test_samples_that_a_run_kept_aside_become_val(tmp_path):
    found = with_held_out(DRAWN, kept(tmp_path / "a", [DRAWN[1].name, DRAWN[4].name]))
    assert found.splits == {"train": (0, 2, 3, 5), "val": (1, 4)}


def test_a_run_with_lists_is_scored_on_what_its_lists_kept_aside(tmp_path):
    own = Dataset(DRAWN.samples, DRAWN.labels, DRAWN.kind, {"train": [0, 1], "val": [2], "test": [3]})
    run = kept(tmp_path / "a", [DRAWN[1].name])
    card = {"val_names": [DRAWN[1].name], "test_names": [DRAWN[4].name], "lists": "mine"}
    (run / "card.json").write_text(json.dumps({"training": card}))
    assert with_held_out(own, run).splits == {"train": (0, 2, 3, 5), "val": (1,), "test": (4,)}


def test_of_two_runs_only_what_neither_was_trained_on_is_val(tmp_path):
    a, b = (kept(tmp_path / name, [DRAWN[row].name for row in rows]) for name, rows in (("a", (1, 4)), ("b", (4, 5))))
    found = with_held_out(DRAWN, a, b)
    assert found.splits["val"] == (4,)
    assert "val are the 1 that none was trained on" in found.notes[-1]
    assert with_held_out(DRAWN, a, tmp_path / "nowhere").splits["val"] == (1, 4)


def test_runs_that_saw_each_others_images_are_refused(tmp_path):
    a, b = (kept(tmp_path / name, [DRAWN[row].name]) for name, row in (("a", 1), ("b", 2)))
    with pytest.raises(OptionError, match="trained on those of the other"):
        with_held_out(DRAWN, a, b)


def test_objects_get_no_page_of_classes():
    assert page_metrics(["video"], True, DRAWN) == (["video"], "")
