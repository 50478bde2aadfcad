"""Weighted sums of losses, as they are written in a recipe."""

import pytest

from pixelwise.core.errors import OptionError, UnknownName
from pixelwise.models.losses.weighted import check, parse, with_option


def test_names_weights_and_options_are_read() -> None:
    terms = parse(" 0.5*focal(gamma=3, alpha=0.25) + lovasz + dice*2 + cross_entropy(smoothing=.1)")
    assert [(term.name, term.weight, term.options) for term in terms] == [
        ("focal", 0.5, {"gamma": 3.0, "alpha": 0.25}),
        ("lovasz", 1.0, {}),
        ("dice", 2.0, {}),
        ("cross_entropy", 1.0, {"smoothing": 0.1}),
    ]


def test_an_unknown_loss_names_the_nearest() -> None:
    with pytest.raises(UnknownName, match="no loss is called 'focl'; did you mean 'focal'"):
        parse("focl + dice")


def test_an_unknown_option_names_the_nearest() -> None:
    with pytest.raises(OptionError, match="focal has no option 'gama'; did you mean 'gamma'"):
        parse("focal(gama=2)")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "expected a sum of losses"),
        ("dice +", "expected a sum of losses"),
        ("dice - focal", "expected the name of a loss.*'dice - focal'"),
        ("0.5", "expected the name of a loss.*'0.5'"),
        ("dice * focal", "expected a weight above 0.*'focal'"),
        ("-1*dice", "expected a weight above 0.*'-1'"),
        ("0*dice", "expected a weight above 0"),
        ("dice + dice", "dice is there twice"),
        ("focal(2)", "expected the name of a loss.*focal\\(2\\)"),
        ("focal(gamma=two)", "expected a number for gamma, got 'two'"),
        ("focal(gamma='2')", "gamma: expected float, got '2'"),
        ("lovasz(bins=2.5)", "bins: expected int, got 2.5"),
        ("focal(**{'gamma': 2})", "no option 'None'"),
        ("__import__('os').system('ls')", "expected the name of a loss"),
    ],
)
def test_what_is_no_sum_of_losses_is_refused(text: str, said: str) -> None:
    with pytest.raises(OptionError, match=said):
        parse(text)


@pytest.mark.parametrize(
    "text",
    [
        "focal(gamma=-1)",
        "focal(alpha=0.25)",
        "ohem(threshold=0)",
        "ohem(min_kept=2)",
        "cross_entropy(smoothing=1)",
        "dice(smooth=-1)",
        "tversky(alpha=0, beta=0)",
        "focal_tversky(gamma=0)",
        "boundary(sigma=0)",
        "lovasz(bins=0)",
    ],
)
def test_values_that_do_not_fit_are_refused_before_training(text: str) -> None:
    with pytest.raises(OptionError, match=text.partition("(")[0]):
        check(parse(text), classes=3)


def test_an_option_said_in_the_sum_wins() -> None:
    terms = with_option(parse("cross_entropy(smoothing=0.2) + dice"), "cross_entropy", "smoothing", 0.1)
    assert terms[0].options == {"smoothing": 0.2}
    assert with_option(parse("cross_entropy"), "cross_entropy", "smoothing", 0.1)[0].options == {"smoothing": 0.1}
    with pytest.raises(OptionError, match="smoothing is an option of cross_entropy, which is not in the loss 'dice'"):
        with_option(parse("dice"), "cross_entropy", "smoothing", 0.1)
