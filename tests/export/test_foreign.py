"""Small cards beside files that were made elsewhere."""

import json
from pathlib import Path

import pytest

from pixelwise.core.errors import CheckpointError
from pixelwise.export.foreign import FOREIGN, read_beside

EXAMPLES = Path(__file__).parents[2] / "examples" / "models"
SMALL = {"format": FOREIGN, "name": "person", "classes": ["background", "person"]}


def beside(folder, card):
    (folder / "m.onnx.card.json").write_text(json.dumps(card))
    return read_beside(folder / "m.onnx")


def test_a_small_card_is_enough(tmp_path):
    sheet = beside(tmp_path, {**SMALL, "input": {"size": [256, 256], "fit": "resize"}, "output": {"activation": "sigmoid"}})
    assert sheet.card.labels.names == ("background", "person")
    assert (sheet.input.size, sheet.input.fit) == ((256, 256), "resize")
    assert (sheet.outputs, dict(sheet.decoder.options)) == (("planes",), {"activation": "sigmoid"})
    assert sheet.card.gives_probabilities


def test_a_whole_sheet_is_taken_too(tmp_path):
    sheet = beside(tmp_path, SMALL)
    assert beside(tmp_path, json.loads(sheet.to_text())) == sheet


@pytest.mark.parametrize(
    ("card", "said"),
    [
        ({"format": "other"}, "its format is 'other'"),
        ({"format": FOREIGN, "name": "person"}, "it has no 'classes'"),
        ({**SMALL, "clases": []}, "did you mean 'classes'"),
        ({**SMALL, "output": {"decoder": "plane"}}, "did you mean 'planes'"),
        ({**SMALL, "input": {"fit": "squeeze"}}, "fit"),
        ([], "expected the card of a model made elsewhere"),
    ],
)
def test_a_wrong_card_says_what_is_wrong(tmp_path, card, said):
    with pytest.raises(CheckpointError, match=said):
        beside(tmp_path, card)


def test_a_file_without_a_card_asks_for_one(tmp_path):
    with pytest.raises(CheckpointError, match=r"write one beside it: m\.onnx\.card\.json"):
        read_beside(tmp_path / "m.onnx")


@pytest.mark.parametrize("card", sorted(EXAMPLES.glob("*.card.json")), ids=lambda path: path.name)
def test_the_examples_are_cards(card):
    sheet = read_beside(card.with_name(card.name.removesuffix(".card.json")))
    assert sheet.input.size == (256, 256)
    assert sheet.card.training["licence"]
