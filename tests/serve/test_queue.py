"""Who waits, who goes together, and whose turn it is; time is a number here."""

from pixelwise.serve.queue import CALL_PIXELS, Queue, Turn, Waiting


def waiting(name: str, lane: str = "a", group: str = "small", at: float = 0.0, pixels: int = 100) -> Waiting[str]:
    return Waiting(lane, group, pixels, at, name)


def names(turn: Turn[str]) -> list[str]:
    return [one.work for one in turn.images]


def filled(*images: Waiting[str], batch: int = 4, wait: float = 1.0) -> Queue[str]:
    queue: Queue[str] = Queue(batch, wait)
    for one in images:
        queue.add(one)
    return queue


def test_an_image_that_comes_alone_goes_at_once() -> None:
    queue = filled(waiting("one", at=5.0))
    assert names(queue.turn(5.0)) == ["one"]
    assert queue.turn(5.0) == Turn()


def test_images_of_one_group_go_together_up_to_the_batch() -> None:
    queue = filled(*(waiting(str(number)) for number in range(6)))
    assert names(queue.turn(0.0)) == ["0", "1", "2", "3"]
    assert names(queue.turn(0.0)) == ["4", "5"]


def test_other_groups_are_left_for_calls_of_their_own() -> None:
    queue = filled(waiting("first"), waiting("large", group="large"), waiting("second"))
    assert names(queue.turn(0.0)) == ["first", "second"]
    assert names(queue.turn(0.0)) == ["large"]


def test_an_image_waits_for_those_on_their_way_and_no_longer_than_stated() -> None:
    queue = filled(waiting("one", at=5.0))
    queue.lane("a").coming += 1
    assert queue.turn(5.5) == Turn(at=6.0)
    assert names(queue.turn(6.0)) == ["one"]


def test_a_full_group_waits_for_nothing() -> None:
    queue = filled(waiting("one"), waiting("two"), batch=2)
    queue.lane("a").coming += 1
    assert names(queue.turn(0.0)) == ["one", "two"]


def test_those_on_their_way_to_another_model_are_not_waited_for() -> None:
    queue = filled(waiting("one"))
    queue.lane("b").coming += 1
    assert names(queue.turn(0.0)) == ["one"]


def test_a_call_has_no_more_pixels_than_one_pass_takes() -> None:
    large = [waiting(str(number), pixels=CALL_PIXELS // 2) for number in range(3)]
    queue = filled(*large)
    assert names(queue.turn(0.0)) == ["0", "1"]
    assert names(filled(waiting("huge", pixels=3 * CALL_PIXELS), waiting("next", pixels=3 * CALL_PIXELS)).turn(0.0)) == ["huge"]


def test_the_model_that_has_used_less_time_comes_first() -> None:
    queue = filled(waiting("a1"), waiting("a2", group="other"), waiting("b1", lane="b"))
    first = queue.turn(0.0)
    assert names(first) == ["a1"]
    queue.finished(first.images, 3.0)
    assert names(queue.turn(0.0)) == ["b1"]
    assert names(queue.turn(0.0)) == ["a2"]


def test_a_model_nobody_asked_for_long_does_not_hold_the_turn_afterwards() -> None:
    queue = filled(waiting("a0"))
    queue.finished(queue.turn(0.0).images, 100.0)
    queue.add(waiting("a1"))
    queue.add(waiting("b1", lane="b"))
    assert queue.lane("b").used == 100.0


def test_what_is_removed_is_not_run_and_counts_no_more() -> None:
    gone, kept = waiting("gone"), waiting("kept")
    queue = filled(gone, kept)
    assert queue.remove(gone)
    assert not queue.remove(gone)
    assert (len(queue), queue.pixels) == (1, 100)
    assert names(queue.turn(0.0)) == ["kept"]
    assert not queue.remove(kept)


def test_the_wait_is_estimated_from_the_time_that_calls_took() -> None:
    queue = filled(waiting("one", pixels=1000))
    assert queue.seconds_of_work() == 0.0
    queue.finished(queue.turn(0.0).images, 2.0)
    queue.add(waiting("two", pixels=500))
    assert queue.seconds_of_work() == 1.0
    turn = queue.turn(0.0)
    assert queue.seconds_of_work() == 1.0
    queue.finished(turn.images, 1.0)
    assert queue.seconds_of_work() == 0.0
