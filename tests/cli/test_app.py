"""The command line as a whole: what becomes of Ctrl-C."""

import signal

import pytest

from pixelwise.cli import app


def test_an_interrupt_that_compiled_code_turned_into_an_error_is_still_an_interrupt(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def swallowed(arguments: list[str] | None) -> int:
        try:
            signal.raise_signal(signal.SIGINT)
        except KeyboardInterrupt:
            raise TypeError("unexpected keyword") from None
        return 0

    monkeypatch.setattr(app, "_run", swallowed)
    assert app.run(["list", "formats"]) == 130
    assert capsys.readouterr().err == "interrupted\n"
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_an_error_of_the_program_itself_is_not_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(arguments: list[str] | None) -> int:
        raise TypeError("a mistake of ours")

    monkeypatch.setattr(app, "_run", broken)
    with pytest.raises(TypeError, match="a mistake of ours"):
        app.run(["list", "formats"])
