"""Run TFLite files by LiteRT's interpreter."""

import threading
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np


def opened(path: str, threads: int) -> Callable[[Any], Sequence[Any]]:
    """Open a ``.tflite`` file and give the function from images to its outputs, in the order they were exported in."""
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model_path=path, num_threads=threads or None)
    interpreter.allocate_tensors()
    places = _outputs(interpreter)
    alone = threading.Lock()  # an interpreter has one set of tensors

    def run(images: Any) -> list[Any]:
        given = interpreter.get_input_details()[0]
        with alone:
            if tuple(given["shape"]) != images.shape:
                interpreter.resize_tensor_input(given["index"], images.shape)
                interpreter.allocate_tensors()
            interpreter.set_tensor(given["index"], np.ascontiguousarray(images))
            interpreter.invoke()
            return [np.array(interpreter.get_tensor(place)) for place in places]

    return run


def _outputs(interpreter: Any) -> list[int]:
    """Give the outputs' tensors: a signature names them output_0, output_1 …, and files without one list them."""
    listed: list[int] = [one["index"] for one in interpreter.get_output_details()]
    signatures = interpreter.get_signature_list()
    if len(signatures) != 1:
        return listed
    named = interpreter.get_signature_runner(next(iter(signatures))).get_output_details()
    numbers = {name.rpartition("_")[2]: one["index"] for name, one in named.items()}
    return [numbers[number] for number in sorted(numbers, key=int)] if all(map(str.isdigit, numbers)) else listed
