"""The sheet inside an exported file comes back as it was, and says what is wrong with a damaged one."""

import json

import pytest

from pixelwise.core.card import Card
from pixelwise.core.errors import CheckpointError
from pixelwise.core.labels import LabelSet
from pixelwise.decode.decoders import Decoder
from pixelwise.export.sheet import Input, Sheet

LABELS = LabelSet.of(["road", "car"], things=["car"])
SHEET = Sheet(
    Card("unet", "semantic", LABELS, temperature=1.5),
    Decoder("pixel"),
    ("classes", "confidence"),
    Input(values="float32", size=(32, 64), mean=(0.5, 0.5, 0.5), deviation=(0.2, 0.2, 0.2)),
    "bf16",
    {"opset": 20},
)


def test_a_sheet_comes_back_as_it_was():
    assert Sheet.from_text(SHEET.to_text(), "a.onnx") == SHEET


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda data: data.pop("card"), "but 'card'"),
        (lambda data: data.update(format="pixelwise sheet 9"), "'pixelwise sheet 9' and not 'pixelwise sheet 1'"),
        (lambda data: data["card"].update(stride=0), "is not above 0"),
        (lambda data: data["decoder"].update(name="pixle"), "did you mean 'pixel'"),
        (lambda data: data["decoder"].pop("options"), "a decoder with a name and options"),
        (lambda data: data["input"].update(values="int4"), "int4"),
        (lambda data: data["input"].update(sizes=[1, 2]), "sizes"),
    ],
)
def test_a_damaged_sheet_names_the_file_and_the_part(change, said):
    data = json.loads(SHEET.to_text())
    change(data)
    with pytest.raises(CheckpointError, match=r"^a\.onnx: ") as caught:
        Sheet.from_text(json.dumps(data), "a.onnx")
    assert said in str(caught.value)
    assert str(caught.value).count("expected the description") <= 1


def test_what_is_no_json_is_told():
    with pytest.raises(CheckpointError, match=r"a\.onnx: expected the description"):
        Sheet.from_text("{", "a.onnx")
