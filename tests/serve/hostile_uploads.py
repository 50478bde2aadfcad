"""A thousand requests that wish a server ill: hostile images, and bodies, options and heads out of bounds."""

import base64
import itertools
import json
from collections.abc import Iterator

from hostile_images import Upload, animated, bent, bombs, good, strangers, truncated

BOUNDARY = "border"


def uploads() -> list[Upload]:
    """Make all of them; names are unique."""
    pictures = [*truncated(), *bent(), *bombs(), *strangers(), *animated()]
    made = [*pictures, *multiparts(), *documents(), *options(), *heads()]
    assert len({one.name for one in made}) == len(made)
    return made


def part(name: str, body: bytes, *more: str) -> bytes:
    """Write one part of a form."""
    head = "\r\n".join([f"--{BOUNDARY}", f'Content-Disposition: form-data; name="{name}"{"".join(more)}', "", ""])
    return head.encode("utf-8", "surrogateescape") + body + b"\r\n"


def multiparts() -> Iterator[Upload]:
    """Send forms: file names that are paths, parts without end, in one another, too many, or none."""
    end, kind = f"--{BOUNDARY}--\r\n".encode(), f"multipart/form-data; boundary={BOUNDARY}"
    paths = [
        "../../../etc/passwd",
        "/etc/passwd",
        "..\\..\\windows\\win.ini",
        "C:\\a.png",
        "file:///etc/passwd",
        "a\0.png",
        "%2e%2e%2fa",
        "a" * 5000,
        "рис.png",
        "图像.png",
        "\u202egnp.exe",
        "a;b.png",
        "$(id).png",
        "`id`.png",
        "| id",
        "CON",
        ".htaccess",
        "a/../b",
        "'; drop table",
        "<script>",
        "\udcff.png",
        "🦄" * 100,
        "",
        " ",
        ".",
        "..",
        "-rf",
        "~root",
        "\\\\host\\share",
        "nul.png",
    ]
    for number, path in enumerate(paths):
        body = part("file", good(), f'; filename="{path}"', "\r\nContent-Type: image/png") + end
        yield Upload(f"form with path {number}", body, kind)
        yield Upload(
            f"form with path {number}, twice",
            part("file", good(), f"; filename=\"{path}\"; filename*=UTF-8''{path}") + end,
            kind,
        )
    file = part("file", good(), '; filename="a.png"')
    inner = part("file", file + end, '; filename="b"', "\r\nContent-Type: " + kind)
    bodies = {
        "no end": file,
        "no file": part("threshold", b"0.5") + end,
        "an empty file": part("file", b"", '; filename="a"') + end,
        "no parts": end,
        "two files": file + file + end,
        "a form in a form": inner + end,
        "text for a file": part("file", b"x") + end,
        "a thousand fields": b"".join(part(f"f{number}", b"1") for number in range(1001)) + file + end,
        "a thousand files": file * 1001 + end,
        "a long field": part("threshold", b"1" * 2**21) + file + end,
        "a long head": part("file", good(), '; filename="' + "b" * 2**17 + '"') + end,
        "no name": part("", good()) + end,
        "bytes for a number": part("threshold", b"\xff\xfe") + file + end,
        "only an edge": f"--{BOUNDARY}".encode(),
        "edges alone": f"--{BOUNDARY}\r\n".encode() * 1000,
        "text before": b"hello\r\n" + file + end,
        "cut": file[: len(file) // 2],
        "base64 part": part("file", base64.b64encode(good()), '; filename="a"', "\r\nContent-Transfer-Encoding: base64") + end,
        "an unknown field": part("evil", b"1") + file + end,
        "the same field twice": part("threshold", b"0.5") * 2 + file + end,
        "a folded head": part("file", good(), ';\r\n filename="a.png"') + end,
        "a head without colon": b"--border\r\nabc\r\n\r\n" + end,
    }
    for name, body in bodies.items():
        yield Upload(f"form with {name}", body, kind)
    for edge in (
        "",
        "; boundary=",
        "; boundary=other",
        "; boundary=" + "b" * 5000,
        '; boundary="a\\"b"',
        "; boundary=é",
        "; charset=utf-7",
    ):
        yield Upload(f"form bounded by{edge[:30]}", file + end, f"multipart/form-data{edge}")
        yield Upload(f"mixed form bounded by{edge[:30]}", file + end, f"multipart/mixed{edge}")


def documents() -> Iterator[Upload]:
    """Send JSON that is broken, deep, or names what it must not."""
    image = base64.b64encode(good()).decode()
    texts = {
        "half": '{"image": "',
        "deep lists": "[" * 100_000,
        "deep objects": '{"a":' * 50_000,
        "nothing": "null",
        "a list": "[1, 2]",
        "a number": "1" * 10_000,
        "a float": "1e999",
        "a string": f'"{image}"',
        "not a number": '{"image": NaN}',
        "no image": "{}",
        "two images": f'{{"image": "{image}", "image": "{image}"}}',
        "endless": '{"image": Infinity}',
        "surrogates": '{"image": "\\ud800"}',
        "zero": '{"image": "\\u0000"}',
        "trailing": f'{{"image": "{image}"}} {{}}',
    }
    for name, text in texts.items():
        yield Upload(f"json of {name}", text.encode(), "application/json")
    images: dict[str, object] = {
        "cut": image[:-3],
        "of spaces": " " * 100,
        "with breaks": "\n".join(image),
        "of signs": "!!!!",
        "empty": "",
        "of unicode": "ａ" * 8,
        "url-safe": base64.urlsafe_b64encode(good()).decode(),
        "data": f"data:image/png;base64,{image}",
        "data html": "data:text/html,hi",
        "file": "file:///etc/passwd",
        "http": "http://169.254.169.254/latest/meta-data/",
        "local": "http://127.0.0.1:22/",
        "ftp": "ftp://a/b",
        "path": "/etc/passwd",
        "null": None,
        "list": [1, 2, 3],
        "object": {"b64": image},
        "number": 7,
        "true": True,
        "deep": [[[[]]]],
        "twice": base64.b64encode(image.encode()).decode(),
        "padded": image + "====",
    }
    for name, value in images.items():
        for key in ("image", "url", "instances"):
            yield Upload(f"json with {key} {name}", json.dumps({key: value}).encode(), "application/json")
    for code in ("utf-16", "utf-32", "utf-8-sig", "utf-7"):
        yield Upload(f"json in {code}", json.dumps({"image": image}).encode(code), "application/json")
    yield Upload("json that is not utf-8", b'{"image": "\xff\xfe"}', "application/json")


def options() -> Iterator[Upload]:
    """Ask for what is out of bounds, in the query and in JSON alike, and of models that are not there."""
    values = [
        "nan",
        "inf",
        "-inf",
        "-1",
        "1e308",
        "1e-400",
        "",
        " ",
        "null",
        "true",
        "0x10",
        "٣",
        "½",
        "1;2",
        "[]",
        "{}",
        "🦄",
        "a" * 3000,
    ]
    image = base64.b64encode(good()).decode()
    fields = ("threshold", "tile", "overlap", "forms", "classes", "opacity", "prompts", "uncertainty", "flips")
    for key, value in itertools.product(fields, values):
        yield Upload(f"{key}={value[:20]}", good(), "image/png", f"/v1/predict?{key}={_quoted(value)}")
    for key in fields:
        for number, given in enumerate((float("nan"), -1, 10**30, [[]], {"a": {}}, None, "x")):
            body = json.dumps({"image": image, key: given}).encode()
            yield Upload(f"json {key} {number}", body, "application/json")
    names = [
        "..",
        "../..",
        "a" * 3000,
        "图",
        "%00",
        "nan",
        "otsu/../otsu",
        "otsu%2f..%2f..",
        "*",
        "{name}",
        "' or 1=1",
        "\u202e",
    ]
    for name in names:
        yield Upload(f"model {name[:20]}", good(), "image/png", f"/v1/models/{_quoted(name)}/predict")
    for number in range(4):
        yield Upload(f"{10**number} fields", good(), "image/png", "/v1/predict?" + "&".join(["threshold=0.5"] * 10**number))


def heads() -> Iterator[Upload]:
    """State odd things about a good image."""
    stated = {
        "content-type": [
            "",
            "image",
            "image/",
            "/",
            "image/png; q",
            "a" * 5000,
            "image/svg+xml",
            "text/plain;charset=klingon",
            "*/*",
        ],
        "content-encoding": ["gzip", "br", "deflate, gzip", "zip"],
        "accept": ["", "image/png;q=nan", "a" * 5000, "text/html", ";;;", "*/*;q=-1"],
        "x-request-id": ["../..", "a" * 5000, "a\tb", "%0d%0aset-cookie:a=b"],
        "range": ["bytes=0-", "bytes=-1"],
        "x-forwarded-for": ["' or 1=1", "a" * 5000],
        "authorization": ["Bearer", "Basic Og==", "Bearer " + "a" * 5000],
        "expect": ["200-ok"],
    }
    for name, values in stated.items():
        for number, value in enumerate(values):
            yield Upload(f"{name} {number}", good(), "image/png" if name != "content-type" else value, headers={name: value})


def _quoted(text: str) -> str:
    return "".join(f"%{byte:02X}" for byte in text.encode())
