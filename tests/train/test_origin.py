"""Where a run's network comes from: its recipe, the checkpoint it starts from, or the kind of the labels."""

from dataclasses import replace
from pathlib import Path

import pytest

from pixelwise.core.errors import OptionError, UnknownName
from pixelwise.core.files import write_json
from pixelwise.core.sample import Dataset
from pixelwise.formats import FORMATS
from pixelwise.models import MODELS
from pixelwise.models.networks import unet
from pixelwise.scenes import LABELS, scenes
from pixelwise.train.options import TrainOptions, recipe_from, with_network
from pixelwise.train.origin import SUITED, kind_of, named, rebuilt
from pixelwise.train.run import RunFolder
from pixelwise.train.start import absolute, audited

WRITTEN = {"semantic": "masks", "instance": "coco", "panoptic": "coco_panoptic"}


@pytest.mark.parametrize("kind", ["semantic", "instance", "panoptic"])
def test_the_labels_choose_the_network_where_none_is_named(kind: str, tmp_path: Path) -> None:
    drawn = scenes(2, (48, 64), kind, seed=1)  # type: ignore[arg-type]
    FORMATS[WRITTEN[kind]].write(Dataset(drawn.samples, drawn.labels, drawn.kind, None, "data"), tmp_path / "data")
    said: list[str] = []
    audit, recipe = audited(recipe_from({"data": {"path": str(tmp_path / "data")}}), said.append)
    assert (audit.good.kind, recipe.network) == (kind, SUITED[kind])  # type: ignore[index]
    assert any(recipe.network in line and ("--kind semantic" in line) == (kind != "semantic") for line in said)


def test_a_kind_that_is_asked_for_chooses_before_the_labels_do(tmp_path: Path) -> None:
    drawn = scenes(2, (48, 64), "instance", seed=1)
    FORMATS["coco"].write(Dataset(drawn.samples, drawn.labels, drawn.kind, None, "data"), tmp_path / "data")
    asked = recipe_from({"data": {"path": str(tmp_path / "data")}, "model": {"kind": "semantic"}})
    audit, recipe = audited(asked, lambda text: None)
    assert (audit.good.kind, recipe.network) == ("semantic", "unet")


def test_every_kind_has_a_network_that_gives_it() -> None:
    for kind, name in SUITED.items():
        assert kind in MODELS[name].KINDS


def test_a_network_brings_the_training_that_suits_it_but_for_what_was_stated() -> None:
    usual = MODELS["mask2former"].TRAINING
    assert with_network(recipe_from({}), "mask2former").train.rate == usual["rate"] != TrainOptions().rate
    stated = with_network(recipe_from({"train": {"rate": TrainOptions().rate}}), "mask2former")
    assert (stated.train.rate, stated.train.decay) == (TrainOptions().rate, usual["decay"])


def test_a_checkpoint_names_the_network_and_the_recipe_overrides_it() -> None:
    card = unet.build(LABELS, encoder="plain", width=4, depth=2).card
    assert named(recipe_from({}), card).network == "unet"
    assert named(recipe_from({"model": {"name": "fpn"}}), card).network == "fpn"
    assert named(recipe_from({}), replace(card, name="mask2former")).train.rate == MODELS["mask2former"].TRAINING["rate"]
    assert named(recipe_from({}), None).network == ""


@pytest.mark.parametrize(("model", "words"), [({"name": "unett"}, "unet"), ({"name": "unet", "kind": "panoptic"}, "semantic")])
def test_what_cannot_be_is_told_before_any_work(model: dict[str, str], words: str) -> None:
    with pytest.raises((OptionError, UnknownName), match=words):
        named(recipe_from({"model": model}), None)
    with pytest.raises(OptionError, match="networks give"):
        named(recipe_from({"model": {"kind": "regions"}}), None)


def test_labels_of_regions_are_read_as_semantic() -> None:
    assert kind_of(recipe_from({}), "regions") == "semantic"


def test_a_run_that_goes_on_has_the_sizes_that_its_first_weights_brought(tmp_path: Path) -> None:
    folder, recipe = RunFolder(tmp_path), recipe_from({"model": {"name": "unet", "weights": "smp:whole"}})
    first = unet.build(LABELS, encoder="plain", width=4, depth=2)
    write_json(folder.card, first.card.to_json())
    folder.state.touch()
    again = rebuilt(recipe, scenes(1, (32, 32)), folder)
    assert {name: value.shape for name, value in again.state_dict().items()} == {
        name: value.shape for name, value in first.state_dict().items()
    }


def test_a_recipe_holds_from_any_folder_whatever_its_weights_are(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    found = {
        given: absolute(recipe_from({"data": {"path": "data"}, "model": {"weights": given}})).model["weights"]
        for given in ("runs/first", "mmdet:solov2.pth", "timm:resnet18", "imagenet")
    }
    expected = [str(tmp_path / "runs/first"), f"mmdet:{tmp_path / 'solov2.pth'}", "timm:resnet18", "imagenet"]
    assert list(found.values()) == expected
