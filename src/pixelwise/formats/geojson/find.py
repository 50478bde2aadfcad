"""Find GeoJSON files, the pictures they belong to, and the world files of those."""

from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from pixelwise.core.errors import DataError, MissingFile
from pixelwise.core.image import read_size
from pixelwise.formats.folder import Listing, list_folder, natural
from pixelwise.formats.geojson.file import is_geojson
from pixelwise.formats.geojson.place import WORLD, find_place
from pixelwise.formats.names import stem_of
from pixelwise.formats.pictures import Pictures

LAYOUTS = (
    "a.tif + a.geojson (GeoTIFF or world file; or pixels, as QuPath exports them)",
    "pictures on the earth + one .geojson over all of them",
)
_LOOKED_AT = 3  # .json files that are opened, as most of those are something else


@dataclass(frozen=True)
class Pair:
    """A picture and its world file, relative to the root, and its GeoJSON file."""

    picture: PurePosixPath
    file: Path
    world: PurePosixPath | None


def find_layers(path: Path) -> tuple[Listing, list[Pair]]:
    """List the folder and pair its pictures with GeoJSON files; of ``path`` itself where that is a file.

    Raises:
        MissingFile: there is nothing at ``path``.
    """
    if path.is_file() and not is_geojson(path):
        return Listing(path.parent, (), (), (), ()), []
    listing = list_folder(path.parent if path.is_file() else path)
    files = [PurePosixPath(path.name)] if path.is_file() else _files(listing)
    worlds = {one.with_suffix("").as_posix().casefold(): one for one in listing.others if one.suffix.lower() in WORLD}
    pictures = Pictures(listing)
    found: dict[PurePosixPath, PurePosixPath] = {}
    for file in files:
        for picture in pictures.of_stem(stem_of(file.name), file)[:1] or pictures.of_stem(file.stem, file)[:1]:
            found.setdefault(picture, file)
    if not found and len(files) == 1:
        found = dict.fromkeys(_placed(listing, worlds), files[0])
    ordered = sorted(found.items(), key=lambda pair: natural(pair[0]))
    return listing, [Pair(picture, listing.root / file, _world_of(picture, worlds)) for picture, file in ordered]


def _files(listing: Listing) -> list[PurePosixPath]:
    """List the GeoJSON files: those called so, else the ``.json`` files that are."""
    named = [one for one in listing.others if one.suffix.lower() == ".geojson"]
    if named:
        return named
    plain = [one for one in listing.texts if one.suffix.lower() == ".json"]
    if not any(is_geojson(listing.root / one) for one in plain[:_LOOKED_AT]):
        return []
    return [one for one in plain if is_geojson(listing.root / one)]


def _placed(listing: Listing, worlds: dict[str, PurePosixPath]) -> list[PurePosixPath]:
    """List the pictures that one file of another name may go with: those on the earth, or the only one."""
    if len(listing.pictures) == 1:
        return list(listing.pictures)
    found = []
    for picture in listing.pictures:
        world = _world_of(picture, worlds)
        try:
            read_size(listing.root / picture)
            if find_place(listing.root / picture, None if world is None else listing.root / world) is not None:
                found.append(picture)
        except (DataError, MissingFile):
            continue
    return found


def _world_of(picture: PurePosixPath, worlds: dict[str, PurePosixPath]) -> PurePosixPath | None:
    """Find a picture's world file: ``a.tfw``, or ``a.tif.wld``."""
    return worlds.get(picture.with_suffix("").as_posix().casefold()) or worlds.get(picture.as_posix().casefold())
