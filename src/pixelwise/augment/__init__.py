"""Augmentation: everything is drawn once, then applied to the image and to its masks alike."""

from pixelwise.augment.policy import AugmentOptions, Draw, apply, draw

__all__ = ["AugmentOptions", "Draw", "apply", "draw"]
