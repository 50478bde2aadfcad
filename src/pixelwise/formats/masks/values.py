"""Propose which class each stored mask value means, and say where that is no more than a guess.

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

import numpy as np

from pixelwise.core.labels import VOID, Encoding, Label, LabelSet, colour_of, unpack_colour
from pixelwise.formats.classes import ClassName, ClassTable
from pixelwise.formats.masks.reasons import (
    HIGH,
    MOST_VOID,
    Reason,
    binary,
    high_values,
    listed,
    out_of_order,
    show,
    smeared_masks,
    suspected_void,
    unconfirmed,
    unexplained_values,
)
from pixelwise.formats.masks.scan import Scan, ValueUse

MOST_RAMPS = 0.01  # of all pixels
_RARE = 0.05  # of all pixels: what interpolation leaves is spread over many values
_LEAST_SMEARED = 3  # one rare value between two others is a drawn outline, not interpolation
_RAMP = 0.15  # of a rare value's pixels; real classes stay under 0.01, thin ones included
_FEW, _MANY = 4, 8  # values from which on the highest, and the lowest too, may be suspected of meaning void
_LEAST_SHARED = 0.005  # of a value's border


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
        return Proposal(labels, () if labels.settled else (unconfirmed(table),))
    values = {**(labels.values if same else {}), **dict.fromkeys(strange, VOID)}
    reason = unexplained_values(scan, strange, f"{table.path.name} has {len(labels)} classes")
    return Proposal(LabelSet(labels.labels, values, scan.encoding, settled=False), (reason,))


def _with_names(scan: Scan, table: ClassTable) -> Proposal:
    names = table.by_colour() if scan.encoding == "rgb" else table.by_value()
    if scan.encoding == "rgb" and not names:
        names = {}
    explained = {value: names[value] for value in scan.values if value in names}
    smeared = interpolated(scan, set(scan.values) - set(explained))
    strange = [value for value in scan.values if value not in names and value not in smeared]
    reasons = [smeared_masks(scan, smeared)] if is_smeared(scan, smeared) else []
    if scan.encoding == "rgb" and not names:
        reasons.append(
            Reason(
                f"the masks are coded in RGB colours, and {table.path.name} names classes but no colours",
                "--classes FILE with columns name,r,g,b",
            )
        )
    elif strange or (smeared and not reasons):
        reasons.append(
            unexplained_values(scan, strange or sorted(smeared), f"{table.path.name} names {len(table.rows)} classes")
        )
    ordered = sorted(names.items(), key=lambda item: table.rows.index(item[1]))
    unexplained = {value: None for value in scan.values if value not in names}
    if unexplained and not smeared and len(scan.values) == len(table.rows):  # 0/255 with two names, say: in value order
        ordered = list(zip(scan.values, table.rows, strict=True))
        unexplained = {}
        reasons = [out_of_order(scan, table)]
    labels = label_set(ordered, scan.encoding, table, settled=not reasons, void=unexplained)
    return Proposal(labels, tuple(reasons))


def _without_names(scan: Scan) -> Proposal:
    values = scan.values
    if scan.encoding == "rgb":
        return _without_table(scan)
    smeared = interpolated(scan, set(values))
    solid = tuple(value for value in values if value not in smeared)
    reasons: list[Reason] = [smeared_masks(scan, smeared)] if is_smeared(scan, smeared) else []
    void = set(smeared)
    if len(solid) == 2 and solid[0] == 0 and solid[1] > 1:
        reasons.append(binary(solid[1]))
    else:
        high = [value for value in solid if value >= HIGH]
        if len(high) <= MOST_VOID:
            void |= set(high)
        if high:
            reasons.append(high_values(scan, high))
        if (gap := _gap([value for value in solid if value < HIGH])) is not None:
            reasons.append(gap)
        if not high and (suspect := _suspect(scan)) is not None:
            void.add(suspect)
            reasons.append(suspected_void(scan, suspect))
    if smeared and not reasons:
        reasons.append(unexplained_values(scan, sorted(smeared), "no class names were found"))
    if void >= set(values):  # nothing would be left to learn
        void = set()
    classes = [(value, ClassName(plain_name(value, solid))) for value in values if value not in void]
    return Proposal(label_set(classes, "id", None, not reasons, dict.fromkeys(sorted(void))), tuple(reasons))


def _without_table(scan: Scan) -> Proposal:
    smeared = interpolated(scan, set(scan.values))
    reasons = [smeared_masks(scan, smeared)] if is_smeared(scan, smeared) else []
    colours = [value for value in scan.values if value not in smeared]
    shown = ", ".join(show(value, "rgb") for value in colours[:6]) + (" …" if len(colours) > 6 else "")
    reasons.append(
        Reason(
            f"the masks are coded in {len(colours)} RGB colours ({shown}), and no table in the folder names them",
            "--classes FILE with columns name,r,g,b (or --classes '#rrggbb=name,…')",
        )
    )
    classes = [(value, ClassName(f"class {index}", None, value)) for index, value in enumerate(colours)]
    return Proposal(label_set(classes, "rgb", None, False, dict.fromkeys(sorted(smeared))), tuple(reasons))


def plain_name(value: int, solid: tuple[int, ...]) -> str:
    """Name a class after its value, for want of a better name."""
    if len(solid) == 2 and solid[0] == 0 and solid[1] > 1:
        return "background" if value == 0 else "foreground"
    return f"class {value}"


def label_set(
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


def interpolated(scan: Scan, candidates: set[int]) -> set[int]:
    """Find values that interpolation left: rare, and often strictly between both neighbours."""
    total = max(scan.pixels, 1)
    found = {
        use.value
        for use in scan.uses
        if use.value in candidates and use.pixels < _RARE * total and use.ramp >= _RAMP * use.pixels
    }
    if len(found) < _LEAST_SMEARED:
        return set()
    # along the same borders: rare values with no ramp of their own beside those that have one (noise of a lossy format)
    rare = {use.value for use in scan.uses if use.value in candidates and use.pixels < 0.001 * total and _is_border(use)}
    return found | rare if len(found) >= 8 else found


def _is_border(use: ValueUse) -> bool:
    return 2 * use.border >= use.pixels


def is_smeared(scan: Scan, smeared: set[int]) -> bool:
    """Tell whether what interpolation left covers enough to matter."""
    return bool(smeared) and scan.share(smeared) + scan.dropped / max(scan.pixels, 1) > MOST_RAMPS


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
        f"the values {listed(values)} have a gap ({shown} do{'es' * (len(missing) == 1)} not occur), so their names cannot be "
        f"told from their numbers",
        "--classes FILE or value=name,… (or --void none if each value is a class of its own)",
    )
