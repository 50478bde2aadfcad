"""Encoders: images to features at growing strides, from timm and segmentation-models-pytorch, and the plain one."""

from pixelwise.models.encoders.build import Encoder, build_encoder, known_encoders

__all__ = ["Encoder", "build_encoder", "known_encoders"]
