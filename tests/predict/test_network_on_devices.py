"""Networks on devices: precision and its rule, replicas that share images, compiling and what happens where it fails."""

from dataclasses import replace

import numpy as np
import pytest

from pixelwise.core.errors import OptionError
from pixelwise.core.image import Image
from pixelwise.core.labels import LabelSet
from pixelwise.core.predictor import Request
from pixelwise.predict.divided import Divided
from pixelwise.predict.fingerprint import fingerprint

torch = pytest.importorskip("torch")

IMAGES = [
    Image(np.random.default_rng(seed).integers(0, 256, (*size, 3)).astype(np.uint8))
    for seed, size in enumerate([(16, 24), (16, 24), (20, 12), (16, 24), (20, 12)])
]


def built():
    from pixelwise.models import MODELS

    torch.manual_seed(0)
    return MODELS["unet"].build(LabelSet.of(["a", "b", "c"]), "semantic", encoder="plain", width=4, depth=2)


@pytest.fixture(scope="module")
def network():
    from pixelwise.predict.network import Network

    return Network(built(), "cpu", "fp32")


def test_two_replicas_give_what_one_gives(network):
    from pixelwise.predict.network import on_devices

    both = on_devices(built(), "cpu,cpu", "fp32")
    assert isinstance(both, Divided)
    assert fingerprint(both) == fingerprint(network)
    for images in (IMAGES, IMAGES[:1], []):
        assert both(images) == network(images)
    wanted = Request(probabilities=True)
    for one, other in zip(both(IMAGES, wanted), network(IMAGES, wanted), strict=True):
        np.testing.assert_allclose(one.probabilities, other.probabilities, atol=1e-6)


def test_an_error_of_a_replica_is_the_callers(network):
    both = Divided([network, network])
    with pytest.raises(OptionError, match="two classes"):
        both(IMAGES, Request(threshold=0.5))
    with pytest.raises(OptionError, match="two classes"):
        both([], Request(threshold=0.5))


def test_replicas_must_be_equal(network):
    from pixelwise.predict.network import Network

    other = built()
    with torch.no_grad():
        next(other.parameters()).add_(1)
    with pytest.raises(OptionError, match="differ"):
        Divided([network, Network(other, "cpu", "fp32")])


@pytest.mark.parametrize(
    ("device", "message"),
    [
        ("gpu", "expected auto, cpu, cuda, mps"),
        ("cuda:", "expected auto, cpu, cuda, mps"),
        ("cuda:x", "expected auto, cpu, cuda, mps"),
        ("cuda:99", "torch finds"),
        ("cpu,gpu", "expected auto, cpu, cuda, mps"),
    ],
)
def test_a_device_that_is_not_there_is_refused_in_a_sentence(device, message):
    from pixelwise.predict.network import on_devices

    with pytest.raises(OptionError, match=message):
        on_devices(built(), device)


def test_bfloat16_is_taken_on_a_cpu_only_where_it_is_fast_and_was_measured_to_hold(monkeypatch):
    from pixelwise.predict import precision

    cpu, plain = torch.device("cpu"), built().card
    good, bad = precision.noted(plain, 0.9991), precision.noted(plain, 0.97)
    monkeypatch.setattr(precision, "cpu_has_bf16", lambda: True)
    assert [precision.takes_bf16("auto", cpu, card) for card in (plain, good, bad)] == [False, True, False]
    assert [precision.takes_bf16(name, cpu, plain) for name in ("bf16", "bf16-mixed", "fp32", "32-true")] == [
        True,
        True,
        False,
        False,
    ]
    monkeypatch.setattr(precision, "cpu_has_bf16", lambda: False)
    assert not precision.takes_bf16("auto", cpu, good)
    with pytest.raises(OptionError, match="did you mean 'bf16'"):
        precision.takes_bf16("bf61", cpu, plain)


def test_bfloat16_differs_from_float32_in_few_pixels_and_in_its_fingerprint(network):
    from pixelwise.predict.network import Network
    from pixelwise.predict.precision import agreement

    half = Network(built(), "cpu", "bf16")
    assert agreement(network, network, IMAGES) == 1.0
    assert 0.9 < agreement(network, half, IMAGES) <= 1.0
    assert fingerprint(half) != fingerprint(network)


def test_a_network_is_compiled_where_it_pays_and_goes_on_plain_where_it_cannot_be(monkeypatch):
    from pixelwise.predict.compiled import PAYS, Compiled, compiling
    from pixelwise.predict.network import Network

    network, said, left = Network(built(), "cpu", "fp32"), [], None

    def broken(*_, **__):
        raise RuntimeError("no C++ compiler is here\nand more lines")

    def compile_(self, *_, **__):
        self._compiled_call_impl = broken

    monkeypatch.setattr(torch.nn.Module, "compile", compile_)
    compiled = Compiled(network, [network], False, lambda: left, said.append)
    plain = network(IMAGES)
    for _ in range(3):  # the first calls are only timed
        compiled(IMAGES)
    left = PAYS / 2
    compiled(IMAGES)
    assert said == []
    left = PAYS * 2
    assert compiled(IMAGES) == plain
    assert len(said) == 2
    assert "about 12 minutes of work are left" in said[0]
    assert said[1].endswith("(no C++ compiler is here)")
    assert compiled(IMAGES) == plain
    assert len(said) == 2
    assert compiling(network, "auto", lambda: None, said.append) is network  # on a CPU it does not pay
    assert compiling(network, "no", lambda: None, said.append) is network
    with pytest.raises(OptionError, match="--compile maybe"):
        compiling(network, "maybe", lambda: None, said.append)


def test_a_genuine_error_of_a_compiled_network_is_not_hidden(network):
    from pixelwise.predict.compiled import Compiled

    class Broken:
        card = replace(network.card)

        def __call__(self, images, request=None):
            raise ZeroDivisionError("a fault of its own")

    with pytest.raises(ZeroDivisionError):
        Compiled(Broken(), [], True, lambda: None, lambda _: None)(IMAGES)
