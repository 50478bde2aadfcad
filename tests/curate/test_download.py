"""Downloads from a server on this machine that breaks off, lies and serves wrong bytes; nothing here leaves the machine."""

import hashlib
import io
import json
import re
import shutil
import threading
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from pixelwise.core.errors import OptionError, PlaceTaken, RunInUse, StorageError, TransferError, UnreadableFile
from pixelwise.core.files import locked
from pixelwise.curate.download import download
from pixelwise.curate.download_file import Transfer
from pixelwise.curate.download_http import require_safe
from pixelwise.curate.sources import Archive, PublicSet

ZIP_FILES = {"val/a.jpg": b"photo a" * 300, "val/b.jpg": b"photo b" * 500, "labels/val.json": b'{"images": []}'}


def zipped(files: dict[str, bytes]) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        for name, content in files.items():
            archive.writestr(zipfile.ZipInfo(name), content)
    return made.getvalue()


DATA = zipped(ZIP_FILES)

Behaviour = Callable[["Handler", bytes], None]


def send(handler: "Handler", body: bytes, code: int = 200, stated: int | None = None, **headers: str) -> None:
    handler.send_response(code)
    if stated != -1:
        handler.send_header("Content-Length", str(len(body) if stated is None else stated))
    for name, value in headers.items():
        handler.send_header(name.replace("_", "-"), value)
    handler.end_headers()
    handler.wfile.write(body)
    handler.server.sent += len(body)  # type: ignore[attr-defined]


def wanted_start(handler: "Handler", etag: str = '"one"') -> int:
    """Where the client wants to begin; 0 where its version is not this one."""
    asked = re.fullmatch(r"bytes=(\d+)-", handler.headers.get("Range", ""))
    return int(asked[1]) if asked and handler.headers.get("If-Range", etag) == etag else 0


def good(handler: "Handler", data: bytes, etag: str = '"one"', only: int | None = None) -> None:
    """Answer as a good server does; with ``only``, break off after so many bytes."""
    start = wanted_start(handler, etag)
    if start >= len(data):
        send(handler, b"", 416, Content_Range=f"bytes */{len(data)}")
        return
    body, stated = data[start:][:only], len(data) - start
    if start:
        send(handler, body, 206, stated, ETag=etag, Content_Range=f"bytes {start}-{len(data) - 1}/{len(data)}")
    else:
        send(handler, body, 200, stated, ETag=etag)


def breaks_off(after: int) -> Behaviour:
    return lambda handler, data: good(handler, data, only=after)


def knows_no_ranges(handler: "Handler", data: bytes) -> None:
    send(handler, data, ETag='"one"')


def answers(code: int, **headers: str) -> Behaviour:
    return lambda handler, data: send(handler, b"", code, **headers)


@dataclass
class Server:
    """A server whose answers are scripted; when the script is over, it is good."""

    address: str
    files: dict[str, bytes]
    script: list[Behaviour]
    asked: list[str] = field(default_factory=list)
    http: ThreadingHTTPServer | None = None

    @property
    def sent(self) -> int:
        return self.http.sent  # type: ignore[union-attr]


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        world: Server = self.server.world  # type: ignore[attr-defined]
        world.asked.append(self.headers.get("Range", "all"))
        behaviour = world.script.pop(0) if world.script else good
        behaviour(self, world.files[self.path])

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def server() -> Iterator[Server]:
    http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    world = Server(f"http://127.0.0.1:{http.server_port}", {"/val.zip": DATA}, [], http=http)
    http.world, http.sent = world, 0  # type: ignore[attr-defined]
    thread = threading.Thread(target=http.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    yield world
    http.shutdown()
    thread.join()
    http.server_close()


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
    server.script = [breaks_off(1500), breaks_off(1200)]
    download(published(server) if known else unknown(server), tmp_path / "out", how=quick())
    assert server.asked == ["all", "bytes=1500-", "bytes=2700-"]
    assert server.sent == len(DATA)
    assert {name: one for name, one in tree(tmp_path / "out").items() if name[0] != "."} == ZIP_FILES


def test_a_server_that_knows_no_ranges_sends_all_of_it_again(server: Server, tmp_path: Path) -> None:
    server.script = [breaks_off(1500), knows_no_ranges]
    download(published(server), tmp_path / "out", how=quick())
    assert server.asked == ["all", "bytes=1500-"]
    assert tree(tmp_path / "out")["val/a.jpg"] == ZIP_FILES["val/a.jpg"]


def test_a_new_version_on_the_server_is_not_joined_to_the_old(server: Server, tmp_path: Path) -> None:
    changed = zipped({"val/a.jpg": b"another"})
    server.script = [breaks_off(1500), lambda handler, _: good(handler, changed, '"two"')]
    download(unknown(server), tmp_path / "out", how=quick())
    assert left_behind(tmp_path / "out") == ["val/a.jpg"]


def test_a_range_of_another_version_is_not_joined(server: Server, tmp_path: Path) -> None:
    def careless(handler: Handler, data: bytes) -> None:
        send(handler, bytes(10), 206, ETag='"two"', Content_Range=f"bytes 1500-1509/{len(data)}")

    server.script = [breaks_off(1500), careless]
    download(unknown(server), tmp_path / "out", how=quick())
    assert server.asked == ["all", "bytes=1500-", "all"]


def test_a_range_that_was_not_asked_for_is_refused(server: Server, tmp_path: Path) -> None:
    server.script = [breaks_off(1500), answers(206, Content_Range=f"bytes 0-{len(DATA) - 1}/{len(DATA)}")]
    with pytest.raises(TransferError, match="asked for the bytes from 1,500 on"):
        download(published(server), tmp_path / "out", how=quick())


def test_a_whole_part_needs_no_further_question(server: Server, tmp_path: Path) -> None:
    other = published(server, checksum="sha256:" + "0" * 64)
    with pytest.raises(UnreadableFile):
        download(other, tmp_path / "first", how=quick())
    server.script = [lambda handler, data: send(handler, data, stated=-1)]  # no length: the end is known only when it comes
    download(unknown(server), tmp_path / "second", how=quick())
    assert server.asked == ["all", "all"]


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
    server.script = [lambda handler, data: send(handler, data, stated=stated)]
    with pytest.raises(UnreadableFile, match=rf"expected {len(DATA):,} bytes, the server states {stated:,}"):
        download(published(server), tmp_path / "out", how=quick())
    assert left_behind(tmp_path / "out") == []


def test_more_bytes_than_published_are_refused(server: Server, tmp_path: Path) -> None:
    server.script = [lambda handler, data: send(handler, data * 3, stated=-1)]
    with pytest.raises(UnreadableFile, match="the server sends more"):
        download(published(server), tmp_path / "out", how=quick())
    assert left_behind(tmp_path / "out") == []


def test_a_file_of_unknown_size_is_bounded(server: Server, tmp_path: Path) -> None:
    server.script = [lambda handler, data: send(handler, data, stated=-1)]
    with pytest.raises(UnreadableFile, match="expected 2,000 bytes, the server sends more"):
        download(unknown(server), tmp_path / "out", how=quick(largest=2000))


def test_a_length_that_is_too_short_leaves_a_damaged_archive_which_is_refused(server: Server, tmp_path: Path) -> None:
    server.script = [lambda handler, data: send(handler, data, stated=len(data) - 9)]
    with pytest.raises(UnreadableFile, match=r"val\.zip.*damaged"):
        download(unknown(server), tmp_path / "out", how=quick())
    assert left_behind(tmp_path / "out") == []


def test_a_length_that_is_too_long_is_found_out(server: Server, tmp_path: Path) -> None:
    server.script = [lambda handler, data: send(handler, data, stated=len(data) + 9, ETag='"one"')]
    with pytest.raises(UnreadableFile, match=rf"first stated {len(DATA) + 9:,} bytes and now {len(DATA):,}"):
        download(unknown(server), tmp_path / "out", how=quick())
    assert left_behind(tmp_path / "out") == []


def test_a_length_that_is_too_long_at_every_try_is_refused(server: Server, tmp_path: Path) -> None:
    server.script = [lambda handler, data: send(handler, data[:900], stated=1000)] * 9
    with pytest.raises(UnreadableFile, match="broke off after 900 of 1,000 bytes, and so at each of 4 tries"):
        download(unknown(server), tmp_path / "out", how=quick())
    assert left_behind(tmp_path / "out") == []
    assert len(server.asked) == 4


def test_a_second_download_that_differs_from_the_first_is_refused(server: Server, tmp_path: Path) -> None:
    download(unknown(server), tmp_path / "out", how=quick())
    shutil.rmtree(tmp_path / "out" / "val")
    server.files["/val.zip"] = zipped({"val/a.jpg": b"another"})
    with pytest.raises(UnreadableFile, match=f"an earlier download saw sha256:{hashlib.sha256(DATA).hexdigest()}"):
        download(unknown(server), tmp_path / "out", how=quick())


def test_a_busy_server_is_asked_again_after_longer_and_longer(server: Server, tmp_path: Path) -> None:
    server.script = [answers(503), answers(500), answers(429, Retry_After="7")]
    waited: list[float] = []
    download(published(server), tmp_path / "out", how=quick(waited))
    assert waited == [1, 2, 7]


def test_tries_are_bounded_and_what_came_is_kept(server: Server, tmp_path: Path) -> None:
    server.script = [breaks_off(1500), *[answers(503)] * 9]
    with pytest.raises(TransferError, match=r"503 .*given up after 4 tries; the 1,500 bytes that came are kept"):
        download(published(server), tmp_path / "out", how=quick())
    server.script = []
    download(published(server), tmp_path / "out", how=quick())
    assert server.sent == len(DATA)


def test_a_file_that_is_not_there_is_asked_for_once(server: Server, tmp_path: Path) -> None:
    server.script = [answers(404)]
    with pytest.raises(TransferError, match=r"val\.zip: the server answered 404 .*see its page"):
        download(published(server), tmp_path / "out", how=quick())
    assert len(server.asked) == 1


def test_a_redirect_on_this_machine_is_followed_with_its_range(server: Server, tmp_path: Path) -> None:
    server.files["/moved.zip"] = DATA
    server.script = [breaks_off(1500), answers(302, Location="/moved.zip")]
    download(published(server), tmp_path / "out", how=quick())
    assert server.asked == ["all", "bytes=1500-", "bytes=1500-"]


@pytest.mark.parametrize("place", ["http://example.org/val.zip", "file:///etc/passwd", "ftp://example.org/x"])
def test_a_redirect_to_anything_but_https_is_refused(place: str, server: Server, tmp_path: Path) -> None:
    server.script = [answers(302, Location=place)]
    with pytest.raises(TransferError, match=r"only https|is not allowed"):
        download(published(server), tmp_path / "out", how=quick())


def test_redirects_in_a_circle_end(server: Server, tmp_path: Path) -> None:
    server.script = [answers(302, Location="/val.zip")] * 50
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
