"""What a request asks for is read alike from text and JSON, and what does not fit is refused by the name of its field."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pixelwise.core.card import Card
from pixelwise.core.errors import OptionError
from pixelwise.core.image import Image
from pixelwise.core.labels import LabelSet
from pixelwise.core.predictor import PLAIN, Predictor, Request
from pixelwise.core.prompt import Prompt
from pixelwise.core.segmentation import Segmentation
from pixelwise.methods.predictor import Method
from pixelwise.predict.flipped import Flipped
from pixelwise.predict.tiled import Tiled
from pixelwise.predict.uncertainty import Uncertain
from pixelwise.serve.refusal import Refusal
from pixelwise.serve.wishes import FIELDS, Wishes, gathered

LABELS = LabelSet.of(["dark", "bright", "grey, light"])


class Levels:
    """Classes by brightness, with probabilities; the left half of an image is darker than it is."""

    card = Card("levels", "semantic", LABELS, field_of_view=(1, 1), gives_probabilities=True)

    def __call__(self, images: Sequence[Image], request: Request = PLAIN) -> list[Segmentation]:
        if request.prompts or request.threshold is not None:
            raise OptionError("neither prompts nor a threshold here")
        return [self._one(image, request) for image in images]

    def _one(self, image: Image, request: Request) -> Segmentation:
        grey = image.unit().mean(axis=2)
        grey[:, : grey.shape[1] // 2] *= 0.8
        spread = np.stack([1 - grey, grey, np.full(grey.shape, 0.55)]).astype(np.float32)
        spread /= spread.sum(axis=0)
        return Segmentation.from_class_map(
            spread.argmax(axis=0).astype(np.uint8), LABELS, np.full(3, 0.5), spread if request.probabilities else None
        )


IMAGE = Image(np.random.default_rng(0).integers(0, 256, (70, 150, 3)).astype(np.uint8))


@pytest.mark.parametrize(
    ("text", "plain", "expected"),
    [
        ({"forms": "ids, json,ids"}, {"forms": ["ids", "json"]}, Wishes(forms=("ids", "json"))),
        ({"classes": "a,b"}, {"classes": ["a", "b"]}, Wishes(classes=("a", "b"))),
        ({"classes": '["a, b"]'}, {"classes": ["a, b"]}, Wishes(classes=("a, b",))),
        ({"threshold": "0.25"}, {"threshold": 0.25}, Wishes(threshold=0.25)),
        ({"tile": "512x768", "overlap": "64"}, {"tile": [512, 768], "overlap": 64}, Wishes(tile=(512, 768), overlap=64)),
        ({"tile": "512"}, {"tile": 512}, Wishes(tile=(512, 512))),
        ({"tile": "auto"}, {"tile": "AUTO"}, Wishes()),
        ({"flips": "yes"}, {"flips": True}, Wishes(flips=True)),
        ({"uncertainty": "1"}, {"uncertainty": True}, Wishes(uncertainty=True)),
        ({"uncertainty": "margin"}, {"uncertainty": "margin"}, Wishes(uncertainty=True, measure="margin")),
        ({"forms": "uncertainty"}, {"forms": ["uncertainty"]}, Wishes(forms=("uncertainty",), uncertainty=True)),
        ({"opacity": "1", "outline": "off"}, {"opacity": 1, "outline": False}, Wishes(opacity=1.0, outline=False)),
        (
            {"prompts": '[{"box": [1, 2, 3, 4]}]'},
            {"prompts": [{"box": [1, 2, 3, 4]}]},
            Wishes(prompts=(Prompt(box=(1.0, 2.0, 3.0, 4.0)),)),
        ),
        (
            {"point": "5,6.5"},
            {"point": ["5,6.5"]},
            Wishes(prompts=(Prompt(points=((5.0, 6.5, True),)),)),
        ),
        (
            {"box": "1,2,9,9", "point": "5,6,out"},
            {"box": ["1,2,9,9"], "point": ["5,6,OUT"]},
            Wishes(prompts=(Prompt(points=((5.0, 6.0, False),), box=(1.0, 2.0, 9.0, 9.0)),)),
        ),
        ({"bands": '["red","nir"]'}, {"bands": ["red", "nir"]}, Wishes(bands=("red", "nir"))),
    ],
)
def test_text_and_json_say_the_same(text: dict[str, str], plain: dict[str, Any], expected: Wishes) -> None:
    assert Wishes.read(text) == Wishes.read(plain) == expected


def test_fields_that_come_several_times_are_gathered() -> None:
    asked = gathered([("forms", "ids"), ("forms", "json,coco"), ("box", "0,0,2,2"), ("box", "1,1,3,3"), ("flips", "true")])
    wishes = Wishes.read(asked)
    assert wishes.forms == ("ids", "json", "coco")
    assert [one.box for one in wishes.prompts] == [(0, 0, 2, 2), (1, 1, 3, 3)]


@pytest.mark.parametrize(
    ("asked", "code", "said"),
    [
        ({"form": "ids"}, "unknown_field", "did you mean 'forms'"),
        ({"forms": "id"}, "bad_forms", "did you mean 'ids'"),
        ({"forms": ""}, "bad_forms", "names with commas"),
        ({"forms": [1]}, "bad_forms", "names with commas"),
        ({"classes": '["a"'}, "bad_classes", "expected JSON"),
        ({"threshold": "high"}, "bad_threshold", "a number from 0 to 1, got 'high'"),
        ({"threshold": "nan"}, "bad_threshold", "from 0 to 1"),
        ({"threshold": 2}, "bad_threshold", "got 2"),
        ({"threshold": True}, "bad_threshold", "got True"),
        ({"tile": "8"}, "bad_tile", "at least 64"),
        ({"tile": "1e400"}, "bad_tile", "height,width"),
        ({"tile": "100,100,100"}, "bad_tile", "height,width"),
        ({"tile": {}}, "bad_tile", "height,width"),
        ({"overlap": 8}, "bad_overlap", "give 'tile' with it"),
        ({"tile": 64, "overlap": 33}, "bad_overlap", "at most half of the tile's shorter side, 32"),
        ({"tile": 64, "overlap": 1.5}, "bad_overlap", "whole number"),
        ({"flips": "maybe"}, "bad_flips", "true or false"),
        ({"uncertainty": "variance"}, "bad_uncertainty", "entropy, margin, disagreement"),
        ({"probabilities": True}, "bad_probabilities", "add it to 'forms'"),
        ({"prompts": "[{]"}, "bad_prompts", "expected JSON"),
        ({"prompts": '[{"points": [[NaN, 1]]}]'}, "bad_prompts", "expected JSON"),
        ({"prompts": [{"bx": []}]}, "bad_prompts", "did you mean 'box'"),
        ({"prompts": [{}] * 300}, "bad_prompts", "at most 256"),
        ({"prompts": [{"points": [[0, 0]] * 10_001}]}, "bad_prompts", "10,000 places"),
        ({"point": "1"}, "bad_point", "x,y or x,y,out in pixels, got '1'"),
        ({"box": "1,2,3,inf"}, "bad_box", "left,top,right,bottom"),
        ({"opacity": -1}, "bad_opacity", "from 0 to 1"),
    ],
)
def test_a_bad_field_is_refused_by_its_name(asked: dict[str, Any], code: str, said: str) -> None:
    with pytest.raises(Refusal) as refusal:
        Wishes.read(asked)
    assert (refusal.value.status, refusal.value.code) == (422, code)
    assert said in refusal.value.message
    assert len(refusal.value.message) < 500


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=8,
)


@given(st.dictionaries(st.sampled_from(FIELDS), _JSON | st.text('0123456789.,x[]{}"ae', max_size=12), max_size=3))
def test_whatever_is_asked_is_read_or_refused(asked: dict[str, Any]) -> None:
    try:
        wishes = Wishes.read(asked)
    except Refusal:
        return
    assert hash(wishes.way) == hash(wishes.way)


@pytest.mark.parametrize(
    ("asked", "predictor", "code", "said"),
    [
        ({"flips": True}, Method("otsu"), "unfit_flips", "gives semantic segments without probabilities"),
        ({"uncertainty": True}, Method("otsu"), "unfit_uncertainty", "nothing says how unsure it is"),
        ({"uncertainty": True}, Method("slic"), "unfit_uncertainty", "regions"),
        ({"tile": 64}, Method("slic"), "unfit_tile", "leave the tiles out"),
        ({"threshold": 0.5}, Method("otsu"), "unfit_threshold", "takes no threshold"),
        ({"box": "0,0,2,2"}, Method("otsu"), "unfit_prompts", "takes no prompts"),
        ({"box": "0,0,2,2", "uncertainty": True}, Levels(), "unfit_prompts", "leave out one of the two"),
        ({"forms": "segmentation", "probabilities": True}, Method("otsu"), "unfit_probabilities", "gives none"),
        ({"classes": "birght"}, Levels(), "unknown_class", "did you mean 'bright'"),
    ],
)
def test_what_a_model_cannot_do_is_refused_before_an_image_waits(
    asked: dict[str, Any], predictor: Predictor, code: str, said: str
) -> None:
    wishes = Wishes.read(asked)
    with pytest.raises(Refusal) as refusal:
        wishes.check(predictor)
    assert (refusal.value.status, refusal.value.code) == (422, code)
    assert said in refusal.value.message


def test_what_does_not_fit_the_image_is_refused() -> None:
    with pytest.raises(Refusal, match="prompt 2: the point"):
        Wishes.read({"point": ["1,1", "99,1"]}).check_size((10, 10), Levels.card)
    with pytest.raises(Refusal, match="at most") as refusal:
        Wishes(forms=("segmentation",), probabilities=True).check_size((5000, 5000), Levels.card)
    assert refusal.value.status == 413


def run(predictor: Predictor, **asked: Any) -> tuple[Segmentation, Any]:
    wishes = Wishes.read(asked)
    wishes.check(predictor)
    found = wishes.way.run(predictor, [IMAGE], [wishes.prompts])[0]
    return wishes.kept(found.segmentation), found.uncertainty


def test_a_model_is_run_as_the_same_wrappers_run_it_here() -> None:
    levels = Levels()
    assert run(levels)[0] == levels([IMAGE])[0]
    assert run(levels, tile="64", overlap=8)[0] == Tiled(levels, 64, 8)([IMAGE])[0]
    assert run(levels, flips=True)[0] == Flipped(levels)([IMAGE])[0]
    assert run(levels, flips=True)[0] != levels([IMAGE])[0]
    for measure in ("entropy", "margin"):
        found, unsure = run(levels, uncertainty=measure)
        expected = Uncertain(levels, measure).assess([IMAGE])[0]  # type: ignore[arg-type]
        assert found == expected.segmentation
        assert (unsure == expected.pixels).all()
    unsure = run(levels, uncertainty="disagreement")[1]
    assert (unsure == Uncertain(Flipped(levels), "disagreement").assess([IMAGE])[0].pixels).all()
    assert unsure.max() > 0


def test_prompts_reach_a_method() -> None:
    prompt = Prompt(box=(10, 10, 60, 60))
    assert run(Method("grabcut"), box="10,10,60,60")[0] == Method("grabcut")([IMAGE], Request(prompts=((prompt,),)))[0]


def test_only_the_classes_wished_for_are_kept() -> None:
    whole, kept = run(Levels())[0], run(Levels(), classes=["bright", "grey, light"])[0]
    assert kept.names == ["bright", "grey, light"]
    assert (kept.class_map() == np.where(whole.class_map() == 0, 255, whole.class_map())).all()


def test_bands_get_the_names_the_request_states() -> None:
    assert Wishes(bands=("a", "b", "c")).named(IMAGE).bands == ("a", "b", "c")
    with pytest.raises(Refusal, match="expected 3 names"):
        Wishes(bands=("a", "b")).named(IMAGE)
