"""Training curves: any history can be read and drawn, and what is missing is left out rather than drawn as nought."""

import io

import numpy as np
import PIL.Image
import pytest

from pixelwise.core.errors import MissingFile, UnreadableFile
from pixelwise.draw.curves import curves, points, read_history, smoothed

HEADER = "step,epoch,loss,lr,images_per_second,seconds,val_miou,val_pixel_accuracy\n"


def drawn(rows, title=""):
    return np.asarray(PIL.Image.open(io.BytesIO(curves(rows, title))).convert("RGB"))


def test_reading_a_history_leaves_empty_cells_open(tmp_path):
    path = tmp_path / "history.csv"
    path.write_text(HEADER + "1,0,2.5,0.001,10.0,0.5,,\n2,0,2.0,0.001,10.0,1.0,0.25,0.5\n")
    rows = read_history(path)
    assert rows[0]["loss"] == 2.5
    assert rows[0]["val_miou"] is None
    assert rows[1]["val_miou"] == 0.25


def test_a_history_that_is_not_one_is_named_with_its_line(tmp_path):
    path = tmp_path / "history.csv"
    with pytest.raises(MissingFile, match=r"history\.csv"):
        read_history(path)
    path.write_text(HEADER + "1,0,2.5\n")
    with pytest.raises(UnreadableFile, match="line 2"):
        read_history(path)
    path.write_text("step,loss\n1,much\n")
    with pytest.raises(UnreadableFile, match="much"):
        read_history(path)
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(UnreadableFile):
        read_history(path)


def test_missing_and_infinite_values_are_left_out():
    rows = [
        {"step": 5, "loss": 1},
        {"step": 6, "loss": None},
        {"step": 7, "loss": float("inf")},
        {"step": "8", "loss": "2"},
        {"step": 9},
    ]
    assert points(rows, "loss") == [(5.0, 1.0), (8.0, 2.0)]


def test_smoothing_is_a_mean_over_neighbours_that_shrinks_at_the_ends():
    assert smoothed([(0, 0.0), (1, 3.0), (2, 6.0), (3, 0.0)], 3) == [(0, 1.5), (1, 3.0), (2, 3.0), (3, 3.0)]


@pytest.mark.parametrize(
    "rows",
    [
        [],
        [{"step": 1, "loss": 0.5, "lr": 0.1, "val_miou": 0.2}],
        [{"step": 1, "loss": float("nan"), "lr": None, "val_miou": ""}],
        [{"step": index, "loss": 1 / (index + 1), "lr": 0.1, "val_miou": index / 40} for index in range(40)],
        [{"step": 1}, {"step": 2, "loss": -3.0, "lr": 0.0}],
    ],
)
def test_any_history_gives_a_picture(rows):
    picture = drawn(rows, "a title")
    assert picture.shape[0] > 200
    assert picture.std() > 0


def test_scores_are_drawn_where_there_are_any():
    without = drawn([{"step": 1, "loss": 1.0}, {"step": 2, "loss": 0.5}])
    scored = drawn([{"step": 1, "loss": 1.0, "val_miou": 0.1}, {"step": 2, "loss": 0.5, "val_miou": 0.9}])
    middle = slice(without.shape[1] // 3 + 20, 2 * without.shape[1] // 3 - 20)
    assert (without[:, middle] != scored[:, middle]).any()
