"""Gather the subcommands, and turn errors into one sentence and an exit code.

Exit codes: 0 all good, 1 some items bad or the work could not be finished, 2 wrong use, 130 interrupted.
"""

import contextlib
import io
import signal
import sys
import threading
from collections.abc import Iterator
from types import FrameType

import typer

from pixelwise.cli.opinions import spelled_out
from pixelwise.core.errors import (
    MissingExtra,
    MissingFile,
    OptionError,
    PixelwiseError,
    PlaceTaken,
    RunInUse,
    UnknownLayout,
    UnknownName,
    UnsettledLabels,
)

WRONG_USE = (OptionError, UnknownName, MissingFile, MissingExtra, UnknownLayout, UnsettledLabels, RunInUse, PlaceTaken)

# typer carries its own copy of click since 0.20, so the class is taken from typer and not from click
_USAGE_ERROR = next(base for base in typer.BadParameter.__mro__ if base.__name__ == "ClickException")

app = typer.Typer(
    name="pixelwise",
    help="Image segmentation from label file to trusted mask.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _register() -> None:
    from pixelwise.cli import (
        bench,
        calibrate,
        choose,
        compare,
        data,
        demo,
        evaluate,
        export,
        listing,
        predict,
        serve,
        show,
        train,
        tune,
    )

    app.add_typer(data.app, name="data")
    app.command("demo")(demo.demo)
    app.command("train")(train.train)
    app.command("evaluate")(evaluate.evaluate)
    app.command("compare")(compare.compare)
    app.command("calibrate")(calibrate.calibrate)
    app.command("tune")(tune.tune)
    app.command("choose")(choose.choose)
    app.command("export")(export.export)
    app.command("bench")(bench.bench)
    app.command("predict")(predict.predict)
    app.command("serve")(serve.serve)
    app.command("show")(show.show)
    app.command("list")(listing.list_rows)


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; return the exit code (also given to the shell when called without arguments)."""
    code = run(arguments)
    if arguments is None:
        sys.exit(code)
    return code


def run(arguments: list[str] | None) -> int:
    """Run the command line and return the exit code; errors of ours become one sentence on stderr."""
    if not app.registered_commands:
        _register()
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # a file name that is not UTF-8 is printed all the same
    with _noting_interrupts() as interrupts:
        try:
            return _run(arguments)
        except Exception:
            if not interrupts:
                raise
            print("interrupted", file=sys.stderr)  # compiled code may turn a KeyboardInterrupt into an error of its own
            return 130


@contextlib.contextmanager
def _noting_interrupts() -> Iterator[list[int]]:
    """Note each Ctrl-C beside raising KeyboardInterrupt for it, in the main thread and where nobody else handles it."""
    noted: list[int] = []

    def note(number: int, frame: FrameType | None) -> None:
        noted.append(number)
        signal.default_int_handler(number, frame)

    is_ours = threading.current_thread() is threading.main_thread()
    is_ours = is_ours and signal.getsignal(signal.SIGINT) is signal.default_int_handler
    if is_ours:
        signal.signal(signal.SIGINT, note)
    try:
        yield noted
    finally:
        if is_ours:
            signal.signal(signal.SIGINT, signal.default_int_handler)


def _run(arguments: list[str] | None) -> int:
    try:
        result = app(spelled_out(sys.argv[1:] if arguments is None else arguments), standalone_mode=False)
        return result if isinstance(result, int) else 0
    except PixelwiseError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2 if isinstance(error, WRONG_USE) else 1
    except typer.Exit as exit_:
        return exit_.exit_code
    except _USAGE_ERROR as error:
        error.show()  # type: ignore[attr-defined]
        return 2
    except (KeyboardInterrupt, typer.Abort):
        print("interrupted", file=sys.stderr)
        return 130
    except BrokenPipeError:
        return 1
    except ModuleNotFoundError as error:
        if error.name is None or error.name.partition(".")[0] == "pixelwise":
            raise
        print(f"error: this needs {error.name}, which is not installed: pip install pixelwise", file=sys.stderr)
        return 2  # as for an extra: the runtime without torch runs exported files, and no more
    except OSError as error:  # of a path that may not even be asked for: in a folder that is locked, or too long
        if error.filename is None:
            raise
        print(f"error: {error.filename}: {error.strerror}; check the path and its permissions", file=sys.stderr)
        return 1
