"""What scores are called on a page: their names in people's words, their families, and which of them stand at its top."""

from collections.abc import Iterable
from types import ModuleType

from pixelwise.metrics import METRICS

FAMILIES: dict[str, str] = {
    "overlap": "Overlap of classes",
    "boundary": "Borders",
    "surface": "Surface distances",
    "error_kinds": "What IoU is lost to",
    "average_precision": "Average precision of masks",
    "box_average_precision": "Average precision of boxes",
    "boundary_average_precision": "Average precision of borders",
    "objects": "Objects one by one",
    "panoptic_quality": "Panoptic quality",
    "parsing_covering": "Parsing covering",
    "partition": "Partition",
    "superpixels": "Superpixels",
    "video": "Objects through films",
    "temporal": "Steadiness in films",
    "calibration": "Calibration",
    "sizes": "Recall by size",
    "places": "Overlap by place",
    "multilabel": "Classes that may overlap",
}
_HEADLINES: dict[str, tuple[str, ...]] = {
    "overlap": (
        "miou",
        "miou_per_image",
        "pixel_accuracy",
        "mean_accuracy",
        "fw_iou",
        "dice",
        "precision",
        "recall",
    ),
    "boundary": ("boundary_iou", "boundary_f1"),
    "surface": ("hd95", "assd", "nsd"),
    "average_precision": ("ap", "ap50", "ap75", "ap_small", "ap_medium", "ap_large", "ar100"),
    "box_average_precision": ("box_ap",),
    "boundary_average_precision": ("boundary_ap",),
    "objects": ("object_f1", "dsb_ap", "aji"),
    "panoptic_quality": ("pq", "sq", "rq", "pq_things", "pq_stuff"),
    "parsing_covering": ("pc",),
    "partition": ("covering_ods", "covering_ois", "pri_ods", "pri_ois", "vi_ods", "vi_ois"),
    "superpixels": ("boundary_recall", "undersegmentation_error", "asa"),
    "video": ("j_and_f", "j", "f"),
    "temporal": ("temporal_consistency", "temporal_stability", "video_consistency"),
}
MOST_HEADLINES = 16
_PRECISION = {
    "ap": "AP",
    "ap50": "AP50",
    "ap75": "AP75",
    "ap_small": "AP small",
    "ap_medium": "AP medium",
    "ap_large": "AP large",
    "ar1": "AR1",
    "ar10": "AR10",
    "ar100": "AR100",
    "ar_small": "AR small",
    "ar_medium": "AR medium",
    "ar_large": "AR large",
}
_TITLES: dict[str, str] = {
    "miou": "mIoU",
    "pixel_accuracy": "Pixel accuracy",
    "mean_accuracy": "Mean accuracy",
    "fw_iou": "Frequency-weighted IoU",
    "f1": "F1",
    "iou": "IoU",
    "boundary_iou": "Boundary IoU",
    "boundary_f1": "Boundary F1",
    "boundary_precision": "Boundary precision",
    "boundary_recall": "Boundary recall",
    "hd95": "Hausdorff 95",
    "assd": "Mean surface distance",
    "nsd": "Surface Dice",
    **{f"iou_lost_to_{kind}": f"Lost: {kind}" for kind in ("borders", "extent", "confusion", "missed", "invented")},
    **_PRECISION,
    **{f"box_{name}": f"Box {title}" for name, title in _PRECISION.items()},
    **{f"boundary_{name}": f"Boundary {title}" for name, title in _PRECISION.items()},
    "dsb_ap": "DSB 2018 score",
    "object_f1": "Object F1",
    "object_f1_75": "Object F1 at IoU 0.75",
    "object_precision": "Object precision",
    "object_recall": "Object recall",
    "matched_iou": "IoU of hits",
    "aji": "Aggregated Jaccard",
    "split_rate": "Objects split",
    "merge_rate": "Objects merged",
    **{
        f"{name}{suffix}": f"{title}{words}"
        for name, title in (("pq", "PQ"), ("sq", "SQ"), ("rq", "RQ"), ("pc", "Parsing covering"))
        for suffix, words in (("", ""), ("_things", " things"), ("_stuff", " stuff"))
    },
    "tp": "Matched",
    "fp": "Invented",
    "fn": "Missed",
    **{
        f"{name}{suffix}": f"{title}{words}"
        for name, title in (
            ("pri", "Rand index"),
            ("vi", "Variation of information"),
            ("vi_over", "VI, over-segmented"),
            ("vi_under", "VI, under-segmented"),
            ("covering", "Covering"),
        )
        for suffix, words in (("", ""), ("_ods", ", ODS"), ("_ois", ", OIS"))
    },
    "covering_best": "Covering, any level",
    "undersegmentation_error": "Undersegmentation error",
    "asa": "Achievable accuracy",
    "j": "J",
    "f": "F",
    "j_and_f": "J&F",
    "j_recall": "J recall",
    "f_recall": "F recall",
    "j_and_f_unsupervised": "J&F, unsupervised",
    "ece": "ECE",
    "adaptive_ece": "Adaptive ECE",
    "brier": "Brier score",
    "nll": "Log loss",
    "recall_small": "Recall, small",
    "recall_medium": "Recall, medium",
    "recall_large": "Recall, large",
}


def title_of(name: str) -> str:
    """Write a score's name for people.

    >>> title_of("boundary_ap50"), title_of("dice_per_image"), title_of("my_score")
    ('Boundary AP50', 'Dice per image', 'My score')
    """
    whole = name.removesuffix("_per_image")
    title = _TITLES.get(whole) or (whole.replace("_", " ").capitalize() if len(whole) > 3 else whole.upper())
    return title if whole == name else f"{title} per image"


def families_with(names: Iterable[str]) -> dict[str, list[str]]:
    """Sort scores into the families that give them, which stay in the order they come in; of no family are those of ''.

    >>> families_with(["ap", "pq", "ap50", "luck"])
    {'average_precision': ['ap', 'ap50'], 'panoptic_quality': ['pq'], '': ['luck']}
    """
    found: dict[str, list[str]] = {}
    for name in names:
        found.setdefault(family_of(name), []).append(name)
    return found


def family_of(name: str) -> str:
    """Find the family that gives a score; '' where none does."""
    return next((family for family in METRICS if name in METRICS[family].RULES), "")


def module_of(family: str) -> ModuleType | None:
    """Find the module of a family."""
    found: ModuleType | None = METRICS.get(family)
    return found


def headlines(names: Iterable[str]) -> list[str]:
    """Choose the scores for the top of a page, at most ``MOST_HEADLINES``; the first eight where none of them is one.

    >>> headlines(["fw_iou", "miou", "hd95"]), headlines(["luck"])
    (['miou', 'fw_iou', 'hd95'], ['luck'])
    """
    names = list(names)
    chosen = [name for family, given in families_with(names).items() for name in _HEADLINES.get(family, ()) if name in given]
    return chosen[:MOST_HEADLINES] or names[:8]


def is_lower_better(name: str) -> bool:
    """Tell whether the perfect value of a score is 0."""
    module = module_of(family_of(name))
    return module is not None and name in module.LOWER_IS_BETTER
