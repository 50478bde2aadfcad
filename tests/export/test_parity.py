"""The proof: equal models pass, each planted fault fails by the figure it shows in, and the evidence is kept."""

import json
import re
from dataclasses import replace

import numpy as np
import pytest
from painters import CARD, LABELS, Painter, pictures

from pixelwise.core.errors import DataError, OptionError
from pixelwise.core.image import Image
from pixelwise.core.labels import LabelSet
from pixelwise.core.sample import Dataset, Sample
from pixelwise.core.segmentation import Segmentation
from pixelwise.export.agreement import agreement, differing
from pixelwise.export.bounds import Bounds, bounds_of
from pixelwise.export.evidence import keep, keep_failed, proof_of
from pixelwise.export.parity import compare

THINGS = LabelSet.of(["cat", "dog"], things=["cat", "dog"])


def test_a_model_equals_itself():
    found = compare(Painter(), Painter(), pictures())
    assert found.holds
    assert found.total.share == 1
    assert found.probability == 0
    assert found.drop == 0
    assert found.worst == ()
    told = found.to_json()
    assert told["score"]["name"] == "miou"
    assert told["score"]["difference_interval"] == [0, 0]
    assert told["images"] == 8
    json.dumps(told, allow_nan=False)


@pytest.mark.parametrize(
    ("exported", "figure"),
    [
        (Painter(fault=lambda pixels: pixels - 0.3), "equal pixels .* below the bound of 99.9 %"),
        (Painter(fault=lambda pixels: pixels[:, :, ::-1]), "mIoU .* points worse; the bound is 0.1"),
        (Painter(shift=1), "equal pixels 0 %, below"),
        (Painter(sharpness=10.0), "^a probability differs by 0.* above the bound of 0.01$"),
        (Painter(card=replace(CARD, labels=LabelSet.of(["dark", "bright", "grey"]))), "class 1 is 'bright' in the exported"),
    ],
    ids=["wrong mean", "channels turned round", "shifted class ids", "temperature", "class names"],
)
def test_a_planted_fault_fails_by_the_figure_it_shows_in(exported, figure):
    found = compare(Painter(), exported, pictures())
    assert not found.holds
    assert any(re.search(figure, problem) for problem in found.problems), found.problems


def test_fewer_bits_are_judged_by_the_score_and_not_by_pixels():
    slight = Painter(fault=lambda pixels: pixels + np.float32(0.004))  # about one pixel in a hundred changes
    found = compare(Painter(), slight, pictures(), precision="int8", bounds=Bounds(drop=0.05))
    assert found.total.share < 0.999
    assert found.holds
    assert not compare(Painter(), slight, pictures()).holds


def test_without_truth_pixels_decide_alone_and_it_is_said():
    same = compare(Painter(), Painter(), pictures(truth=False), precision="int8")
    assert same.holds
    assert same.drop is None
    assert "equal pixels alone decide" in same.notes[0]
    other = compare(Painter(), Painter(fault=lambda pixels: pixels - 0.3), pictures(truth=False), precision="int8")
    assert any("equal pixels" in problem for problem in other.problems)


def test_both_run_on_each_image_once_after_the_first_and_in_turns():
    order = []
    one, other = Painter(), Painter()
    pair = [lambda images, *rest, who=who: order.append(who) or {"a": one, "b": other}[who](images, *rest) for who in "ab"]

    class Called:
        def __init__(self, call):
            self.call, self.card = call, replace(CARD, gives_probabilities=False)

        def __call__(self, *given):
            return self.call(*given)

    compare(Called(pair[0]), Called(pair[1]), pictures(4))
    assert "".join(order) == "ab" + "ab" + "ba" + "ab" + "ba"  # the first time warms both up


def test_an_image_the_exported_model_alone_refuses_is_a_problem_and_one_both_refuse_is_a_failure():
    data = pictures(2)
    tiny = Sample.of(
        "tiny", Image(np.zeros((1, 1, 3), np.uint8)), Segmentation.from_class_map(np.zeros((1, 1), np.uint8), LABELS)
    )
    both = Dataset([*data, tiny], LABELS, "semantic")
    found = compare(Painter(), Painter(), both)
    assert found.holds
    assert [name for name, _ in found.failures] == ["tiny"]

    def refuse(pixels):
        if pixels[0, 0, 0] == data[1].image.unit()[0, 0, 0]:
            raise DataError("a fixed size is expected")
        return pixels

    alone = compare(Painter(), Painter(fault=refuse), data)
    assert alone.problems[0].startswith("the exported model cannot be run on p1: a fixed size is expected")


def test_no_image_at_all_is_an_error():
    tiny = Sample.of("tiny", Image(np.zeros((1, 1, 3), np.uint8)))
    with pytest.raises(DataError, match=r"no image that both models could be run on .*more than a pixel"):
        compare(Painter(), Painter(), Dataset([tiny], LabelSet(()), "semantic"))


def test_a_bad_precision_is_told_with_the_near_one():
    with pytest.raises(OptionError, match="did you mean 'int8'"):
        bounds_of("int9")


def objects(*boxes, kind="instance"):
    masks = np.zeros((len(boxes), 8, 12), bool)
    for mask, (_, left, right, _) in zip(masks, boxes, strict=True):
        mask[2:6, left:right] = True
    scores = np.array([score for *_, score in boxes])
    return Segmentation.from_masks(kind, masks, [index for index, *_ in boxes], THINGS, scores=scores)


def test_objects_are_equal_in_whatever_order_they_come():
    found = agreement(objects((0, 0, 4, 0.9), (1, 6, 10, 0.8)), objects((1, 6, 10, 0.7), (0, 0, 4, 0.9)))
    assert found.share == 1
    assert (found.segments, found.matched, found.renamed) == ((2, 2), 2, 0)
    assert found.score == pytest.approx(0.1)


def test_an_object_of_another_class_or_gone_makes_its_pixels_differ():
    renamed = agreement(objects((0, 0, 4, 0.9)), objects((1, 0, 4, 0.9)))
    assert (renamed.matched, renamed.renamed, renamed.pixels - renamed.equal) == (1, 1, 16)
    gone = agreement(objects((0, 0, 4, 0.9), (1, 6, 10, 0.8)), objects((0, 0, 4, 0.9)))
    assert (gone.segments, gone.matched, gone.pixels - gone.equal) == ((2, 1), 1, 16)
    assert agreement(objects(), objects()).share == 1


def test_an_object_that_moved_a_column_differs_at_both_ends():
    assert differing(objects((0, 0, 4, 0.9)), objects((0, 1, 5, 0.9))).sum() == 8


def test_a_proof_is_kept_under_the_name_of_its_file_and_holds_for_that_file_alone(tmp_path):
    found = compare(Painter(), Painter(), pictures(2))
    for name in ("model.onnx", "model.xml"):
        (tmp_path / name).write_text(name)
        keep(found, tmp_path / name)
    assert set(json.loads((tmp_path / "parity.json").read_text())) == {"model.onnx", "model.xml"}
    assert proof_of(tmp_path / "model.onnx")["holds"] is True
    (tmp_path / "model.onnx").write_text("another model")
    assert proof_of(tmp_path / "model.onnx") is None
    assert proof_of(tmp_path / "model.xml") is not None


def test_a_failed_proof_keeps_its_worst_images_as_pictures(tmp_path):
    model, other, data = Painter(), Painter(fault=lambda pixels: pixels - 0.3), pictures()
    keep_failed(compare(model, other, data), model, other, data, tmp_path / "failed")
    written = sorted(path.name for path in (tmp_path / "failed").iterdir())
    assert written[-1] == "parity.json"
    assert len(written) == 7
    assert written[0].startswith("01_p")
    assert json.loads((tmp_path / "failed" / "parity.json").read_text())["holds"] is False
