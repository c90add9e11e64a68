"""Rows, labels and patients belong together, whatever they come in."""

from collections import Counter

import numpy as np
import pandas as pd
import pytest
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import GridSearchCV
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder

from radiodeep import (
    Case,
    Cohort,
    DeepFeatureExtractor,
    RadiomicsExtractor,
    ReliefF,
    bootstrap_auc,
    cross_validate_grid,
    cross_validate_models,
    cross_validated_auc,
    extract_table,
    holdout_auc,
    intraclass_correlation,
    make_phantom_cohort,
    write_report,
)
from radiodeep.exceptions import InputError, LeakageError, RadiodeepWarning, StudyError
from radiodeep.study.inputs import rows_of
from radiodeep.study.training import fit_over_cases

COHORT = make_phantom_cohort(12, random_state=1)
SHAPE = RadiomicsExtractor(families=["shape"])


def table(n_cases=40, n_features=5, effect=0.7, seed=0):
    rng = np.random.default_rng(seed)
    y = pd.Series(np.arange(n_cases) % 2, index=[f"case {n}" for n in range(n_cases)])
    X = pd.DataFrame(rng.normal(size=(n_cases, n_features)) + effect * y.to_numpy()[:, None], index=y.index)
    return X.add_prefix("f"), y


def with_small_region(cohort, number):
    """The cohort, with one case whose region is too small to be measured."""
    mask = np.zeros_like(cohort[number].roi)
    mask[tuple(np.argwhere(cohort[number].roi)[0])] = True
    return Cohort([case.replace(mask=mask) if row == number else case for row, case in enumerate(cohort)])


def test_labels_in_another_order_are_matched_by_name():
    X, y = table()
    plain = cross_validated_auc(GaussianNB(), X, y.to_numpy(), cv=5)
    for shuffled in (y.sample(frac=1, random_state=0), y.sort_values()):
        pd.testing.assert_frame_equal(
            cross_validated_auc(GaussianNB(), X, shuffled, cv=5).predictions, plain.predictions
        )
    cohort = COHORT
    of_cases = pd.Series(cohort.labels, index=cohort.ids)
    model = make_pipeline(SHAPE, GaussianNB())
    by_name = cross_validated_auc(model, cohort, of_cases[::-1], cv=3)
    np.testing.assert_array_equal(by_name.predictions["label"], cohort.labels)
    size = pd.Series(np.arange(1.0, 41.0), index=y.index)
    alone = cross_validated_auc(GaussianNB(), X, y, cv=5, size=size[::-1]).size_alone
    np.testing.assert_allclose(alone.auc, max(roc_auc_score(y, size), 1 - roc_auc_score(y, size)))


def test_labels_of_other_cases_are_refused():
    X, y = table()
    with pytest.raises(StudyError, match="first that differs is 'case 3' in X and 'other' in 'y'.*y.to_numpy"):
        cross_validated_auc(GaussianNB(), X, y.rename({"case 3": "other"}), cv=5)
    numbered = X.reset_index(drop=True)
    with pytest.raises(StudyError, match="first that differs is 0 in X and 'case 0' in 'y'"):
        cross_validated_auc(GaussianNB(), numbered, y, cv=5)
    shuffled = y.reset_index(drop=True).sample(frac=1, random_state=0)
    by_position = cross_validated_auc(GaussianNB(), X.to_numpy(), shuffled, cv=5)  # arrays have no names
    np.testing.assert_array_equal(by_position.predictions["label"], shuffled)


def test_a_case_that_comes_twice_is_refused():
    X, y = table()
    twice = pd.concat([X, X.iloc[:1]])
    with pytest.raises(LeakageError, match="Case 'case 0' comes twice, in rows 0 and 40"):
        cross_validated_auc(GaussianNB(), twice, np.append(y, 0), cv=5)
    cases = [*COHORT, COHORT[0]]
    with pytest.raises(LeakageError, match="Case 'phantom-000' comes twice"):
        cross_validated_auc(make_pipeline(SHAPE, GaussianNB()), cases, [case.label for case in cases], cv=3)


def test_a_column_that_comes_twice_is_refused():
    X, y = table()
    with pytest.raises(StudyError, match="The column 'f0' comes twice.*add_prefix"):
        cross_validated_auc(GaussianNB(), pd.concat([X, X[["f0"]]], axis=1), y, cv=5)


def test_cases_in_one_column_are_studied_as_a_list():
    column = np.empty((12, 1), dtype=object)
    column[:, 0] = list(COHORT)
    model = make_pipeline(SHAPE, GaussianNB())
    plain = cross_validated_auc(model, list(COHORT), COHORT.labels, cv=3)
    for X in (column, column.ravel(), pd.DataFrame(column)):
        pd.testing.assert_frame_equal(cross_validated_auc(model, X, COHORT.labels, cv=3).predictions, plain.predictions)
    assert plain.predictions.index.tolist() == COHORT.ids


def test_two_columns_of_cases_in_an_array_reach_the_model():
    pairs = np.empty((len(COHORT), 2), dtype=object)
    pairs[:, 0] = pairs[:, 1] = list(COHORT)
    rows = rows_of(pairs)
    assert (rows.numbers(), rows.is_numeric, rows.names) == (None, False, list(range(len(COHORT))))


def test_a_class_in_place_of_a_model_is_refused():
    X, y = table()
    with pytest.raises(StudyError, match="Got the class GaussianNB; pass GaussianNB()"):
        cross_validate_models({"model": GaussianNB}, X, y)


def test_failed_rows_of_a_table_are_an_error_or_left_out_with_their_reason():
    X, y = table()
    X.iloc[4] = np.nan
    X.attrs["errors"] = {"case 4": "EmptyMaskError: case 4: the mask outlines no voxel."}
    with pytest.raises(StudyError, match="first is 'case 4' .EmptyMaskError.*on_error='exclude'"):
        cross_validated_auc(GaussianNB(), X, y, cv=5)
    result = cross_validated_auc(GaussianNB(), X, y, cv=5, on_error="exclude")
    assert result.excluded == X.attrs["errors"]
    without = cross_validated_auc(GaussianNB(), X.drop("case 4"), y.drop("case 4"), cv=5)
    pd.testing.assert_frame_equal(result.predictions, without.predictions)
    assert str(result).endswith("left out: case 4")


@pytest.mark.parametrize("selector", [[], [ReliefF(2)]], ids=["all", "relieff"])
def test_cases_that_cannot_be_measured_are_left_out_of_a_study(selector, tmp_path):
    cohort = with_small_region(make_phantom_cohort(17, random_state=6), 5)
    missing = Case("nowhere.nii.gz", "nowhere.nii.gz", "gone", label=1)
    cohort = Cohort([*cohort, missing])
    model = make_pipeline(RadiomicsExtractor(families=["firstorder"]), *selector, GaussianNB())
    with pytest.raises(InputError, match="phantom-005: The region"):
        cross_validated_auc(model, cohort[:-1], cohort.labels[:-1])
    result = cross_validated_auc(model, cohort, cohort.labels, on_error="exclude")
    assert list(result.excluded) == ["phantom-005", "gone"]
    assert result.excluded["phantom-005"].startswith("RoiTooSmallError: phantom-005: The region")
    kept = [row for row in range(17) if row != 5]
    plain = cross_validated_auc(model, cohort[kept], cohort.labels[kept])
    pd.testing.assert_frame_equal(result.predictions, plain.predictions)
    pd.testing.assert_frame_equal(result.beside.predictions, plain.beside.predictions)
    assert result.size_alone.auc == plain.size_alone.auc
    page = write_report(result, tmp_path / "report.html").read_text()
    assert "2 of 18 cases were left" in page
    assert "phantom-005: RoiTooSmallError" in page


def test_training_tunes_in_folds_that_keep_patients_together():
    cohort = Cohort([case.replace(patient=f"P{row // 2}") for row, case in enumerate(make_phantom_cohort(16))])
    labels = np.arange(16) // 2 % 2
    seen = []

    class Spying(GaussianNB):
        def fit(self, X, y):
            seen.append(len(X))
            return super().fit(X, y)

    search = GridSearchCV(make_pipeline(SHAPE, Spying()), {"spying__var_smoothing": [1e-9, 1e-3]}, cv=4)
    fitted, _ = fit_over_cases(search, cohort, labels)
    assert set(seen) == {12, 16}  # two whole patients left out, and the fit to all
    assert fitted.cv == 4


def test_training_leaves_out_cases_that_cannot_be_measured():
    cohort = with_small_region(make_phantom_cohort(14, random_state=6), 3)
    union = make_pipeline(RadiomicsExtractor(families=["firstorder"]), ReliefF(3), GaussianNB())
    fitted, excluded = fit_over_cases(union, cohort, cohort.labels, on_error="exclude")
    kept = [row for row in range(14) if row != 3]
    plain = union.fit(cohort[kept], cohort.labels[kept])
    assert list(excluded) == ["phantom-003"]
    np.testing.assert_array_equal(fitted.predict_proba(cohort[kept]), plain.predict_proba(cohort[kept]))
    assert type(fitted[0]) is RadiomicsExtractor


def test_raters_that_agree_exactly_have_no_interval():
    assert str(intraclass_correlation([1.0, 2, 3], [1.0, 2, 3])).startswith(
        "ICC 1.00 (the raters agree exactly: no interval)"
    )


def test_a_study_keeps_extracted_rows_in_a_cache(tmp_path):
    model = make_pipeline(DeepFeatureExtractor(), GaussianNB())
    cold, warm = (cross_validated_auc(model, COHORT, COHORT.labels, cv=3, cache_dir=tmp_path) for _ in range(2))
    assert len(list(tmp_path.iterdir())) >= 12
    pd.testing.assert_frame_equal(cold.predictions, warm.predictions)


def test_row_numbers_in_different_order_may_be_names_or_positions_and_are_refused():
    X, y = table()
    X, y = X.reset_index(drop=True), y.reset_index(drop=True)
    shuffled = X.sample(frac=1, random_state=0)
    for rows, labels in ((shuffled, y), (X, y[shuffled.index])):
        with pytest.raises(StudyError, match=r"same row numbers in different order.*y\.loc\[X\.index\].*y\.to_numpy"):
            cross_validated_auc(GaussianNB(), rows, labels, cv=5)
    found = cross_validated_auc(GaussianNB(), shuffled, y.loc[shuffled.index], cv=5)
    np.testing.assert_array_equal(found.predictions["label"], y[shuffled.index])
    reversed_names = cross_validated_auc(GaussianNB(), shuffled, y.loc[shuffled.index[::-1]], cv=5)
    pd.testing.assert_frame_equal(reversed_names.predictions, found.predictions)


def test_patients_are_known_from_any_table_of_a_grid():
    X, _ = table()
    labels = np.arange(40) // 2 % 2
    texture, clinical = X[["f1", "f2"]].copy(), X[["f0"]]
    texture.attrs["patients"] = {name: f"p{row // 2}" for row, name in enumerate(X.index)}
    tables = {"clinical": clinical, "texture": texture}
    results = cross_validate_grid(tables, {"all": None}, {"bayes": GaussianNB()}, labels, cv=4, n_repeats=1)
    for result in results.values():
        for ids in result.folds["test_ids"]:
            members = Counter(texture.attrs["patients"][name] for name in ids)
            assert set(members.values()) == {2}


def test_text_in_an_array_reaches_models_that_encode_it():
    X, y = table()
    mixed = np.empty((40, 2), dtype=object)
    mixed[:, 0], mixed[:, 1] = np.where(X["f1"] > 0, "high", "low"), X["f0"]
    encoder = ColumnTransformer([("text", OneHotEncoder(), [0])], remainder="passthrough")
    coded = np.column_stack([X["f1"] <= 0, X["f1"] > 0, X["f0"]]).astype(float)
    found = cross_validated_auc(make_pipeline(encoder, LogisticRegression()), mixed, y.to_numpy(), cv=5)
    plain = cross_validated_auc(LogisticRegression(), coded, y.to_numpy(), cv=5)
    np.testing.assert_allclose(found.auc, plain.auc)


class FailsWithWideBins(RadiomicsExtractor):
    """Cannot measure case 3 in wide bins."""

    def transform(self, cases):
        if self.bin_width == 50 and any(case.id == "phantom-003" for case in cases):
            raise ValueError("phantom-003: too wide")
        return super().transform(cases)


def test_a_setting_that_fails_for_a_case_is_not_tuned_with_a_row_of_nan():
    model = make_pipeline(FailsWithWideBins(families=["firstorder"]), SimpleImputer(), GaussianNB())
    search = GridSearchCV(model, {"failswithwidebins__bin_width": [25, 50]}, cv=2, error_score="raise")
    with pytest.raises(ValueError, match="phantom-003: too wide"):
        cross_validated_auc(search, COHORT, COHORT.labels, cv=3, n_repeats=1, on_error="exclude")


def several_cases_each():
    return Cohort([case.replace(patient=f"P{row // 2}") for row, case in enumerate(make_phantom_cohort(12))])


def test_a_table_that_lost_its_patients_is_refused():
    cohort = several_cases_each()
    extracted = extract_table(SHAPE, cohort)
    age = pd.DataFrame({"age": np.arange(12.0)}, index=cohort.ids)
    bare = pd.DataFrame(extracted.to_numpy(), index=cohort.ids)
    for lost in (extracted.join(age), pd.concat([extracted, age], axis=1), bare):
        with pytest.raises(LeakageError, match="does not know its patients.*patient 'P0' has several.*Pass groups"):
            cross_validated_auc(GaussianNB(), lost, cohort.labels, cv=3)
        with pytest.raises(LeakageError, match="does not know its patients"):
            bootstrap_auc(GaussianNB(), lost, cohort.labels, n_resamples=2)
        given = cross_validated_auc(GaussianNB(), lost, cohort.labels, cv=2, groups=cohort.patients)
        assert given.folds["n_test"].tolist() == [6] * 10
        each = cross_validated_auc(GaussianNB(), lost, cohort.labels, cv=3, groups=cohort.ids, size=None)
        assert each.cv == "3-fold, 5 repeats"
    first, second = [0, 3, 4, 7, 8, 11], [1, 2, 5, 6, 9, 10]
    with pytest.raises(LeakageError, match="6 patients are in both cohorts: 'P0'"):
        holdout_auc(GaussianNB(), extracted.iloc[first], cohort.labels[first], bare.iloc[second], cohort.labels[second])


def test_designs_that_cannot_work_are_refused():
    X, y = table(8)
    for options, message in (
        ({"groups": ["P"] * 8}, "All 8 cases are of one patient or group, 'P'"),
        ({"cv": "leave-pair-out", "groups": [f"P{label}" for label in y]}, "training part of fold 0 .* is empty"),
        ({"cv": 2, "random_state": -1}, "'random_state' parameter of a study must be an int >= 0"),
        ({"n_jobs": 0}, "'n_jobs' parameter of a study must be None or an int other than 0. Got 0"),
    ):
        with pytest.raises(StudyError, match=message):
            cross_validated_auc(GaussianNB(), X, y, **options)
    with pytest.raises(StudyError, match="There is no case to study"):
        cross_validated_auc(GaussianNB(), X[:0], y[:0])
    with pytest.raises(StudyError, match="The model takes a table, not cases. Put an extractor first"):
        cross_validated_auc(GaussianNB(), COHORT, COHORT.labels, cv=3)


@pytest.mark.parametrize("study", [cross_validated_auc, fit_over_cases])
def test_a_study_of_images_of_mixed_spacing_is_warned_of_once(study):
    cases = [case.replace(spacing_mm=(1.5, 1, 1) if row else (4.0, 1, 1)) for row, case in enumerate(COHORT)]
    model = make_pipeline(RadiomicsExtractor(families=["firstorder"]), GaussianNB())
    with pytest.warns(
        RadiodeepWarning, match=r"Spacing differs .* 1\.5 mm \(phantom-001\) to 4 mm \(phantom-000\)"
    ) as caught:
        study(model, Cohort(cases), COHORT.labels)
    assert sum("Spacing differs" in str(one.message) for one in caught) == 1
