"""The options ``--views --scales --ensemble --uncertainty``: several opinions on an image, and how far they agree."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pixelwise.core.errors import OptionError, nearest

if TYPE_CHECKING:
    from pixelwise.core.predictor import Predictor

VIEWS = "Average over views: flips, scales, turns; several with commas, as in flips,scales. --flips and --turns say the same."
SCALES = "Scales that images are seen at, and averaged over; 0.75,1,1.25 if --views has scales and this is not given."
ENSEMBLE = "More models, with commas: probabilities of all are averaged; the classes are the same by name."
UNCERTAINTY = (
    "Write how unsure the result is: <stem>_uncertainty.png, numbers in segments.json, and look_first.csv. By entropy (the "
    "default), margin, views (their disagreement), ensemble (likewise), dropout (of a network that has it)."
)
HOW = ("entropy", "margin", "views", "ensemble", "dropout")
_USUAL_SCALES = (0.75, 1.0, 1.25)
_FLAG = "--uncertainty"


@dataclass(frozen=True)
class Seen:
    """The views of an image.

    Attributes:
        flips, turns: whether mirrored and turned ones are among them.
        scales: of its sides; empty for its own size alone.
    """

    flips: bool = False
    turns: bool = False
    scales: tuple[float, ...] = ()

    def __bool__(self) -> bool:
        return self.flips or self.turns or bool(self.scales)


@dataclass(frozen=True)
class Opinions:
    """What was asked for.

    Attributes:
        seen: the views.
        others: models beside the first one.
        uncertainty: how it is measured; None for not at all.
    """

    seen: Seen
    others: tuple[str, ...] = ()
    uncertainty: str | None = None


def parse_opinions(
    flips: bool, turns: bool, views: str | None, scales: str | None, ensemble: str | None, uncertainty: str | None
) -> Opinions:
    """Read the values of the options.

    >>> parse_opinions(True, False, "scales", None, "runs/b", "margin")
    Opinions(seen=Seen(flips=True, turns=False, scales=(0.75, 1.0, 1.25)), others=('runs/b',), uncertainty='margin')

    Raises:
        OptionError: one is none of those that there are.
    """
    words = _words(views)
    if strange := [word for word in words if word not in ("flips", "scales", "turns")]:
        raise OptionError(
            f"--views {views}: expected flips, scales and turns; {nearest(strange[0], ('flips', 'scales', 'turns'))}"
        )
    sizes: tuple[float, ...] = _USUAL_SCALES if "scales" in words else ()
    if scales is not None:
        try:
            sizes = tuple(float(word) for word in _words(scales))
        except ValueError:
            sizes = ()
        if not sizes:
            raise OptionError(f"--scales {scales}: expected numbers with commas, as in 0.75,1,1.25")
    if uncertainty is not None and uncertainty not in HOW:
        raise OptionError(f"{_FLAG} {uncertainty}: {nearest(uncertainty, HOW)}")
    others = _words(ensemble, keeps_case=True)
    if ensemble is not None and not others:
        raise OptionError(f"--ensemble {ensemble}: expected models with commas, as in runs/a,runs/b")
    if uncertainty == "ensemble" and not others:
        raise OptionError(f"{_FLAG} ensemble: between which models? name the others with --ensemble")
    return Opinions(Seen(flips or "flips" in words, turns or "turns" in words, sizes), others, uncertainty)


def named(views: str | None, scales: str | None, ensemble: str | None) -> dict[str, object]:
    """Name the options that were asked for, as a report keeps them."""
    asked = {"views": views, "scales": scales, "ensemble": ensemble}
    return {name: value for name, value in asked.items() if value is not None}


def _words(text: str | None, keeps_case: bool = False) -> tuple[str, ...]:
    words = (word.strip() for word in (text or "").split(","))
    return tuple(word if keeps_case else word.lower() for word in words if word)


def laid(
    predictor: "Predictor",
    opinions: Opinions,
    around: "Callable[[Predictor, Seen], Predictor]",
    load: "Callable[[str], Predictor]",
) -> "Predictor":
    """Lay what was asked for around a model; ``around`` lays views, tiles and refiners, and ``load`` opens the other models.

    Where uncertainty is what opinions disagree on, those are asked about whole images, so tiles go inside.

    Raises:
        UnknownName: there is no model of a name.
        OptionError: the models do not fit together, or do not give what the uncertainty is taken of.
    """
    from pixelwise.predict.ensemble import Ensemble
    from pixelwise.predict.uncertainty import MEASURES, Uncertain
    from pixelwise.predict.views import Views

    seen, how = opinions.seen, opinions.uncertainty
    members = [predictor, *(load(other) for other in opinions.others)]
    if how == "ensemble":
        return Uncertain(Ensemble([around(member, seen) for member in members]), "disagreement")
    whole = Ensemble(members) if len(members) > 1 else predictor
    if how == "views":
        seen = seen or Seen(flips=True, scales=_USUAL_SCALES)
        inside = around(whole, Seen())
        return Uncertain(Views(inside, seen.flips, seen.scales or (1.0,), seen.turns), "disagreement")
    wrapped = around(whole, seen)
    if how is None:
        return wrapped
    if how == "dropout":
        from pixelwise.predict.dropout import Dropout  # torch is imported only for what drops out

        return Uncertain(Dropout(wrapped), "disagreement")
    return Uncertain(wrapped, next(measure for measure in MEASURES if measure == how))


def spelled_out(arguments: Sequence[str]) -> list[str]:
    """Give a bare ``--uncertainty`` its usual value, as the parser knows no options whose value may be left out.

    >>> spelled_out(["predict", "runs/a", "--uncertainty", "--out", "o"])
    ['predict', 'runs/a', '--uncertainty=entropy', '--out', 'o']
    """
    found = list(arguments)
    for place, word in enumerate(found):
        after = found[place + 1] if place + 1 < len(found) else "-"
        if word == _FLAG and (after.startswith("-") or (after not in HOW and Path(after).exists())):
            found[place] = f"{_FLAG}={HOW[0]}"
    return found
