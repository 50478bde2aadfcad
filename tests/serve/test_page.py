"""The page's files: nothing from elsewhere, nothing inline, every name there, readable colours, and how they are sent."""

import re
from html.parser import HTMLParser
from itertools import product
from typing import Any

import pytest

pytest.importorskip("fastapi")
pytest.importorskip("prometheus_client")
httpx = pytest.importorskip("httpx")

from fastapi import FastAPI  # noqa: E402
from small_models import Halves, Inside, run  # noqa: E402

from pixelwise.serve import page, service  # noqa: E402
from pixelwise.serve.http.app import create_app  # noqa: E402
from pixelwise.serve.models import Models, Served  # noqa: E402
from pixelwise.serve.options import ServeOptions  # noqa: E402
from pixelwise.serve.service import Service  # noqa: E402

TEXTS = {name: content.decode("utf-8") for name, content in page.assets().items()}
SCRIPTS = {name: text for name, text in TEXTS.items() if name.endswith(".js")}
STYLES = "".join(text for name, text in TEXTS.items() if name.endswith(".css"))


class Elements(HTMLParser):
    """All elements of a page: (name, attributes)."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.labelled: set[str | None] = set()
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))
        if "label" in self.open:
            self.labelled.add(dict(attrs).get("id") or dict(attrs).get("value"))
        if tag not in ("meta", "link", "img", "input"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag, f"</{tag}> closes another element"


PAGE = Elements(TEXTS["index.html"])
IDS = [attributes["id"] for _, attributes in PAGE.found if "id" in attributes]


def asked(path: str, app: FastAPI | None = None, **headers: str) -> Any:
    if app is None:
        app = FastAPI()
        app.include_router(page.router())

    async def within() -> Any:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://masks") as found:
            return await found.get(path, headers=headers)

    return run(within())


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setattr(service, "Decoders", Inside)

    def made(**options: Any) -> FastAPI:
        settings = ServeOptions(workers=1, decoders=1, **options)
        return create_app(Service(Models([Served("halves", "1", Halves())]), settings), settings)

    return made


@pytest.mark.parametrize("name", TEXTS)
def test_nothing_comes_from_another_address_nor_from_the_root(name: str) -> None:
    text = TEXTS[name].replace("http://www.w3.org/2000/svg", "")
    assert not re.search(r"\w+://|[\"'(]//\w|@import|url\(", text)
    assert not re.search(r"(?:src|href|action)=[\"']/|(?:fetch|URL|import)\(\s*[\"'`]/|from \"/", text)


def test_the_policy_lets_in_only_the_server_itself_and_nothing_inline() -> None:
    rules = dict(rule.split(" ", 1) for rule in page.POLICY.split("; "))
    assert rules["default-src"] == rules["frame-ancestors"] == rules["base-uri"] == rules["form-action"] == "'none'"
    assert rules["script-src"] == rules["style-src"] == rules["connect-src"] == "'self'"
    assert "unsafe" not in page.POLICY
    assert "*" not in page.POLICY
    assert not [name for name, attributes in PAGE.found if any(key == "style" or key.startswith("on") for key in attributes)]
    assert not re.search(r"<style|<script(?![^>]*src=)", TEXTS["index.html"])


@pytest.mark.parametrize("name", SCRIPTS)
def test_no_script_makes_markup_or_code_of_text(name: str) -> None:
    assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(|new Function|srcdoc", SCRIPTS[name])


def test_every_id_that_is_named_exists_once() -> None:
    assert len(IDS) == len(set(IDS))
    for text in SCRIPTS.values():
        assert set(re.findall(r'byId\("([\w-]+)"\)', text)) <= set(IDS)
    for key in ("for", "aria-describedby", "aria-labelledby"):
        assert {attributes[key] for _, attributes in PAGE.found if key in attributes} <= set(IDS)
    assert set(re.findall(r"#([a-z][\w-]*)[^{};]*\{", STYLES)) <= set(IDS)


def test_every_import_names_a_file_and_what_it_exports() -> None:
    for name, text in SCRIPTS.items():
        for names, file in re.findall(r'import (?:\{([^}]*)\}|\* as \w+) from "\./([\w.]+)"', text):
            for one in filter(None, (word.strip() for word in names.split(","))):
                assert re.search(rf"export (?:async )?(?:function|const|class) {one}\b", SCRIPTS[file]), (name, one)
        assert len(re.findall(r"^import ", text, re.MULTILINE)) == len(re.findall(r'from "\./', text))


def test_every_control_has_a_name() -> None:
    labelled = {attributes["for"] for name, attributes in PAGE.found if name == "label" and "for" in attributes}
    for name, attributes in PAGE.found:
        if name in ("input", "select", "canvas"):
            own = attributes.get("id") or attributes.get("value")
            assert "aria-label" in attributes or own in labelled | PAGE.labelled, (name, attributes)
        if name == "img":
            assert "alt" in attributes


def test_what_changes_by_itself_is_announced() -> None:
    roles = {attributes.get("id"): attributes.get("role") for _, attributes in PAGE.found}
    assert roles["trouble"] == "alert"
    assert roles["status"] == "status"


def _colours(block: str) -> dict[str, str]:
    return dict(re.findall(r"--([\w-]+): (#\w+)", block))


def _light(colour: str) -> float:
    digits = colour[1:] if len(colour) == 7 else "".join(2 * digit for digit in colour[1:])
    parts = [int(digits[at : at + 2], 16) / 255 for at in (0, 2, 4)]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_text_and_controls_stand_out_from_what_is_behind_them(theme: str) -> None:
    """WCAG 2.2, 1.4.3 and 1.4.11: 4.5 to 1 for text, 3 to 1 for the borders of controls and the ring of focus."""
    roots = re.findall(r":root \{(.*?)\}", TEXTS["page.css"], re.DOTALL)
    found = _colours(roots[0]) | (_colours(roots[1]) if theme == "dark" else {})
    texts = [*product(("ink", "soft", "accent"), ("paper", "sheet", "well", "tint")), ("on-accent", "accent"), ("sheet", "ink")]
    texts += [("bad", "bad-tint"), ("ink", "bad-tint")]
    edges = [*product(("edge", "accent"), ("paper", "sheet"))]
    for pairs, least in ((texts, 4.5), (edges, 3.0)):
        for front, back in pairs:
            high, low = sorted((_light(found[front]), _light(found[back])), reverse=True)
            assert (high + 0.05) / (low + 0.05) >= least, (theme, front, back)


def test_motion_stops_for_those_who_ask_for_less() -> None:
    assert STYLES.count("animation:") == 2
    assert "animation: none" in STYLES.split("prefers-reduced-motion: reduce")[1]


def test_the_page_is_asked_for_again_and_its_files_are_kept_for_ever() -> None:
    index = asked("/")
    assert index.headers["content-type"].startswith("text/html")
    assert index.headers["cache-control"] == "no-cache"
    assert index.headers["content-security-policy"] == page.POLICY
    assert "DIGEST" not in index.text
    assert asked("/", **{"if-none-match": index.headers["etag"]}).status_code == 304
    linked = re.findall(r'(?:href|src)="(page/[^"]+)"', index.text)
    assert len(linked) >= 4
    for path in linked:
        assert "immutable" in asked("/" + path).headers["cache-control"]


@pytest.mark.parametrize("name", sorted(set(TEXTS) - {"index.html"}))
def test_every_file_is_sent_as_what_it_is(name: str) -> None:
    answer = asked(f"/page/{page.digest()}/{name}")
    kinds = {"css": "text/css", "js": "text/javascript", "svg": "image/svg+xml"}
    assert answer.headers["content-type"].split(";")[0] == kinds[name.rpartition(".")[2]]
    assert answer.content == page.assets()[name]


@pytest.mark.parametrize(
    "path", ["{}/nothing.js", "{}/index.html", "{}/..%2F__init__.py", "{}/%2e%2e", "0000000000000000/page.js"]
)
def test_nothing_else_is_sent(served: Any, path: str) -> None:
    assert asked("/page/" + path.format(page.digest()), served()).status_code == 404


def test_a_server_without_a_page_has_none(served: Any) -> None:
    assert asked("/", served(has_page=False)).status_code == 404


def test_the_page_is_open_where_tokens_are_wanted(served: Any, tmp_path: Any) -> None:
    tokens = tmp_path / "tokens"
    tokens.write_text("a" * 24)
    tokens.chmod(0o600)
    app = served(token_file=tokens)
    answers = [asked(path, app).status_code for path in ("/", f"/page/{page.digest()}/page.js", "/v1/models")]
    assert answers == [200, 200, 401]


def test_the_page_keeps_its_policy_within_the_server(served: Any) -> None:
    headers = asked("/", served()).headers
    assert headers.get_list("content-security-policy") == [page.POLICY]
    assert headers.get_list("cache-control") == ["no-cache"]
    assert headers["x-content-type-options"] == "nosniff"
