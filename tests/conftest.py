"""What every test shares: a cache of its own, and the way to the real data where it is there."""

import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import hypothesis
import pytest

hypothesis.settings.register_profile("pixelwise", deadline=None)  # a busy machine is no failure
hypothesis.settings.load_profile("pixelwise")

collect_ignore_glob = ["fuzz/*", "formats/test_fuzz.py"] if sys.platform == "win32" else []  # they need signals and limits


@pytest.fixture(autouse=True)
def _own_cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIXELWISE_CACHE", str(tmp_path_factory.mktemp("cache")))


@pytest.fixture(autouse=True)
def _interruptible() -> Iterator[None]:
    """Let SIGINT interrupt, also where the tests were started in the background, which shells do with SIGINT ignored."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real data; tests that want it are marked ``shared_data`` and skip without it."""
    folder = Path(os.environ.get("PIXELWISE_SHARED_DATA", Path(__file__).parents[1] / ".." / "shared" / "data"))
    if not (folder / "camvid").is_dir():
        pytest.skip(f"no real data in {folder}; set PIXELWISE_SHARED_DATA to run this")
    return folder
