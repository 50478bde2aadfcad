"""Write the files of a data set of COCO's family side by side: for each split its labels, its captions, its bare images.

Images without labels are listed in ``image_info_<split>.json``, as COCO lists those of its test set: among the labelled ones
they would be images on which nothing is.
"""

import contextlib
from dataclasses import replace

from pixelwise.core.sample import Dataset
from pixelwise.formats.coco.entries import Numbers, category_ids, category_list, files_of, homes_of, mark
from pixelwise.formats.coco.find import BARE
from pixelwise.formats.coco.stream import CaptionFiles, Document, document
from pixelwise.formats.writing import Stage, Work, Written


def write_documents(dataset: Dataset, stage: Stage, work: Work, form: str, what: str, *, have_ids: bool = True) -> Written:
    """Write the samples, then ``annotations/<what>_<split>.json`` and what stands beside it; give what was written.

    Entries are never held all at once, only their numbers are.

    Args:
        dataset: the data set.
        stage: where to.
        work: writes a sample, and gives its ``image``, its ``annotations`` (None where it has no labels), its ``captions``.
        form: what the files say of themselves.
        what: the first word of the files of labels.
        have_ids: annotations have an ``id``; else an image has one at most, and none is needed.
    """
    numbers = Numbers(stage.each(dataset, work))
    files, folder = files_of(dataset), stage.folder / "annotations"
    categories = category_list(dataset.labels, category_ids(dataset.labels))
    heads = [{"info": mark(dataset, form, tail[1:]), "licenses": []} for tail in files]
    full = [{**head, "categories": categories} for head in heads]
    homes = homes_of(files.values(), len(dataset))
    with_bare = {home for row in numbers.bare for home in homes[row]}
    are_listed = numbers.truths > 0 or not (numbers.bare or numbers.captions)
    with contextlib.ExitStack() as stack:

        def opened(word: str, home: int, tail: str, *, is_listing: bool = False) -> Document:
            return stack.enter_context(document(folder / f"{word}{tail}.json", full[home], is_listing=is_listing))

        labelled = {home: opened(what, home, tail) for home, tail in enumerate(files) if are_listed}
        bare = {home: opened(BARE, home, tail, is_listing=True) for home, tail in enumerate(files) if home in with_bare}
        captions = CaptionFiles(stack, folder, files, heads, numbers.captions > 0)
        for row, entry in enumerate(stage.each(dataset, work)):  # the journal once more: nothing is written again
            if entry is None:
                continue
            image, annotations = numbers.numbered(row, entry, have_ids=have_ids)
            captions.put(homes[row], image, entry["captions"])
            for home in homes[row]:
                (bare if entry["annotations"] is None else labelled)[home].put(image, annotations)
    written = stage.written
    return replace(written, dropped=(*written.dropped, *numbers.told(dataset.name))) if have_ids else written
