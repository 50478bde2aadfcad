"""Make a method ready to be scored: trained, matched to classes, or its parts made objects, on the training split."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pixelwise.cli.subject import Chosen
    from pixelwise.core.predictor import Predictor


def prepare(
    predictor: "Predictor", chosen: "Chosen", batch: int, wants_objects: bool = False
) -> "tuple[Predictor, Chosen, list[str]]":
    """Train a method that must be, and match to classes one that knows none, on the training split; its objects stay objects.

    Where objects are to be scored, the parts of what a method gives are made objects, as ``tune`` and ``choose`` score them.

    Raises:
        UnsettledLabels: what the data's values mean is in doubt, and no model says it.
        OptionError: there are too few samples to set some aside.
    """
    from pixelwise.cli.subject import Chosen
    from pixelwise.jobs.objects import as_objects, match_objects, parts_objects
    from pixelwise.methods.predictor import Method
    from pixelwise.metrics.majority import match
    from pixelwise.metrics.settle import require_settled, unknown_to

    if not isinstance(predictor, Method):
        return predictor, chosen, []
    require_settled(chosen.dataset)
    wants_objects = wants_objects and chosen.dataset.kind == "instance"
    is_known = predictor.is_ready and predictor.card.kind != "regions" and not unknown_to(predictor.card.labels, chosen.dataset)
    if is_known and not wants_objects:
        return predictor, chosen, []
    verb = "matched to classes by majority" if predictor.is_ready else "trained"
    train, notes = chosen.train, []
    if train is None:
        train, rest = chosen.dataset.divided(0.5)
        chosen = Chosen(rest, train, f"{chosen.split}, the random half not {verb} on")
        notes.append(f"the data has no training split: a random half of it ({len(train)} images) served as one")
    elif chosen.split in ("train", "all"):
        notes.append("the images scored include those of the training split")
    if not is_known:
        notes.append(f"the method was {verb} on {len(train)} training images")
    if not predictor.is_ready:
        predictor = predictor.fit(train)
        if not wants_objects:
            return predictor, chosen, notes
    if wants_objects:
        notes.append("objects are the connected parts of what the method found, split at their necks")
        return as_objects(predictor, train), chosen, notes
    if parts_objects(predictor) and chosen.dataset.kind in ("instance", "panoptic"):
        return match_objects(predictor, train, "panoptic"), chosen, notes
    return match(predictor, train, batch), chosen, notes
