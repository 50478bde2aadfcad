"""What is asked of an export, and what became of it."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pixelwise.core.arrays import Size
from pixelwise.core.errors import OptionError, nearest
from pixelwise.export.bounds import Bounds, bounds_of
from pixelwise.export.parity import Parity


@dataclass(frozen=True)
class Wanted:
    """What kind of file is wanted.

    Attributes:
        precision: ``fp32``, ``fp16``, ``bf16`` or ``int8``.
        probabilities: whether the file gives those of all classes, which blending, flips and calibration need.
        values: what the file takes: ``uint8``, or ``float32`` for images of more than 8 bits.
        size: the only (H, W) it takes; None for any.
        batch: the only number of images it takes; None for any.
        opset: of ONNX; None for the exporter's usual one.
        keep: layers that stay in 32 bits when the others get 8, by name or pattern.
        name: of the files, without their endings.
        bounds: of the proof; None for those usual for the precision.
    """

    precision: str = "fp32"
    probabilities: bool = False
    values: str = "uint8"
    size: Size | None = None
    batch: int | None = None
    opset: int | None = None
    keep: tuple[str, ...] = ()
    name: str = "model"
    bounds: Bounds | None = None

    def __post_init__(self) -> None:
        bounds_of(self.precision)
        if self.values not in ("uint8", "float32"):
            raise OptionError(f"--input {self.values}: {nearest(self.values, ['uint8', 'float32'])}")
        if not self.name or Path(self.name).name != self.name or self.name.startswith("."):
            raise OptionError(f"--name {self.name!r}: expected a file's name without its folder and ending")
        if self.size is not None and min(self.size) < 1:
            raise OptionError(f"--size: expected sides of at least 1 pixel, got {self.size[0]} x {self.size[1]}")
        if self.keep and self.precision != "int8":
            raise OptionError(f"--keep names layers that stay in 32 bits in int8; the precision is {self.precision}")


@dataclass(frozen=True)
class Exported:
    """What became of one target.

    Attributes:
        target: its name.
        path: of the file or folder; None if it failed.
        bytes: it takes with all that belongs to it.
        parity: the proof; None where it did not come to that.
        problem: why it failed, in a sentence; empty if it did not.
        evidence: the folder that shows why the proof failed.
    """

    target: str
    path: Path | None = None
    bytes: int = 0
    parity: Parity | None = None
    problem: str = ""
    evidence: Path | None = None

    def to_json(self) -> dict[str, Any]:
        """Write as plain JSON values."""
        return {
            "target": self.target,
            "path": None if self.path is None else str(self.path),
            "bytes": self.bytes,
            "problem": self.problem,
            "evidence": None if self.evidence is None else str(self.evidence),
            "parity": None if self.parity is None else self.parity.to_json(),
        }
