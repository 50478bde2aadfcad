"""A process of a run that another one has started: ``python -m pixelwise.train.follow RUN OPTIONS``."""

import json
import sys
from pathlib import Path

from pixelwise.core.errors import PixelwiseError
from pixelwise.core.options import from_table
from pixelwise.train.options import Recipe, TrainOptions
from pixelwise.train.start import follow


def main(out: str, options: str) -> int:
    """Follow the run in ``out``; ``options`` is its table [train] as JSON, by which the processes meet."""
    try:
        run, _, _ = follow(Recipe(train=from_table(TrainOptions, json.loads(options), "train")), Path(out))
    except PixelwiseError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 130 if run.stopped == "interrupted" else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
