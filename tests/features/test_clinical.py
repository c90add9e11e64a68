"""Clinical columns: what they make of numbers, categories, orders and missing values, and that they read no image."""

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline, make_union
from sklearn.preprocessing import StandardScaler

import radiodeep as rd
from radiodeep import Case, ClinicalColumns, Cohort
from radiodeep.exceptions import InputError, RadiodeepWarning


def cases_of(**columns):
    """Return cases without images of lists of values, None for unknown ones."""
    rows = [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
    pairs = enumerate(rows)
    return [Case(f"{n}.nii", f"{n}-mask.nii", f"P{n}", label=n % 2, clinical=known) for n, known in pairs]


def table_of(columns, cases):
    values = columns.fit_transform(cases)
    return pd.DataFrame(values, columns=columns.get_feature_names_out())


def test_numbers_categories_and_orders_become_columns():
    cases = cases_of(
        age=["63", "41.5", "50"], sex=["Male", "Female", "Male"], stage=["II", "I", "III"], site=list("abc")
    )
    table = table_of(ClinicalColumns(["age", "sex", "stage", "site"], kinds={"stage": ["I", "II", "III"]}), cases)
    assert table.columns.tolist() == ["age", "sex_Male", "stage", "site_a", "site_b", "site_c"]
    assert table.to_numpy().tolist() == [[63, 1, 1, 1, 0, 0], [41.5, 0, 0, 0, 1, 0], [50, 1, 2, 0, 0, 1]]


def test_values_of_python_are_those_of_manifests():
    written = cases_of(grade=["1", "2", "1"], age=["63", "41", "70"])
    given = cases_of(grade=[1.0, 2, np.int64(1)], age=[63, 41.0, np.float32(70)])
    columns = ClinicalColumns(["grade", "age"], kinds={"grade": "category"})
    assert table_of(columns, given).equals(table_of(columns, written))


def test_unknown_values_become_the_median_or_the_most_frequent_and_are_marked():
    cases = cases_of(age=["40", None, "60", "80"], sex=["F", "M", "F", float("nan")], stage=["I", "II", " ", "II"])
    table = table_of(ClinicalColumns(["age", "sex", "stage"], kinds={"stage": ["I", "II"]}), cases)
    assert table.columns.tolist() == ["age", "sex_M", "stage", "age_missing", "sex_missing", "stage_missing"]
    assert table["age"].tolist() == [40, 60, 60, 80]
    assert table["sex_M"].tolist() == [0, 1, 0, 0]
    assert table["stage"].tolist() == [0, 1, 1, 1]
    assert table.filter(like="missing").to_numpy().tolist() == [[0, 0, 0], [1, 0, 0], [0, 0, 1], [0, 1, 0]]


def test_a_value_missing_in_new_cases_only_is_imputed_without_a_new_column():
    columns = ClinicalColumns(["age", "sex"]).fit(cases_of(age=["40", "50", "90"], sex=["F", "F", "M"]))
    assert columns.transform(cases_of(age=[None], sex=[None])).tolist() == [[50, 0]]


def test_a_category_unknown_in_training_is_all_zeros_with_one_warning():
    columns = ClinicalColumns(["site"]).fit(cases_of(site=list("abc")))
    with pytest.warns(RadiodeepWarning, match="some values of 'site': 'd' of P1. Its columns are 0") as caught:
        values = columns.transform(cases_of(site=list("ade")))
    assert values.tolist() == [[1, 0, 0], [0, 0, 0], [0, 0, 0]]
    assert len(caught) == 1
    of_two = ClinicalColumns(["site"]).fit(cases_of(site=list("ab")))
    with pytest.warns(RadiodeepWarning, match="Its columns are 0, as for 'a'. Known are a, b"):
        assert of_two.transform(cases_of(site=["d"])).tolist() == [[0]]


@pytest.mark.parametrize(
    ("values", "kinds", "message"),
    [
        (["63,5", "50", "40"], None, "'63,5', a number with a decimal comma. Write 63.5"),
        (["II", "IV", "I"], {"age": ["I", "II", "III"]}, "P1: the column 'age' must hold one of I, II, III. Got 'IV'"),
        (["63", "n/a", "1"], {"age": "number"}, "P1: the column 'age' must hold a number. Got 'n/a' .*{'age': 'cat"),
        (["inf", "1", "2"], {"age": "number"}, "P0: .* a number. Got 'inf'"),
        ([None, "", " "], None, "'age' holds no value in the training cases"),
        ([*map(str, range(20, 40)), "NA"], None, "21 different values in 21 cases, e.g. 'NA', which is not a number"),
        ([f"2020-01-{day}" for day in range(10, 30)], None, "20 different values .* kinds={'age': 'category'}"),
    ],
)
def test_values_that_cannot_be_meant_are_errors(values, kinds, message):
    with pytest.raises(InputError, match=message):
        ClinicalColumns(["age"], kinds).fit_transform(cases_of(age=values))


def test_texts_with_commas_and_many_values_may_be_categories_by_request():
    cases = cases_of(codes=["1,2", "2", *map(str, range(3, 30))])
    assert ClinicalColumns(["codes"], {"codes": "category"}).fit_transform(cases).shape == (29, 29)


def test_a_column_that_no_case_has_is_named_with_the_nearest():
    with pytest.raises(InputError, match="There is no clinical column 'agee'. There are age, sex. Did you mean 'age'?"):
        ClinicalColumns(["agee"]).fit(cases_of(age=["1"], sex=["F"]))


def test_a_case_without_a_column_is_not_taken_as_one_without_a_value():
    cases = cases_of(age=["1", "2", "3"])
    columns = ClinicalColumns(["age"]).fit(cases)
    message = "P1: it has no column 'age', which 1 of 3 cases lack. Give None"
    with pytest.raises(InputError, match=message):
        columns.transform([cases[0], cases[1].replace(clinical={}), cases[2]])


def test_a_patient_whose_lesions_differ_in_a_column_has_an_unknown_value():
    first, second, third = cases_of(age=["50", "51", "60"])
    lesions = [case.replace(patient="A", label=0) for case in (first, second)]
    patients = Cohort([*lesions, third]).by_patient()
    columns = ClinicalColumns(["age"]).fit(patients)
    assert columns.transform(patients).tolist() == [[60, 1], [60, 0]]
    assert columns.transform(patients[:1]).tolist() == [[60, 1]]  # also without the other patients


def test_values_unlike_those_of_training_are_named():
    columns = ClinicalColumns(["age", "stage"]).fit(cases_of(age=["50", "60", None], stage=["I", "II", None]))
    unusual = cases_of(age=["65", "65.1", "44.9", None], stage=["I", "III", None, "II"])
    assert columns.outside_training(unusual) == [
        [], ["age 65.1 (trained on 50 to 60)", "stage III (trained on I, II)"], ["age 44.9 (trained on 50 to 60)"], []
    ]  # fmt: skip
    kinds = {"stage": ["I", "II"]}
    known = ClinicalColumns(["age", "stage"], kinds).fit(cases_of(age=["50", "60"], stage=["I", "II"]))
    first, second = (case.replace(patient="A", label=0) for case in cases_of(age=["50", "51"], stage=["I", None]))
    remarks = known.outside_training([*Cohort([first, second]).by_patient(), *cases_of(age=["50"], stage=[None])])
    assert remarks == [["age unknown (trained on 50 to 60)"], ["stage unknown (trained on I, II)"]]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"columns": "age"}, "'columns' parameter of ClinicalColumns must be a list of different names"),
        ({"columns": ["age", "age"]}, "'columns' parameter .* different names"),
        ({"columns": ["age"], "kinds": {"age": "ordinal"}}, "'kinds' parameter .* values from lowest to highest"),
        ({"columns": ["age"], "kinds": {"age": ["I", "I"]}}, "'kinds' parameter"),
        ({"columns": ["age"], "kinds": {"stage": "category"}}, "about its columns, age. Got .'stage'."),
    ],
)
def test_settings_out_of_range_are_errors(arguments, message):
    with pytest.raises(InputError, match=message):
        ClinicalColumns(**arguments).fit(cases_of(age=["1", "2"]))


def test_what_has_no_clinical_facts_is_an_error():
    with pytest.raises(InputError, match="takes cases, patients or a DataFrame. Got ndarray"):
        ClinicalColumns(["age"]).fit(np.eye(3))


def test_tables_work_as_cases_do():
    cases = cases_of(age=["1", None, "3"], sex=list("FMF"))
    frame = pd.DataFrame([dict(case.clinical) for case in cases], index=["x", "y", "z"])
    columns = ClinicalColumns(["age", "sex"])
    assert table_of(columns, frame.assign(other=1)).equals(table_of(columns, cases))
    column_of_cases = pd.DataFrame({"case": cases})
    assert table_of(columns, column_of_cases).equals(table_of(columns, cases))
    with pytest.raises(InputError, match="There is no clinical column 'sex'"):
        columns.fit(frame[["age"]])


def test_a_pandas_table_is_named_by_the_cases():
    table = ClinicalColumns(["age"]).set_output(transform="pandas").fit_transform(cases_of(age=["1", "2"]))
    assert table.index.tolist() == ["P0", "P1"]
    assert table.columns.tolist() == ["age"]


def forty_cases():
    rng = np.random.default_rng(0)
    label = np.arange(40) % 2
    ages = (50 + 10 * label + rng.normal(0, 5, 40)).round(1)
    return Cohort(cases_of(age=[*map(str, ages[:-1]), None], sex=rng.choice(["F", "M"], 40).tolist()))


def test_a_study_of_clinical_columns_needs_no_image():
    cohort = forty_cases()  # whose files do not exist
    model = make_pipeline(ClinicalColumns(["age", "sex"]), StandardScaler(), LogisticRegression())
    result = rd.cross_validated_auc(model, cohort, cohort.labels, cv=4, n_repeats=2, size=None, on_error="exclude")
    assert result.auc > 0.8
    assert result.excluded == {}
    with pytest.warns(RadiodeepWarning, match="sizes of the regions are unknown, .* P0: "):
        again = rd.cross_validated_auc(model, cohort, cohort.labels, cv=4, n_repeats=2)
    assert again.auc == result.auc


def test_a_study_warns_once_of_rare_categories():
    cases = cases_of(site=[*"ab" * 9, "rare", "other"])
    model = make_pipeline(ClinicalColumns(["site"]), LogisticRegression())
    with pytest.warns(RadiodeepWarning, match="some values of 'site': .* Other folds of this study warn") as caught:
        rd.cross_validated_auc(model, Cohort(cases), np.arange(20) % 2, cv=5, n_repeats=3, size=None)
    assert len(caught) == 1


def test_a_study_warns_of_a_column_that_is_the_outcome():
    cases = cases_of(age=list(range(20)), result=["alive", "dead"] * 10)
    model = make_pipeline(ClinicalColumns(["age", "result"]), LogisticRegression())
    with pytest.warns(RadiodeepWarning, match="Feature 'result_dead' is equal or nearly equal to the outcome"):
        rd.cross_validated_auc(model, Cohort(cases), np.arange(20) % 2, cv=2, n_repeats=2, size=None)


def test_imputed_values_are_learned_in_each_fold():
    cohort = forty_cases()
    model = make_pipeline(ClinicalColumns(["age", "sex"]), StandardScaler(), LogisticRegression())
    result = rd.cross_validated_auc(model, cohort, cohort.labels, cv=4, n_repeats=1, size=None)
    scores = np.full(40, np.nan)
    for tested in result.folds["test_ids"]:
        test = np.isin(cohort.ids, tested)
        by_hand = make_pipeline(ClinicalColumns(["age", "sex"]), StandardScaler(), LogisticRegression())
        scores[test] = by_hand.fit(cohort[~test], cohort.labels[~test]).decision_function(cohort[test])
    np.testing.assert_allclose(result.predictions["score"], scores, rtol=1e-12)


def test_a_union_with_an_extractor_is_studied_saved_and_scored(tmp_path):
    cohort = rd.make_phantom_cohort(12, random_state=1)
    ages = [None, *range(50, 61)]
    cohort = Cohort(
        [
            case.replace(clinical={"age": age, "sex": "FFM"[n % 3]})
            for n, (case, age) in enumerate(zip(cohort, ages, strict=True))
        ]
    )
    both = make_union(ClinicalColumns(["age", "sex"]), rd.RadiomicsExtractor(families=["shape"]))
    model = make_pipeline(both, StandardScaler(), LogisticRegression())
    studied = rd.cross_validated_auc(model, cohort, cohort.labels, cv=3, n_repeats=1)
    assert len(studied.folds) == 3
    loaded = rd.load_model(rd.save_model(model.fit(cohort, cohort.labels), tmp_path / "model.skops"))
    scores = rd.score_cohort(loaded, cohort)
    np.testing.assert_allclose(scores["probability_1"], model.predict_proba(cohort)[:, 1], rtol=1e-12)
    lacking = rd.score_cohort(loaded, [cohort[0].replace(clinical={})])
    assert lacking["error"].tolist() == ["InputError: phantom-000: There is no clinical column 'age'. There are none."]


def test_a_table_of_images_does_not_hold_what_is_learned():
    both = make_union(ClinicalColumns(["age"]), rd.RadiomicsExtractor(families=["shape"]))
    with pytest.raises(InputError, match="ClinicalColumns learns from the cases. .* join the columns"):
        rd.extract_table(both, cases_of(age=["1", "2"]))
