"""A download that is killed and started again ends as if nothing had been, and no byte comes twice."""

import hashlib
import io
import json
import signal
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path
from typing import Any

import pytest

from pixelwise.curate.download import download
from pixelwise.curate.download_file import Transfer
from pixelwise.curate.sources import Archive, PublicSet

PHOTOS = {f"val/{k}.jpg": bytes([k]) * (1000 + k) for k in range(12)}
LABELS = {"labels/val.json": b"{}", "labels/more.json": b"[]", "val/list.txt": b"0.jpg"}

# Downloads, and kills itself when it has done what is named, so often: a block, a file unpacked, a file put in place.
KILLED = """
import os, signal, sys
from pathlib import Path
from pixelwise.curate.download import download
from pixelwise.curate.download_file import Transfer
from pixelwise.curate.sources import Archive, PublicSet

address, out, when, left = sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4])

def count(what):
    global left
    if what.startswith(when):
        left -= 1
        if not left:
            os.kill(os.getpid(), signal.SIGKILL)

replace = os.replace
def replacing(source, target):
    replace(source, target)
    count("listing" if str(target).endswith(".download.json") else "putting" if ".download" not in str(target) else "other")

os.replace = replacing
files = tuple(Archive("all", f"{address}/{name}") for name in ("photos.zip", "labels.tar.gz"))
download(PublicSet("", "", "", files), Path(out), how=Transfer(block=1000), progress=lambda what, done, of: count(what))
"""


def archives(address: str) -> PublicSet:
    return PublicSet("", "", "", tuple(Archive("all", f"{address}/{name}") for name in ("photos.zip", "labels.tar.gz")))


@pytest.fixture(autouse=True)
def _content(server: Any) -> None:
    photos, labels = io.BytesIO(), io.BytesIO()
    with zipfile.ZipFile(photos, "w") as archive:
        for name, content in PHOTOS.items():
            archive.writestr(zipfile.ZipInfo(name), content)
    with tarfile.open(fileobj=labels, mode="w:gz") as tar:
        for name, content in LABELS.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            tar.addfile(entry, io.BytesIO(content))
    server.files |= {"/photos.zip": photos.getvalue(), "/labels.tar.gz": labels.getvalue()}


def tree(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


@pytest.mark.parametrize(
    ("when", "left"),
    [
        ("transferring photos", 3),
        ("checking photos", 1),
        ("unpacking photos", 5),
        ("putting", 1),
        ("listing", 1),
        ("unpacking labels", 2),
        ("putting", 3),
        ("listing", 2),
    ],
)
def test_killed_and_started_again_it_ends_as_if_nothing_had_been(when: str, left: int, server: Any, tmp_path: Path) -> None:
    killed = subprocess.run(
        [sys.executable, "-c", KILLED, server.address, tmp_path / "out", when, str(left)], timeout=120, check=False
    )
    assert killed.returncode == -signal.SIGKILL
    there = next(iter((tmp_path / "out" / ".download").glob("photos.zip.part")), None)
    held = there.stat().st_size if there else len(server.files["/photos.zip"])
    server.asked.clear()
    server.sent = 0
    download(archives(server.address), tmp_path / "out", how=Transfer(block=1000))
    expected = [] if held == len(server.files["/photos.zip"]) else [f"bytes={held}-"]
    assert server.asked in (expected, [*expected, "all"])
    assert server.sent <= len(server.files["/photos.zip"]) - held + len(server.files["/labels.tar.gz"])

    download(archives(server.address), tmp_path / "whole", how=Transfer(block=1000))
    assert tree(tmp_path / "out") == tree(tmp_path / "whole")
    assert not (tmp_path / "out" / ".download").exists()


def test_files_that_were_unpacked_before_the_kill_are_not_unpacked_again(server: Any, tmp_path: Path) -> None:
    out = tmp_path / "out"
    subprocess.run([sys.executable, "-c", KILLED, server.address, out, "unpacking photos", "5"], timeout=120, check=False)
    stage = out / ".download" / "photos.zip.unpacked"
    before = {path.name: path.stat().st_mtime_ns for path in (stage / "content").rglob("*.jpg")}
    assert len((stage / "0.jsonl").read_text().splitlines()) == len(before) == 5
    download(archives(server.address), out, how=Transfer(block=1000))
    assert {name: (out / "val" / name).stat().st_mtime_ns for name in before} == before


def test_what_was_unpacked_of_a_file_that_is_gone_is_not_gone_on_with(server: Any, tmp_path: Path) -> None:
    out = tmp_path / "out"
    subprocess.run([sys.executable, "-c", KILLED, server.address, out, "unpacking photos", "5"], timeout=120, check=False)
    (out / ".download" / "photos.zip.part").unlink()
    changed = io.BytesIO()
    with zipfile.ZipFile(changed, "w") as archive:
        archive.writestr("val/0.jpg", b"\x07" * 1000)  # as long as the old one
    server.files["/photos.zip"] = changed.getvalue()
    download(archives(server.address), out, how=Transfer(block=1000))
    assert (out / "val" / "0.jpg").read_bytes() == b"\x07" * 1000
    assert not (out / "val" / "1.jpg").exists()


def test_the_receipt_has_the_sum_of_the_whole_file_after_a_resumed_transfer(server: Any, tmp_path: Path) -> None:
    out = tmp_path / "out"
    subprocess.run([sys.executable, "-c", KILLED, server.address, out, "transferring", "2"], timeout=120, check=False)
    download(archives(server.address), out, how=Transfer(block=1000))
    rows = json.loads((out / ".download.json").read_text())["archives"]
    sums = {row["name"]: row["sha256"] for row in rows}
    assert sums["photos.zip"] == hashlib.sha256(server.files["/photos.zip"]).hexdigest()
