"""Run a Dockerfile's RUN and CMD lines without a container engine, and wait for the server's /readyz.

    python deploy/check.py deploy/Dockerfile --model otsu

An empty folder stands for the image's file system and a fresh virtual environment of this Python for its base; COPY lines are
honoured, lines for the system's package manager and its users are skipped, and each is printed with what became of it. The
server gets a free port, must answer 200 at /readyz, pass the file's own HEALTHCHECK, segment an image, and end by itself at
SIGTERM. A Lambda image has no server: its handler is called with two events instead. Exit code 0 means that all of it held.
"""

import argparse
import base64
import json
import os
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
import venv
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
OUTSIDE = {"apt-get", "apt", "apk", "dnf", "microdnf", "yum", "groupadd", "useradd", "addgroup", "adduser", "chown"}
IMAGE = base64.b64decode(  # a PNG of 4 x 6 pixels, dark on the left and bright on the right
    "iVBORw0KGgoAAAANSUhEUgAAAAYAAAAECAIAAAAiZtkUAAAAHUlEQVR4nGMUERFhYGBgYGDYsmULhMHEgAGIEwIAm/ACYG0YALQAAAAASUVORK5CYII="
)
_VARIABLE = re.compile(r"\$(?:\{(?P<braced>\w+)(?::-(?P<other>[^}]*))?\}|(?P<plain>\w+))")


class Failed(Exception):
    """A line of the Dockerfile does not do what it should."""


@dataclass
class Image:
    """What stands for the image while it is built.

    Attributes:
        root: the folder that stands for ``/``.
        environment: ENV and ARG so far.
        workdir: as the Dockerfile states it.
        base: of the FROM line.
        health, command: of HEALTHCHECK and CMD, as written.
    """

    root: Path
    environment: dict[str, str] = field(default_factory=dict)
    workdir: str = "/"
    base: str = ""
    health: str = ""
    command: str = ""

    def place(self, path: str) -> Path:
        """Give where a path of the image lies in the folder."""
        return self.root / os.path.normpath(os.path.join(self.workdir, path)).lstrip("/")

    @property
    def python(self) -> Path:
        """The folder of the programs of its virtual environment."""
        return self.root / "venv" / "bin"

    def variables(self) -> dict[str, str]:
        """Give the environment that its commands see: its own, this machine's for pip, and nothing else."""
        passed = {name: value for name, value in os.environ.items() if name.startswith(("PIP_", "SSL_", "UV_"))}
        home = self.root / "root"
        home.mkdir(exist_ok=True)
        path = f"{self.python}{os.pathsep}/usr/local/bin:/usr/bin:/bin"
        return passed | self.environment | {"PATH": path, "HOME": str(home), "LANG": "C.UTF-8"}


def instructions(text: str) -> Iterator[tuple[str, str]]:
    r"""Give name and words of each instruction: comments are dropped, lines that end in ``\`` joined.

    >>> list(instructions("FROM a\n# no\nRUN x \\\n  && y"))
    [('FROM', 'a'), ('RUN', 'x && y')]
    """
    kept = [line.strip() for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")]
    joined = re.sub(r"\\\n\s*", "", "\n".join(kept))
    for line in joined.splitlines():
        name, _, words = line.partition(" ")
        if name.upper() not in _STEPS:
            raise Failed(f"{name}: this check knows {', '.join(sorted(_STEPS))}; write it with those, or teach it the word")
        yield name.upper(), words.strip()


def expanded(text: str, variables: Mapping[str, str]) -> str:
    """Put in what ``$NAME``, ``${NAME}`` and ``${NAME:-other}`` stand for.

    >>> expanded("$A/${B:-c}", {"A": "x"})
    'x/c'
    """
    return _VARIABLE.sub(lambda one: variables.get(one["braced"] or one["plain"], "") or one["other"] or "", text)


def build(dockerfile: Path, root: Path) -> Image:
    """Run the instructions up to CMD."""
    image = Image(root)
    venv.create(root / "venv", with_pip=True)
    for name, text in instructions(dockerfile.read_text("utf-8")):
        began = time.monotonic()
        note = _STEPS[name](image, text)
        print(f"{name:11} {text[:90]}{'  -> ' + note if note else ''}  ({time.monotonic() - began:.1f} s)", flush=True)
    return image


def _from(image: Image, text: str) -> str:
    image.base = text.split()[0]
    return f"stood in for by Python {sys.version.split()[0]}"


def _env(image: Image, text: str) -> str:
    for word in shlex.split(text):
        name, _, value = word.partition("=")
        image.environment[name] = expanded(value, image.environment)
    return ""


def _workdir(image: Image, text: str) -> str:
    image.workdir = os.path.join(image.workdir, expanded(text, image.environment))
    image.place(".").mkdir(parents=True, exist_ok=True)
    return ""


def _copy(image: Image, text: str) -> str:
    *sources, target = expanded(text, image.environment).split()
    if sources and sources[0].startswith("--"):
        raise Failed(f"COPY {text}: this check copies from the build's folder alone")
    into, missing = image.place(target), []
    for source in sources:
        origin = ROOT / source
        if origin.is_dir():
            shutil.copytree(origin, into, dirs_exist_ok=True, ignore=shutil.ignore_patterns("__pycache__"))
        elif origin.is_file():
            into.mkdir(parents=True, exist_ok=True)
            shutil.copy(origin, into)
        elif source == "models":  # what is served is the user's, and no part of the project
            into.mkdir(parents=True, exist_ok=True)
            missing.append(source)
        else:
            raise Failed(f"COPY {text}: there is no {source}")
    return f"no {', '.join(missing)} here, so an empty folder" if missing else ""


def _run(image: Image, text: str) -> str:
    parts = [part.strip() for part in text.split("&&")]
    skipped = [part for part in parts if part.split()[0] in OUTSIDE]
    if kept := " && ".join(part for part in parts if part not in skipped):
        done = subprocess.run(kept, shell=True, cwd=image.place("."), env=image.variables(), capture_output=True, text=True)
        if done.returncode:
            raise Failed(f"RUN {kept}: exit code {done.returncode}\n{done.stdout[-2000:]}{done.stderr[-2000:]}")
    return f"skipped: {', '.join(part.split()[0] for part in skipped)}" if skipped else ""


def _user(image: Image, text: str) -> str:
    if text.partition(":")[0] in ("root", "0"):
        raise Failed("USER: the server must not run as root")
    return "noted"


def _later(image: Image, text: str) -> str:
    """Keep a command for when the image is whole: that of HEALTHCHECK stands behind its options."""
    options, is_health, command = text.partition("CMD ")
    if is_health:
        image.health = command
    else:
        image.command = options
    return "run below"


_STEPS = {
    "FROM": _from,
    "ARG": _env,
    "ENV": _env,
    "RUN": _run,
    "WORKDIR": _workdir,
    "COPY": _copy,
    "USER": _user,
    "EXPOSE": lambda image, text: "a free port is taken",
    "HEALTHCHECK": _later,
    "CMD": _later,
}


def serve(image: Image, model: str, seconds: float) -> None:
    """Start CMD, wait until it is ready, ask after its health, and end it.

    Raises:
        Failed: one of the four does not hold.
    """
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    variables = image.variables() | {"PORT": str(port), "PIXELWISE_MODEL": model, "TMPDIR": str(image.root)}
    log = image.root / "server.log"
    began = time.monotonic()
    with log.open("wb") as out:
        server = subprocess.Popen(
            image.command, shell=True, cwd=image.place("."), env=variables, stdout=out, stderr=out, start_new_session=True
        )
    try:
        _wait(server, f"http://127.0.0.1:{port}/readyz", began + seconds, log)
        print(f"/readyz     200 after {time.monotonic() - began:.1f} s", flush=True)
        if image.health:
            healthy = subprocess.run(image.health, shell=True, cwd=image.place("."), env=variables, capture_output=True)
            if healthy.returncode:
                raise Failed(f"HEALTHCHECK: exit code {healthy.returncode} although /readyz says 200")
            print("HEALTHCHECK healthy")
        asked = urllib.request.Request(f"http://127.0.0.1:{port}/v1/predict", IMAGE, {"Content-Type": "image/png"})
        with urllib.request.urlopen(asked, timeout=60) as answer:  # anything but 2xx is raised
            print(f"predict     {answer.status} {answer.headers['content-type']}, {len(answer.read())} bytes")
        server.send_signal(signal.SIGTERM)
        code = server.wait(60)
        if code not in (0, -signal.SIGTERM, 128 + signal.SIGTERM):
            raise Failed(f"the server ended with code {code} at SIGTERM\n{log.read_text('utf-8')[-2000:]}")
        print(f"SIGTERM     ended with code {code}")
    except subprocess.TimeoutExpired:
        raise Failed("the server did not end within 60 s of SIGTERM") from None
    except urllib.error.HTTPError as error:
        raise Failed(f"/v1/predict answers {error.code}: {error.read()[:500].decode('utf-8', 'replace')}") from None
    finally:
        if server.poll() is None:
            os.killpg(server.pid, signal.SIGKILL)
            server.wait()


def _wait(server: "subprocess.Popen[bytes]", address: str, until: float, log: Path) -> None:
    while time.monotonic() < until:
        if server.poll() is not None:
            raise Failed(f"CMD ended with code {server.returncode} before it was ready\n{log.read_text('utf-8')[-2000:]}")
        try:
            with urllib.request.urlopen(address, timeout=5) as answer:
                if answer.status == 200:
                    return
        except (urllib.error.URLError, OSError):
            pass  # not yet
        time.sleep(0.2)
    raise Failed(f"no 200 of {address} in time\n{log.read_text('utf-8')[-2000:]}")


def invoke(image: Image, model: str) -> None:
    """Call the handler of a Lambda image with events of a function's address.

    Raises:
        Failed: it does not answer 200.
    """
    module, _, function = json.loads(image.command)[0].rpartition(".")
    program = f"import json, sys, {module} as m; [print(json.dumps(m.{function}(one, None))) for one in json.load(sys.stdin)]"
    asked = json.dumps([_event("GET", "/readyz"), _event("POST", "/v1/predict", IMAGE)])
    variables = image.variables() | {"PIXELWISE_MODEL": model}
    done = subprocess.run(
        ["python", "-c", program], cwd=image.place("."), env=variables, input=asked, capture_output=True, text=True, timeout=300
    )
    answers = [json.loads(line) for line in done.stdout.splitlines()] if done.returncode == 0 else []
    if [one["statusCode"] for one in answers] != [200, 200]:
        raise Failed(f"the handler answers {answers or done.stderr[-2000:]}")
    print("handler     200 for /readyz, 200 for /v1/predict")


def _event(method: str, path: str, body: bytes = b"") -> dict[str, Any]:
    return {
        "version": "2.0",
        "rawPath": path,
        "rawQueryString": "",
        "headers": {"content-type": "image/png"},
        "requestContext": {"http": {"method": method}, "stage": "$default"},
        "body": base64.b64encode(body).decode(),
        "isBase64Encoded": True,
    }


def installed(image: Image) -> float:
    """Give the megabytes (10^6) of the packages that the image's Python has, without those it began with."""
    folder = next(image.root.glob("venv/lib/python*/site-packages"))
    kept = (
        path for path in folder.rglob("*") if path.is_file() and path.relative_to(folder).parts[0] not in ("pip", "setuptools")
    )
    return sum(path.stat().st_size for path in kept) / 1e6


def main() -> int:
    """Check one Dockerfile."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("dockerfile", type=Path, nargs="?", default=ROOT / "deploy" / "Dockerfile")
    parser.add_argument("--model", default="otsu", help="what is served: a method, or a file of this machine")
    parser.add_argument("--seconds", type=float, default=120, help="that the server may take to be ready")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        try:
            image = build(options.dockerfile, Path(folder))
            has_torch = any(image.root.glob("venv/lib/python*/site-packages/torch"))
            print(f"installed   {installed(image):.0f} MB, {'with' if has_torch else 'without'} torch")
            if "lambda" in image.base:
                invoke(image, options.model)
            else:
                serve(image, options.model, options.seconds)
        except Failed as failure:
            print(f"FAILED: {failure}", file=sys.stderr)
            return 1
    print(f"OK {options.dockerfile.name}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
