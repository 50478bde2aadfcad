"""Average precision drawn: precision over recall of all classes and of single ones, and AP by the size of objects."""

from collections.abc import Mapping, Sequence
from typing import Any

from markupsafe import Markup

from pixelwise.report.axes import across, bar, closed, count_bar, frame, line, whisker
from pixelwise.report.figure import Figure, Key, Table
from pixelwise.report.numbers import bounds, plain, shown

MOST_CLASSES = 12  # that have a drawing of their own
_ENOUGH = 10  # objects of a class, for a curve that says something
_FAMILIES = {"": "masks", "box_": "boxes", "boundary_": "borders"}
_LINES = (
    ("precision50", "first", "IoU 0.50"),
    ("precision75", "second", "IoU 0.75"),
    ("precision", "third", "mean, 0.50 to 0.95"),
)
_SIZES = {"small": "below 32²", "medium": "32² to 96²", "large": "96² and more"}
_KEY = tuple(Key(words, role, is_line=True) for _, role, words in _LINES)
_BAR = 44  # width of one in the chart by size
_TICKS = tuple((place / 5, f"{place / 5:g}") for place in range(6))


def precision_figures(
    scores: Mapping[str, Any], per_class: Mapping[str, Mapping[str, Any]], details: Mapping[str, Any]
) -> list[Figure]:
    """Draw the curves of masks, boxes and borders, those of single classes, and AP by size; nothing where it is not known."""
    figures = []
    for prefix, what in _FAMILIES.items():
        graphs = details.get(f"{prefix}precision_recall") or {}
        if mean := graphs.get("mean"):
            title = f"Precision over recall, {what}"
            figures.append(Figure(title, _curves(title, graphs["recall"], mean), key=_KEY))
    figures += _by_size(scores, details, is_wide=len(figures) % 2 == 0)
    graphs = details.get("precision_recall") or {}
    if len(graphs.get("classes", ())) > 1:
        figures.append(_of_classes(graphs, per_class))
    return figures


def _curves(title: str, recall: Sequence[float], lines: Mapping[str, Any]) -> Markup:
    parts = frame(title, _TICKS, "recall")
    return closed([*parts, *(line(list(zip(recall, lines[name], strict=True)), role) for name, role, _ in _LINES)])


def _of_classes(graphs: Mapping[str, Any], per_class: Mapping[str, Mapping[str, Any]]) -> Figure:
    """Draw small curves of the classes, the lowest AP first."""
    found: Mapping[str, Mapping[str, Any]] = graphs["classes"]
    ap = {name: sum(lines["precision"]) / len(lines["precision"]) for name, lines in found.items()}
    ap |= {name: value for name in found if (value := plain(per_class.get(name, {}).get("ap"))) is not None}
    numbers = {name: plain(per_class.get(name, {}).get("objects")) for name in found}
    chosen, which = _chosen(ap, numbers)
    cells = []
    for name in chosen:
        number = numbers[name]
        count = "" if number is None else f" · {number:,} object{'' if number == 1 else 's'}"
        caption = Markup("<figcaption><b>{}</b><br>AP {}{}</figcaption>").format(name, shown(ap[name]), count)
        cells.append(Markup("<figure>{}{}</figure>").format(caption, _small(name, graphs["recall"], found[name])))
    rest = len(found) + graphs.get("left_out", 0) - len(chosen)
    words = f"{which}. Masks; recall across, precision up, both from 0 to 1." + (
        f" {rest:,} more are in the JSON." if rest else ""
    )
    drawing = Markup('<div class="multiples">{}</div>').format(Markup("").join(cells))
    return Figure("By class", drawing, words, _KEY, is_wide=True)


def _chosen(ap: Mapping[str, float], numbers: Mapping[str, int | None]) -> tuple[list[str], str]:
    """Choose the classes to draw, the lowest AP first, and say which they are; a curve of three objects would say nothing."""
    order = sorted(ap, key=lambda name: ap[name])
    if len(order) <= MOST_CLASSES:
        return order, "All classes, the lowest AP first"
    ample = [name for name in order if (numbers[name] or 0) >= _ENOUGH]
    if len(ample) < MOST_CLASSES:
        frequent = sorted(order, key=lambda name: -(numbers[name] or 0))[:MOST_CLASSES]
        return [
            name for name in order if name in frequent
        ], f"The {MOST_CLASSES} classes with most objects, the lowest AP first"
    half = MOST_CLASSES // 2
    which = f"Of the classes with at least {_ENOUGH} objects the {half} of the lowest AP and the {half} of the highest"
    return [*ample[:half], *ample[-half:]], which


def _small(name: str, recall: Sequence[float], lines: Mapping[str, Any]) -> Markup:
    parts = [Markup('<svg viewBox="0 0 104 74" role="img" aria-label="{}">').format(f"precision over recall: {name}")]
    parts.append(Markup('<path class="grid" d="M2 2H102M2 37H102M2 72H102M2 2V72M52 2V72M102 2V72"/>'))
    for key, role, _ in _LINES:
        places = [(2 + 100 * x, 72 - 70 * y) for x, y in zip(recall, lines[key], strict=True)]
        path = "M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in places[::2])
        parts.append(Markup('<path class="line {}" d="{}"/>').format(role, path))
    return closed(parts)


def _by_size(scores: Mapping[str, Any], details: Mapping[str, Any], is_wide: bool) -> list[Figure]:
    """Draw AP and AR of small, medium and large objects with their intervals, and how many objects there are."""
    if all(plain(scores.get(f"ap_{size}")) is None for size in _SIZES):
        return []
    objects: Mapping[str, int] = (details.get("precision_recall") or {}).get("objects") or {}
    most = max([*(objects.get(size, 0) for size in _SIZES), 1])
    names = [((2 * place + 1) / 6, size) for place, size in enumerate(_SIZES)]
    parts, rows = frame("AP by size of object", names, "objects" if objects else "", has_counts=bool(objects)), []
    for (middle, size), area in zip(names, _SIZES.values(), strict=True):
        cells = []
        for kind, side, role in (("ap", -1, "bar"), ("ar", 1, "bar2")):
            value, interval = plain(scores.get(f"{kind}_{size}")), plain(scores.get(f"{kind}_{size}_interval"))
            cells.append(shown(value))
            if value is not None:
                x = across(middle) + (side - 1) * _BAR / 2
                tip = f"{size}: {kind.upper()} {shown(value)}" + (f", {bounds(interval)}" if interval else "")
                parts += [bar(x, _BAR - 2, 0, value, role, tip), whisker(x + _BAR / 2 - 1, interval)]
        if size in objects:
            parts.append(count_bar(across(middle) - _BAR, 2 * _BAR, objects[size] / most, f"{objects[size]:,} {size} objects"))
        rows.append((f"{size}: {area} pixels", *cells, *([f"{objects[size]:,}"] if size in objects else [])))
    table = Table(("area", "AP", "AR", *(["objects"] if objects else [])), rows)
    below = " Below: how many objects there are." if objects else ""
    words = f"AP and AR of masks, with 95 % intervals, of objects of each size.{below}"
    key = (Key("AP", "bar"), Key("AR, at most 100 an image", "bar2"))
    return [Figure("By size of object", closed(parts), words, key, table, is_wide)]
