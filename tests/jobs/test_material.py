"""The images of an export: what decides is apart from what shows ranges and from what watches the score."""

import pytest

from pixelwise.core.errors import OptionError
from pixelwise.core.image import write_image
from pixelwise.core.sample import Dataset
from pixelwise.jobs.material import material_of, read_or_list
from pixelwise.scenes import scenes

RUN = "no run"


def names(dataset):
    return {sample.name for sample in dataset}


def split(count, **splits):
    drawn = scenes(count, (32, 40))
    return Dataset(drawn.samples, drawn.labels, drawn.kind, splits, name="drawn")


def test_proof_ranges_and_watched_images_are_apart():
    found = material_of(RUN, split(20, train=range(15), val=range(15, 20)))
    parts = [names(part) for part in (found.proof, found.ranges, found.watched)]
    assert [len(part) for part in parts] == [5, 10, 5]
    assert len(set.union(*parts)) == 20
    assert found.notes == ("compared on 'val'",)


def test_a_number_of_images_is_taken_evenly_apart():
    found = material_of(RUN, split(20, train=range(10), val=range(10, 20)), images=2)
    assert [sample.name for sample in found.proof] == [split(20)[12].name, split(20)[17].name]


def test_without_splits_all_images_are_compared_and_it_is_said_that_ranges_are_theirs():
    found = material_of(RUN, split(4))
    assert len(found.proof) == len(found.ranges) == 4
    assert found.watched is None
    assert "as there are no others" in found.notes[1]


def test_images_without_labels_are_taken_as_they_are(tmp_path):
    for index, sample in enumerate(scenes(3, (32, 40))):
        write_image(tmp_path / f"photo{index}.png", sample.image.pixels)
    found = material_of(RUN, read_or_list(tmp_path, tmp_path / "run"))
    assert [sample.name for sample in found.proof] == ["photo0", "photo1", "photo2"]
    assert found.proof[0].truth_source is None


def test_a_run_whose_data_is_gone_asks_for_images(tmp_path):
    with pytest.raises(OptionError, match=r"does not say what data it was trained on; give images .* with --data"):
        material_of(tmp_path)
    (tmp_path / "recipe.toml").write_text('[data]\npath = "/nowhere/at/all"\n')
    with pytest.raises(OptionError, match="names data that is not there: /nowhere/at/all"):
        material_of(tmp_path)
