"""Augmentation: everything is drawn once, then applied to the image and to its masks alike."""

from pixelwise.augment.options import POLICIES, AugmentOptions
from pixelwise.augment.policy import Draw, apply, draw
from pixelwise.augment.realism import warnings_for

__all__ = ["POLICIES", "AugmentOptions", "Draw", "apply", "draw", "warnings_for"]
