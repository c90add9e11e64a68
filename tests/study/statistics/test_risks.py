"""Probabilities are taken as risks only if they are."""

import numpy as np
import pytest

from radiodeep import calibration
from radiodeep.study.statistics.risks import doubts_about_risks, has_few_events

RNG = np.random.default_rng(0)
LOG_ODDS = RNG.normal(size=500) * 1.5
Y = (RNG.random(500) < 1 / (1 + np.exp(-LOG_ODDS))).astype(int)


def test_true_risks_raise_no_doubt(result_of):
    assert doubts_about_risks(result_of(Y, 1 / (1 + np.exp(-LOG_ODDS)))) == ()


@pytest.mark.parametrize(
    ("log_odds", "words"),
    [
        (4 * LOG_ODDS, "too extreme"),
        (0.3 * LOG_ODDS, "too cautious"),
        (-LOG_ODDS, "higher probabilities do not go with more positive cases"),
        (LOG_ODDS + 2.5, "wrong level"),
    ],
)
def test_probabilities_that_are_no_risks_are_named(result_of, log_odds, words):
    assert words in " ".join(doubts_about_risks(result_of(Y, 1 / (1 + np.exp(-log_odds)))))


def test_certain_predictions_that_are_wrong_are_counted(result_of):
    risk = 1 / (1 + np.exp(-LOG_ODDS))
    wrong = np.flatnonzero(Y == 1)[:4]
    sure = np.flatnonzero(Y == 0)[:16]
    risk[wrong], risk[sure] = 0.0, 0.0
    text = " ".join(doubts_about_risks(result_of(Y, risk)))
    assert "4% of the predictions are as good as certain" in text
    assert "20% of those are wrong" in text


def test_perfect_separation_is_worded_without_numbers(result_of):
    (text,) = doubts_about_risks(result_of([0] * 10 + [1] * 10, [0.1] * 10 + [0.9] * 10))
    assert "separate the two classes without an error" in text
    assert "nan" not in text
    assert not has_few_events(result_of([0] * 10 + [1] * 10, [0.1] * 10 + [0.9] * 10))
    assert has_few_events(result_of([0] * 51 + [1] * 9, np.linspace(0, 1, 60)))


def test_a_few_probabilities_of_exactly_zero_do_not_decide_the_slope(result_of):
    risk = 1 / (1 + np.exp(-LOG_ODDS))
    for of_class, n_lowest in ((Y == 0, 100), (Y == 1, 4)):  # as all trees of a forest may agree, and err
        members = np.flatnonzero(of_class)
        risk[members[np.argsort(risk[members])[:n_lowest]]] = 0.0
    result = result_of(Y, risk)
    assert calibration(result).slope < 0.5
    assert doubts_about_risks(result) == ()
