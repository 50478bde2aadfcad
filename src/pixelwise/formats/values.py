"""Settle which class each stored mask value means: propose a map from the evidence, and take a person's word on it.

A proposal is *unsettled*, and training refuses it, where a wrong guess would spoil a model without a word: 0/255 masks,
gaps, a value of 250 or more, a value no name explains, a value that behaves like void, colours without a table, and masks
that were resized with interpolation. Each such reason names the option that settles it.

A value is *suspected to mean void* when there are no names and all of this holds for it, the highest of at least four
values (or the lowest of at least eight, as 0 is the background in most small sets): it covers less than an even share of
the pixels; it borders on nine tenths of the other values; its neighbours are more mixed than those of the median value (by
the entropy of its shared border); and for its area it has half as many border pixels again as the median value. From eight
values on, four fifths and a quarter are enough. Leftovers between labelled things look like that: CamVid's 11 does, from
some ten images on, and shapes drawn on a background do not.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pixelwise.core.errors import OptionError
from pixelwise.core.labels import VOID, Encoding, Label, LabelSet, colour_of, unpack_colour
from pixelwise.formats.classes import ClassName, ClassTable, read_classes
from pixelwise.formats.scan import Scan, ValueUse

HIGH = 250  # values from here on are rarely classes: 255 is void in VOC, Cityscapes, ADE20K …
MOST_RAMPS = 0.01  # of all pixels
_RARE = 0.02  # of all pixels: what interpolation leaves is spread over many values
_RAMP = 0.15  # of a rare value's pixels; real classes stay under 0.01, thin ones included
_FEW, _MANY = 4, 8  # values from which on the highest, and the lowest too, may be suspected of meaning void
_LEAST_SHARED = 0.005  # of a value's border


@dataclass(frozen=True)
class Reason:
    """Why a map is not settled, in a sentence, and the option that settles it."""

    text: str
    flag: str


@dataclass(frozen=True)
class Proposal:
    """A label set with what speaks against taking it as it is."""

    labels: LabelSet
    reasons: tuple[Reason, ...] = ()

    @property
    def settled(self) -> bool:
        """Tell whether nothing speaks against it."""
        return not self.reasons


def propose(scan: Scan, table: ClassTable | None = None) -> Proposal:
    """Propose a map for the values of ``scan``; ``table`` defaults to the one found in the folder."""
    table = table or scan.table
    if table is not None and table.labels is not None:
        return _with_label_set(scan, table.labels, table)
    if table is not None:
        return _with_names(scan, table)
    return _without_names(scan)


def _with_label_set(scan: Scan, labels: LabelSet, table: ClassTable) -> Proposal:
    same = labels.encoding == scan.encoding
    strange = [value for value in scan.values if not (same and value in labels.values)]
    if not strange:
        return Proposal(labels, () if labels.settled else (_unconfirmed(table),))
    values = {**(labels.values if same else {}), **dict.fromkeys(strange, VOID)}
    reason = _unexplained(scan, strange, f"{table.path.name} has {len(labels)} classes")
    return Proposal(LabelSet(labels.labels, values, scan.encoding, settled=False), (reason,))


def _unconfirmed(table: ClassTable) -> Reason:
    return Reason(f"{table.path.name} itself says that its value map is not settled", "--void none, or --classes FILE")


def _with_names(scan: Scan, table: ClassTable) -> Proposal:
    names = table.by_colour() if scan.encoding == "rgb" else table.by_value()
    if scan.encoding == "rgb" and not names:
        names = {}
    explained = {value: names[value] for value in scan.values if value in names}
    smeared = _interpolated(scan, set(scan.values) - set(explained))
    strange = [value for value in scan.values if value not in names and value not in smeared]
    reasons = [_smeared(scan, smeared)] if _is_smeared(scan, smeared) else []
    if scan.encoding == "rgb" and not names:
        reasons.append(
            Reason(
                f"the masks are coded in RGB colours, and {table.path.name} names classes but no colours",
                "--classes FILE with columns name,r,g,b",
            )
        )
    elif strange or (smeared and not reasons):
        reasons.append(_unexplained(scan, strange or sorted(smeared), f"{table.path.name} names {len(table.rows)} classes"))
    ordered = sorted(names.items(), key=lambda item: table.rows.index(item[1]))
    unexplained = {value: None for value in scan.values if value not in names}
    if unexplained and not smeared and len(scan.values) == len(table.rows):  # 0/255 with two names, say: in value order
        ordered = list(zip(scan.values, table.rows, strict=True))
        unexplained = {}
        reasons = [_out_of_order(scan, table)]
    labels = _label_set(ordered, scan.encoding, table, settled=not reasons, void=unexplained)
    return Proposal(labels, tuple(reasons))


def _out_of_order(scan: Scan, table: ClassTable) -> Reason:
    return Reason(
        f"{table.path.name} names {len(table.rows)} classes without their values, and the masks hold {_list(scan.values)}",
        f"--void none if the names are in value order ({_shown(scan.values[0], scan.encoding)} is {table.rows[0].name}, "
        f"{_shown(scan.values[-1], scan.encoding)} is {table.rows[-1].name})",
    )


def _without_names(scan: Scan) -> Proposal:
    values = scan.values
    if scan.encoding == "rgb":
        return _without_table(scan)
    smeared = _interpolated(scan, set(values))
    solid = tuple(value for value in values if value not in smeared)
    reasons: list[Reason] = [_smeared(scan, smeared)] if _is_smeared(scan, smeared) else []
    void = set(smeared)
    if len(solid) == 2 and solid[0] == 0 and solid[1] > 1:
        reasons.append(_binary(solid[1]))
    else:
        high = [value for value in solid if value >= HIGH]
        void |= set(high)
        if high:
            reasons.append(_high(scan, high))
        if (gap := _gap([value for value in solid if value < HIGH])) is not None:
            reasons.append(gap)
        if not high and (suspect := _suspect(scan)) is not None:
            void.add(suspect)
            reasons.append(_suspected(scan, suspect))
    if smeared and not reasons:
        reasons.append(_unexplained(scan, sorted(smeared), "no class names were found"))
    if void >= set(values):  # nothing would be left to learn
        void = set()
    classes = [(value, ClassName(_plain_name(value, solid))) for value in values if value not in void]
    return Proposal(_label_set(classes, "id", None, not reasons, dict.fromkeys(sorted(void))), tuple(reasons))


def _without_table(scan: Scan) -> Proposal:
    smeared = _interpolated(scan, set(scan.values))
    reasons = [_smeared(scan, smeared)] if _is_smeared(scan, smeared) else []
    colours = [value for value in scan.values if value not in smeared]
    shown = ", ".join(_shown(value, "rgb") for value in colours[:6]) + (" …" if len(colours) > 6 else "")
    reasons.append(
        Reason(
            f"the masks are coded in {len(colours)} RGB colours ({shown}), and no table in the folder names them",
            "--classes FILE with columns name,r,g,b (or --classes '#rrggbb=name,…')",
        )
    )
    classes = [(value, ClassName(f"class {index}", None, value)) for index, value in enumerate(colours)]
    return Proposal(_label_set(classes, "rgb", None, False, dict.fromkeys(sorted(smeared))), tuple(reasons))


def _plain_name(value: int, solid: tuple[int, ...]) -> str:
    if len(solid) == 2 and solid[0] == 0 and solid[1] > 1:
        return "background" if value == 0 else "foreground"
    return f"class {value}"


def _label_set(
    classes: Iterable[tuple[int, ClassName]],
    encoding: Encoding,
    table: ClassTable | None,
    settled: bool,
    void: Mapping[int, None],
    keep_void_names: bool = False,
) -> LabelSet:
    """Number the classes in order; names that say "void" become void, values of one name become one class."""
    values: dict[int, int] = dict.fromkeys(void, VOID)
    labels: list[Label] = []
    places: dict[str, int] = {}
    for value, row in classes:
        if row.is_void and not keep_void_names:
            values[value] = VOID
            continue
        if row.name not in places:
            places[row.name] = len(labels)
            labels.append(Label(row.name, False, colour_of(len(labels)) if row.colour is None else unpack_colour(row.colour)))
        values[value] = places[row.name]
    return LabelSet(tuple(labels), values, encoding, settled)


def _interpolated(scan: Scan, candidates: set[int]) -> set[int]:
    """Find values that interpolation left: rare, and often strictly between both neighbours."""
    total = max(scan.pixels, 1)
    found = {
        use.value
        for use in scan.uses
        if use.value in candidates and use.pixels < _RARE * total and use.ramp >= _RAMP * use.pixels
    }
    if not found:
        return found
    # along the same borders: rare values with no ramp of their own beside those that have one (noise of a lossy format)
    rare = {use.value for use in scan.uses if use.value in candidates and use.pixels < 0.001 * total and _is_border(use)}
    return found | rare if len(found) >= 8 else found


def _is_border(use: ValueUse) -> bool:
    return 2 * use.border >= use.pixels


def _share(scan: Scan, values: Iterable[int]) -> float:
    wanted = set(values)
    return (sum(use.pixels for use in scan.uses if use.value in wanted) + scan.dropped) / max(scan.pixels, 1)


def _is_smeared(scan: Scan, smeared: set[int]) -> bool:
    return bool(smeared) and _share(scan, smeared) > MOST_RAMPS


def _suspect(scan: Scan) -> int | None:
    """Find the lowest or highest value if it behaves like void (see the top of this file)."""
    uses = scan.uses
    count = len(uses)
    if count < _FEW or not scan.neighbours:
        return None
    touching, bordering = (0.8, 1.25) if count >= _MANY else (0.9, 1.5)
    values = [use.value for use in uses]
    shared = np.zeros((count, count))
    place = {value: index for index, value in enumerate(values)}
    for (one, other), border in scan.neighbours.items():
        shared[place[one], place[other]] += border
        shared[place[other], place[one]] += border
    portions = shared / np.maximum(shared.sum(axis=1, keepdims=True), 1)
    mixed = -(portions * np.log(np.where(portions > 0, portions, 1))).sum(axis=1)
    density = np.array([use.border / use.pixels for use in uses])
    for index in (count - 1, 0) if count >= _MANY else (count - 1,):
        others = np.arange(count) != index
        if (
            uses[index].pixels * count < scan.pixels
            and (portions[index, others] >= _LEAST_SHARED).mean() >= touching
            and mixed[index] > np.median(mixed[others])
            and density[index] >= bordering * np.median(density[others])
        ):
            return values[index]
    return None


def _gap(values: list[int]) -> Reason | None:
    if not values:
        return None
    start = values[0] if values[0] <= 1 else 0
    missing = sorted(set(range(start, values[-1] + 1)) - set(values))
    if not missing:
        return None
    shown = ", ".join(map(str, missing[:8])) + (" …" if len(missing) > 8 else "")
    return Reason(
        f"the values {_list(values)} have a gap ({shown} do{'es' * (len(missing) == 1)} not occur), so their names cannot be "
        f"told from their numbers",
        "--classes FILE or value=name,… (or --void none if each value is a class of its own)",
    )


def _binary(value: int) -> Reason:
    if value == 255:
        text = "the masks hold 0 and 255: 255 is a class in most two-valued masks, but void in others; it is not taken for void"
    else:
        text = f"the masks hold 0 and {value}: {value} may be a class, or void"
    return Reason(text, f"--void none if 0 is background and {value} a class (--void {value} if {value} is not labelled)")


def _high(scan: Scan, high: list[int]) -> Reason:
    shown = _list(high)
    many = len(high) > 1
    return Reason(
        f"the value{'s' * many} {shown} ({_percent(_share(scan, high))} of the pixels) may be void, as high values often are",
        f"--void {','.join(map(str, high))} (or --void none if {'they are classes' if many else 'it is a class'})",
    )


def _suspected(scan: Scan, value: int) -> Reason:
    return Reason(
        f"one of {len(scan.values)} values may be void: {value} covers {_percent(_share(scan, [value]))} of the pixels, "
        f"touches nearly every other value and has much border for its area; and no class names were found",
        f"--void {value} (or --void none if it is a class)",
    )


def _smeared(scan: Scan, smeared: set[int]) -> Reason:
    return Reason(
        f"{_percent(_share(scan, smeared))} of the pixels hold {len(smeared)} rare values along borders: the masks were "
        f"resized with interpolation or saved with loss; make them again with nearest-neighbour resizing, as PNG",
        "--void rest together with --classes value=name,… to take those pixels for void",
    )


def _unexplained(scan: Scan, values: list[int], names: str) -> Reason:
    shown = ", ".join(_shown(value, scan.encoding) for value in values[:8]) + (" …" if len(values) > 8 else "")
    what = "one unexplained value" if len(values) == 1 else f"{len(values)} unexplained values"
    flag = ",".join(_shown(value, scan.encoding) for value in values[:8])
    return Reason(
        f"{what}: {names}, but the masks also hold {shown} ({_percent(_share(scan, values))} of the pixels)",
        f"--void {_quoted(flag)}{' (or --void rest)' if len(values) > 1 else ''}, or --classes with a name for each",
    )


def _quoted(text: str) -> str:
    return f"'{text}'" if "#" in text else text  # a bare # starts a comment in a shell


def _shown(value: int, encoding: Encoding) -> str:
    return f"#{value:06x}" if encoding == "rgb" else str(value)


def _list(values: Iterable[int]) -> str:
    shown = list(values)
    if len(shown) > 2 and shown == list(range(shown[0], shown[-1] + 1)):
        return f"{shown[0]}..{shown[-1]}"
    return ", ".join(map(str, shown[:12])) + (" …" if len(shown) > 12 else "")


def _percent(share: float) -> str:
    return f"{100 * share:.2f} %" if share >= 0.0001 else "under 0.01 %"


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
    smeared = _interpolated(scan, set(left)) if left else set()
    open_values = _still_open(scan, left, smeared, word, has_names=bool(named) or table is not None)
    solid = tuple(value for value in scan.values if value not in smeared)
    for index, value in enumerate(value for value in left if value not in open_values):
        named[value] = (
            ClassName(_plain_name(value, solid)) if scan.encoding == "id" else ClassName(f"class {index}", None, value)
        )
    reasons = _open_reasons(scan, open_values, smeared, len(named))
    order = list(named.items()) if classes is not None or table is not None else sorted(named.items())
    labels = _label_set(
        order, scan.encoding, table, not reasons, dict.fromkeys(sorted(stated | open_values)), keep_void_names=word == "none"
    )
    if not len(labels):
        raise OptionError(f"--void {void}: no class would be left of the values {_list(scan.values)}")
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
    if _is_smeared(scan, smeared & open_values):
        return (_smeared(scan, smeared & open_values),)
    return (_unexplained(scan, sorted(open_values), f"{count} values are named"),)


def _void_values(scan: Scan, text: str) -> set[int]:
    found = {_value(part, scan.encoding, "--void") for part in text.split(",") if part.strip()}
    if strange := sorted(found - set(scan.values)):
        raise OptionError(
            f"--void {text}: the value {', '.join(_shown(one, scan.encoding) for one in strange)} does not occur in the masks; "
            f"there are {_values_there(scan)}"
        )
    return found


def _values_there(scan: Scan) -> str:
    if scan.encoding == "id":
        return _list(scan.values)
    return ", ".join(_shown(one, "rgb") for one in scan.values[:12]) + (" …" if len(scan.values) > 12 else "")


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
            shown = ", ".join(_shown(one, scan.encoding) for one in strange)
            raise OptionError(
                f"--classes {text!r}: the value {shown} does not occur in the masks; there are {_values_there(scan)}"
            )
        if twice := sorted(set(named) & void):
            raise OptionError(f"--classes names {_list(twice)}, which --void makes void; say one of the two")
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
        f"({', '.join(_shown(one, scan.encoding) for one in values[:12])}{' …' if len(values) > 12 else ''}); "
        f"name each value, or make the others void with --void"
    )
