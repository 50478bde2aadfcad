"""Classes taken strip by strip are those of logits enlarged as a whole."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from pixelwise.core.errors import DataError
from pixelwise.decode import pixel_strips
from pixelwise.models.heads.reading import OneClass


def smooth(classes, rows, columns):
    """Draw logits (2, L, h, w) that differ from class to class by more than rounding."""
    rng = np.random.default_rng(0)
    return torch.from_numpy(rng.normal(0, 3, (2, classes, rows, columns)).astype(np.float32))


@pytest.mark.parametrize("factor", [1, 2, 4])
@pytest.mark.parametrize("threads", [1, 3])
def test_strips_say_what_the_whole_says(monkeypatch, factor, threads):
    monkeypatch.setattr(pixel_strips, "_STRIP", 5 * factor * 33 * factor * 3)  # three rows at once
    logits = smooth(5, 17, 33)
    size = (17 * factor, 33 * factor)
    whole = OneClass(255).reduce(F.interpolate(logits, size=size, mode="bilinear", align_corners=False), False)
    found = pixel_strips.reduced(logits.numpy(), size, threads)
    assert (found.classes == whole.classes.numpy()).mean() > 0.999
    np.testing.assert_allclose(found.confidence, whole.confidence.numpy(), atol=1e-3)
    assert found.probabilities.shape == (2, 0, *size)


def test_only_whole_factors_fit():
    assert [pixel_strips.fits((8, 6), size) for size in [(8, 6), (16, 12), (16, 6), (9, 6), (4, 3)]] == [
        True,
        True,
        False,
        False,
        False,
    ]


def test_a_logit_that_is_no_number_is_refused():
    with pytest.raises(DataError, match="not a number"):
        pixel_strips.reduced(np.full((1, 2, 3, 3), np.nan, np.float32), (6, 6))
