"""Read XML label files element by element: in bounded memory, and without what makes XML dangerous.

Document types, entities and references to other files are refused; they have no place in label files.
"""

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
    try:
        with open(path, "rb") as file:
            parser = _parser(path)
            found: list[str] = []
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
    done: list[Element] = []
    builder: TreeBuilder | None = None
    depth = inside = 0

    def start(tag: str, attributes: dict[str, str]) -> None:
        nonlocal builder, depth, inside
        depth += 1
        if depth > _DEEPEST:
            raise UnreadableFile(f"{path}: elements are nested more than {_DEEPEST} deep, which no label file needs")
        if builder is None and tag in tags:
            builder, inside = TreeBuilder(), depth
        if builder is not None:
            builder.start(tag, attributes)

    def end(tag: str) -> None:
        nonlocal builder, depth
        if builder is not None:
            builder.end(tag)
            if depth == inside:
                done.append(builder.close())
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


def _parser(path: Path) -> expat.XMLParserType:
    parser = expat.ParserCreate()
    parser.buffer_text = True

    def refuse(*_: object) -> None:
        raise UnreadableFile(f"{path}: the XML declares a document type or an entity, which label files do not need; refused")

    parser.StartDoctypeDeclHandler = parser.EntityDeclHandler = refuse
    return parser


def _pieces(path: Path, most_bytes: int) -> Iterator[bytes]:
    """Read a file piece by piece; an empty piece ends it."""
    try:
        with open(path, "rb") as file:
            size = path.stat().st_size
            if not size:
                raise UnreadableFile(f"{path}: expected XML, found an empty file (0 bytes); copy it again")
            if size > most_bytes:
                raise UnreadableFile(f"{path}: {size:,} bytes; at most {most_bytes:,} are read as XML; divide the file")
            while piece := file.read(_PIECE):
                yield piece
            yield b""
    except FileNotFoundError:
        raise MissingFile(f"{path}: expected an XML file, found nothing there; check the path") from None
    except OSError as error:
        raise UnreadableFile(f"{path}: cannot be read: {error.strerror or error}") from None
