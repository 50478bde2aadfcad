"""Unpooling equals torch's operator, whatever the layout, with ties and odd sizes, and its gradients too."""

import pytest
import torch
from torch import nn

from pixelwise.models.recorded import cells, repeated
from pixelwise.models.unpooling import pooled, unpooled


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize("size", [(6, 8), (7, 5)])
def test_it_equals_torchs_operator_with_ties_and_odd_sizes(layout: torch.memory_format, size: tuple[int, int]) -> None:
    torch.manual_seed(0)
    values = torch.randint(0, 3, (2, 5, *size)).float().contiguous(memory_format=layout)  # three levels: most cells tie
    found = pooled(values)
    other = torch.randn(found.values.shape).contiguous(memory_format=layout).requires_grad_()
    theirs, indices = nn.MaxPool2d(2, return_indices=True)(values)
    assert torch.equal(found.values, theirs)
    expected = nn.MaxUnpool2d(2)(other, indices, output_size=values.shape)
    result = unpooled(other, found.places, size)
    assert torch.equal(result, expected)
    assert result.is_contiguous(memory_format=layout)
    weights = torch.randn(expected.shape)
    (own,) = torch.autograd.grad((result * weights).sum(), other)
    (reference,) = torch.autograd.grad((expected * weights).sum(), other)
    assert torch.equal(own, reference)


def test_a_maximum_goes_back_where_it_was_and_the_first_of_equals_wins() -> None:
    values = torch.tensor([[[[1.0, 5.0, 7.0, 7.0], [2.0, 3.0, 7.0, 0.0]]]])
    found = pooled(values)
    assert found.places.tolist() == [[[[1, 2]]]]
    assert unpooled(found.values, found.places, (2, 4)).tolist() == [[[[0.0, 5.0, 7.0, 0.0], [0.0] * 4]]]


class Through(nn.Module):
    def forward(self, values: torch.Tensor) -> torch.Tensor:
        found = pooled(values)
        return unpooled(found.values, found.places, (values.shape[-2], values.shape[-1]))


@pytest.mark.parametrize("size", [(8, 6), (7, 5)])
def test_a_graph_gives_the_same_without_torchs_operator(size: tuple[int, int]) -> None:
    torch.manual_seed(0)
    values = torch.randint(0, 3, (2, 3, *size)).float()
    program = torch.export.export(Through(), (values,))
    names = {str(node.target) for node in program.graph.nodes if node.op == "call_function"}
    assert not any("unpool" in name for name in names)
    assert any("with_indices" in name for name in names) == (size == (7, 5))  # of even sides the pixels are compared
    assert torch.equal(program.module()(values), Through()(values))


class Padded(Through):
    """Padded to even sides, as a segmenter pads images to its network's stride."""

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        height, width = (2 * cells(side, 2) for side in values.shape[-2:])
        return super().forward(repeated(values, (height, width)))


def test_a_graph_of_any_size_compares_pixels() -> None:
    sides = {2: torch.export.Dim("h", min=1, max=64), 3: torch.export.Dim("w", min=1, max=64)}
    program = torch.export.export(Padded(), (torch.rand(1, 2, 8, 5),), dynamic_shapes=[sides])
    assert not any("with_indices" in str(node.target) for node in program.graph.nodes)
    values = torch.rand(1, 2, 9, 4)
    assert torch.equal(program.module()(values), Padded()(values))
