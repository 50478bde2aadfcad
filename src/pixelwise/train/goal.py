"""What a run is judged by while it trains, for each kind of segmentation: one score that decides, and one told beside it."""

from dataclasses import dataclass

from pixelwise.core.errors import OptionError
from pixelwise.core.segmentation import Kind


@dataclass(frozen=True)
class Goal:
    """The scores of a kind.

    Attributes:
        family: the metric that gives them.
        main: the score by which the best weights are kept, and by which training stops early.
        beside: the score told with it.
        words: what people call the two.
    """

    family: str
    main: str
    beside: str
    words: tuple[str, str]


GOALS: dict[Kind, Goal] = {
    "semantic": Goal("overlap", "miou", "pixel_accuracy", ("mIoU", "pixel accuracy")),
    "multilabel": Goal("multilabel", "multilabel_miou", "exact_match", ("mIoU of classes", "exact pixels")),
    "instance": Goal("average_precision", "ap", "ap50", ("AP", "AP50")),
    "panoptic": Goal("panoptic_quality", "pq", "pq_things", ("PQ", "PQ of things")),
}


def goal_of(kind: Kind) -> Goal:
    """Give the goal of a kind.

    Raises:
        OptionError: networks of that kind are not trained.
    """
    if kind not in GOALS:
        raise OptionError(f"{kind} segmentation cannot be trained; known are {', '.join(GOALS)}")
    return GOALS[kind]
