"""Fetch an image from an address that a request names, where the operator allows it.

Only ``http`` and ``https`` on their usual ports, only to public addresses of the Internet, and no redirect is followed: so no
request makes the server talk to machines beside it. The name is looked up once, and the connection goes to the very address
that was checked.
"""

import http.client
import ipaddress
import socket
import ssl
import time
import urllib.parse
from collections.abc import Callable

from pixelwise.serve.refusal import Refusal

_SECONDS = 10.0
_LONGEST = 2048
_PORTS = {"http": 80, "https": 443}


def is_public(address: str) -> bool:
    """Tell whether an IP address is one of the public Internet.

    >>> is_public("93.184.216.34"), is_public("127.0.0.1"), is_public("169.254.169.254"), is_public("::ffff:10.0.0.1")
    (True, False, False, False)
    """
    found = ipaddress.ip_address(address.partition("%")[0])
    inner = getattr(found, "ipv4_mapped", None) or getattr(found, "sixtofour", None)
    return found.is_global and not found.is_multicast and (inner is None or inner.is_global)


def fetched(url: object, max_bytes: int, allows: Callable[[str], bool] = is_public, port: int | None = None) -> bytes:
    """Fetch an image.

    Args:
        url: as it came in the request.
        max_bytes: of the answer.
        allows: tells of an IP address whether it may be asked.
        port: to ask on; the scheme's own one if not given.

    Raises:
        Refusal: 422, it is no address, or nothing is had there; 403, it is not public; 413, there is too much.
    """
    scheme, host, target = _split(url)
    number = port or _PORTS[scheme]
    try:
        found = {str(each[4][0]) for each in socket.getaddrinfo(host, number, type=socket.SOCK_STREAM)}
    except (OSError, UnicodeError):
        raise Refusal(422, "url_failed", "url: the name of its host is not known; send the image itself") from None
    if not found or not all(allows(one) for one in found):
        raise Refusal(403, "url_not_allowed", "url: only public addresses are fetched from; send the image itself")
    until = time.monotonic() + _SECONDS
    connection = http.client.HTTPConnection(host, number, timeout=_SECONDS)
    try:
        plain = socket.create_connection((sorted(found)[0], number), _SECONDS)
        connection.sock = ssl.create_default_context().wrap_socket(plain, server_hostname=host) if scheme == "https" else plain
        connection.request(
            "GET", target, headers={"User-Agent": "pixelwise", "Accept": "image/*", "Accept-Encoding": "identity"}
        )
        reply = connection.getresponse()
        if reply.status != 200:
            raise Refusal(422, "url_failed", f"url: it answers {reply.status}, and 200 was expected; send the image itself")
        return _read(reply, max_bytes, until)
    except (OSError, http.client.HTTPException):
        raise Refusal(422, "url_failed", "url: the image could not be fetched; send it itself") from None
    finally:
        connection.close()


def _split(url: object) -> tuple[str, str, str]:
    """Give scheme, host and what is asked for."""
    problem = Refusal(422, "bad_url", "url: expected http://… or https://… without a port, a user or odd characters")
    if not isinstance(url, str) or len(url) > _LONGEST or not url.isascii() or not url.isprintable() or " " in url:
        raise problem
    try:
        parts = urllib.parse.urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        raise problem from None
    if parts.scheme not in _PORTS or not host or port not in (None, _PORTS[parts.scheme]) or "@" in parts.netloc:
        raise problem
    return parts.scheme, host, (parts.path or "/") + (f"?{parts.query}" if parts.query else "")


def _read(reply: http.client.HTTPResponse, max_bytes: int, until: float) -> bytes:
    content = bytearray()
    while part := reply.read1(2**16):
        content += part
        if len(content) > max_bytes:
            raise Refusal(413, "body_too_large", f"url: expected an image of at most {max_bytes:,} bytes, and more came")
        if time.monotonic() > until:
            raise Refusal(422, "url_failed", f"url: the image did not come within {_SECONDS:g} s; send it itself")
    return bytes(content)
