"""Group the colours of an image by a mixture of Gaussians [1].

Clusters may be of unlike size and stretched, as a shaded surface's colours are. The mixture is fitted to a sample of the
pixels; then every pixel takes the most probable component. Cost: the sample's fit, and distinct colours (or pixels, where more
than colour counts) x clusters x channels squared. The number of clusters, where it is not given, is the one with the best
integrated completed likelihood [2]: the Bayes information criterion [3], which alone takes ever more components to follow the
shape of photographs' colours, plus the entropy of the pixels' memberships, which counts only components that are apart.

[1] Dempster, Laird, Rubin: Maximum likelihood from incomplete data via the EM algorithm, J. Royal Statistical Society B, 1977.
[2] Biernacki, Celeux, Govaert: Assessing a mixture model for clustering with the integrated completed likelihood, TPAMI 2000.
[3] Schwarz: Estimating the dimension of a model, Annals of Statistics 1978.
"""

import warnings
from typing import Any, Literal, TypeAlias, get_args

import numpy as np

from pixelwise.core.arrays import FloatArray, IntArray
from pixelwise.core.errors import OptionError, nearest
from pixelwise.core.image import Image
from pixelwise.core.segmentation import Kind, Segmentation
from pixelwise.methods.about import About
from pixelwise.methods.clusters import number
from pixelwise.methods.clusters.centres import by_centres, one_region
from pixelwise.methods.clusters.features import Features, Space, Texture
from pixelwise.methods.clusters.points import Points
from pixelwise.methods.effort import advance
from pixelwise.methods.partition import as_regions

Covariance: TypeAlias = Literal["full", "tied", "diag", "spherical"]
KIND: Kind = "regions"
ABOUT = About(
    "clustering",
    "clusters of unlike size and spread, such as a small bright thing on a large shaded ground",
    "colours in no clear groups; it is slower than k-means",
    "linear in the pixels after the fit to a sample; stops growing with the distinct colours where only colour counts",
    "Dempster, Laird, Rubin: Maximum likelihood from incomplete data via the EM algorithm, J. Royal Statistical Society B 1977",
)
_FLOOR = 1e-5  # of a variance: that of about one level of 8 bits, so that a plain colour is no needle of endless density
_TRIED_ON = 4000  # pixels that the number of clusters is chosen on


def segment(
    image: Image,
    *,
    clusters: int | None = None,
    most: int = 8,
    covariance: Covariance = "full",
    space: Space = "lab",
    place: float = 0.0,
    texture: Texture = "none",
    texture_weight: float = 1.0,
    smooth: float = 0.0,
    sample: int = 20_000,
    seed: int = 0,
) -> Segmentation:
    """Group the pixels of ``image`` into at most ``clusters`` regions, from dark to bright.

    Args:
        clusters: how many to find; None chooses from 2 to ``most``.
        most: the highest number that is tried.
        covariance: the shapes of the components: any for each (``full``), any but one for all (``tied``), along the channels
            (``diag``), or round (``spherical``).
        space, place, texture, texture_weight, smooth: what pixels are compared by; see ``Features``.
        sample: how many pixels the mixture is fitted to.
        seed: of the sample and of the start, by k-means.

    Raises:
        OptionError: an option is out of range.
    """
    number.check("gaussianmixture", clusters, most, sample, seed)
    if covariance not in get_args(Covariance):
        raise OptionError(f"gaussianmixture: covariance: got {covariance!r}; {nearest(str(covariance), get_args(Covariance))}")
    points = Points(image, Features(space, place, texture, texture_weight, smooth).checked("gaussianmixture"))
    if points.is_plain or clusters == 1:
        return one_region(image.size)
    values = points.drawn(sample, seed).astype(np.float64)
    distinct = np.unique(values, axis=0)
    if len(distinct) <= (clusters or most):
        return by_centres(points, distinct)
    mixture = _fitted(values, clusters or _number(values, most, covariance, seed), covariance, seed)
    order = np.argsort(points.brightness(mixture.means_), kind="stable")
    ranks = np.argsort(order)
    return as_regions(points.labelled(lambda part: ranks[_components(mixture, part)], len(ranks)), points.notes)


def _number(values: FloatArray, most: int, covariance: Covariance, seed: int) -> int:
    """Choose the number, 2 to ``most``, of the least BIC plus twice the entropy of the memberships."""
    chosen = np.random.default_rng(seed).choice(len(values), min(len(values), _TRIED_ON), replace=False)
    tried, costs = values[chosen], []
    for count in range(2, min(most, len(tried)) + 1):
        mixture = _fitted(tried, count, covariance, seed)
        shares = np.maximum(mixture.predict_proba(tried), 1e-300)
        costs.append(mixture.bic(tried) - 2 * float((shares * np.log(shares)).sum()))
        advance(0.4 * count / most)
    return 2 + int(np.argmin(costs)) if costs else 1


def _fitted(values: FloatArray, clusters: int, covariance: Covariance, seed: int) -> Any:
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.mixture import GaussianMixture
    from threadpoolctl import threadpool_limits

    mixture = GaussianMixture(clusters, covariance_type=covariance, reg_covar=_FLOOR, random_state=seed)
    with threadpool_limits(1), warnings.catch_warnings():  # one that still moves a little parts pixels all the same
        warnings.simplefilter("ignore", ConvergenceWarning)
        return mixture.fit(values)


def _components(mixture: Any, values: FloatArray) -> IntArray:
    from threadpoolctl import threadpool_limits

    with threadpool_limits(1):
        return np.asarray(mixture.predict(values.astype(np.float64)))
