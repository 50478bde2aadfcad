"""A video is segmented frame by frame: what is written, what happens to bad ones, and that it can go on."""

import importlib
import json

import numpy as np
import pytest

from pixelwise.core.card import Card
from pixelwise.core.errors import OptionError, UnreadableFile
from pixelwise.core.image import Image, read_ids, write_image
from pixelwise.core.labels import LabelSet
from pixelwise.core.predictor import PLAIN
from pixelwise.core.prompt import Prompt
from pixelwise.core.segmentation import Segmentation
from pixelwise.core.videos.video import Frame, open_video
from pixelwise.formats import read
from pixelwise.formats.mots.find import Lines
from pixelwise.methods.predictor import Method
from pixelwise.predict.refined import Refined
from pixelwise.predict.videos.overlay import FilmWriter
from pixelwise.predict.videos.realtime import Live
from pixelwise.predict.videos.video import predict_video

pytest.importorskip("av")
LABELS = LabelSet.of(["ground", "thing"], things=["thing"])
SIZE = (48, 64)


class Bright:
    """Class 1 where it is bright; counts the frames that it sees."""

    def __init__(self, kind="semantic", stop=None):
        self.card = Card("bright", kind, LABELS)
        self.seen, self.stop = 0, stop

    def __call__(self, images, request=PLAIN):
        return [self._one(image) for image in images]

    def _one(self, image):
        self.seen += 1
        if self.seen == self.stop:
            raise KeyboardInterrupt
        mask = image.pixels[:, :, 0] > 128
        if self.card.kind == "semantic":
            return Segmentation.from_class_map(mask.astype(np.uint8), LABELS)
        return Segmentation.from_masks("instance", mask[None], [1], LABELS, scores=np.array([0.9]))


def picture(index):
    pixels = np.full((*SIZE, 3), 40, np.uint8)
    pixels[12:28, 2 + 2 * index : 18 + 2 * index] = 230
    return pixels


def film(path, count=8, size=SIZE):
    with FilmWriter(path, 10) as writer:
        for index in range(count):
            writer.add(picture(index)[: size[0], : size[1]], index / 10)
    return path


def lines(out):
    return json.loads((out / "segments.json").read_text())


def test_a_video_becomes_ids_an_overlay_and_a_line_a_frame(tmp_path):
    out = tmp_path / "out"
    summary = predict_video(Bright(), film(tmp_path / "clip.mp4"), out)
    assert (summary.count, summary.segments, summary.failure, summary.kept) == (8, 16, None, 0)
    ids = [f"{index:06d}.png" for index in range(8)]
    assert sorted(path.name for path in (out / "ids").iterdir()) == ids
    assert {path.name for path in out.iterdir()} == {"ids", "overlay.mp4", "segments.json", "labels.json", "video.json"}
    told = lines(out)
    assert [one["time"] for one in told] == [index / 10 for index in range(8)]
    assert [one["mask"] for one in told] == [f"ids/{name}" for name in ids]
    found, _ = read_ids(out / "ids" / ids[5])
    assert (found == (picture(5)[:, :, 0] > 128)).mean() > 0.97
    drawn = open_video(out / "overlay.mp4")
    assert drawn.about.size == SIZE
    assert np.allclose([frame.time for frame in drawn.frames()], np.arange(8) / 10, atol=0.001)


def test_an_odd_size_and_frames_of_another_size_are_drawn(tmp_path):
    for index, size in enumerate([(47, 63), (47, 63), (40, 50)]):
        write_image(tmp_path / "in" / f"{index}.png", picture(0)[: size[0], : size[1]])
    summary = predict_video(Bright(), tmp_path / "in", tmp_path / "out")
    assert summary.count == 3
    assert [frame.image.size for frame in open_video(tmp_path / "out" / "overlay.mp4").frames()] == [(48, 64)] * 3


def test_followed_objects_have_their_numbers_as_ids_and_in_every_format(tmp_path):
    out, names = tmp_path / "out", ("coco_video", "mots", "davis")
    summary = predict_video(Bright("instance"), film(tmp_path / "clip.mp4"), out, track=True, formats=names)
    assert (summary.tracks, summary.count) == (1, 8)
    assert np.unique(read_ids(out / "ids" / "000004.png")[0]).tolist() == [0, 1]
    assert lines(out)[4]["segments"][0]["track"] == 1
    tracks = json.loads((out / "coco_video.json").read_text())
    assert tracks["videos"][0]["length"] == 8
    (one,) = tracks["annotations"]
    assert (one["category_id"], one["track_id"], len(one["segmentations"])) == (2, 1, 8)
    assert one["areas"][3] == lines(out)[3]["segments"][0]["area"]
    text = Lines.of(out / "mots.txt")
    assert not text.notes
    assert [(frame, line[0].id, line[0].number) for frame, line in sorted(text.by_frame.items())] == [
        (index, 2001, 2) for index in range(8)
    ]

    data = read(out / "davis")
    assert len(data) == 8
    assert all(sample.truth.track_ids.tolist() == [1] for sample in data)
    assert data[6].truth.masks.areas().tolist() == [lines(out)[6]["segments"][0]["area"]]
    assert (data[6].image.pixels == list(open_video(tmp_path / "clip.mp4").frames())[6].image.pixels).all()


@pytest.mark.parametrize("stop", [1, 4])
def test_a_run_that_is_stopped_goes_on_where_it_was(tmp_path, stop):
    clip, out = film(tmp_path / "clip.mp4"), tmp_path / "out"
    whole = predict_video(Bright(), clip, tmp_path / "whole")
    with pytest.raises(KeyboardInterrupt):
        predict_video(Bright(stop=stop), clip, out, batch=1)
    assert not (out / "overlay.mp4").exists(), "nothing half written"
    assert not list(out.glob(".*"))
    summary = predict_video(rest := Bright(), clip, out, batch=1)
    assert (rest.seen, summary.kept, summary.count) == (8 - (stop - 1), stop - 1, 8)
    assert summary.segments == whole.segments
    for path in sorted((tmp_path / "whole").rglob("*")):
        if path.is_file() and path.name != "video.json":
            assert (out / path.relative_to(tmp_path / "whole")).read_bytes() == path.read_bytes(), path.name


def test_a_line_cut_off_by_a_crash_does_not_count(tmp_path):
    clip, out = film(tmp_path / "clip.mp4"), tmp_path / "out"
    with pytest.raises(KeyboardInterrupt):
        predict_video(Bright(stop=6), clip, out, batch=1)
    ledger = out / "frames.jsonl"
    ledger.write_bytes(ledger.read_bytes()[:-30])
    assert predict_video(Bright(), clip, out).kept == 4


def test_what_follows_objects_begins_again_and_says_so(tmp_path):
    clip, out = film(tmp_path / "clip.mp4"), tmp_path / "out"
    with pytest.raises(KeyboardInterrupt):
        predict_video(Bright("instance", stop=5), clip, out, track=True, batch=1)
    summary = predict_video(Bright("instance"), clip, out, track=True)
    assert (summary.kept, summary.count) == (0, 8)
    assert any("it began again" in note for note in summary.notes)


def test_a_finished_video_is_left_alone_until_something_changes(tmp_path):
    clip, out, unused = film(tmp_path / "clip.mp4"), tmp_path / "out", Bright()
    first = predict_video(Bright(), clip, out)
    assert predict_video(unused, clip, out).kept == first.count
    assert unused.seen == 0
    assert predict_video(unused, clip, out, again=True).kept == 0
    film(tmp_path / "clip.mp4", 5)
    assert predict_video(unused, clip, out).count == 5
    assert len(list((out / "ids").iterdir())) == 5, "no frame of the longer video is left"


def test_a_video_cut_off_is_segmented_as_far_as_it_goes(tmp_path):
    whole = film(tmp_path / "clip.mp4", 23).read_bytes()
    (tmp_path / "clip.mp4").write_bytes(whole[: len(whole) * 95 // 100])
    summary = predict_video(Bright(), tmp_path / "clip.mp4", tmp_path / "out")
    assert 0 < summary.count < 23
    assert "cut off or damaged after" in summary.failure
    assert len(lines(tmp_path / "out")) == summary.count
    assert predict_video(Bright(), tmp_path / "clip.mp4", tmp_path / "out").failure == summary.failure


def test_a_video_without_a_frame_is_an_error_and_writes_nothing(tmp_path):
    (tmp_path / "a.y4m").write_bytes(b"YUV4MPEG2 W64 H48 F10:1 Ip A1:1 C420jpeg\n")
    with pytest.raises(UnreadableFile, match="0 frames"):
        predict_video(Bright(), tmp_path / "a.y4m", tmp_path / "out")
    assert not (tmp_path / "out" / "overlay.mp4").exists()
    assert not (tmp_path / "out" / "segments.json").exists()


def test_options_that_do_not_fit_are_refused_with_what_to_do(tmp_path):
    clip, out = film(tmp_path / "clip.mp4", 2), tmp_path / "out"
    with pytest.raises(OptionError, match="add --track"):
        predict_video(Bright("instance"), clip, out, formats=["mots"])
    with pytest.raises(OptionError, match="coco_video, mots, davis"):
        predict_video(Bright("instance"), clip, out, track=True, formats=["avi"])
    with pytest.raises(OptionError, match="--refine split"):
        predict_video(Bright(), clip, out, track=True)
    with pytest.raises(OptionError, match="leave out --smooth"):
        predict_video(Method("grabcut"), clip, out, smooth="flow", prompts=[Prompt(box=(0, 0, 9, 9))])
    write_image(tmp_path / "frames" / "0.png", picture(0))
    with pytest.raises(OptionError, match="holds the frames themselves"):
        predict_video(Bright(), tmp_path / "frames", tmp_path / "frames")


def test_what_is_pointed_at_in_the_first_frame_is_followed(tmp_path):
    rng = np.random.default_rng(0)
    ground, thing = rng.integers(20, 90, (96, 128, 3)), rng.integers(150, 255, (30, 30, 3))
    for index in range(6):
        pixels = ground.astype(np.uint8)
        pixels[30:60, 20 + 4 * index : 50 + 4 * index] = thing
        write_image(tmp_path / "in" / f"{index}.png", pixels)
    summary = predict_video(Method("grabcut"), tmp_path / "in", tmp_path / "out", prompts=[Prompt(box=(14, 24, 56, 66))])
    assert (summary.tracks, summary.count) == (1, 6)
    found = read_ids(tmp_path / "out" / "ids" / "5.png")[0] == 1
    wanted = np.zeros((96, 128), bool)
    wanted[30:60, 40:70] = True
    assert (found & wanted).sum() / (found | wanted).sum() > 0.95


def frames_at(*times):
    return [Frame(index, time, str(index), Image(np.zeros((1, 1, 1), np.uint8), ("grey",))) for index, time in enumerate(times)]


def test_real_time_drops_the_frames_that_come_too_late_and_counts_them():
    now, waited = [100.0], []

    def wait(seconds):
        waited.append(round(seconds, 3))
        now[0] += seconds

    live, given = Live(frames_at(0, 0.1, 0.2, 0.3, 0.4, 0.5, 1.0), lambda: now[0], wait), []
    for frame in live:
        given.append(frame.index)
        now[0] += 0.25  # what it takes to segment a frame
    assert given == [0, 2, 5, 6]
    assert live.dropped == 3


def test_a_quick_predictor_drops_nothing_and_waits_for_the_clock():
    now = [0.0]

    def wait(seconds):
        now[0] += seconds

    live = Live(frames_at(0, 0.1, 0.2), lambda: now[0], wait)
    assert [frame.index for frame in live] == [0, 1, 2]
    assert (live.dropped, round(now[0], 6)) == (0, 0.2)


def test_frames_dropped_are_told(tmp_path, monkeypatch):
    now = [0.0]

    class Slow(Live):
        def __init__(self, frames):
            def wait(seconds):
                now[0] += seconds

            super().__init__(frames, lambda: now[0], wait)

    class Lagging(Bright):
        def _one(self, image):
            now[0] += 0.25
            return super()._one(image)

    monkeypatch.setattr(importlib.import_module("pixelwise.predict.videos.work"), "Live", Slow)
    summary = predict_video(Lagging(), film(tmp_path / "clip.mp4"), tmp_path / "out", realtime=True)
    assert summary.dropped > 0
    assert summary.count + summary.dropped == 8
    assert f"{summary.dropped} frames dropped to keep up" in str(summary)


def stream_of(count, size, folder):
    """Segment ``count`` drawn frames that are made as they are asked for; give the memory at its highest after each tenth."""
    import tracemalloc

    class Drawn:
        path = folder / "drawn"
        about = open_video(film(folder / "clip.mp4", 2)).about

        def frames(self):
            for index in range(count):
                yield Frame(index, index / 25, f"{index:06d}", Image(np.roll(picture(0), 3 * index, axis=1)))

    (folder / "drawn").touch()
    highest = []

    def note(done, total):
        if done % (count // 10) == 0:
            highest.append(tracemalloc.get_traced_memory()[1])
            tracemalloc.reset_peak()

    tracemalloc.start()
    summary = predict_video(Bright("instance"), Drawn(), folder / "out", track=True, ids=False, overlay=False, progress=note)
    tracemalloc.stop()
    return summary, highest


@pytest.mark.parametrize("count", [300, pytest.param(10_000, marks=pytest.mark.slow)])
def test_a_long_video_streams_in_flat_memory(tmp_path, count):
    summary, highest = stream_of(count, SIZE, tmp_path)
    assert summary.count == count
    growth = max(highest[2:]) - highest[1]  # after what is imported at first use
    assert growth < 200 * count + 2**18, "a few numbers a frame may be kept, and no frame: one has 9,216 bytes"


def test_smoothing_takes_any_predictor_of_classes(tmp_path):
    clip = film(tmp_path / "clip.mp4", 3)
    predict_video(Refined(Bright(), "smallest(area=4)"), clip, tmp_path / "out", smooth="flow")
    assert lines(tmp_path / "out")[1]["kind"] == "semantic"
