"""Masks finer than stride 4 add to those at stride 4, and everything else of the network stays as it was."""

from typing import Literal

import pytest
import torch
from tiny_models import TINY

from pixelwise.core.errors import OptionError
from pixelwise.models.fine_masks import FineMasks, levels_for
from pixelwise.models.networks import mask2former
from pixelwise.scenes import LABELS


def network(finest: Literal[1, 2, 4]) -> torch.nn.Module:
    torch.manual_seed(0)
    return mask2former.build(LABELS, "panoptic", **TINY["mask2former"], finest=finest).eval()


@pytest.mark.parametrize(("finest", "side"), [(4, 16), (2, 32), (1, 64)])
def test_masks_have_the_stride_that_was_asked_for(finest: Literal[1, 2, 4], side: int) -> None:
    with torch.no_grad():
        raw = network(finest)(torch.rand(1, 3, 64, 96))
    assert raw.masks.shape[-2:] == (side, side * 3 // 2)


def test_without_what_it_adds_a_fine_mask_is_the_coarse_one_enlarged() -> None:
    fine = FineMasks(64, 24, 3, 2)
    torch.nn.init.zeros_(fine.embed.weight)
    torch.nn.init.zeros_(fine.embed.bias)
    features = fine(torch.rand(1, 64, 4, 5), torch.rand(1, 24, 8, 10), torch.rand(1, 3, 16, 20))
    coarse = torch.rand(1, 7, 4, 5)
    enlarged = torch.nn.functional.interpolate(coarse, size=(8, 10), mode="bilinear", align_corners=False)
    torch.testing.assert_close(fine.masks(torch.rand(1, 7, 64), coarse, features), enlarged)


def test_coarse_and_fine_features_are_both_taught() -> None:
    model = network(1).train()
    features = model.network(torch.rand(1, 3, 64, 64))
    features.masks[-1].square().mean().backward()
    fine = model.network.fine
    for part in (fine.stem, fine.narrow, fine.lateral, fine.smooth, fine.embed):
        assert all(one.grad is not None and one.grad.abs().sum() > 0 for one in part.parameters())
    assert model.network.model.pixel_level_module.decoder.mask_projection.weight.grad.abs().sum() > 0


def test_only_what_is_needed_is_asked_of_the_encoder() -> None:
    assert (levels_for(4, (2, 3)), levels_for(2, (2, 3)), levels_for(1, (2, 3))) == ((2, 3), (1, 2, 3), (1, 2, 3))


def test_a_published_network_keeps_its_masks() -> None:
    with pytest.raises(OptionError, match="finest"):
        mask2former.build(LABELS, config={"model_type": "mask2former"}, weights="none", finest=2)
