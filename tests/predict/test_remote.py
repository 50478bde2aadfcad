"""A model on a server gives what it gives here, bit for bit; and whatever the server does, the client says what is wrong."""

import socket
import struct
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import PIL.Image
import pytest
from served_here import Here, reply, served

import pixelwise as pw
from pixelwise.core.card import Card
from pixelwise.core.errors import OptionError, TooLarge, TransferError, UnknownName
from pixelwise.core.image import Image
from pixelwise.core.labels import LabelSet
from pixelwise.core.packed import pack
from pixelwise.core.predictor import PLAIN, Predictor, Request
from pixelwise.core.prompt import Prompt
from pixelwise.core.segmentation import Segmentation
from pixelwise.core.streaming import Streaming
from pixelwise.methods.predictor import Method
from pixelwise.predict import remote_http
from pixelwise.predict.divided import Divided
from pixelwise.predict.fingerprint import fingerprint
from pixelwise.predict.folder import predict
from pixelwise.predict.limited import Limited
from pixelwise.predict.remote import Remote, RemoteOptions, encoded
from pixelwise.predict.remote_http import Unreachable
from pixelwise.serve.models import Models, Served

LABELS = LabelSet.of(["dark", "bright"])
LEAF = LabelSet.of(["leaf"], things=["leaf"])
FOUR = ("red", "green", "blue", "nir")
QUICK = RemoteOptions(timeout=5, patience=0)


class Levels:
    """Two classes by the brightness of the last band, with probabilities; it tells the bands it wants apart by their names."""

    def __init__(self, bands: tuple[str, ...] = ("red", "green", "blue")) -> None:
        self.card = Card(
            "levels", "semantic", LABELS, bands, (0.5,) * len(bands), (0.5,) * len(bands), gives_probabilities=True
        )

    def __call__(self, images: Sequence[Image], request: Request = PLAIN) -> list[Segmentation]:
        if request.prompts:
            raise OptionError("no prompts here")
        return [self._one(image.to_bands(self.card.bands), request) for image in images]

    def _one(self, image: Image, request: Request) -> Segmentation:
        bright = image.unit()[:, :, -1]
        spread = np.stack([1 - bright, bright]).astype(np.float32)
        chosen = (bright > (request.threshold or 0.5)).astype(np.uint8)
        return Segmentation.from_class_map(chosen, LABELS, np.array([0.1, 1 / 3]), spread if request.probabilities else None)


class Objects:
    """Objects that overlap, one for each point that is given, with scores that no text of few digits holds."""

    card = Card("objects", "instance", LEAF)

    def __call__(self, images: Sequence[Image], request: Request = PLAIN) -> list[Segmentation]:
        if request.probabilities or request.threshold is not None:
            raise OptionError("neither probabilities nor a threshold here")
        return [self._one(image, request.prompts[row] if request.prompts else ()) for row, image in enumerate(images)]

    def _one(self, image: Image, prompts: tuple[Prompt, ...]) -> Segmentation:
        count = len(prompts) or int(image.pixels[0, 0, 0]) % 4
        masks = np.zeros((count, *image.size), bool)
        for index in range(count):
            masks[index, : index + 2, : 2 * index + 2] = True
        attributes = [{"sure": np.float32(0.5)}] * count
        return Segmentation.from_masks("instance", masks, [0] * count, LEAF, scores=np.arange(count) / 7, attributes=attributes)


def photo(seed: int, size: tuple[int, int] = (20, 31), bands: int = 3, dtype: str = "uint8") -> Image:
    rng = np.random.default_rng(seed)
    pixels = rng.random((*size, bands), np.float32)
    if dtype != "float32":
        pixels = (pixels * np.iinfo(dtype).max).astype(dtype)
    return Image(pixels, {1: ("grey",), 3: ("red", "green", "blue"), 4: FOUR}[bands])


IMAGES = [photo(0), photo(1, (7, 9)), photo(2), photo(3, bands=1), photo(4, dtype="uint16"), photo(5, bands=1, dtype="uint16")]
IMAGES += [photo(6, dtype="float32"), photo(7, bands=1, dtype="float32"), photo(8, (1, 1)), photo(9, (300, 400))]


@pytest.fixture(scope="module")
def server() -> Iterator[Here]:
    with served(levels=Levels(), objects=Objects(), otsu=Method("otsu"), four=Levels(FOUR), grabcut=Method("grabcut")) as here:
        yield here


@pytest.fixture
def here(server: Here) -> Here:
    server.faults.clear()
    server.asked.clear()
    server.token = None
    server.models = Models(one for one in server.models.all() if one.version == "1")
    return server


def remote(here: Here, model: str = "levels", options: RemoteOptions = QUICK) -> Remote:
    return Remote(f"{here.address}/models/{model}", options)


def same(found: Segmentation, expected: Segmentation) -> bool:
    scores = found.scores is expected.scores or bool(np.array_equal(found.scores, expected.scores))  # type: ignore[arg-type]
    return found == expected and scores and found.labels == expected.labels and found.notes == expected.notes


@pytest.mark.parametrize("local", [Levels(), Objects(), Method("otsu")], ids=["levels", "objects", "otsu"])
def test_a_remote_model_gives_what_it_gives_here(here: Here, local: Predictor) -> None:
    there = remote(here, local.card.name)
    assert isinstance(there, pw.Predictor)
    assert (there.card.kind, there.card.labels, there.version) == (local.card.kind, local.card.labels, "1")
    for found, expected in zip(there(IMAGES), local(IMAGES), strict=True):
        assert same(found, expected)
    assert there([]) == []


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
def test_bands_keep_their_names_and_depth(here: Here, dtype: str) -> None:
    image = photo(11, bands=4, dtype=dtype)
    assert same(remote(here, "four")([image])[0], Levels(FOUR)([image])[0])


def test_probabilities_come_bit_for_bit_and_only_where_the_model_has_them(here: Here) -> None:
    wanted = Request(probabilities=True, threshold=0.25)
    for found, expected in zip(remote(here)(IMAGES[:3], wanted), Levels()(IMAGES[:3], wanted), strict=True):
        assert found == expected
        assert found.probabilities is not None
        assert expected.probabilities is not None
        assert found.probabilities.tobytes() == expected.probabilities.tobytes()
    with pytest.raises(OptionError, match="gives no probabilities"):
        remote(here, "objects")(IMAGES[:1], Request(probabilities=True))


def test_what_a_model_does_not_take_is_refused_before_anything_is_sent(here: Here) -> None:
    there, pointed = remote(here, "otsu"), Request(prompts=((Prompt(box=(0, 0, 2, 2)),),))
    here.asked.clear()
    with pytest.raises(OptionError, match="takes no prompts"):
        there((), pointed)
    with pytest.raises(OptionError, match="takes no threshold"):
        there(IMAGES[:1], Request(threshold=0.5))
    assert here.asked == []


@pytest.mark.parametrize("count", [2, 200], ids=["in the address", "as a form"])
def test_prompts_go_along(here: Here, count: int) -> None:
    prompts = tuple(Prompt(points=((index % 31, 1.5, True),)) for index in range(count))
    request = Request(prompts=(prompts, ()))
    images = [IMAGES[0], IMAGES[2]]
    found = remote(here, "objects")(images, request)
    assert all(same(*pair) for pair in zip(found, Objects()(images, request), strict=True))


def test_prompts_of_a_method_that_wants_them(here: Here) -> None:
    request = Request(prompts=((Prompt(box=(4, 4, 20, 16)),),))
    assert same(remote(here, "grabcut")(IMAGES[:1], request)[0], Method("grabcut")(IMAGES[:1], request)[0])


def test_images_are_sent_several_at_once_and_come_back_in_order(here: Here) -> None:
    together = threading.Barrier(4)
    here.faults.extend([lambda _: together.wait(20) >= 0] * 4)  # which none passes alone
    images = [photo(seed, (5, 5 + seed)) for seed in range(4)]
    assert [one.size for one in remote(here)(images)] == [(5, 5), (5, 6), (5, 7), (5, 8)]


def test_a_connection_is_kept_and_one_that_the_server_closed_is_made_anew(here: Here) -> None:
    there = remote(here)

    def close_after(handler: object) -> bool:
        handler.close_connection = True  # type: ignore[attr-defined] - the client is not told
        return True

    here.faults.append(close_after)
    assert there(IMAGES[:1]) == there(IMAGES[:1]) == there(IMAGES[:1])
    assert len(here.asked) == 4


def test_a_busy_server_is_asked_again(here: Here, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(remote_http, "_FIRST_PAUSE", 0.001)
    there = remote(here, options=RemoteOptions(timeout=5, patience=60))
    for status in (429, 503, 502, 504):
        here.faults.append(lambda handler, status=status: reply(handler, status, b"", Retry_After="0"))  # type: ignore[misc]
    here.faults.append(lambda handler: handler.connection.shutdown(socket.SHUT_RDWR) is not None)
    assert same(there(IMAGES[:1])[0], Levels()(IMAGES[:1])[0])
    assert sum(method == "POST" for method, *_ in here.asked) == 6


def test_patience_ends(here: Here) -> None:
    there = remote(here)
    here.faults.append(lambda handler: reply(handler, 429, b"", Retry_After="7"))
    with pytest.raises(TransferError, match="answers 429"):
        there(IMAGES[:1])


def test_an_error_of_one_image_ends_the_others(here: Here) -> None:
    there = remote(here, options=RemoteOptions(timeout=30, patience=1e6, at_once=2))
    here.faults.append(lambda handler: reply(handler, 500, b'{"error": {"code": "failed", "message": "the model failed"}}'))
    here.faults.append(lambda handler: reply(handler, 429, b"", Retry_After="60"))
    with pytest.raises(TransferError, match="the model failed"):
        there([IMAGES[0]] * 2)


def test_an_interruption_breaks_off_what_is_under_way(here: Here) -> None:
    connections, hung = remote(here)._connections, threading.Event()
    here.faults.append(lambda _: hung.set() or not here.over.wait(20))
    with ThreadPoolExecutor(1) as pool:
        asked = pool.submit(connections.ask, "POST", "/v1/models/levels/predict", b"", {})
        assert hung.wait(20)
        connections.cut()
        with pytest.raises(Unreachable):
            asked.result(timeout=20)


def test_a_server_that_is_not_there_is_told() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # and does not listen
        with pytest.raises(TransferError, match="is it running"):
            Remote(f"http://127.0.0.1:{taken.getsockname()[1]}/models/x", QUICK)


def test_a_server_without_encryption_is_told_from_one_with(here: Here) -> None:
    with pytest.raises(TransferError, match="is it http, not https"):
        Remote(here.address.replace("http:", "https:"), QUICK)


def test_tokens(here: Here, monkeypatch: pytest.MonkeyPatch) -> None:
    here.token = "s3cret"
    with pytest.raises(TransferError, match="wants a token: set PIXELWISE_TOKEN"):
        remote(here)
    monkeypatch.setenv("PIXELWISE_TOKEN", "wrong")
    with pytest.raises(TransferError, match="does not take the token"):
        remote(here)
    monkeypatch.setenv("PIXELWISE_TOKEN", "s3cret")
    assert remote(here)(IMAGES[:1])
    monkeypatch.setenv("PIXELWISE_TOKEN", "two\r\nlines")
    with pytest.raises(OptionError, match="PIXELWISE_TOKEN"):
        remote(here)


def test_versions(here: Here) -> None:
    there = remote(here)
    here.models = Models([*here.models.all(), Served("levels", "2", Levels())])
    assert Remote(f"{here.address}/models/levels/versions/1", QUICK)(IMAGES[:1])
    assert Remote(f"{here.address}/v1/models/levels/versions/2/", QUICK).version == "2"
    with pytest.raises(TransferError, match="load it again"):
        there(IMAGES[:1])
    with pytest.raises(UnknownName, match="did you mean 'levels'"):
        remote(here, "level")
    assert Remote(here.address, QUICK).card.name == "levels"  # the first one


def test_load_takes_an_address_and_a_server_chooses_its_device(here: Here) -> None:
    assert pw.load(f"{here.address}/models/otsu")(IMAGES[:1]) == Method("otsu")(IMAGES[:1])
    with pytest.raises(OptionError, match="leave them out"):
        pw.load(f"{here.address}/models/otsu", device="cpu")


@pytest.mark.parametrize(
    "address",
    [
        "ftp://a/models/x",
        "http://",
        "http://me:secret@a/models/x",
        "http://a/models/x?y=1",
        "http://a:99999/x",
        "http://a/models/x\n",
    ],
)
def test_what_is_no_address_is_refused(address: str) -> None:
    with pytest.raises(OptionError) as error:
        Remote(address)
    assert "secret" not in str(error.value)


@pytest.mark.parametrize(
    "wrap",
    [
        lambda inner: inner,
        lambda inner: pw.Tiled(inner, (8, 16), 4),
        pw.Flipped,
        lambda inner: pw.Views(inner, scales=(1.0, 1.25)),
        lambda inner: pw.Refined(inner, "smallest(area=3)"),
        lambda inner: pw.Ensemble([inner, Levels()]),
        lambda inner: pw.Calibrated(inner, 2.0),
        pw.Uncertain,
        lambda inner: Limited(inner, 60.0),
        lambda inner: Divided([inner, inner]),
    ],
)
def test_it_is_wrapped_and_streams_as_any_predictor(here: Here, wrap: Callable[[Predictor], Streaming]) -> None:
    there, local = wrap(remote(here)), wrap(Levels())
    expected = local(IMAGES[:3])
    assert there(IMAGES[:3]) == expected
    assert list(there.stream(iter(IMAGES[:3]))) == expected
    assert fingerprint(there) != ""


def test_how_unsure_it_is_can_be_told_from_afar(here: Here) -> None:
    unsure = pw.Uncertain(remote(here)).assess(IMAGES[:1])[0].pixels
    assert (unsure == pw.Uncertain(Levels()).assess(IMAGES[:1])[0].pixels).all()


def test_a_model_is_summed_up_alike_here_and_there(here: Here) -> None:
    assert fingerprint(remote(here, "otsu")) == fingerprint(Method("otsu"))


def test_predict_writes_the_same_files_and_knows_what_is_done(here: Here, tmp_path: Path) -> None:
    PIL.Image.fromarray(IMAGES[0].pixels).save(tmp_path / "a.png")
    for name, one in (("there", remote(here, "otsu")), ("here", Method("otsu"))):
        predict(one, [tmp_path / "a.png"], tmp_path / name, threads=0)
    for file in ("a.png", "segments.csv"):
        assert (tmp_path / "there" / file).read_bytes() == (tmp_path / "here" / file).read_bytes()
    here.asked.clear()
    predict(remote(here, "otsu"), [tmp_path / "a.png"], tmp_path / "there", threads=0)
    assert [method for method, *_ in here.asked] == ["GET"]


def test_the_card_says_nothing_of_where_the_model_was_made(here: Here) -> None:
    local = Method("otsu").known_to({"data": "/home/me/secret", "crop": [64, 64], "val_names": ["a"]})
    here.models = Models([*here.models.all(), Served("known", "1", local)])
    assert dict(remote(here, "known").card.training) == {"crop": [64, 64]}


BOMB = pack(Segmentation.from_class_map(np.zeros((4000, 4000), np.uint8), LABELS), {"model": "levels", "version": "1"})
HOSTILE = {
    "text": b"hello",
    "nothing": b"",
    "a header without an end": struct.pack("<Q", 2**63) + b"{}",
    "another image's": BOMB,
    "another size's in the header alone": BOMB.replace(b"[4000, 4000]", b"[20, 31]    "),
    "another version's": pack(Levels()(IMAGES[:1])[0], {"model": "levels", "version": "9"}),
    "another form's": pack(Levels()(IMAGES[:1])[0]).replace(b"segmentation 1", b"segmentation 9"),
    "other classes": pack(Method("otsu")(IMAGES[:1])[0], {"model": "levels", "version": "1"}),
}


@pytest.mark.parametrize("body", HOSTILE.values(), ids=HOSTILE.keys())
def test_an_answer_that_is_no_segmentation_of_the_image_is_refused(here: Here, body: bytes) -> None:
    there = remote(here)
    here.faults.append(lambda handler: reply(handler, 200, body))
    with pytest.raises(TransferError, match=r"127\.0\.0\.1"):
        there(IMAGES[:1])


def test_an_answer_that_does_not_end_is_cut_off(here: Here) -> None:
    there = remote(here, options=RemoteOptions(timeout=20, patience=0, most_bytes=2**20))
    stated = {"Content_Length": str(2**40)}
    here.faults.append(lambda handler: reply(handler, 200, b"", **stated))
    with pytest.raises(TransferError, match="at most 1,048,576 are read"):
        there(IMAGES[:1])

    def endless(handler: object) -> bool:
        handler.wfile.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")  # type: ignore[attr-defined]
        for _ in range(20):
            handler.wfile.write(b"20000\r\n" + bytes(2**17) + b"\r\n")  # type: ignore[attr-defined]
        return False

    here.faults.append(endless)
    with pytest.raises(TransferError, match="longer than 1,048,576 bytes"):
        there(IMAGES[:1])


def test_an_answer_that_breaks_off_or_falls_silent_is_told(here: Here) -> None:
    there = remote(here, options=RemoteOptions(timeout=0.2, patience=0))

    def silent(handler: object) -> bool:
        handler.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc")  # type: ignore[attr-defined]
        return not here.over.wait(3)

    here.faults.append(silent)
    with pytest.raises(TransferError, match=r"no answer within 0\.2 s"):
        there(IMAGES[:1])
    short = {"Content_Length": "9", "Connection": "close"}
    here.faults.append(lambda handler: reply(handler, 200, b"abc", **short) or setattr(handler, "close_connection", True))
    with pytest.raises(TransferError, match="breaks off after 3 of 9 bytes"):
        remote(here)(IMAGES[:1])


@pytest.mark.parametrize(
    ("status", "body", "error", "said"),
    [
        (302, b"", TransferError, "leads elsewhere"),
        (404, b"<html>", TransferError, "is it a Pixelwise server"),
        (413, b'{"error": {"code": "too_many_pixels", "message": "at most 9"}}', TooLarge, "lay pw.Tiled around"),
        (422, b'{"error": {"code": "bad_threshold", "message": "threshold: no"}}', OptionError, "threshold: no"),
        (415, b'{"error": {"code": "x", "message": "a\\u001b[31m"}}', ValueError, r"a \[31m"),
        (500, b"[" * 100_000, TransferError, "answers 500"),
    ],
)
def test_each_refusal_is_one_of_our_errors(here: Here, status: int, body: bytes, error: type[Exception], said: str) -> None:
    there = remote(here)
    here.faults.append(lambda handler: reply(handler, status, body, Location="http://127.0.0.1:1/"))
    with pytest.raises(error, match=said):
        there(IMAGES[:1])


def test_an_image_without_pixels_is_not_sent() -> None:
    with pytest.raises(ValueError, match="0 x 5"):
        encoded(Image(np.zeros((0, 5, 3), np.uint8)))
