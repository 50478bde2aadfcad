"""A small data set as a table of files: what a fuzzer starts from, changes and puts on the disk."""

import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias


@dataclass(frozen=True)
class Link:
    """A symbolic link."""

    target: str


Entry: TypeAlias = bytes | Link | None  # None is a folder
Tree: TypeAlias = Mapping[str, Entry]  # by path relative to the root
ALONE = "alone:"  # before the name of a file that is read without its folder


def tree_of(path: Path) -> dict[str, Entry]:
    """Take the files of a folder from the disk."""
    files = sorted(one for one in path.rglob("*") if one.is_file())
    return {one.relative_to(path).as_posix(): one.read_bytes() for one in files}


def put(tree: Tree, root: Path) -> Path:
    """Put a tree in the place of whatever is at ``root``, and give what is to be read: the root, or the one file.

    Entries that cannot be are left out, as no tool leaves them either.
    """
    clear(root)
    root.mkdir(parents=True)
    if name := alone(tree):
        content = tree[name]
        (root / name.removeprefix(ALONE)).write_bytes(content if isinstance(content, bytes) else b"")
        return root / name.removeprefix(ALONE)
    for name, entry in tree.items():
        path = root / name
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            if entry is None:
                path.mkdir()
            elif isinstance(entry, Link):
                path.symlink_to(entry.target)
            else:
                path.write_bytes(entry)
        except (OSError, ValueError):  # a file where a folder has to be, a NUL in a name
            continue
    return root


def alone(tree: Tree) -> str | None:
    """Give the key of the one file, if the tree is one that is read without its folder."""
    first = next(iter(tree), "")
    return first if first.startswith(ALONE) else None


def clear(root: Path) -> None:
    """Take away what is at ``root``."""
    if root.is_dir() and not root.is_symlink():
        shutil.rmtree(root)
    else:
        root.unlink(missing_ok=True)
