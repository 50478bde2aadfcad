"""XML label files, element by element: whole ones are read, dangerous and broken ones are refused by name."""

from pathlib import Path

import pytest

from pixelwise.core.errors import MissingFile, UnreadableFile
from pixelwise.formats.xml_file import element_at, elements, placed, root_tag

BOX = frozenset({"box"})


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "labels.xml"


def test_elements_come_whole_and_in_order(file: Path) -> None:
    file.write_text('<all><box id="1"><label>cat</label></box><other/><box id="2"/></all>')
    found = list(elements(file, BOX))
    assert [one.get("id") for one in found] == ["1", "2"]
    assert found[0].findtext("label") == "cat"


def test_an_element_within_another_of_its_name_is_part_of_it(file: Path) -> None:
    file.write_text('<all><box id="1"><box id="2"/></box></all>')
    (one,) = elements(file, BOX)
    assert [inner.get("id") for inner in one] == ["2"]


def test_what_came_before_a_cut_is_given_and_the_cut_is_told(file: Path) -> None:
    file.write_text('<all><box id="1"/><box id="2">')
    found = elements(file, BOX)
    assert next(found).get("id") == "1"
    with pytest.raises(UnreadableFile, match=r"labels\.xml: expected XML"):
        next(found)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "latin-1"])
def test_any_declared_encoding_is_read(file: Path, encoding: str) -> None:
    name = {"utf-8-sig": "utf-8", "latin-1": "iso-8859-1"}.get(encoding, encoding)
    file.write_bytes(f'<?xml version="1.0" encoding="{name}"?><all><box>größe</box></all>'.encode(encoding))
    assert [one.text for one in elements(file, BOX)] == ["größe"]


@pytest.mark.parametrize(
    "text",
    [
        '<!DOCTYPE a [<!ENTITY x "lol"><!ENTITY y "&x;&x;&x;">]><a><box>&y;</box></a>',
        '<!DOCTYPE a SYSTEM "file:///etc/passwd"><a><box/></a>',
        '<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><a><box>&x;</box></a>',
    ],
)
def test_document_types_and_entities_are_refused(file: Path, text: str) -> None:
    file.write_text(text)
    assert root_tag(file) is None
    with pytest.raises(UnreadableFile, match="refused"):
        list(elements(file, BOX))


def test_endless_nesting_is_refused(file: Path) -> None:
    file.write_text("<a>" * 100_000)
    with pytest.raises(UnreadableFile, match="nested"):
        list(elements(file, BOX))


@pytest.mark.parametrize(
    "data",
    [b"", b"\x00\x01", b"{}", b"<a/><a/>", b"<a>&x;</a>", b'<?xml version="1.0" encoding="klingon"?><a/>', b"<a>\xff</a>"],
)
def test_what_is_no_xml_is_an_error_of_ours(file: Path, data: bytes) -> None:
    file.write_bytes(data)
    with pytest.raises(UnreadableFile, match=r"labels\.xml"):
        list(elements(file, BOX))


def test_a_file_beyond_the_limit_is_refused(file: Path) -> None:
    file.write_text("<a/>")
    with pytest.raises(UnreadableFile, match="at most 3"):
        list(elements(file, BOX, most_bytes=3))


def test_a_missing_file_and_a_folder_are_told_apart(file: Path) -> None:
    with pytest.raises(MissingFile):
        list(elements(file, BOX))
    with pytest.raises(UnreadableFile):
        list(elements(file.parent, BOX))


def test_the_root_is_told_from_the_beginning_alone(file: Path) -> None:
    file.write_text("<!-- by hand --><annotations><box>" + "x" * 100_000)
    assert root_tag(file) == "annotations"
    assert root_tag(file.parent / "nowhere.xml") is None


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "latin-1"])
def test_an_element_is_read_again_from_its_place(file: Path, encoding: str) -> None:
    name = {"utf-8-sig": "utf-8", "latin-1": "iso-8859-1"}.get(encoding, encoding)
    text = '<all>ü<box id="ä"/><other><box><box/>größe</box></other></all>'
    file.write_bytes(f'<?xml version="1.0" encoding="{name}"?>{text}'.encode(encoding))
    places = [begin for _, begin in placed(file, BOX)]
    first, second = (element_at(file, begin) for begin in places)
    assert first.get("id") == "ä"
    assert "".join(second.itertext()) == "größe"


def test_a_place_at_which_no_element_begins_is_told(file: Path) -> None:
    file.write_text('<all><box id="1"/><box>')
    for begin in (6, 18, 500):
        with pytest.raises(UnreadableFile, match="has the file changed"):
            element_at(file, begin)
