"""Networks, their heads, losses and encoders, and the files they are kept in."""

from pixelwise.catalog import Catalog

MODELS = Catalog(
    "model",
    {
        "unet": "pixelwise.models.networks.unet",
    },
)
