"""What the options of each network are, with what they do: read from the source, so that telling takes no time.

A network's ``build`` has a keyword for every option and a line for it under ``Args`` of its docstring; what it shares with
another network it leaves to that one's, by the sentence "The other arguments are those of ``unet``."
"""

import ast
import importlib.util
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from pixelwise.core.errors import OptionError
from pixelwise.models import MODELS

_LINE = re.compile(r"^(?P<names>\w+(, \w+)*): (?P<text>.*)$")
_OTHERS = re.compile(r"[Tt]he other arguments are those of ``(\w+)``")


class Told(NamedTuple):
    """An option: its name, its type and its default as Python writes them, and what it does, in one line."""

    name: str
    type: str
    default: str
    text: str


def options_of(name: str) -> tuple[Told, ...]:
    """List the options of a network, in the order of its ``build``.

    >>> options_of("enet")[1]._replace(text="")
    Told(name='width', type='int', default='16', text='')

    Raises:
        UnknownName: there is no such network.
        OptionError: it is another package's, and has no source to read.
    """
    if name not in MODELS:
        MODELS[name]  # raises, with the nearest names
    function = _build_of(name)
    texts = _texts_of(function)
    pairs = zip(function.args.kwonlyargs, function.args.kw_defaults, strict=True)
    return tuple(
        Told(
            argument.arg,
            "" if argument.annotation is None else ast.unparse(argument.annotation),
            "" if default is None else ast.unparse(default),
            texts.get(argument.arg, ""),
        )
        for argument, default in pairs
    )


def _build_of(name: str) -> ast.FunctionDef:
    spec = importlib.util.find_spec(MODELS.rows[name])
    if spec is None or spec.origin is None or not spec.origin.endswith(".py"):
        raise OptionError(f"the options of '{name}' cannot be told: there is no source of {MODELS.rows[name]}")
    for node in ast.parse(Path(spec.origin).read_text("utf-8")).body:
        if isinstance(node, ast.FunctionDef) and node.name == "build":
            return node
    raise OptionError(f"the options of '{name}' cannot be told: {MODELS.rows[name]} does not write out its function build")


def _texts_of(function: ast.FunctionDef) -> dict[str, str]:
    """Give what a docstring says of each argument, and of those that it leaves to another network's."""
    document = ast.get_docstring(function) or ""
    others = _OTHERS.search(document)
    found = _texts_of(_build_of(others[1])) if others else {}
    for names, text in _entries(document):
        for one in names.split(", "):
            found[one] = text
    return found


def _entries(document: str) -> Iterator[tuple[str, str]]:
    """Give the names and the text of each entry under ``Args``."""
    _, _, body = document.partition("Args:\n")
    names, parts = "", list[str]()
    for line in body.splitlines():
        if not line.startswith("    "):
            break  # an empty line, or the next section
        entry = _LINE.match(line[4:])
        if entry is None:
            parts.append(line.strip())
            continue
        if names:
            yield names, " ".join(parts)
        names, parts = entry["names"], [entry["text"]]
    if names:
        yield names, " ".join(parts)
