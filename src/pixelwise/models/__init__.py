"""Networks, their heads, losses and encoders, and the files they are kept in.

Each row's module has ``build``, ``KINDS`` (what it gives, the usual kind first) and ``ABOUT``, a
``pixelwise.models.about.About``: what the network is good for, the licence of its code and of the weights it starts from, and
the paper, a line each. ``BY_PLACE = True`` beside them says that it knows objects by their place in the image, so that images in
prediction should be as large as in training.
``pixelwise list models`` prints them.
"""

from pixelwise.catalog import Catalog

MODELS = Catalog(
    "model",
    {
        "blendmask": "pixelwise.models.networks.blendmask",
        "deeplabv3": "pixelwise.models.networks.deeplabv3",
        "deeplabv3plus": "pixelwise.models.networks.deeplabv3plus",
        "detr": "pixelwise.models.networks.detr",
        "dpt": "pixelwise.models.networks.dpt",
        "enet": "pixelwise.models.networks.enet",
        "eomt": "pixelwise.models.networks.eomt",
        "fcn": "pixelwise.models.networks.fcn",
        "fpn": "pixelwise.models.networks.fpn",
        "linknet": "pixelwise.models.networks.linknet",
        "lraspp": "pixelwise.models.networks.lraspp",
        "manet": "pixelwise.models.networks.manet",
        "mask2former": "pixelwise.models.networks.mask2former",
        "maskdino": "pixelwise.models.networks.maskdino",
        "maskformer": "pixelwise.models.networks.maskformer",
        "maskrcnn": "pixelwise.models.networks.maskrcnn",
        "oneformer": "pixelwise.models.networks.oneformer",
        "pan": "pixelwise.models.networks.pan",
        "panoptic_deeplab": "pixelwise.models.networks.panoptic_deeplab",
        "panoptic_fpn": "pixelwise.models.networks.panoptic_fpn",
        "pspnet": "pixelwise.models.networks.pspnet",
        "segformer": "pixelwise.models.networks.segformer",
        "segnet": "pixelwise.models.networks.segnet",
        "solov2": "pixelwise.models.networks.solov2",
        "solov2_light": "pixelwise.models.networks.solov2_light",
        "unet": "pixelwise.models.networks.unet",
        "unetplusplus": "pixelwise.models.networks.unetplusplus",
        "upernet": "pixelwise.models.networks.upernet",
        "upsnet": "pixelwise.models.networks.upsnet",
        "yolo": "pixelwise.models.networks.yolo",
    },
)
