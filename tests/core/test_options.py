"""Options from TOML: what fits, what is refused and how the refusal helps."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pixelwise.core.errors import MissingFile, OptionError, UnreadableFile
from pixelwise.core.options import from_table, override, read_toml, to_table, write_toml


@dataclass(frozen=True)
class Options:
    epochs: int = 10
    rate: float = 0.001
    name: str = "run"
    resume: bool = False
    speed: Literal["fast", "exact"] = "fast"
    level: Literal[1, 2] = 1
    crop: tuple[int, int] | None = None
    scales: tuple[float, ...] = (1.0,)
    rest: Any = 0
    extra: dict[str, Any] = field(default_factory=dict)
    limit: int | str | None = None
    whole: int = field(default=0, init=False)

    def __post_init__(self) -> None:
        if self.epochs < 0:
            raise OptionError(f"[train] epochs: expected 0 or more, got {self.epochs}")


@dataclass(frozen=True)
class Needy:
    path: str


def test_an_unknown_key_is_refused_with_the_nearest_known_one() -> None:
    with pytest.raises(OptionError, match=r"\[train\] has no option 'epoch'; did you mean 'epochs'"):
        from_table(Options, {"epoch": 3}, "train")
    with pytest.raises(OptionError, match=r"\[train\] has no option 'whole'"):
        from_table(Options, {"whole": 3}, "train")


@pytest.mark.parametrize(
    ("key", "value", "expected"),
    [
        ("epochs", 3, 3),
        ("rate", 1, 1.0),
        ("rate", 0.5, 0.5),
        ("crop", [3, 4], (3, 4)),
        ("crop", (3, 4), (3, 4)),
        ("crop", None, None),
        ("scales", [1, 0.5, 2], (1.0, 0.5, 2.0)),
        ("scales", [], ()),
        ("speed", "exact", "exact"),
        ("rest", ["any", 1], ["any", 1]),
        ("extra", {"a": {"b": 1}}, {"a": {"b": 1}}),
        ("limit", "5 %", "5 %"),
        ("limit", 5, 5),
    ],
)
def test_a_value_is_fitted_to_its_type(key: str, value: object, expected: object) -> None:
    found = getattr(from_table(Options, {key: value}, "train"), key)
    assert found == expected
    assert type(found) is type(expected)


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("epochs", "3", "[train] epochs: expected int, got '3'"),
        ("epochs", 3.5, "[train] epochs: expected int, got 3.5"),
        ("epochs", True, "[train] epochs: expected int, got True"),
        ("epochs", -1, "[train] epochs: expected 0 or more, got -1"),
        ("rate", "fast", "[train] rate: expected float, got 'fast'"),
        ("rate", True, "[train] rate: expected float, got True"),
        ("name", 3, "[train] name: expected str, got 3"),
        ("resume", 1, "[train] resume: expected bool, got 1"),
        ("speed", "fastt", "[train] speed: got 'fastt'; did you mean 'fast'?"),
        ("level", True, "[train] level: got True; known are: 1, 2"),
        ("crop", [3], "[train] crop: expected tuple[int, int] or None, got [3]"),
        ("crop", [3, "4"], "[train] crop: expected tuple[int, int] or None, got [3, '4']"),
        ("scales", 1.0, "[train] scales: expected tuple[float, ...], got 1.0"),
        ("scales", "1.0", "[train] scales: expected tuple[float, ...], got '1.0'"),
        ("extra", [1], "[train] extra: expected dict[str, Any], got [1]"),
        ("limit", 0.5, "[train] limit: expected int or str or None, got 0.5"),
    ],
)
def test_a_value_of_the_wrong_type_is_refused_by_key(key: str, value: object, said: str) -> None:
    with pytest.raises(OptionError) as caught:
        from_table(Options, {key: value}, "train")
    assert str(caught.value) == said


def test_what_is_no_table_and_what_lacks_a_key_are_refused() -> None:
    with pytest.raises(OptionError, match=r"\[train\]: expected a table of options, got 3"):
        from_table(Options, 3, "train")  # type: ignore[arg-type]
    with pytest.raises(OptionError, match=r"\[data\]: .*missing.*'path'"):
        from_table(Needy, {}, "data")


@given(
    st.builds(
        Options,
        epochs=st.integers(0, 10**9),
        rate=st.floats(allow_nan=False),
        name=st.text(st.characters(exclude_categories=["Cs"])),
        resume=st.booleans(),
        speed=st.sampled_from(["fast", "exact"]),
        crop=st.none() | st.tuples(st.integers(-9, 9), st.integers(-9, 9)),
        scales=st.lists(st.floats(allow_nan=False), max_size=4).map(tuple),
        limit=st.none() | st.integers(-(2**62), 2**62) | st.text(st.characters(exclude_categories=["Cs"])),
    )
)
def test_options_survive_a_run_file(options: Options) -> None:
    path = Path(PLACE) / "run.toml"
    write_toml(path, {"train": to_table(options)})
    assert from_table(Options, read_toml(path)["train"], "train") == options


PLACE = ""


@pytest.fixture(autouse=True, scope="module")
def _place(tmp_path_factory: pytest.TempPathFactory) -> None:
    globals()["PLACE"] = str(tmp_path_factory.mktemp("options"))


@pytest.mark.parametrize(
    ("setting", "expected"),
    [
        ("train.epochs=3", {"train": {"epochs": 3, "rate": 0.5}}),
        ("train.rate=1e-3", {"train": {"epochs": 1, "rate": 0.001}}),
        ("train.crop=[3, 4]", {"train": {"epochs": 1, "rate": 0.5, "crop": [3, 4]}}),
        ("train.resume=true", {"train": {"epochs": 1, "rate": 0.5, "resume": True}}),
        ("train.name=two words", {"train": {"epochs": 1, "rate": 0.5, "name": "two words"}}),
        ("train.name = 'quoted'", {"train": {"epochs": 1, "rate": 0.5, "name": "quoted"}}),
        ("train.name=a=b", {"train": {"epochs": 1, "rate": 0.5, "name": "a=b"}}),
        ("model.encoder=resnet18", {"train": {"epochs": 1, "rate": 0.5}, "model": {"encoder": "resnet18"}}),
    ],
)
def test_a_setting_overrides_one_key(setting: str, expected: dict[str, object]) -> None:
    before = {"train": {"epochs": 1, "rate": 0.5}}
    assert override(before, [setting]) == expected
    assert before == {"train": {"epochs": 1, "rate": 0.5}}


def test_the_last_setting_of_a_key_wins() -> None:
    assert override({}, ["a.b=1", "a.b=2"]) == {"a": {"b": 2}}


@pytest.mark.parametrize("setting", ["epochs=3", "train.epochs", "train.=3", ".epochs=3", "=3", ""])
def test_a_setting_of_another_form_is_refused_with_an_example(setting: str) -> None:
    with pytest.raises(OptionError, match=r"expected table\.key=value, as in --set train\.epochs=3"):
        override({}, [setting])


def test_a_setting_inside_what_is_no_table_is_refused() -> None:
    with pytest.raises(OptionError, match="'seed' is no table but 3"):
        override({"seed": 3}, ["seed.x=1"])


def test_none_is_left_out_of_a_run_file(tmp_path: Path) -> None:
    write_toml(tmp_path / "a.toml", {"a": {"x": None, "y": (1, 2), "deep": {"z": None}}})
    assert read_toml(tmp_path / "a.toml") == {"a": {"y": [1, 2], "deep": {}}}


def test_run_files_that_cannot_be_read_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(MissingFile, match=r"gone\.toml: expected a run file .* found nothing there"):
        read_toml(tmp_path / "gone.toml")
    with pytest.raises(MissingFile, match="found a folder"):
        read_toml(tmp_path)
    for content in (b"a = ", b"\xff\xfe"):
        (tmp_path / "bad.toml").write_bytes(content)
        with pytest.raises(OptionError, match=r"bad\.toml: expected TOML, but"):
            read_toml(tmp_path / "bad.toml")

    def refuse(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "read_text", refuse)
    with pytest.raises(UnreadableFile, match=r"bad\.toml: cannot be read: Permission denied"):
        read_toml(tmp_path / "bad.toml")


def test_a_byte_order_mark_is_no_obstacle(tmp_path: Path) -> None:
    (tmp_path / "a.toml").write_bytes(b"\xef\xbb\xbfa = 1\n")
    assert read_toml(tmp_path / "a.toml") == {"a": 1}
