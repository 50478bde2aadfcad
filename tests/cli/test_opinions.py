"""The options of views, ensembles and uncertainty: how they are read, and what they write."""

import csv
import json

import numpy as np
import pytest
import torch
from PIL import Image as Pillow

from pixelwise.cli.app import run
from pixelwise.cli.opinions import Seen, parse_opinions, spelled_out
from pixelwise.core.errors import OptionError
from pixelwise.core.image import write_ids, write_image
from pixelwise.core.labels import LabelSet
from pixelwise.models import checkpoint
from pixelwise.models.networks import unet


def parsed(**given):
    plain = {"flips": False, "turns": False, "views": None, "scales": None, "ensemble": None, "uncertainty": None}
    return parse_opinions(**{**plain, **given})


def test_views_are_flips_and_turns_by_other_words():
    assert parsed(views="Flips, scales").seen == Seen(True, False, (0.75, 1.0, 1.25))
    assert parsed(flips=True, scales="1,2").seen == Seen(True, False, (1.0, 2.0))
    assert not parsed().seen


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"views": "flip"}, "--views flip: expected flips, scales and turns; did you mean 'flips'"),
        ({"scales": "big"}, "--scales big: expected numbers with commas"),
        ({"scales": ""}, "expected numbers with commas"),
        ({"ensemble": ","}, "--ensemble ,: expected models with commas"),
        ({"uncertainty": "entropi"}, "--uncertainty entropi: did you mean 'entropy'"),
        ({"uncertainty": "ensemble"}, "between which models"),
    ],
)
def test_what_is_no_option_is_refused(given, message):
    with pytest.raises(OptionError, match=message):
        parsed(**given)


def test_uncertainty_alone_means_entropy(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "photos").mkdir()
    for rest, wanted in (
        ([], ["--uncertainty=entropy"]),
        (["--out", "o"], ["--uncertainty=entropy", "--out", "o"]),
        (["photos"], ["--uncertainty=entropy", "photos"]),
        (["margin", "photos"], ["--uncertainty", "margin", "photos"]),
        (["mergin"], ["--uncertainty", "mergin"]),
    ):
        assert spelled_out(["predict", "--uncertainty", *rest]) == ["predict", *wanted]


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """Make two models of the same classes, and labelled images."""
    folder = tmp_path_factory.mktemp("runs")
    labels = LabelSet.of(["background", "foreground"])
    for seed, name in enumerate("ab"):
        torch.manual_seed(seed)
        model = unet.build(labels, "semantic", encoder="plain", weights="none", width=4, depth=2, dropout=0.5)
        checkpoint.save(model, folder / name / "best.safetensors")
    rng = np.random.default_rng(0)
    for name in ("1", "1_uncertainty", "2"):
        pixels = rng.integers(0, 256, (24, 32, 3)).astype(np.uint8)
        write_image(folder / "data" / "images" / f"{name}.png", pixels)
        write_ids(folder / "data" / "masks" / f"{name}.png", (pixels[:, :, 0] > 140).astype(np.uint8))
    return folder


@pytest.mark.parametrize("how", [["--uncertainty"], ["--uncertainty", "views"], ["--uncertainty", "dropout"]])
def test_uncertainty_is_written_beside_what_is_found(runs, tmp_path, how):
    command = ["predict", str(runs / "a"), str(runs / "data" / "images"), "--out", str(tmp_path), "--no-overlay", *how]
    assert run(command) == 0
    entries = json.loads((tmp_path / "segments.json").read_text())
    assert len(entries) == 3
    measure = "entropy" if len(how) == 1 else "disagreement"
    for entry in entries:
        about = entry["uncertainty"]
        assert about["measure"] == measure
        written = np.asarray(Pillow.open(tmp_path / about["map"]))
        assert written.shape == tuple(entry["size"])
        assert abs(written.mean() / 255 - about["pixels"]) < 0.01
        assert about["image"] == pytest.approx(np.mean([one["uncertainty"] for one in entry["segments"]]), abs=1e-5)
        parts = [(one["uncertainty"], one["area"]) for one in entry["segments"]]
        assert sum(number * area for number, area in parts) / written.size == pytest.approx(about["pixels"], abs=1e-4)
    rows = list(csv.DictReader((tmp_path / "look_first.csv").open()))
    assert [float(row["uncertainty"]) for row in rows] == sorted((one["uncertainty"]["image"] for one in entries), reverse=True)
    assert len({name for entry in entries for name in (entry["mask"], entry["uncertainty"]["map"])}) == 6
    before = {path.name: path.stat().st_mtime_ns for path in tmp_path.glob("*.png")}
    (tmp_path / entries[0]["uncertainty"]["map"]).unlink()
    assert run(command) == 0
    assert {path.name for path in tmp_path.glob("*.png") if path.stat().st_mtime_ns != before[path.name]} == {
        entries[0]["mask"],
        entries[0]["uncertainty"]["map"],
    }


def test_a_list_of_an_earlier_run_goes(runs, tmp_path):
    command = ["predict", str(runs / "a"), str(runs / "data" / "images"), "--out", str(tmp_path), "--no-overlay"]
    assert run([*command, "--uncertainty"]) == 0
    assert run(command) == 0
    assert not (tmp_path / "look_first.csv").exists()
    assert "uncertainty" not in json.loads((tmp_path / "segments.json").read_text())[0]


def test_models_disagree(runs, tmp_path):
    command = ["predict", str(runs / "a"), str(runs / "data" / "images" / "1.png"), "--out", str(tmp_path)]
    assert run([*command, "--ensemble", str(runs / "b"), "--uncertainty", "ensemble"]) == 0
    (entry,) = json.loads((tmp_path / "segments.json").read_text())
    assert entry["uncertainty"]["measure"] == "disagreement"
    assert 0 < entry["uncertainty"]["image"] < 1


def test_evaluate_averages_views_and_models_and_says_so(runs, capsys):
    command = ["evaluate", str(runs / "a"), str(runs / "data"), "--void", "none", "--json", "--resamples", "0"]
    command += ["--classes", "background,foreground"]
    assert run([*command, "--views", "flips,scales", "--scales", "0.5,1", "--ensemble", str(runs / "b")]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["predicted_with"] == {"views": "flips,scales", "scales": "0.5,1", "ensemble": str(runs / "b")}
    assert found["model"] == "unet"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--uncertainty"], "'otsu' gives classes without probabilities"),
        (["--uncertainty", "views"], "views take the mean of class probabilities"),
        (["--views", "scales"], "views take the mean of class probabilities"),
        (["--ensemble", "kmeans"], "'otsu' gives semantic segments and 'kmeans' regions ones"),
        (["--ensemble", "nowhere"], "nowhere: expected a run folder"),
    ],
)
def test_what_a_model_cannot_do_is_one_sentence(runs, tmp_path, capsys, options, message):
    assert run(["predict", "otsu", str(runs / "data" / "images"), "--out", str(tmp_path), *options]) == 2
    error = capsys.readouterr().err
    assert message in error
    assert len(error.strip().splitlines()) == 1


def test_calibrate_writes_the_card_and_says_what_changed(runs, tmp_path, capsys):
    for name in ("best.safetensors", "card.json"):
        (tmp_path / name).write_bytes((runs / "a" / name).read_bytes())
    command = ["calibrate", str(tmp_path)]
    assert run(command) == 2
    assert "give it: pixelwise calibrate" in capsys.readouterr().err
    assert run([*command, str(runs / "data"), "--classes", "background,foreground", "--void", "none"]) == 0
    shown = capsys.readouterr()
    assert "ece" in shown.out
    assert "may include those the model was trained on" in shown.err
    assert json.loads((tmp_path / "card.json").read_text())["temperature"] != 1
    assert run(["calibrate", "otsuu"]) == 2
