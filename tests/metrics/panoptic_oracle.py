"""Panoptic quality and parsing covering once more, slow and plain, from the published rules: one mask a segment, no tricks.

PQ: Kirillov et al., Panoptic Segmentation, CVPR 2019, equation 1 and sections 4.1 to 4.3, with the choices of the COCO panoptic
task where the paper leaves one: void is taken out of the union, and of several crowds of a class in an image the one listed
last decides. Covering: Yang et al., DeeperLab, arXiv:1902.05093, 2019, section 5.

A segmentation is a list of (class, mask (H, W), is_crowd); a pixel under no mask is void.
"""

import math

import numpy as np


def segments_of(one, names=None):
    """Write a segmentation as the lists used here; ``names`` numbers the classes."""
    names = list(names or one.labels.names)
    return [
        (names.index(name) if name in names else None, one.masks.mask(index), bool(one.is_crowd[index]))
        for index, name in enumerate(one.names)
    ]


def pixels(mask):
    return int(mask.sum())


def void_of(segments, size):
    void = np.ones(size, bool)
    for _, mask, _ in segments:
        void &= ~mask
    return void


def quality_counts(prediction, truth, size):
    """Give TP, FP, FN and the list of IoUs of each class in one image."""
    found, void = {}, void_of(truth, size)
    matched_truth, matched_prediction = set(), set()

    def of(index):
        return found.setdefault(index, {"tp": 0, "fp": 0, "fn": 0, "ious": []})

    for t, (true_class, true_mask, is_crowd) in enumerate(truth):
        for p, (own_class, own_mask, _) in enumerate(prediction):
            if is_crowd or true_class != own_class:
                continue
            both = pixels(true_mask & own_mask)
            if both and both / pixels((true_mask | own_mask) & ~(own_mask & void)) > 0.5:
                assert t not in matched_truth  # the theorem of section 4.1
                assert p not in matched_prediction
                matched_truth.add(t)
                matched_prediction.add(p)
                of(true_class)["tp"] += 1
                of(true_class)["ious"].append(both / pixels((true_mask | own_mask) & ~(own_mask & void)))
    for t, (true_class, mask, is_crowd) in enumerate(truth):
        if t not in matched_truth and not is_crowd and mask.any():
            of(true_class)["fn"] += 1
    crowds = {true_class: mask for true_class, mask, is_crowd in truth if is_crowd}
    for p, (own_class, mask, _) in enumerate(prediction):
        if p in matched_prediction or own_class is None or not mask.any():
            continue
        aside = pixels(mask & void) + (pixels(mask & crowds[own_class]) if own_class in crowds else 0)
        if aside / pixels(mask) <= 0.5:
            of(own_class)["fp"] += 1
    return found


def quality(images, classes):
    """Score images, each (prediction, truth, size), over some classes: PQ, SQ and RQ of each and their means."""
    every = [quality_counts(*image) for image in images]
    by_class = {}
    for index in classes:
        own = [one[index] for one in every if index in one]
        tp, fp, fn = (sum(one[key] for one in own) for key in ("tp", "fp", "fn"))
        if tp + fp + fn:
            total, weight = math.fsum(iou for one in own for iou in one["ious"]), tp + fp / 2 + fn / 2
            by_class[index] = {
                "pq": total / weight,
                "sq": total / tp if tp else 0.0,
                "rq": tp / weight,
                "tp": tp,
                "fp": fp,
                "fn": fn,
            }
    means = {
        key: sum(one[key] for one in by_class.values()) / len(by_class) if by_class else math.nan for key in ("pq", "sq", "rq")
    }
    return means, by_class


def covering(images, classes):
    """Score images, each (prediction, truth, size): the parsing covering of each class and its mean."""
    covered, total = dict.fromkeys(classes, 0.0), dict.fromkeys(classes, 0)
    for prediction, truth, size in images:
        aside = void_of(truth, size)
        for _, mask, is_crowd in truth:
            aside |= mask & is_crowd
        for true_class, mask, is_crowd in truth:
            if is_crowd or true_class not in total:
                continue
            best = 0.0
            for own_class, own_mask, _ in prediction:
                seen = own_mask & ~aside
                if own_class == true_class and (mask & seen).any():
                    best = max(best, pixels(mask & seen) / pixels(mask | seen))
            covered[true_class] += best * pixels(mask)
            total[true_class] += pixels(mask)
    by_class = {index: covered[index] / total[index] for index in classes if total[index]}
    return sum(by_class.values()) / len(by_class) if by_class else math.nan, by_class
