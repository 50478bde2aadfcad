"""Build an encoder by name: timm's (about 1,000 that give feature maps), smp's own, with or without ImageNet weights."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from pixelwise.core.errors import OptionError, UnknownName, nearest
from pixelwise.models.depthwise import with_fast_depthwise
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


def build_encoder(name: str, weights: str = "imagenet", bands: int = 3, levels: int = 0) -> Encoder:
    """Build the encoder called ``name``.

    Args:
        name: timm's name, or one of smp's encoders.
        weights: ``imagenet``, ``none``, a name as in ``timm:resnet50.a1_in1k``, ``torchvision:resnet50`` or ``smp:ssl``, or the
            path of a weight file (safetensors, or a ``.pth`` without code).
        bands: of the input; for other than the weights' own, those of the first convolution are averaged and repeated.
        levels: features to give, finest first; the deeper stages are left out. 0 gives all.

    Raises:
        UnknownName: there is no such encoder; the message has the nearest names.
        OptionError: it gives no feature maps at several strides.
    """
    import timm

    if timm.is_model(name):
        return _from_timm(name, weights, bands, levels)
    try:
        from segmentation_models_pytorch.encoders import get_encoder, get_encoder_names
    except ImportError:
        raise UnknownName(f"no encoder is called '{name}'; {nearest(name, timm.list_models())}") from None
    if name not in get_encoder_names():
        raise UnknownName(f"no encoder is called '{name}'; {nearest(name, known_encoders())}")
    module = get_encoder(name, in_channels=bands, weights=None, depth=levels or 5)
    wrapped = with_fast_depthwise(_DropFirst(module))
    strides = tuple(2 ** (level + 1) for level in range(len(module.out_channels) - 1))
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


def _from_timm(name: str, weights: str, bands: int, levels: int) -> Encoder:
    import timm

    chosen = {"out_indices": tuple(range(levels))} if levels else {}  # timm leaves the deeper stages out
    try:
        module = timm.create_model(name, features_only=True, pretrained=False, in_chans=bands, **chosen)
    except IndexError:
        raise OptionError(f"encoder '{name}' has fewer than {levels} levels") from None
    except (RuntimeError, AttributeError, TypeError, ValueError, AssertionError) as error:
        raise OptionError(
            f"encoder '{name}' gives no feature maps at several strides ({error}); choose a convolutional one"
        ) from None
    info = module.feature_info
    strides = tuple(int(stride) for stride in info.reduction())
    if len(set(strides)) < 3:
        raise OptionError(f"encoder '{name}' gives features at strides {strides}; a decoder needs at least 3 different ones")
    _refuse_other_layouts(module, name, tuple(info.channels()), bands)
    config = timm.get_pretrained_cfg(name) if timm.is_model_pretrained(name) else None
    statistics = (tuple(config.mean), tuple(config.std)) if config is not None else IMAGENET
    mean, deviation = _per_band(statistics, bands)
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


def _per_band(
    statistics: tuple[tuple[float, ...], tuple[float, ...]], bands: int
) -> tuple[tuple[float, ...], tuple[float, ...]]:
    mean, deviation = statistics
    if bands == len(mean):
        return tuple(map(float, mean)), tuple(map(float, deviation))
    return (sum(mean) / len(mean),) * bands, (sum(deviation) / len(deviation),) * bands
