"""Models are fitted inside the folds, whatever they are made of."""

import numpy as np
import pandas as pd
import pytest
from imblearn.ensemble import BalancedRandomForestClassifier
from imblearn.over_sampling import SMOTE
from imblearn.pipeline import make_pipeline as make_sampling_pipeline
from imblearn.under_sampling import RandomUnderSampler
from sklearn.feature_selection import SelectKBest
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from radiodeep import ReliefF, cross_validate_models, cross_validated_auc
from radiodeep.exceptions import RadiodeepWarning
from radiodeep.study.endpoints.registry import endpoint_for
from radiodeep.study.folds.fitting import FoldOutcome, fit_folds, warn_of_folds


def table(n_cases=40, n_features=30, effect=1.0, seed=0):
    rng = np.random.default_rng(seed)
    y = np.arange(n_cases) % 2
    X = rng.normal(size=(n_cases, n_features)) + effect * y[:, None] * (np.arange(n_features) < 3)
    return pd.DataFrame(X, columns=[f"f{n}" for n in range(n_features)], index=[f"case {n}" for n in range(n_cases)]), y


def test_tuning_inside_the_folds_keeps_the_log_odds_and_names():
    X, y = table(60)
    search = GridSearchCV(make_pipeline(ReliefF(), GaussianNB()), {"relieff__n_features_to_select": [2, 5]}, cv=3)
    result = cross_validated_auc(search, X, y, cv=3, n_repeats=1)
    assert {len(names) for names in result.folds["selected_features"]} <= {2, 5}
    assert result.scores.to_numpy().min() < 0


def test_models_that_resample_do_so_inside_the_folds():
    X, y = table(60, 10)
    keep = np.flatnonzero((y == 0) | (np.arange(60) % 6 == 1))
    X, y = X.iloc[keep], y[keep]  # 30 against 10
    models = {
        "smote": make_sampling_pipeline(
            StandardScaler(), SMOTE(k_neighbors=3, random_state=0), ReliefF(3), GaussianNB()
        ),
        "under": make_sampling_pipeline(RandomUnderSampler(random_state=0), LogisticRegression()),
        "balanced forest": BalancedRandomForestClassifier(20, random_state=0),
    }
    for name, result in cross_validate_models(models, X, y, cv=5, n_repeats=2).items():
        assert result.auc > 0.6, name
    outside, labels = SMOTE(k_neighbors=3, random_state=0).fit_resample(X, y)
    assert len(outside) > len(X)
    assert (np.bincount(labels) == 30).all()


def test_samplers_before_a_classifier_without_decision_values():
    X, y = table(40)
    model = make_sampling_pipeline(StandardScaler(), SMOTE(random_state=0), GaussianNB())
    assert cross_validated_auc(model, X, y, cv=4, n_repeats=1).auc > 0.6


def test_a_warning_of_several_folds_is_given_once_and_says_so():
    texts = ["ReliefF: 3 cases (a, b) are odd", "ReliefF: 5 cases (c) are odd", "Other: nothing"]
    outcomes = [FoldOutcome(None, warnings=(text,)) for text in texts]
    with pytest.warns(RadiodeepWarning) as caught:
        warn_of_folds(outcomes)
    assert [str(warning.message) for warning in caught] == [
        f"{texts[0]} Other folds of this study warn of the same.",
        texts[2],
    ]


def test_features_are_measured_in_every_eighth_fold():
    X, y = table(40, 4)
    sizes = np.exp(X["f1"].to_numpy())
    folds = [(np.delete(np.arange(40), case), np.array([case])) for case in range(10)]
    model = make_pipeline(SelectKBest(k=2), GaussianNB())
    outcomes = fit_folds(model, X, endpoint_for(y, 40), folds, sizes=sizes, first=0)
    measured = [outcome.selection.effective_n_features is not None for outcome in outcomes]
    assert measured == [number % 8 == 0 for number in range(10)]
    correlations = dict(zip(outcomes[0].selection.names, outcomes[0].selection.size_correlations, strict=True))
    assert correlations["f1"] > 0.99
    without = fit_folds(model, X, endpoint_for(y, 40), folds[:1], sizes=sizes, first=None)
    assert without[0].selection.effective_n_features is None
