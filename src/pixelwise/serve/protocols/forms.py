"""The form an answer takes where a protocol leaves it to the ``Accept`` header."""

from pixelwise.serve.refusal import Refusal

BY_TYPE = {  # the form of each type of content; several forms are JSON, and the plainest one stands for it
    "application/json": "json",
    "application/geo+json": "geojson",
    "image/png": "ids",
}
BY_NAME = ("application/zip", "application/vnd.pixelwise.segmentation")  # types of forms that a field alone names
_MOST_TYPES = 20


def accepted_form(accept: str, usual: str) -> str:
    """Choose the form that an ``Accept`` header likes best; of equally liked ones ``usual`` first, then their order here.

    >>> accepted_form("image/png", "json"), accepted_form("text/html, */*;q=0.1", "json"), accepted_form("", "json")
    ('ids', 'json', 'json')

    Raises:
        Refusal: it takes no type that there is (406).
    """
    liked = _liked(accept or "*/*")
    order = sorted(BY_TYPE, key=lambda kind: BY_TYPE[kind] != usual)
    best = max(order, key=lambda kind: _quality(kind, liked))
    if _quality(best, liked) <= 0:
        raise Refusal(406, "not_acceptable", f"answers are {', '.join(BY_TYPE)}, and the Accept header takes none of them")
    return BY_TYPE[best]


def _liked(accept: str) -> dict[str, float]:
    found = {}
    for part in accept.split(",")[:_MOST_TYPES]:
        kind, *parameters = (word.strip().lower() for word in part.split(";"))
        stated = next((word[2:] for word in parameters if word.startswith("q=")), "1")
        try:
            found[kind] = float(stated)
        except ValueError:
            found[kind] = 0.0
    return found


def _quality(kind: str, liked: dict[str, float]) -> float:
    """Give how much a type is liked: by its own name, else by its family's, else as anything is."""
    family = kind.partition("/")[0] + "/*"
    return next((liked[name] for name in (kind, family, "*/*") if name in liked), 0.0)
