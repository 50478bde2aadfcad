"""Policies fill what is not given; what is given wins; values that cannot be are refused."""

import pickle
from dataclasses import fields, replace

import pytest

from pixelwise.augment import POLICIES, AugmentOptions
from pixelwise.core.errors import OptionError
from pixelwise.core.options import from_table, to_table


def test_the_default_is_what_training_was_measured_with() -> None:
    options = AugmentOptions()
    assert options.strengths == {
        "flip": 0.5,
        "scale": (0.6, 1.8),
        "stretch": 0.1,
        "brightness": 0.25,
        "contrast": 0.25,
        "gain": 0.06,
        "gamma": 0.2,
        "hue": 8.0,
        "saturation": 0.2,
        "noise": 0.02,
        "blur": 1.0,
    }
    assert options.chance == 0.25


def test_an_option_that_is_given_overrides_its_policy_even_with_zero() -> None:
    options = from_table(AugmentOptions, {"policy": "strong", "rotate": 5, "noise": 0}, "augment")
    assert (options.rotate, options.noise, options.hue) == (5.0, 0.0, AugmentOptions("strong").hue)


def test_policies_grow_in_strength() -> None:
    light, medium, strong = (AugmentOptions(name) for name in ("light", "medium", "strong"))  # type: ignore[arg-type]
    for name in ("rotate", "brightness", "contrast", "gain", "hue", "saturation", "noise", "blur", "shadow", "jpeg"):
        assert getattr(light, name) <= getattr(medium, name) < getattr(strong, name)
    assert set(light.strengths) < set(medium.strengths) < set(strong.strengths)
    assert AugmentOptions("none").strengths == {}


@pytest.mark.parametrize("policy", POLICIES)
def test_resolved_options_are_read_back_equal(policy: str) -> None:
    options = AugmentOptions(policy)  # type: ignore[arg-type]
    assert from_table(AugmentOptions, to_table(options), "augment") == options
    assert pickle.loads(pickle.dumps(options)) == options
    assert replace(options, flip=0.25).flip == 0.25
    assert not [field.name for field in fields(options) if getattr(options, field.name) is None]


@pytest.mark.parametrize(
    "change",
    [
        {"scale": (0, 1)},
        {"scale": (2, 1)},
        {"scale": (float("nan"), 1)},
        {"flip": 1.5},
        {"flip_vertically": -0.1},
        {"noise": -0.01},
        {"noise": float("nan")},
        {"perspective": 0.3},
        {"elastic": 1.1},
        {"jpeg": 1.0},
        {"median": 3},
        {"chance": 2},
        {"copy_paste": 1.1},
        {"mosaic": -0.5},
        {"objects": float("nan")},
    ],
)
def test_options_that_cannot_be_are_refused(change: dict[str, object]) -> None:
    with pytest.raises(OptionError, match=rf"\[augment\] {next(iter(change))}: expected"):
        AugmentOptions(**change)  # type: ignore[arg-type]


def test_large_scale_is_the_jitter_of_copy_paste() -> None:
    assert AugmentOptions("large_scale", copy_paste=1.0).strengths == {"flip": 0.5, "scale": (0.1, 2.0), "copy_paste": 1.0}
    with pytest.raises(OptionError, match="did you mean 'copy_paste'"):
        from_table(AugmentOptions, {"copypaste": 0.5}, "augment")


def test_a_policy_that_is_not_there_is_answered_with_the_nearest() -> None:
    with pytest.raises(OptionError, match=r"\[augment\] policy: got 'meduim'; did you mean 'medium'"):
        from_table(AugmentOptions, {"policy": "meduim"}, "augment")
    with pytest.raises(OptionError, match="did you mean 'strong'"):
        AugmentOptions("strng")  # type: ignore[arg-type]
