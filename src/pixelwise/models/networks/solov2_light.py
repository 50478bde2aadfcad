"""SOLOv2-light [1]: SOLOv2 with towers and mask features of half the width, for images of 448 pixels at the shorter side.

The paper's has ``encoder = "resnet50"``: mmdetection states a mask AP of 33.7 on COCO's val2017, 31.9 with a ResNet-34 and 29.7
with a ResNet-18. What else was published with it is listed in ``solov2``.

[1] Wang, Zhang, Kong, Li, Shen: SOLOv2: Dynamic and Fast Instance Segmentation, NeurIPS 2020, arXiv 2003.10152, section 4.1.
"""

from dataclasses import replace
from typing import Any, Literal

from pixelwise.core.image import RGB
from pixelwise.core.labels import LabelSet
from pixelwise.core.segmentation import Kind
from pixelwise.models.about import About
from pixelwise.models.build_options import checked
from pixelwise.models.heads.grid_nms import Decay
from pixelwise.models.networks import solov2
from pixelwise.models.networks.solov2 import BY_PLACE, KINDS
from pixelwise.models.segmenter import Segmenter

__all__ = ["ABOUT", "BY_PLACE", "KINDS", "WIDTHS", "build"]

ABOUT = About(
    good_for="separate objects without boxes, at the widths of the paper's light form; solov2's defaults are lighter still",
    code="Apache-2.0 (pixelwise, written from the paper)",
    weights="timm's tf_efficientnet_lite2: Apache-2.0, learnt from ImageNet; installed with pixelwise",
    paper="Wang, Zhang, Kong, Li, Shen, SOLOv2: Dynamic and Fast Instance Segmentation, NeurIPS 2020, arXiv 2003.10152",
    parameters=11_187_659,
    multiply_adds=25_845_893_040,
)
WIDTHS: dict[str, Any] = {"pyramid": 256, "width": 256, "depth": 2, "mask_width": 128, "features": 128, "kernel": 1}


@checked
def build(
    labels: LabelSet,
    kind: Kind = "instance",
    *,
    encoder: str = "tf_efficientnet_lite2",
    weights: str = "imagenet",
    finest: Literal[2, 4] = 4,
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
    """Build a SOLOv2-light.

    Args:
        labels: the classes of objects; background is none of them.
        weights: of the encoder, as for ``unet``; or ``mmdet:PATH`` for a file of mmdetection's light SOLOv2, as for ``solov2``.

    The other arguments are those of ``solov2``.

    Raises:
        OptionError: the kind or an option does not fit, the encoder lacks a stride, or the weights are of other widths.
    """
    given: dict[str, Any] = {name: value for name, value in locals().items() if name not in ("labels", "kind")}
    model = solov2.build(labels, kind, **WIDTHS, **given)
    options = {name: value for name, value in model.card.options.items() if name not in WIDTHS}
    return Segmenter(model.network, model.head, replace(model.card, name="solov2_light", options=options))
