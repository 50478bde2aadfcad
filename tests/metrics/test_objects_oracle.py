"""Object scores against a slow implementation with one mask an object, written from the published rules.

Hits and average precision: the evaluation page of the Data Science Bowl 2018. Aggregated Jaccard index: Kumar et al., IEEE TMI
36(7), 2017, algorithm 1. Splits and merges: Caicedo et al., Cytometry Part A 95(9), 2019. Crowds: as in evaluations of COCO.
"""

import itertools
import math

import numpy as np
import pytest
from noisy import Noise, noisy

from pixelwise.core import runs
from pixelwise.core.labels import LabelSet
from pixelwise.core.segmentation import Segmentation
from pixelwise.metrics import objects
from pixelwise.scenes import scenes

THRESHOLDS = [0.5, 0.55, 0.6, 0.65, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95]
LABELS = LabelSet.of(["cell", "dust"], things=["cell", "dust"])


def iou(one, other):
    both = int((one & other).sum())
    return both / int((one | other).sum()) if both else 0.0


def best_matching(pairs):
    """Choose pairs {(t, p): IoU} that share nothing: the most of them, then those of the greatest added IoU."""
    chosen, left = [], dict(pairs)
    while left:
        part, grown = {next(iter(left))}, True
        while grown:  # all pairs that hang together
            more = {pair for pair in left if any(pair[0] == one[0] or pair[1] == one[1] for one in part)}
            part, grown = more, len(more) > len(part)
        best = max(_ways(sorted(part)), key=lambda way: (len(way), math.fsum(left[pair] for pair in way)))
        chosen += best
        left = {pair: value for pair, value in left.items() if pair not in part}
    return chosen


def _ways(pairs):
    """List every choice of pairs that share nothing."""
    if not pairs:
        return [()]
    (truth, own), rest = pairs[0], pairs[1:]
    free = [pair for pair in rest if pair[0] != truth and pair[1] != own]
    return [(pairs[0], *way) for way in _ways(free)] + _ways(rest)


def painted(masks):
    """Give each pixel to the smallest mask; of equal ones to the last."""
    found = [mask.copy() for mask in masks]
    order = sorted(range(len(masks)), key=lambda index: -int(masks[index].sum()))
    for place, index in enumerate(order):
        for over in order[place + 1 :]:
            found[index] &= ~masks[over]
    return found


def image_counts(predictions, truths, crowds):
    """Count one class of one image, given as masks."""
    pairs = {
        (t, p): value
        for (t, truth), (p, own) in itertools.product(enumerate(truths), enumerate(predictions))
        if (value := iou(truth, own))
    }
    share = [max((int((own & crowd).sum()) / int(own.sum()) for crowd in crowds), default=0.0) for own in predictions]
    by_threshold = []
    for threshold in THRESHOLDS:
        hits = best_matching({pair: value for pair, value in pairs.items() if value > threshold})
        others = [p for p in range(len(predictions)) if p not in {own for _, own in hits}]
        ignored = [p for p in others if share[p] > threshold]
        by_threshold.append((hits, ignored))
    hits, ignored = by_threshold[0]
    shared, covered = aggregated(predictions, truths, pairs, ignored)
    seen_truths, seen = painted(truths), painted(predictions)
    linked = [
        (t, p)
        for t, p in itertools.product(range(len(truths)), range(len(predictions)))
        if p not in ignored and iou(seen_truths[t], seen[p]) > 0.1
    ]
    return {
        "true": len(truths),
        "predicted": len(predictions),
        "hits": [len(each) for each, _ in by_threshold],
        "ignored": [len(each) for _, each in by_threshold],
        "iou": math.fsum(pairs[pair] for pair in hits),
        "shared": shared,
        "covered": covered,
        "splits": sum([one for one, _ in linked].count(t) > 1 for t in range(len(truths))),
        "merges": sum([one for _, one in linked].count(p) > 1 for p in range(len(predictions))),
    }


def aggregated(predictions, truths, pairs, ignored):
    shared = covered = 0
    taken = set()
    for t, truth in enumerate(truths):
        values = {p: pairs[t, p] for p in range(len(predictions)) if (t, p) in pairs}
        if not values:
            covered += int(truth.sum())
            continue
        best = [p for p, value in values.items() if value == max(values.values())]
        own = next((p for p in best if p not in taken), best[0])
        taken.add(own)
        shared += int((truth & predictions[own]).sum())
        covered += int((truth | predictions[own]).sum())
    return shared, covered + sum(int(own.sum()) for p, own in enumerate(predictions) if p not in taken and p not in ignored)


def class_scores(one):
    def share(top, bottom):
        return top / bottom if bottom else math.nan

    either = [one["true"] + one["predicted"] - skip - hit for hit, skip in zip(one["hits"], one["ignored"], strict=True)]
    ratios = [share(hit, total) for hit, total in zip(one["hits"], either, strict=True)]
    known = [value for value in ratios if not math.isnan(value)]
    hit, counted = one["hits"][0], one["predicted"] - one["ignored"][0]
    return {
        "dsb_ap": math.fsum(known) / len(known) if known else math.nan,
        "object_f1": share(2 * hit, one["true"] + counted),
        "object_f1_75": share(2 * one["hits"][5], one["true"] + one["predicted"] - one["ignored"][5]),
        "object_precision": math.nan if not either[0] else hit / counted if counted else 0.0,
        "object_recall": math.nan if not either[0] else hit / one["true"] if one["true"] else 0.0,
        "matched_iou": share(one["iou"], hit),
        "aji": share(one["shared"], one["covered"]),
        "split_rate": share(one["splits"], one["true"]),
        "merge_rate": share(one["merges"], counted),
    }


def added(counts):
    found = {key: sum(one[key] for one in counts) for key in counts[0] if key not in ("hits", "ignored")}
    return found | {key: [sum(each) for each in zip(*(one[key] for one in counts), strict=True)] for key in ("hits", "ignored")}


def mean(values):
    known = [value for value in values if not math.isnan(value)]
    return math.fsum(known) / len(known) if known else math.nan


def masks_of(one, name, kept):
    found = [one.masks.mask(row) for row in np.flatnonzero(kept) if one.names[row] == name]
    return sorted((mask for mask in found if mask.any()), key=lambda mask: runs.encode(mask).counts)  # ties go by the mask


def oracle(pairs):
    """Score pairs of prediction and truth: means over classes of the data set, and means of images."""
    names = pairs[0][1].labels.names
    images = []
    for one, truth in pairs:
        sure = np.full(len(one), True) if one.scores is None else one.scores >= 0.5
        images.append(
            [
                image_counts(
                    masks_of(one, name, sure), masks_of(truth, name, ~truth.is_crowd), masks_of(truth, name, truth.is_crowd)
                )
                for name in names
            ]
        )
    by_class = [class_scores(added([image[row] for image in images])) for row in range(len(names))]
    found = {key: mean([one[key] for one in by_class]) for key in by_class[0]}
    of_images = [[class_scores(one) for one in image] for image in images]
    for key in ("dsb_ap", "object_f1", "aji"):
        found[f"{key}_per_image"] = mean([mean([one[key] for one in image]) for image in of_images])
    return found


def require_equal_to_the_oracle(pairs):
    found = objects.score(sum(objects.count(*pair) for pair in pairs))
    assert found == pytest.approx(oracle(pairs), rel=0, abs=1e-12, nan_ok=True)
    return found


def drawn(rng, most=6, size=(14, 16), crowds=True):
    """Draw objects that may overlap, or hold no pixel."""
    count = int(rng.integers(0, most))
    masks = np.zeros((count, *size), bool)
    for mask in masks:
        (top, left), (down, across) = rng.integers(-1, size), rng.integers(1, 9, 2)
        mask[max(top, 0) : top + down, max(left, 0) : left + across] = True
    crowd = rng.random(count) < 0.2 if crowds else None
    return Segmentation.from_masks("instance", masks, rng.integers(0, 2, count), LABELS, crowd=crowd)


def near(truth, rng):
    """Draw objects that resemble those of a truth, some twice."""
    again = rng.integers(0, len(truth), int(rng.integers(0, 3))) if len(truth) else []
    rows = rng.permutation(np.concatenate([np.arange(len(truth)), again]).astype(int))
    masks = [np.roll(truth.masks.mask(row), rng.integers(-1, 2, 2), (0, 1)) for row in rows]
    scores = np.round(rng.uniform(0.3, 1, len(rows)), 1)
    stack = np.array(masks).reshape(len(rows), *truth.size)
    return Segmentation.from_masks("instance", stack, truth.class_ids[rows], truth.labels, scores=scores)


def test_scores_equal_the_oracle_on_drawn_objects():
    rng = np.random.default_rng(0)
    truths = [drawn(rng) for _ in range(40)]
    found = require_equal_to_the_oracle(
        [(drawn(rng, crowds=False) if rng.random() < 0.2 else near(one, rng), one) for one in truths]
    )
    assert all(0 < value < 1 for value in found.values())


def test_scores_equal_the_oracle_on_scenes():
    rng = np.random.default_rng(1)
    require_equal_to_the_oracle(
        [(noisy(one.truth, rng), one.truth) for one in scenes(8, size=(48, 64), kind="instance", seed=2)]
    )


@pytest.mark.shared_data
def test_scores_equal_the_oracle_on_nuclei(shared_data):
    import pixelwise as pw

    rng = np.random.default_rng(2)
    truths = [sample.truth for sample in pw.read(shared_data / "nuclei")[:10]]
    truths = [one for one in truths if len(one) < 40][:3]
    found = require_equal_to_the_oracle([(noisy(one, rng, Noise(shift=2, merged=0.3)), one) for one in truths])
    assert found["split_rate"] > 0
    assert found["merge_rate"] > 0


@pytest.mark.shared_data
def test_scores_equal_the_oracle_on_coco_with_crowds(shared_data):
    import pixelwise as pw

    rng = np.random.default_rng(3)
    path = shared_data / "coco_tiny160" / "annotations" / "instances_val2017.json"
    every = [sample.truth for sample in pw.read(path)]
    truths = [one for one in every if one.is_crowd.any()][:5]
    assert truths
    pairs = []
    for one in truths:
        crowds = one[one.is_crowd]
        guess = noisy(one, rng)
        scores = np.concatenate([guess.scores, np.ones(len(crowds))])
        masks = (*guess.masks.run_lengths(), *crowds.masks.run_lengths())
        classes = np.concatenate([guess.class_ids, crowds.class_ids])
        held = type(guess.masks)(masks, one.size)
        pairs.append((Segmentation("instance", held, classes, one.labels, scores), one))
    require_equal_to_the_oracle(pairs)
