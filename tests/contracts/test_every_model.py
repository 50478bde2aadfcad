"""What every network must do, for each kind of segmentation it gives, over every row of the table of models, at a tiny size."""

import typing
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tiny_models import FITS, LONG, TINY

from pixelwise.augment.policy import NONE
from pixelwise.core.errors import DataError, OptionError
from pixelwise.core.image import as_image
from pixelwise.core.labels import LabelSet
from pixelwise.core.masks import DisjointMasks
from pixelwise.core.sample import Dataset
from pixelwise.core.segmentation import KINDS, Kind, Segmentation
from pixelwise.models import MODELS, checkpoint
from pixelwise.models.build_options import fitted_options
from pixelwise.models.segmenter import Segmenter
from pixelwise.predict.network import Network
from pixelwise.scenes import scenes
from pixelwise.train.fit import fit
from pixelwise.train.loader import collate
from pixelwise.train.options import TrainOptions

EACH = [(name, kind) for name in sorted(MODELS) for kind in MODELS[name].KINDS]
LEAST = {"semantic": 0.95, "multilabel": 0.95, "instance": 0.9, "panoptic": 0.85}  # mIoU, AP50 and PQ on what it was taught
SCORE = {"semantic": "val_miou", "multilabel": "val_multilabel_miou", "instance": "val_ap50", "panoptic": "val_pq"}

each = pytest.mark.parametrize(("name", "kind"), EACH)
each_taught = pytest.mark.parametrize(
    ("name", "kind"), [pytest.param(*one, marks=pytest.mark.slow) if one[0] in LONG else one for one in EACH]
)


def build(name: str, kind: Kind, labels: LabelSet, **more: Any) -> Segmenter:
    torch.manual_seed(0)
    return MODELS[name].build(labels, kind, **{**TINY[name], **more})


def drawn(kind: Kind, size: tuple[int, int] = (64, 64), count: int = 2, seed: int = 12) -> Dataset:
    return scenes(count, size, kind, seed=seed)  # in those of 12 every class has more than a pixel


def terms_of(model: Segmenter, images: torch.Tensor, truths: list[Segmentation]) -> dict[str, torch.Tensor]:
    items = [(np.zeros((*truth.size, 3), np.uint8), model.head.targets(truth), "") for truth in truths]
    return model.loss(images, collate(items, model.head.ragged).targets)


def nothing(kind: Kind, labels: LabelSet, size: tuple[int, int]) -> Segmentation:
    """Give a truth without a segment."""
    return Segmentation(kind, DisjointMasks(np.zeros(size, np.uint8), 0), np.zeros(0, np.int64), labels)


@each_taught
def test_a_few_steps_lower_the_loss(name: str, kind: Kind) -> None:
    data = drawn(kind)
    model = build(name, kind, data.labels).train()
    images = torch.from_numpy(np.stack([sample.image.pixels for sample in data])).permute(0, 3, 1, 2) / 255
    optimiser = torch.optim.AdamW(model.parameters(), 1e-3)
    losses = []
    for step in range(6):
        torch.manual_seed(step // 6)  # sampled points and proposals are drawn alike
        total = torch.stack(list(terms_of(model, images, [sample.truth for sample in data]).values())).sum()
        losses.append(float(total.detach()))
        optimiser.zero_grad()
        total.backward()
        optimiser.step()
    assert all(np.isfinite(losses))
    assert losses[-1] < losses[0]


@pytest.mark.slow
@each
def test_overfits_two_drawn_scenes(name: str, kind: Kind) -> None:
    fits = FITS.get(name, {})
    data = drawn(kind, fits.get("size", (64, 64)), seed=fits.get("scenes", 12))
    model = build(name, kind, data.labels, **fits.get("model", {}))
    given = {"steps": 150, "batch": 2, "crop": data[0].size, "rate": 3e-3, "ema": 0.8, "validations": 1, "threads": 1}
    options = TrainOptions(**{**given, **fits.get("options", {})})
    rows = fit(model, data, data, options, NONE, quiet=True).progress.history
    assert max(row.get(SCORE[kind]) or 0.0 for row in rows) > LEAST[kind]


@each
@pytest.mark.parametrize("size", [(1, 1), (17, 40), (64, 33)])
def test_takes_any_input_size(name: str, kind: Kind, size: tuple[int, int]) -> None:
    network = Network(build(name, kind, drawn(kind).labels), "cpu", "32-true")
    found = network([as_image(np.full((*size, 3), 90, np.uint8))])[0]
    assert (found.kind, found.size) == (kind, size)


@pytest.mark.parametrize(("name", "kind"), [one for one in EACH if one[1] in ("instance", "panoptic")])
def test_broken_weights_are_told_and_not_taken_for_an_empty_image(name: str, kind: Kind) -> None:
    model = build(name, kind, drawn(kind).labels)
    for parameter in model.head.parameters():
        parameter.data.fill_(torch.nan)
    with pytest.raises(DataError):
        Network(model, "cpu", "32-true")([as_image(np.full((64, 64, 3), 90, np.uint8))])


@each
def test_results_do_not_depend_on_the_batch(name: str, kind: Kind) -> None:
    data = drawn(kind)
    model = build(name, kind, data.labels).eval()
    images = torch.from_numpy(np.stack([sample.image.pixels for sample in data])).permute(0, 3, 1, 2) / 255
    with torch.no_grad():
        together = model.head.reduce(model(images), (64, 64), True)
        apart = [model.head.reduce(model(image[None]), (64, 64), True) for image in images]
    for index, one in enumerate(apart):
        for first, second in zip(together, one, strict=True):
            torch.testing.assert_close(first[index], second[0], rtol=1e-4, atol=1e-5)


@each
def test_a_checkpoint_comes_back_bit_for_bit(name: str, kind: Kind, tmp_path: Path) -> None:
    model = build(name, kind, drawn(kind).labels).eval()
    checkpoint.save(model, tmp_path / "model.safetensors")
    again = checkpoint.load(tmp_path)
    assert again.card == replace(model.card, options=again.card.options)
    images = torch.rand(2, 3, 40, 48)
    with torch.no_grad():
        for first, second in zip(tensors_of(model(images)), tensors_of(again(images)), strict=True):
            assert torch.equal(first, second)


def tensors_of(raw: Any) -> list[torch.Tensor]:
    """List the tensors of a raw output; its parts may be tuples of them."""
    return [raw] if isinstance(raw, torch.Tensor) else [one for part in raw if part is not None for one in tensors_of(part)]


@each
def test_one_class_works(name: str, kind: Kind) -> None:
    labels = LabelSet.of(["all"], things=() if kind == "semantic" else ["all"])
    model = build(name, kind, labels)
    ids = np.kron(np.array([[1, 2]], np.uint8), np.ones((32, 16), np.uint8))
    whole = Segmentation.from_class_map(np.zeros((32, 32), np.uint8), labels)
    truth = replace(whole, kind=kind)
    if kind in ("instance", "panoptic"):
        truth = Segmentation(kind, DisjointMasks(ids, 2), np.zeros(2, np.int64), labels)
    total = torch.stack(list(terms_of(model, torch.rand(2, 3, 32, 32), [truth, truth]).values())).sum()
    total.backward()
    assert torch.isfinite(total.detach())


@each_taught
def test_an_image_without_a_labelled_object_or_pixel_teaches_without_breaking(name: str, kind: Kind) -> None:
    data = drawn(kind)
    model = build(name, kind, data.labels)
    empty = nothing(kind, data.labels, (64, 64))
    for truths in ([empty, data[0].truth], [empty, empty]):
        total = torch.stack(list(terms_of(model, torch.rand(2, 3, 64, 64), truths).values())).sum()
        assert torch.isfinite(total.detach())
        total.backward()


@pytest.mark.parametrize("name", [name for name, kind in EACH if kind == "semantic" and MODELS[name].KINDS[0] == "semantic"])
def test_void_pixels_do_not_change_the_loss(name: str) -> None:
    data = drawn("semantic")
    model = build(name, "semantic", data.labels).eval()
    images = torch.rand(1, 3, 32, 32)
    classes = torch.zeros(1, 32, 32, dtype=torch.uint8)
    classes[:, 16:] = data.labels.void
    first = model.loss(images, {"classes": classes})
    raw = model(images)
    raw.logits[:, :, raw.logits.shape[2] // 2 + 1 :] += 5  # but for the row that is resized across the border
    second = model.head.loss(raw, {"classes": classes})
    assert first.keys() == second.keys()
    for key in first:
        torch.testing.assert_close(first[key], second[key])


@pytest.mark.parametrize("name", sorted(MODELS))
def test_a_kind_that_a_network_cannot_give_is_refused(name: str) -> None:
    for kind in set(KINDS) - set(MODELS[name].KINDS):
        with pytest.raises(OptionError, match=kind):
            MODELS[name].build(LabelSet.of(["a", "b"]), kind, **TINY[name])


@pytest.mark.parametrize("name", sorted(MODELS))
def test_an_unknown_option_names_the_nearest(name: str) -> None:
    option = next(iter(TINY[name]))
    with pytest.raises(ValueError, match=option):
        fitted_options(MODELS[name].build, {option + "x": 1})


@pytest.mark.parametrize("name", sorted(MODELS))
def test_a_choice_that_an_option_does_not_have_is_refused(name: str) -> None:
    build = MODELS[name].build
    for option, hint in typing.get_type_hints(build).items():
        if "Literal" in str(hint) and option != "return":
            with pytest.raises(OptionError, match=option):
                build(LabelSet.of(["a", "b"]), **{option: b"no such choice"})


@pytest.mark.slow
@each
def test_exports_as_a_graph_or_says_why_not(name: str, kind: Kind) -> None:
    model = build(name, kind, drawn(kind).labels).eval()
    if reason := getattr(MODELS[name], "NO_EXPORT", ""):
        assert len(reason) > 20
        pytest.skip(reason)
    images = torch.rand(1, 3, 64, 64)
    with torch.no_grad():
        graph = torch.export.export(model, (images,)).module()
        for first, second in zip(tensors_of(model(images)), tensors_of(graph(images)), strict=True):
            torch.testing.assert_close(first, second)
