"""Every network says what it is good for and under which licences, and its costs are counted without its weights."""

import pytest

from pixelwise.core.labels import LabelSet
from pixelwise.models import MODELS
from pixelwise.models.about import About, cost_of
from pixelwise.models.networks import unet
from pixelwise.models.summary import summarise


@pytest.mark.parametrize("name", sorted(MODELS))
def test_every_network_says_what_it_is(name: str) -> None:
    about = About(*MODELS[name].ABOUT)
    assert all(line and "\n" not in line for line in about)


def test_costs_on_the_meta_device_are_those_of_the_layers() -> None:
    options = {"encoder": "plain", "width": 8, "depth": 2}
    found = cost_of("unet", options, size=(32, 48), classes=5)
    model = unet.build(LabelSet.of([str(index) for index in range(5)]), **options)  # type: ignore[arg-type]
    assert found.parameters == sum(parameter.numel() for parameter in model.parameters())
    assert found.multiply_adds == summarise(model, (32, 48))[0].multiply_adds
