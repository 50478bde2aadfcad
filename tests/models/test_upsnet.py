"""UPSNet: its panoptic logits on a case worked out by hand, its two terms of the loss, its size, its options."""

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from pixelwise.core.errors import OptionError
from pixelwise.core.labels import LabelSet
from pixelwise.core.masks import DisjointMasks
from pixelwise.core.segmentation import Segmentation
from pixelwise.decode.panoptic_logits import Pruning, pruned, winners
from pixelwise.models.coco_classes import STUFF, THINGS
from pixelwise.models.heads.panoptic_terms import VOID, Layout, panoptic_logits, panoptic_loss, roi_loss
from pixelwise.models.networks import upsnet

LABELS = LabelSet.of(["sky", "car", "dog"], things=["car", "dog"])
SMALL: dict[str, Any] = {
    "encoder": "test_efficientnet",
    "weights": "none",
    "pyramid": 32,
    "width": 64,
    "mask_width": 32,
    "semantic_width": 64,
    "proposals": (50, 20),
}
LAYOUT = Layout((1, 2), (0,), 1)
SKY = torch.full((4, 4), 1.0)
CAR = torch.tensor([[2.0, 2, 0, 0], [2, 2, 0, 0], [0, 0, 0, 0], [-1, -1, -1, 5]])
DOG = torch.tensor([[0.0, 0, 3, 3], [0, 0, 3, 3], [0, 0, 0, 0], [0, 0, 0, 0]])
SEMANTIC = torch.stack([SKY, CAR, DOG])
BOXES = torch.tensor([[0.0, 0, 2, 2], [1.0, 0, 4, 2]])
MASKS = torch.stack([torch.full((2, 2), 4.0), torch.full((2, 2), 0.5)])
CLASSES = torch.tensor([0, 1])  # a car, a dog: among the things

# by hand: inside its box X of its class plus its mask's logit, outside 0
A_CAR = torch.tensor([[6.0, 6, 0, 0], [6, 6, 0, 0], [0, 0, 0, 0], [0, 0, 0, 0]])
A_DOG = torch.tensor([[0.0, 0.5, 3.5, 3.5], [0, 0.5, 3.5, 3.5], [0, 0, 0, 0], [0, 0, 0, 0]])
# max of the things: 2 2 3 3 / 2 2 3 3 / 0 / 0 0 0 5; less max of what the objects took: 2 2 3 3 / 2 2 3 3 / 0 / 0
UNKNOWN = torch.tensor([[0.0, 0, 0, 0], [0, 0, 0, 0], [0, 0, 0, 0], [0, 0, 0, 5]])


def test_panoptic_logits_of_a_case_worked_out_by_hand() -> None:
    found = panoptic_logits(SEMANTIC, MASKS, BOXES, CLASSES, LAYOUT)
    torch.testing.assert_close(found, torch.stack([SKY, A_CAR, A_DOG, UNKNOWN]))


def test_without_objects_unknown_is_the_highest_of_the_things() -> None:
    found = panoptic_logits(SEMANTIC, MASKS[:0], BOXES[:0], CLASSES[:0], LAYOUT)
    torch.testing.assert_close(found, torch.stack([SKY, torch.maximum(CAR, DOG)]))


def test_decoding_gives_the_channel_of_the_highest_of_the_same_logits() -> None:
    scores = np.array([0.9, 0.8])
    placed = pruned(BOXES.double().numpy(), np.array([1, 2]), scores, MASKS.numpy(), (4, 4), Pruning(0.5, 0.9, 1.0))
    parts = [
        winners(SEMANTIC[:, rows].numpy(), placed, np.array([1, 2]), np.array([0]), rows) for rows in (slice(0, 1), slice(1, 4))
    ]
    assert np.concatenate(parts).tolist() == [[2, 2, 3, 3], [2, 2, 3, 3], [1, 1, 1, 1], [1, 1, 1, 0]]


def test_decoding_agrees_with_the_logits_on_drawn_cases() -> None:
    torch.manual_seed(0)
    for _ in range(20):
        semantic, masks = 2 * torch.randn(3, 6, 8) + 1, 2 * torch.randn(3, 4, 4)
        corners = torch.rand(3, 2) * torch.tensor([4.0, 3.0])
        boxes = torch.cat([corners, corners + 1 + 3 * torch.rand(3, 2)], dim=1)
        classes = torch.randint(2, (3,))
        logits = panoptic_logits(semantic, masks, boxes, classes, LAYOUT)
        placed = pruned(
            boxes.double().numpy(), classes.numpy() + 1, np.array([0.9, 0.8, 0.7]), masks.numpy(), (6, 8), Pruning(0, 1, 1)
        )
        found = winners(semantic.numpy(), placed, np.array([1, 2]), np.array([0]), slice(0, 6))
        if len(placed) < 3:  # one without a pixel is no object
            continue
        best = logits.argmax(dim=0)
        wanted = torch.where(best == 4, 0, best + 1)
        by_a_zero = (logits.gather(0, best[None])[0] == 0) & (best > 0)
        assert ((torch.from_numpy(found) == wanted) | by_a_zero).all()


def test_pruning_looks_at_boxes_of_all_classes_and_at_masks_of_one() -> None:
    full = np.full((4, 2, 2), 5.0)
    boxes = np.array([[0.0, 0, 4, 4], [0, 0, 4, 3], [2, 0, 6, 4], [0, 2, 4, 6]])
    classes = np.array([1, 2, 1, 2])
    kept = pruned(boxes, classes, np.array([0.9, 0.8, 0.7, 0.3]), full, (8, 8), Pruning(0.5, 0.5, 0.3))
    assert [one.score for one in kept] == [0.9]  # the second's box is the first's, half of the third is, the last is unsure
    kept = pruned(boxes, classes, np.array([0.9, 0.8, 0.7, 0.6]), full, (8, 8), Pruning(0.5, 0.5, 0.3))
    assert [one.score for one in kept] == [0.9, 0.6]  # of another class than the first


def test_hidden_objects_teach_unknown_and_those_not_shown_teach_nothing() -> None:
    segments = torch.tensor([[[0, 0, 0, VOID], [1, 1, 2, 2], [3, 3, 3, 3], [0, 0, 0, 0]]])
    boxes = torch.tensor([[2.0, 1, 4, 2], [0.0, 1, 2, 2]])
    rows = torch.tensor([1, 0])  # of three objects the second is known, the first hidden, the third not shown
    masks = torch.full((1, 2, 2), 3.0)
    given = ([masks], [boxes], [torch.tensor([1, 0])], [rows], segments, LAYOUT)
    logits = panoptic_logits(SEMANTIC, masks, boxes[:1], torch.tensor([1]), LAYOUT).log_softmax(dim=0)
    wanted = -(logits[0, 0, :3].sum() + logits[2, 1, :2].sum() + logits[1, 1, 2:].sum() + logits[0, 3].sum()) / 11
    torch.testing.assert_close(panoptic_loss(SEMANTIC[None], *given), wanted)


def test_cells_in_the_padding_do_not_count() -> None:
    segments = torch.zeros(1, 4, 2, dtype=torch.int32)
    found = panoptic_loss(
        SEMANTIC[None], [MASKS[:0]], [BOXES[:0]], [CLASSES[:0]], [CLASSES[:0]], segments, LAYOUT._replace(stride=1)
    )
    logits = panoptic_logits(SEMANTIC, MASKS[:0], BOXES[:0], CLASSES[:0], LAYOUT).log_softmax(dim=0)
    torch.testing.assert_close(found, -logits[0, :, :2].mean())


def test_pixels_inside_boxes_are_classified_once_more() -> None:
    semantic = torch.zeros(1, 3, 4, 4)
    semantic[:, 1] = 2.0
    truth = torch.full((1, 4, 4), 255, dtype=torch.uint8)
    truth[:, 1:3, 1:3] = 1
    found = roi_loss(semantic, [torch.tensor([[1.0, 1, 3, 3], [0, 0, 1, 1]])], truth, 255, 1)
    torch.testing.assert_close(found, -torch.tensor([0.0, 2.0, 0.0]).log_softmax(0)[1])
    assert roi_loss(semantic, [torch.zeros(0, 4)], truth, 255, 1) == 0


def test_segments_are_stuff_and_the_rows_of_objects() -> None:
    head = upsnet.build(LABELS, **SMALL).head
    ids = np.array([[1, 1, 2, 3], [4, 4, 0, 3]], np.uint8)
    truth = Segmentation(
        "panoptic", DisjointMasks(ids, 4), np.array([0, 2, 1, 1]), LABELS, crowd=np.array([False, False, True, False])
    )
    targets = head.targets(truth)
    assert targets["segments"].tolist() == [[0, 0, 1, VOID], [2, 2, VOID, VOID]]
    assert targets["classes"].tolist() == [1, 0]
    assert targets["semantic"].tolist() == [[0, 0, 2, 255], [1, 1, 255, 255]]


def test_every_term_reaches_the_weights_it_is_to_teach() -> None:
    torch.manual_seed(0)
    model = upsnet.build(LABELS, **SMALL, anchors="small", unknown=0.0).eval()  # a batch norm cannot take one pixel
    terms = model.loss(torch.rand(1, 3, 32, 32), _targets(model))
    assert list(terms) == [
        "rpn_objectness",
        "rpn_box",
        "classes",
        "boxes",
        "masks",
        "semantic_cross_entropy",
        "roi",
        "panoptic",
    ]
    terms["panoptic"].backward()
    head: Any = model.head
    assert head.classify.weight.grad.abs().sum() > 0
    assert head.instances.mask_predictor.mask_fcn_logits.weight.grad.abs().sum() > 0


def _targets(model: torch.nn.Module) -> dict[str, Tensor | tuple[Tensor, ...]]:
    from pixelwise.train.loader import collate

    ids = np.zeros((32, 32), np.uint8)
    ids[4:20, 4:20], ids[20:] = 1, 2
    truth = Segmentation("panoptic", DisjointMasks(ids, 2), np.array([1, 0]), LABELS)
    head: Any = model.head
    return collate([(np.zeros((32, 32, 3), np.uint8), head.targets(truth), "")], head.ragged).targets


def test_its_parameters_at_the_papers_size() -> None:
    """Mask R-CNN's 44.4 M with COCO's 80 things, and a branch of 0.8 M; the paper's count could not be looked up."""
    labels = LabelSet.of([*THINGS, *STUFF], things=THINGS)
    with torch.device("meta"):
        model = upsnet.build(
            labels,
            encoder="resnet50",
            weights="none",
            pyramid=256,
            width=1024,
            mask_width=256,
            semantic_width=128,
            semantic_layers=3,
        )
    own = [*model.network.semantic.parameters(), *model.head.classify.parameters()]  # type: ignore[union-attr]
    moves = 18 * 9 * (256 + 128 + 128) + 3 * 18
    assert sum(one.numel() for one in own) == 9 * 128 * (256 + 128 + 128) + moves + 3 * 256 + 133 * 513
    assert round(sum(one.numel() for one in model.parameters()) / 1e6, 1) == 45.1


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"unknown": 1.0}, "unknown: expected a share from 0 to below 1, got 1.0"),
        ({"roi_loss": -1.0}, "roi_loss: expected a weight of 0 or more"),
        ({"object_score": 1.1}, "object_score: expected 0 to 1, got 1.1"),
        ({"stuff_area": -3}, "stuff_area: expected 0 pixels or more, got -3"),
    ],
)
def test_what_does_not_fit_is_refused_with_a_sentence(options: dict[str, Any], message: str) -> None:
    with pytest.raises(OptionError, match=message):
        upsnet.build(LABELS, **{**SMALL, **options})
