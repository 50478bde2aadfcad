"""The grid head: what its loss counts, what it leaves out, and how cells become detections."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from pixelwise.core.errors import DataError, OptionError
from pixelwise.core.labels import LabelSet
from pixelwise.core.predictor import PLAIN
from pixelwise.core.segmentation import Segmentation
from pixelwise.decode.frame import Frame
from pixelwise.models.heads.grid import GridHead, GridOptions, GridRaw
from pixelwise.models.heads.grid_layers import GridWidths, with_coordinates
from pixelwise.models.heads.grid_loss import class_sum
from pixelwise.models.heads.grid_targets import Grids
from pixelwise.models.losses.whole import gathering
from pixelwise.train.loader import collate

LABELS = LabelSet.of(["cell", "dot"], things=["cell", "dot"])
GRIDS = Grids((4, 2), ((0.0, 6.0), (4.0, 99.0)))
SIZE = (12, 16)


def head(**options: Any) -> GridHead:
    torch.manual_seed(0)
    widths = GridWidths(8, 16, 1, 16, 16, options.pop("kernel", 1))
    return GridHead(GRIDS, widths, 2, 2, 4, GridOptions(**options)).eval()


def scene(count: int = 2, crowd: bool = False) -> Segmentation:
    masks = np.zeros((3, *SIZE), bool)
    masks[0, 1:4, 2:6] = masks[1, 5:11, 8:15] = masks[2, 8:, :4] = True
    found = Segmentation.from_masks("instance", masks[:count], [0, 1, 0][:count], LABELS)
    return replace(found, crowd=np.array([False, False, True])) if crowd else found


def batch(truths: list[Segmentation], of: GridHead) -> Any:
    items = [(np.zeros((*SIZE, 3), np.uint8), of.targets(truth), "") for truth in truths]
    return collate(items, of.ragged).targets


def raw_of(count: int, of: GridHead) -> GridRaw:
    torch.manual_seed(1)
    cells = GRIDS.cells
    width = of.cells.kernels.out_channels
    return GridRaw(torch.randn(count, cells, 2), torch.randn(count, cells, width), torch.randn(count, 16, 6, 8))


def losses(of: GridHead, raw: GridRaw, targets: Any) -> dict[str, Tensor]:
    torch.manual_seed(2)  # points are drawn alike
    return of.loss(raw, targets)


def test_every_cell_gives_classes_and_a_kernel_and_all_share_the_features() -> None:
    own = head(kernel=3)
    levels = [torch.rand(2, 8, 6, 8), torch.rand(2, 8, 3, 4), torch.rand(2, 8, 2, 2)]
    raw = own(levels, SIZE)
    assert [tuple(part.shape) for part in raw] == [(2, 20, 2), (2, 20, 16 * 9), (2, 16, 6, 8)]


def test_coordinates_run_from_minus_one_to_one() -> None:
    found = with_coordinates(torch.zeros(1, 1, 3, 5))[0, 1:]
    torch.testing.assert_close(found[0], torch.linspace(-1, 1, 5).expand(3, 5))
    torch.testing.assert_close(found[1], torch.linspace(-1, 1, 3)[:, None].expand(3, 5))


def test_the_focal_loss_is_the_papers() -> None:
    logits = torch.tensor([[[1.0, -2.0], [0.5, 3.0]]])
    chances = logits.sigmoid()
    hit, miss = 0.25 * (1 - chances) ** 2 * -chances.log(), 0.75 * chances**2 * -(1 - chances).log()
    expected = hit[0, 0, 0] + miss[0, 0, 1] + 2 * 0 + miss[0, 1].sum()
    found = class_sum(logits, torch.tensor([[0, -1]]), torch.ones(1, 2), None)
    torch.testing.assert_close(found, expected)


def test_cells_and_pixels_of_a_crowd_teach_nothing() -> None:
    own = head()
    raw, targets = raw_of(1, own), batch([scene(3, crowd=True)], head())
    first = losses(own, raw, targets)
    in_crowd = torch.where(targets["counted"][0] == 0)[0]
    assert in_crowd.tolist() == [12]  # the first cell of the last row
    raw.classes[0, in_crowd] += 9
    raw.features[..., 5:, :1] += 9  # cells that no counted pixel's value is mixed from
    second = losses(own, raw, targets)
    for name, term in first.items():
        torch.testing.assert_close(second[name], term)


def test_parts_of_a_batch_add_up_to_the_whole() -> None:
    own = head()
    truths = [scene(2), scene(0)]
    raw = raw_of(2, own)
    whole = losses(own, raw, batch(truths, own))
    sums: list[Tensor] = []

    def note(part: Tensor, follows: bool) -> Tensor:
        sums.append(part.detach())
        return part

    parts = [GridRaw(*(part[row : row + 1] for part in raw)) for row in (0, 1)]
    with gathering(note):
        for part, truth in zip(parts, truths, strict=True):
            losses(own, part, batch([truth], own))
    with gathering(lambda part, follows: torch.stack(sums).sum(0)):
        for part, truth in zip(parts, truths, strict=True):
            for name, term in losses(own, part, batch([truth], own)).items():
                torch.testing.assert_close(term, whole[name])


def test_three_hundred_objects_teach_with_a_sample_of_their_cells() -> None:
    own = head(samples=50)
    ids = np.arange(SIZE[0] * SIZE[1]).reshape(SIZE)
    masks = np.stack([ids == index for index in range(150)] * 2)
    targets = batch([Segmentation.from_masks("instance", masks, np.arange(300) % 2, LABELS)], own)
    raw = raw_of(1, own)
    assert all(bool(torch.isfinite(term)) for term in losses(own, raw, targets).values())


def test_a_sure_cell_becomes_a_detection_with_its_kernels_mask() -> None:
    own = head()
    raw = raw_of(1, own)
    raw.classes.fill_(-9.0)
    raw.classes[0, 5, 1] = 4.0  # the second class in the second row of the first grid
    found = own.reduce(raw, SIZE)
    logits = (raw.kernels[0, 5] @ raw.features[0].flatten(1)).view(6, 8)
    torch.testing.assert_close(found.masks[0, 0], logits)
    sure = logits[logits > 0].sigmoid().mean() * torch.tensor(4.0).sigmoid()
    torch.testing.assert_close(found.scores[0, 0], sure)
    assert (found.counts.tolist(), found.classes[0, 0], found.padded.tolist()) == ([1], 1, [[12, 16]])
    assert not found.masks[0, 1:].any()


def test_kernels_of_three_by_three_are_convolutions() -> None:
    own = head(kernel=3)
    raw = raw_of(1, own)
    raw.classes.fill_(-9.0)
    raw.classes[0, 17, 0] = 4.0
    expected = F.conv2d(raw.features, raw.kernels[0, 17].view(1, 16, 3, 3), padding=1)[0, 0]
    torch.testing.assert_close(own.reduce(raw, SIZE).masks[0, 0], expected, rtol=1e-4, atol=1e-5)


def test_masks_of_few_cells_can_be_dropped_and_detections_are_as_many_as_asked_for() -> None:
    raw = raw_of(1, head())
    usual = head(score=0.0, keep=0.0, detections=7).reduce(raw, SIZE)
    assert usual.scores.shape == (1, 7)
    assert usual.counts.tolist() == [7]
    assert bool((usual.scores[:, :-1] >= usual.scores[:, 1:]).all())
    assert head(score=0.0, keep=0.0, smallest=(48, 48)).reduce(raw, SIZE).counts.tolist() == [0]


def test_a_cell_whose_neighbour_is_surer_is_dropped_where_peaks_are_asked_for() -> None:
    raw = raw_of(1, head())
    raw.classes.fill_(-9.0)
    raw.classes[0, 5, 1], raw.classes[0, 6, 1], raw.classes[0, 6, 0] = 4.0, 3.0, 3.0  # 6 lies right of 5
    assert int(head(keep=0.0).reduce(raw, SIZE).counts) == 3
    found = head(peaks=True, keep=0.0).reduce(raw, SIZE)
    assert sorted(found.classes[0, : int(found.counts)].tolist()) == [0, 1]


def test_broken_weights_are_told_and_not_taken_for_an_empty_image() -> None:
    own, raw = head(peaks=True), raw_of(1, head())
    raw.classes.fill_(torch.nan)
    with pytest.raises(DataError, match="NaN"):
        own.decoder([part.numpy() for part in own.reduce(raw, SIZE)], [Frame(SIZE)], LABELS, PLAIN)


@pytest.mark.parametrize(
    "options",
    [
        {"candidates": 0},
        {"score": 1.5},
        {"mask": 1.0},
        {"sigma": 0.0},
        {"decay": "hard"},
        {"smallest": (1,)},
        {"mask_loss": -1.0},
    ],
)
def test_numbers_that_do_not_fit_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(OptionError, match=next(iter(options))):
        head(**options)


def test_what_masks_are_in_the_padding_does_not_count() -> None:
    own = head(candidates=4, detections=4, keep=0.0)
    classes = torch.full((1, GRIDS.cells, 2), -9.0)
    classes[0, 0, 0], classes[0, 5, 0] = 3.0, 2.0
    kernels = torch.zeros(1, GRIDS.cells, own.cells.kernels.out_channels)
    kernels[0, 0, 0] = kernels[0, 5, 1] = 1.0
    features = torch.full((1, 16, 6, 8), -9.0)
    features[0, 0, :3, :3], features[0, 1, :3, 3:6] = 9.0, 9.0  # two masks apart in the image,
    alone = own.reduce(GridRaw(classes, kernels, features), (6, 12)).scores
    features[0, :2, 4:] = 9.0  # and alike in the padding below an image of 6 x 12 pixels
    assert torch.equal(own.reduce(GridRaw(classes, kernels, features), (6, 12)).scores, alone)
    assert alone[0, 1] > 0.8
