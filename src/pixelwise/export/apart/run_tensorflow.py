"""Run the serving signature of a SavedModel by TensorFlow."""

import contextlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any


def opened(path: str, threads: int) -> Callable[[Any], Sequence[Any]]:
    """Open a SavedModel and give the function from images to its outputs, in the order of its ``outputs.txt``."""
    import tensorflow as tf

    if threads:
        with contextlib.suppress(RuntimeError):  # it has run a model already, and keeps the threads it has
            tf.config.threading.set_intra_op_parallelism_threads(threads)
    model = tf.saved_model.load(path)
    serve = model.signatures["serving_default"]
    (name,) = serve.structured_input_signature[1]
    listed = Path(path) / "assets.extra" / "outputs.txt"
    names = listed.read_text().split() if listed.is_file() else sorted(serve.structured_outputs)

    def run(images: Any) -> list[Any]:
        found = serve(**{name: tf.constant(images)})
        return [found[one].numpy() for one in names]

    run.model = model  # type: ignore[attr-defined]  # its weights live as long as it does
    return run
