"""Keep what a run has reached: the best weights in memory, and in the run folder what a resumed run needs."""

import time
from collections.abc import Mapping
from typing import Any

import torch

from pixelwise.core.errors import StorageError, TrainingError, first_line
from pixelwise.core.files import write_json
from pixelwise.models import checkpoint
from pixelwise.models.segmenter import Segmenter
from pixelwise.models.weights import write_tensors
from pixelwise.train.failures import is_lost_process
from pixelwise.train.reporter import Reporter
from pixelwise.train.run import RunFolder
from pixelwise.train.state import Progress, load_state, save_state


class Keeper:
    """What is kept of one run.

    Attributes:
        folder: the run folder; None keeps nothing on the disk.
        writes: whether this process writes to it: the leader alone does.
        parts: model, average and optimiser, by the names they have in the state.
        saved, saved_step: when, and at which step, the state was last saved.
    """

    def __init__(self, folder: RunFolder | None, writes: bool, fingerprint: str, parts: Mapping[str, Any]) -> None:
        self.folder, self.writes, self.fingerprint, self.parts = folder, writes, fingerprint, dict(parts)
        self.saved, self.saved_step = time.monotonic(), 0
        self._best: dict[str, torch.Tensor] | None = None
        self._best_is_saved = True

    @property
    def average(self) -> Segmenter:
        """The model with averaged weights."""
        model: Segmenter = self.parts["average"]
        return model

    def restore(self) -> Progress:
        """Read the state in the folder into the parts, and give how far it was."""
        assert self.folder is not None
        progress = load_state(self.folder.state, self.fingerprint, self.parts)
        self.saved_step = progress.step
        return progress

    def note_best(self) -> None:
        """Keep the averaged weights as they are now as the best."""
        self._best = {name: tensor.detach().cpu().clone() for name, tensor in self.average.state_dict().items()}
        self._best_is_saved = False

    def best_model(self) -> Segmenter:
        """Give the averaged weights of the best validation, in evaluation mode."""
        if self._best is not None:
            self.average.load_state_dict(self._best)
        elif self.folder is not None and self.folder.best.is_file():  # resumed after the best was found
            return checkpoint.load(self.folder.best)
        return self.average.eval()

    def save(self, progress: Progress, reporter: Reporter, with_history: bool = False, at_end: bool = False) -> None:
        """Save what a resumed run needs; a disk that is full is told and tried again, and at the end it is an error.

        Raises:
            StorageError: the last weights cannot be written.
        """
        self.saved = time.monotonic()
        folder = self.folder
        if folder is None or not self.writes:
            return
        try:
            if not self._best_is_saved:
                self._save_best(folder)
            if with_history:
                folder.write_history(progress.history)
            if at_end:
                checkpoint.save(self.average, folder.last)
            save_state(folder.state, self.fingerprint, progress, self.parts)
            self.saved_step = progress.step
        except StorageError as error:
            if at_end:
                raise
            reporter.line(
                f"not saved at step {progress.step}: {error}; training goes on, the files of step {self.saved_step} stay"
            )

    def _save_best(self, folder: RunFolder) -> None:
        """Write the best weights, from the copy that is kept in memory."""
        assert self._best is not None
        card = self.average.card
        write_tensors(folder.best, self._best, {"pixelwise": card.name})
        if not folder.card.is_file():
            write_json(folder.card, card.to_json())
        self._best_is_saved = True

    def lost(self, error: RuntimeError, progress: Progress, device: torch.device, is_whole: bool) -> TrainingError:
        """Say what is left after the device, or another process, has failed; save the state if it can still be read.

        ``is_whole`` tells that the failure did not come in the middle of an update.
        """
        if self.folder is not None and self.writes and is_whole:
            try:
                save_state(self.folder.state, self.fingerprint, progress, self.parts)
                self.saved_step = progress.step
            except (RuntimeError, StorageError):  # what the device held is lost with it; the earlier state is whole
                pass
        what = "another process of the run" if is_lost_process(error) else f"the device ({device})"
        kept = "nothing was saved"
        if self.folder is not None and (self.saved_step or self.folder.state.is_file()):
            kept = f"the state of step {self.saved_step} is saved; go on with: {self.resume_command}"
        return TrainingError(f"{what} failed at step {progress.step + 1} ({first_line(error)}); {kept}")

    @property
    def resume_command(self) -> str:
        """The command that goes on with the run."""
        assert self.folder is not None
        return f"pixelwise train --resume --out {self.folder.folder}"
