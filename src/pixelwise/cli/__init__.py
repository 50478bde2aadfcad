"""The command ``pixelwise``: one file a subcommand; heavy imports wait inside the functions."""

from pixelwise.cli.app import main

__all__ = ["main"]
