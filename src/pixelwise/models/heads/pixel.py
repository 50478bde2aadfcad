"""The pixel head: one logit a class and pixel, and a weighted sum of losses by name."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pixelwise.core.arrays import AnyArray, Size
from pixelwise.core.errors import OptionError
from pixelwise.core.labels import LabelSet
from pixelwise.core.segmentation import Kind, Segmentation
from pixelwise.decode import pixel_strips
from pixelwise.decode.decoders import Decoder
from pixelwise.models.heads.base import Head, Targets, class_weights_of
from pixelwise.models.heads.reading import reading_of
from pixelwise.models.losses import weighted
from pixelwise.models.steady_norm import with_steady_norms


class PixelRaw(NamedTuple):
    """Logits (N, L, h, w), at the input's size or a fraction of it."""

    logits: Tensor


class SupervisedRaw(NamedTuple):
    """What training with an auxiliary head gives: the logits, and those of the auxiliary head (N, L, h', w')."""

    logits: Tensor
    auxiliary: Tensor


class PixelFeatures(NamedTuple):
    """Features (N, C, h, w) of the pixels, and those of an encoder's stage where an auxiliary head looks at one."""

    stage: Tensor | None
    pixels: Tensor


@dataclass(frozen=True)
class Auxiliary:
    """A second head, on a stage of the encoder with so many channels, whose loss of so much weight guides training [1].

    [1] Zhao et al., Pyramid Scene Parsing Network, CVPR 2017, section 3.3: weight 0.4.
    """

    channels: int
    weight: float


class PixelHead(Head):
    """Classify every pixel: a 3x3 convolution to L logits (1x1 for ``kernel=1``), brought to the input's size bilinearly.

    Args:
        loss: a weighted sum of the losses of ``pixelwise.models.losses``, as in ``"0.5*focal(gamma=3) + lovasz"``.
        class_weights: one a class, in the losses that average over pixels.
        label_smoothing: of the cross entropy, where ``loss`` does not say ``cross_entropy(smoothing=…)`` itself.
        kind: ``semantic``, one class a pixel by a softmax; ``multilabel``, any number of them by a sigmoid each.
        classify: what gives the logits in place of the convolution; its ``weight`` and ``bias`` have a row a class.
        auxiliary: a second head that training has beside this one; prediction and exports leave it out.
    """

    class_rows = ("classify.weight", "classify.bias")
    has_temperature = True

    def __init__(
        self,
        channels: int,
        labels: LabelSet,
        kernel: int = 3,
        dropout: float = 0.0,
        loss: str = "cross_entropy + dice",
        class_weights: Sequence[float] | None = None,
        label_smoothing: float = 0.0,
        kind: Kind = "semantic",
        classify: nn.Module | None = None,
        auxiliary: Auxiliary | None = None,
    ) -> None:
        super().__init__()
        if not 0 <= dropout < 1:
            raise OptionError(f"[model] dropout: expected 0 to below 1, got {dropout}")
        self.reading = reading_of(kind, labels)
        self.count = len(labels)
        self.drop = nn.Dropout2d(dropout) if dropout else nn.Identity()
        self.classify = nn.Conv2d(channels, self.count, kernel, padding=kernel // 2) if classify is None else classify
        self.auxiliary = None if auxiliary is None else _fcn(auxiliary.channels, self.count)
        self.auxiliary_weight = 0.0 if auxiliary is None else auxiliary.weight
        if auxiliary is not None:
            self.class_rows = (*self.class_rows, "auxiliary.4.weight", "auxiliary.4.bias")
        self.register_buffer("class_weights", None, persistent=False)  # an option of training, not part of the model
        if class_weights is not None:
            self.weigh(class_weights)
        self.terms = weighted.parse(loss)
        if label_smoothing:
            self.terms = weighted.with_option(self.terms, "cross_entropy", "smoothing", label_smoothing)
        weighted.check(self.terms, self.count, kind == "multilabel")
        self.wants_distances = any(term.name == "boundary" for term in self.terms)
        self.takes_two = all(term.name not in weighted.OF_WHOLE_PIXELS for term in self.terms)

    def forward(self, features: Tensor | PixelFeatures, size: Size, targets: Any = None) -> PixelRaw | SupervisedRaw:
        """Give logits for features; in training, with targets, those of the auxiliary head too."""
        stage, pixels = features if isinstance(features, PixelFeatures) else (None, features)
        logits = self.classify(self.drop(pixels))
        if self.auxiliary is None or stage is None or targets is None or not self.training:
            return PixelRaw(logits)
        return SupervisedRaw(logits, self.auxiliary(stage))

    def targets(self, truth: Segmentation) -> dict[str, AnyArray]:
        """Give the class map (H, W) as ``classes``, or for multilabel ``members`` (L, H, W): see ``heads.reading``."""
        return self.reading.targets(truth, self.wants_distances)

    def loss(self, raw: PixelRaw | SupervisedRaw, targets: Targets) -> dict[str, Tensor]:
        """Give each weighted term of the loss by its name, at the targets' resolution; void pixels do not count.

        An image with two truths counts as two images, each by its share.
        """
        terms = self._terms(raw.logits, targets)
        if isinstance(raw, SupervisedRaw):
            guiding = self._terms(raw.auxiliary, targets)
            terms |= {f"auxiliary_{name}": self.auxiliary_weight * term for name, term in guiding.items()}
        return terms

    def _terms(self, logits: Tensor, targets: Any) -> dict[str, Tensor]:
        truth = next(iter(targets.values()))
        evidence = self.reading.evidence(*_apart(_resized(logits, tuple(truth.shape[-2:])), targets), self.class_weights)
        return {term.name: term(evidence) for term in self.terms}

    def weigh(self, weights: Sequence[float]) -> None:
        """Set the weights of the classes in the losses that average over pixels."""
        self.class_weights = class_weights_of(weights, self.count, next(self.classify.parameters()))

    def reduce(self, raw: PixelRaw, size: Size, probabilities: bool = False) -> NamedTuple:
        """Give what decoding needs at (H, W): the classes, how sure they are, and all probabilities if asked."""
        # softmax takes half the time on class planes, max and sum on pixels
        logits = raw.logits.contiguous() if probabilities else raw.logits
        if self.temperature != 1:
            logits = logits.float() / self.temperature  # before they are enlarged: there are fewer
        if not probabilities and self.reading.wins and _in_strips(logits, size):
            found = pixel_strips.reduced(logits.float().contiguous().numpy(), size, torch.get_num_threads())
            return type(found)(*(torch.from_numpy(part) for part in found))  # type: ignore[arg-type]
        return self.reading.reduce(_resized(logits, size), probabilities)

    def exported(self, raw: PixelRaw, size: Size, probabilities: bool = False) -> NamedTuple:
        """Give what decoding needs with nothing averaged over pixels, as some of them are padding."""
        return self.reading.exported(_resized(raw.logits.float() / self.temperature, size), probabilities)

    @property
    def decoder(self) -> Decoder:
        """One segmentation an image, of the head's kind."""
        return self.reading.decoder


def _in_strips(logits: Tensor, size: Size) -> bool:
    """Tell whether NumPy may take the classes: on a CPU, outside any graph that is being recorded."""
    recorded = torch.jit.is_tracing() or torch.compiler.is_compiling() or torch.onnx.is_in_onnx_export()
    if recorded or logits.device.type != "cpu" or logits.requires_grad:
        return False
    return pixel_strips.fits((logits.shape[-2], logits.shape[-1]), size)


def _apart(logits: Tensor, targets: Any) -> tuple[Tensor, Any]:
    """Make two images of each that has two truths, with the ``share`` that each of them counts."""
    if "share" not in targets:
        return logits, targets
    mixed = torch.where(targets["share"] < 1)[0]
    own = [name for name in targets if name != "share" and not name.startswith("second_")]
    both = {name: torch.cat([targets[name], targets[f"second_{name}"][mixed]]) for name in own}
    share = torch.cat([targets["share"], 1 - targets["share"][mixed]])
    return torch.cat([logits, logits[mixed]]), {**both, "share": share}


def _fcn(channels: int, classes: int) -> nn.Module:
    """Build torchvision's FCN head: 3x3 convolution to a quarter of the channels, batch norm, ReLU, dropout, 1x1 to logits."""
    from torchvision.models.segmentation.fcn import FCNHead

    return with_steady_norms(FCNHead(channels, classes))


def _resized(logits: Tensor, size: Size) -> Tensor:
    logits = logits.float()
    if logits.shape[-2:] == torch.Size(size):
        return logits
    return F.interpolate(logits, size=size, mode="bilinear", align_corners=False)
