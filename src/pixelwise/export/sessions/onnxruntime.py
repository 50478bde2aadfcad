"""ONNX files through ONNX Runtime."""

from collections.abc import Sequence
from pathlib import Path

from pixelwise.core.arrays import AnyArray
from pixelwise.core.errors import CheckpointError, MissingExtra, OptionError
from pixelwise.core.resources import usable_cores
from pixelwise.export.artefact import Opened
from pixelwise.export.sheet import KEY, Sheet


class OnnxSession:
    """A graph that ONNX Runtime has opened."""

    def __init__(self, session: object, input_name: str) -> None:
        self._session, self._input = session, input_name

    def __call__(self, images: AnyArray) -> Sequence[AnyArray]:
        """Run the graph."""
        found: Sequence[AnyArray] = self._session.run(None, {self._input: images})  # type: ignore[attr-defined]
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
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = usable_cores()
    options.log_severity_level = 3
    providers = _providers(device, onnxruntime.get_available_providers())
    try:
        session = onnxruntime.InferenceSession(str(path), options, providers=providers)
    except Exception as error:  # its exceptions share no class but this
        raise CheckpointError(f"{path}: expected an ONNX graph, but ONNX Runtime says: {str(error).strip()[:300]}") from None
    text = session.get_modelmeta().custom_metadata_map.get(KEY)
    sheet = None if text is None else Sheet.from_text(text, str(path))
    if sheet is not None and precision not in ("auto", sheet.precision):
        raise OptionError(f"{path}: is of {sheet.precision} alone; export the model with --precision {precision}")
    return Opened(OnnxSession(session, session.get_inputs()[0].name), sheet)


def _providers(device: str, known: Sequence[str]) -> list[str]:
    if device in ("auto", "cpu"):
        return ["CPUExecutionProvider"]
    wanted = f"{device.split(':')[0].upper()}ExecutionProvider"
    if wanted not in known:
        raise OptionError(
            f"no device '{device}' in this ONNX Runtime, which has {', '.join(known)}; CUDA wants onnxruntime-gpu"
        )
    return [wanted, "CPUExecutionProvider"]
