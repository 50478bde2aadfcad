"""Make files of ONNX and OpenVINO compute in fewer bits, in their place: what they are told beside the graph stays in them."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pixelwise.core.arrays import AnyArray
from pixelwise.core.errors import MissingExtra, OptionError, PixelwiseError
from pixelwise.core.sample import Dataset
from pixelwise.export.artefact import Artefact, Session
from pixelwise.export.quantise import Control, halved, quantised
from pixelwise.jobs.material import Material

REDUCED = {"onnx": ("fp32", "fp16", "int8"), "openvino": ("fp32", "fp16", "bf16", "int8")}


def fewer_bits(path: Path, precision: str, keep: Sequence[str], material: Material, most: float) -> tuple[str, ...]:
    """Make a file in 32 bits one of ``precision``; give what the reader of its proof must know.

    OpenVINO's bfloat16 is a wish that its runtime reads in the sheet: the file stays as it is.

    Args:
        most: by how much the score may fall on the images that watch it, before layers are put back.

    Raises:
        PixelwiseError: the images cannot be read, or the model cannot be quantised.
    """
    if precision in ("fp32", "bf16"):
        return ()
    if precision == "fp16":
        if path.suffix == ".onnx":  # OpenVINO's exporter has halved the weights itself
            _write(halved(_read(path)), path)
        return ()
    artefact = _opened(path)
    inputs = inputs_of(artefact, material.ranges)
    control = _control(artefact, material.watched, most)
    _write(quantised(_read(path), inputs, keep=keep, control=control), path)
    watched = (
        f"the score was watched on {len(material.watched)} more" if control and material.watched else "no score was watched"
    )
    return (f"8 bits: the ranges of values are of {len(inputs)} images, {watched}",)


class _Noted(Exception):
    """Carry what a graph is handed."""

    def __init__(self, images: AnyArray) -> None:
        super().__init__()
        self.images = images


def inputs_of(artefact: Artefact, samples: Dataset) -> list[AnyArray]:
    """Give what the graph of an exported model is handed for each image that can be read."""

    def note(images: AnyArray) -> Sequence[AnyArray]:
        raise _Noted(images)

    noting, taken = Artefact(note, artefact.sheet, artefact.path), []
    for sample in samples:
        try:
            noting([sample.image])
        except _Noted as noted:
            taken.append(noted.images)
        except PixelwiseError:  # the next image will do; that none does, the quantiser says
            continue
    return taken


def _control(artefact: Artefact, watched: Dataset | None, most: float) -> Control | None:
    """Watch the score that decides on labelled images; None where there are none."""
    if watched is None or not len(watched):
        return None
    from pixelwise.metrics.evaluate import evaluate
    from pixelwise.metrics.tally import families_of
    from pixelwise.metrics.truths import usual

    (family,) = usual(watched.kind, artefact.card.kind)[:1]
    module = families_of([family])[family]
    score = "miou" if "miou" in module.RULES else next(iter(module.RULES))
    sign = -1 if score in module.LOWER_IS_BETTER else 1

    def score_of(compiled: Any, samples: Sequence[Any]) -> float:
        some = Dataset(list(samples), watched.labels, watched.kind, name=watched.name)
        predictor = Artefact(_session(compiled), artefact.sheet, artefact.path)
        return sign * float(evaluate(predictor, some, [score], batch=1, intervals=None)[score])

    return Control(list(watched), score_of, most)


def _session(compiled: Any) -> Session:
    """Run a compiled model of OpenVINO, or a session of ONNX Runtime."""
    if hasattr(compiled, "get_inputs"):
        name = compiled.get_inputs()[0].name
        return lambda images: compiled.run(None, {name: images})
    return lambda images: [found for _, found in sorted(compiled(images).items(), key=lambda one: one[0].index)]


def _opened(path: Path) -> Artefact:
    from pixelwise.load import load

    found = load(path, "cpu")
    if not isinstance(found, Artefact):
        raise OptionError(f"{path}: expected an exported file to make one of fewer bits, got '{found.card.name}'")
    return found


def _read(path: Path) -> Any:
    try:
        if path.suffix == ".onnx":
            import onnx

            return onnx.load(path)
        import openvino

        return openvino.Core().read_model(path)
    except ImportError as error:
        raise MissingExtra(error.name or "onnx", extra="export", purpose="a model of fewer bits") from None


def _write(model: Any, path: Path) -> None:
    if path.suffix == ".onnx":
        import onnx

        onnx.save(model, path)
        return
    import openvino

    place = path.with_name(f"fewer_{path.name}")  # its weights are read from the file that is replaced
    openvino.save_model(model, place, compress_to_fp16=False)
    del model
    for suffix in (".xml", ".bin"):
        place.with_suffix(suffix).replace(path.with_suffix(suffix))
