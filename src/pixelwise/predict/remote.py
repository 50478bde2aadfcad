"""A model on a server as a predictor: images go there, segmentations come back exactly as the model gave them.

Images are sent without loss, and segmentations come in the form of ``pixelwise.core.packed``; so the result equals that of the
model loaded here, but for images that the server cuts into tiles because they are too large for it in one pass.
"""

import io
import json
import os
import threading
import urllib.parse
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np

from pixelwise import __version__
from pixelwise.core.card import Card
from pixelwise.core.errors import DataError, OptionError, PixelwiseError, TooLarge, TransferError, UnknownName, UnreadableFile
from pixelwise.core.image import GREY, RGB, Image, as_image
from pixelwise.core.packed import unpack
from pixelwise.core.png import encode_photo
from pixelwise.core.predictor import PLAIN, Request
from pixelwise.core.prompt import Prompt
from pixelwise.core.segmentation import Segmentation
from pixelwise.core.streaming import Streaming
from pixelwise.predict.remote_http import Address, Connections, Patience, Reply

FORMAT = "pixelwise served 1"
TOKEN = "PIXELWISE_TOKEN"
_CARD_SECONDS = 5.0  # a server that is not there is told at once; one that starts is waited for
_LONGEST_QUERY = 4096


@dataclass(frozen=True)
class RemoteOptions:
    """How a server is asked.

    Attributes:
        timeout: seconds for one try, from its first byte to its last.
        patience: seconds after which no further try is begun for an image.
        at_once: images under way.
        most_bytes: of an answer.
    """

    timeout: float = 60.0
    patience: float = 120.0
    at_once: int = 4
    most_bytes: int = 2**30

    def __post_init__(self) -> None:
        if not (self.timeout > 0 and self.patience >= 0 and self.at_once >= 1 and self.most_bytes >= 1):
            raise OptionError(f"expected a timeout, a patience, images at once and bytes above 0, got {self}")


class Remote(Streaming):
    """A model that a Pixelwise server has; a ``Predictor``. Threads may share it."""

    def __init__(self, address: str, options: RemoteOptions | None = None) -> None:
        """Ask the server what the model is; the environment variable PIXELWISE_TOKEN holds the token, if it wants one.

        Args:
            address: ``http://host:port/models/x``, with ``/versions/2`` for one of several versions; without a model, the
                server's first one.
            options: times and bounds.

        Raises:
            OptionError: it is no address, or the token is none.
            TransferError: no Pixelwise server answers there, or it does not take the token.
            UnknownName: it has no such model or version.
        """
        self.address, self.options = Address.read(address), options or RemoteOptions()
        self._connections = Connections(self.address, self.options.timeout, self.options.most_bytes)
        self._headers = {"User-Agent": f"pixelwise/{__version__}", "Accept-Encoding": "identity", **_token()}
        reply = Patience(min(_CARD_SECONDS, self.options.patience)).tried(
            lambda: self._connections.ask("GET", self.address.target("card"), None, self._headers), str(self.address)
        )
        self._about = _checked(self._good(reply), str(self.address))
        self._card = Card.from_json(self._about["card"], str(self.address))

    @property
    def card(self) -> Card:
        """What the model is, as the server says."""
        return self._card

    @property
    def version(self) -> str:
        """The version of the model that the card is of."""
        return str(self._about["version"])

    def fingerprint(self) -> str:
        """Sum up the model as the server does: its results are the same here, there and at another address."""
        return str(self._about["fingerprint"])

    def close(self) -> None:
        """Close the connections that are kept."""
        self._connections.close()

    def __call__(self, images: Sequence[Image], request: Request = PLAIN) -> list[Segmentation]:
        """Segment each image, several at once.

        Raises:
            OptionError: the model cannot do what is requested.
            TooLarge: an image has more pixels than the server takes.
            TransferError: the server does not answer, has another version meanwhile, or gives no segmentation.
        """
        self._check(request)
        given = [as_image(image) for image in images]
        if request.prompts and len(request.prompts) != len(given) and given:
            raise OptionError(f"expected prompts of each of {len(given)} images, got those of {len(request.prompts)}")
        rows = [(image, request.prompts[row] if request.prompts else ()) for row, image in enumerate(given)]
        over = threading.Event()
        if len(rows) < 2 or self.options.at_once == 1:
            return [self._one(image, prompts, request, over) for image, prompts in rows]
        with ThreadPoolExecutor(min(self.options.at_once, len(rows)), "remote") as pool:
            begun = [pool.submit(self._one, image, prompts, request, over) for image, prompts in rows]
            try:
                return [one.result() for one in begun]
            except KeyboardInterrupt:
                self._connections.cut()
                raise
            finally:
                over.set()  # after an error or an interruption: pauses end, and what has not begun does not begin
                pool.shutdown(wait=False, cancel_futures=True)

    def _check(self, request: Request) -> None:
        takes, name = self._about["takes"], self._card.name
        if request.probabilities and not self._card.gives_probabilities:
            raise OptionError(f"'{name}' on {self.address} gives no probabilities")
        if request.threshold is not None and not takes.get("threshold"):
            raise OptionError(f"'{name}' on {self.address} takes no threshold")
        if request.prompts and not takes.get("prompts"):
            raise OptionError(f"'{name}' on {self.address} takes no prompts")

    def _one(self, image: Image, prompts: tuple[Prompt, ...], request: Request, over: threading.Event) -> Segmentation:
        kind, body = encoded(image)
        fields = _fields(image, prompts, request)
        if len(query := urllib.parse.urlencode(fields)) > _LONGEST_QUERY:
            kind, body = _as_form(fields, body)
            query = ""
        target = self.address.target("predict") + ("?" + query if query else "")
        headers = {**self._headers, "Content-Type": kind}
        patience = Patience(self.options.patience, sleep=over.wait)
        reply = patience.tried(lambda: self._connections.ask("POST", target, body, headers), str(self.address))
        return self._understood(self._good(reply), image, bool(prompts))

    def _understood(self, content: bytes, image: Image, is_prompted: bool) -> Segmentation:
        try:
            found, about = unpack(content, image.size, str(self.address))
        except DataError as error:
            raise TransferError(str(error)) from None
        if about.get("version") != self.version or about.get("model") != self._about["model"]:
            raise TransferError(
                f"{self.address}: the model was version '{self.version}' when it was loaded, and the server now answers with "
                f"'{str(about.get('version'))[:100]}'; load it again"
            )
        if found.kind != self._card.kind or not (is_prompted or found.labels.same_classes(self._card.labels)):
            raise TransferError(f"{self.address}: the answer has another kind or other classes than the model's card says")
        return found

    def _good(self, reply: Reply) -> bytes:
        """Give the body of a good answer, and say in our own errors what another one is."""
        if reply.status == 200:
            return reply.body
        code, said = _said(reply)
        message = f"{self.address}: {said or f'the server answers {reply.status}; is it a Pixelwise server?'}"
        kinds: dict[int, type[PixelwiseError]] = {
            400: OptionError,
            404: UnknownName,
            413: TooLarge,
            415: UnreadableFile,
            422: OptionError,
        }
        if reply.status in (401, 403):
            what = f"does not take the token in {TOKEN}" if "Authorization" in self._headers else f"wants a token: set {TOKEN}"
            raise TransferError(f"{self.address}: the server {what}")
        if 300 <= reply.status < 400:
            raise TransferError(
                f"{self.address}: the server leads elsewhere, which is not followed; give the address it leads to"
            )
        if not code:
            raise TransferError(message)
        if reply.status == 413:
            message += "; lay pw.Tiled around the loaded model"
        raise (UnreadableFile if code == "not_decodable" else kinds.get(reply.status, TransferError))(message)


def encoded(image: Image) -> tuple[str, bytes]:
    """Give an image without loss as a file, and its type: PNG where that holds it, else TIFF.

    Raises:
        DataError: it has no pixels.
    """
    pixels = image.pixels
    if not pixels.size:
        raise DataError(f"expected an image with pixels, got one of {image.size[0]} x {image.size[1]}")
    if pixels.dtype != np.float32 and pixels.shape[2] in (1, 3):
        return "image/png", encode_photo(pixels)
    import tifffile  # on first use: most images are PNG

    extra = {"extrasamples": ("unspecified",) * (pixels.shape[2] - 1)} if pixels.shape[2] not in (1, 3) else {}
    file = io.BytesIO()
    form = "rgb" if pixels.shape[2] == 3 else "minisblack"
    stored = pixels[:, :, 0] if pixels.shape[2] == 1 else pixels
    tifffile.imwrite(
        file, np.ascontiguousarray(stored), photometric=form, planarconfig=None if stored.ndim == 2 else "contig", **extra
    )
    return "image/tiff", file.getvalue()


def _fields(image: Image, prompts: tuple[Prompt, ...], request: Request) -> dict[str, str]:
    fields = {"forms": "segmentation"}
    if request.probabilities:
        fields["probabilities"] = "true"
    if request.threshold is not None:
        fields["threshold"] = repr(request.threshold)
    if prompts:
        fields["prompts"] = json.dumps([one.to_json() for one in prompts])
    if image.bands not in (RGB, GREY):
        fields["bands"] = json.dumps(list(image.bands))
    return fields


def _as_form(fields: dict[str, str], image: bytes) -> tuple[str, bytes]:
    """Put fields that are too long for an address, and the image, into one form."""
    mark = os.urandom(16).hex()
    parts = [
        f'--{mark}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'.encode()
        for name, value in fields.items()
    ]
    head = f'--{mark}\r\nContent-Disposition: form-data; name="image"; filename="image"\r\n\r\n'.encode()
    return f"multipart/form-data; boundary={mark}", b"".join([*parts, head, image, f"\r\n--{mark}--\r\n".encode()])


def _token() -> dict[str, str]:
    token = os.environ.get(TOKEN, "").strip()
    if not token:
        return {}
    if not (token.isascii() and token.isprintable() and " " not in token):
        raise OptionError(f"{TOKEN}: expected a token of plain letters without spaces; copy it again")
    return {"Authorization": f"Bearer {token}"}


def _checked(body: bytes, where: str) -> dict[str, Any]:
    try:
        about = json.loads(body)
    except (ValueError, RecursionError):
        about = None
    if not isinstance(about, dict) or about.get("format") != FORMAT:
        said = str(about.get("format"))[:60] if isinstance(about, dict) else "something else"
        raise TransferError(
            f"{where}: expected a model of a Pixelwise server ({FORMAT!r}), got {said!r}; is its version another?"
        )
    texts = all(isinstance(about.get(name), str) for name in ("model", "version", "fingerprint"))
    if not (texts and isinstance(about.get("card"), dict) and isinstance(about.get("takes"), dict)):
        raise TransferError(f"{where}: the server's description of the model lacks a part")
    return about


def _said(reply: Reply) -> tuple[str, str]:
    """Read code and sentence of a refusal; empty ones where the answer is no refusal of a Pixelwise server."""
    try:
        error = json.loads(reply.body)["error"]
        code, message = str(error["code"])[:100], str(error["message"])[:500]
    except (ValueError, TypeError, KeyError, RecursionError):
        return "", ""
    return code, "".join(one if one.isprintable() else " " for one in message)
