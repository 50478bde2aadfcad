"""Run a subcommand of ``pixelwise data`` as the command line does, with its errors raised."""

from typer.testing import CliRunner

from pixelwise.cli.data import app


def run(*arguments: object) -> tuple[int, str]:
    """Run a command; give what the outer program takes for its exit code, and standard output."""
    result = CliRunner().invoke(app, [str(one) for one in arguments], standalone_mode=False)
    if result.exception is not None:
        raise result.exception
    return int(result.return_value), result.stdout
