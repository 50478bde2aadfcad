"""Try all methods on a few labelled images, and say which is good enough, and whether a network is needed at all.

Every method is tried with its defaults, by the rule of ``jobs.judge``. First each segments one image. Then each is scored on a
few images, those that must be trained first and then the fastest, as far as the time reaches; and the best of them on more. The
rules of the answer:

- Two methods are *equally good* where the 95 % interval of their difference, on the same draws of images, holds 0.
- The *choice* is the fastest of those equally good to the best.
- It is *good enough* where its whole interval reaches the mark: a score that a person states, or one usual for the metric.
- With a network trained beside them: it is *needed* where it is better than the choice, surely (its difference's interval is
  above 0) and by more than 0.02. Without one: not needed where the choice is good enough; likely, where its interval does not
  reach the mark; open in between.
"""

import math
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from pixelwise.core.errors import OptionError, PixelwiseError
from pixelwise.core.predictor import Predictor
from pixelwise.core.sample import Dataset
from pixelwise.jobs.choice import Choice, Row
from pixelwise.jobs.judge import Judge, first_image
from pixelwise.jobs.measured import Measured, measured
from pixelwise.methods import METHODS
from pixelwise.methods.effort import effort
from pixelwise.methods.predictor import Method
from pixelwise.metrics.comparison import Difference, compare
from pixelwise.metrics.interval import PLAIN
from pixelwise.metrics.tally import Tally, report_of

ENOUGH: Mapping[str, float] = {"miou": 0.85, "object_f1": 0.85, "ap50": 0.8, "covering_ods": 0.6}
MARGIN = 0.02  # by which a network must be better to be worth its training
_FEW = (4, 6)  # images to learn from and to score on, for every method
_MORE = (16, 40)  # for the best
_BEST = 5
_RESERVED = 0.35  # of the time, for the best on more images
_LONGEST = 0.15  # of the time, for one method on a few images
NETWORK = "network"  # the name of its row

Train = Callable[[Judge], Predictor]


def choose(
    dataset: Dataset,
    metric: str | None = None,
    *,
    methods: Sequence[str] = (),
    minutes: float = 4.0,
    enough: float | None = None,
    train: Train | None = None,
    seed: int = 0,
    progress: Callable[[int, int], None] | None = None,
) -> Choice:
    """Try methods on a few images of ``dataset``.

    Args:
        dataset: labelled.
        metric: one score; None for that usual for the kind of truth.
        methods: their names; none for all.
        minutes: for the methods altogether, about.
        enough: the score that is good enough; None for one usual for the metric.
        train: gives a network that did not learn from the samples the judge holds; None for methods alone.
        seed: of the division of the images.
        progress: called with (methods scored, in all).

    Raises:
        OptionError: a number is out of range, or no method can be scored on such truth or by that metric.
        UnknownName: there is no such method.
        DataError: not one image to learn from can be read.
        UnsettledLabels: what the data's values mean is in doubt.
    """
    if not minutes > 0:
        raise OptionError(f"choose: minutes must be above 0, got {minutes}")
    if enough is not None and not math.isfinite(enough):
        raise OptionError(f"choose: the score that is good enough must be a number, got {enough}")
    judge = Judge.of(dataset, metric, seed)
    mark = ENOUGH.get(judge.metric, math.nan) if enough is None else enough
    seconds = 60 * minutes
    ends = time.monotonic() + seconds
    few, more = judge.few(*_FEW), judge.few(*_MORE)
    names = _fastest_first(list(methods) or list(METHODS), few, 0.2 * seconds)
    rows: dict[str, Row] = {}
    for turn, name in enumerate(names):
        left = min(ends - _RESERVED * seconds - time.monotonic(), _LONGEST * seconds)
        rows[name] = _row(name, few, left) if left > 0 else Row(name, problem="not tried: the time was over")
        if progress is not None:
            progress(turn + 1, len(names))
    best = [row for row in _ranked(rows.values(), judge.is_low_better) if row.tally is not None][:_BEST]
    for place, row in enumerate(best):
        rows[row.name] = _on_more(row, more, (ends - time.monotonic()) / (len(best) - place))
    if train is not None:
        rows[NETWORK] = _network(train, judge, more)
    return _answer(rows, judge, mark, (*judge.notes, _told(few, more)))


def _fastest_first(names: Sequence[str], few: Judge, seconds: float) -> list[str]:
    """Order methods by the time each takes for one image; those that fail, or that are not reached in time, come last.

    Those that must be trained cannot be timed before; they come first, as they are few and often best.
    """
    image, times = first_image(few.learn), dict.fromkeys(names, math.inf)
    start = time.monotonic()
    for name in names:
        method, began = Method(name), time.monotonic()
        if method.is_trained:
            times[name] = 0.0
        if method.is_trained or began - start > seconds:
            continue
        try:
            with effort(seconds):
                method([image])
            times[name] = time.monotonic() - began
        except PixelwiseError:
            continue
    return sorted(names, key=lambda name: times[name])


def _row(name: str, judge: Judge, seconds: float) -> Row:
    """Make a method ready and score it, within so many seconds."""
    try:
        with effort(seconds):
            ready = judge.ready(Method(name))
            return _scored(name, ready, judge)
    except PixelwiseError as error:
        return Row(name, problem=str(error))


def _on_more(row: Row, more: Judge, seconds: float) -> Row:
    """Score a method anew on more images, if so many seconds are enough for them; else keep what is known of it."""
    if 1.2 * row.seconds * (len(more.learn) + len(more.held)) > seconds:
        return row
    found = _row(row.name, more, seconds)
    return found if found.images > row.images else row


def _scored(name: str, predictor: Predictor, judge: Judge) -> Row:
    found: Measured[Tally] = measured(lambda: judge.tally(predictor))
    tally = found.value
    score = judge.score(tally)
    if math.isinf(score):
        return Row(name, problem="its score is undefined on these images")
    report = report_of(tally, judge.families, [judge.metric], PLAIN)
    count = max(len(tally.names), 1)
    return Row(name, score, report.intervals.get(judge.metric), count, found.seconds / count, found.memory, tally=tally)


def _network(train: Train, judge: Judge, more: Judge) -> Row:
    """Train on all that may be learned from, and score on the images that the best methods were scored on."""
    try:
        return _scored(NETWORK, train(judge), more)
    except PixelwiseError as error:
        return Row(NETWORK, problem=str(error))


def _ranked(rows: Any, is_low_better: bool) -> list[Row]:
    """Order rows, the best first; those without a score last."""
    sign = 1 if is_low_better else -1
    return sorted(rows, key=lambda row: (math.isnan(row.score), 0 if math.isnan(row.score) else sign * row.score))


def _answer(rows: Mapping[str, Row], judge: Judge, mark: float, notes: tuple[str, ...]) -> Choice:
    ranked = _ranked(rows.values(), judge.is_low_better)
    methods = [row for row in ranked if row.tally is not None and row.name != NETWORK]
    if not methods:
        verdict = "no method could be scored; the table says why"
        return Choice(judge.metric, mark, tuple(ranked), "", verdict, notes, judge.is_low_better)
    most = max(row.images for row in methods)
    full = [row for row in methods if row.images == most]  # a lucky score on few images is no reason
    best = full[0]
    equal = [row for row in full if row is best or not _is_surely_other(row, best, judge)]
    chosen = min(equal, key=lambda row: row.seconds)
    verdict = f"{_which(chosen, best, judge.metric)} {_needed(chosen, rows.get(NETWORK), judge, mark)}"
    return Choice(judge.metric, mark, tuple(ranked), chosen.name, verdict, notes, judge.is_low_better)


def _difference(a: Row, b: Row, judge: Judge) -> Difference | None:
    """Give what B has more than A on the images both were scored on; None where that cannot be told."""
    assert a.tally is not None
    assert b.tally is not None
    try:
        return compare(a.tally, b.tally, judge.families, [judge.metric]).scores[judge.metric]
    except PixelwiseError:
        return None


def _is_surely_other(row: Row, best: Row, judge: Judge) -> bool:
    found = _difference(row, best, judge)
    return found is None or found.is_told


def _which(chosen: Row, best: Row, metric: str) -> str:
    text = f"choice: {chosen.name}, {metric} {chosen.score:.3f} at {chosen.seconds:.2g} s an image"
    if chosen is best:
        return f"{text}, the best of the methods."
    return f"{text}: the fastest of those that these images cannot tell from the best ({best.name}, {best.score:.3f})."


def _needed(chosen: Row, network: Row | None, judge: Judge, mark: float) -> str:
    """Say whether a network is needed, by the rules at the top of this file."""
    sign = -1 if judge.is_low_better else 1
    if network is not None and network.tally is not None:
        found = _difference(chosen, network, judge)
        gain = math.nan if found is None else sign * found.value
        if found is not None and found.is_told and gain > MARGIN:
            return f"a network is needed: trained as long as asked, it is better by {gain:.3f}, and surely so."
        return f"a network is not needed so far: trained as long as asked, it is not surely better by {MARGIN} ({gain:+.3f})."
    failed = "" if network is None else "the network could not be scored (the table says why); by the methods alone, "
    return failed + _likely(chosen, sign, mark)


def _likely(chosen: Row, sign: int, mark: float) -> str:
    """Say whether a network is likely needed, from the choice alone; ``sign`` is -1 where less is better."""
    if math.isnan(mark):
        return "whether that is good enough, you must say (--enough)."
    low, high = sorted(sign * end for end in chosen.interval) if chosen.interval is not None else (sign * chosen.score,) * 2
    if low >= sign * mark:
        return f"that is good enough (all of its interval reaches {mark:g}): a network is not needed."
    if high < sign * mark:
        return f"that is not good enough (its interval does not reach {mark:g}): a network is likely needed."
    return f"whether that is good enough is open (its interval holds {mark:g}): tune it, label more images, or try --network."


def _told(few: Judge, more: Judge) -> str:
    return (
        f"every method: matched or trained on {len(few.learn)} images and scored on {len(few.held)}, with its defaults; the "
        f"best {_BEST}, as far as the time reached, on {len(more.learn)} and {len(more.held)}"
    )
