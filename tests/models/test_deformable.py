"""Deformable convolutions against torchvision's operator, and the branch made of them."""

import pytest
import torch
from torchvision.ops import deform_conv2d

from pixelwise.core.errors import OptionError
from pixelwise.models.deformable import DeformableBranch, DeformableConvolution, convolved


@pytest.mark.parametrize("size", [(5, 7), (1, 1), (1, 6)])
def test_values_and_gradients_are_those_of_torchvisions_operator(size: tuple[int, int]) -> None:
    torch.manual_seed(0)
    values, weight = torch.randn(2, 4, *size, requires_grad=True), torch.randn(3, 4, 3, 3, requires_grad=True)
    moves = (2 * torch.randn(2, 18, *size)).requires_grad_()  # many of them beyond the border
    ours, theirs = convolved(values, moves, weight), deform_conv2d(values, moves, weight, padding=1)
    torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-4)
    given = (values, moves, weight)
    for one, other in zip(*(torch.autograd.grad(each.sin().sum(), given) for each in (ours, theirs)), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-3, atol=1e-3)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_on_a_gpu_it_is_the_operator_and_the_same() -> None:
    layer, values = DeformableConvolution(4, 6), torch.randn(2, 4, 9, 8)
    torch.nn.init.normal_(layer.moves.weight)
    expected = layer(values)
    torch.testing.assert_close(layer.cuda()(values.cuda()).cpu(), expected, rtol=1e-4, atol=1e-4)


@torch.no_grad()
def test_at_first_it_is_a_plain_convolution() -> None:
    layer, values = DeformableConvolution(4, 6), torch.randn(1, 4, 9, 8)
    torch.testing.assert_close(layer(values), torch.nn.functional.conv2d(values, layer.weight, padding=1), rtol=1e-4, atol=1e-4)


@torch.no_grad()
def test_all_levels_pass_through_the_same_layers_and_come_out_at_the_finest_size() -> None:
    branch = DeformableBranch(2, 8, 64, 1)
    fine, coarse = torch.randn(1, 8, 8, 8), torch.randn(1, 8, 4, 4)
    found = branch([fine, coarse, coarse])
    assert found.shape == (1, 128, 8, 8)
    enlarged = torch.nn.functional.interpolate(branch.layers(coarse), scale_factor=2.0, mode="bilinear")
    torch.testing.assert_close(found[:, 64:], enlarged)
    assert sum(one.numel() for one in branch.parameters()) == 64 * 8 * 9 + 18 * 8 * 9 + 18 + 2 * 64


@pytest.mark.parametrize(("width", "layers", "name"), [(48, 1, "semantic_width"), (64, 0, "semantic_layers")])
def test_what_does_not_fit_is_refused(width: int, layers: int, name: str) -> None:
    with pytest.raises(OptionError, match=name):
        DeformableBranch(2, 8, width, layers)
