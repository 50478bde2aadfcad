"""Clients of other servers get the same masks: Open Inference Protocol v2, SageMaker, TorchServe."""

import base64
import io
import json
import socket
import threading
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import numpy as np
import PIL.Image
import pytest

from pixelwise.core.card import Card
from pixelwise.core.image import Image
from pixelwise.core.labels import LabelSet
from pixelwise.core.predictor import PLAIN, Request
from pixelwise.core.segmentation import Segmentation
from pixelwise.methods.predictor import Method

fastapi = pytest.importorskip("fastapi")
pytest.importorskip("prometheus_client")
from fastapi.testclient import TestClient  # noqa: E402

from pixelwise.serve.layers import lay_around  # noqa: E402
from pixelwise.serve.models import Models, Served  # noqa: E402
from pixelwise.serve.options import ServeOptions  # noqa: E402
from pixelwise.serve.protocols import inference_v2, sagemaker, torchserve  # noqa: E402
from pixelwise.serve.service import Service  # noqa: E402

HALVES = np.repeat(np.array([[20, 20, 20, 200, 200, 200]] * 4, np.uint8)[:, :, None], 3, axis=2)  # dark left, bright right
FOUND = [[0, 0, 0, 1, 1, 1]] * 4


class Objects:
    """Find two objects that overlap, of the second class, in every image that is not black."""

    card = Card("objects", "instance", LabelSet.of(["cat", "dog"], things=["cat", "dog"]))

    def __call__(self, images: Sequence[Image], request: Request = PLAIN) -> list[Segmentation]:
        return [self._one(image) for image in images]

    def _one(self, image: Image) -> Segmentation:
        masks = np.zeros((2, *image.size), bool)
        masks[0, :, :3], masks[1, 0, 2:4] = True, True
        count = 2 if image.pixels.any() else 0
        scores = np.array([0.9, 0.5])[:count]
        return Segmentation.from_masks("instance", masks[:count], [1] * count, self.card.labels, scores=scores)


def application() -> Any:
    options = ServeOptions(decoders=1, max_pixels=10_000, queue_pixels=100_000, batch_wait=0)
    models = [Served("otsu", "1", Method("otsu")), Served("otsu", "2", Method("otsu")), Served("objects", "1", Objects())]
    service = Service(Models(models), options)

    @asynccontextmanager
    async def life(_: Any) -> AsyncIterator[None]:
        await service.start()
        yield
        await service.stop()

    app = fastapi.FastAPI(lifespan=life)
    for protocol in (inference_v2, sagemaker, torchserve):
        app.include_router(protocol.router(service, options))
    lay_around(app, options)
    app.state.service = service
    return app


@pytest.fixture(scope="module")
def server() -> Iterator[TestClient]:
    with TestClient(application()) as client:
        yield client


def png(pixels: Any = HALVES) -> bytes:
    file = io.BytesIO()
    PIL.Image.fromarray(np.asarray(pixels)).save(file, format="PNG")
    return file.getvalue()


def npy(array: Any, **options: Any) -> bytes:
    file = io.BytesIO()
    np.save(file, array, **options)
    return file.getvalue()


def tensor(array: Any = HALVES, datatype: str = "UINT8") -> dict[str, Any]:
    return {"name": "image", "shape": list(np.shape(array)), "datatype": datatype, "data": np.ravel(array).tolist()}


def infer(server: TestClient, *inputs: Any, model: str = "otsu", **more: Any) -> Any:
    return server.post(f"/v2/models/{model}/infer", json={"inputs": list(inputs), **more})


def outputs(answer: Any) -> dict[str, Any]:
    assert answer.status_code == 200, answer.text
    return {one["name"]: np.array(one["data"]).reshape(one["shape"]) for one in answer.json()["outputs"]}


# --- Open Inference Protocol v2 ---------------------------------------------------------------------------------------------


def test_health_and_descriptions(server: TestClient) -> None:
    assert server.get("/v2/health/live").json() == {"live": True}
    assert server.get("/v2/health/ready").status_code == 200
    assert server.get("/v2").json()["extensions"] == ["binary_tensor_data"]
    assert server.get("/v2/models").json() == {"models": ["otsu", "objects"]}
    described = server.get("/v2/models/otsu").json()
    assert described["versions"] == ["1", "2"]
    assert described["inputs"][0]["datatype"] == "UINT8"
    assert {one["name"]: one["datatype"] for one in described["outputs"]}["ids"] == "UINT8"
    assert server.get("/v2/models/otsu/versions/2/ready").json() == {"name": "otsu", "ready": True}


def test_a_model_that_is_not_there_is_named_in_the_protocols_own_form(server: TestClient) -> None:
    answer = server.get("/v2/models/otsuu")
    assert answer.status_code == 404
    assert answer.json() == {"error": "no model is called 'otsuu'; did you mean 'otsu'?"}
    assert "version '3'" in infer(server, tensor(), model="otsu/versions/3").json()["error"]


def test_pixels_in_json_give_ids_in_json(server: TestClient) -> None:
    found = infer(server, tensor(), id="seven")
    assert found.json()["id"] == "seven"
    assert (found.json()["model_name"], found.json()["model_version"]) == ("otsu", "2")
    assert outputs(found)["ids"].tolist() == [FOUND]


def test_a_file_in_base64_gives_the_ids_of_its_pixels(server: TestClient) -> None:
    text = base64.b64encode(png()).decode()
    found = infer(server, {"name": "image", "shape": [1], "datatype": "BYTES", "data": [text]})
    assert outputs(found)["ids"].tolist() == [FOUND]


def test_rows_of_several_images_follow_one_another(server: TestClient) -> None:
    found = outputs(infer(server, tensor(np.stack([HALVES, 0 * HALVES, HALVES])), model="objects"))
    assert found["counts"].tolist() == [2, 0, 2]
    assert found["class_ids"].tolist() == [1, 1, 1, 1]
    assert found["scores"].tolist() == pytest.approx([0.9, 0.5, 0.9, 0.5])
    assert found["boxes"].tolist()[:2] == [[0, 0, 3, 4], [2, 0, 4, 1]]
    assert found["ids"][0].tolist() == [[1, 1, 2, 2, 0, 0]] + [[1, 1, 1, 0, 0, 0]] * 3  # the smaller object is on top


def test_masks_are_given_whole_where_they_are_asked_for(server: TestClient) -> None:
    found = outputs(infer(server, tensor(), model="objects", outputs=[{"name": "masks"}]))
    assert list(found) == ["masks"]
    assert found["masks"].sum(axis=(1, 2)).tolist() == [12, 2]


def test_no_objects_are_no_rows(server: TestClient) -> None:
    found = outputs(infer(server, tensor(0 * HALVES), model="objects"))
    assert found["boxes"].shape == (0, 4)
    assert not found["ids"].any()


def test_parameters_are_wishes(server: TestClient) -> None:
    found = outputs(infer(server, tensor(), parameters={"classes": "foreground"}))
    assert found["class_ids"].tolist() == [1]
    assert "threshhold" in infer(server, tensor(), parameters={"threshhold": 1}).json()["error"]


@pytest.mark.parametrize(
    ("message", "status", "said"),
    [
        ({"inputs": [tensor() | {"shape": [4, 5, 3]}]}, 422, "60 elements, data has 72"),
        ({"inputs": [tensor() | {"shape": [2**20, 2**20, 3]}]}, 422, "elements"),
        ({"inputs": [tensor() | {"shape": [-1, 6, 3]}]}, 422, "whole numbers"),
        ({"inputs": [tensor() | {"data": [300] * 72}]}, 422, "does not fit UINT8"),
        ({"inputs": [tensor() | {"data": ["a"] * 72}]}, 422, "UINT8 numbers"),
        ({"inputs": [tensor() | {"data": [[1], [1, 2]]}]}, 422, "differ in length"),
        ({"inputs": [tensor() | {"datatype": "FP64"}]}, 422, "FP64"),
        ({"inputs": [tensor() | {"name": "x"}]}, 422, "expected one input, 'image', got 'x'"),
        ({"inputs": [tensor(), tensor()]}, 422, "expected one input"),
        ({"inputs": []}, 422, "expected one input"),
        ({"inputs": [tensor() | {"parameters": {"shared_memory_region": "x"}}]}, 422, "no shared memory"),
        ({"inputs": [tensor(np.zeros((4, 6, 5), int))]}, 422, "bands"),
        ({"inputs": [tensor(np.zeros((1, 101, 100, 1), int))]}, 413, "at most 10,000"),
        ({"inputs": [tensor(np.zeros((65, 1, 1, 3), int))]}, 413, "at most 64 images"),
        ({"inputs": [{"name": "image", "shape": [1], "datatype": "BYTES", "data": ["%"]}]}, 422, "base64"),
        ({"inputs": [{"name": "image", "shape": [1], "datatype": "BYTES", "data": ["QUJD"]}]}, 415, "expected an image"),
        ({"inputs": [tensor()], "outputs": [{"name": "logits"}]}, 422, "no output 'logits'"),
        ({"inputs": "x"}, 400, "list of objects"),
        ([], 400, "object"),
    ],
)
def test_what_does_not_fit_is_said(server: TestClient, message: Any, status: int, said: str) -> None:
    answer = server.post("/v2/models/otsu/infer", json=message)
    assert (answer.status_code, list(answer.json())) == (status, ["error"])
    assert said in answer.json()["error"]


def test_the_image_that_is_refused_is_numbered(server: TestClient) -> None:
    files = [base64.b64encode(one).decode() for one in (png(), b"none")]
    answer = infer(server, {"name": "image", "shape": [2], "datatype": "BYTES", "data": files})
    assert answer.json()["error"].startswith("image 2 of 2: ")


@pytest.mark.parametrize(
    ("body", "length", "said"),
    [
        (b"{}", "3", "says 3"),
        (b"{}", "-1", "number of bytes"),
        (b"{", "1", "expected JSON"),
        (b'{"inputs": []}more', "14", "4 bytes follow"),
    ],
)
def test_a_wrong_length_of_the_json_is_said(server: TestClient, body: bytes, length: str, said: str) -> None:
    answer = server.post("/v2/models/otsu/infer", content=body, headers={"Inference-Header-Content-Length": length})
    assert answer.status_code == 400
    assert said in answer.json()["error"]


@pytest.fixture(scope="module")
def triton() -> Iterator[Any]:
    """A client of Triton's and a server on loopback."""
    pytest.importorskip("tritonclient.http")
    uvicorn = pytest.importorskip("uvicorn")
    import tritonclient.http as http

    listening = socket.create_server(("127.0.0.1", 0))
    running = uvicorn.Server(uvicorn.Config(application(), log_level="error"))
    thread = threading.Thread(target=running.run, args=([listening],), daemon=True)
    thread.start()
    client = http.InferenceServerClient(f"127.0.0.1:{listening.getsockname()[1]}", network_timeout=60)
    yield http, client  # the socket listens already, so the first request waits until the server has started
    client.close()
    running.should_exit = True
    thread.join(30)


def test_tritons_client_sees_a_ready_server(triton: Any) -> None:
    _, client = triton
    assert client.is_server_live()
    assert client.is_server_ready()
    assert client.is_model_ready("otsu", "1")
    assert client.get_server_metadata()["name"] == "pixelwise"
    assert client.get_model_metadata("objects")["parameters"]["classes"] == ["cat", "dog"]


@pytest.mark.parametrize("as_bytes", [True, False])
@pytest.mark.parametrize("shape", [(4, 6, 3), (1, 4, 6, 3)])
def test_tritons_client_sends_pixels_and_gets_ids(triton: Any, as_bytes: bool, shape: tuple[int, ...]) -> None:
    http, client = triton
    image = http.InferInput("image", list(shape), "UINT8")
    image.set_data_from_numpy(HALVES.reshape(shape), binary_data=as_bytes)
    wanted = [http.InferRequestedOutput(name, binary_data=as_bytes) for name in ("ids", "boxes")]
    found = client.infer("otsu", [image], outputs=wanted, request_id="a")
    assert found.as_numpy("ids").tolist() == [FOUND]
    assert found.as_numpy("ids").dtype == np.uint8
    assert found.as_numpy("boxes").tolist() == [[0, 0, 3, 4], [3, 0, 6, 4]]
    assert found.get_response()["id"] == "a"


def test_tritons_client_sends_files_and_gets_everything(triton: Any) -> None:
    http, client = triton
    files = http.InferInput("image", [2], "BYTES")
    files.set_data_from_numpy(np.array([png(), png(0 * HALVES)], object))
    found = client.infer("objects", [files])
    assert found.as_numpy("counts").tolist() == [2, 0]
    assert found.as_numpy("ids").dtype == np.int32
    assert found.as_numpy("ids")[0].max() == 2
    assert found.as_numpy("scores").tolist() == pytest.approx([0.9, 0.5])


def test_tritons_client_is_told_what_is_wrong(triton: Any) -> None:
    http, client = triton
    image = http.InferInput("image", [4, 6], "UINT8")
    image.set_data_from_numpy(HALVES[:, :, 0])
    with pytest.raises(http.InferenceServerException, match="bands"):
        client.infer("otsu", [image])
    with pytest.raises(http.InferenceServerException, match="did you mean 'otsu'"):
        client.infer("otsuu", [image])


# --- SageMaker --------------------------------------------------------------------------------------------------------------


def test_ping_says_whether_requests_are_taken(server: TestClient) -> None:
    assert server.get("/ping").json() == {"status": "Healthy"}
    service = server.app.state.service  # type: ignore[attr-defined]
    service.retire()
    try:
        assert server.get("/ping").status_code == 503
        assert server.get("/v2/health/ready").status_code == 503
        assert server.post("/invocations", content=png()).status_code == 200  # who asks all the same is answered
    finally:
        service.is_ready = True


def test_sagemakers_accept_header_picks_the_answer(server: TestClient) -> None:
    def ask(accept: str) -> Any:
        return server.post("/invocations", content=png(), headers={"Content-Type": "image/png", "Accept": accept})

    assert ask("application/json").headers["content-type"] == "application/json"
    assert np.array(PIL.Image.open(io.BytesIO(ask("image/png").content))).tolist() == FOUND
    assert ask("application/geo+json").json()["type"] == "FeatureCollection"
    assert np.load(io.BytesIO(ask("application/x-npy").content)).tolist() == FOUND
    assert ask("text/html").status_code == 406


def test_sagemaker_takes_arrays(server: TestClient) -> None:
    def ask(array: Any) -> Any:
        head = {"Content-Type": "application/x-npy", "Accept": "application/x-npy"}
        return np.load(io.BytesIO(server.post("/invocations", content=npy(array), headers=head).content))

    assert ask(HALVES).tolist() == FOUND
    assert ask(np.stack([HALVES, HALVES])).tolist() == [FOUND, FOUND]
    assert ask(np.asfortranarray(HALVES)).tolist() == FOUND
    assert ask(HALVES.astype(">u2") * 257).tolist() == FOUND


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        (npy(np.array([{}], object), allow_pickle=True), 422, "wrong_type"),
        (npy(np.zeros((4, 6, 3))), 422, "wrong_type"),
        (npy(np.zeros((2, 3), np.uint8)), 422, "wrong_shape"),
        (npy(np.zeros((101, 100, 1), np.uint8)), 413, "too_many_pixels"),
        (npy(HALVES)[:-1], 422, "wrong_length"),
        (b"\x93NUMPY\x09\x00", 422, "not_npy"),
        (b"text", 422, "not_npy"),
    ],
)
def test_arrays_that_are_no_images_are_refused_without_being_unpickled(
    server: TestClient, body: bytes, status: int, code: str
) -> None:
    answer = server.post("/invocations", content=body, headers={"Content-Type": "application/x-npy"})
    assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)


def test_sagemakers_wishes_come_as_json_query_or_attributes(server: TestClient) -> None:
    text = {"image": base64.b64encode(png()).decode()}
    attributes = {"X-Amzn-SageMaker-Custom-Attributes": "classes=foreground"}
    answers = [
        server.post("/invocations", json=text | {"classes": ["foreground"]}),
        server.post("/invocations?classes=foreground", json=text),
        server.post("/invocations", json=text, headers=attributes),
    ]
    assert [len(one.json()["segments"]) for one in answers] == [1, 1, 1]


@pytest.mark.parametrize(
    ("kind", "body", "status"),
    [("text/csv", b"1,2", 415), ("application/json", b"[", 422), ("application/json", b"{}", 422), ("image/png", b"", 415)],
)
def test_other_content_is_refused(server: TestClient, kind: str, body: bytes, status: int) -> None:
    assert server.post("/invocations", content=body, headers={"Content-Type": kind}).status_code == status


def test_a_compressed_body_is_refused_before_it_is_unpacked(server: TestClient) -> None:
    answer = server.post("/invocations", content=b"x", headers={"Content-Encoding": "gzip"})
    assert (answer.status_code, answer.json()["error"]["code"]) == (415, "compressed_body")


# --- TorchServe -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/predictions/otsu", "/predictions/otsu/1"])
def test_torchserve_takes_bytes_and_forms(server: TestClient, path: str) -> None:
    for sent in ({"content": png()}, {"files": {"data": ("a.png", png())}}):
        answer = server.post(path, **sent)  # type: ignore[arg-type]
        assert answer.status_code == 200
        assert [one["class"] for one in answer.json()["segments"]] == ["background", "foreground"]


def test_torchserves_form_may_hold_wishes(server: TestClient) -> None:
    answer = server.post("/predictions/otsu", files={"data": png()}, data={"forms": "ids"})
    assert answer.headers["content-type"] == "image/png"


def test_torchserve_says_what_is_wrong_in_its_own_form(server: TestClient) -> None:
    answer = server.post("/predictions/otsuu", content=png())
    assert answer.json() == {
        "code": 404,
        "type": "UnknownModelException",
        "message": "no model is called 'otsuu'; did you mean 'otsu'?",
    }
    assert server.post("/predictions/otsu", files={"picture": png()}).status_code == 422
    assert server.post("/predictions/otsu", content=b"text").status_code == 415


def test_torchserves_lists_go_page_by_page(server: TestClient) -> None:
    first = server.get("/models", params={"limit": 1}).json()
    assert first == {"models": [{"modelName": "otsu", "modelUrl": "otsu"}], "nextPageToken": "1"}
    second = server.get("/models", params={"limit": 1, "next_page_token": "1"}).json()
    assert second == {"models": [{"modelName": "objects", "modelUrl": "objects"}]}
    assert server.get("/models", params={"limit": "x"}).status_code == 400


def test_torchserve_describes_a_model(server: TestClient) -> None:
    assert [one["modelVersion"] for one in server.get("/models/otsu").json()] == ["2"]
    assert [one["modelVersion"] for one in server.get("/models/otsu/all").json()] == ["1", "2"]
    assert server.get("/models/otsu/1").json()[0]["workers"][0]["status"] == "READY"
    assert server.get("/models/otsu/9").status_code == 404


def test_a_version_stands_in_the_path_alone(server: TestClient) -> None:
    assert server.get("/v2/models/otsu?version=9").status_code == 200
    assert server.post("/predictions/otsu?version=1", content=png()).json()["type"] == "UnknownFieldException"


def test_no_answer_names_a_place_on_the_servers_disk(server: TestClient) -> None:
    for path in ("/models/otsu", "/v2/models/otsu"):
        assert "/" not in json.dumps(server.get(path).json()).replace("image/", "")
