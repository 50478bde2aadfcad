"""Losses by name, and weighted sums of them: ``"cross_entropy + dice"``, ``"0.5*focal(gamma=3) + lovasz"``.

Each row's module holds a function of the row's name: a plain function of ``Pixels`` (logits and truth) with its options as
keywords, that gives a scalar. Void pixels never count, and a batch without a labelled pixel gives 0. Where a pixel may be of
several classes, all but ``weighted.OF_CLASS_MAPS`` take ``Memberships`` in place of ``Pixels``: binary cross entropy, Dice …
of each class.
"""

from pixelwise.catalog import Catalog

LOSSES = Catalog(
    "loss",
    {
        "boundary": "pixelwise.models.losses.boundary",
        "cross_entropy": "pixelwise.models.losses.cross_entropy",
        "dice": "pixelwise.models.losses.regions",
        "focal": "pixelwise.models.losses.cross_entropy",
        "focal_tversky": "pixelwise.models.losses.regions",
        "jaccard": "pixelwise.models.losses.regions",
        "lovasz": "pixelwise.models.losses.lovasz",
        "ohem": "pixelwise.models.losses.cross_entropy",
        "tversky": "pixelwise.models.losses.regions",
    },
)
