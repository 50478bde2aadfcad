"""Which augmentations and how strong: the table ``[augment]`` of a run file, and the policies that fill it.

A policy is a full set of values; an option that is given overrides the policy's. Zero turns an augmentation off.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from types import MappingProxyType
from typing import Any, Literal, TypeAlias, get_args

from pixelwise.core.errors import OptionError, nearest

Policy: TypeAlias = Literal["default", "none", "light", "medium", "strong", "large_scale"]
_OF_POLICY: Any = None  # stands for "as the policy says" until an AugmentOptions is made; none of its values is ever this


@dataclass(frozen=True)
class AugmentOptions:
    """The table ``[augment]`` of a run file. What is not given is as ``policy`` has it.

    Every draw has the augmentations of the first two groups, each between nothing and its largest value. Those of the third
    group are drawn for a share ``chance`` of the images: of the noises at most one, of the blurs at most one. The last group
    puts several images together, each with a draw of its own (``augment.mix``).

    Attributes:
        policy: ``default``, ``none``, ``light``, ``medium``, ``strong``, or ``large_scale``: mirrors, and a scale from 0.1 to
            2, with which copy-paste was published.
        flip, flip_vertically: probability of mirroring.
        turn: probability of a turn by 90, 180 or 270 degrees; such turns are exact.
        scale: smallest and largest factor; drawn log-uniformly, so that halving is as likely as doubling.
        stretch: largest change of the aspect ratio, as a share.
        rotate, shear: largest angle in degrees, either way.
        rare: probability that the crop is centred on a pixel of a class that is rare in the image.
        objects: probability that the crop is centred on a pixel of an object, small objects as likely as large ones; of classes
            that are things.

        brightness, contrast, gain: largest change, as a share; gain is a channel's own.
        gamma: largest exponent, as a logarithm: 0.3 is an exponent between 0.74 and 1.35.
        hue: largest turn in degrees. RGB alone.
        saturation: largest change, as a share. RGB alone.
        grey: probability of losing all colour. RGB alone.
        shuffle: probability of putting the channels in another order.

        chance: probability of each of the following.
        perspective: largest move of a corner, as a share of the side.
        grid, elastic: strength of a distortion by a grid of lines and of a smooth one; at 1 the image is about to fold.
        noise: largest standard deviation of Gaussian noise, as a share of the range.
        shot: largest deviation of photon noise at full brightness, as a share; it grows with the root of the brightness.
        speckle: largest deviation of noise as a share of each pixel's own value.
        salt_pepper: largest share of pixels that turn black or white.
        blur: largest sigma of a Gaussian blur, in pixels.
        motion: longest path of a motion blur, in pixels.
        median: largest radius of a median filter, in pixels.
        defocus: largest radius of the disk of a lens out of focus, in pixels.
        sharpen: largest strength of an unsharp mask.
        jpeg: largest loss: 0.6 is down to quality 40. Images of 8 bits with 1 or 3 bands alone.
        cutout: longest side of a rectangle painted over, as a share of the crop's side; one to three are.
        cutout_void: whether the truth is erased under it; else the model is to guess what is hidden.
        shadow: largest loss of light in a shadow's core, as a share.
        fog: largest share of light from fog.

        mosaic: probability of four images around a point.
        copy_paste: probability of pasting some of another image's objects; of classes that are things.
        cutmix: probability of showing another image in a rectangle.
        mixup: probability of showing another image through this one. Not for panoptic truth; of semantic and multilabel truth
            both count by their share, which not every loss takes.
    """

    policy: Policy = "default"
    flip: float = _OF_POLICY
    flip_vertically: float = _OF_POLICY
    turn: float = _OF_POLICY
    scale: tuple[float, float] = _OF_POLICY
    stretch: float = _OF_POLICY
    rotate: float = _OF_POLICY
    shear: float = _OF_POLICY
    rare: float = _OF_POLICY
    objects: float = _OF_POLICY
    brightness: float = _OF_POLICY
    contrast: float = _OF_POLICY
    gain: float = _OF_POLICY
    gamma: float = _OF_POLICY
    hue: float = _OF_POLICY
    saturation: float = _OF_POLICY
    grey: float = _OF_POLICY
    shuffle: float = _OF_POLICY
    chance: float = _OF_POLICY
    perspective: float = _OF_POLICY
    grid: float = _OF_POLICY
    elastic: float = _OF_POLICY
    noise: float = _OF_POLICY
    shot: float = _OF_POLICY
    speckle: float = _OF_POLICY
    salt_pepper: float = _OF_POLICY
    blur: float = _OF_POLICY
    motion: float = _OF_POLICY
    median: float = _OF_POLICY
    defocus: float = _OF_POLICY
    sharpen: float = _OF_POLICY
    jpeg: float = _OF_POLICY
    cutout: float = _OF_POLICY
    cutout_void: bool = _OF_POLICY
    shadow: float = _OF_POLICY
    fog: float = _OF_POLICY
    mosaic: float = _OF_POLICY
    copy_paste: float = _OF_POLICY
    cutmix: float = _OF_POLICY
    mixup: float = _OF_POLICY

    def __post_init__(self) -> None:
        if self.policy not in POLICIES:
            raise OptionError(f"[augment] policy: got {self.policy!r}; {nearest(str(self.policy), POLICIES)}")
        for name, value in {**_OFF, **POLICIES[self.policy]}.items():
            if getattr(self, name) is _OF_POLICY:
                object.__setattr__(self, name, value)
        if not (len(self.scale) == 2 and 0 < self.scale[0] <= self.scale[1] <= 100):
            raise OptionError(f"[augment] scale: expected two factors, 0 < smallest <= largest <= 100, got {self.scale}")
        for names, (low, high), words in _BOUNDS:
            for name in names:
                if not low <= getattr(self, name) <= high:  # not: < or >, which NaN would pass
                    raise OptionError(f"[augment] {name}: expected {words}, got {getattr(self, name)}")

    @property
    def strengths(self) -> dict[str, Any]:
        """The options that are on, by name, without ``policy`` and ``chance``."""
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        return {name: value for name, value in values.items() if name not in ("policy", "chance") and value != _OFF[name]}


_OFF: Mapping[str, Any] = MappingProxyType(
    {field.name: 0.0 for field in fields(AugmentOptions) if field.name != "policy"}
    | {"scale": (1.0, 1.0), "chance": 0.25, "cutout_void": False}
)
_PROBABILITY = "a probability from 0 to 1"
_BOUNDS: tuple[tuple[tuple[str, ...], tuple[float, float], str], ...] = (
    (("flip", "flip_vertically", "turn", "rare", "objects", "grey", "shuffle", "chance"), (0, 1), _PROBABILITY),
    (("mosaic", "copy_paste", "cutmix", "mixup"), (0, 1), _PROBABILITY),
    (("stretch",), (0, 3), "a share from 0 to 3"),
    (("rotate", "hue"), (0, 180), "an angle from 0 to 180 degrees"),
    (("shear",), (0, 80), "an angle from 0 to 80 degrees"),
    (("brightness", "contrast", "gain", "saturation"), (0, 1), "a share from 0 to 1"),
    (("gamma",), (0, 2), "a logarithm from 0 to 2"),
    (("perspective",), (0, 0.2), "a share from 0 to 0.2: beyond, corners may cross"),
    (("grid", "elastic"), (0, 1), "a strength from 0 to 1"),
    (("noise", "shot", "speckle", "salt_pepper", "cutout", "shadow", "fog"), (0, 1), "a share from 0 to 1"),
    (("blur", "defocus"), (0, 50), "0 to 50 pixels"),
    (("motion",), (0, 100), "0 to 100 pixels"),
    (("median",), (0, 2), "a radius of 0, 1 or 2 pixels"),
    (("sharpen",), (0, 10), "a strength from 0 to 10"),
    (("jpeg",), (0, 0.99), "a loss from 0 to 0.99"),
)

POLICIES: Mapping[str, Mapping[str, Any]] = MappingProxyType(
    {
        "default": {
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
        },
        "none": {},
        "light": {
            "flip": 0.5,
            "scale": (0.8, 1.25),
            "stretch": 0.05,
            "brightness": 0.15,
            "contrast": 0.15,
            "gain": 0.03,
            "hue": 4.0,
            "saturation": 0.1,
            "noise": 0.01,
            "blur": 0.7,
        },
        "medium": {
            "flip": 0.5,
            "scale": (0.6, 1.8),
            "stretch": 0.1,
            "rotate": 10.0,
            "shear": 5.0,
            "rare": 0.33,
            "brightness": 0.25,
            "contrast": 0.25,
            "gain": 0.06,
            "gamma": 0.2,
            "hue": 8.0,
            "saturation": 0.3,
            "perspective": 0.05,
            "noise": 0.03,
            "shot": 0.05,
            "blur": 1.2,
            "motion": 7.0,
            "sharpen": 0.7,
            "jpeg": 0.6,
            "shadow": 0.4,
        },
        "strong": {
            "flip": 0.5,
            "flip_vertically": 0.5,
            "turn": 0.3,
            "scale": (0.5, 2.0),
            "stretch": 0.2,
            "rotate": 30.0,
            "shear": 10.0,
            "rare": 0.33,
            "brightness": 0.35,
            "contrast": 0.4,
            "gain": 0.12,
            "gamma": 0.4,
            "hue": 20.0,
            "saturation": 0.6,
            "grey": 0.05,
            "perspective": 0.1,
            "grid": 0.6,
            "elastic": 0.6,
            "noise": 0.06,
            "shot": 0.1,
            "speckle": 0.15,
            "salt_pepper": 0.01,
            "blur": 2.0,
            "motion": 13.0,
            "median": 2.0,
            "defocus": 3.0,
            "sharpen": 1.0,
            "jpeg": 0.8,
            "cutout": 0.3,
            "shadow": 0.6,
            "fog": 0.5,
            "mosaic": 0.2,
            "copy_paste": 0.3,
            "cutmix": 0.2,
        },
        "large_scale": {
            "flip": 0.5,
            "scale": (0.1, 2.0),
        },
    }
)
if set(POLICIES) != set(get_args(Policy)):
    raise AssertionError("the type Policy and the table POLICIES name different policies")
