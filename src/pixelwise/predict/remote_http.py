"""Questions to a Pixelwise server over a few kept connections; nothing it answers is believed.

Redirects are not followed, so that a token never goes elsewhere; proxies of the environment are not used. An answer is read up
to a bound of bytes and of seconds. Another try is made where that may help: a segmentation changes nothing on the server.
"""

import contextlib
import email.utils
import http.client
import random
import re
import socket
import ssl
import time
import urllib.parse
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from pixelwise.core.errors import OptionError, TransferError

PASSING = (429, 502, 503, 504)
LONGEST_PAUSE = 60.0  # seconds, whatever a server asks for
_FIRST_PAUSE, _MOST_BACK_OFF = 0.2, 10.0
_PIECE = 2**20
_PLACE = re.compile(r"(?P<prefix>.*?)(?:/v1)?/models/(?P<model>[^/]+)(?:/versions/(?P<version>[^/]+))?/?")
_GONE = (BrokenPipeError, ConnectionResetError, ConnectionAbortedError, http.client.RemoteDisconnected)


class Address(NamedTuple):
    """Where a model is served: ``http://host:port/models/x``, below a prefix if a proxy adds one."""

    scheme: str
    host: str
    port: int
    prefix: str
    model: str | None
    version: str | None

    @classmethod
    def read(cls, text: str) -> "Address":
        """Read an address; without a model it is that of the server's first one.

        >>> Address.read("http://localhost:8000/models/leaves/versions/2")
        Address(scheme='http', host='localhost', port=8000, prefix='', model='leaves', version='2')

        Raises:
            OptionError: it is none.
        """
        wanted = "expected the address of a model, as in http://localhost:8000/models/leaves"
        try:
            parts = urllib.parse.urlsplit(text)
            host, port = parts.hostname or "", parts.port
        except ValueError as error:
            raise OptionError(f"{text[:200]!r}: {wanted}, but {error}") from None
        if parts.username is not None or parts.password is not None:
            raise OptionError(f"{host}: the address holds a name or a password; put a token into PIXELWISE_TOKEN instead")
        if parts.scheme not in ("http", "https") or not host or parts.query or parts.fragment or not text.isprintable():
            raise OptionError(f"{text[:200]!r}: {wanted}")
        found = _PLACE.fullmatch(parts.path)
        prefix = found["prefix"] if found else parts.path.rstrip("/")
        model, version = (found["model"], found["version"]) if found else (None, None)
        return cls(parts.scheme, host, port or (443 if parts.scheme == "https" else 80), prefix, model, version)

    def target(self, last: str) -> str:
        """Give the path of what the server has of the model: ``card`` or ``predict``."""
        model = "" if self.model is None else f"/models/{self.model}"
        version = "" if self.version is None else f"/versions/{self.version}"
        return f"{self.prefix}/v1{model}{version}/{last}"

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        model = "" if self.model is None else f"/models/{self.model}"
        version = "" if self.version is None else f"/versions/{self.version}"
        return f"{self.scheme}://{host}:{self.port}{self.prefix}{model}{version}"


class Reply(NamedTuple):
    """What a server answered; names of headers are in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Unreachable(Exception):
    """A connection that could not be made, or broke; another try may help."""


@dataclass(frozen=True)
class Patience:
    """How long is waited for a server, and when it is asked again.

    Attributes:
        seconds: from the first try to the beginning of the last.
        now, sleep, draw: the clock, the waiting, which ends all when it gives True, and random numbers from 0 to 1.
    """

    seconds: float
    now: Callable[[], float] = time.monotonic
    sleep: Callable[[float], object] = time.sleep
    draw: Callable[[], float] = random.random

    def tried(self, work: Callable[[], Reply], where: str) -> Reply:
        """Work until the answer is none that passes, with pauses that grow and that no two clients share.

        Raises:
            TransferError: the time is over, or nobody waits for the answer any more.
        """
        began, tries = self.now(), 0
        while True:
            after = 0.0
            try:
                reply = work()
                if reply.status not in PASSING:
                    return reply
                why, after = f"it answers {reply.status}", retry_after(reply)
            except Unreachable as error:
                why = str(error)
            tries += 1
            back_off = min(_MOST_BACK_OFF, _FIRST_PAUSE * 2 ** min(tries - 1, 20))
            pause = after + self.draw() * back_off
            if self.now() - began + pause > self.seconds:
                times = "once" if tries == 1 else f"{tries} times in {self.now() - began:.0f} s"
                raise TransferError(
                    f"{where}: the server cannot help now: {why} (asked {times}); is it running? try again later"
                )
            if self.sleep(pause):
                raise TransferError(f"{where}: not asked again, as another image failed")


def retry_after(reply: Reply) -> float:
    """Read for how many seconds a server asks to be left alone: a number of them or a date; 0 where it says nothing."""
    said = reply.headers.get("retry-after", "").strip()
    if re.fullmatch(r"\d{1,9}(\.\d{1,9})?", said):
        return min(float(said), LONGEST_PAUSE)
    with contextlib.suppress(ValueError, TypeError, OverflowError):
        return min(max(email.utils.parsedate_to_datetime(said).timestamp() - time.time(), 0.0), LONGEST_PAUSE)
    return 0.0


class Connections:
    """Connections to one server, kept for the next question; any number of threads may ask."""

    def __init__(self, address: Address, timeout: float, most_bytes: int) -> None:
        self._address, self._timeout, self._most = address, timeout, most_bytes
        self._idle: deque[http.client.HTTPConnection] = deque()
        self._busy: set[http.client.HTTPConnection] = set()
        self._cuts = 0
        self._context = ssl.create_default_context() if address.scheme == "https" else None

    def ask(self, method: str, target: str, body: bytes | None, headers: Mapping[str, str]) -> Reply:
        """Ask once, on a kept connection if there is one that the server has not closed meanwhile.

        Raises:
            Unreachable: the server cannot be reached, breaks off or falls silent.
            TransferError: it cannot be trusted, is not there at all, or answers too much.
        """
        cuts = self._cuts
        while True:
            connection = self._kept()
            is_kept, connection = connection is not None, connection or self._new()
            deadline = time.monotonic() + self._timeout
            self._busy.add(connection)
            try:
                reply = self._exchange(connection, method, target, body, headers, deadline)
            except _GONE as error:
                connection.close()
                if not is_kept or cuts != self._cuts:
                    raise Unreachable(f"it closes the connection ({_reason(error)})") from None
            except TransferError:
                connection.close()
                raise
            except (http.client.HTTPException, OSError, ValueError) as error:
                connection.close()
                raise self._fault(error) from None
            else:
                return reply
            finally:
                self._busy.discard(connection)

    def cut(self) -> None:
        """Break off what is under way, so that whoever interrupted it need not wait."""
        self._cuts += 1
        for connection in list(self._busy):
            if (opened := connection.sock) is not None:
                with contextlib.suppress(OSError):  # it has ended by itself
                    opened.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Close what is kept."""
        while (connection := self._kept()) is not None:
            connection.close()

    def _kept(self) -> http.client.HTTPConnection | None:
        try:
            return self._idle.pop()
        except IndexError:
            return None

    def _new(self) -> http.client.HTTPConnection:
        host, port = self._address.host, self._address.port
        if self._context is not None:
            return http.client.HTTPSConnection(host, port, timeout=self._timeout, context=self._context)
        return http.client.HTTPConnection(host, port, timeout=self._timeout)

    def _exchange(
        self,
        connection: http.client.HTTPConnection,
        method: str,
        target: str,
        body: bytes | None,
        headers: Mapping[str, str],
        deadline: float,
    ) -> Reply:
        try:
            connection.request(method, target, body, dict(headers))
        except _GONE:  # a server that refuses a body may say so and close before it has read it
            if connection.sock is None:
                raise
        answer = connection.getresponse()
        content = self._content(answer, connection, deadline)
        reply = Reply(answer.status, {name.lower(): value for name, value in answer.headers.items()}, content)
        answer.close()  # all of it is read, and only then may the connection be asked again
        if answer.will_close:
            connection.close()
        else:
            self._idle.append(connection)
        return reply

    def _content(self, answer: http.client.HTTPResponse, connection: http.client.HTTPConnection, deadline: float) -> bytes:
        stated = answer.length
        if stated is not None and stated > self._most:
            raise TransferError(f"{self._address}: the answer is {stated:,} bytes long; at most {self._most:,} are read")
        found = bytearray()
        while len(found) <= self._most:
            left = deadline - time.monotonic()
            if left <= 0:
                raise TimeoutError
            if connection.sock is not None:
                connection.sock.settimeout(min(left, self._timeout))
            piece = answer.read1(_PIECE)
            if not piece:
                if stated is not None and len(found) < stated:
                    raise Unreachable(f"it breaks off after {len(found):,} of {stated:,} bytes")
                if connection.sock is not None:
                    connection.sock.settimeout(self._timeout)
                return bytes(found)
            found += piece
        raise TransferError(f"{self._address}: the answer is longer than {self._most:,} bytes; no more are read")

    def _fault(self, error: Exception) -> Exception:
        if isinstance(error, ssl.SSLCertVerificationError):
            return TransferError(f"{self._address}: the server's certificate is not valid: {error.verify_message}")
        if isinstance(error, ssl.SSLError):
            return TransferError(f"{self._address}: no secure connection: {_reason(error)}; is it http, not https?")
        if isinstance(error, socket.gaierror) and error.errno != socket.EAI_AGAIN:
            return TransferError(f"{self._address}: no such server can be found; check the address")
        if isinstance(error, http.client.HTTPException | ValueError):
            return TransferError(f"{self._address}: expected an answer of a web server, but {_reason(error)}")
        if isinstance(error, TimeoutError):
            return Unreachable(f"it gives no answer within {self._timeout:g} s")
        return Unreachable(f"it cannot be reached ({_reason(error)})")


def _reason(error: BaseException) -> str:
    said = str(getattr(error, "strerror", None) or error or type(error).__name__)
    return "".join(one if one.isprintable() else "?" for one in said)[:200]
