"""``pixelwise train --find-lr`` and ``--find-batch``: a few steps on a copy of the model, and a suggestion; no training."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pixelwise.train.find import BatchTest, RateTest
    from pixelwise.train.options import Recipe


def find(recipe: "Recipe", out: Path, rate: bool, batch: bool, quiet: bool) -> int:
    """Try rates, batches or both for the run that ``recipe`` would be; write what was found into ``out``."""
    from pixelwise.augment.scale import scaled
    from pixelwise.train import origin
    from pixelwise.train import start as starting
    from pixelwise.train.find import find_batch, find_rate

    def say(text: str) -> None:
        if not quiet:
            print(text, file=sys.stderr, flush=True)

    card = origin.card_of(recipe)
    recipe = origin.named(recipe, card)
    prepared = starting.prepare(recipe, say)
    recipe, model = starting.planned(prepared.recipe, card, prepared, say)
    train = scaled(prepared.train, recipe.data.scale)
    if batch:
        _tell_batch(find_batch(model, train, recipe.train, recipe.augment), out)
    if rate:
        _tell_rate(find_rate(model, train, recipe.train, recipe.augment), out)
    return 0


def _tell_rate(found: "RateTest", out: Path) -> None:
    from pixelwise.core.files import write_bytes, write_json
    from pixelwise.draw.rates import rates

    write_bytes(out / "find_rate.png", rates(found.rates, found.losses, found.smooth, found.suggested))
    write_json(
        out / "find_rate.json",
        {"suggested": found.suggested, "rates": found.rates.tolist(), "losses": found.losses.tolist()},
    )
    print(f"rates from {found.rates[0]:.2g} to {found.rates[-1]:.2g} were tried in {len(found.rates)} steps")
    print(f"suggested: --set train.rate={found.suggested:.2g}")
    print(f"curve: {out / 'find_rate.png'}")


def _tell_batch(found: "BatchTest", out: Path) -> None:
    from pixelwise.core.files import write_json

    rows = [
        {"batch": one.batch, "seconds": one.seconds, "images_per_second": one.speed, "memory": one.memory}
        for one in found.trials
    ]
    largest, fastest = found.largest.batch, found.fastest.batch
    write_json(out / "find_batch.json", {"largest": largest, "fastest": fastest, "ended": found.ended, "trials": rows})
    print(f"{'batch':>6}  {'s/step':>8}  {'images/s':>9}  {'memory':>10}")
    for one in found.trials:
        print(f"{one.batch:>6}  {one.seconds:>8.3f}  {one.speed:>9.1f}  {one.memory / 2**30:>6.2f} GiB")
    print(f"largest tried that fits: {largest} ({found.ended})")
    print(f"suggested: --set train.batch={fastest} (no larger one is more than 3 % faster)")
