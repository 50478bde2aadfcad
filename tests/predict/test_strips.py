"""Blocks of a raster: they partition it, say what the whole image would, and take memory that does not grow with the height."""

import tracemalloc
from dataclasses import dataclass, replace

import numpy as np
import pytest
from scipy import ndimage

from pixelwise.core.card import Card
from pixelwise.core.errors import OptionError, UnreadableFile
from pixelwise.core.image import RGB, Image
from pixelwise.core.labels import LabelSet
from pixelwise.core.predictor import PLAIN, Request
from pixelwise.core.prompt import Prompt
from pixelwise.core.rasters.raster import ImageRaster
from pixelwise.core.scale import scale_image
from pixelwise.core.segmentation import Segmentation
from pixelwise.decode.frame import Frame
from pixelwise.methods.predictor import Method
from pixelwise.predict.decision import Decided
from pixelwise.predict.tiled import Tiled
from pixelwise.predict.tiles.strips import JOINS, Tiling, blocks

LABELS = LabelSet.of(["a", "b", "c"])
WANTED = Request(probabilities=True)


class Strided:
    """A convolution of 3 x 3 at full size, and one over means of 4 x 4 pixels: no pixel sees further than 8 pixels."""

    card = Card("strided", "semantic", LABELS, stride=4, field_of_view=(17, 17), gives_probabilities=True)

    def __init__(self, scale=1.0):
        self.card = replace(self.card, scale=scale)
        self.seen = []

    def __call__(self, images, request=PLAIN):
        self.seen += [image.size for image in images]
        return [self._one(image, request) for image in images]

    def _one(self, image, request):
        small = scale_image(image, self.card.scale)
        frame = Frame(image.size, (small.size[0] / image.size[0], small.size[1] / image.size[1]))
        fine = ndimage.uniform_filter(small.unit(), (3, 3, 1), mode="nearest")
        height, width = (-(-side // 4) for side in small.size)
        padded = np.pad(fine, [(0, 4 * height - small.size[0]), (0, 4 * width - small.size[1]), (0, 0)], mode="edge")
        coarse = ndimage.uniform_filter(padded.reshape(height, 4, width, 4, 3).mean(axis=(1, 3)), (3, 3, 1), mode="nearest")
        coarse = coarse.repeat(4, axis=0).repeat(4, axis=1)[: small.size[0], : small.size[1]]
        powers = np.exp(30 * (fine + 3 * coarse - 2)).transpose(2, 0, 1)
        probabilities = frame.undone((powers / powers.sum(axis=0)).astype(np.float32))
        decided = Decided(image.size, LABELS, request.threshold)
        decided.add(0, probabilities)
        return decided.segmentation(probabilities if request.probabilities else None)


def noise(size, bands=3):
    return Image(np.random.default_rng(0).integers(0, 256, (*size, bands)).astype(np.uint8))


@pytest.mark.parametrize("join", JOINS)
@pytest.mark.parametrize("size", [(24, 32), (25, 33), (61, 83), (96, 40), (131, 29)])
def test_tiles_say_what_the_whole_image_says_where_the_overlap_covers_the_field_of_view(size, join):
    image, tiled = noise(size), Tiled(Strided(), (24, 32), 16, join)
    (whole,), (found,) = Strided()([image], WANTED), tiled([image], WANTED)
    np.testing.assert_allclose(found.probabilities, whole.probabilities, atol=1e-5)
    assert tiled([image])[0] == whole
    np.testing.assert_allclose(found.scores, whole.scores, atol=1e-5)


@pytest.mark.parametrize("join", JOINS)
def test_images_read_at_a_smaller_scale_are_cut_on_the_grid_of_the_network(join):
    image, tiled = noise((120, 168)), Tiled(Strided(0.5), (56, 64), 40, join)
    (whole,), (found,) = Strided(0.5)([image], WANTED), tiled([image], WANTED)
    np.testing.assert_allclose(found.probabilities, whole.probabilities, atol=1e-5)
    assert tiled.tiling().stride == 8


def test_a_smaller_overlap_than_the_field_of_view_changes_pixels():
    image = noise((61, 83))
    (whole,) = Strided()([image], WANTED)
    (found,) = Tiled(Strided(), (24, 32), 8, "cut")([image], WANTED)
    assert np.abs(found.probabilities - whole.probabilities).max() > 0.01


@pytest.mark.parametrize("join", JOINS)
@pytest.mark.parametrize("memory", [None, 12_000, 1])
@pytest.mark.parametrize("request_", [PLAIN, WANTED])
def test_blocks_partition_the_raster_and_agree_with_tiles_of_the_image(join, memory, request_):
    image, tiling = noise((61, 143)), Tiling((24, 32), 8, join, 4, memory)
    (wanted,) = Tiled(Strided(), (24, 32), 8, join)([image], request_)
    covered, classes = np.zeros(image.size, int), wanted.class_map()
    for block in blocks(Strided(), ImageRaster(image), tiling, request_):
        top, left, bottom, right = block.box
        covered[top:bottom, left:right] += 1
        assert (block.classes == classes[top:bottom, left:right]).all()
        assert (block.probabilities is None) == (block.highest is None) == (not request_.probabilities)
        if request_.probabilities:
            np.testing.assert_allclose(block.probabilities, wanted.probabilities[:, top:bottom, left:right], atol=1e-6)
            assert (block.highest == block.probabilities.max(axis=0)).all()
    assert (covered == 1).all()


def test_panels_are_as_narrow_as_the_memory_limit_wants():
    raster = ImageRaster(noise((61, 143)))
    whole, tight = (
        [block.box for block in blocks(Strided(), raster, Tiling((24, 32), 8, "hann", 4, memory))] for memory in (None, 1)
    )
    assert {(left, right) for _, left, _, right in whole} == {(0, 143)}
    assert sorted({left for _, left, _, _ in tight}) == [0, 24, 48, 72, 96, 116]  # the last is moved inward, and shares no more
    assert tight == sorted(tight, key=lambda box: (box[1], box[0]))


@pytest.mark.parametrize("join", JOINS)
@pytest.mark.parametrize("memory", [None, 1])
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_a_resumed_run_gives_the_blocks_that_are_left_bit_for_bit_and_predicts_fewer_tiles(join, memory, seed):
    raster, tiling = ImageRaster(noise((125, 90))), Tiling((24, 32), 8, join, 4, memory, call=2 * 24 * 32)
    first, second = Strided(), Strided()
    every = {block.box: block for block in blocks(first, raster, tiling, WANTED)}
    rng = np.random.default_rng(seed)
    done = {box for box in every if rng.random() < 0.6}
    left = list(blocks(second, raster, tiling, WANTED, skip=lambda box: box in done))
    assert {block.box for block in left} == every.keys() - done
    for block in left:
        assert (block.classes == every[block.box].classes).all()
        assert (block.probabilities == every[block.box].probabilities).all()
        assert (block.scores == every[block.box].scores).all()
    assert len(second.seen) < len(first.seen)
    assert list(blocks(second, raster, tiling, skip=lambda box: True)) == []


class Cheap:
    """Give every pixel class b."""

    card = Card("cheap", "semantic", LABELS, gives_probabilities=True)

    def __call__(self, images, request=PLAIN):
        found = []
        for image in images:
            volume = np.zeros((3, *image.size), np.float32) if request.probabilities else None
            if volume is not None:
                volume[1] = 1
            found.append(Segmentation.from_class_map(np.ones(image.size, np.uint8), LABELS, probabilities=volume))
        return found


@dataclass
class Endless:
    """A grey raster that is nowhere; one row of it is broken."""

    size: tuple[int, int]
    bands: tuple[str, ...] = RGB
    broken: int = -1

    def read(self, rows, columns):
        if rows.start <= self.broken < rows.stop:
            raise UnreadableFile("scan.tif: row 900 cannot be read")
        return Image(np.zeros((rows.stop - rows.start, columns.stop - columns.start, 3), np.uint8), self.bands)


def peak(size, join, request=PLAIN, memory=None):
    """Give the most bytes held while the blocks of a raster come and go."""
    tiling = Tiling((64, 64), 16, join, memory=memory, call=64 * 64)
    tracemalloc.start()
    for block in blocks(Cheap(), Endless(size), tiling, request):
        assert block.classes.all()
    held = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return held


@pytest.mark.parametrize("join", JOINS)
def test_memory_does_not_grow_with_the_height(join):
    peak((64, 64), join)  # what is made once
    low, high = peak((208, 400), join), peak((2032, 400), join)  # the last tiles share as much as the others
    assert high < 1.1 * low + 20_000


def test_memory_keeps_to_the_limit_whatever_the_width():
    tile = 64 * 64 * 3 * 4 * 4  # the tile's pixels, and the predictor's probabilities
    for memory in (350_000, 700_000):
        assert peak((120, 2000), "hann", WANTED, memory) < memory + tile
    assert peak((120, 2000), "hann", WANTED) > 1_500_000


def test_a_blend_holds_the_seam_and_not_the_strip():
    assert peak((200, 2000), "hann") < 16 * 2000 * 3 * 4 + 2 * 64 * 2000 + 8 * 64 * 64 * 3 * 4


def test_what_was_finished_before_a_broken_part_is_given():
    found = blocks(Cheap(), Endless((1200, 100), broken=900), Tiling((64, 64), 16, "cut"))
    finished = [next(found).box[2] for _ in range(18)]
    assert finished[-1] == 17 * 48 + 56  # the tile after it, from 864 to 928, has the broken row
    with pytest.raises(UnreadableFile, match="row 900"):
        next(found)


def test_what_cannot_be_done_is_said_before_the_first_block():
    raster, cut = Endless((100, 100)), Tiling((64, 64), 16)
    with pytest.raises(OptionError, match="gives regions segments"):
        blocks(Method("kmeans"), raster, cut)
    with pytest.raises(OptionError, match="gives no probabilities"):
        blocks(Method("otsu"), raster, replace(cut, join="hann"))
    with pytest.raises(OptionError, match="gives no probabilities"):
        blocks(Method("otsu"), raster, cut, WANTED)
    with pytest.raises(OptionError, match="prompts"):
        blocks(Cheap(), raster, cut, Request(prompts=((Prompt(points=((3, 3, True),)),),)))
    with pytest.raises(OptionError, match="two classes"):
        blocks(Cheap(), raster, cut, Request(threshold=0.5))


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"overlap": 64}, "an overlap from 0 to below the tile's shorter side, got 64"),
        ({"join": "mean"}, "one of gaussian, hann, cut, got 'mean'"),
        ({"stride": 49}, "cannot step by multiples of 49"),
        ({"margin": 9}, "margin of 9 on either side"),
        ({"memory": 0}, "above 0, got 0"),
    ],
)
def test_tiles_that_cannot_be_laid_are_refused_in_a_sentence(options, words):
    with pytest.raises(OptionError, match=words):
        Tiling(**{"tile": (64, 64), "overlap": 16, **options})
