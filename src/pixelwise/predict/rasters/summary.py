"""What became of a raster."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pixelwise.core.arrays import Size


@dataclass(frozen=True)
class RasterSummary:
    """What became of a raster.

    Attributes:
        source: the raster.
        raster: the GeoTIFF of ids.
        vectors: the file of polygons, if one was wanted, and ``polygons`` how many rows it has.
        size: (H, W).
        segments: how many classes or objects were found.
        lost: the damaged blocks of the source, which are void in the result: a sentence each.
        kept: the share of the pixels that an earlier run had done.
        notes: what else to know.
        entry: what ``segments.json`` says of it.
    """

    source: Path
    raster: Path
    vectors: Path | None
    polygons: int
    size: Size
    segments: int
    lost: tuple[str, ...]
    kept: float
    notes: tuple[str, ...]
    entry: dict[str, Any]

    def to_json(self) -> dict[str, Any]:
        """Write as plain JSON values."""
        return {
            "source": str(self.source),
            "raster": str(self.raster),
            "vectors": None if self.vectors is None else str(self.vectors),
            "polygons": self.polygons,
            "size": list(self.size),
            "segments": self.segments,
            "lost": list(self.lost),
            "kept": round(self.kept, 4),
            "notes": list(self.notes),
        }

    def __str__(self) -> str:
        """Say it in one line, and one more for each damaged block."""
        kept = f" ({self.kept:.0%} of it done before)" if self.kept else ""
        drawn = "" if self.vectors is None else f", {self.polygons:,} polygons -> {self.vectors}"
        line = f"{self.source}: {self.size[1]} x {self.size[0]} pixels{kept}, {self.segments} segments -> {self.raster}{drawn}"
        return "\n".join([line, *(f"damaged: {one}" for one in self.lost)])
