"""The choice among methods follows the rules that it states."""

import pytest
from cells import cells

from pixelwise.core.errors import OptionError, TrainingError, UnknownName
from pixelwise.core.predictor import Request
from pixelwise.jobs import choose as choosing
from pixelwise.jobs.choose import choose
from pixelwise.jobs.measured import measured

FEW = ("threshold", "otsu", "mean", "slic")


@pytest.fixture(scope="module")
def found():
    return choose(cells(12), methods=FEW, minutes=1)


def test_every_method_has_a_row_with_score_time_and_interval(found):
    rows = {row.name: row for row in found.rows}
    assert set(rows) == set(FEW)
    assert rows["otsu"].score > 0.95
    assert rows["otsu"].seconds > 0
    low, high = rows["otsu"].interval
    assert low <= rows["otsu"].score <= high
    assert [row.score for row in found.rows] == sorted((row.score for row in found.rows), reverse=True)


def test_what_is_good_enough_needs_no_network(found):
    assert found.chosen in ("otsu", "mean", "slic")
    assert "that is good enough (all of its interval reaches 0.85): a network is not needed." in found.verdict


def test_a_mark_out_of_reach_wants_a_network():
    found = choose(cells(12), methods=("threshold",), minutes=1, enough=0.99)
    assert "its interval does not reach 0.99): a network is likely needed." in found.verdict


class Oracle:
    """A network that knows the truth."""

    def __init__(self, dataset):
        self.truth = {sample.image.pixels.tobytes(): sample.truth for sample in dataset}

    @property
    def card(self):
        from pixelwise.core.card import Card

        return Card("oracle", "semantic", next(iter(self.truth.values())).labels)

    def __call__(self, images, request=None):
        assert isinstance(request, Request)
        return [self.truth[image.pixels.tobytes()] for image in images]


def test_a_network_that_is_surely_better_is_needed_and_one_that_is_not_is_not():
    data = cells(12)
    trained = []

    def train(judge):
        trained.append({sample.name for sample in judge.held})
        return Oracle(data)

    worse = choose(data, methods=("threshold",), minutes=1, train=train)
    assert "a network is needed: trained as long as asked, it is better by 0." in worse.verdict
    assert [row.name for row in worse.rows] == ["network", "threshold"]
    assert "a network is not needed so far" in choose(data, methods=("otsu",), minutes=1, train=train).verdict
    assert len(trained[0]) == 6  # it was told what it must not learn from


def test_a_method_that_fails_is_told_and_the_rest_go_on():
    found = choose(cells(6), methods=("otsu", "randomforest"), minutes=1)
    assert {row.name for row in found.rows} == {"otsu", "randomforest"}
    text = str(found)
    assert text.splitlines()[0].split()[:2] == ["method", "miou"]


def test_time_that_is_over_leaves_methods_untried(monkeypatch):
    monkeypatch.setattr(choosing, "_RESERVED", 1.0)
    found = choose(cells(6), methods=("otsu",), minutes=1)
    assert found.chosen == ""
    assert found.rows[0].problem == "not tried: the time was over"


def test_wrong_use_is_refused():
    with pytest.raises(OptionError, match="minutes must be above 0"):
        choose(cells(4), minutes=0)
    with pytest.raises(OptionError, match="must be a number, got nan"):
        choose(cells(4), enough=float("nan"))
    with pytest.raises(UnknownName, match="did you mean 'otsu'"):
        choose(cells(4), methods=("otus",), minutes=1)


def test_memory_at_its_peak_is_measured_where_the_system_tells_it():
    import mmap

    def fill():
        with mmap.mmap(-1, 2**25) as fresh:  # from the system: what was freed before would be taken again untold
            return fresh.write(b"x" * 2**25)

    found = measured(fill)
    assert found.value == 2**25
    assert found.seconds > 0
    assert found.memory is None or found.memory >= 2**24


def test_a_network_that_fails_is_told_in_the_answer():
    def train(judge):
        raise TrainingError("the loss is not finite")

    found = choose(cells(12), methods=("otsu",), minutes=1, train=train)
    assert found.chosen == "otsu"
    assert "the network could not be scored (the table says why); by the methods alone, that is good enough" in found.verdict
    assert [row.problem for row in found.rows] == ["", "the loss is not finite"]
