"""Downloads from a server on this machine that breaks off, lies and serves wrong bytes; nothing here leaves the machine."""

import hashlib
import io
import json
import resource
import shutil
import tarfile
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pixelwise.core.errors import OptionError, PlaceTaken, RunInUse, StorageError, TransferError, UnreadableFile
from pixelwise.core.files import locked
from pixelwise.curate.download import download
from pixelwise.curate.download_file import Transfer
from pixelwise.curate.download_http import require_safe
from pixelwise.curate.sources import Archive, PublicSet

Server = Any  # the fixture's class lives in conftest.py

ZIP_FILES = {"val/a.jpg": b"photo a" * 300, "val/b.jpg": b"photo b" * 500, "labels/val.json": b'{"images": []}'}


def zipped(files: dict[str, bytes]) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        for name, content in files.items():
            archive.writestr(zipfile.ZipInfo(name), content)
    return made.getvalue()


DATA = zipped(ZIP_FILES)


@pytest.fixture(autouse=True)
def _content(server: Server) -> None:
    server.files["/val.zip"] = DATA


def published(server: Server, **changes: object) -> PublicSet:
    """A set of one archive whose size and checksum are published, unless changed."""
    known = {"size": len(DATA), "checksum": f"sha256:{hashlib.sha256(DATA).hexdigest()}"}
    archive = Archive("val", f"{server.address}/val.zip", **(known | changes))  # type: ignore[arg-type]
    return PublicSet("a set", "no terms", "no page", (archive,))


def unknown(server: Server) -> PublicSet:
    """The same set where neither size nor checksum is known."""
    return published(server, size=None, checksum="")


def tree(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def quick(waited: list[float] | None = None, **changes: object) -> Transfer:
    """Transfer without pauses, in blocks that are small against the files."""
    pauses: list[float] = [] if waited is None else waited
    return replace(Transfer(tries=4, timeout=5, block=1000, wait=pauses.append), **changes)  # type: ignore[arg-type]


def left_behind(out: Path) -> list[str]:
    return [name for name in tree(out) if name != ".download.json"]


def test_a_set_is_there_with_a_receipt_and_nothing_else(server: Server, tmp_path: Path) -> None:
    done = download(published(server), tmp_path / "out", how=quick())
    files = tree(tmp_path / "out")
    receipt = json.loads(files.pop(".download.json"))
    assert files == ZIP_FILES
    assert not (tmp_path / "out" / ".download").exists()
    assert receipt["archives"][0]["sha256"] == hashlib.sha256(DATA).hexdigest()
    assert receipt["archives"][0]["checked"] == "the published sha256"
    assert done.fetched[0].unpacked.files == 3


def test_what_is_there_is_not_fetched_again(server: Server, tmp_path: Path) -> None:
    download(published(server), tmp_path / "out", how=quick())
    again = download(published(server), tmp_path / "out", how=quick())
    assert (len(server.asked), again.fetched, len(again.already)) == (1, (), 1)


@pytest.mark.parametrize("known", [True, False])
def test_a_transfer_that_breaks_off_goes_on_and_no_byte_comes_twice(known: bool, server: Server, tmp_path: Path) -> None:
    server.script = [server.breaks_off(1500), server.breaks_off(1200)]
    download(published(server) if known else unknown(server), tmp_path / "out", how=quick())
    assert server.asked == ["all", "bytes=1500-", "bytes=2700-"]
    assert server.sent == len(DATA)
    assert {name: one for name, one in tree(tmp_path / "out").items() if name[0] != "."} == ZIP_FILES


def test_a_server_that_knows_no_ranges_sends_all_of_it_again(server: Server, tmp_path: Path) -> None:
    server.script = [server.breaks_off(1500), server.knows_no_ranges]
    download(published(server), tmp_path / "out", how=quick())
    assert server.asked == ["all", "bytes=1500-"]
    assert tree(tmp_path / "out")["val/a.jpg"] == ZIP_FILES["val/a.jpg"]


def test_a_new_version_on_the_server_is_not_joined_to_the_old(server: Server, tmp_path: Path) -> None:
    changed = zipped({"val/a.jpg": b"another"})
    server.script = [server.breaks_off(1500), lambda handler, _: server.good(handler, changed, '"two"')]
    download(unknown(server), tmp_path / "out", how=quick())
    assert left_behind(tmp_path / "out") == ["val/a.jpg"]


def test_a_range_of_another_version_is_not_joined(server: Server, tmp_path: Path) -> None:
    def careless(handler: Any, data: bytes) -> None:
        server.send(handler, bytes(10), 206, ETag='"two"', Content_Range=f"bytes 1500-1509/{len(data)}")

    server.script = [server.breaks_off(1500), careless]
    download(unknown(server), tmp_path / "out", how=quick())
    assert server.asked == ["all", "bytes=1500-", "all"]


def test_a_range_that_was_not_asked_for_is_refused(server: Server, tmp_path: Path) -> None:
    server.script = [server.breaks_off(1500), server.answers(206, Content_Range=f"bytes 0-{len(DATA) - 1}/{len(DATA)}")]
    with pytest.raises(TransferError, match="asked for the bytes from 1,500 on"):
        download(published(server), tmp_path / "out", how=quick())


def test_a_file_without_a_stated_length_is_taken_to_its_end(server: Server, tmp_path: Path) -> None:
    server.script = [lambda handler, data: server.send(handler, data, stated=-1)]
    done = download(unknown(server), tmp_path / "out", how=quick())
    assert (done.fetched[0].bytes, server.asked) == (len(DATA), ["all"])


def test_an_answer_that_there_is_no_more_ends_a_whole_file(server: Server, tmp_path: Path) -> None:
    work = tmp_path / "out" / ".download"
    work.mkdir(parents=True)
    (work / "val.zip.part").write_bytes(DATA)
    note = {"address": f"{server.address}/val.zip", "mark": '"one"', "total": None, "sha256": ""}
    (work / "val.zip.part.json").write_text(json.dumps(note))
    download(unknown(server), tmp_path / "out", how=quick())
    assert (server.asked, server.sent) == ([f"bytes={len(DATA)}-"], 0)


def test_a_part_that_is_longer_than_the_file_is_fetched_anew(server: Server, tmp_path: Path) -> None:
    work = tmp_path / "out" / ".download"
    work.mkdir(parents=True)
    (work / "val.zip.part").write_bytes(DATA + b"more")
    note = {"address": f"{server.address}/val.zip", "mark": '"one"', "total": None, "sha256": ""}
    (work / "val.zip.part.json").write_text(json.dumps(note))
    download(unknown(server), tmp_path / "out", how=quick())
    assert server.asked == [f"bytes={len(DATA) + 4}-", "all"]


@pytest.mark.parametrize("note", ["", "{", "[]", "null", '{"address": 3, "mark": 1, "total": "x", "sha256": null}'])
def test_a_part_with_a_broken_note_is_fetched_anew(note: str, server: Server, tmp_path: Path) -> None:
    work = tmp_path / "out" / ".download"
    work.mkdir(parents=True)
    (work / "val.zip.part").write_bytes(b"whatever")
    (work / "val.zip.part.json").write_text(note)
    download(unknown(server), tmp_path / "out", how=quick())
    assert server.asked == ["all"]


def test_wrong_bytes_are_refused_and_deleted(server: Server, tmp_path: Path) -> None:
    server.files["/val.zip"] = bytes(len(DATA))
    with pytest.raises(UnreadableFile, match=r"val\.zip: the bytes that came are not those published"):
        download(published(server), tmp_path / "out", how=quick())
    assert left_behind(tmp_path / "out") == []


@pytest.mark.parametrize("stated", [len(DATA) - 9, len(DATA) + 9])
def test_a_length_that_is_not_the_published_one_is_refused(stated: int, server: Server, tmp_path: Path) -> None:
    server.script = [lambda handler, data: server.send(handler, data, stated=stated)]
    with pytest.raises(UnreadableFile, match=rf"expected {len(DATA):,} bytes, the server states {stated:,}"):
        download(published(server), tmp_path / "out", how=quick())
    assert left_behind(tmp_path / "out") == []


def test_more_bytes_than_published_are_refused(server: Server, tmp_path: Path) -> None:
    server.script = [lambda handler, data: server.send(handler, data * 3, stated=-1)]
    with pytest.raises(UnreadableFile, match="the server sends more"):
        download(published(server), tmp_path / "out", how=quick())
    assert left_behind(tmp_path / "out") == []


def test_a_file_of_unknown_size_is_bounded(server: Server, tmp_path: Path) -> None:
    server.script = [lambda handler, data: server.send(handler, data, stated=-1)]
    with pytest.raises(UnreadableFile, match="expected 2,000 bytes, the server sends more"):
        download(unknown(server), tmp_path / "out", how=quick(largest=2000))


def test_a_length_that_is_too_short_leaves_a_damaged_archive_which_is_refused(server: Server, tmp_path: Path) -> None:
    server.script = [lambda handler, data: server.send(handler, data, stated=len(data) - 9)]
    with pytest.raises(UnreadableFile, match=r"val\.zip.*damaged"):
        download(unknown(server), tmp_path / "out", how=quick())
    assert left_behind(tmp_path / "out") == []


def test_a_length_that_is_too_long_is_found_out(server: Server, tmp_path: Path) -> None:
    server.script = [lambda handler, data: server.send(handler, data, stated=len(data) + 9, ETag='"one"')]
    with pytest.raises(UnreadableFile, match=rf"first stated {len(DATA) + 9:,} bytes and now {len(DATA):,}"):
        download(unknown(server), tmp_path / "out", how=quick())
    assert left_behind(tmp_path / "out") == []


def test_a_length_that_is_too_long_at_every_try_is_refused(server: Server, tmp_path: Path) -> None:
    server.script = [lambda handler, data: server.send(handler, data[:900], stated=1000)] * 9
    with pytest.raises(UnreadableFile, match="broke off after 900 of 1,000 bytes, and so at each of 4 tries"):
        download(unknown(server), tmp_path / "out", how=quick())
    assert left_behind(tmp_path / "out") == []
    assert len(server.asked) == 4


def test_a_server_that_sends_nothing_more_does_not_cost_what_came(server: Server, tmp_path: Path) -> None:
    server.script = [server.breaks_off(1500), *[server.breaks_off(0)] * 9]
    with pytest.raises(TransferError, match="the 1,500 bytes that came are kept"):
        download(published(server), tmp_path / "out", how=quick())


def test_a_wrong_length_in_a_later_answer_does_not_cost_what_came(server: Server, tmp_path: Path) -> None:
    server.script = [server.breaks_off(1500), lambda handler, _: server.send(handler, b"maintenance")]
    with pytest.raises(UnreadableFile, match="the server states 11"):
        download(published(server), tmp_path / "out", how=quick())
    download(published(server), tmp_path / "out", how=quick())
    assert server.asked == ["all", "bytes=1500-", "bytes=1500-"]


def test_tries_are_bounded_also_where_every_other_one_comes_farther(server: Server, tmp_path: Path) -> None:
    far, near = (lambda handler, data, end=end: server.send(handler, data[:end], stated=len(data)) for end in (3000, 1000))
    server.script = [near, far] * 9
    with pytest.raises(TransferError, match="given up after 4 tries"):
        download(unknown(server), tmp_path / "out", how=quick())
    assert len(server.asked) == 5


def test_a_second_download_that_differs_from_the_first_is_refused(server: Server, tmp_path: Path) -> None:
    download(unknown(server), tmp_path / "out", how=quick())
    shutil.rmtree(tmp_path / "out" / "val")
    server.files["/val.zip"] = zipped({"val/a.jpg": b"another"})
    with pytest.raises(UnreadableFile, match=f"an earlier download saw sha256:{hashlib.sha256(DATA).hexdigest()}"):
        download(unknown(server), tmp_path / "out", how=quick())


def test_a_busy_server_is_asked_again_after_longer_and_longer(server: Server, tmp_path: Path) -> None:
    server.script = [server.answers(503), server.answers(500), server.answers(429, Retry_After="7")]
    waited: list[float] = []
    download(published(server), tmp_path / "out", how=quick(waited))
    assert waited == [1, 2, 7]


def test_tries_are_bounded_and_what_came_is_kept(server: Server, tmp_path: Path) -> None:
    server.script = [server.breaks_off(1500), *[server.answers(503)] * 9]
    with pytest.raises(TransferError, match=r"503 .*given up after 4 tries; the 1,500 bytes that came are kept"):
        download(published(server), tmp_path / "out", how=quick())
    server.script = []
    download(published(server), tmp_path / "out", how=quick())
    assert server.sent == len(DATA)


def test_a_file_that_is_not_there_is_asked_for_once(server: Server, tmp_path: Path) -> None:
    server.script = [server.answers(404)]
    with pytest.raises(TransferError, match=r"val\.zip: the server answered 404 .*see its page"):
        download(published(server), tmp_path / "out", how=quick())
    assert len(server.asked) == 1


def test_a_redirect_on_this_machine_is_followed_with_its_range(server: Server, tmp_path: Path) -> None:
    server.files["/moved.zip"] = DATA
    server.script = [server.breaks_off(1500), server.answers(302, Location="/moved.zip")]
    download(published(server), tmp_path / "out", how=quick())
    assert server.asked == ["all", "bytes=1500-", "bytes=1500-"]


@pytest.mark.parametrize("place", ["http://example.org/val.zip", "file:///etc/passwd", "ftp://example.org/x"])
def test_a_redirect_to_anything_but_https_is_refused(place: str, server: Server, tmp_path: Path) -> None:
    server.script = [server.answers(302, Location=place)]
    with pytest.raises(TransferError, match=r"only https|is not allowed"):
        download(published(server), tmp_path / "out", how=quick())


def test_redirects_in_a_circle_end(server: Server, tmp_path: Path) -> None:
    server.script = [server.answers(302, Location="/val.zip")] * 50
    with pytest.raises(TransferError, match="302"):
        download(published(server), tmp_path / "out", how=quick())


@pytest.mark.parametrize(
    ("address", "came_from", "message"),
    [
        ("http://example.org/a.zip", None, "only https"),
        ("https://me:secret@example.org/a.zip", None, "a name or a password"),
        ("http://localhost.example.org/a.zip", None, "only https"),
        ("http://127.0.0.1/a.zip", "https://example.org/a.zip", "only https"),
        ("https://[broken/a.zip", None, "not an address"),
        ("https:///a.zip", None, "only https"),
    ],
)
def test_unsafe_addresses_are_refused(address: str, came_from: str | None, message: str) -> None:
    with pytest.raises(TransferError, match=message) as refused:
        require_safe(address, came_from)
    assert "secret" not in str(refused.value)


def test_a_folder_with_other_files_is_not_written_to(server: Server, tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("years of work")
    with pytest.raises(PlaceTaken, match=r"not from a download \(it holds thesis\.tex\)"):
        download(published(server), tmp_path, how=quick())
    assert server.asked == []


def test_a_file_that_is_in_the_way_is_not_replaced(server: Server, tmp_path: Path) -> None:
    (tmp_path / ".download").mkdir()
    (tmp_path / "val").mkdir()
    (tmp_path / "val" / "b.jpg").write_text("mine")
    with pytest.raises(PlaceTaken, match=r"b\.jpg: is there already"):
        download(published(server), tmp_path, how=quick())
    assert not (tmp_path / "val" / "a.jpg").exists()


def test_a_second_process_is_refused(server: Server, tmp_path: Path) -> None:
    (tmp_path / ".download").mkdir()
    with locked(tmp_path / ".download"), pytest.raises(RunInUse):
        download(published(server), tmp_path, how=quick())


def test_too_little_space_is_told_before_anything_is_fetched(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(10**9, 10**9, 0))  # type: ignore[attr-defined]
    with pytest.raises(StorageError, match=r"0\.0 GB are free; free some"):
        download(published(server), tmp_path / "out", how=quick())
    assert server.asked == []


def test_kept_archives_serve_a_later_download(server: Server, tmp_path: Path) -> None:
    download(published(server), tmp_path / "out", keep=True, how=quick())
    assert (tmp_path / "out" / "archives" / "val.zip").read_bytes() == DATA
    shutil.rmtree(tmp_path / "out" / "val")
    shutil.rmtree(tmp_path / "out" / "labels")
    download(published(server), tmp_path / "out", keep=True, how=quick())
    assert len(server.asked) == 1
    assert (tmp_path / "out" / "archives" / "val.zip").read_bytes() == DATA


def test_parts_are_chosen_and_join_what_is_there(server: Server, tmp_path: Path) -> None:
    server.files["/train.zip"] = zipped({"labels/train.json": b"{}"})
    train = Archive("train", f"{server.address}/train.zip")
    both = PublicSet("a set", "no terms", "no page", (*published(server).archives, train))
    download(both, tmp_path / "out", ["val"], how=quick())
    assert "labels/train.json" not in tree(tmp_path / "out")
    download(both, tmp_path / "out", how=quick())
    assert {"labels/train.json", "labels/val.json"} <= set(tree(tmp_path / "out"))
    assert len(server.asked) == 2


def test_an_unknown_part_is_refused_with_the_nearest(server: Server, tmp_path: Path) -> None:
    with pytest.raises(OptionError, match="no part 'vall' in this set; did you mean 'val'"):
        download(published(server), tmp_path / "out", ["vall"], how=quick())


@pytest.mark.parametrize("receipt", ["", "[]", '{"archives": [{}]}', '{"archives": 3}', '{"archives": [{"name": "a"}]}'])
def test_a_receipt_that_cannot_be_read_is_told_and_kept(receipt: str, server: Server, tmp_path: Path) -> None:
    (tmp_path / ".download.json").write_text(receipt)
    with pytest.raises(UnreadableFile, match=r"not the receipt of a download .*delete it to fetch all again"):
        download(published(server), tmp_path, how=quick())
    assert (tmp_path / ".download.json").read_text() == receipt


def test_an_interrupted_transfer_goes_on(server: Server, tmp_path: Path) -> None:
    def interrupt(what: str, done: int, of: int) -> None:
        if done >= 2000:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        download(published(server), tmp_path / "out", how=quick(), progress=interrupt)
    held = (tmp_path / "out" / ".download" / "val.zip.part").stat().st_size
    download(published(server), tmp_path / "out", how=quick())
    assert server.asked == ["all", f"bytes={held}-"]


def test_a_full_disk_is_told_and_what_came_is_kept(server: Server, tmp_path: Path) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2500, hard))
    try:
        with pytest.raises(StorageError, match=r"val\.zip\.part: cannot be written: .*so the same command goes on"):
            download(published(server), tmp_path / "out", how=quick())
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    download(published(server), tmp_path / "out", how=quick())
    assert server.asked == ["all", "bytes=2500-"]


def test_a_gzip_file_that_a_server_calls_an_encoding_is_taken_as_it_is(server: Server, tmp_path: Path) -> None:
    labels = io.BytesIO()
    with tarfile.open(fileobj=labels, mode="w:gz") as tar:
        tar.addfile(tarfile.TarInfo("a.txt"))
    server.files |= {"/a.tar.gz": labels.getvalue()}
    server.script = [lambda handler, data: server.send(handler, data, Content_Encoding="x-gzip")] * 2
    packed = PublicSet("", "", "", (Archive("all", f"{server.address}/a.tar.gz"),))
    download(packed, tmp_path / "gz", how=quick())
    assert (tmp_path / "gz" / "a.txt").is_file()
    with pytest.raises(TransferError, match=r"encoded \(x-gzip\), which was not asked for"):
        download(unknown(server), tmp_path / "zip", how=quick())
