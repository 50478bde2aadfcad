"""Matching by name and shape: prefixes, bands, and what is left over."""

import torch
from torch import Tensor

from pixelwise.models.matching import match, to_bands


def net(prefix: str = "", bands: int = 3) -> dict[str, Tensor]:
    """Two layers under a prefix, every number different."""
    shapes = {"stem.weight": (4, bands, 3, 3), "stem.bias": (4,), "layer1.0.weight": (8, 4, 3, 3), "layer1.0.bias": (8,)}
    return {prefix + name: torch.randn(shape) for name, shape in shapes.items()}


def test_a_prefix_on_either_side_is_found() -> None:
    own, given = net("network.encoder."), net("module.backbone.")
    found = match(own, {**given, "module.head.weight": torch.ones(2, 8)}, 3)
    assert found.prefixes == ("module.backbone.", "network.encoder.")
    assert all(torch.equal(found.tensors[name], given["module.backbone." + name[16:]]) for name in own)
    assert found.unused == ("module.head.weight",)
    assert found.missing == ()


def test_the_prefix_under_which_most_weights_fit_wins() -> None:
    given = {**net("teacher."), **{name: tensor for name, tensor in net("student.").items() if "stem" in name}}
    assert match(net(), given, 3).prefixes == ("teacher.", "")


def test_names_that_timm_flattened_are_the_same_names() -> None:
    own = {"stages_0.blocks.0.weight": torch.zeros(2, 2)}
    assert match(own, {"stages.0.blocks.0.weight": torch.ones(2, 2)}, 3).tensors["stages_0.blocks.0.weight"].sum() == 4


def test_a_first_convolution_of_colour_becomes_one_of_grey_by_the_sum_over_bands() -> None:
    given = net()
    found = match(net(bands=1), given, 1)
    assert found.adapted == ("stem.weight",)
    assert torch.allclose(found.tensors["stem.weight"][:, 0], given["stem.weight"].sum(dim=1))


def test_an_image_alike_in_all_bands_gives_the_same_features_for_any_number_of_bands() -> None:
    weight, grey = torch.randn(4, 3, 3, 3), torch.rand(1, 1, 8, 8)
    expected = torch.nn.functional.conv2d(grey.repeat(1, 3, 1, 1), weight)
    for bands in (1, 2, 5):
        found = torch.nn.functional.conv2d(grey.repeat(1, bands, 1, 1), to_bands(weight, bands))
        assert torch.allclose(found, expected, atol=1e-5)


def test_another_shape_under_the_same_name_is_listed_with_both_shapes() -> None:
    given = net()
    own = {**net(), "layer1.0.weight": torch.zeros(16, 4, 3, 3)}
    found = match(own, given, 3)
    assert found.differing == (("layer1.0.weight", (16, 4, 3, 3), (8, 4, 3, 3)),)
    assert "layer1.0.weight" not in found.tensors


def test_biases_alone_are_no_fit() -> None:
    found = match(net(), {"stem.bias": torch.zeros(4)}, 3)
    assert not found.fits
