"""Rows, labels and patients belong together, whatever they come in."""

from collections import Counter

import numpy as np
import pandas as pd
import pytest
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import RandomForestClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import brier_score_loss, roc_auc_score
from sklearn.model_selection import GridSearchCV
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder
from sklearn.svm import SVC

from radiodeep import (
    Case,
    Cohort,
    DeepFeatureExtractor,
    RadiomicsExtractor,
    ReliefF,
    auc_with_confidence,
    bootstrap_auc,
    bootstrap_interval,
    calibration,
    compare_accuracy,
    compare_auc,
    cross_validate_grid,
    cross_validate_models,
    cross_validated_auc,
    decision_curve,
    extract_table,
    holdout_auc,
    intraclass_correlation,
    make_phantom_cohort,
    sensitivity_at_specificity,
    write_report,
)
from radiodeep.exceptions import InputError, LeakageError, OutputError, RadiodeepWarning, StudyError
from radiodeep.report.figures import roc_figure
from radiodeep.study.training import fit_over_cases
from radiodeep.study.statistics.auc import mean_roc

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


def test_equal_rows_under_two_names_and_copies_of_the_label_are_pointed_out(tmp_path):
    X, y = table()
    copied = pd.concat([X, X.iloc[[3]].rename({"case 3": "copy"})])
    with pytest.warns(RadiodeepWarning, match="1 case has the same features as another case, e.g. 'copy' as 'case 3'"):
        cross_validated_auc(GaussianNB(), copied, np.append(y, y.iloc[3]), cv=5)
    gaps = X.assign(outcome=y.where(np.arange(40) != 3))
    with pytest.warns(RadiodeepWarning, match="Feature 'outcome' is equal or nearly equal to the label"):
        cross_validated_auc(make_pipeline(SimpleImputer(), GaussianNB()), gaps, y, cv=5)
    for leaked in (y, -3.0 * y, y + 0.02 * np.random.default_rng(0).normal(size=40)):
        with pytest.warns(RadiodeepWarning, match="Feature 'outcome' is equal or nearly equal to the label"):
            result = cross_validated_auc(GaussianNB(), X.assign(outcome=leaked), y, cv=5)
    assert "Feature &#39;outcome&#39; is equal" in write_report(result, tmp_path / "report.html").read_text()
    whole = (X > 0).astype(int)  # equal rows of whole numbers are no sign of a copy
    assert cross_validated_auc(GaussianNB(), whole, y, cv=5).remarks == ()


def test_equal_images_under_two_names_are_pointed_out():
    cohort = Cohort([*COHORT, COHORT[0].replace(id="again")])
    with pytest.warns(RadiodeepWarning, match="e.g. 'again' as 'phantom-000'"):
        cross_validated_auc(make_pipeline(SHAPE, GaussianNB()), cohort, cohort.labels, cv=3)


def test_cases_in_one_column_are_studied_as_a_list():
    column = np.empty((12, 1), dtype=object)
    column[:, 0] = list(COHORT)
    model = make_pipeline(SHAPE, GaussianNB())
    plain = cross_validated_auc(model, list(COHORT), COHORT.labels, cv=3)
    for X in (column, column.ravel(), pd.DataFrame(column)):
        pd.testing.assert_frame_equal(cross_validated_auc(model, X, COHORT.labels, cv=3).predictions, plain.predictions)
    assert plain.predictions.index.tolist() == COHORT.ids


def test_missing_and_infinite_features_are_named():
    X, y = table()
    X.iloc[7, 2] = np.nan
    with pytest.raises(
        StudyError, match="1 values of the table are NaN, in 1 cases: the first is feature 'f2' of case 'c"
    ):
        cross_validated_auc(GaussianNB(), X, y, cv=5)
    with pytest.raises(StudyError, match="The columns 'sex' of the table hold text. Drop or encode them first."):
        cross_validated_auc(GaussianNB(), X.assign(sex="f"), y, cv=5)
    for value in (np.inf, -1e300):
        with pytest.raises(
            StudyError, match=f"1 values .* is {value:g}, feature 'f2' of case 'case 7'".replace("+", ".")
        ):
            cross_validated_auc(GaussianNB(), X.fillna(value), y, cv=5)


def test_constant_features_that_end_in_nan_scores_are_named():
    X, y = table()
    flat = X.assign(f0=0.0)[["f0"]]
    with (
        np.errstate(all="ignore"),
        pytest.raises(StudyError, match="a score of nan. Look for features that are constant"),
    ):
        cross_validated_auc(GaussianNB(var_smoothing=0), flat, y, cv=5)


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


@pytest.mark.parametrize("cv", ["leave-one-out", 4, "leave-pair-out"])
@pytest.mark.parametrize("model", [GaussianNB(), RandomForestClassifier(3, random_state=0), SVC()])
def test_the_other_class_as_the_positive_one_turns_scores_round(model, cv):
    X, y = table(20)
    labels = np.where(y == 1, "malignant", "normal")
    last, first = (cross_validated_auc(model, X, labels, cv=cv, positive=name) for name in (None, "malignant"))
    assert (last.positive, first.positive) == ("normal", "malignant")
    np.testing.assert_allclose(first.auc, last.auc)
    np.testing.assert_allclose(first.confidence_interval.low, last.confidence_interval.low)
    np.testing.assert_allclose(first.predictions["probability"], 1 - last.predictions["probability"])
    np.testing.assert_allclose(
        roc_auc_score(labels == "malignant", first.predictions["score"].round(9)),
        roc_auc_score(labels == "normal", last.predictions["score"].round(9)),
    )
    assert str(first).endswith("  positive class: malignant")
    with pytest.raises(StudyError, match="One result is about class 'normal', the other about 'malignant'"):
        compare_auc(last, first)
    assert compare_auc(first, first).p_value == 1


def test_sensitivity_and_decisions_are_about_the_positive_class():
    X, y = table(60, effect=0.5)
    labels = np.where(y == 1, "malignant", "normal")
    first = cross_validated_auc(LogisticRegression(), X, labels, cv=5, n_repeats=1, positive="malignant")
    as_numbers = cross_validated_auc(LogisticRegression(), X, y, cv=5, n_repeats=1)
    found, expected = sensitivity_at_specificity(first), sensitivity_at_specificity(as_numbers)
    np.testing.assert_allclose([found.sensitivity, found.threshold], [expected.sensitivity, expected.threshold])
    assert "for class malignant at specificity" in str(found)
    np.testing.assert_allclose(decision_curve(first), decision_curve(as_numbers), atol=1e-9)
    np.testing.assert_allclose(calibration(first).slope, calibration(as_numbers).slope, rtol=1e-4)
    with pytest.raises(StudyError, match=r"'positive' parameter must be one of the labels, \['malignant', 'normal'\]"):
        cross_validated_auc(GaussianNB(), X, labels, positive="malign")
    assert auc_with_confidence(labels, -X["f0"], positive="normal").auc == 1 - roc_auc_score(y, -X["f0"])
    result = holdout_auc(GaussianNB(), X[:30], labels[:30], X[30:], labels[30:], positive="malignant")
    np.testing.assert_allclose(result.auc, roc_auc_score(y[30:], result.predictions["score"]))


def test_all_measures_of_repeats_are_means_over_the_repeats():
    X, y = table(60, effect=0.5)
    result = cross_validated_auc(GaussianNB(), X, y, cv=5, n_repeats=4)
    single = [cross_validated_auc(GaussianNB(), X, y, cv=5, n_repeats=1, random_state=seed) for seed in range(4)]
    np.testing.assert_allclose(result.auc, np.mean([one.auc for one in single]))
    np.testing.assert_allclose(result.accuracy, np.mean([one.accuracy for one in single]))
    np.testing.assert_allclose(result.predictions["correct"].mean(), result.accuracy)
    together, apart = calibration(result), [calibration(one) for one in single]
    np.testing.assert_allclose(together.slope, np.mean([one.slope for one in apart]))
    np.testing.assert_allclose(together.brier, np.mean([brier_score_loss(y, one.probabilities[0]) for one in single]))
    np.testing.assert_allclose(together.curve["observed"], np.mean([one.curve["observed"] for one in apart], axis=0))
    found = sensitivity_at_specificity(result, 0.8)
    np.testing.assert_allclose(
        found.sensitivity, np.mean([sensitivity_at_specificity(one, 0.8).sensitivity for one in single])
    )
    assert np.isnan(found.threshold)
    np.testing.assert_allclose(decision_curve(result), np.mean([decision_curve(one) for one in single], axis=0))


def test_the_area_of_the_drawn_curve_is_the_auc_in_the_legend():
    rng = np.random.default_rng(0)
    positive = np.arange(30) % 3 == 0
    scores = np.round(rng.normal(size=(5, 30)) + positive, 1)  # with ties
    false_rate, true_rate = mean_roc(positive, scores)
    np.testing.assert_allclose(
        np.trapezoid(true_rate, false_rate), np.mean([roc_auc_score(positive, score) for score in scores])
    )
    X, y = table(30, effect=0.5)
    for cv in ("leave-one-out", 5):
        result = cross_validated_auc(GaussianNB(), X, y, cv=cv)
        axes = roc_figure([result]).axes[0]
        area = np.trapezoid(axes.lines[1].get_ydata(), axes.lines[1].get_xdata())
        np.testing.assert_allclose(area, result.auc)
        assert axes.get_legend().get_texts()[0].get_text().endswith(f"{result.auc:.2f}")
        assert axes.get_legend().get_title().get_text() == f"AUC, {result.cv}"


def test_the_bootstrap_says_how_many_resamples_it_used():
    X, y = table(24)
    few = np.flatnonzero((y == 0) | (np.arange(24) < 6))
    found = bootstrap_auc(GaussianNB(), X.iloc[few], y.iloc[few], n_resamples=40)
    n_used = len(found.out_of_bag_aucs)
    assert n_used < 40
    assert f"{n_used} resamples; {40 - n_used} others left out one class only" in str(found)


def test_mcnemars_test_of_out_of_fold_predictions_is_warned_of():
    X, y = table()
    a, b = (cross_validated_auc(model, X, y, cv=5) for model in (GaussianNB(), LogisticRegression()))
    with pytest.warns(RadiodeepWarning, match="16 to 35 % at p < 0.05"):
        compare_accuracy(a, b)
    models = [GaussianNB(), LogisticRegression()]
    a, b = (holdout_auc(model, X[:20], y[:20], X[20:], y[20:]) for model in models)
    assert 0 <= compare_accuracy(a, b).p_value <= 1


def test_raters_that_agree_exactly_have_no_interval():
    assert str(intraclass_correlation([1.0, 2, 3], [1.0, 2, 3])).startswith(
        "ICC 1.00 (all raters agree exactly: no interval)"
    )


def test_what_happened_inside_the_folds_is_said_as_far_as_it_is_known(tmp_path):
    X, y = table()
    chosen = make_pipeline(ReliefF(2), GaussianNB())

    def page(results):
        return " ".join(write_report(results, tmp_path / "report.html").read_text().split())

    taken = "The table was taken as given: whether its features were selected before is not known."
    assert f"Features were selected and models fitted inside each fold. {taken}" in page(
        cross_validated_auc(chosen, X, y, cv=5)
    )
    assert f"Models were fitted inside each fold. {taken}" in page(cross_validated_auc(GaussianNB(), X, y, cv=5))
    both = cross_validate_models({"chosen": chosen, "all": GaussianNB()}, X, y, cv=5)
    assert "Models were fitted inside each fold, and features selected there by chosen." in page(both)
    assert "Models were fitted to the training cohort" in page(holdout_auc(chosen, X[:20], y[:20], X[20:], y[20:]))
    images = cross_validated_auc(make_pipeline(SHAPE, GaussianNB()), COHORT, COHORT.labels, cv=3)
    assert "inside each fold. Features were extracted from the images." in page(images)


def test_a_report_goes_to_html_and_holds_results(tmp_path):
    X, y = table()
    result = cross_validated_auc(GaussianNB(), X, y, cv=5)
    with pytest.raises(InputError, match=r"A report is written as \.html\. Got .*for a PDF print the page"):
        write_report(result, tmp_path / "report.pdf")
    with pytest.raises(StudyError, match="A report takes results of cross_validated_auc or holdout_auc. Got NoneType"):
        write_report(None, tmp_path / "report.html")
    (tmp_path / "folder.html").mkdir()
    with pytest.raises(OutputError, match="it is a folder"):
        write_report(result, tmp_path / "folder.html")


def test_a_study_keeps_extracted_rows_in_a_cache(tmp_path):
    model = make_pipeline(DeepFeatureExtractor(), GaussianNB())
    cold, warm = (cross_validated_auc(model, COHORT, COHORT.labels, cv=3, cache_dir=tmp_path) for _ in range(2))
    assert len(list(tmp_path.iterdir())) >= 12
    pd.testing.assert_frame_equal(cold.predictions, warm.predictions)


def test_a_result_shows_itself_in_a_notebook():
    X, y = table()
    X.index = y.index = ["<b>", *X.index[1:]]
    shown = cross_validated_auc(GaussianNB(), X, y, cv=5)._repr_html_()
    assert "AUC" in shown
    assert "<b>GaussianNB</b>" in shown
    assert "&lt;b&gt;" in shown


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


def test_training_rows_may_share_a_name_where_they_are_tested_on_others():
    X, y = table()
    train = [*range(20), *range(4)]
    repeated = holdout_auc(GaussianNB(), X.iloc[train], y.to_numpy()[train], X[20:], y[20:])
    as_arrays = holdout_auc(
        GaussianNB(), X.to_numpy()[train], y.to_numpy()[train], X.to_numpy()[20:], y.to_numpy()[20:]
    )
    assert repeated.auc == as_arrays.auc


@pytest.mark.parametrize("knows", ["train", "test"])
def test_a_case_on_both_sides_is_found_where_one_side_knows_no_patients(knows):
    X, y = table()
    train, test = X[:30].copy(), X[29:].copy()
    (train if knows == "train" else test).attrs["patients"] = {name: f"patient of {name}" for name in X.index}
    with pytest.raises(LeakageError, match="1 patient is in both cohorts: 'case 29'"):
        holdout_auc(GaussianNB(), train, y[:30], test, y[29:])


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


def test_patients_of_a_cohort_are_drawn_as_groups_are():
    cohort = make_phantom_cohort(16, random_state=1)
    order = np.random.default_rng(3).permutation(16)
    named = Cohort([case.replace(patient=f"p{number:02d}") for number, case in zip(order, cohort, strict=True)])
    model = make_pipeline(SHAPE, GaussianNB())
    found = bootstrap_auc(model, named, named.labels, n_resamples=10)
    by_groups = bootstrap_auc(model, named, named.labels, groups=named.patients, n_resamples=10)
    np.testing.assert_array_equal(found.out_of_bag_aucs, by_groups.out_of_bag_aucs)


def test_groups_of_an_interval_are_matched_by_name():
    X, _ = table()
    patients = pd.Series(np.arange(40) // 4, index=X.index)
    result = cross_validated_auc(GaussianNB(), X, patients % 2, cv=5, groups=patients)
    intervals = [bootstrap_interval(result, groups, n_resamples=50) for groups in (patients, patients[::-1])]
    assert intervals[0] == intervals[1]
    assert intervals[0] != bootstrap_interval(result, n_resamples=50)


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
        assert cross_validated_auc(GaussianNB(), lost, cohort.labels, cv=3, groups=cohort.ids).cv == "3-fold, 5 repeats"
    first, second = [0, 3, 4, 7, 8, 11], [1, 2, 5, 6, 9, 10]
    with pytest.raises(LeakageError, match="6 patients are in both cohorts: 'P0'"):
        holdout_auc(GaussianNB(), extracted.iloc[first], cohort.labels[first], bare.iloc[second], cohort.labels[second])


def test_test_cases_that_are_training_cases_under_other_names_are_pointed_out():
    X, y = table()
    renamed = X.rename(index=lambda name: f"again {name}")
    with pytest.warns(
        RadiodeepWarning, match="40 of 40 test cases have the same features as a training case, e.g. 'again"
    ):
        result = holdout_auc(GaussianNB(), X, y, renamed, y.to_numpy())
    assert len(result.remarks) == 1


def test_columns_of_a_holdout_are_matched_by_name():
    X, y = table()
    plain = holdout_auc(GaussianNB(), X[:20], y[:20], X[20:], y[20:])
    turned = holdout_auc(GaussianNB(), X[:20], y[:20], X[20:].iloc[:, ::-1], y[20:])
    pd.testing.assert_frame_equal(turned.predictions, plain.predictions)
    with pytest.raises(StudyError, match="the test table has no column 'f0'"):
        holdout_auc(GaussianNB(), X[:20], y[:20], X[20:].drop(columns="f0"), y[20:])


def test_labels_and_scores_with_names_are_matched():
    _, y = table()
    scores = (y + 0.0).sort_values()
    assert auc_with_confidence(y, scores).auc == 1
    with pytest.raises(StudyError, match="Labels and scores name different cases"):
        auc_with_confidence(y, scores.rename({"case 0": "other"}))


def test_labels_in_a_column_of_objects_are_taken_as_what_they_are():
    X, y = table()
    plain = cross_validated_auc(GaussianNB(), X, y, cv=5)
    for labels in (y.astype(object), y.astype(bool).astype(object), y.map({0: "a", 1: "b"}).astype(object)):
        np.testing.assert_array_equal(cross_validated_auc(GaussianNB(), X, labels, cv=5).scores, plain.scores)


def test_designs_that_cannot_work_are_refused():
    X, y = table(8)
    for options, message in (
        ({"groups": ["P"] * 8}, "All 8 cases are of one patient or group, 'P'"),
        ({"cv": "leave-pair-out", "groups": [f"P{label}" for label in y]}, "training part of fold 0 .* is empty"),
        ({"cv": 2, "random_state": -1}, "'random_state' parameter must be an int >= 0"),
        ({"n_jobs": 0}, "'n_jobs' parameter must be None or an int other than 0. Got 0"),
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
