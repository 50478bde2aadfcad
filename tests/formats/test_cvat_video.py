"""The format cvat for video: where tracks are on each frame, by hand-written XML."""

from pathlib import Path

import PIL.Image
import pytest

from pixelwise.core.errors import DataError
from pixelwise.core.sample import Dataset
from pixelwise.formats import read, recognise

HEAD = """<?xml version="1.0" encoding="utf-8"?>
<annotations><version>1.1</version><meta><task><name>street</name><size>9</size><mode>interpolation</mode>
<start_frame>0</start_frame><stop_frame>8</stop_frame><labels><label><name>car</name></label></labels>
<original_size><width>8</width><height>3</height></original_size></task><source>t.mp4</source></meta>
"""


def box(frame: int, left: float, more: str = "") -> str:
    return f'<box frame="{frame}" outside="0" keyframe="1" xtl="{left}" ytl="1" xbr="{left + 2}" ybr="2" {more}/>'


def put(root: Path, *tracks: str, frames: tuple[int, ...] = (0, 2, 4, 8)) -> Path:
    """Write frames of 3 x 8 and tracks of cars, as CVAT exports them."""
    (root / "images").mkdir(parents=True)
    for frame in frames:
        PIL.Image.new("RGB", (8, 3)).save(root / "images" / f"frame_{frame:06}.png")
    text = "".join(f'<track id="{row + 5}" label="car" source="manual">{track}</track>' for row, track in enumerate(tracks))
    (root / "annotations.xml").write_text(f"{HEAD}{text}</annotations>")
    return root


def rows(data: Dataset) -> list[list[str]]:
    """Give the middle row of every object on every frame."""
    return [["".join(".#"[int(one)] for one in mask[1]) for mask in sample.truth.masks.dense()] for sample in data]


def test_a_box_moves_in_a_straight_line_between_keyframes(tmp_path: Path) -> None:
    path = put(tmp_path / "street", box(0, 0) + box(4, 4))
    assert recognise(path)[1].dialect == "CVAT XML 1.1 for video"
    data = read(path)
    assert rows(data) == [["##......"], ["..##...."], ["....##.."], ["....##.."]]  # and stays after the last
    assert [dict(one.meta) for one in data][1] == {"sequence": "street", "frame": 2}
    assert [one.truth.track_ids.tolist() for one in data if one.truth.track_ids is not None] == [[5]] * 4


def test_an_object_outside_is_gone_until_it_is_back(tmp_path: Path) -> None:
    gone = box(2, 2).replace('outside="0"', 'outside="1"')
    assert rows(read(put(tmp_path / "street", box(0, 0) + gone + box(8, 6)))) == [["##......"], [], [], ["......##"]]


def test_an_object_is_nowhere_before_its_first_frame(tmp_path: Path) -> None:
    assert rows(read(put(tmp_path / "street", box(4, 4)))) == [[], [], ["....##.."], ["....##.."]]


def test_a_box_moves_towards_where_it_leaves(tmp_path: Path) -> None:
    gone = box(4, 4).replace('outside="0"', 'outside="1"')
    assert rows(read(put(tmp_path / "street", box(0, 0) + gone)))[:3] == [["##......"], ["..##...."], []]


def test_polygons_of_as_many_points_move_and_others_wait(tmp_path: Path) -> None:
    def polygon(frame: int, points: str) -> str:
        return f'<polygon frame="{frame}" outside="0" keyframe="1" points="{points}"/>'

    first = polygon(0, "0,1;2,1;2,2;0,2")
    moving = first + polygon(4, "4,1;6,1;6,2;4,2")
    waiting = first + polygon(4, "4,1;6,1;6,2;5,2;4,2")
    assert rows(read(put(tmp_path / "street", moving, waiting)))[1:3] == [["..##....", "##......"], ["....##..", "....##.."]]


def test_a_mask_waits_for_the_next_keyframe(tmp_path: Path) -> None:
    masks = [f'<mask frame="{frame}" outside="0" rle="0, 2" left="{frame}" top="1" width="2" height="1"/>' for frame in (0, 4)]
    assert rows(read(put(tmp_path / "street", "".join(masks))))[:3] == [["##......"], ["##......"], ["....##.."]]


def test_a_turn_takes_the_shorter_way(tmp_path: Path) -> None:
    track = box(0, 3, 'rotation="350"') + box(4, 3, 'rotation="10"')
    assert rows(read(put(tmp_path / "street", track)))[1] == ["...##..."]  # not turned at all, half way


def test_the_nearer_object_is_the_later_one(tmp_path: Path) -> None:
    truth = read(put(tmp_path / "street", box(0, 0, 'z_order="2"'), box(0, 1, 'z_order="1"')))[0].truth
    assert truth.track_ids is not None
    assert truth.track_ids.tolist() == [6, 5]


def test_frames_without_a_picture_are_told(tmp_path: Path) -> None:
    path = put(tmp_path / "street", box(0, 0) + box(3, 3), frames=(0, 2))
    assert read(path).notes == (f"{path / 'annotations.xml'}: 1 frames have labels but no picture (3); left out",)


def test_a_film_without_frames_says_what_to_do(tmp_path: Path) -> None:
    path = put(tmp_path / "street", box(0, 0), frames=())
    (path / "t.mp4").write_bytes(b"\0\0\0\x18ftyp")
    with pytest.raises(DataError, match=r"its frames are in t\.mp4.*frame_000000\.png"):
        read(path)


def test_tracks_without_an_area_are_left_out_and_told(tmp_path: Path) -> None:
    points = '<points frame="0" outside="0" keyframe="1" points="1,1;2,2"/>'
    data = read(put(tmp_path / "street", points, box(0, 0)))
    assert "1 of the kind track of points" in data.notes[0]
    assert len(data[0].truth) == 1


def test_a_broken_position_is_named_by_frame_and_track(tmp_path: Path) -> None:
    data = read(put(tmp_path / "street", box(0, 0) + box(4, 4).replace('xtl="4"', 'xtl="x"'), box(0, 1)))
    with pytest.raises(DataError, match=r"annotations\.xml: frame 2: track 5: its xtl is 'x', which is no number"):
        _ = data[1].truth
    assert [len(one) for one in data[1].salvaged()[0]] == [1]
    assert len(data[0].truth) == 2


@pytest.mark.shared_data
def test_a_real_video_task_whose_frames_are_every_third(shared_data: Path) -> None:
    data = read(shared_data / "labeltools" / "cvat" / "xml" / "for_video")
    assert [one.meta["frame"] for one in data] == [10, 13, 16]
    assert [one.truth.masks.areas().tolist() for one in data] == [[7], [], []]  # 7 wide, 1 high, then outside
    assert data.labels.names == ("klhg", "z U k", "II")
    assert data[0].size == (20, 25)
