"""The named tensors that the Open Inference Protocol gives for N images: ids a pixel, and a row a segment.

``ids`` (N, H, W) are class ids of semantic and multilabel models (void where there is none), and of the others segment ids:
0 under none, k for the k-th segment of the image. ``counts`` (N,) says how many segments each image has; ``class_ids`` (S,),
``scores`` (S,), -1 where the model gives none, and ``boxes`` (S, 4) as left, top, right, bottom have the rows of all images,
one after the other. ``masks`` (S, H, W) and ``uncertainty`` (N, H, W) are made only where a request names them.
"""

from collections.abc import Callable, Sequence

import numpy as np

from pixelwise.core.arrays import AnyArray
from pixelwise.core.card import Card
from pixelwise.serve.answered import Answered
from pixelwise.serve.refusal import Refusal

_BY_CLASS = ("semantic", "multilabel")
_MOST_MASKS = 2**28  # bytes of the dense masks of a request: a quarter GiB, past which run lengths are the answer to ask for


def described(card: Card) -> dict[str, tuple[str, list[int]]]:
    """Give datatype and shape of each output of a model; -1 is any number."""
    kind = ("UINT8" if card.labels.void == 255 else "UINT16") if card.kind in _BY_CLASS else "INT32"
    return {
        "ids": (kind, [-1, -1, -1]),
        "counts": ("INT32", [-1]),
        "class_ids": ("INT32", [-1]),
        "scores": ("FP32", [-1]),
        "boxes": ("FP32", [-1, 4]),
        "masks": ("BOOL", [-1, -1, -1]),
        "uncertainty": ("FP32", [-1, -1, -1]),
    }


ALWAYS = ("ids", "counts", "class_ids", "scores", "boxes")


def output(name: str, answers: Sequence[Answered]) -> AnyArray:
    """Make one of the outputs.

    Raises:
        Refusal: the images differ in size, which an array cannot hold, or dense masks would be too large (422).
    """
    return _OUTPUTS[name](answers)


def _ids(answers: Sequence[Answered]) -> AnyArray:
    by_class = answers[0].segmentation.kind in _BY_CLASS
    _refuse_sizes(answers)
    maps = [one.segmentation.class_map() if by_class else one.segmentation.panoptic_ids() for one in answers]
    return np.stack(maps) if by_class else np.stack(maps).astype(np.int32)


def _counts(answers: Sequence[Answered]) -> AnyArray:
    return np.array([len(one.segmentation) for one in answers], np.int32)


def _class_ids(answers: Sequence[Answered]) -> AnyArray:
    return np.concatenate([one.segmentation.class_ids for one in answers]).astype(np.int32)


def _scores(answers: Sequence[Answered]) -> AnyArray:
    stated = [one.segmentation for one in answers]
    rows = [np.full(len(one), -1.0) if one.scores is None else one.scores for one in stated]
    return np.concatenate(rows).astype(np.float32)


def _boxes(answers: Sequence[Answered]) -> AnyArray:
    return np.concatenate([one.segmentation.stated_boxes() for one in answers]).astype(np.float32)


def _masks(answers: Sequence[Answered]) -> AnyArray:
    _refuse_sizes(answers)
    height, width = answers[0].segmentation.size
    count = sum(len(one.segmentation) for one in answers)
    if count * height * width > _MOST_MASKS:
        raise Refusal(
            422, "answer_too_large", f"{count} masks of {height} x {width} are too large as an array; take ids, or another "
            f"form of /v1/predict",
        )  # fmt: skip
    return np.concatenate([one.segmentation.masks.dense() for one in answers])


def _uncertainty(answers: Sequence[Answered]) -> AnyArray:
    _refuse_sizes(answers)
    maps = [one.uncertainty for one in answers]
    if any(one is None for one in maps):
        raise Refusal(422, "no_uncertainty", f"'{answers[0].served.name}' gives no uncertainty")
    return np.stack([np.asarray(one, np.float32) for one in maps])


def _refuse_sizes(answers: Sequence[Answered]) -> None:
    sizes = sorted({one.segmentation.size for one in answers})
    if len(sizes) > 1:
        (height, width), (tall, wide) = sizes[:2]
        raise Refusal(
            422, "sizes_differ", f"an array holds images of one size, and these have {height} x {width} and {tall} x {wide}; "
            f"send them one by one",
        )  # fmt: skip


_OUTPUTS: dict[str, Callable[[Sequence[Answered]], AnyArray]] = {
    "ids": _ids,
    "counts": _counts,
    "class_ids": _class_ids,
    "scores": _scores,
    "boxes": _boxes,
    "masks": _masks,
    "uncertainty": _uncertainty,
}
