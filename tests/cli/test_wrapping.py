"""The value of ``--tile``."""

import pytest

from pixelwise.cli.wrapping import parse_tile
from pixelwise.core.errors import OptionError


@pytest.mark.parametrize(
    ("text", "wanted"),
    [("512,768", (512, 768)), ("512x768", (512, 768)), (" 64 ", (64, 64)), ("auto", "auto"), ("None", None)],
)
def test_tiles_are_read(text, wanted):
    assert parse_tile(text) == wanted


@pytest.mark.parametrize("text", ["", "0", "5,", "-5,7", "1,2,3", "big", "5.5,4", "0,7"])
def test_what_is_no_size_is_refused(text):
    with pytest.raises(OptionError, match="expected height,width"):
        parse_tile(text)
