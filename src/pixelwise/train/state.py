"""The whole state of a run at a step, so that a killed run goes on as if it never had been.

Order and augmentation depend on (seed, step) alone, and torch is seeded anew at every step, so the state is: weights,
average, optimiser, step, and what has been noted so far. It is read by torch's loader that refuses code.
"""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import nn

from pixelwise.core.errors import CheckpointError, StorageError
from pixelwise.core.files import replacing
from pixelwise.models.weights import read_state

Row = dict[str, float | None]


@dataclass
class Progress:
    """What a run has noted: steps done, seconds spent, rows of the history, and the best validation so far.

    Attributes:
        skipped, skipped_in_row: steps that changed nothing because loss or gradient was not finite.
        parts: in how many parts a step is computed, once memory had run out; 0 as the options say.
        lowered, plateau_best, plateau_wait: what the schedule ``plateau`` has seen.
    """

    step: int = 0
    seconds: float = 0.0
    images: int = 0
    history: list[Row] = field(default_factory=list)
    best_score: float = -1.0
    best_step: int = 0
    since_best: int = 0
    loss_sum: float = 0.0
    loss_steps: int = 0
    term_sums: dict[str, float] = field(default_factory=dict)
    stopped: str = ""
    skipped: int = 0
    skipped_in_row: int = 0
    parts: int = 0
    lowered: float = 1.0
    plateau_best: float = -1.0
    plateau_wait: int = 0


def save_state(path: Path, fingerprint: str, progress: Progress, parts: dict[str, Any]) -> None:
    """Write the state, whole or not at all; ``parts`` have a ``state_dict``."""
    content = {
        "format": "pixelwise state 1",
        "fingerprint": fingerprint,
        "progress": vars(progress) | {"history": [dict(row) for row in progress.history]},
        "parts": {name: part.state_dict() for name, part in parts.items()},
    }
    with replacing(path) as temporary:
        try:
            torch.save(content, temporary)
        except RuntimeError as error:  # torch's own writer says so when the disk is full
            raise StorageError(f"{path}: cannot be written ({error}); is the disk full?") from None


def load_state(path: Path, fingerprint: str, parts: dict[str, nn.Module | torch.optim.Optimizer]) -> Progress:
    """Fill ``parts`` from a state and give what the run had noted.

    Raises:
        CheckpointError: the file is damaged, or its data or recipe were others.
    """
    content = read_state(path)
    if not isinstance(content, dict) or content.get("format") != "pixelwise state 1":
        raise CheckpointError(f"{path}: expected the state of a run, found something else")
    if content["fingerprint"] != fingerprint:
        raise CheckpointError(
            f"{path}: the data or the recipe changed since this run was stopped, so it cannot go on exactly; put them back, or "
            f"start a new run with another --out"
        )
    try:
        for name, part in parts.items():
            part.load_state_dict(content["parts"][name])
        return Progress(**content["progress"])
    except (KeyError, TypeError, RuntimeError, ValueError) as error:
        raise CheckpointError(f"{path}: the state does not fit this model ({error})") from None
