"""The page for people at ``/``: a few plain files that a browser runs as they are.

Nothing of it comes from another address, and its policy lets nothing else in. All addresses in it are relative, so it works
below any prefix. Its files stand under a digest of them all: browsers may keep them for ever, and a new release has new ones.
"""

import hashlib
from functools import lru_cache
from importlib.resources import files

from fastapi import APIRouter, Request, Response

from pixelwise.serve.refusal import Refusal

MEDIA_TYPES = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' blob:",
        "connect-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
        "require-trusted-types-for 'script'",
        "trusted-types 'none'",
    )
)
_FOR_EVER = "public, max-age=31536000, immutable"
_DIGEST = "DIGEST"  # as it stands in index.html, for the folder that the other files seem to be in


def router() -> APIRouter:
    """Make the routes of the page; they are no part of the described interface."""
    routes = APIRouter(include_in_schema=False)

    async def index(request: Request) -> Response:
        """Give the page."""
        tag = f'"{digest()}"'
        headers = {"Content-Security-Policy": POLICY, "Cache-Control": "no-cache", "ETag": tag}
        if tag in request.headers.get("if-none-match", ""):
            return Response(status_code=304, headers=headers)
        page = assets()["index.html"].replace(_DIGEST.encode(), digest().encode())
        return Response(page, media_type="text/html", headers=headers)

    async def asset(version: str, name: str) -> Response:
        """Give one of its files, of this release alone."""
        suffix = name[name.rfind(".") :]
        if version != digest() or name not in assets() or suffix not in MEDIA_TYPES:
            raise Refusal(404, "unknown_address", "the page has no such file; load it again")
        headers = {"Cache-Control": _FOR_EVER, "Content-Security-Policy": POLICY}
        return Response(assets()[name], media_type=MEDIA_TYPES[suffix], headers=headers)

    routes.add_api_route("/", index, methods=["GET", "HEAD"])
    routes.add_api_route("/page/{version}/{name}", asset, methods=["GET", "HEAD"])
    return routes


@lru_cache(1)
def assets() -> dict[str, bytes]:
    """Read the files of the page, by name."""
    folder = files(__name__) / "static"
    return {one.name: one.read_bytes() for one in sorted(folder.iterdir(), key=lambda one: one.name) if one.is_file()}


@lru_cache(1)
def digest() -> str:
    """Sum up all files of the page."""
    summed = hashlib.sha256()
    for name, content in assets().items():
        summed.update(name.encode() + b"\0" + content + b"\0")
    return summed.hexdigest()[:16]
