"""A run folder: what a run reads and leaves behind.

``recipe.toml`` (resolved: reading it back reproduces the run), ``card.json``, ``best.safetensors`` and ``last.safetensors``
(averaged weights), ``state.pt`` (for resuming), ``history.csv``, ``curves.png``, ``environment.json``, ``train.log``.
"""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from pixelwise.core.errors import RunInUse
from pixelwise.core.files import locked, make_folder, write_bytes, write_csv
from pixelwise.train.state import Row

UNSTARTED = frozenset({"card.json", "environment.json", "train.log"})  # left by a start that never got to train
TRIALS = frozenset({"find_rate.png", "find_rate.json", "find_batch.json"})  # made before a run, for it; they stay
HISTORY = ("step", "epoch", "loss", "lr", "images_per_second", "seconds")  # then scores, then the terms of the loss


@dataclass(frozen=True)
class RunFolder:
    """The paths of a run."""

    folder: Path

    @property
    def recipe(self) -> Path:
        """The resolved recipe."""
        return self.folder / "recipe.toml"

    @property
    def card(self) -> Path:
        """The model's card."""
        return self.folder / "card.json"

    @property
    def environment(self) -> Path:
        """The versions and the machine."""
        return self.folder / "environment.json"

    @property
    def best(self) -> Path:
        """The averaged weights with the best validation score."""
        return self.folder / "best.safetensors"

    @property
    def last(self) -> Path:
        """The averaged weights after the last step."""
        return self.folder / "last.safetensors"

    @property
    def state(self) -> Path:
        """The state to resume from."""
        return self.folder / "state.pt"

    @property
    def log(self) -> Path:
        """What was printed, with times."""
        return self.folder / "train.log"

    def open_new(self) -> None:
        """Make the folder for a new run.

        Raises:
            RunInUse: it holds another run, or files that are no run's.
            StorageError: it cannot be made.
        """
        make_folder(self.folder)
        if self.recipe.exists() or self.state.exists():
            raise RunInUse(f"{self.folder}: holds another run; go on with it by --resume, or choose another --out")
        found = [entry for entry in self.folder.iterdir() if not entry.name.startswith(".")]
        entries = [entry for entry in found if entry.name not in TRIALS]
        if strange := [entry.name for entry in entries if entry.name not in UNSTARTED]:
            raise RunInUse(f"{self.folder}: expected an empty folder for a new run, found {strange[0]}; choose another --out")
        for entry in entries:
            entry.unlink()

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Keep a second process from training into the same folder.

        Raises:
            RunInUse: another process does.
        """
        make_folder(self.folder)
        with locked(self.folder):
            for left in self.folder.glob(".*.pt"):  # of a save that was killed
                left.unlink()
            yield

    def write_history(self, rows: list[Row]) -> None:
        """Write ``history.csv`` anew, and the curves."""
        from pixelwise.draw import curves

        header = [*HISTORY, *dict.fromkeys(name for row in rows for name in row if name not in HISTORY)]
        text = [["" if row.get(name) is None else f"{row[name]:.10g}" for name in header] for row in rows]
        write_csv(self.folder / "history.csv", header, text)
        write_bytes(self.folder / "curves.png", curves(rows, self.folder.name))
