"""A real-time detector of YOLO's kind that gives masks: one pass finds classes, boxes and masks at every place of a pyramid.

Written from papers: prototypes and coefficients are YOLACT's [1], or with ``masks = "dynamic"`` RTMDet-Ins's small networks
[2]; encoder, pyramid and decoupled towers have YOLOX's layout [3]; boxes are those of Generalized Focal Loss [4]; which places
learn which objects is told by TOOD's alignment [5]. The real-time family is ``encoder = "csp"`` and ``finest = 8`` in the sizes
n, s, m and l, which differ by YOLOX's multipliers; with ``boxes = "plain"`` and ``shared = false`` its layers are YOLOX's own.
On few images an encoder that knows ImageNet learns far more in the same time, and is the default.

[1] Bolya, Zhou, Xiao, Lee: YOLACT: Real-time Instance Segmentation, ICCV 2019, arXiv 1904.02689: 29.8 mask AP on COCO test-dev
    with a ResNet-101 at 550 pixels, 33.5 images/s on a Titan Xp.
[2] Lyu et al., RTMDet: An Empirical Study of Designing Real-Time Object Detectors, arXiv 2212.07784: 35.4 to 44.6 mask AP on
    COCO val2017 at 640 pixels, tiny to x.
[3] Ge, Liu, Wang, Li, Sun: YOLOX: Exceeding YOLO Series in 2021, arXiv 2107.08430: boxes alone.
[4] Li et al., Generalized Focal Loss, NeurIPS 2020, arXiv 2006.04388.
[5] Feng et al., TOOD: Task-aligned One-stage Object Detection, ICCV 2021, arXiv 2108.07755.
"""

from dataclasses import asdict
from typing import Any, Literal

from pixelwise.core.card import Card
from pixelwise.core.errors import OptionError
from pixelwise.core.image import RGB
from pixelwise.core.labels import LabelSet
from pixelwise.core.segmentation import Kind
from pixelwise.models.about import About
from pixelwise.models.build_options import checked
from pixelwise.models.csp import SIZES, CspSize, csp_encoder
from pixelwise.models.encoders import Encoder, build_encoder
from pixelwise.models.encoders.weights import loaded
from pixelwise.models.heads.box_terms import terms_of
from pixelwise.models.heads.prototype import PrototypeHead
from pixelwise.models.heads.prototype_assignment import AlignmentRule
from pixelwise.models.heads.prototype_boxes import BoxForm, first_numbers
from pixelwise.models.heads.prototype_layers import Layout, PrototypeBranch, Towers
from pixelwise.models.heads.prototype_masks import MaskForm, numbers_of
from pixelwise.models.heads.prototype_raw import TERMS, Detecting, Forms
from pixelwise.models.path_pyramid import COARSEST, PathPyramid
from pixelwise.models.segmenter import Segmenter
from pixelwise.models.semantic import Input

KINDS: tuple[Kind, ...] = ("instance",)
ABOUT = About(
    good_for="separate objects in real time: dozens of small images a second on a CPU, trained in minutes",
    code="Apache-2.0, written from papers",
    weights="timm's tf_efficientnet_lite0: Apache-2.0, learnt from ImageNet; installed with pixelwise",
    paper="Bolya et al., YOLACT, ICCV 2019, arXiv 1904.02689; Ge et al., YOLOX, 2021, arXiv 2107.08430",
    parameters=3_992_715,
    multiply_adds=4_959_255_840,
)
LOSS = "classes + 2*boxes + 0.25*distributions + 2*masks + dice"
TRAINING: dict[str, Any] = {"rate": 3e-3}  # with batch norms everywhere, it learns twice as fast as at the usual 1e-3
_WIDTH = 256  # of the towers, at full width


@checked
def build(
    labels: LabelSet,
    kind: Kind = "instance",
    *,
    encoder: str = "tf_efficientnet_lite0",
    weights: str = "imagenet",
    size: CspSize = "n",
    finest: Literal[4, 8] = 4,
    shared: bool = True,
    boxes: BoxForm = "distribution",
    bins: int = 16,
    masks: MaskForm = "prototype",
    prototypes: int = 0,
    prototype_stride: Literal[2, 4] = 4,
    alpha: float = 0.5,
    beta: float = 6.0,
    top: int = 10,
    candidates: int = 500,
    detections: int = 100,
    score: float = 0.05,
    overlap: float = 0.6,
    bands: tuple[str, ...] = RGB,
    mean: tuple[float, ...] = (),
    deviation: tuple[float, ...] = (),
    loss: str = LOSS,
    class_weights: tuple[float, ...] | None = None,
) -> Segmenter:
    """Build a real-time instance network.

    Args:
        labels: the classes of objects; background is none of them.
        encoder: ``csp``, the backbone of the real-time family, from random weights; or the name of a timm or smp encoder.
        weights: of the encoder, as for ``unet``; ``csp`` has none from ImageNet.
        size: ``n``, ``s``, ``m`` or ``l``: of pyramid, towers and prototypes, and of the encoder where it is ``csp``.
        finest: stride of the pyramid's finest level: 4 for objects below some 16 pixels, 8 for speed.
        shared: whether the towers of all levels share their convolutions, as in RTMDet; YOLOX has towers for each.
        boxes: ``distribution`` predicts each side as one over ``bins`` distances, of a stride each; ``plain`` as a number.
        bins: so many; the paper has 17.
        masks: ``prototype`` or ``dynamic``.
        prototypes: maps that masks are made of; 0 takes 32, or 8 for dynamic masks, as published.
        prototype_stride: of these maps; 2 for thin parts, at some four times their cost.
        alpha, beta, top: of the assignment: exponents of score and IoU, and how many places learn an object; TOOD has 1, 6, 13.
        candidates: pairs of a place and a class that are compared with each other in prediction.
        detections, score, overlap: the most an image may have; their least score; IoU above which two of a class overlap.
        bands, mean, deviation: of the input, as for ``unet``.
        loss: the terms and their weights, as in ``"classes + 2*boxes + 0.25*distributions + 2*masks + dice"``.
        class_weights: one a class, in the term of classes.

    Raises:
        OptionError: the kind or an option does not fit, or the encoder lacks a stride.
    """
    _require(labels, kind)
    if encoder == "csp" and weights == "imagenet":
        weights = "none"  # there are no published ones
    forms = Forms(boxes, bins, masks, prototypes or {"prototype": 32}.get(masks, 8), prototype_stride)
    rule, detecting = AlignmentRule(alpha, beta, top), Detecting(candidates, detections, score, overlap)
    given, path = Input(bands, mean, deviation), _encoder(encoder, weights, size, len(bands))
    network = PathPyramid(path, finest, SIZES[size])
    layout = _layout(network, size, len(labels), forms, shared)
    first = first_numbers(forms.boxes, forms.bins)
    head = PrototypeHead(
        Towers(layout, first),
        PrototypeBranch(layout),
        network.levels,
        forms,
        rule,
        detecting,
        terms_of(loss, TERMS, "yolo"),
        class_weights,
    )
    options: dict[str, Any] = {
        "encoder": encoder,
        "weights": weights,
        "size": size,
        "finest": finest,
        "shared": shared,
        **asdict(forms),
        **asdict(rule),
        **asdict(detecting),
        "bands": list(bands),
        "mean": list(mean),
        "deviation": list(deviation),
    }
    means, deviations = tuple(map(float, given.mean)) or path.mean, tuple(map(float, given.deviation)) or path.deviation
    return Segmenter(network, head, Card("yolo", kind, labels, bands, means, deviations, stride=COARSEST, options=options))


def _require(labels: LabelSet, kind: Kind) -> None:
    if kind not in KINDS:
        raise OptionError(f"yolo gives instance segmentations, not {kind}; choose another --kind or --model")
    if not len(labels):
        raise OptionError("yolo needs at least one class")


def _encoder(name: str, weights: str, size: CspSize, bands: int) -> Encoder:
    if name != "csp":
        return build_encoder(name, weights, bands)
    return loaded(csp_encoder(size, bands), name, weights, bands)


def _layout(network: PathPyramid, size: CspSize, classes: int, forms: Forms, shared: bool) -> Layout:
    return Layout(
        channels=network.channels,
        width=SIZES[size].wide(_WIDTH),
        classes=classes,
        distances=4 * (forms.bins if forms.boxes == "distribution" else 1),
        coefficients=numbers_of(forms.masks, forms.prototypes),
        prototypes=forms.prototypes,
        doublings=(network.levels[0] // forms.prototype_stride).bit_length() - 1,
        shared=shared,
    )
