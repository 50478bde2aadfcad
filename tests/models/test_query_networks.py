"""Transformers' networks behind our contract: the same raw output as theirs, and their published weights under our classes."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from pixelwise.core.errors import CheckpointError, MissingFile, OptionError, UnknownName
from pixelwise.core.labels import LabelSet
from pixelwise.models import checkpoint, hub_networks
from pixelwise.models.heads.query import QueryRaw
from pixelwise.models.networks import detr, eomt, mask2former, maskformer, oneformer, unet
from pixelwise.models.universal import TRAINING
from pixelwise.models.weights import read_tensors
from pixelwise.train import origin
from pixelwise.train.cost import footprint_of
from pixelwise.train.options import TrainOptions, recipe_from, with_network

LABELS = LabelSet.of(["tree", "sky", "car"], things=["tree", "car"])
SWIN = {
    "model_type": "swin",
    "embed_dim": 16,
    "depths": [1, 1, 1, 1],
    "num_heads": [2, 2, 2, 2],
    "window_size": 4,
    "out_features": ["stage1", "stage2", "stage3", "stage4"],
}
RESNET = {
    "model_type": "resnet",
    "embedding_size": 8,
    "hidden_sizes": [8, 8, 16, 16],
    "depths": [1, 1, 1, 1],
    "layer_type": "basic",
    "out_features": ["stage1", "stage2", "stage3", "stage4"],
}
MASK2FORMER = {
    "backbone_config": SWIN,
    "feature_size": 64,
    "mask_feature_size": 64,
    "hidden_dim": 64,
    "encoder_layers": 1,
    "decoder_layers": 3,
    "num_attention_heads": 4,
    "encoder_feedforward_dim": 32,
    "dim_feedforward": 32,
    "num_queries": 7,
}
IDS = {"id2label": {0: "Sky", 1: "road", 2: "tree"}, "label2id": {"Sky": 0, "road": 1, "tree": 2}}
TASK = tuple(range(77))


def images(height: int = 64, width: int = 96) -> Tensor:
    torch.manual_seed(3)
    return torch.rand(2, 3, height, width)


def same(model: Any, theirs: Any, given: Tensor, **more: Any) -> None:
    """Check the raw output against transformers' for the same normalised images."""
    with torch.no_grad():
        ours = model.eval()(given)
        expected = theirs.eval()((given - model.mean) / model.deviation, **more)
    names = (
        ("class_queries_logits", "masks_queries_logits")
        if hasattr(expected, "masks_queries_logits")
        else ("logits", "pred_masks")
    )
    torch.testing.assert_close(ours.classes, expected[names[0]], atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(ours.masks, expected[names[1]], atol=1e-5, rtol=1e-4)


def published(whole: Any, folder: Path) -> str:
    torch.manual_seed(0)
    whole.save_pretrained(folder)
    return f"hub:{folder}"


def three() -> LabelSet:
    return LabelSet.of(["Sky", "road", "tree"], things=["tree"])


def test_mask2former_gives_what_transformers_gives(tmp_path: Path) -> None:
    from transformers import Mask2FormerConfig, Mask2FormerForUniversalSegmentation

    theirs = Mask2FormerForUniversalSegmentation(Mask2FormerConfig(**MASK2FORMER, **IDS))
    same(mask2former.build(three(), weights=published(theirs, tmp_path)), theirs, images())


def test_maskformer_gives_what_transformers_gives(tmp_path: Path) -> None:
    from transformers import DetrConfig, MaskFormerConfig, MaskFormerForInstanceSegmentation

    decoder = DetrConfig(d_model=32, num_queries=7, decoder_layers=2, decoder_ffn_dim=32, decoder_attention_heads=4)
    theirs = MaskFormerForInstanceSegmentation(
        MaskFormerConfig(backbone_config=SWIN, decoder_config=decoder, fpn_feature_size=64, mask_feature_size=64, **IDS)
    )
    same(maskformer.build(three(), weights=published(theirs, tmp_path)), theirs, images())


def test_oneformer_gives_what_transformers_gives(tmp_path: Path) -> None:
    from transformers import OneFormerConfig, OneFormerForUniversalSegmentation

    sizes = {
        "conv_dim": 64,
        "mask_dim": 64,
        "hidden_dim": 64,
        "encoder_layers": 1,
        "decoder_layers": 3,
        "num_attention_heads": 4,
    }
    theirs = OneFormerForUniversalSegmentation(
        OneFormerConfig(backbone_config=SWIN, dim_feedforward=32, encoder_feedforward_dim=32, num_queries=7, **sizes, **IDS)
    )
    model = oneformer.build(three(), weights=published(theirs, tmp_path), task=TASK)
    same(model, theirs, images(), task_inputs=torch.tensor([TASK, TASK]))


def test_eomt_gives_what_transformers_gives_at_the_size_it_was_built_for(tmp_path: Path) -> None:
    from transformers import EomtConfig, EomtForUniversalSegmentation

    sizes = {"hidden_size": 32, "num_hidden_layers": 3, "num_attention_heads": 2, "num_blocks": 2, "num_queries": 7}
    theirs = EomtForUniversalSegmentation(EomtConfig(image_size=64, patch_size=16, num_upscale_blocks=2, **sizes, **IDS))
    place = published(theirs, tmp_path)
    same(eomt.build(three(), weights=place, masking=1.0), theirs, images(64, 64))
    theirs.attn_mask_probs.zero_()  # annealed, as published networks are
    model = eomt.build(three(), weights=place)
    same(model, theirs, images(64, 64))
    assert model(images(48, 80)).masks.shape == (2, 7, 12, 20)


def test_detr_gives_what_transformers_gives(tmp_path: Path) -> None:
    from transformers import DetrConfig, DetrForSegmentation

    theirs = DetrForSegmentation(
        DetrConfig(
            backbone_config=RESNET,
            d_model=32,
            encoder_layers=1,
            decoder_layers=2,
            encoder_attention_heads=8,
            decoder_attention_heads=8,
            encoder_ffn_dim=32,
            decoder_ffn_dim=32,
            num_queries=7,
            **IDS,
        )
    )
    model = detr.build(three(), weights=published(theirs, tmp_path))
    same(model, theirs, images())
    with torch.no_grad():
        boxes = theirs.eval()((images() - model.mean) / model.deviation).pred_boxes
        torch.testing.assert_close(model.eval()(images()).boxes, boxes, atol=1e-5, rtol=1e-4)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from transformers import Mask2FormerConfig, Mask2FormerForUniversalSegmentation

    place = tmp_path_factory.mktemp("published")
    torch.manual_seed(0)
    Mask2FormerForUniversalSegmentation(Mask2FormerConfig(**MASK2FORMER, **IDS)).save_pretrained(place)
    (place / "README.md").write_text("---\nlicense: cc-by-nc-4.0\n---\n# A network\n")
    (place / "preprocessor_config.json").write_text(
        json.dumps({"image_mean": [0.5, 0.5, 0.5], "image_std": [0.25, 0.25, 0.25]})
    )
    return place


def test_published_classes_keep_their_rows_by_name(folder: Path) -> None:
    given = read_tensors(folder / "model.safetensors")["class_predictor.weight"]  # Sky, road, tree, no object
    rows = mask2former.build(LABELS, weights=f"hub:{folder}").head.classify.weight
    assert torch.equal(rows[[0, 1, 3]], given[[2, 0, 3]])  # tree, sky, no object
    assert not torch.equal(rows[2], given[1])


def test_a_published_network_brings_its_input_and_states_its_licence(folder: Path) -> None:
    model = mask2former.build(LABELS, weights=f"hub:{folder}")
    assert (model.card.mean, model.card.deviation) == ((0.5,) * 3, (0.25,) * 3)
    assert "licence cc-by-nc-4.0" in model.network.weights


def test_a_checkpoint_of_a_published_network_needs_it_no_more(folder: Path, tmp_path: Path) -> None:
    model = mask2former.build(LABELS, "instance", weights=f"hub:{folder}").eval()
    checkpoint.save(model, tmp_path / "model.safetensors")
    card = json.loads((tmp_path / "card.json").read_text())
    card["options"]["weights"] = "hub:of/nowhere"
    (tmp_path / "card.json").write_text(json.dumps(card))
    first, second = model(images()), checkpoint.load(tmp_path)(images())
    assert isinstance(first, QueryRaw)
    assert torch.equal(first.masks, second.masks)


def test_a_network_of_another_type_or_without_a_place_is_refused(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(CheckpointError, match="--model mask2former"):
        maskformer.build(LABELS, weights=f"hub:{folder}")
    monkeypatch.setattr(hub_networks, "hub_is_reachable", lambda host: False)
    with pytest.raises(MissingFile, match="hub:FOLDER"):
        mask2former.build(LABELS, weights="hub:nobody/nothing")
    with pytest.raises(UnknownName, match="whole network"):
        unet.build(LABELS, weights="hub:nobody/nothing")


def test_a_damaged_published_network_is_refused(folder: Path, tmp_path: Path) -> None:
    for name in ("config.json", "model.safetensors"):
        (tmp_path / name).write_bytes((folder / name).read_bytes())
    (tmp_path / "config.json").write_text((folder / "config.json").read_text().replace('"num_queries": 7', '"num_queries": 9'))
    with pytest.raises(CheckpointError, match="fit its configuration"):
        mask2former.build(LABELS, weights=f"hub:{tmp_path}")
    (tmp_path / "model.safetensors").unlink()
    with pytest.raises(MissingFile, match=r"model\.safetensors"):
        mask2former.build(LABELS, weights=f"hub:{tmp_path}")


@pytest.mark.parametrize(
    ("module", "options", "said"),
    [
        (mask2former, {"width": 100}, "multiple of 64"),
        (mask2former, {"heads": 3}, "divisor"),
        (maskformer, {"queries": 0}, "queries"),
        (detr, {"width": 48}, "multiple of 128"),
        (detr, {"heads": 4, "width": 32}, "multiple of 8"),
        (eomt, {"blocks": 20}, "blocks"),
        (eomt, {"patch": 12}, "patch"),
        (eomt, {"weights": "timm:resnet50"}, "hub:OWNER/NAME"),
        (oneformer, {"task": (1, 2)}, "77 numbers"),
    ],
)
def test_options_that_do_not_fit_are_told(module: Any, options: dict[str, Any], said: str) -> None:
    usual = {} if module is eomt else {"encoder": "test_efficientnet", "weights": "none"}
    with pytest.raises(OptionError, match=said):
        module.build(LABELS, **{**usual, **options})


def test_the_encoder_learns_and_freezes_as_any_other() -> None:
    from pixelwise.models.network import stages

    for module in (mask2former, maskformer, oneformer, detr):
        tiny = {"width": 64, "heads": 8, "queries": 5}
        model = module.build(LABELS, encoder="test_efficientnet", weights="none", **tiny)
        divided = stages(model.network, 3)
        assert [bool(stage) for stage in divided[:4]] == [True] * 4
        names = [name for name, _ in model.named_parameters()]
        assert len(names) == len(set(names))
        assert sum(one.numel() for one in model.network.encoder.parameters()) > 80_000


def test_rates_that_suit_the_network_hold_unless_others_are_given() -> None:
    recipe = with_network(recipe_from({}), "mask2former")
    assert (recipe.train.rate, recipe.train.clip) == (TRAINING["rate"], TRAINING["clip"])
    assert with_network(recipe_from({"train": {"rate": 0.002}}), "mask2former").train.rate == 0.002
    assert with_network(recipe_from({}), "unet").train.rate == TrainOptions().rate


def test_a_run_from_a_published_network_keeps_its_configuration(folder: Path) -> None:
    recipe = recipe_from({"model": {"name": "mask2former", "weights": f"hub:{folder}", "kind": "instance"}})
    planned = origin.inherited(recipe, None, ("red", "green", "blue"))
    assert planned.model["config"]["num_queries"] == 7
    kept = footprint_of(planned.model, 3, "32-true")
    assert 2e5 < kept.weights < 4e6  # of its own sizes, not of the usual network
