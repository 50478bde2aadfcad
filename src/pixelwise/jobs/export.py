"""Export a run to other runtimes, and prove each file on real images before it gets its name.

A file is made in a hidden folder beside its place, opened by its own runtime and compared with the network in 32 bits. Only if
the proof holds are the file and ``parity.json`` moved to where they belong; else the evidence goes to ``failed/`` and nothing
of the file stays. Files of fewer bits are made of that in 32: see ``export.quantise``.
"""

import inspect
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from pixelwise.core.arrays import Size
from pixelwise.core.errors import ExportError, OptionError, PixelwiseError, UnknownName, first_line, nearest
from pixelwise.core.files import make_folder
from pixelwise.core.predictor import Predictor
from pixelwise.core.sample import Dataset
from pixelwise.export import EXPORTERS
from pixelwise.export.bounds import Bounds, bounds_of
from pixelwise.export.evidence import FAILED, keep, keep_failed
from pixelwise.export.parity import compare
from pixelwise.jobs.exported import Exported, Wanted
from pixelwise.jobs.fewer_bits import REDUCED, fewer_bits
from pixelwise.jobs.material import Material, material_of

if TYPE_CHECKING:
    from pixelwise.models.segmenter import Segmenter

Progress = Callable[[int, int], None]


def export(
    run: str | Path,
    to: str | Sequence[str],
    out: str | Path,
    *,
    precision: str = "fp32",
    probabilities: bool = False,
    size: Size | None = None,
    batch: int | None = None,
    keep: Sequence[str] = (),
    data: Dataset | str | Path | None = None,
    images: int | None = None,
    bounds: Bounds | None = None,
) -> list[Path]:
    """Export a trained model, and prove that each file does the same on real images.

    Args:
        run: a run folder, or a ``.safetensors`` file with its card beside it.
        to: names of targets: ``onnx``, ``openvino`` … (``pixelwise list exporters``).
        out: the folder for the files and their proof, ``parity.json``.
        precision: ``fp32``, ``fp16``, ``bf16`` or ``int8``.
        probabilities: give those of all classes too.
        size, batch: the only ones the file takes; None for any.
        keep: layers that stay in 32 bits when the others get 8, by name or pattern.
        data: images to prove it on; None for those the run kept aside.
        images: how many of them, evenly apart; None for all.
        bounds: how far the file may stray; None for those usual for the precision.

    Returns:
        the files, in the order of ``to``.

    Raises:
        ExportError: a target cannot be had, or its file differs by more than the bounds; those before it are kept.
        UnknownName: there is no such target.
        OptionError: an option does not fit, or the run's images are not there any more.
    """
    wanted = Wanted(precision, probabilities, size=size, batch=batch, keep=tuple(keep), bounds=bounds)
    targets = [to] if isinstance(to, str) else list(to)
    check_targets(targets)
    material = material_of(Path(run), data, images=images)
    paths = []
    for target in targets:
        (found,) = export_each(Path(run), [target], Path(out), wanted, material)
        if found.path is None:
            raise ExportError(f"{target}: {found.problem}")
        paths.append(found.path)
    return paths


def check_targets(targets: Sequence[str]) -> None:
    """Refuse names of no exporter before any work.

    Raises:
        OptionError: there are none, or one stands twice.
        UnknownName: one is not known; the message has the nearest.
    """
    if not targets:
        raise OptionError(f"--to names no target; known are: {', '.join(sorted(EXPORTERS))}")
    if unknown := [name for name in targets if name not in EXPORTERS]:
        raise UnknownName(f"no exporter is called '{unknown[0]}'; {nearest(unknown[0], EXPORTERS)}")
    if len(set(targets)) < len(targets):
        raise OptionError("a target stands twice in --to; name each once")


def export_each(
    run: Path, targets: Sequence[str], out: Path, wanted: Wanted, material: Material, *, progress: Progress | None = None
) -> list[Exported]:
    """Export to each target in turn; what goes wrong with one is told in its row and stops no other.

    Raises:
        PixelwiseError: the run cannot be loaded, or the folder cannot be made.
    """
    from pixelwise.models import checkpoint
    from pixelwise.predict.network import Network

    make_folder(out)
    model = checkpoint.load(run)
    network = Network(model, "cpu", "fp32")
    found = []
    for target in targets:
        try:
            found.append(_exported(model, network, target, out, wanted, material, progress))
        except PixelwiseError as error:
            found.append(Exported(target, problem=str(error)))
        except Exception as error:  # exporters and runtimes raise anything
            said = f"{type(error).__name__}: {first_line(error)}"
            found.append(Exported(target, problem=f"the exporter or the runtime failed: {said}"))
    return found


def _exported(
    model: "Segmenter",
    network: Predictor,
    target: str,
    out: Path,
    wanted: Wanted,
    material: Material,
    progress: Progress | None,
) -> Exported:
    from pixelwise.load import load

    module = EXPORTERS[target]
    _refuse_precision(target, wanted.precision)
    name = wanted.name if wanted.precision == "fp32" else f"{wanted.name}_{wanted.precision}"
    with _staging(out) as folder:
        path = folder / f"{name}{module.SUFFIX}"
        write_file(target, model, path, wanted)
        notes = fewer_bits(path, wanted.precision, wanted.keep, material, _most(wanted)) if target in REDUCED else ()
        shown, unseen = _shown(target, model, path, wanted)
        exported = load(shown, "cpu")
        notes = (*notes, *unseen)
        pair = _at_size(network, exported, wanted.size or _one_size(exported), material.proof)
        parity = compare(*pair, material.proof, precision=wanted.precision, bounds=wanted.bounds, progress=progress)
        parity = replace(parity, notes=(*parity.notes, *notes), about={**parity.about, "target": target})
        failed = out / FAILED / path.name
        if not parity.holds:
            keep_failed(parity, *pair, material.proof, failed)
            return Exported(target, None, 0, parity, "; ".join(parity.problems), failed)
        moved = _moved(folder, out)
    final = out / path.name
    keep(parity, final, *(one for one in moved if one != final))
    if failed.is_dir():
        shutil.rmtree(failed)  # it shows what was wrong with an earlier file of this name
        with suppress(OSError):  # other targets' evidence is in it
            failed.parent.rmdir()
    return Exported(target, final, sum(map(_bytes, moved)), parity)


def write_file(target: str, model: "Segmenter", path: Path, wanted: Wanted) -> None:
    """Write the file of a target, without proof; in 32 bits where fewer are made of those, but with the precision in its sheet.

    Raises:
        ExportError: the network cannot be had in that form.
        MissingExtra: a library it takes is not installed.
    """
    from pixelwise.export.graph import Graph
    from pixelwise.export.sheet import Input

    module = EXPORTERS[target]
    graph = Graph(model, wanted.probabilities)
    given = Input(values=wanted.values, size=wanted.size, batch=wanted.batch)  # type: ignore[arg-type]
    sheet = replace(graph.sheet(given), precision=wanted.precision)
    takes = inspect.signature(module.export).parameters
    options = {"opset": wanted.opset} if wanted.opset is not None and "opset" in takes else {}
    module.export(graph, sheet, path, **options)


def _most(wanted: Wanted) -> float:
    """Say by how much the score may fall while layers are put back: half of the bound, as the proof is on other images."""
    bounds = wanted.bounds or bounds_of(wanted.precision)
    return (bounds.drop if bounds.drop is not None else 0.005) / 2


def _refuse_precision(target: str, precision: str) -> None:
    """Refuse a precision that a target has not.

    Raises:
        OptionError: it has not; the message says which it has.
    """
    known = REDUCED.get(target) or getattr(EXPORTERS[target], "PRECISIONS", ("fp32",))
    if precision not in known:
        raise OptionError(f"--precision {precision}: {target} files are made in {', '.join(known)}")


def _shown(target: str, model: "Segmenter", path: Path, wanted: Wanted) -> tuple[Path, tuple[str, ...]]:
    """Give the file to prove: the one made, or its twin of another target where nothing here can run that, and a note of it."""
    module = EXPORTERS[target]
    twin = getattr(module, "TWIN", "")
    if not twin or module.runs_here():
        return path, ()
    shown = make_folder(path.parent / ".twin") / f"{path.stem}{EXPORTERS[twin].SUFFIX}"
    write_file(twin, model, shown, replace(wanted, precision="fp32"))
    return shown, (module.UNSEEN,)


def _one_size(exported: Predictor) -> Size | None:
    """Give the one size that a file takes; None where it takes any."""
    from pixelwise.export.artefact import Artefact

    return exported.sheet.input.size if isinstance(exported, Artefact) else None


def _at_size(network: Predictor, exported: Predictor, size: Size | None, samples: Dataset) -> tuple[Predictor, Predictor]:
    """Give both in tiles of the one size the file takes, where an image is larger; the two then see the same pixels."""
    if size is None or not any(side > most for sample in samples for side, most in zip(sample.size, size, strict=True)):
        return network, exported
    from pixelwise.predict.tiled import Tiled

    return Tiled(network, tile=size), Tiled(exported, tile=size)


@contextmanager
def _staging(out: Path) -> Iterator[Path]:
    """Give a hidden folder in ``out`` whose files can be renamed to their places; what is left in it goes."""
    folder = Path(tempfile.mkdtemp(prefix=".export-", dir=out))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _moved(folder: Path, out: Path) -> list[Path]:
    """Move all that was made to its place, but for what is hidden; what had its name goes."""
    places = []
    for one in sorted(one for one in folder.iterdir() if not one.name.startswith(".")):
        place = out / one.name
        if place.is_dir():
            shutil.rmtree(place)
        os.replace(one, place)
        places.append(place)
    return places


def _bytes(path: Path) -> int:
    files = [path] if path.is_file() else [one for one in path.rglob("*") if one.is_file()]
    return sum(one.stat().st_size for one in files)
