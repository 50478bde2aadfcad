"""``pixelwise data info``: what a labelled data set holds, as a table, as JSON and as a page with pictures."""

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pixelwise.cli.options import ClassesOption, DataArgument, FormatOption, JsonOption, ListsOption, VoidOption
from pixelwise.cli.terminal import Steps, console, print_table, say, say_some
from pixelwise.core.percent import percent

if TYPE_CHECKING:
    from rich.console import Console

    from pixelwise.curate.stats import Stats
    from pixelwise.report.info import InfoPage

_SHEET = 16  # images of the contact sheet, at most
_ROW = 4  # images of its rows, which are full where there are so many
_LISTED = 20
_WHERE = 24  # classes whose places and colours are printed


def info(
    path: DataArgument,
    void: VoidOption = None,
    classes: ClassesOption = None,
    format: FormatOption = None,
    as_json: JsonOption = False,
    lists: ListsOption = None,
    out: Annotated[Path | None, typer.Option("--out", metavar="PAGE.html", help="Page to write, with pictures.")] = None,
) -> int:
    """Describe a data set: images, splits, classes, objects and their sizes, where classes are, and their colours.

    Labels are read once and images are not decoded, but for colours and pictures, which are of some images spread over the
    set. What cannot be read is listed at the end, with exit code 1.
    """
    from pixelwise.core.errors import OptionError
    from pixelwise.curate.split_lists import read_with_lists
    from pixelwise.curate.stats import describe

    if out is not None and (out.suffix.lower() not in (".html", ".htm") or out.is_dir()):
        raise OptionError(f"--out {out}: expected a page to write, such as info.html")
    with Steps() as steps:
        steps("layout", 0, 1)
        stats = describe(read_with_lists(path, lists, format=format, void=void, classes=classes), steps)
        if out is not None:
            from pixelwise.report.info import write_info

            steps("writing", 0, 1)
            write_info(out, page_of(stats))
    if as_json:
        print(compact_json(stats.to_json()))
    else:
        terminal = console()
        _print(terminal, stats)
        if not stats.dataset.labels.settled:
            say(terminal, f"which value means which class is not settled: see 'pixelwise data check {path}'")
        if out is not None:
            say(terminal, f"the page is {out}")
    _list_problems(stats)
    return 1 if stats.problems else 0


def compact_json(data: dict[str, Any]) -> str:
    """Write a mapping as JSON with a line for each of its keys: a heat map has a thousand numbers.

    >>> print(compact_json({"a": [1, 2], "b": {}}))
    {
      "a": [1, 2],
      "b": {}
    }
    """
    lines = [f"  {json.dumps(key)}: {json.dumps(value, ensure_ascii=False, allow_nan=False)}" for key, value in data.items()]
    return "{\n" + ",\n".join(lines) + "\n}"


def _print(terminal: "Console", stats: "Stats") -> None:
    say(terminal, f"{stats.dataset.name}: " + "; ".join(f"{name}: {value}" for name, value in facts_of(stats).items()))
    rows: list[tuple[str, ...]] = [
        (one.name, f"{one.pixels:,}", percent(one.share), f"{one.images:,}", *_objects(one.objects, one.crowds))
        for one in stats.classes
    ]
    print_table(terminal, ("class", "pixels", "share", "images", stats.objects_are), rows)
    _print_more(terminal, stats)
    notes = [f"note: {note}" for note in stats.dataset.notes if note not in stats.dataset.lost]  # those are problems
    say_some(terminal, notes, _LISTED, of="more notes")


def _objects(count: int, crowds: int) -> tuple[str]:
    return (f"{count:,}{f' + {crowds} crowds' if crowds else ''}" if count or crowds else "",)


def _print_more(terminal: "Console", stats: "Stats") -> None:
    """Print the sizes of the objects of each class, where it is and its mean colour."""
    by_pixels = sorted((one for one in stats.classes if one.objects or one.name in stats.places), key=lambda one: -one.pixels)
    if not by_pixels:
        return
    rows = []
    for one in by_pixels[:_WHERE]:
        groups = tuple(f"{count:,}" if one.objects else "" for count in (one.small, one.medium, one.large))
        place, colour = stats.places.get(one.name), stats.colours.get(one.name)
        where = ("", "") if place is None else (_pair(place.middle), _pair(place.spread))
        rows.append((one.name, *groups, *where, "" if colour is None else _hex(colour)))
    print_table(terminal, ("class", "small", "medium", "large", "middle x, y", "spread x, y", "colour"), rows)
    say(terminal, "small is below 32 x 32 pixels, large from 96 x 96 on")
    if stats.placed:
        text = (
            f"middle and spread are from the left and the top, in {stats.placed:,} images; mean colours of {stats.coloured:,}"
        )
        say(terminal, text)
    if len(by_pixels) > _WHERE:
        say(terminal, f"… and {len(by_pixels) - _WHERE} classes with fewer pixels (see --json)")


def _pair(shares: tuple[float, float]) -> str:
    return ", ".join(f"{100 * one:.0f} %" for one in shares)


def _hex(colour: tuple[int, int, int]) -> str:
    return "#{:02x}{:02x}{:02x}".format(*colour)


def _list_problems(stats: "Stats") -> None:
    """List on standard error what could not be counted."""
    for text in stats.problems[: 5 * _LISTED]:
        print(f"not counted: {text}", file=sys.stderr)
    if len(stats.problems) > 5 * _LISTED:
        print(f"… and {len(stats.problems) - 5 * _LISTED} more (see --json)", file=sys.stderr)


def facts_of(stats: "Stats") -> dict[str, str]:
    """Say in words what the set is."""
    dataset = stats.dataset
    sizes = [f"{height} x {width} ({count:,})" for (height, width), count in stats.sizes.items()]
    facts = {
        "kind": dataset.kind,
        "images": f"{len(dataset):,}",
        "splits": ", ".join(f"{name} {len(rows):,}" for name, rows in dataset.splits.items()) or "none",
        "sizes (height x width)": ", ".join(sizes[:4]) + (f" and {len(sizes) - 4} more" if len(sizes) > 4 else ""),
    }
    if stats.truths != len(dataset):
        facts["truths"] = f"{stats.truths:,}"
    crowds = sum(one.crowds for one in stats.classes)
    facts[stats.objects_are] = f"{stats.objects:,}" + (f" and {crowds:,} crowds" if crowds else "")
    if stats.truths:
        numbers = _spread_out(stats)
        facts[f"{stats.objects_are} an image"] = f"{numbers[0]} to {numbers[2]}, median {numbers[1]}"
    return facts


def _spread_out(stats: "Stats") -> tuple[int, int, int]:
    """Give the fewest, the median and the most objects of a truth."""
    passed = 0
    for number, count in stats.per_image.items():
        passed += count
        if 2 * passed >= stats.truths:
            return min(stats.per_image), number, max(stats.per_image)
    return 0, 0, 0


def page_of(stats: "Stats") -> "InfoPage":
    """Make the page of what was counted."""
    from pixelwise.curate.stats import is_background
    from pixelwise.report.info import InfoPage

    by_pixels = sorted((one for one in stats.classes if one.name in stats.places), key=lambda one: -one.pixels)
    return InfoPage(
        title=stats.dataset.name,
        labels=stats.labels,
        facts=facts_of(stats),
        classes=[{"name": one.name, **one.to_json()} for one in stats.classes],
        objects_are=stats.objects_are,
        octaves=stats.octaves,
        per_image=stats.per_image,
        sizes=stats.sizes,
        heat={one.name: stats.places[one.name].grid for one in by_pixels if not is_background(stats.dataset, one.name)},
        placed=stats.placed,
        colours=stats.colours,
        coloured=stats.coloured,
        split_shares=stats.split_shares,
        samples=_sheet(stats),
        notes=stats.dataset.notes,
        problems=stats.problems,
        data=stats.to_json(),
    )


def _sheet(stats: "Stats") -> list[tuple[str, Any]]:
    """Choose images spread evenly over the good ones, as neighbours look alike; name each with its split."""
    good = [row for row in range(len(stats.dataset)) if row not in stats.bad]
    count = min(_SHEET, len(good) - len(good) % _ROW if len(good) > _ROW else len(good))
    chosen = [good[place * len(good) // count] for place in range(count)]
    found = []
    for row in chosen:
        inside = [name for name, rows in stats.dataset.splits.items() if row in rows and name not in ("trainval", "all")]
        found.append((stats.dataset[row].name + (f" ({', '.join(inside)})" if inside else ""), stats.dataset[row]))
    return found
