"""A packed segmentation is the segmentation; anything else is refused in a sentence, whatever its bytes."""

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pixelwise.core.errors import DataError
from pixelwise.core.labels import LabelSet
from pixelwise.core.masks import DisjointMasks
from pixelwise.core.packed import pack, unpack
from pixelwise.core.segmentation import Segmentation

LABELS = LabelSet.of(["a", "b"], things=["b"]).with_values({7: 0, 9: 1, 255: -1}, settled=False)
MASKS = np.array([[[1, 1, 0]], [[0, 1, 1]], [[0, 0, 0]]], bool)
FULL = Segmentation.from_masks(
    "instance",
    MASKS,
    [0, 1, 1],
    LABELS,
    scores=np.array([0.1, 1 / 3, 1], np.float32),
    crowd=[False, True, False],
    boxes=np.arange(12, dtype=np.float64).reshape(3, 4) / 3,
    areas=np.array([1.5, 2, 3]),
    source_ids=[5, 6, 2**40],
    track_ids=[1, 2, 3],
    attributes=[{"blurred": True}, {}, {"sure": np.float32(0.5), "at": np.array([1, 2])}],
    notes=("seen — far away",),
)


def test_every_field_comes_back() -> None:
    back, about = unpack(pack(FULL, {"version": "2"}), (1, 3))
    assert back == FULL
    assert about == {"version": "2"}
    assert back.labels == FULL.labels
    for name in ("class_ids", "scores", "crowd", "boxes", "areas", "source_ids", "track_ids"):
        mine, theirs = getattr(back, name), getattr(FULL, name)
        assert (mine.tolist(), mine.dtype) == (theirs.tolist(), theirs.dtype)
        assert mine.flags.writeable
    assert back.attributes == ({"blurred": True}, {}, {"sure": 0.5, "at": [1, 2]})
    assert back.notes == FULL.notes


def test_fields_that_are_not_there_stay_away() -> None:
    back = unpack(pack(Segmentation.from_class_map(np.array([[0, 1, 255]]), LABELS)), (1, 3)).segmentation
    assert (back.scores, back.crowd, back.boxes, back.probabilities, back.attributes) == (None, None, None, None, ())
    assert back.class_map().tolist() == [[0, 1, 255]]


def test_probabilities_come_back_bit_for_bit() -> None:
    spread = np.random.default_rng(0).random((2, 4, 5), np.float32)
    found = Segmentation.from_class_map(spread.argmax(0), LABELS, probabilities=spread)
    back = unpack(pack(found), (4, 5)).segmentation.probabilities
    assert back is not None
    assert back.tobytes() == spread.tobytes()


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "uint32", "int64"])
@pytest.mark.parametrize("size", [(3, 4), (0, 4), (1, 1)])
def test_ids_of_any_type_and_size_come_back(dtype: str, size: tuple[int, int]) -> None:
    ids = (np.arange(size[0] * size[1]) % 3).astype(dtype).reshape(size)
    masks = DisjointMasks(ids, 3)
    back = unpack(pack(Segmentation("panoptic", masks, np.array([0, 1, 1]), LABELS)), size).segmentation
    assert back.masks == masks


def test_an_attribute_that_is_no_json_is_refused() -> None:
    with pytest.raises(DataError, match="no JSON value"):
        pack(Segmentation.from_masks("instance", MASKS[:1], [0], LABELS, attributes=[{"x": {1, 2}}]))


def changed(**parts: Any) -> bytes:
    """Pack a class map of 1 x 3 pixels, and change what its description says."""
    content = pack(Segmentation.from_class_map(np.array([[0, 1, 1]]), LABELS))
    length = int.from_bytes(content[:8], "little")
    header = json.loads(content[8 : 8 + length])
    plain = json.loads(header["__metadata__"]["pixelwise"]) | parts
    header["__metadata__"]["pixelwise"] = json.dumps(plain)
    text = json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + content[8 + length :]


@pytest.mark.parametrize(
    "parts",
    [
        {"format": "pixelwise segmentation 2"},
        {"size": [2, 3]},
        {"kind": "other"},
        {"kind": None},
        {"count": 1},
        {"count": -1},
        {"count": 2**40},
        {"count": "many"},
        {"ids": "object"},
        {"ids": "uint32"},
        {"ids": ["uint8"]},
        {"labels": {}},
        {"labels": LabelSet.of(["a"]).to_json()},
        {"attributes": 3},
        {"notes": None},
        {"about": []},
    ],
    ids=str,
)
def test_a_description_that_does_not_fit_is_refused(parts: dict[str, Any]) -> None:
    with pytest.raises(DataError, match="here: expected a segmentation, but"):
        unpack(changed(**parts), (1, 3), "here")


def test_a_bomb_is_not_inflated_beyond_the_image() -> None:
    bomb = pack(Segmentation.from_class_map(np.zeros((9000, 9000), np.uint8), LABELS))
    with pytest.raises(DataError, match="has 4 bytes or more, expected 3"):
        unpack(bomb.replace(b"[9000, 9000]", b"[1, 3]      "), (1, 3))


@given(st.data())
def test_bytes_that_were_changed_give_a_segmentation_or_a_sentence(data: st.DataObject) -> None:
    content = bytearray(pack(FULL if data.draw(st.booleans()) else Segmentation.from_class_map(np.array([[0, 1, 1]]), LABELS)))
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    if data.draw(st.booleans()):
        del content[data.draw(st.integers(0, len(content) - 1)) :]
    try:
        found = unpack(bytes(content), (1, 3)).segmentation
    except DataError:
        return
    assert found.size == (1, 3)
