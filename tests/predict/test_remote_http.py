"""When a server is asked again, and where: on a clock and with chances of the tests' own."""

import email.utils
import time
from dataclasses import dataclass, field

import pytest

from pixelwise.core.errors import TransferError
from pixelwise.predict.remote_http import LONGEST_PAUSE, Address, Patience, Reply, Unreachable, retry_after

GOOD = Reply(200, {}, b"")


@dataclass
class Clock:
    seconds: float = 0.0
    pauses: list[float] = field(default_factory=list)

    def now(self) -> float:
        return self.seconds

    def sleep(self, seconds: float) -> None:
        self.pauses.append(seconds)
        self.seconds += seconds


def tried(answers: list[Reply | Unreachable], patience: float, chance: float = 1.0) -> tuple[Clock, Reply]:
    clock, left = Clock(), iter(answers)

    def work() -> Reply:
        one = next(left)
        if isinstance(one, Unreachable):
            raise one
        return one

    return clock, Patience(patience, clock.now, clock.sleep, lambda: chance).tried(work, "there")


def busy(after: str = "") -> Reply:
    return Reply(429, {"retry-after": after} if after else {}, b"")


def test_pauses_double_up_to_a_bound() -> None:
    clock, reply = tried([busy()] * 8 + [GOOD], 1000)
    assert reply == GOOD
    assert clock.pauses == pytest.approx([0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 10, 10])


def test_pauses_are_drawn_so_that_clients_do_not_come_all_at_once() -> None:
    assert tried([busy(), busy(), GOOD], 1000, chance=0.25)[0].pauses == pytest.approx([0.05, 0.1])


def test_what_the_server_asks_for_is_waited_at_least() -> None:
    assert tried([busy("7"), GOOD], 1000, chance=0.5)[0].pauses == pytest.approx([7.1])


def test_no_try_is_begun_when_the_time_is_over() -> None:
    with pytest.raises(TransferError, match=r"answers 429 \(asked 3 times"):
        tried([busy("4")] * 9, 10)


def test_nobody_is_asked_again_when_nobody_waits() -> None:
    asked = []
    with pytest.raises(TransferError, match="another image failed"):
        Patience(1000, sleep=lambda _: True).tried(lambda: asked.append(1) or busy("5"), "there")
    assert len(asked) == 1


def test_a_connection_that_fails_is_tried_again_and_an_error_of_the_model_is_not() -> None:
    assert tried([Unreachable("gone"), GOOD], 1)[1] == GOOD
    assert tried([Reply(500, {}, b"")], 1)[1].status == 500


@pytest.mark.parametrize(
    ("said", "seconds"),
    [("3", 3), ("0.5", 0.5), ("1e9", 0), ("-1", 0), ("999999999", LONGEST_PAUSE), ("soon", 0), ("nan", 0), ("", 0)],
)
def test_a_pause_that_is_asked_for_is_read_and_bounded(said: str, seconds: float) -> None:
    assert retry_after(busy(said)) == seconds


def test_a_date_is_read_as_a_pause() -> None:
    assert 50 < retry_after(busy(email.utils.formatdate(time.time() + 59.9, usegmt=True))) <= LONGEST_PAUSE
    assert retry_after(busy("Thu, 01 Jan 1970 00:00:00 GMT")) == 0


@pytest.mark.parametrize(
    ("text", "target", "shown"),
    [
        ("http://a", "/v1/card", "http://a:80"),
        ("https://a:1/", "/v1/card", "https://a:1"),
        ("http://a/models/x", "/v1/models/x/card", "http://a:80/models/x"),
        ("http://a/v1/models/x/", "/v1/models/x/card", "http://a:80/models/x"),
        ("http://a/p/q/models/x/versions/2", "/p/q/v1/models/x/versions/2/card", "http://a:80/p/q/models/x/versions/2"),
        ("http://[::1]:8/models/x", "/v1/models/x/card", "http://[::1]:8/models/x"),
    ],
)
def test_addresses_name_a_model_a_version_and_a_prefix(text: str, target: str, shown: str) -> None:
    address = Address.read(text)
    assert address.target("card") == target
    assert str(address) == shown
    assert Address.read(shown) == address
