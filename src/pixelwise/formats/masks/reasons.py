"""Why a value map is not settled, each in a sentence, with the option that settles it."""

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise

from pixelwise.core.labels import Encoding
from pixelwise.core.percent import percent
from pixelwise.formats.classes import ClassTable
from pixelwise.formats.masks.scan import Scan

HIGH = 250  # values from here on are rarely classes: 255 is void in VOC, Cityscapes, ADE20K …
MOST_VOID = 2  # more high values than that are not all void


@dataclass(frozen=True)
class Reason:
    """Why a map is not settled, in a sentence, and the option that settles it."""

    text: str
    flag: str


def binary(value: int) -> Reason:
    """Two values, 0 and another."""
    if value == 255:
        text = "the masks hold 0 and 255: 255 is a class in most two-valued masks, but void in others; it is not taken for void"
    else:
        text = f"the masks hold 0 and {value}: {value} may be a class, or void"
    return Reason(text, f"--void none if 0 is background and {value} a class (--void {value} if {value} is not labelled)")


def high_values(scan: Scan, high: list[int]) -> Reason:
    """Values so high that they may be void."""
    shown = listed(high)
    many = len(high) > 1
    if len(high) > MOST_VOID:
        return Reason(
            f"the values {shown} are {HIGH} or more, where void often is",
            "--void VALUES for those that are not labelled, or --void none if all are classes",
        )
    return Reason(
        f"the value{'s' * many} {shown} ({percent(scan.share(high))} of the pixels) may be void, as high values often are",
        f"--void {','.join(map(str, high))} (or --void none if {'they are classes' if many else 'it is a class'})",
    )


def suspected_void(scan: Scan, value: int) -> Reason:
    """A value that behaves like void."""
    return Reason(
        f"one of {len(scan.values)} values may be void: {value} covers {percent(scan.share([value]))} of the pixels, "
        f"touches nearly every other value and has much border for its area; and no class names were found",
        f"--void {value} (or --void none if it is a class)",
    )


def smeared_masks(scan: Scan, smeared: set[int]) -> Reason:
    """Masks that were resized with interpolation."""
    return Reason(
        f"{percent(scan.share(smeared))} of the pixels hold {len(smeared)} rare values along borders: the masks were "
        f"resized with interpolation or saved with loss; make them again with nearest-neighbour resizing, as PNG",
        "--void rest to take those pixels for void" + (", together with --classes value=name,…" if scan.table is None else ""),
    )


def unexplained_values(scan: Scan, values: list[int], names: str) -> Reason:
    """Values that no name explains."""
    shown = ", ".join(show(value, scan.encoding) for value in values[:8]) + (" …" if len(values) > 8 else "")
    what = "one unexplained value" if len(values) == 1 else f"{len(values)} unexplained values"
    flag = ",".join(show(value, scan.encoding) for value in values[:8])
    return Reason(
        f"{what}: {names}, but the masks also hold {shown} ({percent(scan.share(values))} of the pixels)",
        f"--void {_quoted(flag)}{' (or --void rest)' if len(values) > 1 else ''}, or --classes with a name for each",
    )


def unconfirmed(table: ClassTable) -> Reason:
    """A label set of ours that says so itself."""
    return Reason(f"{table.path.name} itself says that its value map is not settled", "--void none, or --classes FILE")


def out_of_order(scan: Scan, table: ClassTable) -> Reason:
    """As many names as values, but not by number."""
    return Reason(
        f"{table.path.name} names {len(table.rows)} classes without their values, and the masks hold {listed(scan.values)}",
        f"--void none if the names are in value order ({show(scan.values[0], scan.encoding)} is {table.rows[0].name}, "
        f"{show(scan.values[-1], scan.encoding)} is {table.rows[-1].name})",
    )


def _quoted(text: str) -> str:
    return f"'{text}'" if "#" in text else text  # a bare # starts a comment in a shell


def show(value: int, encoding: Encoding) -> str:
    """Write a value as people do."""
    return f"#{value:06x}" if encoding == "rgb" else str(value)


def listed(values: Iterable[int]) -> str:
    """Write values as a range or a list."""
    shown = list(values)
    if len(shown) > 2 and all(after == before + 1 for before, after in pairwise(shown)):
        return f"{shown[0]}..{shown[-1]}"
    return ", ".join(map(str, shown[:12])) + (" …" if len(shown) > 12 else "")
