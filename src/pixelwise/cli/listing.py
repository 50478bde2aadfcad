"""``pixelwise list``: what there is by name."""

import re
from typing import Annotated, Any

import typer

from pixelwise.core.errors import UnknownName, nearest

WHAT = ("models", "methods", "formats", "metrics", "encoders", "refiners", "exporters")


def list_rows(
    what: Annotated[str, typer.Argument(help=f"One of {', '.join(WHAT)}.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> int:
    """List models, methods, formats, metrics, encoders, refiners or exporters."""
    import json

    if what not in WHAT:
        raise UnknownName(f"there is no list of '{what}'; {nearest(what, WHAT)}")
    rows = _encoders() if what == "encoders" else _rows(what)
    told = {"models": _model, "methods": _method, "formats": _format, "metrics": _metric, "refiners": _refiner}.get(what)
    more = told or (lambda name: {})
    if as_json:
        typer.echo(json.dumps([{"name": name, "about": about, **more(name)} for name, about in rows], ensure_ascii=False))
        return 0
    if what == "models":
        from pixelwise.models.about import CLASSES, SIZE

        typer.echo(f"costs: at the default options, for one image of {SIZE[0]} x {SIZE[1]} and {CLASSES} classes")
    width = max(len(name) for name, _ in rows)
    if what == "methods":
        _print_by_family(rows, width)
        return 0
    for name, about in rows:
        _print_hung(f"{name:<{width}}  {about}".rstrip(), " " * (width + 2))
        for line in _lines(more(name)):
            _print_hung(f"{'':<{width + 4}}{line}", " " * (width + 6))
    return 0


def _print_by_family(rows: list[tuple[str, str]], width: int) -> None:
    """Print a line a method, under the name of its family; what else is known of them, ``--json`` tells."""
    families: dict[str, list[tuple[str, str]]] = {}
    for name, about in rows:
        families.setdefault(_method(name)["family"], []).append((name, about))
    for family, members in families.items():
        typer.echo(f"{family}:")
        for name, about in members:
            _print_hung(f"  {name:<{width}}  {about}", " " * (width + 4))


def _print_hung(text: str, indent: str) -> None:
    """Print a line; on a terminal that is too narrow it goes on below, indented, and elsewhere it stays one line."""
    import shutil
    import sys
    import textwrap

    columns = shutil.get_terminal_size().columns
    fits = not sys.stdout.isatty() or len(text) <= columns or columns < 2 * len(indent)
    typer.echo(text if fits else textwrap.fill(text, columns, subsequent_indent=indent, break_on_hyphens=False))


def _lines(more: dict[str, Any]) -> list[str]:
    """Write what else is told of a model, a format or a metric."""
    if "kinds" in more:
        return _model_lines(more)
    if "layouts" in more:
        last = "is written too" if more["writes"] else "is read, and not written"
        return [*(f"reads {layout}" for layout in more["layouts"]), last]
    return [f"{name}: {rule}" for name, rule in (more.get("scores") or more.get("rules", {})).items()]


def _model(name: str) -> dict[str, Any]:
    """Tell what a network gives, what it costs at its default options, and what it and its weights may be used for."""
    from pixelwise.models.about import CLASSES, SIZE, stated

    kinds, about = stated(name)
    return {
        "kinds": list(kinds),
        "parameters": about.parameters,
        "multiply_adds": about.multiply_adds,
        "size": list(SIZE),
        "classes": CLASSES,
        "good_for": about.good_for,
        "licence_of_code": about.code,
        "licence_of_weights": about.weights,
        "paper": about.paper,
    }


def _model_lines(model: dict[str, Any]) -> list[str]:
    lines = {
        "kinds": ", ".join(model["kinds"]),
        "good for": model["good_for"],
        "costs": f"{model['parameters'] / 1e6:.2f} M parameters, {model['multiply_adds'] / 1e9:.1f} G multiply-adds",
        "code": model["licence_of_code"],
        "weights": model["licence_of_weights"],
        "paper": model["paper"],
    }
    return [f"{name}: {text}" for name, text in lines.items() if text]


def _method(name: str) -> dict[str, Any]:
    """Tell what a method gives and is good for, what it costs, its options with their defaults, and where it comes from."""
    import inspect

    from pixelwise.methods import METHODS, TRAINABLE, TRAINED

    module = METHODS[name]
    parameters = inspect.signature(module.segment).parameters
    hidden = {"image", "prompts", "model", "probabilities"}
    return {
        "kind": module.KIND,
        **module.ABOUT._asdict(),
        "options": {key: _shown(one.default) for key, one in parameters.items() if key not in hidden},
        "takes_prompts": "prompts" in parameters,
        "learns": "must" if name in TRAINED else "can" if name in TRAINABLE else "no",
    }


def _shown(default: Any) -> Any:
    return list(default) if isinstance(default, tuple) else default


def _metric(name: str) -> dict[str, Any]:
    """Tell what a metric scores, and the rule of each of its scores."""
    from pixelwise.metrics import METRICS

    module = METRICS[name]
    return {"kind": module.KIND, "scores": dict(module.RULES), "lower_is_better": sorted(module.LOWER_IS_BETTER)}


def _refiner(name: str) -> dict[str, Any]:
    """Tell what a refiner does to each kind of segmentation, why it refuses the others, and what it costs."""
    from pixelwise.refine.refiner import Refiner

    about = Refiner(name).about
    return {"rules": dict(about.rules), "refused": dict(about.refused), "cost": about.cost, "source": about.source}


def _format(name: str) -> dict[str, Any]:
    """Tell the layouts that a format reads, and whether it is written; one that is not has a ``write`` that only raises."""
    import ast
    import inspect
    import textwrap

    from pixelwise.formats import FORMATS

    module = FORMATS[name]
    body = ast.parse(textwrap.dedent(inspect.getsource(module.write))).body[0].body  # type: ignore[attr-defined]
    steps = [one for one in body if not (isinstance(one, ast.Expr) and isinstance(one.value, ast.Constant))]
    return {"layouts": list(module.LAYOUTS), "writes": not isinstance(steps[0], ast.Raise)}


def _rows(what: str) -> list[tuple[str, str]]:
    """Give each row's name and the first sentence of its module, read without running the module."""
    table = _table(what)
    names = list(table) if what == "methods" else sorted(table)  # methods stand by family in their table
    return [(name, _first_sentence(table.rows[name])) for name in names]


def _table(what: str):  # type: ignore[no-untyped-def]  # each branch imports only what it lists
    if what == "models":
        from pixelwise.models import MODELS as TABLE
    elif what == "methods":
        from pixelwise.methods import METHODS as TABLE
    elif what == "refiners":
        from pixelwise.refine import REFINERS as TABLE
    elif what == "exporters":
        from pixelwise.export import EXPORTERS as TABLE
    elif what == "formats":
        from pixelwise.formats import FORMATS as TABLE
    else:
        from pixelwise.metrics import METRICS as TABLE
    return TABLE


def _first_sentence(module: str) -> str:
    import ast
    import importlib.util
    from pathlib import Path

    spec = importlib.util.find_spec(module)
    if spec is None or spec.origin is None:
        return "(not installed)"
    text = ast.get_docstring(ast.parse(Path(spec.origin).read_text("utf-8"))) or ""
    return re.sub(r" \[\d+\]", "", " ".join(text.split("\n\n")[0].split()))  # the sources are listed in the module


def _encoders() -> list[tuple[str, str]]:
    from pixelwise.models.encoders import known_encoders

    return [(name, "the U-Net paper's own" if name == "plain" else "") for name in known_encoders()]
