"""Build an encoder by name: timm's (about 1,000 that give feature maps), SegFormer's, smp's own, with or without weights."""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from pixelwise.core.errors import OptionError, UnknownName, nearest
from pixelwise.models.depthwise import with_fast_depthwise
from pixelwise.models.encoders.mix_transformer import DEPTHS, STRIDES, MixTransformer
from pixelwise.models.encoders.weights import loaded

IMAGENET = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))


@dataclass(frozen=True)
class Encoder:
    """A built encoder and what a decoder must know of it.

    Attributes:
        module: (N, C, H, W) to a list of features, finest first.
        channels, strides: of each feature.
        mean, deviation: what the weights expect the input to be normalised by, one a band.
        weights: where they come from, in words, for the card.
    """

    module: nn.Module
    channels: tuple[int, ...]
    strides: tuple[int, ...]
    mean: tuple[float, ...]
    deviation: tuple[float, ...]
    weights: str


def known_encoders() -> list[str]:
    """List the encoder names: ``plain``, timm's, and smp's that timm has not."""
    import timm
    from segmentation_models_pytorch.encoders import get_encoder_names

    return ["plain", *sorted({*timm.list_models(), *get_encoder_names()})]


def build_encoder(name: str, weights: str = "imagenet", bands: int = 3, levels: int = 0, output_stride: int = 0) -> Encoder:
    """Build the encoder called ``name``.

    Args:
        name: timm's name, or one of smp's encoders.
        weights: ``imagenet``, ``none``, a name as in ``timm:resnet50.a1_in1k``, ``torchvision:resnet50`` or ``smp:ssl``, or the
            path of a weight file (safetensors, or a ``.pth`` without code).
        bands: of the input; for other than the weights' own, those of the first convolution are averaged and repeated.
        levels: features to give, finest first; the deeper stages are left out. 0 gives all.
        output_stride: 8 or 16: deeper stages keep this stride, and look as far as before by dilated convolutions; the weights
            are the same. 0 leaves the encoder as it is.

    Raises:
        UnknownName: there is no such encoder; the message has the nearest names.
        OptionError: it gives no feature maps at several strides, or cannot be dilated.
    """
    import timm

    if timm.is_model(name):
        return _from_timm(name, weights, bands, levels, output_stride)
    if name in DEPTHS:
        return _mix_transformer(name, weights, bands, levels, output_stride)
    try:
        from segmentation_models_pytorch.encoders import get_encoder, get_encoder_names
    except ImportError:
        raise UnknownName(f"no encoder is called '{name}'; {nearest(name, timm.list_models())}") from None
    if name not in get_encoder_names():
        raise UnknownName(f"no encoder is called '{name}'; {nearest(name, known_encoders())}")
    try:
        module = get_encoder(name, in_channels=bands, weights=None, depth=levels or 5, output_stride=output_stride or 32)
    except (ValueError, NotImplementedError, AssertionError, TypeError) as error:
        if output_stride:
            raise _undilated(name, output_stride) from None
        raise OptionError(f"encoder '{name}' cannot be built with {levels or 5} levels: {error}") from None
    wrapped = with_fast_depthwise(_DropFirst(module))
    strides = tuple(min(2 ** (level + 1), output_stride or 32) for level in range(len(module.out_channels) - 1))
    mean, deviation = _per_band(IMAGENET, bands)
    encoder = Encoder(wrapped, tuple(module.out_channels[1:]), strides, mean, deviation, "")
    return loaded(encoder, name, weights, bands)


class _DropFirst(nn.Module):
    """smp's encoders give the input itself as their first feature; leave it out."""

    def __init__(self, encoder: nn.Module) -> None:
        super().__init__()
        self.encoder = encoder

    def forward(self, images: Tensor) -> list[Tensor]:
        features: list[Tensor] = self.encoder(images)
        return features[1:]


def _mix_transformer(name: str, weights: str, bands: int, levels: int, output_stride: int) -> Encoder:
    if output_stride:
        raise _undilated(name, output_stride)
    module = MixTransformer(name, bands, levels)
    mean, deviation = _per_band(IMAGENET, bands)
    strides = STRIDES[: len(module.channels)]
    return loaded(Encoder(with_fast_depthwise(module), module.channels, strides, mean, deviation, ""), name, weights, bands)


def _undilated(name: str, output_stride: int) -> OptionError:
    return OptionError(
        f"encoder '{name}' cannot be dilated to an output stride of {output_stride}; choose one that can, such as a ResNet, an "
        f"EfficientNet, a MobileNet or a ConvNeXt, or a network that takes an encoder as it is"
    )


def _from_timm(name: str, weights: str, bands: int, levels: int, output_stride: int) -> Encoder:
    import timm

    chosen: dict[str, Any] = {"out_indices": tuple(range(levels))} if levels else {}  # timm leaves the deeper stages out
    if output_stride:
        chosen["output_stride"] = output_stride
    try:
        module = timm.create_model(name, features_only=True, pretrained=False, in_chans=bands, **chosen)
    except IndexError:
        raise OptionError(f"encoder '{name}' has fewer than {levels} levels") from None
    except (RuntimeError, AttributeError, TypeError, ValueError, AssertionError) as error:
        if output_stride:
            raise _undilated(name, output_stride) from None
        raise OptionError(
            f"encoder '{name}' gives no feature maps at several strides ({error}); choose a convolutional one"
        ) from None
    info = module.feature_info
    strides = tuple(int(stride) for stride in info.reduction())
    if len(set(strides)) < (2 if output_stride else 3):
        raise OptionError(
            f"encoder '{name}' gives features at strides {strides}, and a decoder needs at least 3 different ones; choose a "
            f"convolutional one (vision transformers go with --model dpt)"
        )
    _refuse_other_layouts(module, name, tuple(info.channels()), bands)
    mean, deviation = statistics_of(name, bands)
    encoder = Encoder(with_fast_depthwise(module), tuple(info.channels()), strides, mean, deviation, "")
    return loaded(encoder, name, weights, bands)


def _refuse_other_layouts(module: nn.Module, name: str, channels: tuple[int, ...], bands: int) -> None:
    """Run one small image through, and refuse an encoder whose features are not (N, C, H, W), as some transformers' are.

    Raises:
        OptionError: the features are laid out otherwise, or a small image cannot be taken.
    """
    try:
        with torch.no_grad():
            found = tuple(feature.shape[1] for feature in module.eval()(torch.zeros(1, bands, 64, 64)))
    except (RuntimeError, AssertionError, ValueError) as error:
        raise OptionError(f"encoder '{name}' does not take images of any size ({error}); choose a convolutional one") from None
    finally:
        module.train()
    if found != channels:
        raise OptionError(f"encoder '{name}' gives features of another layout than (N, C, H, W); choose a convolutional one")


def statistics_of(name: str, bands: int) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Give mean and deviation a band that the weights of timm's model ``name`` expect; ImageNet's where it has none."""
    import timm

    config = timm.get_pretrained_cfg(name) if timm.is_model_pretrained(name) else None
    return _per_band((tuple(config.mean), tuple(config.std)) if config is not None else IMAGENET, bands)


def _per_band(
    statistics: tuple[tuple[float, ...], tuple[float, ...]], bands: int
) -> tuple[tuple[float, ...], tuple[float, ...]]:
    mean, deviation = statistics
    if bands == len(mean):
        return tuple(map(float, mean)), tuple(map(float, deviation))
    return (sum(mean) / len(mean),) * bands, (sum(deviation) / len(deviation),) * bands
