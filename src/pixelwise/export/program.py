"""A module as torch's exported program, which the exporters start from."""

import contextlib
import io
import logging
import warnings
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn

from pixelwise.core.errors import ExportError, first_line


def program(graph: nn.Module, example: Tensor, name: str, dynamic: Any = None) -> torch.export.ExportedProgram:
    """Record a graph on an example.

    Args:
        name: of the network, for messages.
        dynamic: which dimensions of the input may vary, as ``Graph.dynamic`` gives them; None for those of the example alone.

    Raises:
        ExportError: torch cannot; the network asks something of sizes or values that a graph of these dimensions cannot answer.
    """
    try:
        with torch.no_grad(), silence():
            return torch.export.export(graph.eval(), (example,), dynamic_shapes=dynamic, strict=False)
    except (torch._dynamo.exc.TorchDynamoException, RuntimeError, ValueError) as error:
        shape = "of any size" if dynamic else f"for an input of {' x '.join(map(str, example.shape))}"
        raise ExportError(
            f"the network '{name}' cannot be recorded as a graph {shape}: {first_line(cause(error))}"
            + ("; a fixed size may do: --size H,W" if dynamic else "")
        ) from error


@contextlib.contextmanager
def silence() -> Iterator[None]:
    """Keep what exporters say of their own internals off the screen: for the reader nothing follows from it."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)


def cause(error: BaseException) -> BaseException:
    """Give the error that began it; torch wraps it in others, with pages of advice."""
    while error.__cause__ is not None:
        error = error.__cause__
    return error
