"""``pixelwise list``: what there is by name."""

import re
from typing import Annotated, Any

import typer

from pixelwise.core.errors import UnknownName, nearest

WHAT = ("models", "methods", "formats", "metrics", "encoders")


def list_rows(
    what: Annotated[str, typer.Argument(help=f"One of {', '.join(WHAT)}.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> int:
    """List models, methods, formats, metrics or encoders."""
    import json

    if what not in WHAT:
        raise UnknownName(f"there is no list of '{what}'; {nearest(what, WHAT)}")
    rows = _encoders() if what == "encoders" else _rows(what)
    told = {"models": _model, "formats": _format, "metrics": _metric}.get(what)
    more = told or (lambda name: {})
    if as_json:
        typer.echo(json.dumps([{"name": name, "about": about, **more(name)} for name, about in rows], ensure_ascii=False))
        return 0
    width = max(len(name) for name, _ in rows)
    for name, about in rows:  # each as soon as it is known: a network is half a second's work
        typer.echo(f"{name:<{width}}  {about}".rstrip())
        for line in _lines(more(name)):
            typer.echo(f"{'':<{width}}    {line}")
    return 0


def _lines(more: dict[str, Any]) -> list[str]:
    """Write what else is told of a model, a format or a metric."""
    if "kinds" in more:
        return _model_lines(more)
    if "layouts" in more:
        last = "is written too" if more["writes"] else "is read, and not written"
        return [*(f"reads {layout}" for layout in more["layouts"]), last]
    return [f"{name}: {rule}" for name, rule in more.get("scores", {}).items()]


def _model(name: str) -> dict[str, Any]:
    """Tell what a network gives, what it costs at its default options, and what it and its weights may be used for."""
    from pixelwise.models import MODELS
    from pixelwise.models.about import CLASSES, SIZE, About, cost_of

    module = MODELS[name]
    parameters, multiply_adds = cost_of(name)
    about = About(*getattr(module, "ABOUT", ("", "", "", "")))  # rows of other packages may be without
    return {
        "kinds": list(module.KINDS),
        "parameters": parameters,
        "multiply_adds": multiply_adds,
        "size": list(SIZE),
        "classes": CLASSES,
        "good_for": about.good_for,
        "licence_of_code": about.code,
        "licence_of_weights": about.weights,
        "paper": about.paper,
    }


def _model_lines(model: dict[str, Any]) -> list[str]:
    height, width = model["size"]
    adds = model["multiply_adds"]
    costs = "multiply-adds not counted, as they follow from numbers" if adds is None else f"{adds / 1e9:.1f} G multiply-adds"
    lines = {
        "kinds": ", ".join(model["kinds"]),
        "good for": model["good_for"],
        "costs": f"{model['parameters'] / 1e6:.2f} M parameters, {costs} ({height} x {width}, {model['classes']} classes)",
        "code": model["licence_of_code"],
        "weights": model["licence_of_weights"],
        "paper": model["paper"],
    }
    return [f"{name}: {text}" for name, text in lines.items() if text]


def _metric(name: str) -> dict[str, Any]:
    """Tell what a metric scores, and the rule of each of its scores."""
    from pixelwise.metrics import METRICS

    module = METRICS[name]
    return {"kind": module.KIND, "scores": dict(module.RULES), "lower_is_better": sorted(module.LOWER_IS_BETTER)}


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
    return [(name, _first_sentence(table.rows[name])) for name in sorted(table)]


def _table(what: str):  # type: ignore[no-untyped-def]  # each branch imports only what it lists
    if what == "models":
        from pixelwise.models import MODELS as TABLE
    elif what == "methods":
        from pixelwise.methods import METHODS as TABLE
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
