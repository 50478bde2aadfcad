"""Tell TensorBoard, MLflow and Weights & Biases how a run goes.

A logger is four functions (``Logger``). What one of them raises never stops training: it is said once, and that logger is told
nothing more. Event files are written with tensorboard's own records, without torch's or TensorFlow's part in it.
"""

import hashlib
import importlib.util
import io
import os
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

import PIL.Image

from pixelwise.core.arrays import ByteArray
from pixelwise.core.errors import MissingExtra, PixelwiseError

Say = Callable[[str], None]


class Logger(Protocol):
    """What is told of a run, in this order; ``scalars`` and ``image`` any number of times."""

    def start(self, params: Mapping[str, Any], step: int) -> None:
        """Begin, or go on after ``step`` steps, with the options of the run by name."""

    def scalars(self, step: int, values: Mapping[str, float]) -> None:
        """Take figures by name."""

    def image(self, step: int, name: str, picture: ByteArray) -> None:
        """Take a picture (H, W, 3)."""

    def finish(self, state: str) -> None:
        """End: ``finished``, ``interrupted`` or ``failed``."""


class TensorBoard:
    """Event files in ``RUN/tensorboard``; after a kill, what was written past the state's step is marked as void."""

    def __init__(self, run: Path) -> None:
        self.folder = run / "tensorboard"
        self._writer: Any = None
        self._step = 0
        self._params = ""

    def start(self, params: Mapping[str, Any], step: int) -> None:
        """Keep what to write; the file is opened by the first figures, so that no start waits for it."""
        self._step = step
        self._params = "\n".join(f"    {name} = {value}" for name, value in params.items())

    def scalars(self, step: int, values: Mapping[str, float]) -> None:
        """Write figures."""
        from tensorboard.compat.proto.summary_pb2 import Summary

        self._write(step, Summary(value=[Summary.Value(tag=name, simple_value=value) for name, value in values.items()]))

    def image(self, step: int, name: str, picture: ByteArray) -> None:
        """Write a picture as PNG."""
        from tensorboard.compat.proto.summary_pb2 import Summary

        coded = io.BytesIO()
        PIL.Image.fromarray(picture).save(coded, "PNG")
        height, width = picture.shape[:2]
        held = Summary.Image(height=height, width=width, colorspace=3, encoded_image_string=coded.getvalue())
        self._write(step, Summary(value=[Summary.Value(tag=name, image=held)]))

    def finish(self, state: str) -> None:
        """Close the file."""
        if self._writer is not None:
            self._writer.close()

    def _write(self, step: int, summary: Any) -> None:
        from tensorboard.compat.proto.event_pb2 import Event

        if self._writer is None:
            self._open()
        self._writer.add_event(Event(wall_time=time.time(), step=step, summary=summary))

    def _open(self) -> None:
        from tensorboard.compat.proto.event_pb2 import Event, SessionLog
        from tensorboard.compat.proto.summary_pb2 import Summary
        from tensorboard.plugins.text.metadata import create_summary_metadata
        from tensorboard.summary.writer.event_file_writer import EventFileWriter
        from tensorboard.util.tensor_util import make_tensor_proto

        began_before = any(self.folder.glob("events*"))
        self._writer = EventFileWriter(str(self.folder), flush_secs=20)
        if began_before:  # readers drop what an earlier file says of this step and later ones
            mark = SessionLog(status=SessionLog.START)
            self._writer.add_event(Event(wall_time=time.time(), step=self._step + 1, session_log=mark))
            return
        text = Summary.Value(
            tag="options",
            metadata=create_summary_metadata("options", "as in recipe.toml"),
            tensor=make_tensor_proto([self._params.encode()]),
        )
        self._writer.add_event(Event(wall_time=time.time(), step=0, summary=Summary(value=[text])))


class Mlflow:
    """A run in MLflow: in the store of MLFLOW_TRACKING_URI, else in ``mlflow.db`` (sqlite) beside the run folder."""

    def __init__(self, run: Path) -> None:
        self.run = run
        self._client: Any = None
        self._id = ""

    def start(self, params: Mapping[str, Any], step: int) -> None:
        """Find the run of this folder and go on with it, or make one."""
        from mlflow.entities import Param
        from mlflow.tracking import MlflowClient

        beside = self.run.parent
        self._client = MlflowClient(os.environ.get("MLFLOW_TRACKING_URI") or f"sqlite:///{beside / 'mlflow.db'}")
        name = os.environ.get("MLFLOW_EXPERIMENT_NAME", "pixelwise")
        found = self._client.get_experiment_by_name(name)
        place = None if os.environ.get("MLFLOW_TRACKING_URI") else (beside / "mlflow").as_uri()
        experiment = found.experiment_id if found else self._client.create_experiment(name, artifact_location=place)
        known = self._client.search_runs([experiment], f"tags.pixelwise_run = '{_key(self.run)}'") if step else []
        if known:
            self._id = known[0].info.run_id
            self._client.update_run(self._id, status="RUNNING")
            return
        made = self._client.create_run(experiment, run_name=self.run.name, tags={"pixelwise_run": _key(self.run)})
        self._id = made.info.run_id
        rows = [Param(key, str(value)[:500]) for key, value in params.items()]
        for first in range(0, len(rows), 100):  # the most that one call takes
            self._client.log_batch(self._id, params=rows[first : first + 100])

    def scalars(self, step: int, values: Mapping[str, float]) -> None:
        """Send figures."""
        from mlflow.entities import Metric

        now = int(time.time() * 1000)
        self._client.log_batch(self._id, [Metric(name, value, now, step) for name, value in values.items()])

    def image(self, step: int, name: str, picture: ByteArray) -> None:
        """Send a picture."""
        self._client.log_image(self._id, picture, key=name, step=step)

    def finish(self, state: str) -> None:
        """End the run."""
        self._client.set_terminated(self._id, {"finished": "FINISHED", "interrupted": "KILLED"}.get(state, "FAILED"))


class Wandb:
    """A run in Weights & Biases, by its own variables (WANDB_API_KEY, WANDB_MODE, WANDB_PROJECT …)."""

    def __init__(self, run: Path) -> None:
        self.run = run
        self._run: Any = None

    def start(self, params: Mapping[str, Any], step: int) -> None:
        """Begin or go on with the run of this folder."""
        import wandb

        self._run = wandb.init(
            project=os.environ.get("WANDB_PROJECT", "pixelwise"),
            name=self.run.name,
            dir=str(self.run),
            config={name: str(value) for name, value in params.items()},
            id=_key(self.run),
            resume="allow",
        )

    def scalars(self, step: int, values: Mapping[str, float]) -> None:
        """Send figures."""
        self._run.log(dict(values), step=step)

    def image(self, step: int, name: str, picture: ByteArray) -> None:
        """Send a picture."""
        import wandb

        self._run.log({name: wandb.Image(picture)}, step=step)

    def finish(self, state: str) -> None:
        """End the run; one that was interrupted may go on."""
        self._run.finish(exit_code=0 if state == "finished" else 1)


LOGGERS: dict[str, Callable[[Path], Logger]] = {"tensorboard": TensorBoard, "mlflow": Mlflow, "wandb": Wandb}


class Loggers:
    """Several loggers as one, each cut off at its first error.

    Attributes:
        state: how the run ends, as ``Logger.finish`` takes it.
    """

    def __init__(self, loggers: Mapping[str, Logger], say: Say) -> None:
        self._open, self._say = dict(loggers), say
        self.state = "finished"

    @property
    def names(self) -> tuple[str, ...]:
        """Those that still listen."""
        return tuple(self._open)

    def start(self, params: Mapping[str, Any], step: int = 0) -> None:
        """Begin, or go on after ``step`` steps."""
        self._tell(lambda logger: logger.start(params, step))

    def scalars(self, step: int, values: Mapping[str, float | None]) -> None:
        """Tell figures; those that are None are left out."""
        known = {name: float(value) for name, value in values.items() if value is not None}
        self._tell(lambda logger: logger.scalars(step, known))

    def images(self, step: int, pictures: Iterable[tuple[str, ByteArray]]) -> None:
        """Tell pictures (H, W, 3) by name; what cannot be drawn is said and left out."""
        try:
            for name, picture in pictures:
                self._tell(lambda logger, name=name, picture=picture: logger.image(step, f"val/{name}", picture))  # type: ignore[misc]
        except (PixelwiseError, RuntimeError, MemoryError) as error:  # an image that is gone, memory that does not hold it
            self._say(f"no pictures of step {step}: {str(error).splitlines()[0]}")

    def finish(self) -> None:
        """End."""
        self._tell(lambda logger: logger.finish(self.state))

    def _tell(self, what: Callable[[Logger], None]) -> None:
        for name, logger in list(self._open.items()):
            try:
                what(logger)
            except Exception as error:  # a logger is another's program, and may raise anything; training goes on
                del self._open[name]
                reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
                self._say(f"logger {name}: {reason}; it is told nothing more of this run, and training goes on")


def choose(wanted: str) -> list[str]:
    """Turn ``[train] loggers`` into names.

    Raises:
        MissingExtra: one was asked for by name and is not installed.
    """
    names = [name.strip() for name in wanted.split(",") if name.strip()]
    if "none" in names or not names:
        return []
    if "auto" in names:
        account = os.environ.get("WANDB_API_KEY") or os.environ.get("WANDB_MODE")
        automatic = ["tensorboard", *(["mlflow"] if _installed("mlflow") else [])]
        automatic += ["wandb"] if account and _installed("wandb") else []
        return list(dict.fromkeys([*automatic, *choose(",".join(name for name in names if name != "auto"))]))
    for name in names:
        if not _installed(name):
            raise MissingExtra(name, extra="track", purpose=f"the logger '{name}'")
    return names


@contextmanager
def listening(wanted: str, run: Path | None, params: Mapping[str, Any], step: int, say: Say) -> Iterator[Loggers]:
    """Open the loggers of a run for the block, and tell them how it ended; without a folder there are none."""
    names = choose(wanted) if run is not None else []
    loggers = Loggers({name: LOGGERS[name](run.resolve()) for name in names if run is not None}, say)
    loggers.start(params, step)
    try:
        yield loggers
    except BaseException as error:
        loggers.state = "interrupted" if isinstance(error, KeyboardInterrupt) else "failed"
        raise
    finally:
        loggers.finish()


def _installed(name: str) -> bool:
    return importlib.util.find_spec(name) is not None


def _key(run: Path) -> str:
    """Name a run by its place, in letters that every store takes."""
    return hashlib.sha256(str(run.resolve()).encode()).hexdigest()[:16]
