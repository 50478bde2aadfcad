"""Who may ask: bearer tokens from a file, several at once, changed without a restart.

The file holds a token a line, a name after it if one likes; ``#`` begins a comment. A token is at least 16 of the characters
that RFC 6750 allows. The file is read again when it changes, so a new token is added, clients move over, and the old one is
taken out. Only digests stay in memory, and a token is compared with all of them in a time that says nothing about either.
"""

import hashlib
import hmac
import logging
import os
import re
import stat
import threading
from collections.abc import Collection
from pathlib import Path

from pixelwise.core.errors import MissingFile, OptionError, PixelwiseError, UnreadableFile
from pixelwise.serve import logs
from pixelwise.serve.asgi import Application, Receive, Scope, Send, headers_named, path_of, refuse
from pixelwise.serve.refusal import Refusal

OPEN = frozenset({"/healthz", "/readyz", "/ping", "/v2/health/live", "/v2/health/ready", "/"})
_TOKEN = re.compile(r"[A-Za-z0-9._~+/-]{16,512}=*")
_MOST_BYTES = 2**20
_MAKE = "make one with: python -c 'import secrets; print(secrets.token_urlsafe(32))'"


class Tokens:
    """The tokens of a file, as it is now."""

    def __init__(self, path: Path) -> None:
        """Read the file.

        Raises:
            MissingFile: there is none.
            UnreadableFile: it cannot be read.
            OptionError: others may read it, it holds no token, or a line that is none.
        """
        self._path = Path(path)
        self._lock = threading.Lock()
        self._stamp = _stamp(self._path)
        self._names = _read(self._path)

    def name_of(self, token: str) -> str | None:
        """Give the name of a token, ``token 2`` for one of the second line that has none; None if it is not in the file."""
        self._renew()
        digest, found = _digest(token), None
        for known, name in self._names.items():  # all of them, always: how long it takes tells nothing
            if hmac.compare_digest(known, digest):
                found = name
        return found

    def _renew(self) -> None:
        """Read the file again if it has changed; while it cannot be read the tokens before hold, and the log says so."""
        with self._lock:
            if (stamp := _stamp(self._path)) == self._stamp:
                return
            self._stamp = stamp
            try:
                self._names = _read(self._path)
            except PixelwiseError as error:
                logs.event(logging.ERROR, "token_file_bad", {"reason": str(error), "tokens_kept": len(self._names)})
            else:
                logs.event(logging.INFO, "token_file_read", {"tokens": len(self._names)})


class Guarded:
    """An ASGI application that answers only to who shows a token; health and the page's own files stay open."""

    def __init__(
        self, app: Application, tokens: Tokens, open_paths: Collection[str] = OPEN, open_folders: Collection[str] = ()
    ) -> None:
        """Lay it around ``app``; ``open_folders`` are beginnings of open paths, each ending in ``/``."""
        self._app, self._tokens = app, tokens
        self._open, self._folders = frozenset(open_paths), tuple(open_folders)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, or 401."""
        if scope["type"] == "lifespan" or (scope["type"] == "http" and self._is_open(path_of(scope))):
            await self._app(scope, receive, send)
            return
        stated = headers_named(scope, b"authorization")
        scheme, _, token = stated[0].decode("latin-1").partition(" ") if len(stated) == 1 else ("", "", "")
        name = self._tokens.name_of(token.strip()) if scheme.lower() == "bearer" else None
        one = logs.noted()
        if name is not None:
            if one is not None:
                one.client = name
            await self._app(scope, receive, send)
            return
        if scope["type"] != "http":
            await send({"type": "websocket.close", "code": 1008})
            return
        code, challenge = ("token_wrong", ', error="invalid_token"') if stated else ("token_missing", "")
        found = "the one that came is not known" if stated else "none came"
        refusal = Refusal(401, code, f"this server wants a token, as in 'Authorization: Bearer TOKEN', and {found}")
        if one is not None:
            one.code = code
        await refuse(send, refusal, [(b"www-authenticate", f'Bearer realm="pixelwise"{challenge}'.encode())])

    def _is_open(self, path: str) -> bool:
        return path in self._open or (path.startswith(self._folders) and ".." not in path)


def _stamp(path: Path) -> tuple[int, ...] | None:
    """Give what changes when a file is written, replaced or opened to others; None where there is none."""
    try:
        found = path.stat()
    except OSError:  # reading it says what is wrong
        return None
    return found.st_ino, found.st_mtime_ns, found.st_ctime_ns, found.st_size


def _read(path: Path) -> dict[bytes, str]:
    """Read digest -> name.

    Raises:
        MissingFile, UnreadableFile, OptionError: as ``Tokens``.
    """
    try:
        with path.open("rb") as file:
            found = os.fstat(file.fileno())  # of the file that is read, not of one put in its place meanwhile
            _refuse_if_open(path, found)
            text = file.read(_MOST_BYTES + 1).decode("utf-8")
    except FileNotFoundError:
        raise MissingFile(f"{path}: expected a file of tokens, found nothing there; {_MAKE}") from None
    except OSError as error:
        raise UnreadableFile(f"{path}: cannot be read: {error.strerror or error}") from None
    except UnicodeDecodeError:
        raise OptionError(f"{path}: expected a token a line in plain text, found bytes that are none") from None
    if len(text) > _MOST_BYTES:
        raise OptionError(f"{path}: expected a token a line, at most {_MOST_BYTES:,} bytes, found more")
    names: dict[bytes, str] = {}
    for number, line in enumerate(text.splitlines(), 1):
        words = line.partition("#")[0].split(maxsplit=1)
        if not words:
            continue
        if not _TOKEN.fullmatch(words[0]):
            raise OptionError(
                f"{path}, line {number}: expected a token of 16 to 512 letters, digits and . _ ~ + / - (its name may follow), "
                f"found {len(words[0])} characters; {_MAKE}"
            )
        names[_digest(words[0])] = words[1].strip() if len(words) == 2 else f"token {number}"
    if not names:
        raise OptionError(f"{path}: expected a token a line, found none; {_MAKE}")
    return names


def _refuse_if_open(path: Path, found: os.stat_result) -> None:
    """Refuse what is no plain file, and what others may read or the group may change; Windows has no such bits."""
    if not stat.S_ISREG(found.st_mode):
        raise OptionError(f"{path}: expected a file of tokens, found something else")
    if os.name == "posix" and found.st_mode & (stat.S_IRWXO | stat.S_IWGRP):
        raise OptionError(
            f"{path}: other users may read or change this file of tokens (mode {stat.S_IMODE(found.st_mode):04o}); "
            f"run: chmod 600 {path}"
        )


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode("utf-8", "surrogateescape")).digest()
