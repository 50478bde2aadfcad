"""Rows of a batch that are worked off together: of N images those that count, however many each has."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from pixelwise.models.recorded import is_recorded, varies

_LEAST = 2  # rows: of fewer, exporters and runtimes ask whether there are any


@dataclass(frozen=True)
class Rows:
    """R of the N x P rows of a batch.

    In a graph for any number of images R varies as it does eagerly, but for two rows that are always there. In a graph for so
    many images nothing varies, and R is N x P.

    Attributes:
        counts: (N, P) which rows count.
        places: (R,) numbers of the rows among all N x P; None for all of them.
    """

    counts: Tensor
    places: Tensor | None

    @classmethod
    def of(cls, counts: Tensor) -> "Rows":
        """Give the rows marked in (N, P)."""
        flat = counts.flatten()
        if not is_recorded():
            return cls(counts, torch.where(flat)[0])
        if not varies(counts.shape[0]):
            return cls(counts, None)
        first = torch.arange(flat.shape[0], device=flat.device) < _LEAST
        places = torch.where(flat | first)[0]
        torch._check(places.shape[0] >= min(_LEAST, counts.shape[1]))
        return cls(counts, places)

    @property
    def images(self) -> Tensor:
        """The image (R,) of each row."""
        count, length = self.counts.shape
        if self.places is not None:
            return self.places // length
        return torch.arange(count, device=self.counts.device)[:, None].expand(count, length).flatten()

    def taken(self, values: Tensor) -> Tensor:
        """Take the rows (R, …) out of (N, P, …)."""
        flat = values.flatten(0, 1)
        return flat if self.places is None else flat.index_select(0, self.places)

    def laid_out(self, values: Tensor) -> Tensor:
        """Put rows (R, …) back into their places of (N, P, …), with 0 where a row does not count."""
        size, own = self.counts.shape, values.shape[1:]
        whole = values
        if self.places is not None:
            whole = values.new_zeros(size[0] * size[1], *own).index_put((self.places,), values)
        whole = whole.unflatten(0, size)
        return torch.where(self.counts.view(*size, *(1 for _ in own)), whole, 0.0) if is_recorded() else whole


def rows_at(values: Tensor, rows: Tensor) -> Tensor:
    """Take rows (N, K) out of each image's values (N, A, C): (N, K, C).

    >>> rows_at(torch.tensor([[[1, 2], [3, 4]]]), torch.tensor([[1, 1, 0]])).tolist()
    [[[3, 4], [3, 4], [1, 2]]]
    """
    return values.gather(1, rows[..., None].expand(-1, -1, values.shape[2]))


def rows_of(parts: Sequence[Tensor], images: Tensor, rows: Tensor) -> Tensor:
    """Take row ``rows`` (K,) of the part of each of ``images`` (K,); the parts have a row an object.

    >>> rows_of([torch.tensor([1, 2]), torch.tensor([3])], torch.tensor([1, 0]), torch.tensor([0, 1])).tolist()
    [3, 2]
    """
    starts = [0]
    for part in parts:
        starts.append(starts[-1] + len(part))
    return torch.cat(list(parts))[torch.tensor(starts, device=rows.device)[images] + rows]
