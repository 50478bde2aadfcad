"""A small part of the fuzzing of ``tests/fuzz``: damaged data sets are read or refused, and nothing else ever happens."""

import os
import random
import warnings
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import fuzz_probe
import pytest
from fuzz_mutations import mutated
from fuzz_probe import Finding, probe, watched
from fuzz_seeds import CORPUS, seeds
from fuzz_trees import ALONE, Tree, put, tree_of
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pixelwise.formats import FORMATS, recognise

_EXAMPLES = 12  # of each format; `python tests/fuzz/run.py` reads as many as one likes
EVERY = sorted(FORMATS)
HAND_MADE = [f"{one.parent.name}/{one.name}" for one in sorted(CORPUS.glob("*/*"))]

trees = cache(seeds)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder with room above for what must not be opened; limits are set while it is used."""
    before = os.environ.get("PIXELWISE_MAX_PIXELS")
    root = tmp_path_factory.mktemp("fuzz") / "outside" / "root"
    root.parent.mkdir()
    with watched(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield root
    if before is None:
        del os.environ["PIXELWISE_MAX_PIXELS"]
    else:
        os.environ["PIXELWISE_MAX_PIXELS"] = before


@pytest.mark.parametrize("name", EVERY)
def test_each_format_has_a_seed_made_by_hand(name: str) -> None:
    assert any(one.startswith(f"{name}/") for one in HAND_MADE)


@pytest.mark.parametrize("seed", HAND_MADE)
def test_a_seed_made_by_hand_is_claimed_by_its_format_and_read(seed: str, place: Path) -> None:
    name = seed.partition("/")[0]
    assert recognise(CORPUS / seed)[0] == name
    assert probe(name, tree_of(CORPUS / seed), place) == ("claimed", None)


@pytest.mark.parametrize("name", EVERY)
@settings(max_examples=_EXAMPLES, derandomize=True, deadline=None, suppress_health_check=list(HealthCheck))
@given(number=st.integers(0, 2**32))
def test_a_damaged_data_set_is_read_or_refused(name: str, number: int, place: Path) -> None:
    rng = random.Random(number)
    tree = mutated(rng.choice(trees(name)), rng, trees(name))
    assert probe(name, tree, place)[1] is None


def test_damage_follows_from_the_seed_alone() -> None:
    tree = trees("coco")[0]
    assert mutated(tree, random.Random(3), ()) == mutated(tree, random.Random(3), ())


def test_a_file_alone_is_put_under_its_name(tmp_path: Path) -> None:
    tree: Tree = {f"{ALONE}a.json": b"{}"}
    assert put(tree, tmp_path / "root") == tmp_path / "root" / "a.json"


def test_what_a_reader_must_not_do_is_found(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def found(act: object) -> Finding | None:
        monkeypatch.setitem(fuzz_probe.DIRECT, "bad", act)
        return probe("bad", {"a.txt": b"1"}, place)[1]

    assert found(lambda path: "read") is None
    crash = found(lambda path: {}[path])
    assert crash is not None
    assert crash.what == "KeyError"
    escape = found(lambda path: str((path.parent / "canary-7f3a.json").read_bytes()))
    assert escape is not None
    assert escape.what == "opens a file outside the root"
    monkeypatch.setattr(fuzz_probe, "SECONDS", 0.05)
    hang = found(_never)
    assert hang is not None
    assert hang.what.startswith("takes more than")


def _never(path: Path) -> str:
    while True:
        pass
