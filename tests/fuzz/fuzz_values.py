"""Values that break readers: numbers beyond all types, text that is no text, names that lead elsewhere, endless nesting."""

import random

CANARY = "canary-7f3a"  # the name of a file outside the root; whoever opens it has left the root
DEEP = 100_000  # levels: beyond any stack

NAMES = (
    "",
    ".",
    "..",
    "/",
    f"../{CANARY}.png",
    f"../{CANARY}.json",
    f"../../{CANARY}.xml",
    f"..\\{CANARY}.png",
    f"file:///{CANARY}.png",
    "/etc/passwd",
    "C:\\a.png",
    "CON",
    "a\0b.png",
    "x" * 5000,
    "e\u0301.png",
    "\u202egnp.a",
    "%s%n{0}",
    "a\nb",
)
NUMBERS = (
    "0",
    "-0.0",
    "1",
    "-1",
    "2",
    "0.5",
    "3.7",
    "255",
    "256",
    "65535",
    "65536",
    "2147483647",
    "2147483648",
    "-2147483649",
    "4294967296",
    "9223372036854775807",
    "9223372036854775808",
    "18446744073709551616",
    "1000000000",
    "99999",
    "1e9",
    "1e17",
    "1e308",
    "1e999",
    "-1e999",
    "5e-324",
    "NaN",
    "Infinity",
    "-Infinity",
    "9" * 400,
    "9" * 5000,
    "0x10",
    "01",
    "1_000",
    "٣",
)
WORDS = ("true", "false", "null", "[]", "{}", '""', "[[]]", "[null]", '{"": {}}', '"\\ud800"', '"\\u0000"', '"true"', '"1"')


def number(rng: random.Random) -> str:
    """Give the text of a number that is often too much."""
    if rng.random() < 0.3:
        return str(rng.randint(-20, 40))
    return rng.choice(NUMBERS)


def json_text(rng: random.Random) -> str:
    """Give the text of a JSON value, or of what is none."""
    draw = rng.random()
    if draw < 0.5:
        return number(rng)
    if draw < 0.75:
        return rng.choice(WORDS)
    if draw < 0.95:
        return quoted(name(rng))
    opened, closed = rng.choice((("[", "]"), ('{"a":', "}")))
    depth = rng.choice((3, 500, 2000, DEEP))
    return opened * depth + "1" + closed * depth


def name(rng: random.Random) -> str:
    """Give a name that leads elsewhere, or is none."""
    return rng.choice(NAMES)


def quoted(text: str) -> str:
    """Write text as JSON."""
    import json

    return json.dumps(text)
