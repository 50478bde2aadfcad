"""Folders go on where they stopped: what is done again, what is not, and what a stop leaves behind."""

import csv
import json
import os
import signal
import subprocess
import sys

import numpy as np
import pytest

from pixelwise.core.card import Card
from pixelwise.core.errors import RunInUse, StorageError
from pixelwise.core.files import locked
from pixelwise.core.image import write_image
from pixelwise.core.labels import LabelSet
from pixelwise.core.predictor import PLAIN
from pixelwise.core.segmentation import Segmentation
from pixelwise.predict import pictures as module
from pixelwise.predict.folder import predict

LABELS = LabelSet.of(["background", "thing"])


class Stopping:
    """Split at grey level 100; count the images, and raise at the one asked for."""

    def __init__(self, at=None, error=KeyboardInterrupt, options=None):
        self.card = Card("stopping", "semantic", LABELS, options=options or {})
        self.at, self.error, self.count = at, error, 0

    def __call__(self, images, request=PLAIN):
        found = []
        for image in images:
            self.count += 1
            if self.count == self.at:
                raise self.error
            found.append(Segmentation.from_class_map((image.pixels[:, :, 0] > 100).astype(np.uint8), LABELS))
        return found


@pytest.fixture
def images(tmp_path):
    for index in range(5):
        pixels = np.full((8, 10 + index), 40, np.uint8)
        pixels[2 : 4 + index, 3:6] = 200
        write_image(tmp_path / "in" / f"{index}.png", pixels)
    return tmp_path / "in"


def everything(out):
    return {path.name: path.read_bytes() for path in out.iterdir()}


def changed(before, out):
    return {name for name, data in everything(out).items() if before.get(name) != data} | (
        before.keys() - everything(out).keys()
    )


def test_a_second_run_does_nothing_and_says_so(images, tmp_path):
    first, second = Stopping(), Stopping()
    done = predict(first, images, tmp_path / "out")
    before = everything(tmp_path / "out")
    times = {
        path.name: path.stat().st_mtime_ns for path in (tmp_path / "out").iterdir() if path.stem not in ("labels", "failures")
    }
    found = predict(second, images, tmp_path / "out")
    assert (first.count, second.count) == (5, 0)
    assert (found.count, found.segments, found.kept) == (done.count, done.segments, 5)
    assert "5 images (5 of them done before), 10 segments" in str(found)
    assert changed(before, tmp_path / "out") == set()
    assert all((tmp_path / "out" / name).stat().st_mtime_ns == time for name, time in times.items())


def test_an_interrupted_run_leaves_whole_files_and_is_finished_by_the_next(images, tmp_path):
    with pytest.raises(KeyboardInterrupt):
        predict(Stopping(at=4), images, tmp_path / "out", batch=1)
    written = everything(tmp_path / "out").keys()
    assert {name for name in written if name.endswith(".png")} == {"0.png", "1.png", "2.png"}
    assert [entry["mask"] for entry in json.loads((tmp_path / "out" / "segments.json").read_text())] == [
        "0.png",
        "1.png",
        "2.png",
    ]
    assert "segments.jsonl" not in written
    second = Stopping()
    predict(second, images, tmp_path / "out", batch=1)
    assert second.count == 2
    predict(Stopping(), images, tmp_path / "at once")
    for name in ("segments.json", "segments.csv", "labels.json", "3.png", "4_overlay.jpg"):
        assert (tmp_path / "out" / name).read_bytes() == (tmp_path / "at once" / name).read_bytes()


def test_a_killed_run_keeps_what_was_done(images, tmp_path):
    code = (
        "import os, signal, sys\n"
        "from pixelwise.methods.predictor import Method\n"
        "from pixelwise.predict import folder, pictures\n"
        "write = pictures.write_ids\n"
        "def stop(*a):\n"
        "    write(*a)\n"
        "    if a[0].name == '3.png': os.kill(os.getpid(), signal.SIGKILL)\n"  # its mask is there, its entry is not
        "pictures.write_ids = stop\n"
        "folder.predict(Method('otsu'), sys.argv[1], sys.argv[2], batch=1, threads=0)\n"
    )
    ended = subprocess.run([sys.executable, "-c", code, str(images), str(tmp_path / "out")], env=os.environ, timeout=60)
    assert ended.returncode == -signal.SIGKILL
    assert not (tmp_path / "out" / "segments.json").exists()
    with open(tmp_path / "out" / "segments.jsonl", "ab") as file:
        file.write(b'{"stamp": "cut off by a cra')
    from pixelwise.methods.predictor import Method

    found = predict(Method("otsu"), images, tmp_path / "out")
    assert (found.count, found.kept) == (5, 3)
    assert [entry["mask"] for entry in json.loads((tmp_path / "out" / "segments.json").read_text())] == [
        f"{i}.png" for i in range(5)
    ]
    assert not [path for path in (tmp_path / "out").iterdir() if path.name.startswith(".") and path.suffix == ".jsonl"]


def test_changed_new_and_missing_images_are_noticed(images, tmp_path):
    predict(Stopping(), images, tmp_path / "out")
    write_image(images / "1.png", np.full((8, 11), 250, np.uint8))
    write_image(images / "7.png", np.full((8, 11), 250, np.uint8))
    (images / "3.png").unlink()
    again = Stopping()
    found = predict(again, images, tmp_path / "out")
    assert (again.count, found.count, found.kept) == (2, 5, 3)
    listed = json.loads((tmp_path / "out" / "segments.json").read_text())
    assert [entry["mask"] for entry in listed] == ["0.png", "1.png", "2.png", "4.png", "7.png"]
    assert listed[1]["segments"][0]["area"] == 88
    with open(tmp_path / "out" / "segments.csv", newline="") as file:
        assert [row["area"] for row in csv.DictReader(file) if row["image"].endswith("1.png")] == ["88"]


@pytest.mark.parametrize("lost", ["2.png", "2_overlay.jpg"])
def test_results_that_were_deleted_are_made_again(images, tmp_path, lost):
    predict(Stopping(), images, tmp_path / "out")
    (tmp_path / "out" / lost).unlink()
    again = Stopping()
    predict(again, images, tmp_path / "out")
    assert again.count == 1
    assert (tmp_path / "out" / lost).is_file()


@pytest.mark.parametrize(
    ("predictor", "options"),
    [
        (Stopping(options={"level": 3}), {}),
        (Stopping(), {"binary": True}),
        (Stopping(), {"threshold": 0.3}),
        (Stopping(), {"overlay": False}),
        (Stopping(), {"again": True}),
    ],
)
def test_another_model_or_option_does_all_again(images, tmp_path, predictor, options):
    predict(Stopping(), images, tmp_path / "out")
    predictor.count = 0
    found = predict(predictor, images, tmp_path / "out", **options)
    assert (predictor.count, found.kept) == (5, 0)
    assert len(json.loads((tmp_path / "out" / "segments.json").read_text())) == 5


def test_results_of_two_settings_are_never_mixed(images, tmp_path):
    """Stopped in the middle of other settings, the first settings must not take the second's pictures for their own."""
    predict(Stopping(), images, tmp_path / "out")
    with pytest.raises(KeyboardInterrupt):
        predict(Stopping(at=3), images, tmp_path / "out", binary=True, batch=1)
    again = Stopping()
    predict(again, images, tmp_path / "out")
    assert again.count == 5
    assert (tmp_path / "out" / "0.png").read_bytes() != b""
    predict(Stopping(), images, tmp_path / "fresh")
    assert (tmp_path / "out" / "0.png").read_bytes() == (tmp_path / "fresh" / "0.png").read_bytes()


def test_broken_images_are_tried_again_and_the_others_are_not(images, tmp_path):
    (images / "2.png").write_bytes(b"broken")
    assert len(predict(Stopping(), images, tmp_path / "out").failures) == 1
    again = Stopping()
    found = predict(again, images, tmp_path / "out")
    assert (again.count, found.count, found.kept, len(found.failures)) == (0, 4, 4, 1)
    write_image(images / "2.png", np.full((8, 11), 250, np.uint8))
    assert predict(again, images, tmp_path / "out").failures == ()
    assert again.count == 1
    assert json.loads((tmp_path / "out" / "failures.json").read_text()) == []


def test_the_same_images_by_another_path_are_known(images, tmp_path, monkeypatch):
    predict(Stopping(), images, tmp_path / "out")
    (images / "0.png").touch()
    monkeypatch.chdir(tmp_path)
    found = predict(Stopping(), "in", tmp_path / "out")
    assert found.kept == 4
    assert {entry["file"] for entry in json.loads((tmp_path / "out" / "segments.json").read_text())} == {
        os.path.join("in", f"{index}.png") for index in range(5)
    }


def test_a_full_disk_ends_the_run_and_what_was_done_counts(images, tmp_path, monkeypatch):
    def full(path, ids, colours=None):
        if path.name == "2.png":
            raise StorageError(f"{path}: no space is left on the disk")
        write(path, ids, colours)

    write = module.write_ids
    monkeypatch.setattr(module, "write_ids", full)
    with pytest.raises(StorageError, match="no space"):
        predict(Stopping(), images, tmp_path / "out")
    monkeypatch.undo()
    assert predict(Stopping(), images, tmp_path / "out").kept == 2


def test_a_folder_in_use_is_refused(images, tmp_path):
    (tmp_path / "out").mkdir()
    with locked(tmp_path / "out"), pytest.raises(RunInUse, match="another process"):
        predict(Stopping(), images, tmp_path / "out")
    assert list((tmp_path / "out").iterdir()) == []


def test_results_that_someone_else_wrote_are_no_obstacle(images, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "segments.json").write_text('{"segments": []}')
    (tmp_path / "out" / "segments.jsonl").write_bytes(b"\xff\xfe nonsense")
    assert predict(Stopping(), images, tmp_path / "out").count == 5
    assert len(json.loads((tmp_path / "out" / "segments.json").read_text())) == 5


def test_methods_are_told_apart_by_options_and_by_what_they_learned():
    from pixelwise.methods.predictor import Method
    from pixelwise.predict.fingerprint import fingerprint
    from pixelwise.scenes import scenes

    first, second = (
        Method("randomforest", trees=2, depth=3, scales=(0,)).fit(scenes(1, (32, 40), seed=seed)) for seed in (1, 2)
    )
    prints = [fingerprint(one) for one in (first, second, Method("threshold"), Method("threshold", level=0.3), Method("otsu"))]
    assert len(set(prints)) == 5
    assert fingerprint(Method("threshold", level=0.3)) == prints[3]
    assert fingerprint(first) == prints[0]
