"""Files are written whole or not at all."""

import errno
import json
import os
import stat
from pathlib import Path

import pytest

from pixelwise.core.errors import MissingFile, StorageError, UnreadableFile
from pixelwise.core.files import make_folder, read_json, replacing, write_bytes, write_csv, write_json, write_text


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize("name", ["a.txt", "no suffix", "Größe 大小 🛣.txt", ".hidden", "x" * 250 + ".json", "a." + "y" * 240])
def test_a_file_of_any_name_is_written_and_nothing_is_left_beside_it(tmp_path: Path, name: str) -> None:
    write_text(tmp_path / "new folder" / name, "first")
    write_text(tmp_path / "new folder" / name, "zweite Größe\n")
    assert (tmp_path / "new folder" / name).read_bytes() == "zweite Größe\n".encode()
    assert names(tmp_path / "new folder") == [name]


def test_the_block_gets_an_empty_file_of_the_same_suffix_in_the_same_folder(tmp_path: Path) -> None:
    with replacing(tmp_path / "a.png") as temporary:
        assert temporary.parent == tmp_path
        assert temporary.suffix == ".png"
        assert temporary.read_bytes() == b""
        assert not (tmp_path / "a.png").exists()


def test_an_error_inside_the_block_leaves_the_old_file(tmp_path: Path) -> None:
    write_text(tmp_path / "a.txt", "old")

    def fail() -> None:
        with replacing(tmp_path / "a.txt") as temporary:
            temporary.write_text("half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fail()
    assert (tmp_path / "a.txt").read_text() == "old"
    assert names(tmp_path) == ["a.txt"]


@pytest.mark.parametrize(
    ("number", "said"),
    [
        (errno.ENOSPC, "no space is left on the disk; free some or choose another --out"),
        (errno.EDQUOT, "quota"),
        (errno.EACCES, "permission denied; choose a folder you may write to"),
        (errno.EROFS, "read-only"),
        (errno.EIO, "Input/output error"),
    ],
)
@pytest.mark.parametrize("step", ["open", "write", "fsync", "replace"])
def test_whatever_step_fails_the_old_file_survives(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str, number: int, said: str
) -> None:
    write_text(tmp_path / "a.txt", "old")

    def refuse(*_: object, **__: object) -> None:
        raise OSError(number, os.strerror(number))

    with monkeypatch.context() as patch:
        owner, attribute = {
            "open": (Path, "open"),
            "write": (Path, "write_bytes"),
            "fsync": (os, "fsync"),
            "replace": (os, "replace"),
        }[step]
        patch.setattr(owner, attribute, refuse)
        with pytest.raises(StorageError, match=rf"a\.txt: cannot be written: .*{said}"):
            write_bytes(tmp_path / "a.txt", b"new")
    assert (tmp_path / "a.txt").read_text() == "old"
    assert names(tmp_path) == ["a.txt"]


def test_an_error_about_another_file_keeps_its_kind(tmp_path: Path) -> None:
    def copy() -> None:
        with replacing(tmp_path / "a.txt"):
            raise MissingFile("b.txt: found nothing there")

    with pytest.raises(MissingFile, match=r"b\.txt"):
        copy()
    assert names(tmp_path) == []


def test_a_link_is_written_through_and_stays_a_link(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    write_text(tmp_path / "real" / "a.txt", "old")
    (tmp_path / "link.txt").symlink_to("real/a.txt")
    write_text(tmp_path / "link.txt", "new")
    assert (tmp_path / "link.txt").is_symlink()
    assert (tmp_path / "real" / "a.txt").read_text() == "new"
    assert names(tmp_path / "real") == ["a.txt"]


def test_a_folder_that_is_a_link_is_written_into(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "out").symlink_to("real")
    write_text(tmp_path / "out" / "sub" / "a.txt", "x")
    assert (tmp_path / "real" / "sub" / "a.txt").read_text() == "x"
    assert (tmp_path / "out").is_symlink()


def test_a_link_to_nowhere_makes_what_it_points_to(tmp_path: Path) -> None:
    (tmp_path / "link.txt").symlink_to(tmp_path / "new" / "a.txt")
    write_text(tmp_path / "link.txt", "x")
    assert (tmp_path / "new" / "a.txt").read_text() == "x"


def test_files_have_the_permissions_of_any_new_file(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        write_text(tmp_path / "a.txt", "x")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "a.txt").stat().st_mode) == 0o640


def test_a_file_in_a_folders_place_and_a_folder_in_a_files_place_are_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    (tmp_path / "folder").mkdir()
    with pytest.raises(StorageError, match="file: expected a folder, found a file"):
        make_folder(tmp_path / "file")
    with pytest.raises(StorageError, match="a part of the path is a file"):
        make_folder(tmp_path / "file" / "sub" / "sub")
    with pytest.raises(StorageError, match="file: expected a folder, found a file"):
        write_text(tmp_path / "file" / "a.txt", "x")
    with pytest.raises(StorageError, match="folder: cannot be written: expected a file, found a folder"):
        write_text(tmp_path / "folder", "x")
    assert names(tmp_path) == ["file", "folder"]
    assert make_folder(tmp_path / "folder") == tmp_path / "folder"


def test_a_name_that_is_too_long_is_said_so(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="the name is too long"):
        write_text(tmp_path / ("x" * 300), "x")


def test_json_is_readable_by_people_and_refuses_nan(tmp_path: Path) -> None:
    write_json(tmp_path / "a.json", {"Größe": [1, 2.5, None, True]})
    assert "Größe" in (tmp_path / "a.json").read_text("utf-8")
    assert read_json(tmp_path / "a.json") == {"Größe": [1, 2.5, None, True]}
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_json(tmp_path / "a.json", float("nan"))
    assert read_json(tmp_path / "a.json") == {"Größe": [1, 2.5, None, True]}


def test_a_file_name_that_is_not_utf8_survives_json(tmp_path: Path) -> None:
    strange = os.fsdecode(b"caf\xe9.png")
    write_json(tmp_path / "a.json", [strange])
    assert read_json(tmp_path / "a.json") == [strange]


@pytest.mark.parametrize("content", [b"", b"{", b"\xff\xfe\xfd", b"[" * 100_000, b"nul", b"9" * 5000])
def test_what_is_no_json_is_refused_with_its_path(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a b.json").write_bytes(content)
    with pytest.raises(UnreadableFile, match=r"a b\.json: expected JSON, but"):
        read_json(tmp_path / "a b.json")


def test_a_byte_order_mark_is_no_obstacle(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_bytes(b"\xef\xbb\xbf[1]")
    assert read_json(tmp_path / "a.json") == [1]


def test_json_that_is_missing_a_folder_or_too_large_is_refused(tmp_path: Path) -> None:
    with pytest.raises(MissingFile, match="found nothing there"):
        read_json(tmp_path / "gone.json")
    with pytest.raises(MissingFile, match="found a folder"):
        read_json(tmp_path)
    (tmp_path / "a.json").write_text(json.dumps("x" * 100))
    with pytest.raises(UnreadableFile, match="102 bytes; at most 50 are read"):
        read_json(tmp_path / "a.json", max_bytes=50)


def test_a_json_file_that_may_not_be_read_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.json").write_text("[]")

    def refuse(*_: object) -> None:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(Path, "read_bytes", refuse)
    with pytest.raises(UnreadableFile, match=r"a\.json: cannot be read: Permission denied"):
        read_json(tmp_path / "a.json")


def test_tables_quote_what_needs_quoting(tmp_path: Path) -> None:
    write_csv(tmp_path / "a.csv", ["name", "score"], [["a,b", 0.5], ['say "x"', None]])
    assert (tmp_path / "a.csv").read_text() == 'name,score\n"a,b",0.5\n"say ""x""",\n'
