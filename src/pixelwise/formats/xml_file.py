"""Read XML label files element by element: in bounded memory, and without what makes XML dangerous.

Document types, entities and references to other files are refused; they have no place in label files.
"""

import contextlib
from collections.abc import Iterator
from pathlib import Path
from xml.etree.ElementTree import Element, TreeBuilder
from xml.parsers import expat

from pixelwise.core.errors import MissingFile, UnreadableFile

MOST_BYTES = 4 * 2**30
_DEEPEST = 64
_PIECE = 2**20


def root_tag(path: Path) -> str | None:
    """Give the name of the outermost element; None for what is no XML."""
    found: list[str] = []
    try:
        with open(path, "rb") as file:
            parser = _parser(path)
            parser.StartElementHandler = lambda tag, _: found.append(tag)
            parser.Parse(file.read(65536), False)
    except (OSError, expat.ExpatError, UnreadableFile, ValueError, LookupError):
        pass  # cut in the middle, or no XML at all: what was found before that counts
    return found[0] if found else None


def elements(path: Path, tags: frozenset[str], most_bytes: int = MOST_BYTES) -> Iterator[Element]:
    """Give each whole element called one of ``tags``, in the order in which they end; those within another are part of it.

    Only one of them is held at a time.

    Raises:
        MissingFile: there is no such file.
        UnreadableFile: it is empty, cut off, too large, nested too deep, no XML, or has a document type.
    """
    return (element for element, _ in placed(path, tags, most_bytes))


def placed(path: Path, tags: frozenset[str], most_bytes: int = MOST_BYTES) -> Iterator[tuple[Element, int]]:
    """Give each whole element as ``elements`` does, and the byte of the file at which it begins, for ``element_at``.

    Raises:
        MissingFile, UnreadableFile: as ``elements``.
    """
    done: list[tuple[Element, int]] = []
    builder: TreeBuilder | None = None
    depth = inside = begin = 0

    def start(tag: str, attributes: dict[str, str]) -> None:
        nonlocal builder, depth, inside, begin
        depth += 1
        if depth > _DEEPEST:
            raise UnreadableFile(f"{path}: elements are nested more than {_DEEPEST} deep, which no label file needs")
        if builder is None and tag in tags:
            builder, inside, begin = TreeBuilder(), depth, parser.CurrentByteIndex
        if builder is not None:
            builder.start(tag, attributes)

    def end(tag: str) -> None:
        nonlocal builder, depth
        if builder is not None:
            builder.end(tag)
            if depth == inside:
                done.append((builder.close(), begin))
                builder = None
        depth -= 1

    def text(data: str) -> None:
        if builder is not None:
            builder.data(data)

    parser = _parser(path)
    parser.StartElementHandler, parser.EndElementHandler, parser.CharacterDataHandler = start, end, text
    for piece in _pieces(path, most_bytes):
        try:
            parser.Parse(piece, not piece)
        except UnreadableFile:
            raise
        except (expat.ExpatError, ValueError, LookupError) as error:
            raise UnreadableFile(f"{path}: expected XML, but {error}; copy or export the file again") from None
        yield from done
        done.clear()


def element_at(path: Path, begin: int) -> Element:
    """Read again the one element that begins at the byte ``begin``, as ``placed`` gave it.

    Raises:
        MissingFile: there is no such file any more.
        UnreadableFile: no whole element begins there: the file has changed.
    """
    found: list[Element] = []
    builder = TreeBuilder()
    depth = 0

    def start(tag: str, attributes: dict[str, str]) -> None:
        nonlocal depth
        depth += 1
        if depth > _DEEPEST:
            raise UnreadableFile(f"{path}: elements are nested more than {_DEEPEST} deep; has the file changed?")
        builder.start(tag, attributes)

    def end(tag: str) -> None:
        nonlocal depth
        builder.end(tag)
        depth -= 1
        if depth == 0:
            found.append(builder.close())
            raise _Whole

    parser = _parser(path, _encoding(path))
    parser.StartElementHandler, parser.EndElementHandler, parser.CharacterDataHandler = start, end, builder.data
    try:
        for piece in _pieces(path, MOST_BYTES, begin):
            parser.Parse(piece, not piece)
    except _Whole:
        return found[0]
    except (expat.ExpatError, ValueError, LookupError) as error:
        raise UnreadableFile(f"{path}: expected an element at byte {begin}, but {error}; has the file changed?") from None
    raise UnreadableFile(f"{path}: expected an element at byte {begin}, found none; has the file changed?")


class _Whole(Exception):
    """The element that was asked for is read."""


def _encoding(path: Path) -> str | None:
    """Give the encoding that the file declares; a piece from its middle does not."""
    found: list[str | None] = []
    head = next(_pieces(path, MOST_BYTES))[:1024]
    for mark, name in ((b"\xff\xfe", "UTF-16LE"), (b"\xfe\xff", "UTF-16BE")):
        if head.startswith(mark):
            return name
    parser = _parser(path)
    parser.XmlDeclHandler = lambda version, encoding, standalone: found.append(encoding)
    with contextlib.suppress(expat.ExpatError, UnreadableFile, ValueError, LookupError):  # told where the element is read
        parser.Parse(head, False)
    return found[0] if found else None


def _parser(path: Path, encoding: str | None = None) -> expat.XMLParserType:
    parser = expat.ParserCreate(encoding)
    parser.buffer_text = True

    def refuse(*_: object) -> None:
        raise UnreadableFile(f"{path}: the XML declares a document type or an entity, which label files do not need; refused")

    parser.StartDoctypeDeclHandler = parser.EntityDeclHandler = refuse
    return parser


def _pieces(path: Path, most_bytes: int, begin: int = 0) -> Iterator[bytes]:
    """Read a file piece by piece from the byte ``begin`` on; an empty piece ends it."""
    try:
        with open(path, "rb") as file:
            size = path.stat().st_size
            if not size:
                raise UnreadableFile(f"{path}: expected XML, found an empty file (0 bytes); copy it again")
            if size > most_bytes:
                raise UnreadableFile(f"{path}: {size:,} bytes; at most {most_bytes:,} are read as XML; divide the file")
            file.seek(begin)
            while piece := file.read(_PIECE):
                yield piece
            yield b""
    except FileNotFoundError:
        raise MissingFile(f"{path}: expected an XML file, found nothing there; check the path") from None
    except OSError as error:
        raise UnreadableFile(f"{path}: cannot be read: {error.strerror or error}") from None
