"""``pixelwise show``: layers, shapes, parameters and multiply-adds of a network; or its options."""

from pathlib import Path
from typing import Annotated, Any

import typer

from pixelwise.core.errors import OptionError
from pixelwise.models.build_options import fitted_options


def show(
    model: Annotated[str, typer.Argument(help="A network's name, a run folder or a checkpoint.")],
    size: Annotated[str, typer.Option(help="Input H,W.")] = "352,480",
    classes: Annotated[int, typer.Option(help="Number of classes, for a network by name.")] = 11,
    encoder: Annotated[str | None, typer.Option(help="The encoder, for a network by name.")] = None,
    depth: Annotated[int, typer.Option(help="How deep to open modules.")] = 3,
    set_: Annotated[list[str] | None, typer.Option("--set", help="model.key=value; repeatable.")] = None,
    options: Annotated[bool, typer.Option("--options", help="List the options of a network instead.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> int:
    """Show what a network is made of, and what it costs for one image; or its options and what they do."""
    import json

    from rich.console import Console
    from rich.table import Table

    if options:
        return _show_options(model, as_json)

    from pixelwise.models.summary import summarise

    height, width = _size(size)
    built = _built(model, classes, encoder, set_ or [])
    rows = summarise(built, (height, width), depth)
    parameters = sum(parameter.numel() for parameter in built.parameters())
    total = rows[0].multiply_adds
    if as_json:
        layers = [vars(row) for row in rows]
        typer.echo(
            json.dumps(
                {"model": model, "size": [height, width], "parameters": parameters, "multiply_adds": total, "layers": layers}
            )
        )
        return 0
    table = Table(title=f"{model}: input {len(built.card.bands)} x {height} x {width}, {len(built.card.labels)} classes")
    for name in ("layer", "type", "output", "parameters", "multiply-adds"):
        table.add_column(name, justify="right" if name in ("parameters", "multiply-adds") else "left")
    for row in rows:
        table.add_row(
            "  " * row.depth + row.name,
            row.kind,
            " x ".join(map(str, row.output)),
            f"{row.parameters:,}",
            f"{row.multiply_adds:,}",
        )
    Console().print(table)
    typer.echo(f"{parameters:,} parameters, {total / 1e9:.2f} G multiply-adds an image, stride {built.card.stride}")
    return 0


def _show_options(name: str, as_json: bool) -> int:
    import json

    from rich.console import Console
    from rich.table import Table

    from pixelwise.models.options_told import options_of

    told = options_of(name)
    if as_json:
        typer.echo(json.dumps({"model": name, "options": [one._asdict() for one in told]}))
        return 0
    table = Table(title=f"{name}: --set model.OPTION=VALUE", show_lines=True)
    for column in ("option", "default", "what it does"):
        table.add_column(column, overflow="fold")
    for one in told:
        table.add_row(one.name, one.default, one.text.replace("``", ""))
    Console().print(table)
    return 0


def _size(text: str) -> tuple[int, int]:
    parts = text.lower().replace("x", ",").split(",")
    if len(parts) != 2 or not all(part.strip().isdigit() and int(part) > 0 for part in parts):
        raise OptionError(f"--size {text}: expected height,width in pixels, as in --size 352,480")
    return int(parts[0]), int(parts[1])


def _built(model: str, classes: int, encoder: str | None, settings: list[str]) -> Any:
    from pixelwise.core.errors import MissingFile, UnknownName
    from pixelwise.core.labels import LabelSet
    from pixelwise.core.options import override
    from pixelwise.models import MODELS, checkpoint

    if model in MODELS:
        options = override({"model": {}}, settings)["model"] | ({"encoder": encoder} if encoder else {})
        network = MODELS[model]
        options = fitted_options(network.build, options)
        labels = LabelSet.of(names := [f"class {index}" for index in range(classes)], things=names)
        return network.build(labels, network.KINDS[0], **({"weights": "none"} | options))
    try:
        return checkpoint.load(Path(model))
    except MissingFile:
        if not Path(model).exists():
            MODELS[model]  # raises UnknownName with the nearest names
        raise
    except UnknownName:
        raise
