"""What stands in a graph for padding, cutting and pooling gives what eager code does."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from pixelwise.models import recorded, region_means
from pixelwise.models.region_means import RegionMeans, with_region_means


@pytest.mark.parametrize("size", [(5, 7), (8, 7), (6, 12)])
def test_repeating_rows_by_number_is_padding_by_repeating_the_edge(size: tuple[int, int]) -> None:
    values = torch.rand(2, 3, 5, 7)
    expected = F.pad(values, (0, size[1] - 7, 0, size[0] - 5), mode="replicate")
    assert torch.equal(recorded.repeated(values, size), expected)
    assert torch.equal(recorded.cut(expected, (5, 7)), values)


@pytest.mark.parametrize(("side", "count"), [(1, 1), (31, 1), (32, 1), (33, 2), (64, 2)])
def test_cells_cover_a_side(side: int, count: int) -> None:
    assert recorded.cells(side, 32) == count


def test_nothing_is_recorded_and_no_side_varies_in_eager_code() -> None:
    assert not recorded.is_recorded()
    assert not recorded.varies(3)
    assert recorded.holds(3 > 2)


@pytest.mark.parametrize("count", [2, 3, 6, (3, 2)])
@pytest.mark.parametrize("size", [(1, 2), (4, 7), (6, 6), (13, 11)])
def test_means_of_regions_are_those_of_adaptive_pooling(
    count: int | tuple[int, int], size: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    values = torch.rand(2, 3, *size)
    expected = nn.AdaptiveAvgPool2d(count)(values)
    monkeypatch.setattr(region_means, "is_recorded", lambda: True)
    torch.testing.assert_close(RegionMeans(count)(values), expected)


def test_poolings_to_one_pixel_stay_as_they_are() -> None:
    model = with_region_means(nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Sequential(nn.AdaptiveAvgPool2d(2))))
    assert [type(one) for one in (model[0], model[1][0])] == [nn.AdaptiveAvgPool2d, RegionMeans]
