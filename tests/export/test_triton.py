"""Triton's repository: the configuration says what the graph is, in Triton's own schema."""

import importlib.util
import json
from pathlib import Path

import pytest

from pixelwise.core.card import Card
from pixelwise.core.labels import LabelSet
from pixelwise.decode.decoders import Decoder
from pixelwise.export.sheet import KEY, Input, Sheet
from pixelwise.export.triton_config import End, config, model_name

SHEET = Sheet(Card("unet", "semantic", LabelSet.of(["sky", 'a "car"'])), Decoder("pixel"), ("classes", "confidence"), Input())
ENDS = ([End("image", "uint8", (-1, -1, -1, 3))], [End("classes", "uint8", (-1,) * 3), End("confidence", "float32", (-1,) * 3)])


def parsed(text):
    """Read a configuration by the protobuf classes that Triton's own client brings."""
    pytest.importorskip("google.protobuf")
    from google.protobuf import text_format

    client = importlib.util.find_spec("tritonclient")
    if client is None:
        pytest.skip("tritonclient is not installed")
    place = Path(client.submodule_search_locations[0]) / "grpc" / "model_config_pb2.py"
    spec = importlib.util.spec_from_file_location("model_config_pb2", place)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return text_format.Parse(text, module.ModelConfig())


def test_every_field_is_in_tritons_schema_and_says_what_the_graph_is():
    found = parsed(config("unet", SHEET, *ENDS))
    assert (found.name, found.backend, found.max_batch_size) == ("unet", "onnxruntime", 8)
    (given,) = found.input
    assert (given.name, given.DESCRIPTOR.fields_by_name["data_type"].enum_type.values_by_number[given.data_type].name) == (
        "image",
        "TYPE_UINT8",
    )
    assert list(given.dims) == [-1, -1, 3]
    assert [(one.name, list(one.dims)) for one in found.output] == [("classes", [-1, -1]), ("confidence", [-1, -1])]
    assert found.dynamic_batching.max_queue_delay_microseconds == 2000
    assert Sheet.from_text(found.parameters[KEY].string_value, "config") == SHEET


def test_a_graph_of_one_batch_is_given_whole_shapes_and_no_batching():
    found = parsed(config("unet", SHEET, [End("image", "uint8", (1, 64, 96, 3))], [End("boxes", "float32", (1, 100, 4))]))
    assert found.max_batch_size == 0
    assert (list(found.input[0].dims), list(found.output[0].dims)) == ([1, 64, 96, 3], [1, 100, 4])
    assert not found.HasField("dynamic_batching")


def test_the_name_can_stand_in_an_address():
    assert model_name(Path("a/street scenes, v2.triton")) == "street_scenes_v2"
    assert json.dumps(model_name(Path(".triton"))) == '"model"'
