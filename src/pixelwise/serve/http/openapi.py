"""The description of the server's own routes as OpenAPI has it: what a request may hold, and every status it may get."""

import re
from collections.abc import Mapping
from typing import Any

from pixelwise.serve.answers import ANSWERS

_FILE = {"type": "string", "format": "binary"}
_REFUSALS: Mapping[int, str] = {
    400: "The request is not formed as HTTP or JSON must be.",
    401: "The server wants a token, and none or a wrong one came.",
    403: "The request names an address to fetch from, and that is not allowed.",
    404: "There is no such model or version; the message has the nearest names.",
    408: "The request came too slowly.",
    413: "The body, or the image, is too large.",
    414: "The address is too long.",
    415: "The body is no image of a known kind.",
    421: "The server does not answer under this host name.",
    422: "The image is damaged, or a field is not what was expected; the message names it.",
    429: "Too much is under way; Retry-After says when to ask again.",
    431: "The headers are too large.",
    500: "The model failed; the server's log says why.",
    503: "The server is starting or stopping.",
    504: "No answer was found in time.",
}
_WISHES: Mapping[str, tuple[dict[str, Any], str]] = {
    "forms": (
        {"type": "array", "items": {"type": "string", "enum": sorted(ANSWERS.rows)}},
        "Forms of the answer; several come together as JSON.",
    ),
    "classes": ({"type": "array", "items": {"type": "string"}}, "Keep only segments of these classes."),
    "threshold": ({"type": "number", "minimum": 0, "maximum": 1}, "Foreground above this probability, or score of objects."),
    "tile": ({"type": "string", "pattern": r"^\d+(,\d+)?$"}, "Cut the image into tiles of height,width pixels."),
    "overlap": ({"type": "integer", "minimum": 0}, "Pixels that neighbouring tiles share."),
    "flips": ({"type": "boolean"}, "Average over the mirror image."),
    "uncertainty": ({"type": "string"}, "Measure how unsure the prediction is: true, entropy, margin or disagreement."),
    "probabilities": ({"type": "boolean"}, "Keep probabilities in the form 'segmentation'."),
    "opacity": ({"type": "number", "minimum": 0, "maximum": 1}, "Opacity of segments in an overlay."),
    "outline": ({"type": "boolean"}, "Draw outlines in an overlay."),
    "bands": ({"type": "array", "items": {"type": "string"}}, "Names of the image's bands, where it has other than colours."),
    "prompts": ({"type": "string"}, "Objects pointed at, as JSON."),
    "point": ({"type": "array", "items": {"type": "string"}}, "Points as x,y or x,y,out."),
    "box": ({"type": "array", "items": {"type": "string"}}, "Boxes as left,top,right,bottom."),
}
_MEDIA_TYPES = (
    "image/png", "application/json", "application/geo+json", "application/zip", "application/vnd.pixelwise.segmentation"
)  # fmt: skip


def predicting(place: str) -> dict[str, Any]:
    """Describe a route that segments; ``place`` is the part of its path that says the model."""
    image = dict.fromkeys(("image",), _FILE)
    wishes = {name: schema for name, (schema, _) in _WISHES.items()}
    chosen = {} if place else {"model": {"type": "string"}, "version": {"type": "string"}}
    form = {"type": "object", "required": ["image"], "properties": {**image, **wishes, **chosen}}
    text = {"image": {"type": "string", "contentEncoding": "base64"}, "url": {"type": "string", "format": "uri"}}
    plain = {"type": "object", "properties": {**text, **wishes, **chosen}}
    content = {
        "multipart/form-data": {"schema": form},
        "application/json": {"schema": plain},
        "application/octet-stream": {"schema": _FILE},
        "image/*": {"schema": _FILE},
    }
    good = {"description": "The segmentation.", "content": {kind: {"schema": _schema(kind)} for kind in _MEDIA_TYPES}}
    return {
        "name": "predict" + _word(place),
        "operation_id": "predict" + _word(place),
        "summary": "Segment an image",
        "response_class": _plain_response(),
        "responses": {200: good, **_refused(_REFUSALS)},
        "openapi_extra": {
            "requestBody": {"required": True, "content": content},
            "parameters": [
                *_in_path(place),
                *(_in_query(name, *each) for name, each in {**_WISHES, **_chosen(chosen)}.items()),
            ],
        },
    }


def telling(summary: str, kind: str, *statuses: int) -> dict[str, Any]:
    """Describe a route that takes nothing and tells something."""
    name = re.sub(r"[^a-z]+", "_", summary.lower())
    responses = {200: {"description": summary + ".", "content": {kind: {"schema": _schema(kind)}}}, **refusals(*statuses)}
    return {
        "name": name,
        "operation_id": name,
        "summary": summary,
        "response_class": _plain_response(),
        "responses": responses,
    }


def refusals(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Describe the refusals that any route may answer with, and those of ``statuses``."""
    return _refused({status: _REFUSALS[status] for status in sorted({401, 414, 421, 431, *statuses})})


def of_protocols() -> dict[int | str, dict[str, Any]]:
    """Describe the refusals of routes that other servers' clients call: each protocol has an error of its own form."""
    content = {"application/json": {"schema": {"type": "object"}}}
    statuses = {**_REFUSALS, 406: "No form of answer is of the type that Accept states."}
    return {status: {"description": why, "content": content} for status, why in sorted(statuses.items())}


def _refused(statuses: Mapping[int, str]) -> dict[int | str, dict[str, Any]]:
    error = {
        "type": "object",
        "required": ["code", "message"],
        "properties": {"code": {"type": "string"}, "message": {"type": "string"}, "retry_after": {"type": "number"}},
    }
    body = {"type": "object", "properties": {"error": error}}
    return {status: {"description": why, "content": {"application/json": {"schema": body}}} for status, why in statuses.items()}


def _schema(kind: str) -> dict[str, Any]:
    return {"type": "object"} if kind.endswith("json") else {"type": "string"} if kind.startswith("text/") else _FILE


def _in_path(place: str) -> list[dict[str, Any]]:
    return [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string"}} for name in re.findall(r"{(\w+)}", place)
    ]


def _in_query(name: str, schema: dict[str, Any], why: str) -> dict[str, Any]:
    many = {"style": "form", "explode": False} if schema["type"] == "array" else {}
    return {"name": name, "in": "query", "required": False, "schema": schema, "description": why, **many}


def _chosen(names: Mapping[str, Any]) -> dict[str, tuple[dict[str, Any], str]]:
    return {name: ({"type": "string"}, f"The {name} to use; the default one if not given.") for name in names}


def _word(place: str) -> str:
    return "_of_version" if "version" in place else "_of_model" if place else ""


def _plain_response() -> Any:
    from fastapi import Response  # FastAPI would describe a JSON answer beside ours

    return Response
