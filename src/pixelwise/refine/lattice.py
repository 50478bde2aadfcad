"""Gaussian sums over points of any dimension in linear time: the permutohedral lattice [1] as sparse matrices.

A sum over all pairs of N points, sum_j exp(-|x_i - x_j|^2 / 2) v_j, is found in three steps: values are spread to the corners
of the simplex around each point, blurred along the D + 1 directions of the lattice, and read back with the same weights. A
simplex of D dimensions has only D + 1 corners, so a point costs D + 1 products where a grid costs 2 ** D.

Two things are added to the paper. Corners one step from those in use are kept too, where these are not too many: else what is
blurred over a gap is lost, in sparse colours most of the error. And few points get a finer lattice with wider blurs, as the
rest of the error is that of linear interpolation within a simplex.

Up to some 1,500 points all pairs cost less than a lattice, and ``gaussian`` takes the sums as they are.

Corners are known by a linear hash of 64 bits, so that the hash of a neighbour is a sum. A million of them share one with a
probability of 1e-7.

[1] Adams, Baek, Davis: Fast high-dimensional filtering using the permutohedral lattice, Eurographics 2010.
"""

from typing import NamedTuple, Protocol

import numpy as np

from pixelwise.core.arrays import FloatArray, IntArray

EVERY_PAIR = 1536  # points up to which all pairs are summed up: their matrix is at most 9 MB
_FEW, _SOME = 2**12, 2**16  # points up to which a lattice is made finer
_MOST = 2**19  # corners looked at to find the neighbours of all
_FACTORS = np.random.default_rng(20100503).integers(1, 2**63, 64, dtype=np.uint64) | np.uint64(1)


class Sums(Protocol):
    """Sums under Gaussians of standard deviation 1 around N points, each times 1 / sqrt(d_i d_j) with d the sums of weights."""

    def sums(self, values: FloatArray) -> FloatArray:
        """Sum up values (N, L)."""


def gaussian(points: FloatArray) -> Sums:
    """Choose how sums over points (N, D) are taken: by all pairs where there are few, else by a lattice."""
    return Pairs(points) if len(points) <= EVERY_PAIR else Lattice(points)


class Pairs:
    """The matrix of all pairs of points (N, D)."""

    def __init__(self, points: FloatArray) -> None:
        """Weigh the pairs."""
        weights = np.zeros((len(points), len(points)))
        for column in points.T.astype(np.float64):
            weights += (column[:, None] - column) ** 2
        np.exp(weights * -0.5, out=weights)
        root = np.sqrt(weights.sum(axis=1))
        self._matrix = (weights / root[:, None] / root).astype(np.float32)

    def sums(self, values: FloatArray) -> FloatArray:
        """Sum up values (N, L)."""
        return np.asarray(self._matrix @ values)


class Lattice:
    """The permutohedral lattice around points (N, D)."""

    def __init__(self, points: FloatArray) -> None:
        """Lay the lattice; ``points`` may lie anywhere, and further apart than 5 means apart."""
        from scipy import sparse

        count, dimensions = points.shape
        self._blurs, hops = (4, 2) if count <= _FEW else (2, 1) if count <= _SOME else (1, 1)
        placed = _placed(points, _embedding(dimensions, self._blurs))
        used, places = np.unique(placed.corners, return_inverse=True)
        steps = _steps(dimensions)
        corners = _with_neighbours(used, steps, hops)
        columns = np.searchsorted(corners, used)[places].reshape(placed.corners.shape)[placed.simplices]
        ends = np.arange(0, columns.size + 1, dimensions + 1)
        spread = (placed.weights.ravel(), columns.ravel().astype(np.int32), ends.astype(np.int32))
        self._slice = sparse.csr_array(spread, shape=(count, len(corners)))
        self._directions = [_blur(corners, step) for step in steps]
        weights = self.sums(np.ones((count, 1), np.float32))
        self._slice.data *= np.repeat(1 / np.sqrt(weights[:, 0] + np.float32(1e-20)), dimensions + 1)

    def sums(self, values: FloatArray) -> FloatArray:
        """Sum up values (N, L): spread, blurred, and read back."""
        held = self._slice.T @ values
        for direction in self._directions:
            for _ in range(self._blurs):
                held = direction @ held
        found: FloatArray = self._slice @ held
        return found


class _Placed(NamedTuple):
    """The corners (K, D + 1) of the simplices in use, and of each point its simplex (N,) and weights (N, D + 1)."""

    corners: IntArray
    simplices: IntArray
    weights: FloatArray


def _embedding(dimensions: int, blurs: int) -> FloatArray:
    """Give the matrix (D, D + 1) that turns D dimensions into the plane of D + 1 coordinates whose sum is 0.

    Spreading and reading add (D + 1)^2 / 12 each to the variance, and a blur adds (D + 1)^2 / 2: together they are to be 1.
    """
    matrix = np.zeros((dimensions, dimensions + 1), np.float32)
    for row in range(dimensions):
        matrix[row, : row + 1] = 1
        matrix[row, row + 1] = -(row + 1)
        matrix[row] /= np.sqrt((row + 1) * (row + 2))
    return matrix * np.float32((dimensions + 1) * np.sqrt(1 / 6 + blurs / 2))


def _placed(points: FloatArray, embedding: FloatArray) -> _Placed:
    """Find the simplex around each point and its weights: by rounding, and by the order of what rounding left over [1]."""
    count, dimensions = points.shape
    sides = dimensions + 1
    lifted = embedding.T @ points.T.astype(np.float32)  # (D + 1, N)
    whole = np.rint(lifted / sides)
    rest = lifted - whole * sides
    rank = np.zeros((sides, count), np.int32)
    for first in range(sides):
        for second in range(first + 1, sides):
            is_less = rest[first] < rest[second]
            rank[first] += is_less
            rank[second] += ~is_less
    rank += whole.sum(axis=0).astype(np.int32)  # rounding may leave the plane: the coordinates most out of it step back
    for turned, sign in ((rank < 0, 1), (rank > dimensions, -1)):
        whole += sign * turned
        rank += sign * sides * turned
    ordered = np.empty((sides, count), np.float32)
    np.put_along_axis(ordered, rank, lifted / sides - whole, axis=0)
    weights = np.empty((count, sides), np.float32)
    weights[:, 0] = 1 + ordered[-1] - ordered[0]
    for corner in range(1, sides):
        weights[:, corner] = ordered[dimensions - corner] - ordered[sides - corner]
    origin = _hashed(whole[:dimensions].astype(np.int64) * sides)
    _, firsts, simplices = np.unique(
        origin + _hashed(rank[:dimensions].astype(np.int64), 32), return_index=True, return_inverse=True
    )
    ranks = rank[:dimensions, firsts].astype(np.int64)
    corners = [origin[firsts] + _hashed(np.where(ranks <= dimensions - k, k, k - sides)) for k in range(sides)]
    return _Placed(np.stack(corners, axis=1), simplices.ravel(), weights)


def _hashed(coordinates: IntArray, first: int = 0) -> IntArray:
    """Sum up whole coordinates (D, N) in one number each, linearly and modulo 2 ** 64."""
    factors = _FACTORS[first : first + len(coordinates)]
    found = np.zeros(coordinates.shape[1], np.uint64)
    for factor, each in zip(factors, coordinates, strict=True):
        found += each.astype(np.uint64) * factor
    return found


def _steps(dimensions: int) -> IntArray:
    """Give the hashes (D + 1,) of the lattice's directions: 1 in all coordinates, and less D + 1 in one."""
    offsets = np.ones((dimensions, dimensions + 1), np.int64)
    offsets[np.arange(dimensions), np.arange(dimensions)] -= dimensions + 1
    return _hashed(offsets)


def _with_neighbours(corners: IntArray, steps: IntArray, hops: int) -> IntArray:
    """Add to sorted corners those up to so many steps away, while that keeps within memory."""
    for _ in range(hops):
        if len(corners) * (2 * len(steps) + 1) > _MOST:
            break
        ways = [corners, *(corners + step for step in steps), *(corners - step for step in steps)]
        ordered = np.sort(np.concatenate(ways))
        corners = ordered[np.append(True, ordered[1:] != ordered[:-1])]
    return corners


def _blur(corners: IntArray, step: int):  # type: ignore[no-untyped-def]  # SciPy's sparse arrays have no types
    """Make the matrix that gives a corner half of its own value and a quarter of each neighbour's along a direction."""
    from scipy import sparse

    count = len(corners)
    wanted = corners + step
    place = np.minimum(np.searchsorted(corners, wanted), count - 1)
    rows = np.flatnonzero(corners[place] == wanted)
    others, own = place[rows], np.arange(count)
    quarter = np.full(len(rows), 0.25, np.float32)
    values = np.concatenate([np.full(count, 0.5, np.float32), quarter, quarter])
    where = (np.concatenate([own, rows, others]).astype(np.int32), np.concatenate([own, others, rows]).astype(np.int32))
    return sparse.coo_array((values, where), shape=(count, count)).tocsr()
