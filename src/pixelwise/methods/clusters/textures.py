"""Texture as channels that vary slowly: Gabor energies, local binary patterns, and the structure tensor.

All are made on a grey image (H, W), from 0 to 1, and averaged over the neighbourhood, so that stripes count as stripes in
their gaps too.

[1] Jain and Farrokhnia: Unsupervised texture segmentation using Gabor filters, Pattern Recognition 1991.
[2] Ojala, Pietikäinen, Mäenpää: Multiresolution gray-scale and rotation invariant texture classification with local binary
    patterns, IEEE TPAMI 2002.
[3] Bigun and Granlund: Optimal orientation detection of linear symmetry, ICCV 1987.
"""

import math

import cv2
import numpy as np

from pixelwise.core.arrays import FloatArray

WAVELENGTHS = (4.0, 8.0)  # of the stripes, in pixels
DIRECTIONS = 4
_OCTAVE = math.sqrt(math.log(2) / 2) * 3 / math.pi  # deviation x frequency of a filter one octave wide [1]
_WINDOW = 15  # pixels over which patterns are counted
_GRADIENT, _AROUND = 1.0, 4.0  # deviations, in pixels, of the tensor's gradients and of their averages


def gabor(grey: FloatArray) -> FloatArray:
    """Give the strengths (H, W, 8) of stripes of two widths in four directions, averaged over a wavelength [1]."""
    layers = []
    for wavelength in WAVELENGTHS:
        for turn in range(DIRECTIONS):
            strength = stripes(grey, 1 / wavelength, math.pi * turn / DIRECTIONS)
            layers.append(cv2.GaussianBlur(strength, (0, 0), wavelength))
    return np.stack(layers, axis=2)


def stripes(grey: FloatArray, frequency: float, angle: float) -> FloatArray:
    """Give the magnitude (H, W) of a round Gabor filter one octave wide.

    A round filter is the product of one along x and one along y, so eight short filters do for one wide.
    """
    deviation = _OCTAVE / frequency
    along_x, along_y = math.cos(angle), math.sin(angle)
    reach = math.ceil(max(3 * deviation * max(abs(along_x), abs(along_y)), 1))
    places = np.arange(-reach, reach + 1)
    window = np.exp(-0.5 * (places / deviation) ** 2) / (math.sqrt(2 * math.pi) * deviation)
    x, y = (2 * math.pi * frequency * part * places for part in (along_x, along_y))
    (even_x, odd_x), (even_y, odd_y) = ((window * np.cos(wave), window * np.sin(wave)) for wave in (x, y))

    def filtered(across: FloatArray, down: FloatArray) -> FloatArray:
        return cv2.sepFilter2D(grey, cv2.CV_32F, across, down, borderType=cv2.BORDER_REFLECT)

    real = filtered(even_x, even_y) - filtered(odd_x, odd_y)
    imaginary = filtered(even_x, odd_y) + filtered(odd_x, even_y)
    return np.hypot(real, imaginary)


def patterns(grey: FloatArray) -> FloatArray:
    """Give the square roots (H, W, 10) of the shares of each uniform pattern of 8 neighbours around a pixel [2].

    The Euclidean distance of roots is Hellinger's, which histograms are compared by.
    """
    from skimage.feature import local_binary_pattern

    codes = local_binary_pattern(np.rint(grey * 65535).astype(np.uint16), 8, 1, "uniform").astype(np.uint8)
    window = (_WINDOW, _WINDOW)
    shares = [cv2.blur((codes == code).astype(np.float32), window, borderType=cv2.BORDER_REFLECT) for code in range(10)]
    return np.sqrt(np.maximum(np.stack(shares, axis=2), 0))


def structure(grey: FloatArray) -> FloatArray:
    """Give the strength and the doubled direction (H, W, 3) of the gradients around a pixel [3].

    With the tensor's entries a, b, c: the root of its trace, and (a - c, 2 b) over that root, whose length is the strength of
    the part that has one direction.
    """
    from skimage.feature import structure_tensor

    smooth = np.pad(cv2.GaussianBlur(grey, (0, 0), _GRADIENT, borderType=cv2.BORDER_REFLECT), 1, mode="edge")
    entries = structure_tensor(smooth, sigma=_AROUND, mode="nearest", order="rc")  # refuses a single row, hence the rim
    down, mixed, across = (entry[1:-1, 1:-1] for entry in entries)
    strength = np.sqrt(np.maximum(down + across, 0))
    safe = np.maximum(strength, 1e-6)
    return np.stack([strength, (across - down) / safe, 2 * mixed / safe], axis=2).astype(np.float32)


TEXTURES = {"gabor": gabor, "patterns": patterns, "structure": structure}
