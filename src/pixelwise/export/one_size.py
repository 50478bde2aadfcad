"""One size of input, for targets whose graphs have no other."""

from dataclasses import replace

from pixelwise.export.sheet import Sheet

SIDE = 512  # of images where no size is asked for: what most networks here are trained on, and what phones can hold


def with_one_size(sheet: Sheet, batch: int = 1) -> Sheet:
    """Give a sheet of one size and batch: its own where it states them, else 512 x 512, and more if the stride wants it."""
    side = -(-SIDE // sheet.card.stride) * sheet.card.stride
    return replace(
        sheet, input=replace(sheet.input, size=sheet.input.size or (side, side), batch=sheet.input.batch or batch, least=1)
    )
