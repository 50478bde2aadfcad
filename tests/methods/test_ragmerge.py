"""The merged method: superpixels, sums that add up, a tree whose levels nest, and what it learns."""

import gc
import itertools

import numpy as np
import pytest
from scipy import ndimage

from pixelwise.core.errors import DataError, OptionError, OutOfTime
from pixelwise.core.image import as_image
from pixelwise.core.labels import LabelSet
from pixelwise.core.masks import DisjointMasks
from pixelwise.core.sample import Dataset, Sample
from pixelwise.core.segmentation import Segmentation
from pixelwise.methods.effort import effort
from pixelwise.methods.graphs import boundary_strength, pair_learning, ragmerge, region_cues, region_graph, region_tree
from pixelwise.methods.graphs.pair_weights import RULE
from pixelwise.methods.predictor import Method
from pixelwise.metrics import partition
from pixelwise.metrics.evaluate import evaluate
from pixelwise.scenes import scenes

SIZE = (48, 64)


def quarters(noise=6.0, seed=0):
    """Four plain quarters of other colours with noise, (48, 64, 3) uint8, and which is which (48, 64)."""
    ids = np.kron([[0, 1], [2, 3]], np.ones((24, 32), int))
    colours = np.array([[200, 60, 50], [60, 170, 60], [50, 80, 190], [220, 210, 90]])
    pixels = colours[ids] + np.random.default_rng(seed).normal(0, noise, (*SIZE, 3))
    return np.clip(pixels, 0, 255).astype(np.uint8), ids


@pytest.fixture(scope="module")
def graph():
    seen = boundary_strength.strengths(as_image(quarters()[0]))
    ids = region_graph.flooded(seen.maps[0], 8)
    return ids, region_graph.region_graph(ids, seen), seen


def test_four_plain_quarters_are_the_four_regions_merged_last():
    pixels, ids = quarters()
    found = ragmerge.segment(as_image(pixels), regions=4).panoptic_ids()
    agreeing = partition.score(partition.count(regions(found), regions(ids + 1)))
    assert agreeing["covering_ods"] > 0.95


def regions(ids):
    count = int(ids.max())
    return Segmentation("regions", DisjointMasks(ids, count), np.zeros(count, int), LabelSet.of(["region"]))


def test_levels_nest_from_superpixels_to_one_region():
    image = as_image(quarters()[0])
    found = [one.panoptic_ids().astype(int) for one in ragmerge.levels(image, np.linspace(0, 1, 9))]
    counts = [one.max() for one in found]
    assert counts == sorted(counts, reverse=True)
    assert counts[-1] == 1
    for finer, coarser in itertools.pairwise(found):
        assert len(np.unique(finer * 1000 + coarser)) == finer.max()  # no region of the finer is in two of the coarser


@pytest.mark.parametrize("number", [1, 2, 5, 17])
def test_gives_as_many_regions_as_asked_for(number):
    assert len(ragmerge.segment(as_image(quarters()[0]), regions=number)) == number


def test_regions_hang_together():
    found = ragmerge.segment(as_image(quarters()[0]), regions=9).panoptic_ids()
    assert all(ndimage.label(found == one)[1] == 1 for one in range(1, 10))


def test_there_is_a_superpixel_a_cell_and_each_hangs_together(graph):
    ids = graph[0]
    assert ids.max() + 1 == (48 // 8) * (64 // 8)
    assert all(ndimage.label(ids == one)[1] == 1 for one in range(ids.max() + 1))


def test_a_merged_graph_is_the_graph_of_the_merged_map(graph):
    ids, whole, seen = graph
    into = np.random.default_rng(3).integers(0, 7, len(whole))
    into[:7] = np.arange(7)
    one, other = region_graph.contracted(whole, into), region_graph.region_graph(into[ids], seen)
    assert np.array_equal(one.pairs, other.pairs)
    for name in ("sums", "histograms", "borders"):
        assert np.allclose(getattr(one, name), getattr(other, name), rtol=1e-4)


def test_cues_do_not_depend_on_which_region_is_first(graph):
    _, whole, _ = graph
    turned = np.arange(len(whole))[::-1]
    there = region_graph.contracted(whole, turned)
    order = np.lexsort(np.sort(turned[whole.pairs], axis=1).T[::-1])
    assert region_cues.cues(whole).shape == (len(whole.pairs), len(region_cues.CUES))
    assert np.allclose(region_cues.cues(whole)[order], region_cues.cues(there), rtol=1e-3, atol=1e-4)


def test_the_tree_of_a_chain_merges_by_weight():
    """Four pixels in a row with steps of 1, 5 and 2 between them, merged by their difference alone."""
    ids = np.arange(4)[None]
    values = np.array([0.0, 1, 6, 8])
    sums = np.zeros((4, 11), np.float32)
    sums[:, 0], sums[:, 1] = 1, values
    whole = region_graph.RegionGraph(
        sums,
        np.ones((4, 1), np.float32),
        np.array([0]),
        np.array([[0, 1], [1, 2], [2, 3]]),
        np.ones((3, 10), np.float32),
        (1, 4),
    )

    def difference(graph):
        means = graph.sums[:, 1] / graph.sums[:, 0]
        return np.abs(means[graph.pairs[:, 0]] - means[graph.pairs[:, 1]])

    tree = region_tree.merged(ids, whole, difference)
    assert tree.heights.tolist() == [1, 2, 6.5]  # the last: between the means 0.5 and 7
    assert tree.at_level(1).tolist() == [[0, 0, 1, 2]]
    assert tree.of_regions(2).tolist() == [[0, 0, 1, 1]]


def test_heights_never_fall_where_a_union_is_more_like_its_neighbour_than_its_parts_were(graph):
    tree = region_tree.merged(graph[0], graph[1], RULE)
    assert (np.diff(tree.heights) >= 0).all()
    assert len(tree.merges) == len(graph[1]) - 1


def test_a_gradient_is_the_step_divided_by_the_blur():
    """A step of 10 blurred by 2 pixels is steepest in its middle, by 10 times the density there."""
    step = np.zeros((41, 41, 1), np.float32)
    step[:, 20:] = 10
    found = boundary_strength.gradient(step, 2.0)
    assert found[20, 19:21] == pytest.approx(10 / (2 * np.sqrt(2 * np.pi)), rel=0.06)
    assert found[:, :5].max() < 1e-3


def test_one_tree_serves_every_level_of_an_image(monkeypatch):
    made = []
    grown = ragmerge._grown
    monkeypatch.setattr(ragmerge, "_grown", lambda *arguments: made.append(1) or grown(*arguments))
    data = scenes(2, size=SIZE, seed=2)
    levels = [Method("ragmerge", level=level) for level in (0.2, 0.4, 0.6)]
    evaluate(levels, data, "partition", intervals=None)
    assert len(made) == len(data)


def test_a_tree_is_forgotten_with_its_image_and_made_anew_when_the_pixels_change():
    gc.collect()
    before = len(ragmerge._RECENT)
    pixels = quarters()[0].copy()
    image = as_image(pixels)
    first = ragmerge.segment(image, regions=2)
    pixels[:], pixels[:, :16] = 255, 0
    assert ragmerge.segment(image, regions=2) != first
    del image
    gc.collect()
    assert len(ragmerge._RECENT) == before


def test_a_large_image_is_worked_on_smaller_and_says_so():
    pixels = np.kron(quarters()[0], np.ones((4, 4, 1), np.uint8))
    found = ragmerge.segment(as_image(pixels), regions=4, superpixels=20)
    assert found.size == (192, 256)
    assert "brought back along the edges" in found.notes[0]


@pytest.mark.parametrize(
    "options", [{"level": 1.1}, {"level": -0.1}, {"regions": -1}, {"superpixels": 0}, {"level": float("nan")}]
)
def test_an_option_out_of_range_is_refused(options):
    with pytest.raises(OptionError, match=f"ragmerge: {next(iter(options))} must be"):
        ragmerge.segment(as_image(quarters()[0]), **options)


def test_the_time_limit_holds():
    with pytest.raises(OutOfTime), effort(seconds=0):
        ragmerge.segment(as_image(quarters()[0]))


def learnable(count=4):
    labels = LabelSet.of(["region"])
    samples = []
    for seed in range(count):
        pixels, ids = quarters(noise=30, seed=seed)
        samples.append(Sample.of(f"{seed}", as_image(pixels), regions(ids + 1)))
    return Dataset(samples, labels, "regions")


def test_learned_weights_part_what_people_part():
    method = Method("ragmerge", regions=4, sample=4000).fit(learnable())
    pixels, ids = quarters(noise=30, seed=9)
    found = method([as_image(pixels)])[0]
    assert partition.score(partition.count(found, regions(ids + 1)))["covering_ods"] > 0.8
    again = Method("ragmerge", regions=4, sample=4000).fit(learnable())
    assert method.fingerprint() == again.fingerprint()


def test_a_data_set_without_labelled_pixels_teaches_nothing():
    labels = LabelSet.of(["region"])
    blank = Segmentation("regions", DisjointMasks(np.zeros(SIZE, int), 0), np.zeros(0, int), labels)
    with pytest.raises(DataError, match="no pair of labelled regions"):
        ragmerge.fit(Dataset([Sample.of("blank", as_image(quarters()[0]), blank)], labels, "regions"))


def test_pixels_that_truths_share_are_counted_and_unknown_ones_left_out():
    ids, segments = np.array([[0, 0, 1, 1]]), np.array([[1, 2, 2, 0]])
    assert pair_learning.shared_pixels(ids, segments).tolist() == [[1, 1], [0, 1]]
