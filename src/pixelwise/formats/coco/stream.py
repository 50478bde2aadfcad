"""Write a file of COCO's form one image at a time: annotations, which come after the images, wait in a file of their own."""

import contextlib
import shutil
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, Any

import msgspec

from pixelwise.core.files import replacing


class Document:
    """A file that is being written."""

    def __init__(self, target: IO[bytes], waiting: IO[bytes], head: Mapping[str, Any], is_listing: bool) -> None:
        """Begin it with all that ``head`` holds."""
        self._target, self._waiting, self._is_listing = target, waiting, is_listing
        self._images = self._annotations = 0
        target.write(msgspec.json.encode(head)[:-1] + (b"," if head else b"") + b'"images":[')

    def put(self, image: Mapping[str, Any], annotations: Sequence[Mapping[str, Any]]) -> None:
        """Add an image and its annotations."""
        self._target.write(b"," * (self._images > 0) + msgspec.json.encode(image))
        self._images += 1
        for one in annotations:
            self._waiting.write(b"," * (self._annotations > 0) + msgspec.json.encode(one))
            self._annotations += 1

    def end(self) -> None:
        """Put the annotations after the images."""
        if self._is_listing:
            self._target.write(b"]}")
            return
        self._target.write(b'],"annotations":[')
        self._waiting.seek(0)
        shutil.copyfileobj(self._waiting, self._target, 2**20)
        self._target.write(b"]}")


class Items:
    """A list that is being written."""

    def __init__(self, target: IO[bytes]) -> None:
        """Begin it."""
        self._target, self._count = target, 0

    def put(self, item: Mapping[str, Any]) -> None:
        """Add an item."""
        self._target.write((b"," if self._count else b"[") + msgspec.json.encode(item))
        self._count += 1

    def end(self) -> None:
        """End it."""
        self._target.write(b"]" if self._count else b"[]")


@contextlib.contextmanager
def listed(path: Path) -> Iterator[Items]:
    """Write a file that is one list, as ``document`` writes one of COCO's form.

    Raises:
        StorageError: it cannot be written.
    """
    with replacing(path) as temporary, open(temporary, "wb") as target:
        begun = Items(target)
        yield begun
        begun.end()


@contextlib.contextmanager
def document(path: Path, head: Mapping[str, Any], *, is_listing: bool = False) -> Iterator[Document]:
    """Write a file, or with ``is_listing`` one of images alone; it is there whole once the block ends well, or not at all.

    Raises:
        StorageError: it cannot be written.
    """
    with (
        replacing(path) as temporary,  # it also words what the disk refuses
        open(temporary, "wb") as target,
        tempfile.TemporaryFile(dir=path.parent) as waiting,
    ):
        begun = Document(target, waiting, head, is_listing)
        yield begun
        begun.end()


class CaptionFiles:
    """Files of captions that are written side by side, one for each name; none where there are no captions to come."""

    def __init__(
        self,
        stack: contextlib.ExitStack,
        folder: Path,
        names: Iterable[str],
        heads: Iterable[Mapping[str, Any]],
        are_to_come: bool,
    ) -> None:
        """Begin them; they end with ``stack``."""
        places = [(folder / f"captions{name}.json", head) for name, head in zip(names, heads, strict=True) if are_to_come]
        self._files = [stack.enter_context(document(path, head)) for path, head in places]
        self._count = 0

    def put(self, homes: Sequence[int], image: Mapping[str, Any], lines: Sequence[str]) -> None:
        """Add an image's captions to the files numbered ``homes``."""
        named = list(enumerate(lines, start=self._count + 1))
        self._count += len(named)
        if named:
            for home in homes:
                self._files[home].put(image, [{"id": id_, "image_id": image["id"], "caption": one} for id_, one in named])
