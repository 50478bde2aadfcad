"""Damage JSON by its structure: keys lost, doubled or renamed, values swapped or replaced, lists emptied or grown."""

import json
import random
import re
from typing import Any

from fuzz_values import json_text, name, number, quoted

_RAW = re.compile(r'"\\u0001raw(\d+)"')
_TWICE = re.compile(r'"\\u0001twice\d+:')


def mutated_json(data: bytes, rng: random.Random) -> bytes:
    """Change one place in a JSON text, or in one line of several."""
    text = data.decode("utf-8", "replace").lstrip("\ufeff")
    try:
        return _changed(json.loads(text), rng).encode("utf-8", "surrogatepass")
    except (ValueError, RecursionError):
        return _one_line(text, rng)


def _one_line(text: str, rng: random.Random) -> bytes:
    lines = text.split("\n")
    at = rng.randrange(len(lines))
    try:
        lines[at] = _changed(json.loads(lines[at]), rng)
    except (ValueError, RecursionError):
        cut = rng.randrange(len(text) + 1)
        return (text[:cut] + json_text(rng) + text[cut + 1 :]).encode("utf-8", "surrogatepass")
    return "\n".join(lines).encode("utf-8", "surrogatepass")


def _changed(value: Any, rng: random.Random) -> str:
    """Change one place, and write; what no Python value stands for is put into the text afterwards."""
    raw: list[str] = []
    holders = [one for one in _holders(value) if one]
    if not holders:
        return json_text(rng)
    holder = rng.choice(holders)
    if isinstance(holder, dict):
        _change_object(holder, rng, raw)
    else:
        _change_list(holder, rng, raw)
    text = json.dumps(value)
    text = _TWICE.sub('"', text)
    return _RAW.sub(lambda match: raw[int(match[1])], text)


def _holders(value: Any) -> list[Any]:
    """List the objects and lists, the outer ones first; of long lists of numbers a few stand for all."""
    found, waiting = [], [value]
    while waiting:
        one = waiting.pop()
        if isinstance(one, dict):
            found.append(one)
            waiting += one.values()
        elif isinstance(one, list):
            found.append(one)
            waiting += one[:12]
    return found


def _strange(old: Any, rng: random.Random, raw: list[str]) -> Any:
    """Give something in the place of ``old``: often of its own type, else of any."""
    draw = rng.random()
    if isinstance(old, str) and draw < 0.45:
        return _text_like(old, rng)
    if isinstance(old, int | float) and draw < 0.6:
        raw.append(number(rng))
    elif isinstance(old, list | dict) and draw < 0.2:
        return list(old.values()) if isinstance(old, dict) else {str(index): one for index, one in enumerate(old)}
    else:
        raw.append(json_text(rng))
    return f"\x01raw{len(raw) - 1}"


def _text_like(old: str, rng: random.Random) -> str:
    """Change a text a little, as coded run lengths, colours, dates and paths are texts too."""
    if not old or rng.random() < 0.4:
        return name(rng)
    at = rng.randrange(len(old))
    return rng.choice(
        (
            old[:at],
            old[:at] + chr(rng.choice((0, 10, 32, 47, 48, 65, 111, 127, 233, 0x1F600))) + old[at + 1 :],
            old[:at] + old[at:] * 2,
            old[::-1],
            old.swapcase(),
            old * 40,
        )
    )


def _change_object(one: dict[str, Any], rng: random.Random, raw: list[str]) -> None:
    key, other = rng.choice(list(one)), rng.choice(list(one))
    kind = rng.randrange(8)
    if kind == 0:
        del one[key]
    elif kind == 1:
        one[name(rng)] = one.pop(key)
    elif kind == 2:
        one[key], one[other] = one[other], one[key]
    elif kind == 3:
        one[f"\x01twice{len(one)}:{key}"] = _strange(one[key], rng, raw)
    elif kind == 4:
        one[key] = rng.choice(([one[key]], {key: one[key]}, None))
    else:
        one[key] = _strange(one[key], rng, raw)


def _change_list(one: list[Any], rng: random.Random, raw: list[str]) -> None:
    at, other = rng.randrange(len(one)), rng.randrange(len(one))
    kind = rng.randrange(8)
    if kind == 0:
        del one[at]
    elif kind == 1:
        one.insert(other, one[at])
    elif kind == 2:
        one[at], one[other] = one[other], one[at]
    elif kind == 3:
        one[at:] = [one[at]] * rng.choice((2, 5, 300))
    elif kind == 4:
        one[at] = rng.choice(([one[at]], None, {}))
    elif kind == 5:
        del one[at:]
    else:
        one[at] = _strange(one[at], rng, raw)


def damaged_text(rng: random.Random) -> bytes:
    """Give JSON made of nothing but strange values."""
    keys = ", ".join(f"{quoted(name(rng))}: {json_text(rng)}" for _ in range(rng.randint(0, 4)))
    return f"{{{keys}}}".encode("utf-8", "surrogatepass")
