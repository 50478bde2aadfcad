"""Where an object will be: a Kalman filter of constant velocity on the centre and the size of its box [1, 2].

State: centre x, centre y, width, height, and the change of each a frame. Noise grows with the object's size, as both the errors
of a mask and the steps of an object do.

[1] Kalman, A New Approach to Linear Filtering and Prediction Problems, 1960. [2] Bewley et al., Simple Online and Realtime
Tracking, ICIP 2016; the noise in shares of the size follows Wojke et al., ICIP 2017.
"""

from dataclasses import dataclass

import numpy as np

from pixelwise.core.arrays import FloatArray

_PLACE, _SPEED = 1 / 20, 1 / 80  # deviation of a place and of a speed a frame, in shares of the object's size
_STEP = np.eye(8) + np.eye(8, k=4)  # one frame: places change by their speeds
_SEEN = np.eye(4, 8)  # what a box tells of the state


@dataclass(frozen=True, eq=False)
class Motion:
    """What is believed of an object: the ``mean`` (8,) of its state, and the ``covariance`` (8, 8)."""

    mean: FloatArray
    covariance: FloatArray

    @classmethod
    def begin(cls, box: tuple[float, float, float, float]) -> "Motion":
        """Begin with a box (left, top, right, bottom) that stands still, as far as is known."""
        place = _measured(box)
        size = max(place[2], place[3])
        deviations = np.array([2 * _PLACE * size] * 4 + [10 * _SPEED * size] * 4)
        return cls(np.concatenate([place, np.zeros(4)]), np.diag(deviations**2))

    def ahead(self) -> "Motion":
        """Give what is believed one frame later."""
        size = max(self.mean[2], self.mean[3], 1.0)
        noise = np.diag(np.array([_PLACE * size] * 4 + [_SPEED * size] * 4) ** 2)
        mean = _STEP @ self.mean
        mean[2:4] = np.maximum(mean[2:4], 1.0)
        return Motion(mean, _STEP @ self.covariance @ _STEP.T + noise)

    def seen(self, box: tuple[float, float, float, float]) -> "Motion":
        """Give what is believed once the object was seen in a box.

        >>> motion = Motion.begin((0, 0, 10, 10))
        >>> for left in range(1, 9):
        ...     motion = motion.ahead().seen((left, 0, left + 10, 10))
        >>> motion.velocity.round(1).tolist()
        [1.0, 0.0]
        """
        size = max(self.mean[2], self.mean[3], 1.0)
        noise = np.eye(4) * (_PLACE * size) ** 2
        gain = np.linalg.solve(_SEEN @ self.covariance @ _SEEN.T + noise, _SEEN @ self.covariance).T
        mean = self.mean + gain @ (_measured(box) - _SEEN @ self.mean)
        return Motion(mean, (np.eye(8) - gain @ _SEEN) @ self.covariance)

    def hidden(self, velocity: FloatArray) -> "Motion":
        """Go on at a stated velocity (2,) and with the size as it is, as an object does that is not seen."""
        return Motion(np.concatenate([self.mean[:4], velocity, np.zeros(2)]), self.covariance)

    @property
    def centre(self) -> FloatArray:
        """Centre (2,): x, y."""
        return self.mean[:2]

    @property
    def velocity(self) -> FloatArray:
        """Pixels a frame (2,): across, down."""
        return self.mean[4:6]


def _measured(box: tuple[float, float, float, float]) -> FloatArray:
    left, top, right, bottom = box
    return np.array([(left + right) / 2, (top + bottom) / 2, right - left, bottom - top], np.float64)
