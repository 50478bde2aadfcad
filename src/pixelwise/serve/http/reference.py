"""The description of all routes as a page to read, at ``/docs``: no script, nothing from another address."""

import base64
import hashlib
from collections.abc import Iterator
from html import escape
from typing import Any

from fastapi import APIRouter, Request, Response

_STYLE = (
    "body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;color:#222;background:#fff}"
    "h2{font:600 1.1rem ui-monospace,monospace;border-top:1px solid #ccc;padding-top:1rem;overflow-wrap:anywhere}"
    "table{border-collapse:collapse;width:100%}td{padding:.15rem .75rem .15rem 0;vertical-align:top}"
    "td:first-child{white-space:nowrap;font-family:ui-monospace,monospace}"
    "@media(prefers-color-scheme:dark){body{color:#ddd;background:#181818}h2{border-color:#444}a{color:#8bf}}"
)
_HASH = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
_POLICY = f"default-src 'none'; style-src 'sha256-{_HASH}'; frame-ancestors 'none'"


def router() -> APIRouter:
    """Make the route ``/docs``."""
    routes = APIRouter()

    async def docs(request: Request) -> Response:
        """Describe every route."""
        content = page(request.app.openapi())
        return Response(content, media_type="text/html", headers={"Content-Security-Policy": _POLICY})

    routes.add_api_route("/docs", docs, methods=["GET"], include_in_schema=False)
    return routes


def page(about: dict[str, Any]) -> str:
    """Write an OpenAPI description as HTML."""
    parts = [
        part for path, methods in about["paths"].items() for name, one in methods.items() for part in _route(path, name, one)
    ]
    title = escape(f"{about['info']['title']} {about['info']['version']}")
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
        f"<title>{title}: routes</title><style>{_STYLE}</style><h1>{title}</h1>"
        f'<p>The same for programs: <a href="openapi.json">openapi.json</a></p>{"".join(parts)}</html>'
    )


def _route(path: str, method: str, one: dict[str, Any]) -> Iterator[str]:
    yield f"<h2>{escape(method.upper())} {escape(path)}</h2><p>{escape(one.get('summary', ''))}</p>"
    if body := one.get("requestBody", {}).get("content"):
        yield f"<p>Body: {escape(', '.join(body))}</p>"
    if parameters := one.get("parameters"):
        yield _table((each["name"], _kind(each["schema"]) + each.get("description", "")) for each in parameters)
    yield _table((status, each["description"]) for status, each in sorted(one["responses"].items()))


def _kind(schema: dict[str, Any]) -> str:
    inner = schema.get("items", schema)
    choices = ", ".join(map(str, inner["enum"])) if "enum" in inner else str(inner.get("type", ""))
    return f"{'list of ' if 'items' in schema else ''}{choices}. " if choices else ""


def _table(rows: Iterator[tuple[str, str]]) -> str:
    return "<table>" + "".join(f"<tr><td>{escape(name)}</td><td>{escape(text)}</td></tr>" for name, text in rows) + "</table>"
