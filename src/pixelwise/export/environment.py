"""Python environments of their own, for converters whose packages do not fit beside this project's.

Each is made on first use by ``python -m venv`` and pip, kept under the user's cache folder, and made anew when the list of its
packages changes. Programs of ``pixelwise.export.apart`` run in them.
"""

import hashlib
import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from pixelwise.core.errors import ExportError
from pixelwise.core.files import locked, make_folder, write_json, write_text
from pixelwise.formats.cache import cache_folder

APART = Path(__file__).parent / "apart"
_MADE = "made.json"  # written last: a folder without it was left half made


def aloud(line: str) -> None:
    """Say a line to whoever waits for minutes: on standard error, as standard output may be JSON."""
    print(line, file=sys.stderr, flush=True)


@dataclass(frozen=True)
class Environment:
    """Packages that are installed together, apart from all else.

    Attributes:
        name: of its folder.
        packages: as pip takes them.
        modules: what programs import of them; where this Python has all of these, none is made.
        megabytes: how much disk they took when this was written, so that one can be warned.
    """

    name: str
    packages: tuple[str, ...]
    modules: tuple[str, ...]
    megabytes: int

    @property
    def folder(self) -> Path:
        """Where it is, or will be."""
        wanted = json.dumps([*self.packages, sys.version_info[:2]])
        return cache_folder() / "environments" / f"{self.name}-{hashlib.sha256(wanted.encode()).hexdigest()[:12]}"

    @property
    def python(self) -> Path:
        """Its interpreter."""
        return self.folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")

    @property
    def is_made(self) -> bool:
        """Whether it is there, whole."""
        return (self.folder / _MADE).is_file()

    def made(self, say: Callable[[str], None] = aloud) -> Path:
        """Give an interpreter that has the packages: this one if it does, else its own, which is made first if need be.

        Args:
            say: is told what is being made, how large it gets, and then how long it took.

        Raises:
            ExportError: it cannot be made: no network, no space, no such packages for this Python.
        """
        if all(importlib.util.find_spec(module) for module in self.modules):
            return Path(sys.executable)
        if self.is_made:
            return self.python
        make_folder(self.folder)
        with locked(self.folder):
            if not self.is_made:  # another process may just have made it
                self._make(say)
        return self.python

    def _make(self, say: Callable[[str], None]) -> None:
        say(
            f"{self.name}: making an environment in {self.folder} (about {self.megabytes:,} MB, some minutes, once): "
            f"{' '.join(self.packages)}"
        )
        started = time.monotonic()
        for left in self.folder.iterdir():
            shutil.rmtree(left) if left.is_dir() and not left.is_symlink() else left.unlink()
        steps = (
            [sys.executable, "-m", "venv", str(self.folder)],
            [str(self.python), "-m", "pip", "install", "--no-input", "--disable-pip-version-check", *self.packages],
        )
        for step in steps:
            done = subprocess.run(step, capture_output=True, text=True, check=False)
            write_text(self.folder / "install.log", done.stdout + done.stderr)
            if done.returncode:
                raise ExportError(
                    f"{self.name}: its environment cannot be made: {_last_line(done.stderr or done.stdout)} "
                    f"(all of it is in {self.folder / 'install.log'}); with another package index, set PIP_INDEX_URL"
                )
        seconds = round(time.monotonic() - started, 1)
        size = sum(path.lstat().st_size for path in self.folder.rglob("*"))
        write_json(self.folder / _MADE, {"packages": list(self.packages), "seconds": seconds, "bytes": size})
        say(f"{self.name}: made in {seconds:.0f} s, {size / 1e6:,.0f} MB; remove the folder to have the space back")

    def run(self, program: str, arguments: Sequence[str], say: Callable[[str], None] = aloud) -> str:
        """Run a program of ``pixelwise.export.apart`` to its end and give what it printed.

        Raises:
            ExportError: the environment cannot be made, or the program failed; the message has the last line it wrote.
        """
        command = [str(self.made(say)), str(APART / program), *arguments]
        done = subprocess.run(command, capture_output=True, text=True, check=False, env=quiet())
        if done.returncode:
            raise ExportError(f"{self.name}: {_last_line(done.stderr or done.stdout)}")
        return done.stdout

    def releases(self) -> str:
        """Give the packages that were asked for and their versions, as ``name 1.2, other 3.4``.

        Raises:
            ExportError: it cannot be made.
        """
        names = [re.split(r"[<>=!~; \[]", package)[0] for package in self.packages]
        return self.run("versions.py", names).strip()


def quiet() -> dict[str, str]:
    """Give the environment variables of this process, less those meant for its own Python, and TensorFlow kept quiet."""
    kept = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "PYTHONHOME")}
    return {**kept, "TF_CPP_MIN_LOG_LEVEL": "3", "PYTHONIOENCODING": "utf-8"}


def _last_line(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    errors = [line for line in lines if line.startswith("ERROR: ")]  # pip ends with hints
    return (errors or lines or ["it ended without a word"])[-1].removeprefix("ERROR: ")[:400]


_HAS_SMALL = "sys_platform == 'linux' and platform_machine == 'x86_64'"  # where TensorFlow comes without what GPUs need
_HAS_LARGE = "sys_platform != 'linux' or platform_machine != 'x86_64'"
TENSORFLOW = Environment(
    "tensorflow",
    (f"tensorflow-cpu>=2.19; {_HAS_SMALL}", f"tensorflow>=2.19; {_HAS_LARGE}", "onnx>=1.17"),
    ("tensorflow", "onnx"),
    1600,
)
LITERT = Environment("litert", ("litert-torch>=0.10",), ("litert_torch",), 6300)  # most of it is torch with CUDA
