"""Find the COCO files of a folder, and which split each stands for.

Where a folder holds panoptic files with their PNGs too, those are meant, as they say more; a file of instances that is given
itself still is what is read. Captions go with whatever images they are of.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from pixelwise.core.errors import MissingFile
from pixelwise.formats.coco.form import Form, form_of, is_make_sense, maker_of, named_pngs
from pixelwise.formats.folder import Listing, list_folder
from pixelwise.formats.json_file import keys_of
from pixelwise.formats.names import place_of, split_of

LAYOUTS = (
    "annotations/instances_train2017.json (val …) + train2017/ or images/train2017/",
    "train/_annotations.coco.json beside its images (valid, test)",
    "one COCO .json beside or above its images",
    "annotations/captions_train2017.json, with instances or alone",
)
BARE = "image_info"  # how COCO calls lists of images without labels
_FOLDERS = ("annotations", "annotation", "labels", "anns", "ann", "json")
_PREFIXES = re.compile(
    r"^_?(instances?|annotations?|person_keypoints|stuff|coco|labels?|captions?|panoptic|image_info)([_.\-]coco)?"
    r"(?=[_.\-]|$)[_.\-]?"
)
_MOST_OTHERS = 64  # JSON files of another make that are looked into before the rest is taken for such


@dataclass(frozen=True)
class Found:
    """The COCO files of a folder, relative to it, those of captions, our lists of bare images, and what to call them."""

    listing: Listing
    files: tuple[PurePosixPath, ...]
    captions: tuple[PurePosixPath, ...]
    dialect: str
    bare: tuple[PurePosixPath, ...] = ()


def find_files(path: Path) -> Found | None:
    """Find the COCO files that ``path`` means: a folder, the folder of the annotations alone, or one file.

    Raises:
        MissingFile: there is nothing at ``path``.
    """
    path = Path(path)
    if not path.exists():
        raise MissingFile(f"{path}: expected a COCO file or folder, found nothing there; check the path")
    if not path.is_dir():
        return _of_file(path)
    listing, files = around(path)
    if panoptic_files(listing, files):
        return None
    chosen, captions = _chosen(listing.root, files), of_form(listing.root, files, "captions")
    bare = bare_files(listing.root, files, "pixelwise coco")
    if not (chosen or captions or bare):
        return None
    return Found(listing, chosen, captions, _dialect(listing.root, chosen or captions or bare), bare)


def around(path: Path) -> tuple[Listing, tuple[PurePosixPath, ...]]:
    """List a data set's folder and the JSON files in it that ``path``, that folder or its annotations alone, means."""
    listing = list_folder(path)
    files = _json_of(listing)
    if path.resolve().name.casefold() not in _FOLDERS or any(_is_photo(one) for one in listing.pictures):
        return listing, files
    if not any(form_of(path / one) is not None or _is_coco(path / one) for one in files[:_MOST_OTHERS]):
        return listing, files
    own = PurePosixPath(path.resolve().name)
    return list_folder(path.resolve().parent), tuple(own / one for one in files)


def _is_photo(picture: PurePosixPath) -> bool:
    """Tell pictures from the PNGs of panoptic files, which lie among the annotations."""
    return not any(part.casefold().startswith("panoptic") for part in picture.parent.parts)


def _json_of(listing: Listing) -> tuple[PurePosixPath, ...]:
    return tuple(one for one in listing.texts if one.suffix.lower() == ".json")


def _of_file(path: Path) -> Found | None:
    if path.suffix.lower() != ".json":
        return None
    is_captions = form_of(path) == "captions"
    if not (is_captions or _is_coco(path)):
        return None
    listing, file = around_file(path)
    if is_captions:
        return Found(listing, (), (file,), f"COCO's captions: {file.name}")
    return Found(listing, (file,), captions_beside(listing, file), _dialect(listing.root, (file,)))


def captions_beside(listing: Listing, file: PurePosixPath) -> tuple[PurePosixPath, ...]:
    """Find the captions of the images of one file: in its folder, of its split."""
    beside = [one for one in _json_of(listing) if one.parent == file.parent and "caption" in one.stem.casefold()]
    return of_form(listing.root, [one for one in beside if split_names([one]) == split_names([file])], "captions")


def around_file(path: Path) -> tuple[Listing, PurePosixPath]:
    """List the folder of the data set that a file belongs to; give also the file relative to it."""
    folder = path.resolve().parent
    root = folder.parent if folder.name.casefold() in _FOLDERS else folder
    return list_folder(root), PurePosixPath(path.resolve().relative_to(root).as_posix())


def _chosen(root: Path, candidates: Sequence[PurePosixPath]) -> tuple[PurePosixPath, ...]:
    """Choose among the JSON files; beside ``instances_*``, the others of a folder (key points, stuff) say the same again."""
    found, others = [], 0
    for one in sorted(candidates, key=lambda one: (_PREFIXES.search(one.stem.casefold()) is None, len(one.parts))):
        if others >= _MOST_OTHERS:
            break
        if _is_coco(root / one):
            found.append(one)
        else:
            others += 1
    with_instances = {one.parent for one in found if one.stem.casefold().startswith("instances")}
    kept = {one for one in found if one.parent not in with_instances or one.stem.casefold().startswith("instances")}
    return tuple(one for one in candidates if one in kept)


def of_form(root: Path, candidates: Sequence[PurePosixPath], form: Form) -> tuple[PurePosixPath, ...]:
    """Keep the files of one form, which is in their names or else in the first few of them."""
    named = [one for one in candidates if form in one.stem.casefold()]
    looked_at = {*named, *[one for one in candidates if one not in named][:_MOST_OTHERS]}
    return tuple(one for one in candidates if one in looked_at and form_of(root / one) == form)


def bare_files(root: Path, candidates: Sequence[PurePosixPath], maker: str) -> tuple[PurePosixPath, ...]:
    """Find the lists of images without labels that our writer ``maker`` made; those of others may have labels elsewhere."""
    named = [one for one in candidates if one.stem.startswith(BARE)]
    return tuple(one for one in named if form_of(root / one) == "info" and maker_of(root / one) == maker)


def panoptic_files(listing: Listing, candidates: Sequence[PurePosixPath] | None = None) -> tuple[PurePosixPath, ...]:
    """Find the panoptic files of a folder whose PNGs are there too; one that is broken counts by its name."""
    pngs = {one.name for one in listing.pictures if one.suffix.lower() == ".png"}
    if not pngs:
        return ()
    files = _json_of(listing) if candidates is None else candidates
    kept = {one for one in of_form(listing.root, files, "panoptic") if named_pngs(listing.root / one) & pngs}
    if any(not _is_photo(one) for one in listing.pictures):
        named = [one for one in files if one.stem.casefold().startswith("panoptic")]
        kept |= {one for one in named if keys_of(listing.root / one) is None}
    return tuple(one for one in files if one in kept)


def _is_coco(path: Path) -> bool:
    """Tell a COCO file by what is in it; one by its name counts even if it is broken, so that reading says what is wrong."""
    stem = path.stem.casefold()
    form = form_of(path)
    if form in (None, "info", "labels"):
        return (stem.startswith("instances") and not stem.endswith("_results")) or stem == "_annotations.coco"
    return form in ("instances", "boxes")


def _dialect(root: Path, files: Sequence[PurePosixPath]) -> str:
    if all(one.name.casefold() == "_annotations.coco.json" for one in files):
        return "Roboflow's COCO: _annotations.coco.json in the folder of its images"
    shown = f"{', '.join(str(one) for one in files[:3])}{' …' if len(files) > 3 else ''}"
    if all(form_of(root / one) == "captions" for one in files):
        return f"COCO's captions: {shown}"
    if all(is_make_sense(root / one) for one in files):
        return f"Make Sense's COCO: {shown}"
    return f"COCO: {shown}"


def split_names(files: Sequence[PurePosixPath]) -> list[str | None]:
    """Name the split of each file: by a word for one in its name, else in its folders', else by what its name alone says.

    >>> split_names([PurePosixPath("annotations/instances_train2017.json"), PurePosixPath("valid/_annotations.coco.json")])
    ['train', 'val']
    >>> split_names([PurePosixPath("a/instances_default.json")])
    [None]
    """
    known = [split_of(re.sub(r"\d+", " ", one.stem)) or place_of(one.parent).split or _folder_split(one) for one in files]
    rests = [rest_of(one) or None for one in files]
    if len(files) > 1 and not any(known) and len(set(rests)) == len(rests):
        return rests
    return known


def rest_of(file: PurePosixPath) -> str:
    """Give a file's name without the word for what it holds.

    >>> rest_of(PurePosixPath("annotations/instances_val2017.json")), rest_of(PurePosixPath("instances_val2017_results.json"))
    ('val2017', 'val2017')
    """
    return _PREFIXES.sub("", file.stem.casefold().removesuffix("_results"))


def _folder_split(path: PurePosixPath) -> str | None:
    """Read the split off a folder called after one and a year: ``train2017``."""
    found = [split_of(re.sub(r"\d+", " ", part)) for part in reversed(path.parent.parts)]
    return next((one for one in found if one), None)


def rank_of(file: PurePosixPath, split: str | None) -> Callable[[PurePosixPath], tuple[bool, bool]]:
    """Rank pictures for a file: first those in a folder of the file's own name, then those in a folder of its split."""
    rest = rest_of(file)

    def rank(one: PurePosixPath) -> tuple[bool, bool]:
        of_split = split is not None and split in (place_of(one.parent).split, _folder_split(one))
        return rest not in [part.casefold() for part in one.parent.parts], not of_split

    return rank
