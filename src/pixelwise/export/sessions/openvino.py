"""OpenVINO's files."""

import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pixelwise.core.arrays import AnyArray
from pixelwise.core.errors import CheckpointError, MissingExtra, OptionError
from pixelwise.core.resources import cpu_has_bf16, usable_cores
from pixelwise.export.artefact import Opened
from pixelwise.export.sheet import KEY, Sheet

_SHAPES = 4  # shapes of input that keep a graph compiled for them: such are faster than one for any shape


class OpenvinoSession:
    """A graph that OpenVINO has read, compiled for each of the last few shapes of input; requests wait in a pool."""

    def __init__(self, core: Any, model: Any, device: str, settings: dict[str, Any]) -> None:
        self._core, self._model, self._device, self._settings = core, model, device, settings
        self._compiled: dict[tuple[int, ...], _Requests] = {}
        self._lock = threading.Lock()

    def __call__(self, images: AnyArray) -> Sequence[AnyArray]:
        """Run the graph."""
        with self._lock:
            requests = self._compiled.pop(images.shape, None) or self._for(images.shape)
            self._compiled[images.shape] = requests  # the last used comes last
            while len(self._compiled) > _SHAPES:
                del self._compiled[next(iter(self._compiled))]
        return requests.run(images)

    def _for(self, shape: tuple[int, ...]) -> "_Requests":
        model = self._model
        if model.input(0).get_partial_shape().is_dynamic:
            model = model.clone()
            model.reshape(list(shape))
        return _Requests(self._core.compile_model(model, self._device, self._settings))


class _Requests:
    """A compiled graph and its idle requests: one is used by one thread at a time."""

    def __init__(self, compiled: Any) -> None:
        self._compiled = compiled
        self._idle: list[Any] = []

    def run(self, images: AnyArray) -> list[AnyArray]:
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
    return Opened(OpenvinoSession(core, model, place, _settings(path, sheet, precision)), sheet)


def _settings(path: Path, sheet: Sheet | None, precision: str) -> dict[str, Any]:
    own = "fp32" if sheet is None else sheet.precision
    if precision not in ("auto", "fp32", "bf16", own):
        raise OptionError(f"{path}: is of {own}; it can be run in fp32 or bf16, not in {precision}")
    wanted = own if precision == "auto" else precision
    is_half = wanted == "bf16" or (wanted == "int8" and cpu_has_bf16())  # what stays in floats beside the 8 bits
    return {
        "INFERENCE_PRECISION_HINT": "bf16" if is_half and cpu_has_bf16() else "f32",
        "INFERENCE_NUM_THREADS": usable_cores(),
        "PERFORMANCE_HINT": "LATENCY",
    }
