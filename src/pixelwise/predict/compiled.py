"""A network that torch compiles where the work ahead is long enough to pay for it.

Compiling takes a minute or so and then saves a part of every pass on an accelerator. On CPUs it was measured to be slower than
the plain network in bfloat16, and no faster in 32 bits, so there it is done only when it is asked for.
"""

from collections.abc import Callable, Sequence

from pixelwise.core.card import Card
from pixelwise.core.errors import OptionError, PixelwiseError, first_line, nearest
from pixelwise.core.image import Image
from pixelwise.core.predictor import PLAIN, Predictor, Request
from pixelwise.core.segmentation import Segmentation
from pixelwise.core.streaming import Streaming
from pixelwise.predict.divided import Divided
from pixelwise.predict.fingerprint import fingerprint
from pixelwise.predict.network import Network

WHEN = ("auto", "yes", "no")
PAYS = 360.0  # seconds of work left: a minute of compiling pays if passes take a sixth less
_TRIAL = 3  # calls before the work left is judged: the first ones are slow


def compiling(
    predictor: Predictor, when: str, seconds_left: Callable[[], float | None], say: Callable[[str], None]
) -> Predictor:
    """Lay compiling around a network, ``auto`` where it can pay; whatever is no network stays as it is.

    Args:
        predictor: a network, or one on several devices.
        when: ``auto``, ``yes`` or ``no``.
        seconds_left: tells how long the work ahead takes, by the pace so far; None where that is not known yet.
        say: called with one sentence when the network is compiled, or could not be.

    Raises:
        OptionError: ``when`` is none of the three.
    """
    if when not in WHEN:
        raise OptionError(f"--compile {when}: {nearest(when, WHEN)}")
    networks = predictor.predictors if isinstance(predictor, Divided) else (predictor,)
    chosen = [one for one in networks if isinstance(one, Network)]
    can_pay = when == "yes" or (when == "auto" and all(one.device.type == "cuda" for one in chosen))
    return Compiled(predictor, chosen, when == "yes", seconds_left, say) if chosen and can_pay else predictor


class Compiled(Streaming):
    """A predictor whose networks are compiled once that pays; a ``Predictor``.

    A compiled network's probabilities may differ from the plain one's in their last bits. What cannot be compiled, as where
    there is no compiler, runs on plain.
    """

    def __init__(
        self,
        predictor: Predictor,
        networks: Sequence[Network],
        now: bool,
        seconds_left: Callable[[], float | None],
        say: Callable[[str], None],
    ) -> None:
        """Take a predictor and the networks in it; ``now`` compiles at the first call, whatever the work ahead."""
        self.predictor = predictor
        self._networks = networks
        self._now, self._seconds_left, self._say = now, seconds_left, say
        self._calls, self._is_compiled, self._is_settled = 0, False, False

    @property
    def card(self) -> Card:
        """What the predictor is."""
        return self.predictor.card

    def fingerprint(self) -> str:
        """Sum up the predictor: what is compiled shall give the same."""
        return fingerprint(self.predictor)

    def __call__(self, images: Sequence[Image], request: Request = PLAIN) -> list[Segmentation]:
        """Segment each image; compile before, when it is time."""
        if images and not self._is_settled and self._is_time():
            self._compile()
        self._calls += bool(images)
        try:
            return self.predictor(images, request)
        except PixelwiseError:
            raise
        except Exception as error:  # compilers raise anything
            if not self._is_compiled:
                raise
            self._undo(error)
            return self.predictor(images, request)

    def _is_time(self) -> bool:
        if self._now:
            return True
        left = self._seconds_left() if self._calls >= _TRIAL else None
        return left is not None and left > PAYS

    def _compile(self) -> None:
        self._is_settled = self._is_compiled = True
        left = None if self._now else self._seconds_left()
        why = "as asked" if left is None else f"as about {left / 60:.0f} minutes of work are left"
        self._say(f"the network is compiled, {why}: the next image takes a minute or so (--compile no turns this off)")
        for network in self._networks:
            network.model.network.compile()

    def _undo(self, error: Exception) -> None:
        self._is_compiled = False
        for network in self._networks:
            network.model.network._compiled_call_impl = None  # what Module.compile sets; torch has no call that takes it back
        self._say(f"the network could not be compiled and runs on as it is ({first_line(error)})")
