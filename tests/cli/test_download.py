"""``pixelwise data download`` as a user meets it: terms first, a table after, JSON, and exit codes."""

import functools
import http.server
import json
import threading
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from pixelwise.cli import main
from pixelwise.cli.download import Transfers
from pixelwise.curate import sources
from pixelwise.curate.sources import Archive, PublicSet


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def leaves(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A public set called ``leaves`` on a server on this machine; gives the folder that it serves."""
    served = tmp_path / "served"
    served.mkdir()
    for part in ("val", "train"):
        with zipfile.ZipFile(served / f"{part}.zip", "w") as archive:
            archive.writestr(f"{part}/leaf.txt", "green")
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=served)) as server:
        address = f"http://127.0.0.1:{server.server_port}"
        archives = tuple(Archive(part, f"{address}/{part}.zip") for part in ("val", "train"))
        monkeypatch.setitem(
            sources.SETS, "leaves", PublicSet("Leaves", "for looking at alone", "https://example.org", archives)
        )
        thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        yield served
        server.shutdown()
        thread.join()


def test_the_terms_are_printed_and_the_set_is_there(leaves: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["data", "download", "leaves", "--out", str(tmp_path / "out")]) == 0
    said = capsys.readouterr().out
    assert said.index("for looking at alone") < said.index("val.zip (?; no checksum is published)") < said.index("fetched")
    assert "checked  val.zip: its length and the sums inside the archive; no checksum is published; sha256:" in said
    assert (tmp_path / "out" / "val" / "leaf.txt").read_text() == "green"
    assert (tmp_path / "out" / "train" / "leaf.txt").read_text() == "green"


def test_the_terms_are_printed_before_anything_is_fetched(
    leaves: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (leaves / "val.zip").unlink()
    assert main(["data", "download", "leaves", "--out", str(tmp_path / "out")]) == 1
    said = capsys.readouterr()
    assert "for looking at alone" in said.out
    assert "error: http://127.0.0.1" in said.err
    assert "answered 404" in said.err


def test_parts_and_kept_archives(leaves: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert main(["data", "download", "leaves", "--out", str(out), "--parts", "val", "--keep-archives"]) == 0
    assert sorted(one.name for one in out.iterdir()) == [".download.json", "archives", "val"]
    assert (out / "archives" / "val.zip").read_bytes() == (leaves / "val.zip").read_bytes()


def test_json_is_alone_on_standard_output(leaves: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["data", "download", "leaves", "--out", str(tmp_path / "out"), "--json"]) == 0
    said = capsys.readouterr()
    assert [one["name"] for one in json.loads(said.out)["fetched"]] == ["val.zip", "train.zip"]
    assert "for looking at alone" in said.err


def test_the_set_goes_to_the_folder_data_unless_said_otherwise(
    leaves: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["data", "download", "leaves"]) == 0
    assert (tmp_path / "data" / "leaves" / "val" / "leaf.txt").is_file()


def test_the_list_tells_parts_sizes_and_terms(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["data", "download", "--list"]) == 0
    said = capsys.readouterr().out
    assert "val (815.6 MB), annotations (252.9 MB), train (19.3 GB), test (6.6 GB + 1.1 MB; only if named)" in said
    assert "terms: CC0 1.0" in said


def test_the_list_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["data", "download", "--list", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["voc2012"]["bytes"] == 1_999_639_040


def test_a_log_gets_a_plain_line_every_ten_seconds(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    clock = iter([0.0, 1.0, 6.0, 11.0, 12.0, 31.0])
    monkeypatch.setattr("pixelwise.cli.download.time.monotonic", lambda: next(clock))
    with Transfers() as progress:
        for megabytes in (100, 150, 200, 210):
            progress("transferring val.zip", megabytes * 10**6, 815_000_000)
        progress("unpacking val.zip", 1234, 0)
    assert capsys.readouterr().err.splitlines() == [
        "transferring val.zip: 200 of 815 MB, 10.0 MB/s",
        "unpacking val.zip: 1,234 files",
    ]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "say which set to fetch: coco2017"),
        (["coco"], "no public data set 'coco'; did you mean"),
        (["coco2017", "--parts", "vall"], "no part 'vall' in this set; did you mean 'val'"),
    ],
)
def test_wrong_use_is_told_with_what_to_do(arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["data", "download", *arguments]) == 2
    assert message in capsys.readouterr().err
