"""Large JSON files: parts left where they lie, NaN as Python writes it, and what is broken named."""

import tracemalloc
from pathlib import Path
from typing import Any

import pytest
from msgspec import Raw

from pixelwise.core.errors import DataError, MissingFile, UnreadableFile
from pixelwise.formats.json_file import decode, decoded, keys_of


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "labels.json"


def test_parts_are_left_undecoded_until_asked_for(file: Path) -> None:
    file.write_text('{"a": [1, 2], "b": {broken}}'.replace("{broken}", '{"c": 3}'))
    found, _, _ = decoded(file, dict[str, Raw])
    assert decode(found["a"], list[int]) == [1, 2]
    assert bytes(found["b"]) == b'{"c": 3}'


def test_nan_becomes_an_empty_text_and_the_length_stays(file: Path) -> None:
    text = '{"a": [NaN, -Infinity, Infinity, 2], "NaN": "a NaN in a text"}'
    file.write_text(text)
    found, data, _ = decoded(file, dict[str, Any])
    assert found == {"a": ["", "", "", 2], "NaN": "a NaN in a text"}
    assert len(data) == len(text)


def test_the_mark_that_editors_put_in_front_is_skipped_and_counted(file: Path) -> None:
    file.write_bytes(b'\xef\xbb\xbf{"a": 1}')
    found, _, skipped = decoded(file, dict[str, int])
    assert (found, skipped) == ({"a": 1}, 3)
    assert keys_of(file) == {"a"}


@pytest.mark.parametrize(
    "data",
    [b"", b"{", b'{"a": 1', b'{"a": 1}}', b'{"a": "\xff"}', b"\xff\xfe{\x00}\x00", b"[" * 100_000, b'{"a":' * 100_000, b"[1]"],
)
def test_what_is_broken_or_of_another_form_is_named(file: Path, data: bytes) -> None:
    file.write_bytes(data)
    with pytest.raises(UnreadableFile, match=r"labels\.json"):
        decoded(file, dict[str, Any])


def test_a_form_that_does_not_fit_is_told_with_its_place(file: Path) -> None:
    file.write_text('{"a": {"b": 1}}')
    with pytest.raises(UnreadableFile, match="expected labels, but in"):
        decoded(file, dict[str, dict[str, str]])


def test_a_missing_file_and_a_folder_are_told_apart(file: Path) -> None:
    with pytest.raises(MissingFile):
        decoded(file, Any)
    with pytest.raises(UnreadableFile):
        decoded(file.parent, Any)


@pytest.mark.parametrize("text", [b"", b"{", b'"\xff"', b'{"a": \x00}', b"[" * 100_000])
def test_a_broken_part_is_an_error_of_ours(text: bytes) -> None:
    with pytest.raises(DataError):
        decode(text, object)


@pytest.mark.parametrize(
    ("text", "keys"),
    [
        ('{"a": 1, "b": [2]}', {"a", "b"}),
        ('{"a": NaN}', {"a"}),
        ('[{"a": 1}, {"b": 2}]', {"a", "[]"}),
        (" " * 1000 + '[{"a": 1}]', {"a", "[]"}),
        ("[]", {"[]"}),
        ("{}", set()),
        ('{"a": 1}\n{"b": 2}\n', {"a", "\n"}),
        ('{"a": 1}\n\n', {"a"}),
    ],
)
def test_the_keys_of_a_file_are_told_without_reading_the_rest(file: Path, text: str, keys: set[str]) -> None:
    file.write_text(text)
    assert keys_of(file) == keys


@pytest.mark.parametrize("text", ["", "letter", "[1, 2]", '"a"', "3", "{", '{"a": ', "[" * 100_000, '{"a": 1}{"b": 2}'])
def test_what_holds_no_object_has_no_keys(file: Path, text: str) -> None:
    file.write_text(text)
    assert keys_of(file) is None


@pytest.mark.parametrize(
    ("text", "keys"),
    [
        ("[]", {"[]"}),
        (' [ {"a": "], ["} , {"b": 1}]', {"[]", "a"}),
        ('[{"a": NaN}, {"b": Infinity}]', {"[]", "a"}),
        ("[{}]", {"[]"}),
        ('[{"a": 1},', None),
        ('[{"a": 1}]]', None),
        ('[{"a": NaN},', None),
        ("[1]", None),
        ('[[{"a": 1}]]', None),
    ],
)
def test_the_keys_of_a_list_are_those_of_its_first_item_if_all_of_it_is_whole(
    text: str, keys: set[str] | None, file: Path
) -> None:
    file.write_text(text)
    assert keys_of(file) == keys


def test_a_look_at_a_list_of_millions_of_items_takes_no_memory_for_them(file: Path) -> None:
    file.write_bytes(b'[{"a": 1}' + b",0" * 2_000_000 + b"]")
    tracemalloc.start()
    try:
        assert keys_of(file) == {"[]", "a"}
        assert tracemalloc.get_traced_memory()[1] < 2**20
    finally:
        tracemalloc.stop()
