"""Rasters among the inputs of ``pixelwise predict``: what has a place on the earth, or is too large to be held whole."""

import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pixelwise.cli.wrapping import parse_join, parse_memory, parse_tile
from pixelwise.core.errors import MissingFile, OptionError, PixelwiseError, RunInUse, StorageError

if TYPE_CHECKING:
    from pixelwise.core.predictor import Predictor
    from pixelwise.predict.folder import Summary
    from pixelwise.predict.rasters.summary import RasterSummary
    from pixelwise.predict.tiles.choice import JoinOption
    from pixelwise.predict.tiles.tiling import Tiling
    from pixelwise.predict.vectors.vectors import VectorFormat

VECTORS = "Of rasters, also write the regions as polygons: gpkg (in the raster's reference system) or geojson (WGS 84)."
SIMPLIFY = "Make polygons simpler, as long as each keeps this intersection over union, such as 0.95, with its region."
LARGE = 2**26  # pixels: a picture with more goes the way of rasters too, by windows and not whole


@dataclass(frozen=True)
class Found:
    """The inputs, parted.

    Attributes:
        rasters: each with the stem of its results.
        pictures: what is left, as ``predict`` takes it.
        missing: what was asked for and is not there, where no pictures are left that ``predict`` could tell it with.
    """

    rasters: tuple[tuple[Path, str], ...]
    pictures: tuple[str, ...]
    missing: tuple[tuple[str, str], ...] = ()


def parted(inputs: Sequence[str], out: Path, as_pictures: bool) -> Found:
    """Find the rasters: TIFFs with a place on the earth, and whatever has more than ``LARGE`` pixels.

    Args:
        as_pictures: whether what is asked for can only be had of pictures; then none is a raster.
    """
    from pixelwise.predict.inputs import find_images, name_results

    if as_pictures:
        return Found((), tuple(inputs))
    try:
        images, missing = find_images(inputs, out)
    except (MissingFile, OptionError):  # told where pictures are looked for, after what is wrong with the other options
        return Found((), tuple(inputs))
    chosen = [_is_raster(image) for image in images]
    if not any(chosen):
        return Found((), tuple(inputs))
    names = name_results(images, out)
    rasters = tuple((image, name) for image, name, is_one in zip(images, names, chosen, strict=True) if is_one)
    pictures = tuple(str(image) for image, is_one in zip(images, chosen, strict=True) if not is_one)
    told = tuple((str(path), reason) for path, reason in missing)
    return Found(rasters, (*pictures, *(path for path, _ in told)), ()) if pictures else Found(rasters, (), told)


def _is_raster(path: Path) -> bool:
    from pixelwise.core.errors import TooLarge
    from pixelwise.core.image import read_size
    from pixelwise.core.rasters.files import is_placed

    try:
        if is_placed(path):
            return True
        height, width = read_size(path)
    except TooLarge:
        return True
    except PixelwiseError:  # what is wrong with it is told when it is read
        return False
    return height * width > LARGE


@dataclass(frozen=True)
class RasterOptions:
    """What is wanted of rasters, as on the command line.

    Attributes:
        found: the rasters.
        tile, overlap, join, memory: see ``tiling_for``.
        threshold, vectors, simplify, again: see ``predict_raster``.
    """

    found: Found
    tile: tuple[int, int] | None
    overlap: int | None
    join: "JoinOption"
    memory: int | None
    threshold: float | None
    vectors: "VectorFormat | None"
    simplify: float | None
    again: bool

    @classmethod
    def of(
        cls,
        found: Found,
        tile: str,
        overlap: int | None,
        join: str,
        memory: str | None,
        threshold: float | None,
        vectors: str | None,
        simplify: float | None,
        again: bool,
    ) -> "RasterOptions":
        """Take the options as they were typed.

        Raises:
            OptionError: one is not what it should be, or polygons are asked for and there is no raster.
        """
        from pixelwise.predict.vectors.vectors import check_vectors

        form = check_vectors(vectors, simplify)
        if form is not None and not found.rasters:
            raise OptionError(
                f"--vectors {form}: polygons are of rasters, and none of the inputs is one: a TIFF that states its place, or "
                f"a picture of more than {LARGE:,} pixels"
            )
        sides = parse_tile(tile)
        side = sides if isinstance(sides, tuple) else None
        return cls(found, side, overlap, parse_join(join), parse_memory(memory), threshold, form, simplify, again)

    def predict(self, predictor: "Predictor", out: Path, before: "Summary") -> "tuple[Summary, list[RasterSummary]]":
        """Predict each raster, and enter it beside the pictures of ``before``; a bad one is listed, and the rest go on.

        A raster with damaged blocks is done, and listed as failed too: the rest of it is there.

        Args:
            predictor: without tiles; refiners are given a tile at a time.

        Raises:
            OptionError: an option does not fit.
            StorageError: the disk is full or cannot be written.
        """
        from pixelwise.predict.rasters.listing import enter_rasters

        done: list[RasterSummary] = []
        failures: list[tuple[str, str]] = list(self.found.missing)
        for path, name in self.found.rasters:
            try:
                done.append(self._one(predictor, path, name, out))
            except (OptionError, StorageError, RunInUse):
                raise
            except PixelwiseError as error:
                failures.append((str(path), str(error).removeprefix(f"{path}: ")))
                continue
            failures += [(str(path), f"{one.removeprefix(f'{path}: ')}; it is void in the result") for one in done[-1].lost]
            enter_rasters(out, [done[-1].entry], [])
        if failures:
            enter_rasters(out, [], failures)
        notes = [*before.notes, *((note, 1) for one in done for note in one.notes)]
        whole = replace(
            before,
            count=before.count + len(done),
            segments=before.segments + sum(one.segments for one in done),
            failures=(*before.failures, *failures),
            kept=before.kept + sum(one.kept == 1 for one in done),
            notes=tuple(notes),
        )
        return whole, done

    def _one(self, predictor: "Predictor", path: Path, name: str, out: Path) -> "RasterSummary":
        from pixelwise.cli.progress import Pace, pace_bar
        from pixelwise.predict.rasters.raster import predict_raster

        with pace_bar(path.name, Pace("megapixels")) as progress:
            return predict_raster(
                predictor,
                path,
                out,
                tiling=self._tiling(predictor, path),
                threshold=self.threshold,
                vectors=self.vectors,
                simplify=self.simplify,
                name=name,
                again=self.again,
                progress=progress,
            )

    def _tiling(self, predictor: "Predictor", path: Path) -> "Tiling":
        from pixelwise.core.rasters.files import open_raster
        from pixelwise.predict.rasters.raster import tiling_for

        with open_raster(path) as file:
            return tiling_for(predictor, file.size, self.tile, self.overlap, self.join, self.memory)

    def tell_plans(self, predictor: "Predictor", as_json: bool) -> None:
        """Print what would be done with each raster; beside a plan of pictures as JSON, on standard error."""
        from pixelwise.core.rasters.files import open_raster

        plans = []
        for path, _ in self.found.rasters:
            with open_raster(path) as file:
                size = file.size
            tiling = self._tiling(predictor, path)
            rows, columns = tiling.spans(size)
            held = tiling.block_bytes(size, len(predictor.card.labels))
            plans.append(
                {"raster": str(path), "size": size, "tile": tiling.tile, "tiles": len(rows) * len(columns), "held": held}
            )
        if as_json and plans and not self.found.pictures:
            print(json.dumps(plans, indent=2, ensure_ascii=False))
            return
        for plan, (path, _) in zip(plans, self.found.rasters, strict=True):
            (height, width), (high, wide) = plan["size"], plan["tile"]
            print(
                f"{path}: a raster of {width} x {height} pixels, in {plan['tiles']:,} tiles of {wide} x {high}; blocks in the "
                f"making take {plan['held'] / 1e6:,.0f} MB, decoded source up to 134 MB",
                file=sys.stderr if as_json else sys.stdout,
            )


def told(rasters: "Sequence[RasterSummary]") -> dict[str, Any]:
    """Give what ``--json`` prints of rasters besides what it prints of pictures; nothing where there are none."""
    return {"rasters": [one.to_json() for one in rasters]} if rasters else {}


def say(rasters: "Sequence[RasterSummary]") -> None:
    """Print a line for each raster; damaged blocks are told among what failed."""
    for one in rasters:
        print(str(one).partition("\n")[0])
