"""A bounded amount of something that many hold parts of: pixels of images in work, bytes of requests' bodies."""

import math

from pixelwise.core.image import Image
from pixelwise.serve.refusal import Refusal

LEAST = 2**14  # pixels that any image counts as: tiny ones have a price, too
_LONGEST_RETRY = 60.0  # seconds: what is further off nobody can tell


class Budget:
    """What may be held, and what is; used by one thread, that of the event loop.

    >>> budget = Budget(10)
    >>> budget.take(7), budget.take(7), budget.held, budget.holders
    (True, False, 7, 1)
    """

    def __init__(self, most: int) -> None:
        self.most = most
        self.held = self.holders = 0

    def take(self, amount: int) -> bool:
        """Take an amount, unless it does not fit."""
        if self.held + amount > self.most:
            return False
        self.held += amount
        self.holders += 1
        return True

    def change(self, before: int, after: int) -> bool:
        """Hold another amount than before, unless that does not fit; then all is as it was."""
        if self.held - before + after > self.most:
            return False
        self.held += after - before
        return True

    def give_back(self, amount: int) -> None:
        """Give back an amount that was taken."""
        self.held -= amount
        self.holders -= 1


class Place:
    """The part of a budget that one request holds."""

    def __init__(self, budget: Budget, seconds: float) -> None:
        """Hold nothing yet; ``seconds`` are those after which room is expected, should there be none."""
        self._budget, self._seconds = budget, seconds
        self._amount: int | None = None

    def become(self, amount: int) -> None:
        """Hold so many pixels.

        Raises:
            Refusal: 429, they do not fit now; 413, they never do.
        """
        if amount > self._budget.most:
            sentence = f"the image weighs as much as {amount:,} pixels, and all images together may have {self._budget.most:,}"
            raise Refusal(413, "too_many_pixels", f"{sentence}; send a smaller one")
        fits = self._budget.take(amount) if self._amount is None else self._budget.change(self._amount, amount)
        if not fits:
            raise busy("as many pixels are under way as this server holds", self._seconds)
        self._amount = amount

    def leave(self) -> None:
        """Give back what is held."""
        if self._amount is not None:
            self._budget.give_back(self._amount)
            self._amount = None


def busy(why: str, seconds: float) -> Refusal:
    """Refuse for now; ``seconds`` is an estimate of when to ask again, told as 1 to 60."""
    after = float(min(max(math.ceil(seconds), 1), _LONGEST_RETRY))
    return Refusal(429, "busy", f"{why}; try again in {after:.0f} s", after)


def weight(image: Image) -> int:
    """Weigh an image in pixels of three bytes; a small one counts as what a request costs at least.

    >>> import numpy as np
    >>> weight(Image(np.zeros((512, 512, 3), np.uint8))), weight(Image(np.zeros((8, 8, 3), np.uint8)))
    (262144, 16384)
    """
    height, width = image.size
    return max(height * width, image.pixels.nbytes // 3, LEAST)
