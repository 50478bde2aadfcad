"""SOLOv2 [1]: objects without boxes; each cell of a few grids gives a class and the convolution that finds its object's pixels.

The network is an encoder with a feature pyramid; ``heads.grid`` has the rest. The defaults suit a CPU. The paper's network is
``encoder = "resnet50"``, ``pyramid = 256``, ``width = 512``, ``depth = 4``, ``mask_width = 128``, ``features = 256``, with
images of 800 pixels at the shorter side: mmdetection states a mask AP of 34.8 on COCO's val2017 after 12 epochs, and 37.5
after 36. The light one has ``width = 256``, ``depth = 2``, ``features = 128`` and images of 448 pixels: 33.7 with a ResNet-50,
29.7 with a ResNet-18. Published with both are ``balanced = true``, ``peaks = true``, ``smallest = [8, 8, 16, 32, 32]``,
``pixel_loss = 0``, and masks of all cells in training: ``samples = 5000``.

[1] Wang, Zhang, Kong, Li, Shen: SOLOv2: Dynamic and Fast Instance Segmentation, NeurIPS 2020, arXiv 2003.10152.
"""

from dataclasses import asdict, fields
from typing import Any, Literal

from pixelwise.core.card import Card
from pixelwise.core.errors import OptionError
from pixelwise.core.image import RGB
from pixelwise.core.labels import LabelSet
from pixelwise.core.segmentation import Kind
from pixelwise.models.about import About
from pixelwise.models.build_options import checked
from pixelwise.models.encoders import build_encoder
from pixelwise.models.foreign_weights import TORCHVISION, read_tensors, source_of
from pixelwise.models.heads.grid import GridHead, GridOptions
from pixelwise.models.heads.grid_layers import GridWidths
from pixelwise.models.heads.grid_nms import Decay
from pixelwise.models.heads.grid_targets import Grids
from pixelwise.models.pyramid import EncoderPyramid
from pixelwise.models.segmenter import Segmenter
from pixelwise.models.semantic import Input
from pixelwise.models.solov2_weights import Layout, fill_from_mmdet, layout_for

KINDS: tuple[Kind, ...] = ("instance",)
BY_PLACE = True  # an object's kernel goes by its place in the image: images should be as large as those it was trained on
ABOUT = About(
    good_for="separate objects without boxes, of any shape; quick, as no proposal is worked off by itself",
    code="Apache-2.0 (pixelwise, written from the paper)",
    weights="timm's tf_efficientnet_lite2: Apache-2.0, learnt from ImageNet; installed with pixelwise",
    paper="Wang, Zhang, Kong, Li, Shen, SOLOv2: Dynamic and Fast Instance Segmentation, NeurIPS 2020, arXiv 2003.10152",
    parameters=4_997_451,
    multiply_adds=3_934_902_576,
)


@checked
def build(
    labels: LabelSet,
    kind: Kind = "instance",
    *,
    encoder: str = "tf_efficientnet_lite2",
    weights: str = "imagenet",
    finest: Literal[2, 4] = 4,
    pyramid: int = 64,
    width: int = 64,
    depth: int = 2,
    mask_width: int = 64,
    features: int = 64,
    kernel: Literal[1, 3] = 1,
    balanced: bool = False,
    grids: tuple[int, ...] = (40, 36, 24, 16, 12),
    scales: Literal["relative"] | tuple[tuple[float, float], ...] = "relative",
    centre: float = 0.2,
    candidates: int = 500,
    score: float = 0.1,
    peaks: bool = False,
    mask: float = 0.5,
    smallest: tuple[int, ...] = (),
    decay: Decay = "gaussian",
    sigma: float = 0.5,
    keep: float = 0.05,
    detections: int = 100,
    bands: tuple[str, ...] = RGB,
    mean: tuple[float, ...] = (),
    deviation: tuple[float, ...] = (),
    samples: int = 128,
    class_loss: float = 1.0,
    mask_loss: float = 3.0,
    pixel_loss: float = 3.0,
    class_weights: tuple[float, ...] | None = None,
) -> Segmenter:
    """Build a SOLOv2.

    Args:
        labels: the classes of objects; background is none of them.
        encoder: the name of a timm or smp encoder.
        weights: of the encoder, as for ``unet``; or ``mmdet:PATH`` for a file of mmdetection's SOLOv2, the whole or the light
            one, on a plain ResNet: encoder and widths are then read off it, and classes of COCO's names keep theirs. It saw
            images of 800 (448) pixels at the shorter side, with batch norms frozen: fine-tune it with
            ``--set train.freeze_norm=true``.
        finest: stride of the finest level, at which masks are made; 2 for objects below some 8 pixels.
        pyramid: channels of its levels.
        width, depth: channels of the convolutions before classes and kernels, and how many there are.
        mask_width, features: channels of the convolutions before the features of the masks, and of these.
        kernel: side of the convolution that a cell gives: 1, or 3 with nine times as many weights.
        balanced: halve the first level and double the last one before they are laid on their grids, as published; on small
            images the finest grid then sees less.
        grids: cells along either side, for the pyramid's levels from the finest on.
        scales: the least and the greatest size, in pixels, of the objects each grid is taught; ``relative`` takes the paper's
            as shares of the image's mean side: up to 96 of 1024 pixels on the finest grid, twice as much on each further one.
        centre: share of an object's box whose cells are taught it.
        candidates: pairs of a cell and a class that masks are made of in prediction.
        score: their least score.
        peaks: leave out cells whose neighbour above or to the left is surer of the class, as published; where objects lie close
            together, some are dropped.
        mask: a pixel is inside a mask where its probability exceeds this.
        smallest: for each grid, cells of a mask below which it is dropped; () drops none.
        decay, sigma: of Matrix NMS: ``gaussian`` has exp(-IoU² / sigma), elsewhere written exp(-2 IoU²), ``linear`` 1 - IoU.
        keep: the least score after it.
        detections: the most an image may have.
        bands, mean, deviation: of the input, as for ``unet``.
        samples: cells an image whose masks a training step learns from; the paper takes all.
        class_loss, mask_loss, pixel_loss: weights of the focal loss, of Dice, and of the cross entropy of the masks' pixels, 0
            in the paper: without it small objects are hardly learnt.
        class_weights: one a class, in the loss of classes.

    Raises:
        OptionError: the kind or an option does not fit, or the encoder lacks a stride.
    """
    _require(labels, kind)
    source = source_of(weights)
    if source is not None and source.maker != "mmdet":
        raise OptionError(f"[model] weights: expected a file of mmdetection for solov2, as in 'mmdet:PATH', got {weights!r}")
    tensors = read_tensors(source.path) if source else None
    layout = Layout(encoder, finest, pyramid, width, depth, mask_width, features, kernel, balanced, smallest, peaks)
    layout = layout_for(tensors, layout) if tensors else layout
    widths = GridWidths(
        layout.pyramid, layout.width, layout.depth, layout.mask_width, layout.features, layout.kernel, layout.balanced
    )
    taught = Grids(grids, scales, centre)
    options = GridOptions(
        samples=samples,
        class_loss=class_loss,
        mask_loss=mask_loss,
        pixel_loss=pixel_loss,
        candidates=candidates,
        score=score,
        peaks=layout.peaks,
        mask=mask,
        smallest=layout.smallest,
        decay=decay,
        sigma=sigma,
        keep=keep,
        detections=detections,
    )
    path = build_encoder(layout.encoder, "none" if tensors else weights, len(bands))
    network = EncoderPyramid(path, layout.finest, layout.pyramid)
    if len(grids) > len(network.levels):
        raise OptionError(
            f"[model] grids: expected at most {len(network.levels)}, one a level of the pyramid, got {list(grids)}"
        )
    stride = max(path.strides)
    head = GridHead(taught, widths, len(network.levels) - 1, len(labels), stride, options, class_weights)
    given = Input(bands, mean, deviation)
    statistics = TORCHVISION if tensors else path
    card = Card(
        "solov2",
        kind,
        labels,
        bands,
        tuple(map(float, given.mean)) or statistics.mean,
        tuple(map(float, given.deviation)) or statistics.deviation,
        stride=stride,
        options=_plain(
            {field.name: getattr(layout, field.name) for field in fields(Layout)}
            | {"weights": weights, "grids": grids, "scales": scales, "centre": centre}
            | {name: value for name, value in asdict(options).items() if name not in _OF_TRAINING}
            | asdict(given)
        ),
    )
    model = Segmenter(network, head, card)
    if tensors:
        fill_from_mmdet(model, tensors)
    return model


_OF_TRAINING = ("samples", "class_loss", "mask_loss", "pixel_loss")


def _require(labels: LabelSet, kind: Kind) -> None:
    if kind not in KINDS:
        raise OptionError(f"solov2 gives instance segmentations, not {kind}; choose another --kind or --model")
    if not len(labels):
        raise OptionError("solov2 needs at least one class")


def _plain(options: dict[str, Any]) -> dict[str, Any]:
    """Write tuples, and tuples of them, as lists, as JSON has them."""

    def listed(value: Any) -> Any:
        return [listed(one) for one in value] if isinstance(value, tuple) else value

    return {name: listed(value) for name, value in options.items()}
