"""Stable features: against the analysis of variance, and what leaks."""

import numpy as np
import pandas as pd
import pytest
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline

from radiodeep import StabilitySelector, cross_validated_auc
from radiodeep.exceptions import InputError, RadiodeepWarning
from radiodeep.selection.stability import intraclass_correlations


def table(n_cases=40, seed=0):
    rng = np.random.default_rng(seed)
    names = [f"c{number}" for number in range(n_cases)]
    return pd.DataFrame(rng.normal(size=(n_cases, 4)), columns=["firm", "soft", "shaky", "gone"], index=names)


def versions_of(frame, noise=(0.1, 0.5, 2.0, 5.0), n_versions=4, seed=1):
    rng = np.random.default_rng(seed)
    changed = [frame + rng.normal(size=frame.shape) * noise for _ in range(n_versions)]
    return pd.concat(dict(enumerate(changed)), names=["perturbation", "id"]).swaplevel()


def test_the_intraclass_correlation_is_that_of_the_analysis_of_variance():
    # Six subjects, four ratings: Shrout and Fleiss, table 2: ICC(1,1) = .17.
    ratings = np.array([[9, 2, 5, 8], [6, 1, 3, 2], [8, 4, 6, 8], [7, 1, 2, 6], [10, 5, 6, 9], [6, 2, 4, 7.0]])
    correlation = intraclass_correlations(ratings.reshape(-1, 1), np.repeat(np.arange(6), 4))[0]
    between, within = 4 * ratings.mean(axis=1).var(ddof=1), ratings.var(axis=1, ddof=1).mean()
    np.testing.assert_allclose(correlation, (between - within) / (between + 3 * within))
    assert round(correlation, 2) == 0.17


def test_large_values_and_missing_ones_do_not_spoil_the_correlation():
    rng = np.random.default_rng(0)
    values = np.repeat(rng.normal(size=(20, 1)), 3, axis=0) + 0.3 * rng.normal(size=(60, 1))
    cases = np.repeat(np.arange(20), 3)
    plain = intraclass_correlations(values, cases)
    np.testing.assert_allclose(intraclass_correlations(values + 1e6, cases), plain, rtol=1e-6)
    with_gap = np.vstack([values, [[np.nan]]])
    np.testing.assert_allclose(intraclass_correlations(with_gap, np.append(cases, 3)), plain)
    assert np.isnan(intraclass_correlations(np.ones((6, 1)), [0, 0, 1, 1, 2, 2]))[0]


def test_features_that_change_little_are_kept():
    frame = table()
    selector = StabilitySelector(versions_of(frame)).fit(frame)
    assert selector.get_feature_names_out().tolist() == ["firm", "soft"]
    assert (np.diff(selector.intraclass_correlations_) < 0).all()
    assert StabilitySelector(versions_of(frame), limit=0.9).fit(frame).get_feature_names_out().tolist() == ["firm"]
    with pytest.warns(RadiodeepWarning, match="only the most stable one, 'firm'"):
        StabilitySelector(versions_of(frame), limit=1.0).fit(frame)


def with_references(groups):
    """Return one table of the versions of several references: dict from the reference to tables."""
    named = {(f"{name} {number}", name): rows for name, tables in groups.items() for number, rows in enumerate(tables)}
    return pd.concat(named, names=["perturbation", "reference", "id"])


def test_versions_are_compared_with_those_of_their_own_reference_only():
    frame, rng = table(), np.random.default_rng(3)
    still = [frame + rng.normal(size=frame.shape) * [0.1, 0.1, 0.1, 2] for _ in range(3)]
    moved = [frame + 5 + rng.normal(size=frame.shape) * [0.1, 0.1, 2, 0.1] for _ in range(3)]  # all by the same
    versions = with_references({"original": still, "move": moved})
    selector = StabilitySelector(versions).fit(frame * 100)  # its own values are not looked at
    assert selector.get_feature_names_out().tolist() == ["firm", "soft"]
    by_reference = selector.correlations_by_reference_
    np.testing.assert_array_equal(by_reference["original"] > 0.75, [True, True, True, False])
    np.testing.assert_array_equal(by_reference["move"] > 0.75, [True, True, False, True])
    np.testing.assert_array_equal(selector.intraclass_correlations_, np.minimum(*by_reference.values()))
    expected = intraclass_correlations(np.vstack(still), np.tile(frame.index, 3))
    np.testing.assert_allclose(by_reference["original"], expected)
    with pytest.warns(RadiodeepWarning, match="only the most stable one"):
        StabilitySelector(versions.droplevel("reference")).fit(frame)


def test_a_reference_alone_is_compared_with_nothing():
    frame = table()
    alone = {"original": [frame], "move": [frame + 1, frame + 1.01]}
    assert list(StabilitySelector(with_references(alone)).fit(frame).correlations_by_reference_) == ["move"]
    with pytest.raises(InputError, match="only references and no other versions"):
        StabilitySelector(with_references({"original": [frame], "move": [frame]})).fit(frame)


def test_nullable_numbers_are_measured_as_plain_ones():
    frame = table()
    frame.iloc[3, 0] = np.nan
    nullable = StabilitySelector(versions_of(table())).fit(frame.astype("Float64"))
    plain = StabilitySelector(versions_of(table())).fit(frame)
    np.testing.assert_array_equal(nullable.intraclass_correlations_, plain.intraclass_correlations_)
    assert nullable.effective_n_features_ == plain.effective_n_features_


def test_versions_that_are_all_missing_make_no_feature_stable():
    frame = table()
    versions = with_references({"original": [frame, frame * np.nan], "move": [frame, frame + 0.01]})
    with pytest.warns(RadiodeepWarning, match="No feature has an intraclass correlation"):
        selector = StabilitySelector(versions).fit(frame)
    assert np.isnan(selector.intraclass_correlations_).all()


def test_the_versions_of_test_cases_are_not_looked_at():
    frame = table()
    versions = versions_of(frame)
    changed = versions.copy()
    changed.loc[list(frame.index[30:])] = 1e9
    train = frame.iloc[:30]
    expected, correlations = (
        StabilitySelector(each).fit(train).intraclass_correlations_ for each in (versions, changed)
    )
    np.testing.assert_array_equal(correlations, expected)


def test_it_works_in_a_study_of_a_table():
    frame = table()
    y = (frame["firm"] + 0.3 * frame["soft"] > 0).to_numpy()
    model = make_pipeline(StabilitySelector(versions_of(frame)), GaussianNB())
    result = cross_validated_auc(model, frame, y, cv=5)
    assert result.auc > 0.9
    assert all(names == ["firm", "soft"] for names in result.folds["selected_features"])


def test_what_stability_cannot_use_is_named():
    frame = table()
    versions = versions_of(frame)
    with pytest.raises(InputError, match="1 features of the table are not in the perturbed one, e.g. 'firm'"):
        StabilitySelector(versions.drop(columns="firm")).fit(frame)
    with pytest.raises(InputError, match="None of the 40 cases, e.g. 'c0', is in the perturbed table"):
        StabilitySelector(versions.rename(index=lambda name: f"other {name}", level="id")).fit(frame)
    with pytest.raises(InputError, match="'limit' parameter of StabilitySelector must be a number <= 1"):
        StabilitySelector(versions, limit=2).fit(frame)
