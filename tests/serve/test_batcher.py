"""Calls of models: shared where that is possible, alone where it is not, and failures that stay with whom they concern."""

import asyncio

import pytest

pytest.importorskip("prometheus_client")

from small_models import Halves, grey, run, until

from pixelwise.core.errors import DataError, OutOfTime, TooLarge
from pixelwise.core.image import Image
from pixelwise.serve.batcher import Batcher, Done, refusal_of
from pixelwise.serve.models import Served
from pixelwise.serve.refusal import Refusal
from pixelwise.serve.wishes import Wishes


async def held(model: Halves, images: list[tuple[Image, Wishes]], batch: int = 8) -> list[Done | BaseException]:
    """Hold up a first call until all images wait, then let everything go on."""
    batcher = Batcher(1, batch, 0.0)
    served = Served(model.card.name, "1", model)
    far = asyncio.get_running_loop().time() + 1000
    model.gate.clear()
    first = asyncio.ensure_future(batcher.predict(served, grey(2, 2), Wishes(), far))
    await until(model.begun.is_set)
    others = [asyncio.ensure_future(batcher.predict(served, image, wishes, far)) for image, wishes in images]
    await until(lambda: len(batcher.queue) == len(images))
    model.gate.set()
    await first
    found = await asyncio.gather(*others, return_exceptions=True)
    batcher.close()
    return list(found)


def test_images_of_equal_size_share_a_call() -> None:
    model = Halves()
    found = run(held(model, [(grey(level=level), Wishes()) for level in (0, 200, 0)]))
    assert model.calls == [1, 3]
    assert [one.predicted.segmentation.class_map()[0, 0] for one in found] == [0, 1, 0]
    assert [one.batch for one in found] == [3, 3, 3]


def test_other_sizes_and_other_wishes_do_not() -> None:
    model = Halves()
    run(held(model, [(grey(4, 6), Wishes()), (grey(6, 4), Wishes()), (grey(4, 6), Wishes(threshold=0.5))]))
    assert model.calls == [1, 1, 1, 1]


def test_wishes_that_do_not_change_the_call_do_share_it() -> None:
    model = Halves()
    run(held(model, [(grey(), Wishes(("ids",))), (grey(), Wishes(("json",), classes=("dark",)))]))
    assert model.calls == [1, 2]


def test_who_stops_waiting_is_not_run() -> None:
    model = Halves()

    async def leaving() -> None:
        batcher = Batcher(1, 8, 0.0)
        served, far = Served("halves", "1", model), asyncio.get_running_loop().time() + 1000
        model.gate.clear()
        first = asyncio.ensure_future(batcher.predict(served, grey(2, 2), Wishes(), far))
        await until(model.begun.is_set)
        second = asyncio.ensure_future(batcher.predict(served, grey(), Wishes(), far))
        await until(lambda: len(batcher.queue) == 1)
        second.cancel()
        await asyncio.wait([second])
        assert len(batcher.queue) == 0
        model.gate.set()
        await first
        batcher.close()

    run(leaving())
    assert model.calls == [1]


def test_an_error_in_a_shared_call_stays_with_the_image_that_causes_it() -> None:
    model = Halves()
    model.failing = []

    class Picky(Halves):
        def __call__(self, images, request=None):  # type: ignore[no-untyped-def]
            if len(images) and any(image.pixels[0, 0, 0] == 13 for image in images):
                self.calls.append(len(images))
                raise DataError("13 brings bad luck")
            return super().__call__(images)

    model = Picky()
    found = run(held(model, [(grey(level=200), Wishes()), (grey(level=13), Wishes())]))
    assert isinstance(found[0], Done)
    assert isinstance(found[1], Refusal)
    assert (found[1].status, found[1].message) == (422, "13 brings bad luck")
    assert model.calls == [1, 2, 1, 1]


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (DataError("no"), 422),
        (TooLarge("no"), 413),
        (MemoryError(), 413),
        (OutOfTime("no"), 504),
        (RuntimeError("no"), 500),
        (Refusal(429, "busy", "no"), 429),
    ],
)
def test_what_a_model_raises_becomes_a_status(error: Exception, status: int) -> None:
    assert refusal_of(error).status == status


def test_what_nobody_meant_is_told_without_its_text() -> None:
    assert "/home/secret" not in refusal_of(RuntimeError("cannot open /home/secret")).message


def test_a_call_whose_time_is_over_is_not_begun() -> None:
    model = Halves()

    async def late() -> None:
        batcher = Batcher(1, 8, 0.0)
        with pytest.raises(Refusal) as refused:
            await batcher.predict(Served("halves", "1", model), grey(), Wishes(), asyncio.get_running_loop().time() - 1)
        assert refused.value.status == 504
        batcher.close()

    run(late())
    assert model.calls == []


def test_a_model_that_gives_another_size_is_a_fault_of_the_server() -> None:
    class Wrong(Halves):
        def __call__(self, images, request=None):  # type: ignore[no-untyped-def]
            return super().__call__([grey(1, 1) for _ in images])

    async def asked() -> None:
        batcher = Batcher(1, 8, 0.0)
        with pytest.raises(Refusal) as refused:
            await batcher.predict(Served("wrong", "1", Wrong()), grey(), Wishes(), asyncio.get_running_loop().time() + 1000)
        assert (refused.value.status, refused.value.code) == (500, "model_failed")
        batcher.close()

    run(asked())
