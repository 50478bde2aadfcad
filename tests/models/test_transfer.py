"""Fine-tuning: what comes from a checkpoint of other classes, other bands, another network, or a foreign file."""

import json
from pathlib import Path

import pytest
import torch

from pixelwise.core.errors import CheckpointError, MissingFile
from pixelwise.core.labels import LabelSet
from pixelwise.models import checkpoint
from pixelwise.models.networks import unet
from pixelwise.models.segmenter import Segmenter
from pixelwise.models.transfer import transfer

OLD = LabelSet.of(["road", "sky", "car"])
NEW = LabelSet.of(["kerb", "car", "road", "pole"])


def tiny(labels: LabelSet, seed: int = 0, **options: object) -> Segmenter:
    torch.manual_seed(seed)
    return unet.build(labels, encoder="plain", width=4, depth=2, **options)  # type: ignore[arg-type]


@pytest.fixture
def run(tmp_path: Path) -> Path:
    checkpoint.save(tiny(OLD, seed=1), tmp_path / "run" / "best.safetensors")
    return tmp_path / "run"


def test_shared_classes_keep_their_rows_and_new_ones_stay_as_drawn(run: Path) -> None:
    old, model, drawn = tiny(OLD, seed=1), tiny(NEW), tiny(NEW)
    found = transfer(model, run)
    for tensor in ("weight", "bias"):
        before, after, fresh = (getattr(one.head.classify, tensor) for one in (old, model, drawn))
        assert torch.equal(after[1], before[2])  # car
        assert torch.equal(after[2], before[0])  # road
        assert torch.equal(after[[0, 3]], fresh[[0, 3]])
    assert found.kept_classes == ("car", "road")
    assert found.new_classes == ("kerb", "pole")
    assert found.dropped_classes == ("sky",)


def test_all_other_tensors_are_those_of_the_checkpoint(run: Path) -> None:
    old, model = tiny(OLD, seed=1).state_dict(), tiny(NEW)
    found = transfer(model, run)
    rest = [name for name in old if not name.startswith("head.")]
    assert all(torch.equal(model.state_dict()[name], old[name]) for name in rest)
    assert set(found.loaded) == set(model.state_dict())
    assert found.new == found.left_out == found.differing == ()
    assert 0.9 < found.share < 1


def test_the_same_classes_in_another_order_are_moved_by_name(run: Path) -> None:
    model = tiny(LabelSet.of(["car", "road", "sky"]))
    transfer(model, run)
    assert torch.equal(model.head.classify.bias, tiny(OLD, seed=1).head.classify.bias[[2, 0, 1]])


def test_a_grey_network_starts_from_one_of_colour(run: Path) -> None:
    model = tiny(OLD, bands=("grey",))
    found = transfer(model, run)
    assert found.adapted == ("network.encoder.levels.0.0.weight",)
    first = tiny(OLD, seed=1).network.encoder.levels[0][0].weight
    assert torch.allclose(model.network.encoder.levels[0][0].weight[:, 0], first.sum(dim=1))


def test_another_width_takes_nothing_and_names_both_sides(run: Path) -> None:
    torch.manual_seed(0)
    model = unet.build(OLD, encoder="tf_efficientnet_lite0", weights="none")
    with pytest.raises(CheckpointError, match=r"nothing in it fits.*network\.blocks\.0.*conv_stem"):
        transfer(model, run)


def test_what_fits_by_name_alone_is_listed(run: Path) -> None:
    model = tiny(OLD, decoder=(8, 6))
    found = transfer(model, run)
    assert "network.blocks.1.convolve.0.weight" in {name for name, _, _ in found.differing}
    assert "shape differs" in str(found)
    assert (model.network.blocks[1].convolve[0].weight.shape[0]) == 6


@pytest.mark.parametrize(("key", "value", "words"), [("name", "fcn", "'fcn'"), ("kind", "instance", "instance")])
def test_a_checkpoint_of_another_network_or_kind_is_refused(run: Path, key: str, value: str, words: str) -> None:
    card = json.loads((run / "card.json").read_text())
    (run / "card.json").write_text(json.dumps({**card, key: value}))
    with pytest.raises(CheckpointError, match=words):
        transfer(tiny(NEW), run)


def test_a_foreign_file_of_the_encoder_fills_the_encoder(tmp_path: Path) -> None:
    source = tiny(OLD, seed=3).network.encoder.state_dict()
    torch.save({"epoch": 3, "model": {f"module.backbone.{name}": one for name, one in source.items()}}, tmp_path / "a.pth")
    model = tiny(NEW)
    found = transfer(model, tmp_path / "a.pth")
    assert all(torch.equal(model.network.encoder.state_dict()[name], one) for name, one in source.items())
    assert len(found.loaded) == len(source)
    assert all(name.startswith(("network.blocks.", "head.")) for name in found.new)
    assert "foreign file" in str(found)


def test_averaged_weights_of_a_foreign_file_come_first(tmp_path: Path) -> None:
    plain, averaged = tiny(OLD, seed=3).state_dict(), tiny(OLD, seed=4).state_dict()
    torch.save({"state_dict": plain, "state_dict_ema": averaged}, tmp_path / "a.pth")
    model = tiny(OLD)
    transfer(model, tmp_path / "a.pth")
    assert torch.equal(model.head.classify.weight, averaged["head.classify.weight"])


def test_the_state_of_a_run_is_not_a_weight_file(tmp_path: Path) -> None:
    torch.save({"format": "pixelwise state 1", "parts": {}}, tmp_path / "state.pt")
    with pytest.raises(CheckpointError, match="run folder"):
        transfer(tiny(OLD), tmp_path / "state.pt")


def test_a_folder_of_folds_says_which_to_name(tmp_path: Path) -> None:
    for fold in ("fold_1", "fold_2"):
        checkpoint.save(tiny(OLD), tmp_path / fold / "best.safetensors")
    with pytest.raises(MissingFile, match=r"2 models.*fold_1"):
        checkpoint.load(tmp_path)


def test_the_statement_is_plain_json(run: Path) -> None:
    found = json.loads(json.dumps(transfer(tiny(NEW), run).to_json()))
    assert found["classes"] == {"kept": ["car", "road"], "new": ["kerb", "pole"], "dropped": ["sky"]}
    assert found["loaded"] > 10
