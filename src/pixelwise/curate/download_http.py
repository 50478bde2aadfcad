"""One question to a web server and its answer: https alone, few redirects, no credentials, and no word of it believed.

Plain http is allowed to this machine itself (as tests and tunnels use it), and a server elsewhere cannot lead there.
"""

import contextlib
import http.client
import ipaddress
import re
import socket
import ssl
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from pixelwise import __version__
from pixelwise.core.errors import PixelwiseError, TransferError

_RANGE = re.compile(r"bytes (\d{1,18})-(\d{1,18})/(\d{1,18}|\*)")
_UNSATISFIED = re.compile(r"bytes \*/(\d{1,18})")
_MAY_PASS = (408, 425, 429, 500, 502, 503, 504)
_PACKED = (".gz", ".tgz")  # which some servers call plain tar files in an encoding; the bytes are the file's all the same
_LONGEST_WAIT = 120.0  # seconds, whatever a server asks for


class Passing(Exception):
    """A fault that may pass, so that another try is worth it; ``after`` so many seconds if the server says so."""

    def __init__(self, message: str, after: float = 0.0) -> None:
        super().__init__(message)
        self.after = after


@dataclass(frozen=True)
class Answer:
    """What a server answered.

    Attributes:
        beyond: nothing is sent, as the file has no byte at the place that was asked for.
        start: the byte of the file at which ``body`` begins.
        total: the bytes of the whole file, where they are stated.
        mark: what tells this version of the file from another; empty if nothing does.
        body: the connection to read from.
    """

    beyond: bool
    start: int
    total: int | None
    mark: str
    body: http.client.HTTPResponse


@contextlib.contextmanager
def ask(address: str, start: int, mark: str, timeout: float) -> Iterator[Answer]:
    """Ask for a file from byte ``start`` on, if it is still the version called ``mark``; else for all of it.

    Raises:
        Passing: the server cannot be reached, or is busy.
        TransferError: it does not give the file.
    """
    require_safe(address)
    headers = {"User-Agent": f"pixelwise/{__version__}", "Accept-Encoding": "identity"}
    if start:
        headers["Range"] = f"bytes={start}-"
        if mark:
            headers["If-Range"] = mark
    with _opened(address, urllib.request.Request(address, headers=headers), timeout) as body:
        yield _understood(address, start, body)


def read(body: http.client.HTTPResponse, most: int) -> bytes:
    """Give what has come, at most so many bytes; nothing at the end.

    Raises:
        Passing: the connection broke off.
    """
    try:
        return body.read1(most)
    except (http.client.HTTPException, OSError) as error:
        raise Passing(f"the transfer broke off ({_reason(error)})") from None


def require_safe(address: str, came_from: str | None = None) -> None:
    """Refuse addresses that are neither https nor this machine's own.

    Raises:
        TransferError: it is such an address, or holds a password.
    """
    led = f"{came_from} leads to " if came_from else ""
    try:
        parts = urllib.parse.urlsplit(address)
        host, _ = parts.hostname or "", parts.port
    except ValueError as error:
        raise TransferError(f"{led}{address!r}: not an address: {error}") from None
    if parts.username is not None or parts.password is not None:
        raise TransferError(f"{led}{host}: the address holds a name or a password; none is sent anywhere")
    here = is_this_machine(host) and (came_from is None or is_this_machine(urllib.parse.urlsplit(came_from).hostname or ""))
    if not host or not (parts.scheme == "https" or (parts.scheme == "http" and here)):
        raise TransferError(f"{led}{address}: only https is used, so that nobody on the way can change the file")


def is_this_machine(host: str) -> bool:
    """Tell whether a host is the loopback."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


class _Redirects(urllib.request.HTTPRedirectHandler):
    """Follow redirects to safe addresses."""

    max_redirections = 5

    def redirect_request(self, req: urllib.request.Request, *answer: Any) -> urllib.request.Request | None:
        """Look at where a redirect leads, the last of what the server answered."""
        require_safe(str(answer[-1]), req.full_url)
        return super().redirect_request(req, *answer)


def _opener(address: str) -> urllib.request.OpenerDirector:
    """Open http and https and nothing else: no files, no ftp, no passwords; a proxy that is set is used, but not to here."""
    opener = urllib.request.OpenerDirector()
    own = is_this_machine(urllib.parse.urlsplit(address).hostname or "")
    for handler in (
        *([] if own else [urllib.request.ProxyHandler()]),
        urllib.request.UnknownHandler(),
        urllib.request.HTTPHandler(),
        urllib.request.HTTPSHandler(context=ssl.create_default_context()),
        urllib.request.HTTPDefaultErrorHandler(),
        urllib.request.HTTPErrorProcessor(),
        _Redirects(),
    ):
        opener.add_handler(handler)
    return opener


def _opened(address: str, request: urllib.request.Request, timeout: float) -> Any:
    try:
        return _opener(address).open(request, timeout=timeout)
    except PixelwiseError:  # it is an OSError too
        raise
    except urllib.error.HTTPError as error:  # an answer as well
        if error.code == 416:
            return error
        with error:
            raise _refusal(address, error) from None
    except urllib.error.URLError as error:
        cause = error.reason
        if isinstance(cause, ssl.SSLCertVerificationError):
            raise TransferError(f"{address}: the server's certificate is not valid: {cause.verify_message}") from None
        if isinstance(cause, socket.gaierror) and cause.errno != socket.EAI_AGAIN:
            raise TransferError(f"{address}: no such server can be found; is this machine connected?") from None
        raise Passing(f"the server cannot be reached ({_reason(cause)})") from None
    except (http.client.HTTPException, OSError, ValueError) as error:
        raise Passing(f"the server gave no answer ({_reason(error)})") from None


def _refusal(address: str, error: urllib.error.HTTPError) -> Exception:
    said = f"the server answered {error.code} {error.reason}"
    if error.code not in _MAY_PASS:
        return TransferError(f"{address}: {said}; the set may have moved: see its page")
    after = error.headers.get("Retry-After", "")
    return Passing(said, min(float(after), _LONGEST_WAIT) if re.fullmatch(r"\d{1,6}", after) else 0.0)


def _understood(address: str, start: int, body: Any) -> Answer:
    headers = body.headers
    mark = headers.get("ETag", "")
    if not re.fullmatch(r'"[\x21\x23-\x7e]{1,200}"', mark):  # a weak one does not tell bytes apart
        mark = headers.get("Last-Modified", "")[:100]
    encoding = headers.get("Content-Encoding", "identity").lower()
    if encoding != "identity" and not (encoding in ("gzip", "x-gzip") and address.endswith(_PACKED)):
        raise TransferError(f"{address}: the server sends the file encoded ({encoding[:80]}), which was not asked for")
    if body.status == 416:
        stated = _UNSATISFIED.fullmatch(headers.get("Content-Range", ""))
        return Answer(True, start, int(stated[1]) if stated else None, mark, body)
    if body.status == 206:
        sent = _RANGE.fullmatch(headers.get("Content-Range", ""))
        if sent is None or int(sent[1]) != start:
            said = headers.get("Content-Range", "")[:80]
            raise TransferError(f"{address}: asked for the bytes from {start:,} on, the server sends {said!r}")
        return Answer(False, start, None if sent[3] == "*" else int(sent[3]), mark, body)
    if body.status != 200:
        raise TransferError(f"{address}: expected a file, the server answered {body.status}")
    length = headers.get("Content-Length", "")
    return Answer(False, 0, int(length) if re.fullmatch(r"\d{1,18}", length) else None, mark, body)


def _reason(error: object) -> str:
    if isinstance(error, TimeoutError):
        return "it fell silent"
    return str(getattr(error, "strerror", None) or error or type(error).__name__)[:200]
