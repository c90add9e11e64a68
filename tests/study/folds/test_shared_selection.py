"""Selection of all leave-one-out folds together: the predictions of separate fits."""

import numpy as np
import pandas as pd
import pytest
from imblearn.over_sampling import SMOTE
from imblearn.pipeline import make_pipeline as make_sampling_pipeline
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import LeaveOneOut, cross_val_predict
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline, make_union
from sklearn.preprocessing import MinMaxScaler, StandardScaler
from sklearn.svm import SVC

from radiodeep import (
    RadiomicsExtractor,
    ReliefF,
    SymmetricUncertainty,
    cross_validate_models,
    cross_validated_auc,
    make_phantom_cohort,
)
from radiodeep.exceptions import RadiodeepWarning
from radiodeep.study.folds.shared_extraction import as_row_indices
from radiodeep.study.folds.shared_selection import (
    SelectedColumns,
    selectors_of_folds,
    selectors_without_each,
    with_fitted_selectors,
)
from radiodeep.study.folds.splits import Plan
from radiodeep.study.inputs import rows_of


def table(n_cases=40, n_features=30, effect=1.0, seed=0):
    rng = np.random.default_rng(seed)
    y = np.arange(n_cases) % 2
    X = rng.normal(size=(n_cases, n_features)) + effect * y[:, None] * (np.arange(n_features) < 3)
    return pd.DataFrame(X, columns=[f"f{n}" for n in range(n_features)], index=[f"case {n}" for n in range(n_cases)]), y


def models_over_rows(model, X):
    shared = as_row_indices({"model": model}, rows_of(X))
    return shared.models["model"], shared.rows


@pytest.mark.parametrize(
    "model",
    [
        make_pipeline(ReliefF(5), GaussianNB()),
        make_pipeline(StandardScaler(), ReliefF(5), SVC()),
        make_pipeline(SymmetricUncertainty(5, threshold=None), GaussianNB()),
        make_pipeline(make_union(make_pipeline(StandardScaler(), ReliefF(4)), ReliefF(3)), GaussianNB()),
        make_pipeline(make_pipeline("passthrough", ReliefF(4), StandardScaler()), LogisticRegression()),
    ],
    ids=["plain", "scaled", "uncertainty", "union", "nested"],
)
def test_shared_selection_gives_the_predictions_of_separate_fits(model):
    X, y = table(30, 60)
    shared, rows = models_over_rows(model, X)
    assert selectors_without_each(shared, rows, y, None, {})
    result = cross_validated_auc(model, X, y, n_repeats=1)
    method = "decision_function" if hasattr(model[-1], "decision_function") else "predict_proba"
    plainly = cross_val_predict(model, X, y, cv=LeaveOneOut(), method=method)
    found = result.predictions["score" if plainly.ndim == 1 else "probability"]
    np.testing.assert_allclose(found, plainly if plainly.ndim == 1 else plainly[:, 1], rtol=1e-6, atol=1e-12)
    for fold, names in enumerate(result.folds["selected_features"]):
        fitted = model.fit(X.drop(index=X.index[fold]), np.delete(y, fold))
        expected = [name.rsplit("__", 1)[-1] for name in fitted[:-1].get_feature_names_out()]
        assert [name.rsplit("__", 1)[-1] for name in names] == expected


def test_selection_of_cases_is_shared_after_extraction():
    cohort = make_phantom_cohort(14, random_state=3)
    model = make_pipeline(RadiomicsExtractor(families=["glcm"]), StandardScaler(), ReliefF(3), GaussianNB())
    shared, rows = models_over_rows(model, cohort)
    selectors = selectors_without_each(shared, rows, cohort.labels, None, {})
    ((path, fitted),) = selectors.items()
    assert [selector.n_features_in_ for selector in fitted] == [24] * 14
    model = with_fitted_selectors(shared, {path: fitted[0]})
    assert type(model[0]) is SelectedColumns
    np.testing.assert_array_equal(model[0].get_support(), fitted[0].get_support())


def test_nothing_is_shared_after_a_step_that_learns():
    X, y = table()
    sampling = make_sampling_pipeline(SMOTE(random_state=0), ReliefF(5), GaussianNB())
    selected_twice = make_pipeline(SymmetricUncertainty(20, threshold=None), ReliefF(5), GaussianNB())
    for model, n_shared in ((sampling, 0), (selected_twice, 1)):
        shared, rows = models_over_rows(model, X)
        assert len(selectors_without_each(shared, rows, y, None, {})) == n_shared


def test_models_with_and_without_a_scaler_do_not_share_scores():
    X, y = table(30, 20)
    X["f0"] *= 1e-8  # constant for ReliefF as it is, and not after scaling
    plain, scaled = make_pipeline(ReliefF(1), GaussianNB()), make_pipeline(StandardScaler(), ReliefF(1), GaussianNB())
    results = cross_validate_models({"plain": plain, "scaled": scaled}, X, y, n_repeats=1)
    for name, model in (("plain", plain), ("scaled", scaled)):
        alone = cross_validated_auc(model, X, y, n_repeats=1)
        np.testing.assert_array_equal(results[name].scores, alone.scores)
        for fold, names in enumerate(results[name].folds["selected_features"]):
            fitted = model.fit(X.drop(index=X.index[fold]), np.delete(y, fold))
            assert names == list(fitted[:-1].get_feature_names_out())


def test_a_fold_whose_choice_is_open_is_fitted_by_itself():
    X, y = table(20, 6)
    X["copy"] = 1 - X["f0"]  # the same score to the last digits
    shared, rows = models_over_rows(make_pipeline(ReliefF(1), GaussianNB()), X[["f0", "copy"]])
    ((_, fitted),) = selectors_without_each(shared, rows, y, None, {}).items()
    assert fitted.count(None) > 0
    plan = Plan(
        "leave-one-out", "pooled", [(np.delete(np.arange(20), case), np.array([case])) for case in range(20)], [0] * 20
    )
    given = selectors_of_folds({"relieff": fitted}, plan, plan.folds)
    assert [set(fold) for fold in given] == [set() if selector is None else {"relieff"} for selector in fitted]
    assert type(with_fitted_selectors(shared, {})[1]) is ReliefF


@pytest.mark.parametrize(
    "scaler",
    [MinMaxScaler(clip=True), MinMaxScaler((0, 1e-8)), StandardScaler(with_std=False), StandardScaler(with_mean=False)],
)
def test_scalers_that_do_more_or_less_are_not_shared(scaler):
    X, y = table(20, 6)
    shared, rows = models_over_rows(make_pipeline(scaler, ReliefF(1), GaussianNB()), X)
    assert not selectors_without_each(shared, rows, y, None, {})


def test_selectors_that_differ_in_how_many_they_keep_share_their_scores(monkeypatch):
    computed = []
    compute = ReliefF.scores_without_each

    def counted(self, X, y, **options):
        computed.append(self.n_features_to_select)
        return compute(self, X, y, **options)

    monkeypatch.setattr(ReliefF, "scores_without_each", counted)
    X, y = table(20, 6)
    models = {str(n): make_pipeline(StandardScaler(), ReliefF(n), GaussianNB()) for n in (1, 2, 3)}
    models["other neighbours"] = make_pipeline(StandardScaler(), ReliefF(1, n_neighbors=3), GaussianNB())
    cross_validate_models(models, X, y, n_repeats=1)
    assert computed == [1, 1]


def test_a_fitted_selector_of_a_table_with_names_stands_frozen_before_the_scalers():
    class Named(GaussianNB):
        """Of no known package, so it is given the DataFrame."""

    X, y = table(20, 6)
    shared, rows = models_over_rows(make_pipeline(StandardScaler(), ReliefF(2), Named()), X)
    assert rows is X
    ((path, fitted),) = selectors_without_each(shared, rows, y, None, {}).items()
    model = with_fitted_selectors(shared, {path: fitted[0]}).fit(X[1:], y[1:])
    assert [type(step) for step in model.named_steps.values()] == [FrozenEstimator, StandardScaler, Named]
    separate = make_pipeline(StandardScaler(), ReliefF(2), Named()).fit(X[1:], y[1:])
    np.testing.assert_allclose(model.predict_proba(X), separate.predict_proba(X), rtol=1e-9)


def test_folds_without_any_feature_above_the_threshold_are_warned_of_once():
    X, y = table(24, 5, effect=0)
    model = make_pipeline(SymmetricUncertainty(3), GaussianNB())
    with pytest.warns(RadiodeepWarning, match="No feature has a SymmetricUncertainty score above") as caught:
        cross_validated_auc(model, X, y, n_repeats=1)
    assert sum("No feature" in str(warning.message) for warning in caught) == 1
