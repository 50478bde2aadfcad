"""Data of another kind than the model: painted where there is a rule, refused where classes would be mixed up."""

import pytest

from pixelwise.core.errors import DataError, OptionError
from pixelwise.models.networks import unet
from pixelwise.scenes import scenes
from pixelwise.train.fit import fit
from pixelwise.train.options import TrainOptions

OPTIONS = TrainOptions(steps=1, batch=2, crop=(32, 32), validations=1, workers=0, threads=1)


def test_instances_are_painted_for_a_semantic_model() -> None:
    data = scenes(2, (32, 32), "instance")
    model = unet.build(data.semantic().labels, encoder="plain", width=4, depth=2)
    assert fit(model, data, data, OPTIONS, quiet=True).progress.step == 1


def test_a_model_of_other_classes_is_refused() -> None:
    data = scenes(2, (32, 32), "instance")
    model = unet.build(data.labels, encoder="plain", width=4, depth=2)  # forgets background
    with pytest.raises(OptionError, match=r"its classes \(background, .* are not those of the model"):
        fit(model, data, data, OPTIONS, quiet=True)


def test_regions_teach_no_classes() -> None:
    data = scenes(2, (32, 32), "regions")
    model = unet.build(scenes(1, (32, 32)).labels, encoder="plain", width=4, depth=2)
    with pytest.raises(DataError, match="regions truth cannot be read as semantic"):
        fit(model, data, data, OPTIONS, quiet=True)
