"""OpenVINO's files."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from pixelwise.core.arrays import AnyArray
from pixelwise.core.errors import CheckpointError, MissingExtra, OptionError
from pixelwise.core.resources import cpu_has_bf16, usable_cores
from pixelwise.export.artefact import Opened
from pixelwise.export.sheet import KEY, Sheet


class OpenvinoSession:
    """A graph that OpenVINO has compiled for any shape of input, as that costs a tenth at most and no new shape has to wait."""

    def __init__(self, compile_: Callable[[int], Any]) -> None:
        self._compile = compile_
        self.share(1)

    def share(self, calls: int) -> None:
        """Divide the cores among so many calls at a time; a call that comes alone then has its share alone."""
        self._compiled = self._compile(calls)
        self._idle: list[Any] = []  # requests: each is used by one thread at a time

    def __call__(self, images: AnyArray) -> Sequence[AnyArray]:
        """Run the graph."""
        try:
            request = self._idle.pop()
        except IndexError:
            request = self._compiled.create_infer_request()
        found = request.infer([images], share_inputs=True)
        arrays = [found[output].copy() for output in self._compiled.outputs]
        self._idle.append(request)
        return arrays


def open_file(path: Path, device: str = "auto", precision: str = "auto") -> Opened:
    """Open a file.

    Args:
        device: ``auto`` and ``cpu`` are the CPU; else a device by OpenVINO's own name, as in ``gpu``.
        precision: ``fp32`` or ``bf16`` for the computation; ``auto`` is what the file was exported for.

    Raises:
        MissingExtra: openvino is not installed.
        CheckpointError: the file is no graph of OpenVINO's, or damaged, or its weights are not beside it.
        OptionError: there is no such device or precision.
    """
    try:
        import openvino
    except ImportError:
        raise MissingExtra("openvino", extra="runtime", purpose=f"{path.name}: running OpenVINO's files") from None
    core = openvino.Core()
    place = "CPU" if device in ("auto", "cpu") else device.upper()
    if place.split(".")[0] not in {name.split(".")[0] for name in core.available_devices}:
        raise OptionError(f"OpenVINO has no device '{device}' here; it has {', '.join(core.available_devices).lower()}")
    if not path.with_suffix(".bin").is_file():
        raise CheckpointError(
            f"{path}: expected its weights, {path.with_suffix('.bin').name}, beside it; both files are the model"
        )
    try:
        model = core.read_model(path)
        text = model.get_rt_info([KEY]).value if model.has_rt_info([KEY]) else None
    except RuntimeError as error:
        raise CheckpointError(f"{path}: expected a graph of OpenVINO's, but it says: {str(error).strip()[:300]}") from None
    sheet = None if text is None else Sheet.from_text(str(text), str(path))
    settings = _settings(path, sheet, precision)

    def compiled(calls: int) -> Any:
        return core.compile_model(model, place, settings | _divided(calls))

    return Opened(OpenvinoSession(compiled), sheet)


def _divided(calls: int) -> dict[str, Any]:
    return {"PERFORMANCE_HINT": "LATENCY"} if calls == 1 else {"PERFORMANCE_HINT": "THROUGHPUT", "NUM_STREAMS": calls}


def _settings(path: Path, sheet: Sheet | None, precision: str) -> dict[str, Any]:
    own = "fp32" if sheet is None else sheet.precision
    if precision not in ("auto", "fp32", "bf16", own):
        raise OptionError(f"{path}: is of {own}; it can be run in fp32 or bf16, not in {precision}")
    wanted = own if precision == "auto" else precision
    is_half = wanted == "bf16" or (wanted == "int8" and cpu_has_bf16())  # what stays in floats beside the 8 bits
    return {
        "INFERENCE_PRECISION_HINT": "bf16" if is_half and cpu_has_bf16() else "f32",
        "INFERENCE_NUM_THREADS": usable_cores(),
    }
