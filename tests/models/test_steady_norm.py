"""Batch norms that take a single value a channel."""

import pytest
import torch
from torch import nn

from pixelwise.models.steady_norm import SteadyBatchNorm2d, with_steady_norms


def test_more_values_are_normalised_as_torch_does() -> None:
    values = torch.randn(1, 4, 1, 2)
    plain, steady = nn.BatchNorm2d(4), SteadyBatchNorm2d(4)
    torch.testing.assert_close(steady(values), plain(values))
    torch.testing.assert_close(steady.running_var, plain.running_var)


def test_a_single_value_is_normalised_by_the_running_statistics() -> None:
    steady = SteadyBatchNorm2d(2)
    steady.running_mean, steady.running_var = torch.tensor([1.0, 2.0]), torch.tensor([4.0, 9.0])
    with pytest.raises(ValueError, match="more than 1 value"):
        nn.BatchNorm2d(2)(torch.ones(1, 2, 1, 1))
    found = steady(torch.tensor([5.0, 5.0]).view(1, 2, 1, 1)).flatten()
    torch.testing.assert_close(found, torch.tensor([2.0, 1.0]), rtol=1e-4, atol=1e-4)
    assert steady.running_mean.tolist() == [1, 2]


def test_replacing_shares_weights_and_statistics() -> None:
    model = nn.Sequential(nn.Conv2d(3, 4, 1), nn.Sequential(nn.BatchNorm2d(4)))
    before = model.state_dict()
    with_steady_norms(model)
    assert isinstance(model[1][0], SteadyBatchNorm2d)  # type: ignore[index]
    assert all(one.data_ptr() == before[name].data_ptr() for name, one in model.state_dict().items())
