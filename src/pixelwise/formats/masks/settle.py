"""Take a person's word on which class each stored value means: the options ``--void`` and ``--classes``.

Options that explain every value settle the map; those that leave a value unexplained do not, and the reasons say which.
"""

from pathlib import Path

from pixelwise.core.errors import OptionError
from pixelwise.core.labels import VOID, Encoding, LabelSet
from pixelwise.formats.classes import ClassName, ClassTable, read_classes
from pixelwise.formats.masks.reasons import HIGH, Reason, listed, show, smeared_masks, unexplained_values
from pixelwise.formats.masks.scan import Scan
from pixelwise.formats.masks.values import Proposal, interpolated, is_smeared, label_set, plain_name, propose


def settle(scan: Scan, void: str | None = None, classes: str | Path | None = None) -> Proposal:
    """Take a person's word on the map.

    Args:
        scan: of the masks.
        void: comma-separated values (``11``, ``0,255``, ``#000000``), ``none``, or ``rest``: all not in ``classes``.
        classes: a file of names, names in value order (void left out), or ``value=name`` pairs.

    Raises:
        OptionError: a value does not occur, names and values differ in number, or an option cannot be read.
    """
    proposal = propose(scan)
    if void is None and classes is None:
        return proposal
    word = (void or "").strip().casefold()
    stated = set() if word in ("", "none", "rest") else _void_values(scan, void or "")
    named = _named(scan, classes, stated, rest=word == "rest") if classes is not None else _already_named(scan, stated)
    if word == "rest" and not named:
        raise OptionError("--void rest: expected names for the values to keep; add --classes value=name,…")
    named = {value: row for value, row in named.items() if value not in stated}
    left = [value for value in scan.values if value not in named and value not in stated]
    table = scan.table if classes is None else None
    if word == "rest":
        stated |= set(left)
        left = []
    smeared = interpolated(scan, set(left)) if left else set()
    open_values = _still_open(scan, left, smeared, word, has_names=bool(named) or table is not None)
    solid = tuple(value for value in scan.values if value not in smeared)
    for index, value in enumerate(value for value in left if value not in open_values):
        named[value] = (
            ClassName(plain_name(value, solid)) if scan.encoding == "id" else ClassName(f"class {index}", None, value)
        )
    reasons = _open_reasons(scan, open_values, smeared, len(named))
    order = list(named.items()) if classes is not None or table is not None else sorted(named.items())
    labels = label_set(
        order, scan.encoding, table, not reasons, dict.fromkeys(sorted(stated | open_values)), keep_void_names=word == "none"
    )
    if not len(labels):
        raise OptionError(f"--void {void}: no class would be left of the values {listed(scan.values)}")
    return Proposal(_with_things(labels, table), reasons)


def _with_things(labels: LabelSet, table: ClassTable | None) -> LabelSet:
    """Keep things and colours of a label set of ours."""
    if table is None or table.labels is None:
        return labels
    known = {label.name: label for label in table.labels.labels}
    return LabelSet(tuple(known.get(one.name, one) for one in labels.labels), labels.values, labels.encoding, labels.settled)


def _already_named(scan: Scan, void: set[int]) -> dict[int, ClassName]:
    """Give the names that the folder itself states, in its order."""
    table = scan.table
    if table is None:
        return {}
    if table.labels is not None:
        return {
            value: ClassName(table.labels.names[index], value)
            for value, index in sorted(table.labels.values.items(), key=lambda item: item[1])
            if index != VOID
        }
    names = table.by_colour() if scan.encoding == "rgb" else table.by_value()
    kept = [value for value in scan.values if value not in void]
    if not set(kept) <= set(names) and len(kept) == len(table.rows):  # as the proposal does: in value order
        return dict(zip(kept, table.rows, strict=True))
    return names


def _still_open(scan: Scan, left: list[int], smeared: set[int], word: str, has_names: bool) -> set[int]:
    """Find the values that the options leave unexplained."""
    if word == "none":
        return set(smeared)
    if has_names or not word:
        return set(left)
    binary = len(scan.values) == 2 and scan.values[0] == 0
    return set(smeared) | (set() if binary else {value for value in left if value >= HIGH and scan.encoding == "id"})


def _open_reasons(scan: Scan, open_values: set[int], smeared: set[int], count: int) -> tuple[Reason, ...]:
    if not open_values:
        return ()
    if is_smeared(scan, smeared & open_values):
        return (smeared_masks(scan, smeared & open_values),)
    return (unexplained_values(scan, sorted(open_values), f"{count} values are named"),)


def _void_values(scan: Scan, text: str) -> set[int]:
    found = {_value(part, scan.encoding, "--void") for part in text.split(",") if part.strip()}
    if strange := sorted(found - set(scan.values)):
        raise OptionError(
            f"--void {text}: the value {', '.join(show(one, scan.encoding) for one in strange)} does not occur in the masks; "
            f"there are {_values_there(scan)}"
        )
    return found


def _values_there(scan: Scan) -> str:
    if scan.encoding == "id":
        return listed(scan.values)
    return ", ".join(show(one, "rgb") for one in scan.values[:12]) + (" …" if len(scan.values) > 12 else "")


def _value(text: str, encoding: Encoding, option: str) -> int:
    word = text.strip()
    try:
        if encoding == "rgb":
            if not (word.startswith("#") and len(word) == 7):
                raise ValueError
            return int(word[1:], 16)
        return int(word)
    except ValueError:
        expected = "a colour such as '#ff0000', as the masks are RGB" if encoding == "rgb" else "a number"
        also = ", 'none' or 'rest'" if option == "--void" else ""
        raise OptionError(f"{option}: expected {expected}{also}, got {word!r}") from None


def _named(scan: Scan, classes: str | Path, void: set[int], rest: bool) -> dict[int, ClassName]:
    """Read ``--classes``: which value has which name, in class order."""
    text = str(classes).strip()
    values = [value for value in scan.values if value not in void]
    if _looks_like_file(text):
        return _named_by_file(scan, read_classes(Path(text)), values, rest)
    parts = [part.strip() for part in text.split(",")]
    if not all(parts):
        raise OptionError(f"--classes {text!r}: expected names separated by commas, found an empty one")
    if all("=" in part for part in parts):
        pairs = [part.partition("=") for part in parts]
        named = {_value(value, scan.encoding, "--classes"): ClassName(name.strip()) for value, _, name in pairs}
        if len(named) != len(pairs) or not all(row.name for row in named.values()):
            raise OptionError(f"--classes {text!r}: expected value=name pairs, each value once and with a name")
        if scan.encoding == "rgb":
            named = {value: ClassName(row.name, None, value) for value, row in named.items()}
        if strange := sorted(set(named) - set(scan.values)):
            shown = ", ".join(show(one, scan.encoding) for one in strange)
            raise OptionError(
                f"--classes {text!r}: the value {shown} does not occur in the masks; there are {_values_there(scan)}"
            )
        if twice := sorted(set(named) & void):
            raise OptionError(f"--classes names {listed(twice)}, which --void makes void; say one of the two")
        return named
    return _in_order(scan, [ClassName(part) for part in parts], values, rest, "--classes")


def _looks_like_file(text: str) -> bool:
    return (
        "," not in text
        and "=" not in text
        and (Path(text).suffix.lower() in (".txt", ".json", ".csv", ".names") or "/" in text or Path(text).is_file())
    )


def _named_by_file(scan: Scan, table: ClassTable, values: list[int], rest: bool) -> dict[int, ClassName]:
    if table.labels is not None:
        return {value: ClassName(table.labels.names[index]) for value, index in table.labels.values.items() if index != VOID}
    if scan.encoding == "rgb":
        if not (names := table.by_colour()):
            raise OptionError(f"{table.path}: the masks are coded in colours, so each class needs one: columns name,r,g,b")
        return names
    names = table.by_value()
    if any(row.value is not None for row in table.rows) or set(values) <= set(names):
        return names
    return _in_order(scan, list(table.rows), values, rest, str(table.path))


def _in_order(scan: Scan, rows: list[ClassName], values: list[int], rest: bool, where: str) -> dict[int, ClassName]:
    twice = sorted({row.name for row in rows if [one.name for one in rows].count(row.name) > 1})
    if twice:
        raise OptionError(f"{where}: class names must differ; used twice: {', '.join(twice)}")
    if len(rows) == len(values) or (rest and len(rows) < len(values)):
        return dict(zip(values, rows, strict=False))
    if values and values[-1] + 1 == len(rows) and scan.encoding == "id":
        return dict(enumerate(rows))  # every class is named, some do not occur
    raise OptionError(
        f"{where}: {len(rows)} names for {len(values)} values "
        f"({', '.join(show(one, scan.encoding) for one in values[:12])}{' …' if len(values) > 12 else ''}); "
        f"name each value, or make the others void with --void"
    )
