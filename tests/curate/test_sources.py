"""The table of public sets: nothing in it can lead to plain http, be ambiguous, or be taken for a checksum that is none."""

import re

import pytest

from pixelwise.core.errors import OptionError, UnknownName
from pixelwise.curate.download_http import require_safe
from pixelwise.curate.sources import SETS, Archive, find_set

ALL = [archive for one in SETS.values() for archive in one.archives]
DIGITS = {"sha256": 64, "sha1": 40, "md5": 32}


@pytest.mark.parametrize("archive", ALL, ids=lambda one: one.name)
def test_an_address_is_https_and_names_an_archive(archive: Archive) -> None:
    require_safe(archive.address)
    assert archive.address.startswith("https://")
    assert archive.name.endswith((".zip", ".tar", ".tar.gz", ".tgz"))


@pytest.mark.parametrize("archive", [one for one in ALL if one.checksum], ids=lambda one: one.name)
def test_a_checksum_names_its_method_and_has_its_length(archive: Archive) -> None:
    method, _, digits = archive.checksum.partition(":")
    assert re.fullmatch(rf"[0-9a-f]{{{DIGITS[method]}}}", digits)


@pytest.mark.parametrize("archive", ALL, ids=lambda one: one.name)
def test_a_size_is_known_at_least_roughly(archive: Archive) -> None:
    assert archive.about > 10**5


def test_two_archives_of_one_name_are_the_same() -> None:
    assert len({one.name for one in ALL}) == len(set(ALL))


def test_no_two_archives_have_one_checksum() -> None:
    published = [one.checksum for one in set(ALL) if one.checksum]
    assert len(set(published)) == len(published)


def test_test_images_come_only_when_they_are_named() -> None:
    coco = find_set("coco2017")
    assert {one.part for one in coco.chosen()} == {"train", "val", "annotations"}
    assert [one.name for one in coco.chosen(["test"])] == ["test2017.zip", "image_info_test2017.zip"]


def test_an_unknown_set_or_part_is_refused_with_the_nearest() -> None:
    with pytest.raises(UnknownName, match=r"no public data set 'coco2071'; did you mean .*'coco2017'"):
        find_set("coco2071")
    with pytest.raises(OptionError, match="did you mean 'annotations'"):
        find_set("coco2017").chosen(["annotation"])
