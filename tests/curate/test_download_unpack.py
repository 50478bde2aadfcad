"""Archives that would write outside, fill the disk or hide something are refused, and leave nothing behind."""

import contextlib
import gzip
import io
import struct
import tarfile
import unicodedata
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pixelwise.core.errors import PixelwiseError, UnreadableFile
from pixelwise.curate.download_archive import Limits
from pixelwise.curate.download_unpack import put, unpack
from pixelwise.curate.sources import Archive

ROW = Archive("all", "https://example.org/set.zip")


def zipped(*files: tuple[str | zipfile.ZipInfo, bytes], method: int = zipfile.ZIP_STORED) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", method) as archive:
        for name, content in files:
            archive.writestr(name, content)
    return made.getvalue()


def entry(name: str, content: bytes = b"", type: bytes = tarfile.REGTYPE, link: str = "") -> tuple[tarfile.TarInfo, bytes]:
    made = tarfile.TarInfo(name)
    made.size, made.type, made.linkname = len(content), type, link
    return made, content


def tarred(*entries: tuple[tarfile.TarInfo, bytes], mode: str = "w:gz") -> bytes:
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode=mode) as archive:  # type: ignore[call-overload]
        for one, content in entries:
            archive.addfile(one, io.BytesIO(content))
    return made.getvalue()


def unpacked(data: bytes, folder: Path, archive: Archive = ROW, limits: Limits | None = None) -> dict[str, bytes]:
    """Unpack ``data`` and give what is put in place."""
    path = folder / "set.part"
    path.write_bytes(data)
    out = folder / "out"
    out.mkdir(exist_ok=True)
    unpack(archive, path, folder / "stage", limits or Limits(), lambda *_: None)
    put(archive, folder / "stage", out)
    return {one.relative_to(out).as_posix(): one.read_bytes() for one in out.rglob("*") if one.is_file()}


def refused(data: bytes, folder: Path, message: str, limits: Limits | None = None) -> None:
    with pytest.raises(UnreadableFile, match=message):
        unpacked(data, folder, limits=limits)
    assert sorted(one.name for one in folder.iterdir()) == ["out", "set.part"]
    assert not list((folder / "out").iterdir())


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_a_zip_file_is_unpacked(method: int, tmp_path: Path) -> None:
    data = zipped(("a/", b""), ("a/b.txt", b"one" * 99), ("c.txt", b""), method=method)
    assert unpacked(data, tmp_path) == {"a/b.txt": b"one" * 99, "c.txt": b""}


@pytest.mark.parametrize("mode", ["w", "w:gz"])
def test_a_tar_file_is_unpacked(mode: str, tmp_path: Path) -> None:
    long = "/".join(["folder"] * 30) + "/" + "n" * 200
    data = tarred(entry("./", type=tarfile.DIRTYPE), entry("./a/b.txt", b"x" * 512), entry(long, b"y" * 513), mode=mode)
    assert unpacked(data, tmp_path) == {"a/b.txt": b"x" * 512, long: b"y" * 513}


def test_an_archive_goes_below_the_folder_that_its_row_names(tmp_path: Path) -> None:
    row = Archive("all", "https://example.org/set.zip", folder="train")
    assert unpacked(zipped(("a.txt", b"1")), tmp_path, row) == {"train/a.txt": b"1"}


def test_archives_inside_are_unpacked_where_they_lie(tmp_path: Path) -> None:
    inner = zipped(("val/1.png", b"mask"), ("__MACOSX/val/._1.png", b"x"))
    row = Archive("all", "https://example.org/set.zip", nested=("labels/val.zip",))
    found = unpacked(zipped(("labels/val.json", b"{}"), ("labels/val.zip", inner)), tmp_path, row)
    assert found == {"labels/val.json": b"{}", "labels/val/1.png": b"mask"}


def test_an_archive_that_should_be_inside_and_is_not_is_told(tmp_path: Path) -> None:
    row = Archive("all", "https://example.org/set.zip", nested=("labels/val.zip",))
    with pytest.raises(UnreadableFile, match=r"expected labels/val\.zip in it"):
        unpacked(zipped(("labels/val.json", b"{}")), tmp_path, row)


def test_what_macos_adds_is_left_out(tmp_path: Path) -> None:
    data = tarred(entry("a.png", b"1"), entry("._a.png", b"2"), entry("__MACOSX/b", b"3"), entry("x/.DS_Store", b"4"))
    assert unpacked(data, tmp_path) == {"a.png": b"1"}


@pytest.mark.parametrize("name", ["../x", "a/../../x", "a/..", "/etc/x", "//x", "a//b", "C:/x", "C:x", "a\\..\\x", "a\x01b"])
@pytest.mark.parametrize("make", [lambda name: zipped((name, b"1")), lambda name: tarred(entry(name, b"1"))])
def test_names_that_lead_elsewhere_are_refused(make: Callable[[str], bytes], name: str, tmp_path: Path) -> None:
    refused(make(name), tmp_path, "leads out of the folder|no name that every system can hold")


@pytest.mark.parametrize("name", ["n" * 256, "/".join("a" * 33)])
def test_names_that_are_too_long_or_too_deep_are_refused(name: str, tmp_path: Path) -> None:
    refused(zipped((name, b"1")), tmp_path, "no name that every system can hold")


@pytest.mark.parametrize(
    ("type", "told"),
    [
        (tarfile.SYMTYPE, "a link"),
        (tarfile.LNKTYPE, "a link"),
        (tarfile.FIFOTYPE, "a device or the like"),
        (tarfile.CHRTYPE, "a device or the like"),
        (tarfile.BLKTYPE, "a device or the like"),
    ],
)
def test_links_and_devices_in_a_tar_are_refused(type: bytes, told: str, tmp_path: Path) -> None:
    data = tarred(entry("a.txt", b"1"), entry("b", type=type, link="/etc/passwd"))
    refused(data, tmp_path, f"'b' is {told}; only files and folders")


def test_a_link_in_a_zip_is_refused(tmp_path: Path) -> None:
    link = zipfile.ZipInfo("b")
    link.external_attr = 0o120777 << 16
    refused(zipped((link, b"/etc/passwd")), tmp_path, "'b' is a link")


def test_an_encrypted_zip_is_refused(tmp_path: Path) -> None:
    data = bytearray(zipped(("a.txt", b"1")))
    data[data.index(b"PK\x01\x02") + 8] |= 1
    refused(bytes(data), tmp_path, "'a.txt' is encrypted")


def test_methods_that_need_memory_without_bound_are_refused(tmp_path: Path) -> None:
    refused(zipped(("a.txt", b"1" * 99), method=zipfile.ZIP_LZMA), tmp_path, "'a.txt' is packed by method 14")


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("a.jpg", "A.jpg"),
        ("Val/1.jpg", "val/2.jpg"),
        (unicodedata.normalize("NFC", "é.jpg"), unicodedata.normalize("NFD", "é.jpg")),
    ],
)
def test_names_that_are_one_file_on_many_systems_are_refused(first: str, second: str, tmp_path: Path) -> None:
    refused(zipped((first, b"1"), (second, b"2")), tmp_path, "differ in case alone")


@pytest.mark.parametrize(("first", "second"), [("a", "a"), ("a", "a/b"), ("a/b", "a")])
def test_a_name_that_comes_twice_is_refused(first: str, second: str, tmp_path: Path) -> None:
    refused(tarred(entry(first, b"1"), entry(second, b"2")), tmp_path, "'a' is in it twice")


@pytest.mark.parametrize("pack", ["zip", "tar"])
def test_a_few_bytes_that_unpack_to_very_many_are_refused(pack: str, tmp_path: Path) -> None:
    zeros = bytes(4 * 2**20)
    data = zipped(("a", zeros), method=zipfile.ZIP_DEFLATED) if pack == "zip" else tarred(entry("a", zeros))
    refused(data, tmp_path, "it unpacks to more than", Limits(ratio=10))


@pytest.mark.parametrize("pack", ["zip", "tar"])
def test_bytes_and_files_are_bounded(pack: str, tmp_path: Path) -> None:
    data = zipped(("a", b"123"), ("b", b"456")) if pack == "zip" else tarred(entry("a", b"123"), entry("b", b"456"))
    refused(data, tmp_path, "unpacks to more than 5 bytes", Limits(bytes=5))
    refused(data, tmp_path, "more than 1 files", Limits(files=1))


def test_a_file_that_is_longer_than_it_states_is_refused(tmp_path: Path) -> None:
    data = zipped(("a", b"1" * 5000), method=zipfile.ZIP_DEFLATED)
    refused(data.replace(struct.pack("<I", 5000), struct.pack("<I", 10)), tmp_path, "damaged")


def test_a_zip_whose_list_of_files_does_not_fit_into_memory_is_refused(tmp_path: Path) -> None:
    data = bytearray(zipped(("a", b"1")))
    at = data.rindex(b"PK\x05\x06")
    data[at + 12 : at + 16] = struct.pack("<I", 2**31)
    refused(bytes(data), tmp_path, "its list of files alone has 2,147,483,648 bytes")


def test_a_tar_header_that_claims_a_huge_name_is_refused(tmp_path: Path) -> None:
    header = tarfile.TarInfo("././@LongLink")
    header.type, header.size = tarfile.GNUTYPE_LONGNAME, 2**33
    refused(tarred(entry("a", b"1"), mode="w")[:1024] + header.tobuf(tarfile.GNU_FORMAT), tmp_path, "a header in it claims")


@pytest.mark.parametrize("kept", [300, 512, 1000, 1024, 1300, 1536, 2048])
def test_a_tar_that_ends_in_the_middle_is_refused(kept: int, tmp_path: Path) -> None:
    data = tarred(entry("a", b"1" * 600), entry("b", b"2"), mode="w")
    refused(data[:kept], tmp_path, "damaged")


def test_a_tar_header_that_cannot_be_read_is_no_end(tmp_path: Path) -> None:
    data = bytearray(tarred(entry("a", b"1"), entry("b", b"2"), mode="w"))
    data[1024 + 150] ^= 0xFF  # the sum of the second header
    refused(bytes(data), tmp_path, "damaged")


def test_a_gzip_checksum_that_does_not_hold_is_found(tmp_path: Path) -> None:
    data = bytearray(tarred(entry("a", b"1" * 600)))
    data[-6] ^= 0xFF
    refused(bytes(data), tmp_path, "damaged")


def test_much_after_the_end_of_a_tar_is_refused(tmp_path: Path) -> None:
    refused(gzip.compress(tarred(entry("a", b"1"), mode="w") + bytes(2**26 + 2**21)), tmp_path, "much follows after its end")


def test_a_zip_checksum_that_does_not_hold_is_found(tmp_path: Path) -> None:
    data = bytearray(zipped(("a", b"content")))
    data[data.index(b"content")] ^= 1
    refused(bytes(data), tmp_path, "damaged")


def test_a_zip_whose_list_points_before_its_beginning_is_refused(tmp_path: Path) -> None:
    data = bytearray(zipped(("a", b"content")))
    at = data.rindex(b"PK\x05\x06") + 16  # where the list begins, as the end of the file has it
    data[at : at + 4] = struct.pack("<I", struct.unpack("<I", data[at : at + 4])[0] + 10)
    refused(bytes(data), tmp_path, "'a' in it is damaged")


@pytest.mark.parametrize("data", [b"", b"hello", b"PK", b"\x1f\x8b", b"<html>not found</html>" * 99])
def test_what_is_no_archive_is_refused(data: bytes, tmp_path: Path) -> None:
    refused(data, tmp_path, "damaged")


def test_an_archive_without_files_is_refused(tmp_path: Path) -> None:
    refused(zipped(("a/", b"")), tmp_path, "there is no file in it")


WHOLE = (
    zipped(("a/b.txt", b"one" * 50), ("c.txt", b"two"), method=zipfile.ZIP_DEFLATED),
    tarred(entry("a", type=tarfile.DIRTYPE), entry("a/b.txt", b"one" * 50), entry("n" * 120, b"two"), mode="w"),
    tarred(entry("a/b.txt", b"one" * 50), entry("c.txt", b"two")),
)


def test_an_entry_without_a_name_is_refused(tmp_path: Path) -> None:
    data = bytearray(zipped(("c.txt", b"two")))
    listed = data.index(b"PK\1\2")
    data[listed + 46] = 0  # the name now ends where it begins
    refused(bytes(data), tmp_path, "'' is without a name; only files and folders are unpacked")


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    whole=st.sampled_from(WHOLE),
    changes=st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 255)), min_size=1, max_size=6),
    cut=st.integers(0, 10**6),
)
def test_no_damage_crashes_or_writes_outside(
    whole: bytes, changes: list[tuple[int, int]], cut: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    data = bytearray(whole)
    for place, value in changes:
        data[place % len(data)] = value
    folder = tmp_path_factory.mktemp("fuzz")
    end = len(data) - cut % len(data) // 2 if cut % 3 == 0 else len(data)
    with contextlib.suppress(PixelwiseError):
        unpacked(bytes(data[:end]), folder, limits=Limits(bytes=2**20))
    assert {one.name for one in folder.iterdir()} <= {"set.part", "stage", "out"}
