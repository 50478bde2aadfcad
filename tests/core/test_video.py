"""Videos are read frame by frame, upright, with their own times, and say what is wrong with them."""

import sys
import tracemalloc
from fractions import Fraction

import cv2
import numpy as np
import pytest

from pixelwise.core.errors import MissingExtra, MissingFile, OptionError, UnreadableFile
from pixelwise.core.image import write_image
from pixelwise.core.videos.video import is_video, open_video

av = pytest.importorskip("av")
RATE = 10


def pixels(index, size=(48, 64)):
    """A grey that tells the frame, and a white corner that tells which way is up."""
    found = np.full((*size, 3), 20 + 8 * (index % 25), np.uint8)
    found[:12, :12] = 255
    return found


def film(path, count=10, times=None, turned=0, options=None, codec="mpeg4"):
    with av.open(str(path), "w", options=options or {}) as container:
        stream = container.add_stream(codec, rate=RATE)
        stream.height, stream.width, stream.pix_fmt = 48, 64, "yuv420p"
        stream.codec_context.time_base = Fraction(1, RATE if path.suffix == ".avi" else 1000)
        if turned:
            stream.set_display_rotation(turned)
        for index in range(count):
            frame = av.VideoFrame.from_ndarray(pixels(index), format="rgb24")
            frame.pts = int(1000 * (times[index] if times else index / RATE))
            frame.time_base = Fraction(1, 1000)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def sound(path):
    with av.open(str(path), "w") as container:
        stream = container.add_stream("aac", rate=8000, layout="mono")
        for index in range(8):
            frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), format="fltp", layout="mono")
            frame.sample_rate, frame.pts = 8000, 1024 * index
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def greys(frames):
    return [round((float(np.median(frame.image.pixels[20:, 20:])) - 20) / 8) for frame in frames]


@pytest.mark.parametrize("reader", ["av", "opencv"])
def test_every_frame_comes_once_and_in_order(tmp_path, reader):
    video = open_video(film(tmp_path / "a.mp4"), reader)
    frames = list(video.frames())
    assert greys(frames) == list(range(10))
    assert [frame.index for frame in frames] == list(range(10))
    assert np.allclose([frame.time for frame in frames], np.arange(10) / RATE, atol=0.002)
    assert video.about.size == frames[0].image.size == (48, 64)
    assert (video.about.count, video.about.rate) == (10, RATE)
    assert greys(video.frames()) == list(range(10)), "a second reading starts anew"


def test_a_variable_frame_rate_keeps_its_times(tmp_path):
    times = [0, 0.04, 0.5, 0.54, 2.0, 2.5]
    for name in ("a.mp4", "a.mkv"):
        found = [frame.time for frame in open_video(film(tmp_path / name, 6, times)).frames()]
        assert np.allclose(found, times, atol=0.002), name


@pytest.mark.parametrize("reader", ["av", "opencv"])
@pytest.mark.parametrize(("turned", "corner"), [(90, "bottom left"), (-90, "top right"), (180, "bottom right")])
def test_a_rotation_flag_is_applied(tmp_path, reader, turned, corner):
    video = open_video(film(tmp_path / "a.mov", 3, turned=turned), reader)
    first = next(video.frames()).image
    assert first.size == ((48, 64) if turned == 180 else (64, 48)) == video.about.size
    across, down = (-12 if "right" in corner else 0), (-12 if "bottom" in corner else 0)
    assert first.pixels[down : down + 12 or None, across : across + 12 or None].mean() > 200


@pytest.mark.parametrize("name", ["a.mp4", "a.mkv", "a.avi"])
def test_a_video_cut_off_gives_its_frames_and_then_says_so(tmp_path, name):
    options = {"movflags": "+faststart"} if name.endswith("mp4") else {}
    whole = film(tmp_path / name, 40, options=options).read_bytes()
    (tmp_path / f"cut_{name}").write_bytes(whole[: len(whole) * (8 if name.endswith("avi") else 6) // 10])
    frames = []
    with pytest.raises(UnreadableFile, match=r"cut off or damaged after \d+ frames"):
        _all(open_video(tmp_path / f"cut_{name}").frames(), frames)
    assert 5 < len(frames) < 40


def test_a_video_cut_between_two_frames_says_so(tmp_path):
    film(tmp_path / "a.mp4", 6, options={"movflags": "+faststart"})
    with av.open(str(tmp_path / "a.mp4")) as container:
        last = max(entry.pos for entry in container.streams.video[0].index_entries)
    whole = (tmp_path / "a.mp4").read_bytes()
    (tmp_path / "a.mp4").write_bytes(whole[:last])
    frames = []
    with pytest.raises(UnreadableFile, match="cut off or damaged after"):
        _all(open_video(tmp_path / "a.mp4").frames(), frames)
    assert 0 < len(frames) < 6


def _all(found, frames):
    for frame in found:
        frames.append(frame)


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda folder: sound(folder / "a.m4a"), "audio alone: it has no pictures"),
        (
            lambda folder: _written(folder / "a.y4m", b"YUV4MPEG2 W64 H48 F10:1 Ip A1:1 C420jpeg\n"),
            "no frame that can be decoded",
        ),
        (lambda folder: _written(folder / "a.mp4", b"not a video at all" * 50), "no known kind, or cut off before its index"),
        (lambda folder: _written(folder / "a.mp4", b""), "an empty file"),
        (lambda folder: _made(folder / "frames"), "expected pictures as frames"),
    ],
)
def test_what_is_no_video_is_told_in_a_sentence(tmp_path, make, said):
    path = make(tmp_path)
    with pytest.raises(UnreadableFile, match=said) as caught:
        list(open_video(path).frames())
    assert str(path) in str(caught.value)


def _written(path, data):
    path.write_bytes(data)
    return path


def _made(path):
    path.mkdir()
    return path


def test_opencv_too_names_what_is_no_video(tmp_path):
    for path in (sound(tmp_path / "a.m4a"), _written(tmp_path / "b.mp4", b"no video" * 99)):
        with pytest.raises(UnreadableFile, match="OpenCV finds no frames"):
            open_video(path, "opencv")


def test_nothing_there_a_wrong_reader_and_a_wrong_rate_are_refused(tmp_path):
    with pytest.raises(MissingFile, match="found nothing there"):
        open_video(tmp_path / "a.mp4")
    with pytest.raises(OptionError, match="a reader of auto, av, opencv"):
        open_video(tmp_path, "vlc")
    with pytest.raises(OptionError, match="frames a second"):
        open_video(tmp_path, rate=0)


def test_without_pyav_opencv_reads_and_asking_for_pyav_names_the_extra(tmp_path, monkeypatch):
    path = film(tmp_path / "a.mp4", 3)
    monkeypatch.setitem(sys.modules, "av", None)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert open_video(path).about.reader == "opencv"
    with pytest.raises(MissingExtra, match=r"pixelwise\[video\]"):
        open_video(path, "av")


def test_a_folder_of_frames_goes_by_the_numbers_in_its_names(tmp_path):
    for index in (10, 9, 2, 1):
        write_image(tmp_path / f"frame_{index}.png", pixels(index))
    frames = list(open_video(tmp_path, rate=4).frames())
    assert [frame.name for frame in frames] == ["frame_1", "frame_2", "frame_9", "frame_10"]
    assert [frame.time for frame in frames] == [0, 0.25, 0.5, 0.75]


def test_a_bad_picture_in_a_folder_does_not_stop_the_rest(tmp_path):
    for index in range(3):
        write_image(tmp_path / f"{index}.png", pixels(index))
    (tmp_path / "1.png").write_bytes(b"broken")
    frames = []
    with pytest.raises(UnreadableFile, match=r"1 frames cannot be read and were passed over; the first: .*1\.png"):
        _all(open_video(tmp_path).frames(), frames)
    assert [frame.index for frame in frames] == [0, 2]


def test_a_video_is_known_by_its_content_and_else_by_its_suffix(tmp_path):
    film(tmp_path / "a.mkv", 2).rename(tmp_path / "clip")
    cv2.imwrite(str(tmp_path / "a.png"), pixels(0))
    (tmp_path / "list.txt").write_text("words")
    names = {"clip": True, "a.png": False, "list.txt": False, "not there.mp4": True, "not there.jpg": False}
    assert {name: is_video(tmp_path / name) for name in names} == names
    assert not is_video(tmp_path)


def test_decoding_holds_a_few_frames_and_not_the_video(tmp_path):
    video = open_video(film(tmp_path / "a.mp4", 200))
    tracemalloc.start()
    count = sum(1 for _ in video.frames())
    highest = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert count == 200
    assert highest < 30 * 48 * 64 * 3
