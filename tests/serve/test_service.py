"""The service: what it admits, how long it lets wait, and how it ends."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import numpy as np
import pytest

pytest.importorskip("prometheus_client")

from small_models import Halves, Inside, grey, png, run, until

from pixelwise.core.errors import OptionError
from pixelwise.core.image import Image
from pixelwise.methods.predictor import Method
from pixelwise.serve import service as serving
from pixelwise.serve.limits import LEAST, Budget, Place
from pixelwise.serve.models import Models, Served, batch_of, calls_at_once, loaded, named_source
from pixelwise.serve.options import ServeOptions
from pixelwise.serve.refusal import Refusal
from pixelwise.serve.service import Service
from pixelwise.serve.telemetry import Telemetry
from pixelwise.serve.wishes import Wishes


@pytest.fixture(autouse=True)
def _no_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serving, "Decoders", Inside)


@asynccontextmanager
async def started(*models: Any, telemetry: Telemetry | None = None, **options: Any) -> AsyncIterator[Service]:
    settings = {"max_pixels": 100 * LEAST, "queue_pixels": 100 * LEAST, "workers": 1, "decoders": 1, **options}
    served = [Served(model.card.name, "1", model) for model in models]
    service = Service(Models(served), ServeOptions(**settings), telemetry)
    await service.start()
    for model in models:
        if isinstance(model, Halves):
            model.calls.clear()
            model.begun.clear()
    try:
        yield service
    finally:
        await service.stop()


async def refused(service: Service, *arguments: Any, **named: Any) -> Refusal:
    with pytest.raises(Refusal) as found:
        await service.predict(*arguments, **named)
    return found.value


def test_a_file_and_its_pixels_give_the_same_answer() -> None:
    async def asked() -> None:
        async with started(Halves()) as service:
            image = Image(np.repeat(np.array([[[0], [255]]], np.uint8), 3, axis=2))
            from_file, from_pixels = await service.predict(png(image)), await service.predict(image)
            assert from_file.segmentation == from_pixels.segmentation
            assert from_file.segmentation.class_map().tolist() == [[0, 1]]
            assert set(from_file.timings) == {"decode", "wait", "predict"}
            assert (from_file.batch, from_file.served.name) == (1, "halves")

    run(asked())


def test_a_method_is_served_as_a_network_is() -> None:
    async def asked() -> None:
        async with started(Method("otsu")) as service:
            image = grey()
            image.pixels[:, :3] = 20
            assert (await service.predict(png(image))).segmentation.class_map()[0].tolist() == [0, 0, 0, 1, 1, 1]

    run(asked())


def test_models_are_found_by_name_and_version() -> None:
    first, second = Halves("a"), Halves("b")
    models = Models([Served("a", "1", first), Served("a", "2", second), Served("b", "1", second)])
    assert (models.named().version, models.named("a", "1").predictor, models.named("b").name) == ("2", first, "b")
    with pytest.raises(Refusal, match="no model is called 'c'"):
        models.named("c")
    with pytest.raises(Refusal, match="'a' has no version '3'"):
        models.named("a", "3")


def test_names_of_models_are_unique_and_fit_into_addresses() -> None:
    with pytest.raises(OptionError, match="two models are called 'a'"):
        Models([Served("a", "1", Halves()), Served("a", "1", Halves())])
    with pytest.raises(OptionError, match="stands in addresses"):
        Served("a/b", "1", Halves())
    with pytest.raises(OptionError, match="needs a model"):
        Models([])


@pytest.mark.parametrize("source", ["=otsu", "a=", "a:=otsu", ":1=otsu"])
def test_a_source_without_a_name_or_a_place_is_refused(source: str) -> None:
    with pytest.raises(OptionError, match="NAME=PATH"):
        named_source(source)


def test_sources_are_loaded_under_their_names() -> None:
    models = loaded(["otsu", "bright:7=li"])
    assert [(one.name, one.version, one.predictor.card.name) for one in models.all()] == [
        ("otsu", "1", "otsu"),
        ("bright", "7", "li"),
    ]


def test_methods_compute_on_a_core_each() -> None:
    assert calls_at_once([Method("otsu")], 6) == 6
    assert calls_at_once([Method("otsu"), Halves()], 6) == 2


def test_only_accelerators_gain_by_images_that_share_a_call() -> None:
    class Placed(Halves):
        device = "cuda:1"

    assert batch_of([Method("otsu"), Halves()], "auto") == 1
    assert batch_of([Placed()], "auto") > 1
    assert batch_of([Halves()], "cuda") > 1


def test_what_does_not_fit_the_budget_of_pixels_is_refused_for_now() -> None:
    model = Halves()

    async def asked() -> None:
        async with started(model, queue_pixels=2 * LEAST, max_pixels=2 * LEAST) as service:
            model.gate.clear()
            under_way = [asyncio.ensure_future(service.predict(grey())) for _ in range(2)]
            await until(model.begun.is_set)
            refusal = await refused(service, grey())
            assert (refusal.status, refusal.code) == (429, "busy")
            assert refusal.retry_after is not None
            model.gate.set()
            await asyncio.gather(*under_way)
            await service.predict(grey())  # there is room again

    run(asked())


def test_a_request_that_would_wait_too_long_is_refused_for_now() -> None:
    model = Halves()

    async def asked() -> None:
        async with started(model, queue_seconds=1e-9) as service:
            await service.predict(grey())
            model.gate.clear()
            model.begun.clear()
            under_way = asyncio.ensure_future(service.predict(grey()))
            await until(model.begun.is_set)
            assert (await refused(service, grey())).status == 429
            model.gate.set()
            await under_way

    run(asked())


@pytest.mark.parametrize(("pixels", "status"), [(101 * LEAST, 413), (0, 422)])
def test_images_too_large_or_empty_are_refused(pixels: int, status: int) -> None:
    async def asked() -> None:
        async with started(Halves()) as service:
            assert (await refused(service, Image(np.zeros((1, pixels, 3), np.uint8)))).status == status

    run(asked())


def test_an_image_of_many_bands_weighs_more_than_its_pixels() -> None:
    place = Place(Budget(2 * LEAST), 1.0)
    with pytest.raises(Refusal) as found:
        place.become(3 * LEAST)
    assert found.value.status == 413
    place.become(LEAST)
    place.become(2 * LEAST)
    place.leave()
    place.leave()


def test_a_deadline_ends_the_wait() -> None:
    model = Halves()

    async def asked() -> None:
        async with started(model, deadline=0.01) as service:
            model.gate.clear()
            assert (await refused(service, grey())).status == 504
            model.gate.set()

    run(asked())


def test_who_leaves_gives_back_place_and_turn() -> None:
    model = Halves()

    async def asked() -> None:
        async with started(model, queue_pixels=2 * LEAST, max_pixels=2 * LEAST) as service:
            model.gate.clear()
            first = asyncio.ensure_future(service.predict(grey()))
            await until(model.begun.is_set)
            second = asyncio.ensure_future(service.predict(grey()))
            await asyncio.sleep(0)
            second.cancel()
            await asyncio.wait([second])
            third = asyncio.ensure_future(service.predict(grey()))  # in the place of the second
            model.gate.set()
            assert (await first).batch == (await third).batch == 1

    run(asked())
    assert model.calls == [1, 1]


def test_before_the_start_and_after_the_end_requests_are_refused() -> None:
    async def asked() -> None:
        service = Service(Models([Served("halves", "1", Halves())]), ServeOptions(decoders=1))
        assert (await refused(service, grey())).status == 503
        await service.start()
        assert service.is_ready
        await service.stop()
        assert not service.is_ready
        assert (await refused(service, grey())).status == 503

    run(asked())


def test_a_server_that_retires_answers_on() -> None:
    async def asked() -> None:
        async with started(Halves()) as service:
            service.retire()
            assert not service.is_ready
            assert (await service.predict(grey())).batch == 1

    run(asked())


def test_stopping_waits_for_what_is_under_way() -> None:
    model = Halves()

    async def asked() -> None:
        async with started(model) as service:
            model.gate.clear()
            under_way = asyncio.ensure_future(service.predict(grey()))
            await until(model.begun.is_set)
            stopping = asyncio.ensure_future(service.stop())
            await asyncio.sleep(0)
            assert (await refused(service, grey())).status == 503
            model.gate.set()
            await stopping
            assert (await under_way).batch == 1

    run(asked())


def test_wishes_that_a_model_cannot_meet_are_refused_before_anything_is_decoded() -> None:
    async def asked() -> None:
        async with started(Halves()) as service:
            assert (await refused(service, b"no image", Wishes(classes=("cat",)))).code == "unknown_class"

    run(asked())


def test_what_happens_is_counted() -> None:
    telemetry = Telemetry()

    async def asked() -> None:
        async with started(Halves(), telemetry=telemetry) as service:
            answered = await service.predict(png(grey()))
            body = await service.write(answered, Wishes())
            assert body.media_type == "image/png"

    run(asked())
    text = telemetry.text().decode()
    assert 'pixelwise_pixels_total{model="halves",version="1"} 24.0' in text
    assert 'pixelwise_stage_seconds_count{model="halves",stage="encode"} 1.0' in text
    assert 'pixelwise_area_share_sum{class="bright",model="halves"} 1.0' in text


@pytest.mark.parametrize(
    "wrong",
    [
        {"max_pixels": 0},
        {"batch_wait": -1.0},
        {"port": 70_000},
        {"log_share": 2.0},
        {"queue_pixels": 5, "max_pixels": 10},
        {"upload_bytes": 5, "max_bytes": 10},
        {"deadline": float("nan")},
    ],
)
def test_options_that_do_not_fit_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(OptionError):
        ServeOptions(**wrong)
