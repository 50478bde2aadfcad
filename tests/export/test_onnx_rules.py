"""What stands in ONNX for operators of ours gives the same, on any number of images."""

from pathlib import Path

import pytest

onnxruntime = pytest.importorskip("onnxruntime")
pytest.importorskip("onnxscript")

import torch  # noqa: E402
from torch import Tensor, nn  # noqa: E402

from pixelwise.export.onnx_rules import translations  # noqa: E402
from pixelwise.models.heads.box_apart import best_apart  # noqa: E402


class Apart(nn.Module):
    def forward(self, boxes: Tensor, scores: Tensor) -> Tensor:
        return best_apart(boxes, scores, 0.4)


def drawn(images: int, seed: int) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    corners = torch.rand(images, 3, 25, 2, generator=generator) * 30
    boxes = torch.cat([corners, corners + torch.rand(images, 3, 25, 2, generator=generator) * 20], dim=3)
    return boxes, torch.rand(images, 3, 25, generator=generator) - 0.3


def test_the_best_of_boxes_that_overlap_are_the_same_in_onnx(tmp_path: Path) -> None:
    given = drawn(2, seed=0)
    free = {0: torch.export.Dim("n")}
    program = torch.onnx.export(
        Apart().eval(), given, dynamo=True, dynamic_shapes=(free, free), custom_translation_table=translations(), verbose=False
    )
    program.save(tmp_path / "apart.onnx")
    session = onnxruntime.InferenceSession(tmp_path / "apart.onnx")
    names = [one.name for one in session.get_inputs()]
    for images in (1, 3):
        boxes, scores = drawn(images, seed=images)
        for values in (scores, torch.full_like(scores, -1.0)):
            found = session.run(None, dict(zip(names, (boxes.numpy(), values.numpy()), strict=True)))[0]
            assert found.tolist() == best_apart(boxes, values, 0.4).tolist()


class Smaller(nn.Module):
    def forward(self, values: Tensor, like: Tensor) -> Tensor:
        return nn.functional.interpolate(values, size=like.shape[-2:], mode="bicubic", antialias=True)


def test_resizing_without_aliasing_is_the_same_in_onnx(tmp_path: Path) -> None:
    values, free = torch.rand(1, 2, 10, 9), {2: torch.export.Dim("h"), 3: torch.export.Dim("w")}
    program = torch.onnx.export(
        Smaller().eval(),
        (values, torch.rand(1, 1, 5, 6)),
        dynamo=True,
        dynamic_shapes=({}, free),
        custom_translation_table=translations(),
        verbose=False,
    )
    program.save(tmp_path / "smaller.onnx")
    session = onnxruntime.InferenceSession(tmp_path / "smaller.onnx")
    names = [one.name for one in session.get_inputs()]
    for size in ((3, 4), (10, 9), (17, 6)):
        like = torch.rand(1, 1, *size)
        found = session.run(None, dict(zip(names, (values.numpy(), like.numpy()), strict=True)))[0]
        torch.testing.assert_close(torch.from_numpy(found), Smaller()(values, like), rtol=1e-4, atol=1e-5)
