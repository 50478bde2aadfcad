"""Every network says what it is good for, what it costs and under which licences, without being run."""

import inspect
import subprocess
import sys
from types import SimpleNamespace

import pytest

from pixelwise.core.errors import UnknownName
from pixelwise.core.labels import LabelSet
from pixelwise.models import MODELS
from pixelwise.models.about import About, Cost, cost_of, stated
from pixelwise.models.networks import unet
from pixelwise.models.options_told import options_of
from pixelwise.models.summary import summarise

HEAVY = frozenset(  # a second and more each
    {
        "blendmask",
        "detr",
        "eomt",
        "mask2former",
        "maskdino",
        "maskrcnn",
        "oneformer",
        "panoptic_deeplab",
        "panoptic_fpn",
        "upsnet",
    }
)


@pytest.mark.parametrize("name", sorted(MODELS))
def test_every_network_says_what_it_is(name: str) -> None:
    found = About(*MODELS[name].ABOUT)
    assert stated(name) == (MODELS[name].KINDS, found)
    assert all(line and "\n" not in str(line) for line in found)


@pytest.mark.parametrize("name", [pytest.param(one, marks=pytest.mark.slow) if one in HEAVY else one for one in sorted(MODELS)])
def test_stated_costs_are_those_that_are_counted(name: str) -> None:
    found = MODELS[name].ABOUT
    assert Cost(found.parameters, found.multiply_adds) == cost_of(name)


def test_telling_about_a_network_imports_no_torch() -> None:
    program = (
        "import sys; from pixelwise.models.about import stated; stated('fpn'), stated('detr'); print('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout == "False\n"


def test_a_network_of_another_package_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    module = SimpleNamespace(
        KINDS=("semantic",), build=lambda labels, kind, weights: unet.build(labels, kind, encoder="plain", width=8)
    )
    monkeypatch.setitem(sys.modules, "another", module)
    monkeypatch.setitem(MODELS.rows, "another", "another")
    found = stated("another")
    assert found.kinds == ("semantic",)
    assert found.about == About(parameters=found.about.parameters, multiply_adds=found.about.multiply_adds)
    assert found.about.multiply_adds > found.about.parameters > 100_000


def test_a_network_that_is_not_there_names_the_nearest() -> None:
    with pytest.raises(UnknownName, match="unet"):
        stated("unett")


def test_costs_on_the_meta_device_are_those_of_the_layers() -> None:
    options = {"encoder": "plain", "width": 8, "depth": 2}
    found = cost_of("unet", options, size=(32, 48), classes=5)
    model = unet.build(LabelSet.of([str(index) for index in range(5)]), **options)  # type: ignore[arg-type]
    assert found.parameters == sum(parameter.numel() for parameter in model.parameters())
    assert found.multiply_adds == summarise(model, (32, 48))[0].multiply_adds


@pytest.mark.parametrize("name", sorted(MODELS))
def test_every_option_of_a_network_is_told(name: str) -> None:
    told = options_of(name)
    known = [one for one in inspect.signature(MODELS[name].build).parameters.values() if one.kind is one.KEYWORD_ONLY]
    assert [one.name for one in told] == [one.name for one in known]
    assert not [one.name for one in told if not one.text]
