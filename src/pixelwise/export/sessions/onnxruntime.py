"""ONNX files through ONNX Runtime."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from pixelwise.core.arrays import AnyArray
from pixelwise.core.errors import CheckpointError, MissingExtra, OptionError
from pixelwise.core.resources import usable_cores
from pixelwise.export.artefact import Opened
from pixelwise.export.sheet import KEY, Sheet


class OnnxSession:
    """A graph that ONNX Runtime has opened."""

    def __init__(self, open_: Callable[[int], Any]) -> None:
        self._open = open_
        self.share(1)

    def share(self, calls: int) -> None:
        """Divide the cores among so many calls at a time; a call that comes alone then has its share alone."""
        self._session = self._open(max(1, usable_cores() // calls))
        self._input = self._session.get_inputs()[0].name

    def text(self) -> str | None:
        """Give the description that the file holds, if it holds one."""
        found: str | None = self._session.get_modelmeta().custom_metadata_map.get(KEY)
        return found

    def __call__(self, images: AnyArray) -> Sequence[AnyArray]:
        """Run the graph."""
        found: Sequence[AnyArray] = self._session.run(None, {self._input: images})
        return found


def open_file(path: Path, device: str = "auto", precision: str = "auto") -> Opened:
    """Open a file.

    Args:
        device: ``auto`` and ``cpu`` are the CPU; ``cuda`` wants onnxruntime-gpu.
        precision: is the file's own; nothing else can be asked for.

    Raises:
        MissingExtra: onnxruntime is not installed.
        CheckpointError: the file is no ONNX graph, or damaged.
        OptionError: the runtime has not this device, or another precision is wanted.
    """
    try:
        import onnxruntime
    except ImportError:
        raise MissingExtra("onnxruntime", extra="runtime", purpose=f"{path.name}: running ONNX files") from None
    providers = _providers(device, onnxruntime.get_available_providers())

    def opened(threads: int) -> Any:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.log_severity_level = 3
        return onnxruntime.InferenceSession(str(path), options, providers=providers)

    try:
        session = OnnxSession(opened)
    except Exception as error:  # its exceptions share no class but this
        raise CheckpointError(f"{path}: expected an ONNX graph, but ONNX Runtime says: {str(error).strip()[:300]}") from None
    text = session.text()
    sheet = None if text is None else Sheet.from_text(text, str(path))
    if sheet is not None and precision not in ("auto", sheet.precision):
        raise OptionError(f"{path}: is of {sheet.precision} alone; export the model with --precision {precision}")
    return Opened(session, sheet)


def _providers(device: str, known: Sequence[str]) -> list[str]:
    if device in ("auto", "cpu"):
        return ["CPUExecutionProvider"]
    wanted = f"{device.split(':')[0].upper()}ExecutionProvider"
    if wanted not in known:
        raise OptionError(
            f"no device '{device}' in this ONNX Runtime, which has {', '.join(known)}; CUDA wants onnxruntime-gpu"
        )
    return [wanted, "CPUExecutionProvider"]
