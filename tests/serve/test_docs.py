"""The lines of docs/serving.md do what they say."""

import os
import re
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import PIL.Image
import pytest

DOCS = Path(__file__).parents[2] / "docs" / "serving.md"
LINES = re.findall(r"^curl .*$", DOCS.read_text("utf-8"), re.MULTILINE)


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    pytest.importorskip("fastapi")
    uvicorn = pytest.importorskip("uvicorn")
    from pixelwise.serve.http.app import create_app
    from pixelwise.serve.models import loaded
    from pixelwise.serve.options import ServeOptions
    from pixelwise.serve.service import Service
    from pixelwise.serve.telemetry import Telemetry

    options = ServeOptions(decoders=1)
    listening = socket.create_server(("127.0.0.1", 0))
    app = create_app(Service(loaded(["otsu"]), options, Telemetry()), options)
    running = uvicorn.Server(uvicorn.Config(app, log_level="error"))
    thread = threading.Thread(target=running.run, args=([listening],), daemon=True)
    thread.start()
    while not running.started and thread.is_alive():
        time.sleep(0.01)
    yield listening.getsockname()[1]
    running.should_exit = True
    thread.join(30)


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not here")
@pytest.mark.parametrize("line", LINES)
def test_a_curl_line_is_answered(line: str, port: int, tmp_path: Path) -> None:
    PIL.Image.fromarray(np.arange(48 * 64, dtype=np.uint8).reshape(48, 64)).save(tmp_path / "photo.png")
    command = re.sub(r"\blocalhost:8000\b", f"127.0.0.1:{port}", line)
    variables = {name: value for name, value in os.environ.items() if "proxy" not in name.lower()}
    done = subprocess.run(command, shell=True, cwd=tmp_path, env=variables, capture_output=True)
    assert done.returncode == 0, done.stderr
    written = tmp_path / "ids.png"
    if "-o ids.png" in line:
        assert np.array(PIL.Image.open(written)).shape == (48, 64)
    else:
        assert done.stdout


def test_the_page_has_lines_to_try() -> None:
    assert len(LINES) >= 10
