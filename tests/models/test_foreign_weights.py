"""Weights of other libraries: names, rows of classes, and what is refused."""

from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from pixelwise.core.errors import CheckpointError, UnknownName
from pixelwise.models.encoders import build_encoder
from pixelwise.models.foreign_weights import detectron2_resnet, fill, from_bgr, read_tensors, stride_in_first
from pixelwise.models.networks import unet

LAYER = {"a.weight": torch.arange(6.0).reshape(3, 2), "a.bias": torch.arange(3.0)}


def test_every_tensor_goes_to_its_name_and_rows_to_their_classes() -> None:
    model = nn.Linear(2, 2)
    drawn = model.weight[1].clone()
    names = {"a.weight": "weight", "a.bias": "bias"}
    fill(model, {**LAYER, "mean": torch.zeros(1)}, names.get, {"weight": {0: 2}, "bias": {0: 2}})
    assert torch.equal(model.weight[0], torch.tensor([4.0, 5.0]))
    assert torch.equal(model.weight[1], drawn)


@pytest.mark.parametrize(
    ("tensors", "message"),
    [
        ({"weight": torch.zeros(2, 2)}, "of its own get nothing: bias"),
        ({"weight": torch.zeros(2, 2), "bias": torch.zeros(2), "more": torch.zeros(2)}, "have no place in it: more"),
        ({"weight": torch.zeros(3, 2), "bias": torch.zeros(2)}, r"differ in shape: weight \(3, 2\) for weight \(2, 2\)"),
    ],
)
def test_what_does_not_fit_is_named(tensors: dict[str, Tensor], message: str) -> None:
    with pytest.raises(CheckpointError, match=message):
        fill(nn.Linear(2, 2), tensors, lambda name: name)


def test_files_are_read_under_their_usual_keys_and_a_pickle_is_refused(tmp_path: Path) -> None:
    torch.save({"model": LAYER, "__author__": "someone"}, tmp_path / "one.pth")
    torch.save({"state_dict": LAYER, "meta": {"epoch": 3}}, tmp_path / "two.pt")
    for name in ("one.pth", "two.pt"):
        assert read_tensors(tmp_path / name).keys() == LAYER.keys()
    (tmp_path / "three.pkl").write_bytes(b"")
    with pytest.raises(CheckpointError, match=r"is a pickle .* torch\.save"):
        read_tensors(tmp_path / "three.pkl")


def test_a_resnet_of_detectron2_has_a_name_for_every_tensor_of_timms() -> None:
    with torch.device("meta"):
        encoder = build_encoder("resnet50", "none").module
    theirs = ["stem.conv1.weight", *(f"stem.conv1.norm.{name}" for name in NORM)]
    for stage, blocks in zip((2, 3, 4, 5), (3, 4, 6, 3), strict=True):
        for block in range(blocks):
            for part in ("conv1", "conv2", "conv3", *(["shortcut"] if block == 0 else [])):
                at = f"res{stage}.{block}.{part}"
                theirs += [f"{at}.weight", *(f"{at}.norm.{name}" for name in NORM)]
    wanted = {name for name in encoder.state_dict() if not name.endswith("num_batches_tracked")}
    assert {detectron2_resnet(name) for name in theirs} == wanted
    assert len(theirs) == len(wanted)


NORM = ("weight", "bias", "running_mean", "running_var")


def test_bands_are_swapped_for_an_image_whose_bands_are_swapped() -> None:
    weight, image = torch.randn(4, 3, 3, 3), torch.randn(1, 3, 5, 5)
    given = torch.nn.functional.conv2d(image.flip(1), weight)
    torch.testing.assert_close(torch.nn.functional.conv2d(image, from_bgr(weight)), given)


def test_caffes_resnets_halve_the_size_in_their_first_convolution() -> None:
    with torch.device("meta"):
        encoder, plain = (build_encoder(name, "none").module for name in ("resnet50", "resnet18"))
    stride_in_first(encoder)
    block = encoder.layer2[0]
    assert (block.conv1.stride, block.conv2.stride) == ((2, 2), (1, 1))
    assert encoder.layer1[0].conv1.stride == (1, 1)
    with pytest.raises(CheckpointError, match="choose resnet50"):
        stride_in_first(plain)


def test_a_network_without_names_for_them_says_so() -> None:
    from pixelwise.core.labels import LabelSet

    with pytest.raises(UnknownName, match="an encoder's is wanted"):
        unet.build(LabelSet.of(["a", "b"]), weights="detectron2:model.pth")
