"""Mask DINO: what starts its queries, what noisy objects may see, what is taught, and the authors' weights."""

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from pixelwise.core.errors import CheckpointError, OptionError
from pixelwise.core.labels import LabelSet
from pixelwise.core.masks import DisjointMasks
from pixelwise.core.segmentation import Kind, Segmentation
from pixelwise.models.about import cost_of
from pixelwise.models.deformable_encoder import Memory
from pixelwise.models.heads.box_refining import RefiningDecoder
from pixelwise.models.heads.boxed_query import box_shares
from pixelwise.models.heads.denoising import Noise, blocked, noisy_queries
from pixelwise.models.heads.query_classes import EachClass
from pixelwise.models.heads.query_loss import Layer, Truth
from pixelwise.models.heads.query_matching import Pairs
from pixelwise.models.heads.query_selection import boxes_around, chosen, first_boxes
from pixelwise.models.maskdino_weights import our_name
from pixelwise.models.networks import maskdino
from pixelwise.models.segmenter import Segmenter
from pixelwise.train.loader import collate

LABELS = LabelSet.of(["sky", "car", "dot"], things=["car", "dot"])
TINY: dict[str, Any] = {
    "encoder": "test_efficientnet",
    "weights": "none",
    "queries": 6,
    "width": 64,
    "pixel_layers": 1,
    "pixel_feedforward": 32,
    "decoder_layers": 2,
    "feedforward": 32,
    "noisy": 4,
}
PAPER: dict[str, Any] = {
    "encoder": "resnet50",
    "queries": 300,
    "width": 256,
    "pixel_layers": 6,
    "pixel_feedforward": 2048,
    "decoder_layers": 9,
    "feedforward": 2048,
}


def build(kind: Kind = "instance", **options: Any) -> Segmenter:
    torch.manual_seed(0)
    return maskdino.build(LABELS, kind, **{**TINY, **options})


def two_cars() -> Segmentation:
    """Sky above, two cars below it."""
    ids = np.array([[1, 1, 1, 1], [2, 2, 3, 3]], np.uint8).repeat(16, 0).repeat(8, 1)
    return Segmentation("panoptic", DisjointMasks(ids, 3), np.array([0, 1, 1]), LABELS)


def terms_of(model: Segmenter, images: Tensor, truths: list[Segmentation]) -> dict[str, Tensor]:
    items = [(np.zeros((*truth.size, 3), np.uint8), model.head.targets(truth), "") for truth in truths]
    return model.loss(images, collate(items, model.head.ragged).targets)


def drawn_boxes(count: int) -> Tensor:
    return torch.rand(count, 4) * 0.2 + 0.3


def test_noisy_groups_see_neither_each_other_nor_the_queries_that_are_assigned() -> None:
    classes, boxes = (torch.tensor([0, 1]), torch.tensor([2])), (drawn_boxes(2), drawn_boxes(1))
    noisy = noisy_queries(classes, boxes, 3, Noise(queries=6))
    apart = blocked(noisy.group, 5)
    assert noisy.group.tolist() == [0] * 4 + [1] * 4 + [2] * 4  # two objects and two boxes without one a group
    assert not apart[:4, :4].any()
    assert apart[:4, 4:].all()
    assert apart[12:, :12].all()
    assert not apart[12:, 12:].any()


def test_what_the_decoder_says_of_a_query_does_not_depend_on_queries_that_it_may_not_see() -> None:
    torch.manual_seed(0)
    decoder = RefiningDecoder(32, 4, levels=2, layers=2, feedforward=32)
    memory = Memory(torch.randn(1, 5, 32), ((2, 2), (1, 1)))
    queries, boxes, apart = torch.randn(1, 5, 32), drawn_boxes(5)[None], blocked(torch.tensor([0, 0, 1]), 2)
    *_, before = decoder(queries, boxes, memory, apart)
    changed = queries.clone()
    changed[:, 2] += 5
    *_, after = decoder(changed, boxes, memory, apart)
    is_same = (before.queries == after.queries).all(-1)[0]
    assert is_same.tolist() == [True, True, False, True, True]


def test_noise_stays_in_bounds_and_boxes_without_an_object_lie_further_off() -> None:
    torch.manual_seed(0)
    box = torch.tensor([[0.5, 0.5, 0.2, 0.4]]).repeat(40, 1)
    noisy = noisy_queries((torch.zeros(40, dtype=torch.long),), (box,), 3, Noise(40, boxes=0.4, classes=0.5))
    moved = (noisy.boxes[0] - box[0]).abs() / torch.tensor([0.1, 0.2, 0.2, 0.4])
    assert (moved[:40] <= 0.4 + 1e-5).all()
    assert ((moved[40:] >= 0.4 - 1e-5) & (moved[40:] <= 0.8 + 1e-5)).all()
    assert noisy.pairs.queries.tolist() == list(range(40))
    assert 0.1 < (noisy.classes != 0).float().mean() < 0.6  # half are drawn anew, a third of which as they were


def test_of_more_objects_than_noisy_queries_as_many_are_drawn() -> None:
    noisy = noisy_queries((torch.zeros(9, dtype=torch.long),), (drawn_boxes(9),), 3, Noise(queries=4, contrast=False))
    assert noisy.classes.shape == (1, 4)
    assert len(set(noisy.pairs.objects.tolist())) == 4


def test_a_box_lies_around_the_cells_of_a_mask_and_an_empty_mask_keeps_its_own() -> None:
    masks = torch.full((1, 2, 4, 8), -1.0)
    masks[0, 0, 1:3, 5] = 2
    own = torch.tensor([[[0.1, 0.2, 0.3, 0.4]] * 2])
    torch.testing.assert_close(boxes_around(masks, own)[0], torch.tensor([[5.5 / 8, 0.5, 1 / 8, 0.5], [0.1, 0.2, 0.3, 0.4]]))


def test_boxes_around_masks_of_fewer_bits_are_as_exact() -> None:
    masks = torch.full((1, 1, 3, 334), -1.0)
    masks[0, 0, 1, 301:305] = 1.0
    boxes = boxes_around(masks.bfloat16(), torch.zeros(1, 1, 4))
    assert torch.equal(boxes, boxes_around(masks, torch.zeros(1, 1, 4)))
    torch.testing.assert_close(boxes[0, 0, [0, 2]] * 334, torch.tensor([303.0, 4.0]))


def test_the_cells_of_the_highest_rank_start_queries_and_an_image_may_have_too_few() -> None:
    features, boxes = torch.arange(6.0).reshape(1, 3, 2), torch.zeros(1, 3, 4)
    found = chosen(features, boxes, torch.tensor([[0.1, 0.9, 0.5]]), 2)
    assert found.queries.tolist() == [[[2, 3], [4, 5]]]
    found = chosen(features, boxes, torch.tensor([[0.1, 0.9, 0.5]]), 5)
    assert found.lacking.tolist() == [[False, False, False, True, True]]


def test_cells_have_larger_boxes_on_coarser_levels_or_in_the_authors_way_smaller_ones() -> None:
    memory = Memory(torch.zeros(1, 4, 1), ((1, 1),) * 4)
    assert first_boxes(memory, grows=True)[:, 2].tolist() == pytest.approx([0.05, 0.1, 0.2, 0.4])
    assert first_boxes(memory, grows=False)[:, 2].tolist() == pytest.approx([0.4, 0.2, 0.1, 0.05])


def test_the_loss_of_classes_is_the_focal_loss_of_torchvision_over_the_objects() -> None:
    from torchvision.ops import sigmoid_focal_loss

    torch.manual_seed(0)
    logits, wanted = torch.randn(1, 4, 3), torch.zeros(1, 4, 3)
    wanted[0, 2, 1] = 1
    pairs = Pairs(torch.tensor([0]), torch.tensor([2]), torch.tensor([0]))
    truth = Truth((torch.tensor([1]),), (), (), torch.zeros(1, 2, 2), 2)
    found, count = EachClass().sums(Layer(logits, logits), pairs, truth, torch.ones(4), torch.zeros(1, 4))
    torch.testing.assert_close(found, sigmoid_focal_loss(logits, wanted, reduction="sum"))
    assert count == 1


def test_what_is_no_thing_is_not_taught_a_box() -> None:
    model = build("panoptic").train()
    images = torch.rand(2, 3, 32, 32)
    ids = np.ones((32, 32), np.uint8)
    sky = Segmentation("panoptic", DisjointMasks(ids, 1), np.array([0]), LABELS)
    found = terms_of(model, images, [sky, sky])
    assert all(float(found[name].detach()) == 0 for name in found if name.endswith(("box", "giou")))
    assert float(terms_of(model, images, [sky, two_cars()])["box"].detach()) > 0


def test_every_parameter_learns_from_one_step() -> None:
    model = build("panoptic", finest=2).train()
    torch.stack(list(terms_of(model, torch.rand(2, 3, 32, 32), [two_cars()] * 2).values())).sum().backward()
    assert [name for name, one in model.named_parameters() if one.grad is None] == []


def test_classes_that_are_no_things_have_boxes_where_classes_alone_are_told() -> None:
    model = build("semantic").train()
    truth = Segmentation.from_class_map(two_cars().class_map(), LabelSet.of(LABELS.names))
    optimiser = torch.optim.SGD(model.parameters(), 0.1)
    for _ in range(2):  # the last layer of the boxes starts at zero
        optimiser.zero_grad()
        torch.stack(list(terms_of(model, torch.rand(2, 3, 32, 32), [truth] * 2).values())).sum().backward()
        optimiser.step()
    assert all(one.grad is not None and one.grad.any() for name, one in model.named_parameters() if "refining.boxes" in name)


def test_three_hundred_objects_are_taught_as_far_as_there_are_queries() -> None:
    ids = np.arange(1, 301, dtype=np.uint16).reshape(15, 20).repeat(4, 0).repeat(4, 1)
    truth = Segmentation("instance", DisjointMasks(ids, 300), np.ones(300, np.int64), LABELS)
    with pytest.warns(UserWarning, match="300 objects and the network 6 queries"):
        found = terms_of(build().train(), torch.rand(1, 3, 60, 80), [truth])
    assert all(torch.isfinite(one) for one in found.values())


def test_boxes_of_classes_are_those_around_all_their_pixels() -> None:
    truth = two_cars()
    np.testing.assert_allclose(box_shares(truth, "panoptic")[1], [0.25, 0.75, 0.5, 0.5])
    whole = Segmentation.from_class_map(truth.class_map(), LABELS)
    np.testing.assert_allclose(box_shares(whole, "semantic"), [[0.5, 0.25, 1, 0.5], [0.5, 0.75, 1, 0.5]])


@pytest.mark.parametrize(
    ("option", "value"),
    [("width", 96), ("scales", 3), ("decoder_layers", 0), ("start", "boxes"), ("box_noise", 0.6), ("class_noise", 2.0)]
    + [("noisy", -1), ("queries", 0), ("temperature", -0.1), ("box_loss", -5.0), ("giou_loss", float("nan"))],
)
def test_an_option_out_of_bounds_is_refused_by_name(option: str, value: Any) -> None:
    with pytest.raises(OptionError, match=rf"\[model\] {option}: .*{value}"):
        build(**{option: value})


@pytest.mark.slow  # ten seconds
def test_the_papers_network_has_its_parameters_and_multiply_adds() -> None:
    """The authors state 52 M and 286 G, without a size: photos of COCO at a shorter side of 800 are some 1,100 wide."""
    cost = cost_of("maskdino", PAPER, (800, 1120), 80)
    assert cost.parameters == pytest.approx(52e6, rel=0.02)
    assert cost.multiply_adds == pytest.approx(286e9, rel=0.02)


def theirs(model: Segmenter) -> dict[str, Tensor]:
    """Give a model's tensors under the authors' names, with what they write more than once."""
    pixels, head = "sem_seg_head.pixel_decoder.", "sem_seg_head.predictor."
    around = {"shifts": "sampling_offsets", "shares": "attention_weights", "values": "value_proj", "mixed": "output_proj"}
    rules = [
        (r"^network\.encoder\.(conv1|bn1)", r"backbone.stem.\1"),
        (r"^network\.encoder\.layer(\d)", lambda found: f"backbone.res{int(found[1]) + 1}"),
        (r"downsample\.0", "shortcut"),
        (r"downsample\.1", "shortcut.norm"),
        (r"\bbn(\d)", r"conv\1.norm"),
        (r"^network\.pixels\.inputs", f"{pixels}input_proj"),
        (r"^network\.pixels\.level", f"{pixels}transformer.level_embed"),
        (r"^network\.pixels\.layers", f"{pixels}transformer.encoder.layers"),
        (r"^network\.pixels\.masks", f"{pixels}mask_features"),
        (r"^network\.pixels\.narrow\.0", f"{pixels}adapter_1"),
        (r"^network\.pixels\.narrow\.1", f"{pixels}adapter_1.norm"),
        (r"^network\.pixels\.smooth\.0", f"{pixels}layer_1"),
        (r"^network\.pixels\.smooth\.1", f"{pixels}layer_1.norm"),
        (r"attention\.(shifts|shares|values|mixed)", lambda found: f"self_attn.{around[found[1]]}"),
        (r"around\.(shifts|shares|values|mixed)", lambda found: f"cross_attn.{around[found[1]]}"),
        (r"(transformer.*)attended", r"\1norm1"),
        (r"(transformer.*)worked", r"\1norm2"),
        (r"^head\.refining\.layers", f"{head}decoder.layers"),
        (r"agreed", "norm2"),
        (r"attended", "norm1"),
        (r"worked", "norm3"),
        (r"widen", "linear1"),
        (r"(layers\.\d+\.)narrow", r"\1linear2"),
        (r"among\.mixed", "self_attn.out_proj"),
        (r"^head\.refining\.norm", f"{head}decoder_norm"),
        (r"^head\.refining\.boxes\.(\d)", lambda found: f"{head}_bbox_embed.layers.{int(found[1]) // 2}"),
        (r"^head\.refining\.place\.(\d)", lambda found: f"{head}decoder.ref_point_head.layers.{int(found[1]) // 2}"),
        (r"^head\.embed\.(\d)", lambda found: f"{head}mask_embed.layers.{int(found[1]) // 2}"),
        (r"^head\.cells\.layer", f"{head}enc_output"),
        (r"^head\.cells\.norm", f"{head}enc_output_norm"),
        (r"^head\.named", f"{head}label_enc"),
        (r"^head\.queries\.classify", f"{head}class_embed"),
    ]
    found: dict[str, Tensor] = {}
    own = model.state_dict()
    for name, tensor in own.items():
        if "among.asked" in name:
            parts = [own[name.replace("asked", part)] for part in ("asked", "given", "values")]
            layer = re.search(r"layers\.(\d+)", name)[1]  # type: ignore[index]
            found[f"{head}decoder.layers.{layer}.self_attn.in_proj_{name.rsplit('.')[-1]}"] = torch.cat(parts)
        elif "among.given" not in name and "among.values" not in name:
            for pattern, by in rules:
                name = re.sub(pattern, by, name)  # type: ignore[arg-type]
            if "cross_attn.sampling" in name or "cross_attn.attention" in name:
                tensor = tensor.unflatten(0, (8, 4, -1)).flip(1).flatten(0, 2)
            found[name] = tensor
    repeated = {name.replace("_bbox_embed", "bbox_embed.0"): tensor for name, tensor in found.items() if "_bbox_embed" in name}
    return {**found, **repeated, "criterion.empty_weight": torch.ones(81)}


@pytest.mark.parametrize(("kind", "classes"), [("instance", 80), ("panoptic", 133)])
def test_a_file_with_the_names_of_the_authors_fills_all_of_a_network(kind: Kind, classes: int, tmp_path: Path) -> None:
    names = [f"class {index}" for index in range(classes)]
    names[2] = "car"  # as COCO has it
    own = {"width": 64, "pixel_layers": 1, "decoder_layers": 2, "pixel_feedforward": 48, "feedforward": 32, "queries": 6}
    torch.manual_seed(1)
    given = maskdino.build(LabelSet.of(names, things=names), kind, encoder="resnet50", weights="none", grows=False, **own)
    torch.nn.init.normal_(given.head.refining.layers[0].around.shifts.weight)  # type: ignore[union-attr, index, arg-type]
    path = tmp_path / "maskdino.pth"
    torch.save({"model": theirs(given)}, path)
    model = build(kind, encoder="resnet50", weights=f"detectron2:{path}", **own)
    tensors, wanted = model.state_dict(), given.state_dict()
    ruled = {f"head.{name}" for name in model.head.class_rows}
    for name, tensor in tensors.items():
        if name in ruled:
            assert torch.equal(tensor[1], wanted[name][2])
        elif not name.endswith("num_batches_tracked"):
            assert torch.equal(tensor, wanted[name]), name
    assert model.card.options["pixel_feedforward"] == 48
    assert model.card.options["grows"] is False


def test_weights_of_another_network_and_kind_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "other.pth"
    torch.save({"backbone.stem.conv1.weight": torch.zeros(1)}, path)
    with pytest.raises(CheckpointError, match="no Mask DINO"):
        build(weights=f"detectron2:{path}")
    with pytest.raises(OptionError, match="instance and panoptic"):
        build("semantic", weights=f"detectron2:{path}")
    with pytest.raises(OptionError, match="detectron2:PATH"):
        build(weights=f"mmdet:{path}")
    assert our_name("sem_seg_head.predictor.bbox_embed.3.layers.1.bias") is None
