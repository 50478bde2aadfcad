"""Classical methods: one file each, a function from image to segmentation.

A method's module has ``KIND`` and ``segment(image, **options spelled out) -> Segmentation``. What it finds is fixed by the
image, the options and the seed alone. It takes images of any size, depth and number of bands; an image without contrast is
one segment. Those in ``TRAINABLE`` also have ``fit(dataset, ...)``, whose result ``segment`` takes as its option ``model``;
those in ``TRAINED`` do nothing without it.
"""

from pixelwise.catalog import Catalog

METHODS = Catalog(
    "method",
    {
        "threshold": "pixelwise.methods.thresholds.threshold",
        "otsu": "pixelwise.methods.thresholds.otsu",
        "multiotsu": "pixelwise.methods.thresholds.multiotsu",
        "li": "pixelwise.methods.thresholds.li",
        "yen": "pixelwise.methods.thresholds.yen",
        "triangle": "pixelwise.methods.thresholds.triangle",
        "isodata": "pixelwise.methods.thresholds.isodata",
        "minimum": "pixelwise.methods.thresholds.minimum",
        "mean": "pixelwise.methods.thresholds.mean",
        "adaptive": "pixelwise.methods.thresholds.adaptive",
        "niblack": "pixelwise.methods.thresholds.niblack",
        "sauvola": "pixelwise.methods.thresholds.sauvola",
        "bernsen": "pixelwise.methods.thresholds.bernsen",
        "hysteresis": "pixelwise.methods.thresholds.hysteresis",
        "sobel": "pixelwise.methods.edges.sobel",
        "prewitt": "pixelwise.methods.edges.prewitt",
        "scharr": "pixelwise.methods.edges.scharr",
        "roberts": "pixelwise.methods.edges.roberts",
        "laplacian": "pixelwise.methods.edges.laplacian",
        "canny": "pixelwise.methods.edges.canny",
        "contours": "pixelwise.methods.edges.contours",
        "snakes": "pixelwise.methods.edges.snakes",
        "chanvese": "pixelwise.methods.edges.chanvese",
        "morphgac": "pixelwise.methods.edges.morphgac",
        "growing": "pixelwise.methods.growing.growing",
        "floodfill": "pixelwise.methods.growing.floodfill",
        "watershed": "pixelwise.methods.growing.watershed",
        "splitmerge": "pixelwise.methods.growing.splitmerge",
        "kmeans": "pixelwise.methods.clusters.kmeans",
        "minibatchkmeans": "pixelwise.methods.clusters.minibatchkmeans",
        "gaussianmixture": "pixelwise.methods.clusters.gaussianmixture",
        "meanshift": "pixelwise.methods.clusters.meanshift",
        "dbscan": "pixelwise.methods.clusters.dbscan",
        "agglomerative": "pixelwise.methods.clusters.agglomerative",
        "fuzzycmeans": "pixelwise.methods.clusters.fuzzycmeans",
        "spectral": "pixelwise.methods.clusters.spectral",
        "felzenszwalb": "pixelwise.methods.graphs.felzenszwalb",
        "slic": "pixelwise.methods.graphs.slic",
        "quickshift": "pixelwise.methods.graphs.quickshift",
        "ragmerge": "pixelwise.methods.graphs.ragmerge",
        "normalizedcut": "pixelwise.methods.graphs.normalizedcut",
        "graphcut": "pixelwise.methods.graphs.graphcut",
        "grabcut": "pixelwise.methods.graphs.grabcut",
        "randomwalker": "pixelwise.methods.graphs.randomwalker",
        "randomforest": "pixelwise.methods.learned.randomforest",
    },
)
TRAINED = frozenset({"randomforest"})
TRAINABLE = TRAINED | {"ragmerge"}
