"""Images are kept for the operator alone, in a bounded folder, under the request's id."""

import os
import random
import stat
import time
from pathlib import Path

import numpy as np
import pytest

from pixelwise.core.errors import OptionError
from pixelwise.core.image import Image, read_image
from pixelwise.serve.kept_images import KeptImages, Retention

PNG = b"\x89PNG" + b"x" * 96
ALL = Retention(share=1.0)


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_what_is_offered_is_written_under_the_request_s_id(tmp_path: Path) -> None:
    with KeptImages(tmp_path / "kept", ALL) as kept:
        assert kept.offer(PNG, "order-1")
        assert kept.offer(b"\xff\xd8\xff", "order-2")
        assert kept.offer(b"<svg>", "order-3")
    assert names(tmp_path / "kept") == ["order-1.png", "order-2.jpg", "order-3.bin"]
    assert (tmp_path / "kept" / "order-1.png").read_bytes() == PNG


def test_a_request_s_id_cannot_lead_out_of_the_folder(tmp_path: Path) -> None:
    with KeptImages(tmp_path / "kept", ALL) as kept:
        for bad in ("../outside", "/etc/passwd", "", "a/b", ".hidden"):
            kept.offer(PNG, bad)
    assert names(tmp_path) == ["kept"]
    assert all(len(name) == 28 for name in names(tmp_path / "kept"))


def test_an_id_used_twice_replaces_nothing(tmp_path: Path) -> None:
    with KeptImages(tmp_path / "kept", ALL) as kept:
        kept.offer(PNG, "one")
        kept.offer(PNG + b"other", "one")
    assert (tmp_path / "kept" / "one.png").read_bytes() == PNG


@pytest.mark.skipif(os.name != "posix", reason="no permission bits")
def test_nobody_else_may_look(tmp_path: Path) -> None:
    with KeptImages(tmp_path / "kept", ALL) as kept:
        kept.offer(PNG, "one")
    assert stat.S_IMODE((tmp_path / "kept").stat().st_mode) == 0o700
    assert stat.S_IMODE((tmp_path / "kept" / "one.png").stat().st_mode) == 0o600
    (tmp_path / "open").mkdir(mode=0o755)
    with pytest.raises(OptionError, match="chmod 700"):
        KeptImages(tmp_path / "open")


def test_the_share_is_kept(tmp_path: Path) -> None:
    with KeptImages(tmp_path / "kept", Retention(share=0.25), random.Random(0)) as kept:
        chosen = 0
        for number in range(200):
            chosen += kept.offer(PNG, f"request{number}")
    assert 20 <= chosen + kept.dropped <= 80
    assert len(names(tmp_path / "kept")) == chosen
    with KeptImages(tmp_path / "none", Retention(share=0.0)) as kept:
        assert not any(kept.offer(PNG, str(number)) for number in range(100))


def old(path: Path, content: bytes, days: float) -> None:
    path.write_bytes(content)
    moment = time.time() - days * 86400
    os.utime(path, (moment, moment))


def test_the_oldest_go_when_there_are_too_many_or_too_large(tmp_path: Path) -> None:
    with KeptImages(tmp_path / "kept", Retention(1.0, images=3, bytes=250)) as kept:
        for age in range(1, 6):
            old(tmp_path / "kept" / f"r{age}.png", PNG, age / 10)
        kept.offer(PNG, "new")
    assert names(tmp_path / "kept") == ["new.png", "r1.png"]


def test_images_go_when_they_are_too_old_and_other_files_stay(tmp_path: Path) -> None:
    folder = tmp_path / "kept"
    folder.mkdir(mode=0o700)
    old(folder / "aged.png", PNG, 8)
    old(folder / "young.png", PNG, 6)
    old(folder / "notes.txt", b"mine", 100)
    old(folder / ".aged.0123abcd.png", PNG[:7], 8)  # what a crash left half written
    KeptImages(folder, Retention(1.0, days=7)).close()
    assert names(folder) == ["notes.txt", "young.png"]


def test_what_is_larger_than_the_folder_may_be_is_not_kept(tmp_path: Path) -> None:
    with KeptImages(tmp_path / "kept", Retention(1.0, bytes=50)) as kept:
        kept.offer(PNG, "one")
    assert (names(tmp_path / "kept"), kept.dropped) == ([], 1)


def test_a_slow_disk_holds_up_nobody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import threading

    gate = threading.Event()
    monkeypatch.setattr(KeptImages, "_write", lambda self, content, request_id: gate.wait(30))
    kept = KeptImages(tmp_path / "kept", ALL)
    offered = [kept.offer(PNG, f"r{number}") for number in range(50)]
    gate.set()
    kept.close()
    assert kept.dropped == offered.count(False) >= 41


def test_a_disk_that_fails_is_told_and_the_next_image_is_tried(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    written: list[str] = []

    def write(self: KeptImages, content: bytes, request_id: str) -> None:
        if request_id == "one":
            raise OSError(28, "no space left")
        written.append(request_id)

    monkeypatch.setattr(KeptImages, "_write", write)
    with caplog.at_level("ERROR", "pixelwise.serve"), KeptImages(tmp_path / "kept", ALL) as kept:
        kept.offer(PNG, "one")
        kept.offer(PNG, "two")
    assert (written, kept.dropped, caplog.messages) == (["two"], 1, ["image_not_kept"])


def test_pixels_that_came_as_numbers_are_kept_as_they_are(tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (5, 7, 3), np.uint8)
    with KeptImages(tmp_path / "kept", ALL) as kept:
        kept.offer(Image(pixels), "one")
    assert (read_image(tmp_path / "kept" / "one.png").pixels == pixels).all()


def test_no_bound_may_be_left_out() -> None:
    for wrong in ({"share": 1.5}, {"images": 0}, {"bytes": float("inf")}, {"days": -1}):
        with pytest.raises(OptionError):
            Retention(**wrong)
