"""Only a token of the file as it is now opens the server, and health needs none."""

import asyncio
import os
from pathlib import Path
from typing import Any

import pytest

from pixelwise.core.errors import MissingFile, OptionError
from pixelwise.serve.asgi import Receive, Scope, Send
from pixelwise.serve.tokens import Guarded, Tokens

OLD, NEW = "old-token-0123456789", "new-token-0123456789"
posix = pytest.mark.skipif(os.name != "posix", reason="no permission bits")


def write(path: Path, text: str, mode: int = 0o600) -> Path:
    path.write_text(text, "utf-8")
    path.chmod(mode)
    return path


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return write(tmp_path / "tokens", f"# of the web shop\n\n{OLD}  shop  # till spring\n")


async def open_application(scope: Scope, receive: Receive, send: Send) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b""})


def ask(
    guarded: Guarded, path: str = "/v1/predict", *authorization: str, root: str = "", kind: str = "http"
) -> tuple[int, dict[bytes, bytes]]:
    """Ask with headers; give the status and the headers of the answer."""
    answers: list[Any] = []

    async def receive() -> Any:
        return {"type": "http.request"}

    async def send(message: Any) -> None:
        answers.append(message)

    headers = [(b"authorization", value.encode("latin-1")) for value in authorization]
    asyncio.run(guarded({"type": kind, "path": path, "root_path": root, "headers": headers}, receive, send))
    return answers[0].get("status", answers[0].get("code")), dict(answers[0].get("headers", ()))


def test_the_right_token_opens_and_has_its_name(file: Path) -> None:
    tokens = Tokens(file)
    assert tokens.name_of(OLD) == "shop"
    assert ask(Guarded(open_application, tokens), "/v1/predict", f"Bearer {OLD}")[0] == 200
    assert ask(Guarded(open_application, tokens), "/v1/predict", f"bearer  {OLD}")[0] == 200


@pytest.mark.parametrize(
    ("authorization", "challenge"),
    [
        ((), b'Bearer realm="pixelwise"'),
        ((f"Bearer {NEW}",), b'Bearer realm="pixelwise", error="invalid_token"'),
        ((f"Bearer {OLD[:-1]}",), b'Bearer realm="pixelwise", error="invalid_token"'),
        ((f"Basic {OLD}",), b'Bearer realm="pixelwise", error="invalid_token"'),
        (("Bearer",), b'Bearer realm="pixelwise", error="invalid_token"'),
        ((f"Bearer {OLD}", f"Bearer {OLD}"), b'Bearer realm="pixelwise", error="invalid_token"'),
        (("Bearer é\x00",), b'Bearer realm="pixelwise", error="invalid_token"'),
    ],
)
def test_without_it_the_answer_is_401_and_says_how(file: Path, authorization: tuple[str, ...], challenge: bytes) -> None:
    status, headers = ask(Guarded(open_application, Tokens(file)), "/v1/predict", *authorization)
    assert status == 401
    assert headers[b"www-authenticate"] == challenge


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/", "/page/page.js"])
def test_health_and_the_page_stay_open(file: Path, path: str) -> None:
    guarded = Guarded(open_application, Tokens(file), open_folders=["/page/"])
    assert ask(guarded, path)[0] == 200
    assert ask(guarded, f"/under{path}", root="/under")[0] == 200


@pytest.mark.parametrize("path", ["/metrics", "/v1/models", "/healthz/", "//healthz", "/page/../v1/predict", "/pagex", ""])
def test_what_only_looks_open_is_not(file: Path, path: str) -> None:
    assert ask(Guarded(open_application, Tokens(file), open_folders=["/page/"]), path)[0] == 401


def test_a_web_socket_is_closed(file: Path) -> None:
    assert ask(Guarded(open_application, Tokens(file)), "/", kind="websocket")[0] == 1008


def test_tokens_rotate_without_a_restart(file: Path) -> None:
    tokens = Tokens(file)
    write(file, f"{OLD}\n{NEW} billing\n")
    assert (tokens.name_of(OLD), tokens.name_of(NEW)) == ("token 1", "billing")
    write(file.with_suffix(".new"), f"{NEW}\n").replace(file)
    assert (tokens.name_of(OLD), tokens.name_of(NEW)) == (None, "token 1")


@pytest.mark.parametrize("spoil", ["empty", "gone", "short"])
def test_a_file_spoilt_later_leaves_the_tokens_as_they_were(file: Path, spoil: str, caplog: pytest.LogCaptureFixture) -> None:
    tokens = Tokens(file)
    file.unlink() if spoil == "gone" else write(file, "" if spoil == "empty" else "short")
    with caplog.at_level("INFO", "pixelwise.serve"):
        assert tokens.name_of(OLD) == "shop"
        assert tokens.name_of(NEW) is None
    assert caplog.messages == ["token_file_bad"]  # once, not at every request
    write(file, NEW)
    assert (tokens.name_of(OLD), tokens.name_of(NEW)) == (None, "token 1")


@posix
@pytest.mark.parametrize("mode", [0o644, 0o604, 0o602, 0o620, 0o666])
def test_a_file_that_others_can_read_is_refused(tmp_path: Path, mode: int) -> None:
    with pytest.raises(OptionError, match="chmod 600"):
        Tokens(write(tmp_path / "tokens", OLD, mode))


@posix
def test_a_group_may_read_it_as_secrets_of_containers_are_mounted(tmp_path: Path) -> None:
    assert Tokens(write(tmp_path / "tokens", OLD, 0o440)).name_of(OLD) == "token 1"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "found none"),
        ("# nothing\n", "found none"),
        ("short", "found 5 characters"),
        (f"{OLD}\nspaß-0123456789012345", "line 2"),
        ("x" * 600, "16 to 512"),
    ],
)
def test_a_file_without_good_tokens_is_refused_and_not_quoted(tmp_path: Path, text: str, says: str) -> None:
    with pytest.raises(OptionError, match=says) as caught:
        Tokens(write(tmp_path / "tokens", text))
    assert "spaß" not in str(caught.value)


def test_a_file_that_is_not_there_says_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(MissingFile, match="python -c"):
        Tokens(tmp_path / "tokens")


def test_what_is_no_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises((OptionError, MissingFile, ValueError)):
        Tokens(tmp_path)


def test_no_token_stays_in_memory_as_text(file: Path) -> None:
    tokens = Tokens(file)
    tokens.name_of(OLD)
    assert not any(OLD in repr(held) for held in vars(tokens).values())
