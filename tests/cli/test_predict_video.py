"""``pixelwise predict MODEL clip.mp4``: what it writes and prints, and its exit codes."""

import json

import numpy as np
import pytest

from pixelwise.cli.app import run
from pixelwise.core.image import read_ids, write_ids, write_image
from pixelwise.predict.videos.overlay import FilmWriter

pytest.importorskip("av")


def picture(index):
    pixels = np.full((48, 64, 3), 40, np.uint8)
    pixels[12:28, 2 + 2 * index : 18 + 2 * index] = 230
    return pixels


@pytest.fixture
def clip(tmp_path):
    with FilmWriter(tmp_path / "clip.mp4", 10) as writer:
        for index in range(6):
            writer.add(picture(index), index / 10)
    return tmp_path / "clip.mp4"


def test_a_video_gets_a_folder_of_its_own(clip, tmp_path, capsys):
    assert run(["predict", "otsu", str(clip), "--out", str(tmp_path / "out")]) == 0
    said = capsys.readouterr().out
    assert said.startswith("6 frames, 12 segments")
    assert "frames/s" in said
    assert {path.name for path in (tmp_path / "out" / "clip").iterdir()} >= {"ids", "overlay.mp4", "segments.json"}


def test_objects_are_followed_and_written_in_the_formats_asked_for(clip, tmp_path, capsys):
    out = tmp_path / "out"
    command = [
        "predict",
        "otsu",
        str(clip),
        "--out",
        str(out),
        "--refine",
        "split",
        "--track",
        "--video-format",
        "mots,coco_video",
    ]
    assert run([*command, "--json"]) == 0
    (told,) = json.loads(capsys.readouterr().out)["videos"]
    assert (told["count"], told["tracks"], told["failure"]) == (6, 1, None)
    assert (out / "clip" / "mots.txt").read_text().count("\n") == 6
    assert (out / "clip" / "coco_video.json").is_file()


def test_a_folder_of_frames_is_a_video_where_something_is_asked_of_videos(tmp_path, capsys):
    for index in range(3):
        write_image(tmp_path / "in" / f"{index}.png", picture(index))
    assert run(["predict", "otsu", str(tmp_path / "in"), "--out", str(tmp_path / "out"), "--smooth", "flow"]) == 0
    assert capsys.readouterr().out.startswith("3 frames")
    assert (tmp_path / "out" / "in" / "ids" / "2.png").is_file()


def test_objects_of_a_first_mask_are_followed(tmp_path):
    rng = np.random.default_rng(0)
    ground, thing = rng.integers(20, 90, (64, 96, 3)), rng.integers(150, 255, (24, 24, 3))
    for index in range(3):
        pixels = ground.astype(np.uint8)
        pixels[20:44, 20 + 4 * index : 44 + 4 * index] = thing
        write_image(tmp_path / "in" / f"{index}.png", pixels)
    mask = np.zeros((64, 96), np.uint8)
    mask[20:44, 20:44] = 255
    write_ids(tmp_path / "mask.png", mask)
    command = [
        "predict",
        "otsu",
        str(tmp_path / "in"),
        "--out",
        str(tmp_path / "out"),
        "--first-mask",
        str(tmp_path / "mask.png"),
    ]
    assert run(command) == 0
    last = read_ids(tmp_path / "out" / "in" / "ids" / "2.png")[0]
    assert last[22:42, 30:50].all()
    assert not last[:, :24].any()


def test_a_cut_video_is_told_and_the_exit_code_is_1(clip, tmp_path, capsys):
    noise = np.random.default_rng(0)
    with FilmWriter(clip, 10) as writer:
        for index in range(12):
            writer.add(noise.integers(0, 255, (48, 64, 3)).astype(np.uint8), index / 10)
    whole = clip.read_bytes()
    clip.write_bytes(whole[: len(whole) * 3 // 4])
    (tmp_path / "no.mp4").write_bytes(b"nothing of the kind" * 40)
    assert run(["predict", "otsu", str(clip), str(tmp_path / "no.mp4"), "--out", str(tmp_path / "out")]) == 1
    said = capsys.readouterr().err
    assert f"failed: {clip}: the video is cut off or damaged after" in said
    assert f"failed: {tmp_path / 'no.mp4'}: expected a video" in said
    assert (tmp_path / "out" / "clip" / "segments.json").is_file()


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (["clip.mp4", "--binary"], "--binary is for images"),
        (["clip.mp4", "a.png"], "predict them by themselves"),
        (["a.png", "--track"], "are for videos"),
        (["clip.mp4", "--smooth", "flwo"], "did you mean 'flow'?"),
        (["clip.mp4", "--video-format", "mtos"], "did you mean 'mots'?"),
        (["clip.mp4", "--track"], "--refine split"),
        (["clip.mp4", "--rate", "0"], "frames a second"),
    ],
)
def test_wrong_use_is_told_in_a_sentence(clip, tmp_path, capsys, monkeypatch, given, said):
    write_image(tmp_path / "a.png", picture(0))
    monkeypatch.chdir(tmp_path)
    assert run(["predict", "otsu", *given, "--out", "out"]) == 2
    assert said in capsys.readouterr().err


def test_a_dry_run_tells_the_length_and_writes_nothing(clip, tmp_path, capsys):
    assert run(["predict", "otsu", str(clip), "--out", str(tmp_path / "out"), "--dry-run"]) == 0
    assert "about 6 frames of 64 x 48, 0.60 s at 10 frames/s" in capsys.readouterr().out
    assert not (tmp_path / "out").exists()
