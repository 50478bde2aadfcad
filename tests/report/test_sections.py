"""The figures of a page: as long as their numbers, with the numbers beside them, and none where nothing is known."""

import re

import pytest

from pixelwise.core.sample import Sample
from pixelwise.metrics.result import Slice
from pixelwise.report.borders import border_figures
from pixelwise.report.error_kinds import error_figures
from pixelwise.report.films import MOST_CLIPS, Clip, clips_of, film_figures, film_words
from pixelwise.report.levels import level_figures
from pixelwise.report.objects import object_figures, panoptic_figures
from pixelwise.report.precision_recall import MOST_CLASSES, precision_figures
from pixelwise.report.sections import after_classes, after_confusion, before_classes
from pixelwise.report.slices import slice_figures

LOST = ("borders", "extent", "confusion", "missed", "invented")


def losses(*values):
    return {f"iou_lost_to_{kind}": value for kind, value in zip(LOST, values, strict=True)}


def widths(drawing):
    return [float(width) for width in re.findall(r'width="([\d.]+)" height="16"', drawing)]


def test_a_page_of_nothing_has_no_sections():
    assert before_classes({}, {}, {}) == after_classes({}, {}, {}) == after_confusion({}, ()) == []


BY_CLASS = {
    "sky": losses(0.1, 0.0, 0.0, 0.0, 0.0),
    "pole": losses(0.2, 0.0, 0.0, 0.3, 0.1),
    "boat": losses(*[float("nan")] * 5),  # absent
}
SIZE = {"from": 1, "below": 16, "objects": 4, "hits": 3, "misses": 1, "splits": 1, "inventions": 1, "merges": 0}
NO_SIZE = dict.fromkeys(SIZE, 0) | {"from": 16, "below": None}


class TestErrorKinds:
    def test_what_was_got_and_lost_fills_the_bar(self):
        (figure,) = error_figures(losses(0.15, 0.0, 0.0, 0.15, 0.05), BY_CLASS)
        assert [row[0] for row in figure.table.rows] == ["all classes", "pole", "sky"]  # the most lost first
        assert widths(figure.table.rows[1][1]) == pytest.approx([80, 40, 60, 20])
        assert figure.table.rows[1][2:] == ["0.4000", "0.2000", "0.0000", "0.0000", "0.3000", "0.1000"]

    def test_every_kind_is_explained(self):
        (figure,) = error_figures(losses(*[0.1] * 5), BY_CLASS)
        assert [entry.name for entry in figure.key] == ["IoU got", *LOST]
        assert all(entry.words for entry in figure.key)

    def test_some_kinds_alone_are_no_figure(self):
        assert error_figures({"iou_lost_to_borders": 0.1}, {}) == []


def graphs(classes, objects=None):
    line = [1.0, 0.5, 0.0]
    lines = {"precision": line, "precision50": line, "precision75": line}
    found = {"recall": [0.0, 0.5, 1.0], "mean": lines, "classes": dict.fromkeys(classes, lines), "left_out": 0}
    return found | ({"objects": objects} if objects else {})


class TestPrecisionRecall:
    def test_each_family_has_its_curve(self):
        details = {"precision_recall": graphs(["a"]), "box_precision_recall": graphs(["a"])}
        figures = precision_figures({}, {}, details)
        assert [figure.title for figure in figures] == ["Precision over recall, masks", "Precision over recall, boxes"]
        assert figures[0].drawing.count("M44.0 10.0L227.0 110.0L410.0 210.0") == 3  # from the upper left to the lower right

    def test_of_many_classes_those_with_enough_objects_are_drawn_from_low_to_high(self):
        names = [f"c{index:02}" for index in range(40)]
        per_class = {name: {"ap": index / 40, "objects": 50 if index % 2 else 1} for index, name in enumerate(names)}
        figure = precision_figures({}, per_class, {"precision_recall": graphs(names)})[-1]
        drawn = re.findall(r"<b>(\w+)</b>", figure.drawing)
        assert drawn == ["c01", "c03", "c05", "c07", "c09", "c11", "c29", "c31", "c33", "c35", "c37", "c39"]
        assert "28 more" in figure.words

    def test_where_few_classes_have_enough_the_most_frequent_are_drawn(self):
        names = [f"c{index:02}" for index in range(20)]
        per_class = {name: {"ap": 0.5, "objects": index} for index, name in enumerate(names)}
        figure = precision_figures({}, per_class, {"precision_recall": graphs(names)})[-1]
        assert re.findall(r"<b>(\w+)</b>", figure.drawing) == names[-MOST_CLASSES:]

    def test_sizes_have_their_scores_intervals_and_numbers_of_objects(self):
        scores = {"ap_small": 0.1, "ap_small_interval": (0.05, 0.2), "ap_medium": 0.4, "ap_large": None, "ar_small": 0.2}
        details = {"precision_recall": graphs(["a"], {"all": 1200, "small": 1000, "medium": 200, "large": 0})}
        figure = next(one for one in precision_figures(scores, {}, details) if one.title == "By size of object")
        assert figure.table.rows[0] == ("small: below 32² pixels", "0.1000", "0.2000", "1,000")
        assert figure.table.rows[2] == ("large: 96² and more pixels", "–", "–", "0")
        assert figure.drawing.count('class="whisker"') == 1
        assert "0.0500 to 0.2000" in figure.drawing

    def test_scores_by_size_that_were_not_asked_for_are_not_drawn(self):
        assert [figure.title for figure in precision_figures({"ap50": 0.5}, {}, {"precision_recall": graphs(["a"])})] == [
            "Precision over recall, masks"
        ]


class TestObjects:
    CURVE = (
        {"iou": 0.5, "hits": 3, "misses": 1, "inventions": 1, "f1": 0.75},
        {"iou": 0.95, "hits": 0, "misses": 4, "inventions": 4, "f1": 0.0},
    )

    def test_hits_misses_and_inventions_fill_the_bar(self):
        (figure,) = object_figures({"objects_by_size": [SIZE, NO_SIZE]})
        assert [row[0] for row in figure.table.rows] == ["all sizes", "1 to 15 px"]  # sizes without objects are left out
        assert widths(figure.table.rows[1][1]) == [120, 40, 40]
        assert figure.table.rows[1][2:] == ["4", "3", "1", "1", "1", "0"]

    def test_scores_fall_as_more_iou_is_asked_for(self):
        (figure,) = object_figures({"objects_by_iou": self.CURVE})
        assert "IoU above 0.50: found 0.7500" in figure.drawing
        assert figure.table.rows == [["0.50", "0.7500", "3", "1", "1"], ["0.95", "0.0000", "0", "4", "4"]]

    def test_no_objects_are_no_figure(self):
        nothing = [{**one, "hits": 0, "misses": 0, "inventions": 0, "f1": None} for one in self.CURVE]
        assert object_figures({"objects_by_size": [NO_SIZE], "objects_by_iou": nothing}) == []

    def test_panoptic_segments_are_told_by_group(self):
        group = {"group": "things", "classes": 2, "pq": 0.5, "sq": 0.8, "rq": 0.6, "tp": 6, "fp": 2, "fn": 2, "left_out": 1}
        empty = {**group, "group": "stuff", "classes": 0}
        (figure,) = panoptic_figures({"panoptic_groups": [group, empty], "panoptic_unknown": 3})
        assert [row[0] for row in figure.table.rows] == ["things"]
        assert widths(figure.table.rows[0][1]) == pytest.approx([120, 40, 40])
        assert "3 predicted segments" in figure.words


class TestBorders:
    def test_classes_that_lose_most_at_their_borders_come_first(self):
        per_class = {
            "road": {"iou": 0.9, "boundary_iou": 0.8},
            "tree": {"iou": 0.9, "boundary_iou": 0.5, "boundary_f1": 0.6},
            "boat": {"iou": None, "boundary_iou": float("nan")},
        }
        (figure,) = border_figures({"miou": 0.9, "boundary_iou": 0.65}, per_class, {})
        assert [row[0] for row in figure.table.rows] == ["all classes", "tree", "road"]
        assert figure.table.rows[1][2:] == ["0.9000", "0.5000", "-0.4000", "0.6000"]

    def test_borders_without_whole_classes_are_not_compared(self):
        assert border_figures({"boundary_iou": 0.5}, {"a": {"boundary_iou": 0.5}}, {}) == []

    def test_classes_on_one_side_alone_are_counted(self):
        sides = {"both": 3, "truth_only": 2, "prediction_only": 0}
        (figure,) = border_figures({}, {}, {"surfaces": {"a": sides, "b": {**sides, "truth_only": 0}}})
        assert figure.table.rows == [["a", "3", "2", "0"]]


class TestSlices:
    SLICES = (
        Slice("light", "dark", 5, {"miou": 0.2, "dice": 0.4}, {"miou": (0.1, 0.3)}, "only 5 images"),
        Slice("light", "bright", 7, {"miou": 0.5, "dice": 0.6}, {"miou": None}),
        Slice("place", "town", 12, {"miou": float("nan"), "dice": 0.5}),
    )

    def test_each_column_is_a_figure_on_one_scale(self):
        figures = slice_figures(self.SLICES, {"miou": 0.4})
        assert [figure.title for figure in figures] == ["light", "place"]
        assert {figure.table.head[1] for figure in figures} == {"0.10 to 0.50"}
        dark, bright = figures[0].table.rows
        assert 'cx="42.5"' in dark[1]  # a quarter of the way
        assert 'cx="155.0"' in bright[1]
        assert dark[2:] == ["0.2000", "0.1000 to 0.3000", "0.4000", "5"]
        assert bright[3] == ""
        assert "only 5 images" in figures[0].words

    def test_a_part_without_a_score_has_no_dot(self):
        assert slice_figures(self.SLICES, {})[1].table.rows[0][1:3] == ["", "–"]

    def test_parts_of_one_score_can_be_drawn(self):
        (figure,) = slice_figures([Slice("a", "b", 1, {"miou": 0.5})], {"miou": 0.5})
        assert 'cx="80.0"' in figure.table.rows[0][1]


def level(number, **scores):
    return {"level": number, "pri": 0.5, "vi": 3.0, "vi_over": 1.0, "vi_under": 2.0, "covering": 0.4, "best_for": [], **scores}


class TestLevels:
    def test_levels_are_drawn_with_the_best_of_them_named(self):
        levels = [level(1, best_for=["pri", "vi"]), level(2, covering=0.6, best_for=["covering"])]
        agreement, bits = level_figures({"by_level": levels})
        assert "level 2 for covering, level 1 for the Rand index" in agreement.words
        assert "level 2: Covering 0.6000" in agreement.drawing
        assert ">3</text>" in bits.drawing  # the scale ends at the largest number of bits

    def test_one_level_is_no_curve(self):
        assert level_figures({"by_level": [level(1)]}) == []
        assert level_figures({"by_level": [level(1, pri=float("nan")), level(2)]}) == []

    def test_superpixels_are_described(self):
        (figure,) = level_figures({"superpixels": {"per_image": 200.25, "compactness": 0.5}})
        assert figure.table.rows == [("200.2", "0.5000")]
        assert level_figures({"superpixels": {"per_image": None, "compactness": None}}) == []


class TestFilms:
    def test_frames_are_put_in_order_and_the_worst_film_first(self):
        samples = {
            f"{clip}{frame}": Sample.of(f"{clip}{frame}", None, sequence=clip, frame=frame) for clip in "ab" for frame in (1, 2)
        }
        rows = [{"name": name, "j": 0.2 if name[0] == "b" else 0.9, "f": int(name[1]) / 4} for name in ("b2", "a2", "a1", "b1")]
        found = clips_of(rows, samples)
        assert [clip.name for clip in found] == ["b", "a"]
        assert (found[0].frames, found[0].f) == ((1, 2), (0.25, 0.5))

    def test_a_frame_without_objects_is_a_gap_in_the_line(self):
        drawn = film_figures([Clip("a", (1, 2, 3, 4, 5), (1.0, 1.0, None, 0.5, 0.5), (None,) * 5)], {})[0].drawing
        assert drawn.count('class="line first"') == 2
        assert drawn.count('class="line second"') == 0

    def test_images_that_are_no_frames_are_no_film(self):
        assert clips_of([{"name": "x", "j": 1.0, "f": 1.0}], {"x": Sample.of("x", None)}) == []
        assert clips_of([{"name": "x", "miou": 1.0}], {"x": Sample.of("x", None, sequence="a", frame=1)}) == []

    def test_of_many_films_the_worst_are_drawn(self):
        clips = [Clip(f"c{index}", (1, 2), (0.5, 0.5), (0.5, 0.5)) for index in range(MOST_CLIPS + 3)]
        assert len(film_figures(clips, {})) == MOST_CLIPS
        assert f"of {MOST_CLIPS + 3}" in film_words(clips)

    def test_objects_and_films_are_listed_with_their_numbers(self):
        one = {"clip": "a", "object": 1, "class": "car", "frames": 9, "j": 0.5, "f": 0.6, "j_recall": 1.0, "f_recall": 1.0}
        followed = [{**one, "j_decay": 0.1, "f_decay": -0.1}]
        steady = {"clip": "a", "pairs": 8, "temporal_consistency": None, "temporal_stability": 0.9, "video_consistency": 0.8}
        details = {"followed": followed, "film": {"tracks_of_no_object": 2}, "steadiness": [{**steady, "flow_trusted": None}]}
        objects, films = film_figures([], details)
        assert objects.table.rows == [["a, object 1 (car)", "0.5000", "0.6000", "1.0000", "1.0000", "0.1000", "-0.1000", "9"]]
        assert "2 predicted tracks follow no object" in objects.words
        assert films.table.rows == [["a", "–", "0.9000", "0.8000", "–", "8"]]
