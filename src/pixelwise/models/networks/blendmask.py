"""BlendMask [1]: objects found by FCOS [2], without anchors, and masks mixed of a few maps by each object's own attention.

The network of the paper is ``encoder = "resnet50"``, ``finest = 8``, ``coarsest = 128``, ``pyramid = 256``, ``depth = 4``,
``bottom = "deeplab"``, ``bottom_width = 256``, ``attention = 14``, ``mask_size = 56``, ``outside = 0``, ``box_loss = "giou"``;
that for real time has ``depth = 3``, ``shared = true``, ``bottom = "proto"``, ``bottom_width = 128``, ``attention = 7`` and
``mask_size = 28``. The panoptic kind adds Panoptic FPN's branch for stuff and its rule, as the authors do.

[1] Chen, Sun, Tian, Shen, Huang, Yan: BlendMask: Top-Down Meets Bottom-Up for Instance Segmentation, CVPR 2020, arXiv
    2001.00309. The authors' repository states mask APs on COCO's val2017 of 35.8 (1x) and 37.8 (3x) with a ResNet-50 and 39.5
    (3x) with a ResNet-101, and the paper a PQ of 42.5 with a ResNet-50.
[2] Tian, Shen, Chen, He: FCOS: Fully Convolutional One-Stage Object Detection, ICCV 2019, arXiv 1904.01355; TPAMI 2021, arXiv
    2006.09214.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

from pixelwise.core.card import Card
from pixelwise.core.errors import OptionError
from pixelwise.core.image import RGB
from pixelwise.core.labels import LabelSet
from pixelwise.core.segmentation import Kind
from pixelwise.decode.merge import Merging
from pixelwise.models.about import About
from pixelwise.models.build_options import checked
from pixelwise.models.encoders import Encoder, build_encoder
from pixelwise.models.heads.base import Head
from pixelwise.models.heads.blend import BlendHead
from pixelwise.models.heads.blend_bases import Bottom, BottomOptions
from pixelwise.models.heads.blend_raw import TERMS, BlendOptions
from pixelwise.models.heads.box_terms import terms_of
from pixelwise.models.heads.fcos import CHANNELS, BoxLoss, Towers
from pixelwise.models.heads.fcos_matching import Rules
from pixelwise.models.heads.fused import Fused, require_things
from pixelwise.models.network import Network
from pixelwise.models.panoptic_pyramid import PanopticPyramid
from pixelwise.models.pyramid import EncoderPyramid
from pixelwise.models.segmenter import Segmenter
from pixelwise.models.semantic import Input
from pixelwise.models.semantic_branch import SemanticBranch

KINDS: tuple[Kind, ...] = ("instance", "panoptic")
ABOUT = About(
    good_for="separate objects that may overlap, or objects and stuff; in one stage, and without anchors to choose",
    code="BSD-3-Clause (torchvision's layers of FCOS), Apache-2.0 (what is around them)",
    weights="timm's tf_efficientnet_lite2: Apache-2.0, learnt from ImageNet; installed with pixelwise",
    paper="Chen et al., BlendMask: Top-Down Meets Bottom-Up for Instance Segmentation, CVPR 2020, arXiv 2001.00309",
    parameters=5_842_249,
    multiply_adds=12_240_786_096,
)
LOSS = "classes + boxes + centres + masks + 0.3*semantic"


@checked
def build(
    labels: LabelSet,
    kind: Kind = "instance",
    *,
    encoder: str = "tf_efficientnet_lite2",
    weights: str = "imagenet",
    finest: Literal[2, 4, 8] = 4,
    coarsest: Literal[64, 128] = 64,
    pyramid: int = 96,
    depth: int = 3,
    shared: bool = False,
    reach: float = 8.0,
    radius: float = 1.5,
    outside: float = 0.5,
    bottom: Literal["proto", "deeplab"] = "proto",
    bottom_width: int = 64,
    bases: int = 4,
    base_stride: Literal[1, 2, 4, 8] = 4,
    attention: int = 7,
    mask_size: int = 28,
    samples: int = 128,
    candidates: int = 1000,
    detections: int = 100,
    score: float = 0.05,
    overlap: float = 0.6,
    semantic_width: int = 64,
    merge_score: float = 0.5,
    merge_overlap: float = 0.5,
    stuff_area: int = 64,
    bands: tuple[str, ...] = RGB,
    mean: tuple[float, ...] = (),
    deviation: tuple[float, ...] = (),
    box_loss: BoxLoss = "iou",
    loss: str = LOSS,
    class_weights: tuple[float, ...] | None = None,
) -> Segmenter:
    """Build a BlendMask.

    Args:
        labels: the classes; of the instance kind all of them are classes of objects.
        kind: ``instance`` or ``panoptic``.
        encoder: the name of a timm or smp encoder.
        weights: of the encoder, as for ``unet``.
        finest: stride of the finest level in which objects are looked for; the paper has 8. 2 finds objects that lie within a
            few pixels of one another, at three to four times the cost.
        coarsest: stride of the coarsest level; the paper has 128.
        pyramid: channels of the levels and of the towers on them, a multiple of 8; the paper has 256.
        depth: convolutions of a tower; the paper has 4.
        shared: one tower for classes and boxes in place of two.
        reach: a level is for objects of which the furthest side is up to so many of its strides away.
        radius: strides from the middle of an object at which a location is still an example of it.
        outside: strides by which it may lie outside of the object; 0 as published, where objects between locations are lost.
        bottom: the module that makes the bases: ``proto`` adds up all levels, ``deeplab`` is DeepLabv3+'s decoder.
        bottom_width: channels of it, a multiple of 8.
        bases: maps over the whole image that masks are mixed of.
        base_stride: of these maps.
        attention: cells of the side of an object's weights for the bases; the paper has 14.
        mask_size: cells of a mask's side; the paper has 56.
        samples: locations an image whose masks a step learns.
        candidates: kept of an image before overlapping ones are dropped, by score.
        detections, score, overlap: the most an image may have; their least score; IoU above which two of a class overlap.
        semantic_width: panoptic: channels of the branch for stuff, a multiple of 32; the paper has 128.
        merge_score, merge_overlap: panoptic: a detection of a lower score, or of which more than this share belongs to surer
            ones, is no segment.
        stuff_area: panoptic: pixels of the image below which a class of stuff is left out; the paper has 4096.
        bands, mean, deviation: of the input, as for ``unet``.
        box_loss: of boxes: ``giou`` as the authors have it in the end, or ``iou`` after FCOS's first paper, which pulls
            harder at boxes that are much too large, as those of objects of a few pixels are at first, with what GIoU adds for
            boxes that do not touch their object.
        loss: the terms and their weights, as in ``"classes + boxes + centres + 2*masks"``. ``semantic`` is the cross entropy of
            the classes of pixels: by the features of the bases, or, where the kind is panoptic, by the branch for stuff.
        class_weights: one a class, in the losses of classes.

    Raises:
        OptionError: the kind or an option does not fit, or the encoder lacks a stride.
    """
    things = _things(labels, kind)
    size = Size(finest, coarsest, pyramid, depth, shared)
    rules = Rules(reach, radius, outside)
    mixing = BottomOptions(bottom, bottom_width, bases, base_stride)
    blending = BlendOptions(attention, mask_size, samples, candidates, detections, score, overlap)
    stuff = Merging(merge_score, merge_overlap, stuff_area)
    path = build_encoder(encoder, weights, len(bands))
    levels = size.pyramid_on(path)
    terms = terms_of(loss, TERMS, "blendmask")
    stuff_loss = "" if kind == "instance" else _stuff_loss(terms, loss)
    towers = Towers(pyramid, levels.levels, things, depth, shared, rules, box_loss)
    maps = Bottom(pyramid, levels.levels[: levels.own], mixing)
    own_weights = class_weights if kind == "instance" else None  # the fused head shares them out
    head: Head = BlendHead(towers, maps, blending, things, kind == "instance", terms, own_weights)
    network: Network = levels
    if kind == "panoptic":
        network = PanopticPyramid(levels, SemanticBranch(levels.own, pyramid, semantic_width))
        head = Fused(head, labels, semantic_width, max(path.strides), stuff, stuff_loss, class_weights)
    options = {
        "encoder": encoder,
        "weights": weights,
        **asdict(size),
        **asdict(rules),
        "bottom": bottom,
        "bottom_width": bottom_width,
        "bases": bases,
        "base_stride": base_stride,
        **asdict(blending),
        "semantic_width": semantic_width,
        "merge_score": merge_score,
        "merge_overlap": merge_overlap,
        "stuff_area": stuff_area,
    }
    return _segmenter(labels, kind, network, head, path, Input(bands, mean, deviation), options)


@dataclass(frozen=True)
class Size:
    """The levels that objects are looked for in, and the towers on them: options of ``build``."""

    finest: int
    coarsest: int
    pyramid: int
    depth: int
    shared: bool

    def __post_init__(self) -> None:
        if self.pyramid < 2 * CHANNELS or self.pyramid % CHANNELS:
            wanted = f"a multiple of {CHANNELS}, the channels of a group of the norm, of at least {2 * CHANNELS}"
            raise OptionError(f"[model] pyramid: expected {wanted}, got {self.pyramid}")
        if self.depth < 1:
            raise OptionError(f"[model] depth: expected 1 or more convolutions, got {self.depth}")

    def pyramid_on(self, encoder: Encoder) -> EncoderPyramid:
        """Build the feature pyramid.

        Raises:
            OptionError: the encoder lacks a stride, or has one as coarse as ``coarsest``.
        """
        deepest = max(encoder.strides)
        more = (self.coarsest // deepest).bit_length() - 1
        if more < 1:
            raise OptionError(f"[model] coarsest: expected more than the encoder's {deepest}, got {self.coarsest}")
        return EncoderPyramid(encoder, self.finest, self.pyramid, convolved=more)


def _things(labels: LabelSet, kind: Kind) -> int:
    """Count the classes of objects.

    Raises:
        OptionError: there is none, or the network does not give such segmentations.
    """
    if kind not in KINDS:
        raise OptionError(f"blendmask gives {' or '.join(KINDS)} segmentations, not {kind}; choose another --kind or --model")
    if kind == "panoptic":
        require_things(labels)
        return len(labels.things)
    if not len(labels):
        raise OptionError("blendmask needs at least one class")
    return len(labels)


def _stuff_loss(terms: dict[str, float], loss: str) -> str:
    """Take the term of pixels, which the branch for stuff learns, out of ``terms``, and write it as a loss of pixels.

    Raises:
        OptionError: there is no such term.
    """
    if "semantic" not in terms:
        raise OptionError(f"[model] loss: expected the term semantic, by which panoptic networks learn stuff, got {loss!r}")
    return f"{terms.pop('semantic')}*cross_entropy"


def _segmenter(
    labels: LabelSet, kind: Kind, network: Network, head: Head, encoder: Encoder, given: Input, options: Mapping[str, Any]
) -> Segmenter:
    inputs = {"bands": given.bands, "mean": given.mean, "deviation": given.deviation}
    card = Card(
        "blendmask",
        kind,
        labels,
        given.bands,
        tuple(map(float, given.mean)) or encoder.mean,
        tuple(map(float, given.deviation)) or encoder.deviation,
        stride=max(encoder.strides),
        options={key: list(value) if isinstance(value, tuple) else value for key, value in {**options, **inputs}.items()},
    )
    return Segmenter(network, head, card)
