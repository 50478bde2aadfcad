"""The option ``--dry-run``: what a prediction would do."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from pixelwise.core.predictor import Predictor
    from pixelwise.core.prompt import Prompts


def tell_plan(
    predictor: "Predictor",
    inputs: Sequence[str],
    out: Path,
    as_json: bool,
    *,
    threshold: float | None,
    binary: bool,
    overlay: bool,
    again: bool,
    prompts: "Prompts",
) -> None:
    """Print the plan of a prediction, in words or as JSON; exit with 1 where an image would fail."""
    from pixelwise.predict.dry_run import plan_folder

    plan = plan_folder(
        predictor, inputs, out, threshold=threshold, binary=binary, overlay=overlay, again=again, prompts=prompts
    )
    print(json.dumps(plan.to_json(), indent=2, ensure_ascii=False) if as_json else str(plan))
    if plan.unreadable:
        raise typer.Exit(1)
