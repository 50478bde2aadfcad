"""The command line as a whole: what becomes of Ctrl-C."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from pixelwise.cli import app
from pixelwise.core.image import write_ids


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


def test_a_path_that_may_not_be_looked_at_is_told_in_a_sentence(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def forbidden(arguments: list[str] | None, standalone_mode: bool) -> int:
        raise PermissionError(13, "Permission denied", "locked/data")

    monkeypatch.setattr(app, "app", forbidden)
    assert app._run(["data", "info", "locked/data"]) == 1
    assert capsys.readouterr().err.startswith("error: locked/data: Permission denied; ")


@pytest.mark.skipif(sys.platform != "linux", reason="file names elsewhere are text")
def test_names_that_are_not_utf_8_are_printed(tmp_path: Path) -> None:
    for kind in ("images", "masks"):
        (tmp_path / os.fsdecode(b"a\xff") / kind).mkdir(parents=True)
        write_ids(tmp_path / os.fsdecode(b"a\xff") / kind / "x.png", np.eye(4, dtype=np.uint8))
    program = "import pixelwise.cli as cli; cli.main(['data', 'info', 'a\\udcff'])"
    strict = {**os.environ, "PYTHONIOENCODING": "utf-8:strict"}
    done = subprocess.run([sys.executable, "-c", program], cwd=tmp_path, capture_output=True, env=strict, check=False)
    assert done.stdout.startswith(rb"a\udcff: kind: semantic")
    assert not done.stderr


def test_an_error_of_the_program_itself_is_not_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(arguments: list[str] | None) -> int:
        raise TypeError("a mistake of ours")

    monkeypatch.setattr(app, "_run", broken)
    with pytest.raises(TypeError, match="a mistake of ours"):
        app.run(["list", "formats"])
