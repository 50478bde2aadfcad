"""AWS Lambda: ``pixelwise.serve.handlers.aws_lambda.handler``, behind API Gateway (REST and HTTP) or a function's address.

Events of both payload formats are understood [1][2]; those of a function's address have format 2.0 [3]. Bodies of images come
in base64, for which a REST API must list ``image/*`` among its binary media types. Lambda passes 6 MiB each way [4]; what
is larger is refused with the reason, where the platform would answer 502.

[1] Amazon API Gateway Developer Guide, "Set up Lambda proxy integrations in API Gateway".
[2] Amazon API Gateway Developer Guide, "Create AWS Lambda proxy integrations for HTTP APIs".
[3] AWS Lambda Developer Guide, "Invoking Lambda function URLs".
[4] AWS Lambda Developer Guide, "Lambda quotas".
"""

import base64
import binascii
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote, urlencode

from pixelwise.serve.handlers.calling import Call, Reply, Runner
from pixelwise.serve.refusal import Refusal

MOST_BYTES = 6 * 2**20  # of an answer with all that Lambda wraps it in
_WRAPPING = 2048  # bytes of it beside headers and body

_RUNNER = Runner()


def handler(event: Mapping[str, Any], context: object = None) -> dict[str, Any]:
    """Answer one event."""
    try:
        call = call_of(event)
    except Refusal as refusal:
        return response_of(Reply.refusing(refusal))
    return response_of(_RUNNER.answer(call))


def call_of(event: Mapping[str, Any]) -> Call:
    """Read a request from an event of payload format 1.0 or 2.0.

    Raises:
        Refusal: it is neither (400), its body is no base64 (400), or an image came as text, which has ruined it (415).
    """
    context = event.get("requestContext") or {}
    if event.get("version") == "2.0" and "http" in context:
        stage, path = context.get("stage", "$default"), event.get("rawPath") or "/"
        if stage != "$default" and (path == f"/{stage}" or path.startswith(f"/{stage}/")):
            path = path.removeprefix(f"/{stage}") or "/"
        method, query = context["http"]["method"], event.get("rawQueryString") or ""
        headers = list((event.get("headers") or {}).items())
    elif "httpMethod" in event:
        method, path = event["httpMethod"], quote(event.get("path") or "/")
        lists = event.get("multiValueQueryStringParameters") or {}
        query = urlencode(lists or event.get("queryStringParameters") or {}, doseq=True)
        headers = _headers(event)
    else:
        raise Refusal(400, "unknown_event", "expected an event of API Gateway or of a function's address, in format 1.0 or 2.0")
    call = Call(method, path, query, tuple(headers), _body(event))
    if call.body and not event.get("isBase64Encoded") and call.header("content-type").startswith("image/"):
        raise Refusal(
            415, "image_as_text", "the image came as text, which ruins it; add image/* to the binary media types of the API"
        )
    return call


def response_of(reply: Reply) -> dict[str, Any]:
    """Write an answer as both formats take it; one beyond Lambda's limit becomes a refusal."""
    body = reply.body.decode("utf-8") if reply.is_text else base64.b64encode(reply.body).decode("ascii")
    if len(body) + sum(len(name) + len(value) for name, value in reply.headers) + _WRAPPING > MOST_BYTES:
        sentence = (
            f"the answer has {len(body):,} bytes, and Lambda passes at most {MOST_BYTES:,}; ask for a smaller form, such as "
            f"ids or coco, or send a smaller image"
        )
        return response_of(Reply.refusing(Refusal(413, "answer_too_large", sentence)))
    return {
        "statusCode": reply.status,
        "headers": dict(reply.headers),
        "body": body,
        "isBase64Encoded": not reply.is_text,
    }


def _headers(event: Mapping[str, Any]) -> list[tuple[str, str]]:
    lists: Mapping[str, list[str]] = event.get("multiValueHeaders") or {}
    if lists:
        return [(name, value) for name, values in lists.items() for value in values]
    return list((event.get("headers") or {}).items())


def _body(event: Mapping[str, Any]) -> bytes:
    body = event.get("body") or ""
    if not event.get("isBase64Encoded"):
        return str(body).encode()
    try:
        return base64.b64decode(body, validate=True)
    except (binascii.Error, ValueError):
        raise Refusal(400, "not_base64", "the event says that its body is base64, and it is not") from None
