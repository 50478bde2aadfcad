"""Damage data sets the way tools, disks, people and attackers do; all of it follows from the random generator that is given.

A mutation knows the form of what it damages: it takes a key out of a JSON object, a chunk out of a PNG, a point out of an
outline. So most inputs get past the parser, where blind changes of bytes would stay.
"""

import random
import re
from collections.abc import Callable, Sequence
from typing import TypeAlias

from fuzz_binary import mutated_array, mutated_picture
from fuzz_json import mutated_json
from fuzz_trees import ALONE, Entry, Link, Tree, alone
from fuzz_values import CANARY, DEEP, name, number

_Change: TypeAlias = Callable[[bytes, random.Random], bytes]
_SEPARATOR = re.compile(rb"([\s,;:=\"'<>/()\[\]{}]+)")
_SUFFIXES = ("png", "json", "txt", "xml", "tif", "npy", "mat", "csv")
_TAG = re.compile(rb"(<[^>]*>)")
_ATTRIBUTE = re.compile(rb"=\s*(\"[^\"]*\"|'[^']*')")
_ENTITIES = (
    b'<!DOCTYPE a [<!ENTITY x "ha"><!ENTITY y "&x;&x;&x;&x;"><!ENTITY z "&y;&y;&y;&y;">]>',
    b'<!DOCTYPE a [<!ENTITY x SYSTEM "file:../' + CANARY.encode() + b'.xml">]>',
)


def mutated(tree: Tree, rng: random.Random, donors: Sequence[Tree]) -> dict[str, Entry]:
    """Give a tree with one or a few changes; ``donors`` are trees of other formats, of which files are mixed in."""
    found = dict(tree)
    for _ in range(1 + min(int(rng.expovariate(0.9)), 6)):
        if not found:
            break
        if rng.random() < 0.12 and alone(found) is None:
            _change_files(found, rng, donors)
        else:
            _change_content(found, rng)
    return found


def _change_content(tree: dict[str, Entry], rng: random.Random) -> None:
    names = [one for one, entry in tree.items() if isinstance(entry, bytes)]
    if not names:
        return
    weights = [1.0 if _is_photo(one) else 6.0 for one in names]
    chosen = rng.choices(names, weights)[0]
    entry = tree[chosen]
    assert isinstance(entry, bytes)
    tree[chosen] = mutated_content(entry, rng)


def _is_photo(file: str) -> bool:
    words = file.casefold()
    return words.endswith((".jpg", ".jpeg")) or "image" in words.rpartition("/")[0]


def mutated_content(data: bytes, rng: random.Random) -> bytes:
    """Change the content of one file, mostly in its own form, at times byte by byte."""
    if not data:
        return rng.randbytes(rng.choice((1, 40)))
    if rng.random() < 0.25:
        return _bytes(data, rng)
    return _form_of(data)(data, rng)


def _form_of(data: bytes) -> _Change:
    start = data[:64].lstrip(b"\xef\xbb\xbf \t\r\n")
    if start[:1] in (b"{", b"["):
        return mutated_json
    if start[:1] == b"<":
        return _xml
    if data[:4] in (b"\x89PNG", b"II*\0", b"MM\0*") or data[:2] in (b"\xff\xd8", b"BM"):
        return mutated_picture
    if data[:6] == b"\x93NUMPY" or data[:2] == b"PK" or data[:6] == b"MATLAB":
        return mutated_array
    return _bytes if b"\0" in data[:512] else _text


def _bytes(data: bytes, rng: random.Random) -> bytes:
    changed = bytearray(data)
    kind = rng.randrange(6)
    if kind == 0:
        for _ in range(rng.randint(1, 8)):
            changed[rng.randrange(len(changed))] ^= 1 << rng.randrange(8)
    elif kind == 1:
        return data[: rng.randrange(len(data))]
    elif kind == 2:
        at = rng.randrange(len(changed))
        changed[at:at] = rng.randbytes(rng.randint(1, 8))
    elif kind == 3:
        at = rng.randrange(len(changed))
        del changed[at : at + rng.randint(1, 16)]
    elif kind == 4:
        at, to, count = rng.randrange(len(changed)), rng.randrange(len(changed)), rng.randint(1, 64)
        changed[to : to + count] = data[at : at + count]
    else:
        at = rng.randrange(len(changed))
        word = rng.choice((b"\xff" * 4, b"\0" * 4, b"\x7f\xff\xff\xff", b"\xff\xff\xff\x7f", b"\x80", b"\xed\xa0\x80"))
        changed[at : at + len(word)] = word
    return bytes(changed)


def _text(data: bytes, rng: random.Random) -> bytes:
    """Change lines and words of a list, a table or rows of numbers."""
    if rng.random() < 0.4:
        lines = data.splitlines(keepends=True)
        return b"".join(_shuffled(lines, rng))
    parts = _SEPARATOR.split(data)
    places = range(0, len(parts), 2)
    at = rng.choice(places)
    draw = rng.random()
    if draw < 0.5:
        parts[at] = number(rng).encode()
    elif draw < 0.7:
        parts[at] = name(rng).encode()
    elif draw < 0.85:
        parts[at] = parts[rng.choice(places)]
    else:
        del parts[at : at + 2]
    return b"".join(parts)


def _xml(data: bytes, rng: random.Random) -> bytes:
    """Change tags, attributes and texts; nest without end; add entities that grow or lead outside."""
    parts = _TAG.split(data)
    draw = rng.random()
    if draw < 0.3:
        return b"".join(_shuffled(parts, rng))
    if draw < 0.4:
        depth = rng.choice((3, 500, DEEP))
        at = rng.randrange(len(parts))
        parts.insert(at, b"<a>" * depth + b"</a>" * (depth if rng.random() < 0.7 else 0))
        return b"".join(parts)
    if draw < 0.45:
        parts.insert(min(2, len(parts)), rng.choice(_ENTITIES))
        return b"".join(parts).replace(b"</", b"&z;&x;</", 1)
    spans = [one.span(1) for one in _ATTRIBUTE.finditer(data)]
    texts = [one.span() for one in re.finditer(rb"(?<=>)[^<>\s][^<>]*(?=<)", data)]
    if not (spans or texts):
        return _bytes(data, rng)
    start, end = rng.choice(spans + texts)
    value = _part_of_list(data[start:end].strip(b"\"'"), rng)
    return data[:start] + (b'"' + value + b'"' if (start, end) in spans else value) + data[end:]


def _part_of_list(value: bytes, rng: random.Random) -> bytes:
    """Replace a value, or one of the numbers in a list such as the points of an outline."""
    new = (number(rng) if rng.random() < 0.7 else name(rng)).encode().replace(b"<", b"").replace(b"\0", b"")
    parts = re.split(rb"([,;\s]+)", value)
    if len(parts) < 3 or rng.random() < 0.3:
        return new
    at = rng.randrange(0, len(parts), 2)
    if rng.random() < 0.3:
        del parts[at : at + 2]
    else:
        parts[at] = new
    return b"".join(parts)


def _shuffled(parts: list[bytes], rng: random.Random) -> list[bytes]:
    """Leave out, repeat, swap or empty some of a list."""
    if not parts:
        return parts
    at, other = rng.randrange(len(parts)), rng.randrange(len(parts))
    kind = rng.randrange(4)
    if kind == 0:
        del parts[at]
    elif kind == 1:
        parts.insert(other, parts[at])
    elif kind == 2:
        parts[at], parts[other] = parts[other], parts[at]
    else:
        parts[at] = parts[at] * rng.choice((2, 3, 50))
    return parts


def _change_files(tree: dict[str, Entry], rng: random.Random, donors: Sequence[Tree]) -> None:
    """Lose, rename, swap or add whole files, or put a folder or a link in a file's place."""
    names = list(tree)
    chosen, other = rng.choice(names), rng.choice(names)
    kind = rng.randrange(9)
    if kind == 0:
        del tree[chosen]
    elif kind == 1:
        tree[_renamed(chosen, rng)] = tree.pop(chosen)
    elif kind == 2:
        tree[chosen], tree[other] = tree[other], tree[chosen]
    elif kind == 3:
        tree[f"{chosen.rpartition('/')[0] or 'more'}/copy/{chosen.rpartition('/')[2]}"] = tree[chosen]
    elif kind == 4:
        tree[chosen] = b""
    elif kind == 5:
        tree[chosen] = None
    elif kind == 6:
        above = "../" * (chosen.count("/") + 1)  # out of the root, from wherever the link is
        suffix = rng.choice(("png", "json", "xml"))
        tree[chosen] = Link(rng.choice((f"{above}{CANARY}.{suffix}", above, ".", "nowhere", other)))
    elif kind == 7 and donors:
        donor = rng.choice(donors)
        extra = rng.choice(list(donor))
        tree[extra.removeprefix(ALONE)] = donor[extra]
    else:
        tree[f"{chosen.rpartition('.')[0]}.{rng.choice(_SUFFIXES)}"] = tree[chosen]


def _renamed(file: str, rng: random.Random) -> str:
    folder, slash, last = file.rpartition("/")
    stem, dot, suffix = last.rpartition(".")
    names = (last.upper(), f"{stem}{dot}{dot}{suffix}", f"e\u0301{last}", f"{stem} (1){dot}{suffix}", stem, f"0{last}")
    changed = rng.choice(names)
    return folder + slash + (changed or "x")
