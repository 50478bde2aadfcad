"""Client and server together, over sockets of this machine: what comes back is what the model gives here, bit for bit."""

import asyncio
import io
import json
import threading
import urllib.request
from collections.abc import Iterator, Sequence

import numpy as np
import pytest

from pixelwise.core.card import Card
from pixelwise.core.errors import OptionError, TooLarge, UnknownName
from pixelwise.core.image import Image
from pixelwise.core.labels import LabelSet
from pixelwise.core.predictor import PLAIN, Request
from pixelwise.core.prompt import Prompt
from pixelwise.core.segmentation import Segmentation
from pixelwise.methods.predictor import Method
from pixelwise.predict.remote import Remote, RemoteOptions
from pixelwise.serve.models import Models, Served
from pixelwise.serve.options import ServeOptions

pytest.importorskip("fastapi")
uvicorn = pytest.importorskip("uvicorn")
pytest.importorskip("multipart")

LABELS = LabelSet.of(["dark", "bright"])
BANDS = ("nir", "red", "green", "blue")


class Levels:
    """Two classes by the first of four bands, with probabilities."""

    card = Card("levels", "semantic", LABELS, BANDS, (0.5,) * 4, (0.5,) * 4, gives_probabilities=True)

    def __call__(self, images: Sequence[Image], request: Request = PLAIN) -> list[Segmentation]:
        if request.prompts:
            raise OptionError("no prompts here")
        return [self._one(image.to_bands(BANDS), request) for image in images]

    def _one(self, image: Image, request: Request) -> Segmentation:
        near = image.unit()[:, :, 0]
        spread = np.stack([1 - near, near]).astype(np.float32)
        chosen = (near > (request.threshold or 0.5)).astype(np.uint8)
        return Segmentation.from_class_map(chosen, LABELS, np.array([0.1, 1 / 3]), spread if request.probabilities else None)


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    from pixelwise.serve.http.app import create_app
    from pixelwise.serve.service import Service

    options = ServeOptions(decoders=1, max_pixels=10_000, max_bytes=2**17, drain_seconds=5)
    models = Models(Served(one.card.name, "3", one) for one in (Levels(), Method("otsu"), Method("slic"), Method("grabcut")))
    app = create_app(Service(models, options), options)
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_config=None, lifespan="on"))
    started = threading.Event()

    async def serve() -> None:
        task = asyncio.create_task(server.serve())
        while not server.started and not task.done():
            await asyncio.sleep(0.01)
        started.set()
        await task

    thread = threading.Thread(target=lambda: asyncio.run(serve()), daemon=True)
    thread.start()
    assert started.wait(60)
    yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    server.should_exit = True
    thread.join(30)


def remote(address: str, name: str) -> Remote:
    return Remote(f"{address}/models/{name}", RemoteOptions(timeout=60, patience=30))


def photo(seed: int, shape: tuple[int, ...] = (40, 61, 3), dtype: str = "uint8") -> Image:
    pixels = np.random.default_rng(seed).random(shape, np.float32)
    if dtype != "float32":
        pixels = (pixels * np.iinfo(dtype).max).astype(dtype)
    return Image(pixels, {1: ("grey",), 3: ("red", "green", "blue"), 4: BANDS}[shape[2]])


DEPTHS = [photo(0), photo(1), photo(2, (9, 8, 1)), photo(3, dtype="uint16"), photo(4, (30, 20, 1), "uint16")]
DEPTHS += [photo(5, dtype="float32"), photo(6, (30, 20, 1), "float32"), photo(7), photo(8)]


@pytest.mark.parametrize(("name", "images"), [("otsu", DEPTHS), ("slic", [photo(0, (20, 20, 3))])])
def test_methods_on_a_server_give_what_they_give_here(address: str, name: str, images: list[Image]) -> None:
    found, expected = remote(address, name)(images), Method(name)(images)
    assert found == expected
    assert [one.labels for one in found] == [one.labels for one in expected]


@pytest.mark.parametrize("dtype", ["uint8", "float32"])
def test_probabilities_of_named_bands_come_bit_for_bit(address: str, dtype: str) -> None:
    image, wanted = photo(1, (40, 61, 4), dtype), Request(probabilities=True, threshold=0.25)
    there, here = remote(address, "levels")([image], wanted)[0], Levels()([image], wanted)[0]
    assert there == here
    assert there.probabilities is not None
    assert here.probabilities is not None
    assert there.probabilities.tobytes() == here.probabilities.tobytes()
    assert np.array_equal(there.scores, here.scores)  # type: ignore[arg-type]


def test_prompts_that_are_too_long_for_an_address_go_as_a_form(address: str) -> None:
    line = tuple((10 + index / 100, 10.0) for index in range(600))
    request = Request(prompts=((Prompt(box=(4, 4, 50, 36), scribbles=((line, True),)),),))
    assert remote(address, "grabcut")([photo(0)], request) == Method("grabcut")([photo(0)], request)


def test_what_the_server_refuses_is_told(address: str) -> None:
    with pytest.raises(TooLarge, match=r"at most 10,000.*lay pw\.Tiled around"):
        remote(address, "otsu")([photo(0, (200, 200, 1))])
    with pytest.raises(TooLarge, match=r"lay pw\.Tiled around"):  # before its 36 MB are read
        remote(address, "otsu")([Image(np.zeros((1500, 1500, 4), np.float32), BANDS)])
    with pytest.raises(UnknownName, match="did you mean 'otsu'"):
        remote(address, "otso")
    with pytest.raises(OptionError, match="cannot be had"):
        remote(address, "levels")([photo(0)])
    with pytest.raises(UnknownName, match="no version '9'"):
        Remote(f"{address}/models/otsu/versions/9")
    assert Remote(f"{address}/models/otsu/versions/3").version == "3"
    assert Remote(address).card.name == "levels"


def test_geojson_of_a_geotiff_is_in_its_coordinates(address: str) -> None:
    tifffile = pytest.importorskip("tifffile")
    file = io.BytesIO()
    scale, tie = (33550, "d", 3, (0.5, 0.5, 0.0), True), (33922, "d", 6, (0.0, 0.0, 0.0, 10.0, 50.0, 0.0), True)
    keys = (34735, "H", 8, (1, 1, 0, 1, 2048, 0, 1, 4326), True)  # the key directory: geographic, WGS 84
    pixels = np.zeros((4, 6), np.uint8)
    pixels[1:3, 2:5] = 200
    tifffile.imwrite(file, pixels, photometric="minisblack", extratags=[scale, tie, keys])
    request = urllib.request.Request(f"{address}/v1/models/otsu/predict?forms=geojson&classes=foreground", file.getvalue())
    with urllib.request.urlopen(request) as answer:
        document = json.load(answer)
    ring = document["features"][0]["geometry"]["coordinates"][0][0]
    assert {tuple(point) for point in ring} == {(11.0, 49.5), (12.5, 49.5), (12.5, 48.5), (11.0, 48.5)}
    assert "coordinates" not in document
