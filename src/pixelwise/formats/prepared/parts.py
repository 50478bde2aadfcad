"""What a prepared set is made of: its marker, its files, and the parts of a sample for each kind of truth."""

from pathlib import Path
from types import MappingProxyType

from pixelwise.core.errors import UnreadableFile
from pixelwise.core.segmentation import Kind

FORMAT = "pixelwise prepared 1"
MARKER = "prepared.json"
SAMPLES = "samples.json"
SEGMENTS = "segments.jsonl"

PARTS: MappingProxyType[Kind, tuple[str, ...]] = MappingProxyType(  # what each kind of truth has, fullest first
    {
        "semantic": ("semantic",),
        "instance": ("segments", "panoptic", "semantic"),
        "panoptic": ("segments", "panoptic", "semantic"),
        "multilabel": ("segments",),
        "regions": ("segments", "panoptic"),
    }
)


def part_of(root: Path, part: str, name: str) -> Path:
    """Give the file that holds a part of a sample; segments of all samples are in one file."""
    return root / SEGMENTS if part == "segments" else root / part / f"{name}.png"


def is_prepared(root: Path) -> bool:
    """Tell whether a folder has our marker; other formats leave such a folder alone."""
    return (root / MARKER).is_file() and not (root / MARKER).is_symlink()


def refuse_link(path: Path) -> None:
    """Refuse a link, which may lead anywhere.

    Raises:
        UnreadableFile: the file, or the folder it is in, is one.
    """
    if path.is_symlink() or path.parent.is_symlink():
        raise UnreadableFile(f"{path}: expected a file of the set, found a link; prepare the set again")
