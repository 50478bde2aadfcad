"""Options that several commands share, so that they read alike everywhere."""

from pathlib import Path
from typing import Annotated

import typer

SourceArgument = Annotated[Path, typer.Argument(help="The data set: a folder, or its label file.", metavar="SRC")]
TargetArgument = Annotated[Path, typer.Argument(help="Folder to make, outside the data.", metavar="DST")]
DataArgument = Annotated[Path, typer.Argument(help="The data set: a folder, or its label file.", metavar="PATH")]

VoidOption = Annotated[
    str | None,
    typer.Option("--void", metavar="VALUES", help="Mask values that mean 'not labelled': 11, '0,255', none, or rest."),
]
ClassesOption = Annotated[
    str | None,
    typer.Option("--classes", metavar="NAMES", help="Class names: a file, names in value order, or value=name,…"),
]
FormatOption = Annotated[str | None, typer.Option("--format", metavar="NAME", help="Label format; found out if not given.")]
ListsOption = Annotated[
    Path | None, typer.Option("--lists", metavar="DIR", help="Splits of these list files, as 'data split' writes them.")
]
StrictOption = Annotated[bool, typer.Option("--strict", help="Stop at the first item that is wrong, and write nothing.")]
WorkersOption = Annotated[int, typer.Option("--workers", min=1, help="Processes that write; the result is the same.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON on standard output, and nothing else there.")]
