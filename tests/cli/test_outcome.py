"""Options of the outcome: what is studied, in which kind, and which label is positive."""

import numpy as np
import pytest

from radiodeep import make_phantom_cohort
from radiodeep.cli.outcome import Outcome, OutcomeOptions
from radiodeep.exceptions import InputError

LABELS = np.array(["low", "mid", "high"] * 2)
SURVIVAL = make_phantom_cohort(2, random_state=0, survival=True).survival


def test_survival_is_studied_where_it_is_asked_for_or_is_all_that_is_known():
    assert OutcomeOptions().is_survival(has_labels=False, has_follow_up=True)
    assert not OutcomeOptions().is_survival(has_labels=True, has_follow_up=True)
    assert not OutcomeOptions().is_survival(has_labels=False, has_follow_up=False)
    assert not OutcomeOptions(positive="1").is_survival(has_labels=False, has_follow_up=True)
    assert not OutcomeOptions(Outcome.classes).is_survival(has_labels=False, has_follow_up=True)
    assert OutcomeOptions(Outcome.survival).is_survival(has_labels=True, has_follow_up=True)


@pytest.mark.parametrize(
    ("options", "y", "kind", "positive"),
    [
        (OutcomeOptions(), np.array([0, 1, 1]), "two classes", None),
        (OutcomeOptions(positive=" 0"), np.array([0, 1, 1]), "two classes", 0),
        (OutcomeOptions(), LABELS, "several classes", None),
        (OutcomeOptions(Outcome.ordered, "low,mid, high"), LABELS, "ordered classes", ["low", "mid", "high"]),
        (OutcomeOptions(Outcome.ordered), np.array([3, 1, 2]), "ordered classes", [1, 2, 3]),
        (OutcomeOptions(), np.array([0.5, 1.5, 2.5]), "numbers", None),
        (OutcomeOptions(horizon=24.0), SURVIVAL, "survival", None),
    ],
)
def test_the_kind_and_the_positive_label_follow_from_options_and_outcomes(options, y, kind, positive):
    assert options.kind(y) == kind
    assert options.positive_of(y) == positive


@pytest.mark.parametrize(
    ("options", "y", "message"),
    [
        (OutcomeOptions(positive="2"), np.array([0, 1]), "--positive must be one of the labels 0, 1. Got '2'"),
        (OutcomeOptions(positive="mid"), LABELS, "two classes. These outcomes are several classes, high, low, mid"),
        (OutcomeOptions(positive="1"), SURVIVAL, "--positive names one of two classes. These outcomes are survival"),
        (OutcomeOptions(horizon=3.0), np.array([0, 1]), "--horizon is a time of survival. These .* are two classes"),
        (OutcomeOptions(Outcome.ordered), LABELS, "such as --positive high,low,mid. Got no order"),
        (OutcomeOptions(Outcome.ordered, "low,high"), LABELS, "order from lowest to highest, .* Got 'low,high'"),
    ],
)
def test_options_that_do_not_fit_the_outcomes_are_refused(options, y, message):
    with pytest.raises(InputError, match=message):
        options.positive_of(y)
