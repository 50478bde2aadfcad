"""Search a method's options on labelled images, and say on other images what that gained.

Options are drawn by the tree-structured Parzen estimator [1] of Optuna, the defaults first. The images are divided once: every
trial is scored on one part, and the other is not touched before the end. There the options found and those the method started
with are compared on the same draws of images, so that the gain has an interval. A method that must be trained is trained on one
half of the first part and scored on its other.

The best of many trials on few images is best partly by chance, so a trial counts for what it gained over the start less one
standard error of that gain, after the rule of one standard error [2]. Where no trial gained more, the start is kept.

[1] Bergstra, Bardenet, Bengio and Kegl, Algorithms for hyper-parameter optimization, NeurIPS 2011.
[2] Breiman, Friedman, Olshen and Stone, Classification and Regression Trees, 1984, section 3.4.3.
"""

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from pixelwise.core.errors import DataError, MissingExtra, OptionError, PixelwiseError
from pixelwise.core.sample import Dataset
from pixelwise.jobs.judge import Judge, first_image, in_memory, spread
from pixelwise.jobs.search_spaces import OneOf, Space, Whole, space_of
from pixelwise.methods.effort import effort
from pixelwise.methods.predictor import Method
from pixelwise.metrics.comparison import Comparison, Difference, compare
from pixelwise.metrics.tally import Tally

if TYPE_CHECKING:
    import optuna

_MOST = 24  # images a trial is scored on
_NORMAL_95 = 1.96  # standard errors on either side of a 95 % interval


@dataclass(frozen=True, eq=False)
class Tuned:
    """What a search found.

    Attributes:
        method: with the options found, and how they were found; trained, if it is one that must be.
        metric: what was searched for.
        trials: how many sets of options were scored, the start among them.
        failed: how many could not be, and the last reason.
        gained: on images that were not searched on: A is the start, B what was found.
        is_low_better: of the metric.
        notes: how the images were divided, and what else to know.
    """

    method: Method
    metric: str
    trials: int
    failed: tuple[int, str]
    gained: Comparison
    is_low_better: bool
    notes: tuple[str, ...]

    @property
    def gain(self) -> Difference:
        """The score at the start and at the end, and the interval of what lies between."""
        return self.gained.scores[self.metric]

    def to_json(self) -> dict[str, Any]:
        """Write as plain JSON values."""
        return {
            "method": self.method.name,
            "options": _plain({key: value for key, value in self.method.options.items() if key != "model"}),
            "metric": self.metric,
            "trials": self.trials,
            "failed_trials": self.failed[0],
            "images_held_out": self.gained.count,
            "start": _number(self.gain.a),
            "tuned": _number(self.gain.b),
            "gain": _number(self.gain.value),
            "gain_interval": None if self.gain.interval is None else list(self.gain.interval),
            "lower_is_better": self.is_low_better,
            "notes": list(self.notes),
        }

    def __str__(self) -> str:
        """Write for the terminal."""
        options = ", ".join(f"{key} = {_short(value)}" for key, value in self.method.options.items() if key != "model")
        count, reason = self.failed
        lines = [
            f"{self.method.name}: {options or 'its defaults are best'}",
            f"{self.metric} on {self.gained.count} images that were not searched on: {self.gain.a:.4f} -> {self.gain.b:.4f}, "
            f"a difference of {self.gain.value:+.4f}{_interval(self.gain)}",
            f"{self.trials} trials" + (f", {count} of them failed ({reason})" if count else ""),
        ]
        return "\n".join([*lines, *(f"note: {note}" for note in self.notes)])


def tune(
    method: Method,
    dataset: Dataset,
    metric: str | None = None,
    *,
    trials: int = 40,
    minutes: float | None = None,
    seed: int = 0,
    progress: Callable[[int, int], None] | None = None,
) -> Tuned:
    """Search the options of ``method``; those it has are where the search starts.

    Args:
        method: to be tuned; what it learned before is left aside if it must be trained, and it is trained anew.
        dataset: labelled; its ``train`` split is searched on and ``val`` or ``test`` held out, if there are such, else halves.
        metric: one score; None for that usual for the kind of truth.
        trials: sets of options that are scored.
        minutes: stop searching after them; None for no limit.
        seed: of the search and the division.
        progress: called with (trials done, in all).

    Raises:
        MissingExtra: Optuna is not installed.
        OptionError: a number is out of range, the method has nothing to search, or the metric does not fit.
        PixelwiseError: the method cannot be scored as it starts.
    """
    if trials < 1 or (minutes is not None and not minutes > 0):
        raise OptionError(f"tune: trials must be 1 or more and minutes above 0, got {trials} and {minutes}")
    judge = Judge.of(dataset, metric, seed)
    space = space_of(method.name, first_image(judge.learn).bands)
    if not space:
        raise OptionError(f"tune: the method '{method.name}' has no option to search")
    if method.is_trained:  # with a model its options would change nothing
        method = Method(method.name, **{key: value for key, value in method.options.items() if key != "model"})
    search = _Search(method, space, _inner(judge, method), seed)
    search.run(trials, minutes, progress)
    best = Method(method.name, **{**method.options, **search.best})
    start, end = (judge.ready(one) for one in (method, best))
    gained = compare(judge.tally(start), judge.tally(end), judge.families, [judge.metric])
    notes = (*judge.notes, *gained.notes)
    found = Tuned(best, judge.metric, search.done, (search.failed, search.reason), gained, judge.is_low_better, notes)
    kept = end if best.is_trained and isinstance(end, Method) else best.fit(judge.learn) if best.is_trained else best
    told = {**found.to_json(), "data": dataset.name}
    return replace(found, method=kept.known_to({"tuned": {key: told[key] for key in told if key not in ("method", "options")}}))


class _Search:
    """Trials of one method, and the best of them."""

    def __init__(self, method: Method, space: Mapping[str, Space], judge: Judge, seed: int) -> None:
        self.method, self.space, self.judge = method, space, judge
        self.done, self.failed, self.reason = 0, 0, ""
        self.start: Tally | None = None
        self.best: dict[str, Any] = {}
        self._study = _study(judge.is_low_better, seed)

    def run(self, trials: int, minutes: float | None, progress: Callable[[int, int], None] | None) -> None:
        """Score the start, then what the sampler proposes."""
        ends = math.inf if minutes is None else time.monotonic() + 60 * minutes
        self.start = self._counted({})
        first, best = self.judge.score(self.start), 0.0
        if math.isinf(first):
            raise DataError(f"{self.judge.metric} of the method as it starts is undefined on these images; choose another")
        self.done = 1
        for turn in range(1, trials):
            if progress is not None:
                progress(turn, trials)
            left = ends - time.monotonic()
            if left <= 0:
                break
            trial = self._study.ask()
            options = {name: _drawn(trial, name, space) for name, space in self.space.items()}
            try:
                with effort(None if math.isinf(left) else left):
                    counted = self._counted(options)
                score = self.judge.score(counted)
                if math.isinf(score):
                    raise DataError(f"{self.judge.metric} is undefined on these images")
            except PixelwiseError as error:
                self.failed, self.reason = self.failed + 1, str(error)
                self._study.tell(trial, state=_failed())
                continue
            self.done += 1
            self._study.tell(trial, score)
            gain = first - score if self.judge.is_low_better else score - first
            if gain > best and (sure := gain - self._error(counted)) > best:
                best, self.best = sure, options
        if progress is not None:
            progress(trials, trials)

    def _counted(self, options: Mapping[str, Any]) -> Tally:
        method = Method(self.method.name, **{**self.method.options, **options})
        counted = self.judge.tally(self.judge.ready(method))
        if self.start is not None and len(counted.failures) > len(self.start.failures):
            raise DataError(counted.failures[-1][1])  # a score on fewer images is another score
        return counted

    def _error(self, counted: Tally) -> float:
        """Give the standard error of a gain over the start, on the same draws of images; 0 where none can be told."""
        assert self.start is not None
        try:
            found = compare(self.start, counted, self.judge.families, [self.judge.metric]).scores[self.judge.metric]
        except DataError:  # the start could score nothing
            return 0.0
        return 0.0 if found.interval is None else (found.interval[1] - found.interval[0]) / (2 * _NORMAL_95)


def _inner(judge: Judge, method: Method) -> Judge:
    """Search on the samples to learn from alone, at most so many; what must be trained is scored on those it has not seen."""
    learn = in_memory(spread(judge.learn, _MOST))
    if not method.is_trained:
        return replace(judge, learn=learn, held=learn)
    first, second = learn.divided(0.5)
    return replace(judge, learn=first, held=second)


def _study(is_low_better: bool, seed: int) -> "optuna.Study":
    try:
        import optuna
    except ImportError:
        raise MissingExtra("optuna", extra="tune", purpose="tune") from None
    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    try:
        sampler = optuna.samplers.TPESampler(seed=seed)
        return optuna.create_study(sampler=sampler, direction="minimize" if is_low_better else "maximize")
    finally:
        optuna.logging.set_verbosity(before)


def _failed() -> "optuna.trial.TrialState":
    import optuna

    return optuna.trial.TrialState.FAIL


def _drawn(trial: "optuna.Trial", name: str, space: Space) -> Any:
    """Draw one option; of several values the place, as Optuna keeps only plain ones."""
    if isinstance(space, OneOf):
        return space.values[trial.suggest_categorical(name, range(len(space.values)))]
    if isinstance(space, Whole):
        return trial.suggest_int(name, space.low, space.high, log=space.log)
    return float(f"{trial.suggest_float(name, space.low, space.high, log=space.log):.4g}")  # as it will stand in the file


def _interval(one: Difference) -> str:
    return "" if one.interval is None else f" (95 %: {one.interval[0]:+.4f} to {one.interval[1]:+.4f})"


def _short(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _plain(options: Mapping[str, Any]) -> dict[str, Any]:
    return {key: list(value) if isinstance(value, tuple) else value for key, value in options.items()}


def _number(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None
