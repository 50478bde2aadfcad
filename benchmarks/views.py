"""What views, a temperature and uncertainty do for a trained model, on labelled images it was not trained on.

- mIoU as the model is, with flips, and with flips and scales; what each adds has a 95 % interval, drawn over images.
- The calibration error (ECE) before and after a temperature: it is fitted on every other image and judged on the rest.
- Whether uncertainty finds the bad images: Spearman's rank correlation of an image's number with its mIoU (down to -1: the
  surer, the better), and the mean mIoU of the quarter of the images that the list puts first, against that of the rest.

With ``--others``, more models of the same classes: the mIoU of their ensemble, alike and with weights chosen on the first half.

Run: python benchmarks/views.py RUN DATA [--split val] [--void 11] [--images 10] [--others RUN,RUN]
"""

import argparse
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from scipy.stats import spearmanr

from pixelwise.cli.subject import choose_split, read_to_score
from pixelwise.core.arrays import FloatArray, IntArray
from pixelwise.core.card import Card
from pixelwise.core.image import Image
from pixelwise.core.predictor import PLAIN, Predictor, Request
from pixelwise.core.sample import Dataset
from pixelwise.core.segmentation import Segmentation
from pixelwise.load import load
from pixelwise.metrics import overlap
from pixelwise.metrics.evaluate import evaluate
from pixelwise.metrics.settle import under_model
from pixelwise.predict.calibrated import Calibrated
from pixelwise.predict.ensemble import Ensemble
from pixelwise.predict.flipped import Flipped
from pixelwise.predict.uncertainty import Uncertain
from pixelwise.predict.views import SCALES, Views

DRAWS = 1000
WANTED = Request(probabilities=True)


@dataclass
class Scored:
    """One way to predict: what was counted of each image, how unsure each was, and the seconds it took."""

    counts: list[overlap.Counts] = field(default_factory=list)
    unsure: dict[str, list[float]] = field(default_factory=dict)
    seconds: float = 0.0

    def miou(self) -> float:
        """Score the images together."""
        return overlap.score(sum(self.counts[1:], self.counts[0]))["miou"]

    def drawn(self, times: IntArray) -> FloatArray:
        """Score data sets (B,) in which image n stands ``times[b, n]`` times."""
        return overlap.resampled(sum(self.counts[1:], self.counts[0]), times).scores["miou"]

    def of_images(self) -> FloatArray:
        """Give the mIoU of each image."""
        return np.array([overlap.score(one)["miou"] for one in self.counts])


@dataclass
class _Kept:
    """A predictor that gives again what was found before."""

    card: Card
    found: Segmentation

    def __call__(self, images: Sequence[Image], request: Request = PLAIN) -> list[Segmentation]:
        return [self.found]


def run(network: Predictor, dataset: Dataset) -> dict[str, Scored]:
    """Predict every image in three ways."""
    plain, both = Uncertain(network, "entropy"), Uncertain(Views(network, scales=SCALES), "disagreement")
    flipped = Flipped(network)
    found = {"plain": Scored(), "flips": Scored(), "flips and scales": Scored()}
    for sample in dataset:
        image, truth = sample.image, sample.truth
        for name, one in found.items():
            begin = time.perf_counter()
            if name == "flips":
                segmentation = flipped([image])[0]
            else:
                (assessed,) = (plain if name == "plain" else both).assess([image], WANTED)
                segmentation = assessed.segmentation
                numbers = {"entropy" if name == "plain" else "views": assessed.image}
                if name == "plain":
                    (close,) = Uncertain(_Kept(network.card, segmentation), "margin").assess([image])
                    numbers |= {"margin": close.image, "entropy over pixels": assessed.mean}
                for measure, number in numbers.items():
                    one.unsure.setdefault(measure, []).append(number)
            one.seconds += time.perf_counter() - begin
            one.counts.append(overlap.count(segmentation, truth))
    return found


def gain(before: Scored, after: Scored, rng: np.random.Generator) -> tuple[float, float, float]:
    """Give what ``after`` adds in mIoU, and its 95 % interval over images drawn with replacement."""
    size = len(before.counts)
    times = np.stack([np.bincount(rng.integers(0, size, size), minlength=size) for _ in range(DRAWS)])
    gains = after.drawn(times) - before.drawn(times)
    low, high = np.quantile(gains, [0.025, 0.975])
    return after.miou() - before.miou(), float(low), float(high)


def tell_views(found: dict[str, Scored]) -> None:
    """Print the mIoU of each way, and what it adds."""
    plain, rng = found["plain"], np.random.default_rng(0)
    for name, one in found.items():
        text = f"{name:<17} mIoU {one.miou():.4f}  {one.seconds / len(one.counts):.2f} s an image"
        if one is not plain:
            added, low, high = gain(plain, one, rng)
            text += f"  {added:+.4f} [{low:+.4f}, {high:+.4f}]"
        print(text)


def tell_uncertainty(found: dict[str, Scored]) -> None:
    """Print how well each measure finds the images on which the model, as it is, is worst."""
    scores = found["plain"].of_images()
    for name, numbers in (found["plain"].unsure | found["flips and scales"].unsure).items():
        correlation = spearmanr(numbers, scores)
        order = np.argsort(-np.array(numbers), kind="stable")
        first = max(1, len(order) // 4)
        worst, rest = scores[order[:first]].mean(), scores[order[first:]].mean()
        print(
            f"uncertainty by {name:<19} Spearman with mIoU {correlation.statistic:+.3f} (p {correlation.pvalue:.1e}); "
            f"the {first} it puts first {worst:.4f}, the rest {rest:.4f}"
        )


def tell_temperature(network: Predictor, fitting: Dataset, judging: Dataset) -> None:
    """Print the calibration error on images that the temperature was not fitted on."""
    calibrated = Calibrated.fitted(network, fitting)
    before, after = (evaluate(one, judging, "calibration", intervals=None).to_json() for one in (network, calibrated))
    changes = "  ".join(f"{name} {before[name]:.4f} -> {after[name]:.4f}" for name in ("ece", "adaptive_ece", "nll", "brier"))
    print(f"temperature {calibrated.temperature:g} fitted on {len(fitting)} images; on {len(judging)} others: {changes}")


def tell_ensemble(models: Sequence[Predictor], fitting: Dataset, judging: Dataset) -> None:
    """Print the mIoU of models alone and together, on images that weights were not chosen on."""
    chosen = {goal: Ensemble.weighed(models, fitting, goal) for goal in ("likelihood", "miou")}
    named = {f"model {row}": one for row, one in enumerate(models, start=1)} | {"together": Ensemble(models)}
    named |= {f"weights by {goal} {tuple(round(share, 2) for share in one.shares)}": one for goal, one in chosen.items()}
    for name, one in named.items():
        print(f"{name:<40} mIoU {evaluate(one, judging, 'miou', intervals=None).to_json()['miou']:.4f}")


def main() -> None:
    """Run everything."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("run", type=Path)
    parser.add_argument("data", type=Path)
    parser.add_argument("--split")
    parser.add_argument("--void")
    parser.add_argument("--images", type=int, help="so many, spread evenly")
    parser.add_argument("--others", default="")
    given = parser.parse_args()
    network = load(given.run)
    chosen = choose_split(read_to_score(given.data, None, given.run, void=given.void), given.split)
    dataset = under_model(chosen.dataset.semantic(), network.card.labels)
    if given.images:
        dataset = dataset.take(np.unique(np.linspace(0, len(dataset) - 1, given.images).astype(int)).tolist())
    print(f"{network.card.name} on {len(dataset)} images of {dataset.name}, {chosen.split}")
    fitting, judging = dataset[::2], dataset[1::2]
    tell_temperature(network, fitting, judging)
    if given.others:
        tell_ensemble([network, *map(load, given.others.split(","))], fitting, judging)
    found = run(network, dataset)
    tell_views(found)
    tell_uncertainty(found)
    times = found["flips and scales"].seconds / found["plain"].seconds
    print(f"views take {times:.1f}x the time of one pass")
    print(f"RATIO views miou with/without {found['flips and scales'].miou() / found['plain'].miou():.4f}")


if __name__ == "__main__":
    main()
