"""Environments of their own: made once, whole or not at all, and a process in one that answers."""

import importlib
import shutil
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from pixelwise.core.errors import CheckpointError, ExportError
from pixelwise.export import environment
from pixelwise.export.environment import APART, Environment
from pixelwise.export.sessions import apart

ABSENT = Environment("tool", ("tool>=1",), ("no_such_module_at_all",), 12)
HERE = Environment("here", (), ("numpy",), 0)


@pytest.fixture
def pip(monkeypatch, tmp_path):
    """Stand in for venv and pip: notes their commands, and fails where told to."""
    monkeypatch.setenv("PIXELWISE_CACHE", str(tmp_path))
    asked = SimpleNamespace(commands=[], code=0, said="")

    def run(command, **options):
        asked.commands.append(command)
        return SimpleNamespace(returncode=asked.code if "pip" in command else 0, stdout="", stderr=asked.said)

    monkeypatch.setattr(environment.subprocess, "run", run)
    return asked


def test_an_environment_is_made_once_and_says_how_large_it_gets(pip):
    said = []
    assert ABSENT.made(said.append) == ABSENT.made(said.append) == ABSENT.python
    assert [command[1:3] for command in pip.commands] == [["-m", "venv"], ["-m", "pip"]]
    assert "about 12 MB" in said[0]
    assert len(said) == 2


def test_one_that_failed_is_not_there_and_says_why(pip):
    pip.code, pip.said = 1, "ERROR: No matching distribution found for tool>=1\nhint: try again\n"
    with pytest.raises(ExportError, match=r"tool: its environment cannot be made: No matching distribution found for tool>=1"):
        ABSENT.made(lambda line: None)
    assert not ABSENT.is_made
    pip.code = 0
    ABSENT.made(lambda line: None)
    assert ABSENT.is_made


def test_where_this_python_has_the_packages_none_is_made(pip):
    assert HERE.made() == Path(sys.executable)
    assert not pip.commands


def test_other_packages_are_another_environment():
    assert Environment("tool", ("tool>=2",), (), 12).folder != ABSENT.folder


def test_what_a_program_said_last_is_the_reason(monkeypatch, tmp_path):
    monkeypatch.setattr(environment, "APART", tmp_path)
    (tmp_path / "refuse.py").write_text("import sys; sys.exit('Conv: a convolution of 3 dimensions')")
    with pytest.raises(ExportError, match="here: Conv: a convolution of 3 dimensions"):
        HERE.run("refuse.py", [])


RUNTIME = """
def opened(path, threads):
    if "broken" in path:
        raise ValueError("no graph")
    print("a greeting that must not come between the answers")
    def run(images):
        if images.max() == 13:
            raise RuntimeError("unlucky")
        return [images + 1, images.astype("float32").mean(axis=(1, 2, 3))]
    return run
"""


@pytest.fixture
def runtime(monkeypatch, tmp_path):
    """A runtime of a few lines in a process of its own."""
    shutil.copy(APART / "answer.py", tmp_path)
    (tmp_path / "fake.py").write_text(RUNTIME)
    monkeypatch.setattr(apart, "APART", tmp_path)
    return lambda name: apart.ApartSession(HERE, "fake", tmp_path / name)


def test_a_process_apart_answers_with_arrays(runtime):
    session = runtime("good")
    for value in (3, 5):
        more, mean = session(np.full((2, 2, 3, 1), value, np.uint8))
        assert more.dtype == np.uint8
        assert (more == value + 1).all()
        assert mean.tolist() == [value, value]


def test_a_process_apart_tells_its_errors(runtime):
    with pytest.raises(CheckpointError, match="cannot be run: ValueError: no graph"):
        runtime("broken")
    session = runtime("good")
    with pytest.raises(CheckpointError, match="RuntimeError: unlucky"):
        session(np.full((1, 1, 1, 1), 13, np.uint8))
    with pytest.raises(CheckpointError, match=r"has ended|without a word"):
        session(np.zeros((1, 1, 1, 1), np.uint8))


def test_programs_apart_import_nothing_of_this_project():
    for program in APART.glob("*.py"):
        assert "import pixelwise" not in program.read_text()
        assert "from pixelwise" not in program.read_text()
    assert importlib.util.find_spec("pixelwise.export.apart")
