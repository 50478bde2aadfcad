"""Mixed samples in the loader: by the key alone, whoever prepares them; and the loss of an image with two truths."""

import os
import sys
from dataclasses import replace

import numpy as np
import pytest
import torch

from pixelwise.augment import AugmentOptions
from pixelwise.core.errors import OptionError
from pixelwise.core.labels import LabelSet
from pixelwise.core.sample import Dataset
from pixelwise.core.segmentation import Kind
from pixelwise.models.heads.pixel import PixelHead, PixelRaw
from pixelwise.scenes import scenes
from pixelwise.train.loader import Crops, Order, batches

LABELS = LabelSet.of(["a", "b", "c"])
MIXED = replace(AugmentOptions("light"), mosaic=0.5, copy_paste=0.5, cutmix=0.5, mixup=0.5)


def crops(data: Dataset, options: AugmentOptions = MIXED, memory: int = 10**9, loss: str = "cross_entropy + dice") -> Crops:
    kind: Kind = "multilabel" if data.kind == "multilabel" else "semantic"
    head = PixelHead(4, data.labels, loss=loss, kind=kind)
    return Crops(data, head, options, (32, 40), 0, ("red", "green", "blue"), memory)


@pytest.mark.parametrize("kind", ["semantic", "multilabel"])
def test_threads_processes_and_a_loader_without_memory_mix_the_same(kind: Kind) -> None:
    data, order = scenes(4, (48, 48), kind=kind, seed=0), Order(4, 3, seed=0)
    threaded = list(batches(crops(data), order, 1, 4, workers=0))
    for others in (batches(crops(data), order, 1, 4, workers=1), batches(crops(data, memory=0), order, 1, 4)):
        for one, other in zip(threaded, others, strict=True):
            assert torch.equal(one.pixels, other.pixels)
            assert one.targets.keys() == other.targets.keys()
            assert all(torch.equal(one.targets[name], other.targets[name]) for name in one.targets)
    shares = torch.cat([batch.targets["share"] for batch in threaded])
    assert 0 < (shares < 1).sum() < len(shares)


def test_a_later_step_does_not_depend_on_the_ones_before() -> None:
    data, order = scenes(3, (48, 48), seed=0), Order(3, 2, seed=0)
    whole, resumed = list(batches(crops(data), order, 0, 4)), list(batches(crops(data), order, 3, 4))
    assert torch.equal(whole[3].pixels, resumed[0].pixels)


def head_of(loss: str, kind: Kind = "semantic") -> PixelHead:
    return PixelHead(4, LABELS, loss=loss, kind=kind, class_weights=[0.5, 1.0, 2.0])


LOSSES = ["cross_entropy", "cross_entropy(smoothing=0.1)", "focal", "boundary", "dice", "jaccard", "tversky", "focal_tversky"]


@pytest.mark.parametrize(("loss", "kind"), [(one, "semantic") for one in LOSSES] + [("cross_entropy + dice", "multilabel")])
def test_an_image_with_the_same_truth_twice_costs_what_it_costs_once(loss: str, kind: Kind) -> None:
    rng = np.random.default_rng(0)
    logits = torch.from_numpy(rng.normal(size=(2, 3, 5, 6)))
    head = head_of(loss, kind)
    classes = torch.from_numpy(rng.choice([0, 1, 2, 255], (2, 5, 6)))
    targets = {"classes": classes, "distances": torch.from_numpy(rng.random((2, 5, 6)) * 9)}
    if kind == "multilabel":
        targets = {"members": torch.from_numpy(rng.choice([0, 1, 255], (2, 3, 5, 6)))}
    twice = {**targets, **{f"second_{name}": one for name, one in targets.items()}, "share": torch.tensor([0.3, 1.0])}
    found = []
    for given in (targets, twice):
        leaf = logits.clone().requires_grad_()
        terms = head.loss(PixelRaw(leaf), given)
        sum(terms.values()).backward()  # type: ignore[union-attr]
        found.append((*terms.values(), leaf.grad))
    for one, other in zip(*found, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-6)


def test_cross_entropy_is_the_mean_of_both_truths_by_their_shares() -> None:
    logits, rng = torch.randn(2, 3, 4, 4, generator=torch.Generator().manual_seed(0)), np.random.default_rng(1)
    first, second = (torch.from_numpy(rng.integers(0, 3, (2, 4, 4))) for _ in range(2))
    share = torch.tensor([0.2, 0.9])
    head = PixelHead(4, LABELS, loss="cross_entropy")
    found = head.loss(PixelRaw(logits), {"classes": first, "second_classes": second, "share": share})["cross_entropy"]
    each = [torch.nn.functional.cross_entropy(logits, truth, reduction="none").mean(dim=(1, 2)) for truth in (first, second)]
    torch.testing.assert_close(found, (share * each[0] + (1 - share) * each[1]).mean())  # Zhang et al., section 2


def test_losses_and_kinds_that_cannot_take_two_truths_are_refused_before_training() -> None:
    data = scenes(2, (48, 48), seed=0)
    with pytest.raises(OptionError, match="takes one truth"):
        crops(data, loss="lovasz")
    with pytest.raises(OptionError, match="panoptic truth has one segment a pixel"):
        crops(Dataset(data.samples, data.labels, "panoptic"))


@pytest.mark.skipif(sys.platform != "linux", reason="it looks into /proc")
def test_no_thread_is_on_its_way_out_when_batches_end() -> None:
    data, order = scenes(3, (48, 48), seed=0), Order(3, 2, seed=0)
    before, prepared = set(os.listdir("/proc/self/task")), batches(crops(data), order, 0, 50)
    next(prepared)
    during = set(os.listdir("/proc/self/task")) - before
    prepared.close()
    assert during
    assert not during & set(os.listdir("/proc/self/task")), "a fork now would copy the lock that a leaving thread holds"
