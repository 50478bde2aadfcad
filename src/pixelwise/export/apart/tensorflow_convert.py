"""Convert an ONNX file to TensorFlow's SavedModel: ``python tensorflow_convert.py MODEL.onnx FOLDER``.

The graph is run once through TensorFlow's own operators while TensorFlow records them, with the sizes that ONNX leaves open
left open. What cannot be converted is said in one line, with exit code 3.
"""

import sys
from typing import Any

import numpy as np
import onnx
import tensorflow as tf
from onnx import numpy_helper
from tensorflow_operators import OPERATORS, Call, Unsupported, first
from tensorflow_places import PLACES
from tensorflow_planes import PLANES

TABLE = {**OPERATORS, **PLACES, **PLANES}
REFUSED = 3


def run(graph: Any, images: Any) -> dict[str, Any]:
    """Give the outputs of an ONNX graph of one input, by name."""
    values: dict[str, Any] = {one.name: numpy_helper.to_array(one) for one in graph.initializer}
    values |= {graph.input[0].name: images, "": None}
    for node in graph.node:
        options = {one.name: _plain(onnx.helper.get_attribute_value(one)) for one in node.attribute}
        call = Call([values[name] for name in node.input], options, len(node.output))
        try:
            found = TABLE[node.op_type](call)
        except Unsupported as error:
            raise Unsupported(f"{node.op_type}: {error}") from None
        several = found if isinstance(found, list) else [found]
        values |= dict(zip(node.output, several, strict=False))
    return {one.name: tf.identity(first(values[one.name]), one.name) for one in graph.output}


def _plain(value: Any) -> Any:
    if isinstance(value, bytes):
        return value.decode()
    return numpy_helper.to_array(value) if isinstance(value, onnx.TensorProto) else value


def convert(source: str, folder: str) -> None:
    """Write the SavedModel of an ONNX file, with the signature ``serving_default``.

    Raises:
        Unsupported: an operator, or a form of one, has no row in the tables.
    """
    graph = onnx.load(source).graph
    if missing := sorted({node.op_type for node in graph.node} - TABLE.keys()):
        raise Unsupported(f"the operators {', '.join(missing)}")
    given = graph.input[0]
    sides = [side.dim_value if side.HasField("dim_value") else None for side in given.type.tensor_type.shape.dim]
    kind = tf.as_dtype(np.dtype(onnx.helper.tensor_dtype_to_np_dtype(given.type.tensor_type.elem_type)))
    function = tf.function(
        lambda image: run(graph, image), input_signature=[tf.TensorSpec(sides, kind, name=given.name)], autograph=False
    )
    module = tf.Module()
    module.serve = function
    tf.saved_model.save(module, folder, signatures={"serving_default": function.get_concrete_function()})


if __name__ == "__main__":
    try:
        convert(*sys.argv[1:])
    except Unsupported as error:
        print(error, file=sys.stderr)
        sys.exit(REFUSED)
