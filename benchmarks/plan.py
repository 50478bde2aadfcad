"""What the plan predicts of a training step, against what the step then takes: memory at the peak, and seconds.

Three data sets of different kinds, each planned and trained for a few steps in a process of its own, so that its peak is its
own. The last line is the worst factor by which a prediction is off. Run: python benchmarks/plan.py
"""

import multiprocessing
import resource
import statistics

import pixelwise as pw
from pixelwise.core.sample import Dataset
from pixelwise.scenes import scenes

STEPS, SKIPPED = 16, 6
KINDS = {"360 x 480, colour": (64, (360, 480)), "512 x 512, grey": (30, (512, 512)), "128 x 128, colour": (256, (128, 128))}


def drawn(count: int, size: tuple[int, int], is_grey: bool) -> Dataset:
    """Draw photographs, in colour or in grey."""
    data = scenes(count, size)
    if not is_grey:
        return data
    samples = [pw.Sample.of(sample.name, sample.image.to_bands(("grey",)), sample.truth) for sample in data]
    return Dataset(samples, data.labels, data.kind)


def measure(kind: str, results: "multiprocessing.Queue[tuple[float, float, float, float]]") -> None:
    """Put (predicted GiB, measured GiB, predicted seconds, measured seconds) of a step."""
    from pixelwise.models.networks import unet
    from pixelwise.train.cost import predict_cost, with_loading
    from pixelwise.train.facts import look_at
    from pixelwise.train.loader import Crops
    from pixelwise.train.machine import keep_freed_memory, this_machine
    from pixelwise.train.options import Recipe, TrainOptions
    from pixelwise.train.plan import plan

    keep_freed_memory()
    train = drawn(*KINDS[kind], is_grey="grey" in kind)
    machine = this_machine("cpu")
    recipe = plan(
        Recipe(model={"name": "unet"}, train=TrainOptions(steps=STEPS, validations=1)), look_at(train), machine
    ).recipe
    options = recipe.train
    chosen = {name: value for name, value in recipe.model.items() if name != "name"}
    model = unet.build(train.labels, **chosen)
    crops = Crops(train, model.head, recipe.augment, options.crop, 0, model.card.bands, memory=2**26)
    cost = predict_cost(model, options.batch, options.crop, options.precision, machine)
    cost = with_loading(cost, crops, options.batch, machine)
    run = pw.fit(model, train, train.take([]), options, recipe.augment, quiet=True)
    seconds = {int(row["step"] or 0): float(row["seconds"] or 0) for row in run.progress.history}
    times = [seconds[step] - seconds[step - 1] for step in range(SKIPPED, STEPS)]
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    results.put((cost.memory / 2**30, peak / 2**30, cost.seconds, statistics.median(times)))


def main() -> None:
    context = multiprocessing.get_context("spawn")
    worst = 1.0
    for kind in KINDS:
        results = context.Queue()
        process = context.Process(target=measure, args=(kind, results))
        process.start()
        memory, peak, seconds, taken = results.get()
        process.join()
        print(f"{kind}: {memory:.2f} GiB predicted, {peak:.2f} taken; {seconds:.3f} s a step predicted, {taken:.3f} taken")
        worst = max(worst, memory / peak, peak / memory, seconds / taken, taken / seconds)
    print(f"RATIO plan predicted/measured {worst:.2f}")


if __name__ == "__main__":
    main()
