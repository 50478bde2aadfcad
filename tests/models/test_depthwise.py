"""The fast backward pass of depthwise convolutions gives the gradients of the plain one."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from pixelwise.models.depthwise import DepthwiseConv2d, is_replaceable, with_fast_depthwise


@pytest.mark.parametrize("kernel", [3, 5])
@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("size", [(20, 26), (21, 27), (8, 7)])
@pytest.mark.parametrize("bias", [False, True])
def test_gradients_equal_those_of_the_plain_convolution(kernel: int, stride: int, size: tuple[int, int], bias: bool) -> None:
    torch.manual_seed(0)
    plain = nn.Conv2d(6, 6, kernel, stride, kernel // 2, groups=6, bias=bias).double()
    fast = DepthwiseConv2d(plain)
    first = torch.randn(2, 6, *size, dtype=torch.float64, requires_grad=True)
    second = first.detach().clone().requires_grad_()
    expected, found = plain(first), fast(second)
    torch.testing.assert_close(found, expected)
    pull = torch.randn_like(expected)
    wanted = torch.autograd.grad(expected, [first, *plain.parameters()], pull)
    given = torch.autograd.grad(found, [second, *fast.parameters()], pull)
    for one, other in zip(given, wanted, strict=True):
        torch.testing.assert_close(one, other)


@pytest.mark.parametrize("size", [(32, 48), (33, 47)])
def test_an_encoder_with_tensorflow_padding_keeps_its_results(size: tuple[int, int]) -> None:
    import timm

    torch.manual_seed(0)
    plain = timm.create_model("tf_efficientnet_lite0", features_only=True, pretrained=False).eval()
    images = torch.rand(1, 3, *size)
    expected = plain(images)
    replaced = with_fast_depthwise(plain)
    assert any(isinstance(module, DepthwiseConv2d) for module in replaced.modules())
    for one, other in zip(replaced(images), expected, strict=True):
        torch.testing.assert_close(one, other)


def test_state_names_stay_the_same() -> None:
    model = nn.Sequential(nn.Conv2d(4, 4, 3, padding=1, groups=4), nn.ReLU())
    before = set(model.state_dict())
    assert set(with_fast_depthwise(model).state_dict()) == before


@pytest.mark.parametrize(
    "layer",
    [
        nn.Conv2d(4, 4, 3, groups=2),
        nn.Conv2d(4, 8, 3, groups=4),
        nn.Conv2d(4, 4, 7, groups=4),
        nn.Conv2d(4, 4, 3, groups=4, dilation=2),
        nn.Conv2d(4, 4, 3, groups=4, padding_mode="reflect"),
        nn.Conv2d(4, 4, 3, groups=4, padding="same"),
    ],
)
def test_other_convolutions_are_left_alone(layer: nn.Conv2d) -> None:
    assert not is_replaceable(layer)


def test_without_gradients_it_is_the_plain_convolution() -> None:
    fast = DepthwiseConv2d(nn.Conv2d(4, 4, 3, padding=1, groups=4))
    images = torch.rand(1, 4, 8, 8)
    with torch.no_grad():
        found = fast(images)
    assert torch.equal(found, F.conv2d(images, fast.weight, fast.bias, padding=1, groups=4))


def test_bfloat16_gradients_are_near_those_of_float32() -> None:
    torch.manual_seed(0)
    layer = DepthwiseConv2d(nn.Conv2d(8, 8, 5, stride=2, padding=2, groups=8, bias=False))
    images = torch.randn(2, 8, 32, 32, requires_grad=True)
    exact = torch.autograd.grad(layer(images).sum(), [images, layer.weight])
    with torch.autocast("cpu", torch.bfloat16):
        total = layer(images).float().sum()
    rough = torch.autograd.grad(total, [images, layer.weight])
    for one, other in zip(rough, exact, strict=True):
        assert (one - other).norm() < 0.02 * other.norm()
