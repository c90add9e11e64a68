"""Published formulas: their scores by hand, their files, and their place beside other models in a study."""

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline, make_union

import radiodeep as rd
from radiodeep import Case, ClinicalColumns, Cohort, RadiomicsExtractor, Signature
from radiodeep.exceptions import InputError

TABLE = pd.DataFrame({"age": [40, 60.0], "volume": [100.0, 10_000.0], "grade": [1, 3]}, index=["P-1", "P-2"])


def written(tmp_path, text):
    path = tmp_path / "formula.yaml"
    path.write_text(text)
    return path


def test_the_score_is_that_of_the_formula():
    transforms = {"volume": {"log": 10, "mean": 3.0, "sd": 0.5}, "grade": {"above": 2}}
    model = Signature({"age": 0.1, "volume": -2.0, "grade": 0.7}, -4.0, transforms=transforms)
    by_hand = [-4 + 4.0 - 2 * (2 - 3) / 0.5 + 0, -4 + 6.0 - 2 * (4 - 3) / 0.5 + 0.7]
    np.testing.assert_allclose(model.decision_function(TABLE), by_hand, rtol=1e-14)
    np.testing.assert_allclose(model.predict_proba(TABLE)[:, 1], expit(by_hand), rtol=1e-14)
    assert model.predict(TABLE).tolist() == [1, 0]


def test_cut_offs_give_groups_and_a_single_one_the_class():
    score = pd.DataFrame({"x": [-1.0, 0.3, 0.31, 2.0]})
    assert Signature({"x": 1}, cut_offs=[-1.0, 0.3]).groups(score).tolist() == [0, 1, 2, 2]
    assert Signature({"x": 1}, cut_offs=[0.3], classes=["no", "yes"]).predict(score).tolist() == [
        "no",
        "no",
        "yes",
        "yes",
    ]


def test_a_linear_formula_predicts_the_number_and_has_no_classes():
    model = Signature({"age": 0.5}, 3, link="linear")
    assert model.predict(TABLE).tolist() == [23, 33]
    assert not any(hasattr(model, name) for name in ("predict_proba", "decision_function", "classes_"))


def test_survival_is_that_of_the_baseline_to_the_power_of_the_hazard():
    model = Signature({"grade": 0.5}, -1, link="cox", baseline_survival={12: 0.9, 36: 0.6})
    survival = model.predict_survival(TABLE, [12, 24, 36])
    ratios = np.exp([-0.5, 0.5])
    np.testing.assert_allclose(survival[:, [0, 2]], [[0.9**ratio, 0.6**ratio] for ratio in ratios], rtol=1e-14)
    np.testing.assert_allclose(survival[:, 1], np.sqrt(0.9 * 0.6) ** ratios, rtol=1e-14)  # half the hazard between
    with pytest.raises(InputError, match="baseline survival until 36. Got the time 40; take an earlier horizon"):
        model.predict_survival(TABLE, [40])
    assert not hasattr(Signature({"grade": 0.5}, link="cox"), "predict_survival")


def test_a_file_gives_the_same_model(tmp_path):
    path = written(
        tmp_path,
        "source: nobody\nlink: cox\nintercept: 1e-3\ncoefficients: {age: -2e-2, volume: .5}\n"
        "transforms:\n  volume: {log: e}\nbaseline_survival: {12: 0.9}\n",
    )
    model = Signature.from_yaml(path)
    expected = 1e-3 - 2e-2 * TABLE["age"] + 0.5 * np.log(TABLE["volume"])
    np.testing.assert_allclose(model.predict(TABLE), expected, rtol=1e-14)
    assert model.source == "nobody"


def test_numbers_in_scientific_notation_may_be_in_lists_and_texts_stay_texts(tmp_path):
    path = written(tmp_path, "source: '2019'\nclasses: ['0', '1']\ncoefficients: {age: 1}\ncut_offs: [-1e3, 1e-3]\n")
    model = Signature.from_yaml(path)
    assert (model.cut_offs, model.source, model.classes) == ([-1000, 0.001], "2019", ["0", "1"])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("intercept: 1", "'formula.yaml' cannot be used: it must hold 'coefficients'"),
        ("coefficients: {x: 1}\nintercep: 2", "the key 'intercep' is unknown. .* Did you mean 'intercept'?"),
        ("coefficients: {x: 1, x: 2}", "line 1: the key 'x' is given twice"),
        ("coefficients: {x: high}", "'coefficients' parameter of Signature must be a dict"),
        ("coefficients: {x: 1}\nlink: probit", "'link' parameter of Signature must be one of logit, linear, cox"),
        ("coefficients: {x: 1}\ntransforms: {y: {log: e}}", "about features with a coefficient. Got 'y'"),
        ("coefficients: {x: 1}\ntransforms: {x: {root: 2}}", "dicts with the keys log, mean, sd, above"),
        ("coefficients: {x: 1}\ntransforms: {x: {log: 3}}", "'log of x' parameter"),
        ("coefficients: {x: 1}\ntransforms: {x: {sd: 0}}", "'sd of x' parameter of Signature must be a number > 0"),
        ("coefficients: {x: 1, no: 2}", "names of features, as text, to finite numbers. Got {'x': 1, False: 2}"),
        ("coefficients: {x: 1}\ncut_offs: [2, 1]", "'cut_offs' parameter of Signature must be a list of ascending"),
        ("coefficients: {x: 1}\ncut_offs: 2", "'cut_offs' parameter of Signature must be a list of ascending"),
        ("coefficients: {x: 1}\nbaseline_survival: {12: 0.9}", "with the link 'cox'"),
        ("coefficients: {x: 1}\nlink: cox\nbaseline_survival: {12: 0.5, 24: 0.9}", "that never rises"),
        ("coefficients: !!python/object/apply:os.system ['true']", "cannot be used: could not determine a constructor"),
    ],
)
def test_a_file_that_is_not_a_formula_is_an_error(tmp_path, text, message):
    with pytest.raises(InputError, match=message):
        Signature.from_yaml(written(tmp_path, text))


def test_a_file_that_does_not_exist_is_an_error(tmp_path):
    with pytest.raises(InputError, match="The signature '.*none.yaml' does not exist"):
        Signature.from_yaml(tmp_path / "none.yaml")


@pytest.mark.parametrize(
    ("table", "message"),
    [
        (TABLE[["grade"]], "needs 2 features that are not there: age, volume. There are 1 others"),
        (TABLE.rename(columns={"age": "Age"}), "needs 1 feature that is not there: age. .* Did you mean 'Age'?"),
        (TABLE.assign(age=[40, np.nan]), "P-2: the signature needs a number for 'age'. Got .*nan"),
        (TABLE.assign(age=["forty", "x"]), "P-1: .* a number for 'age'. Got 'forty', and 1 other cases lack one"),
        (TABLE.assign(volume=[-1, 0]), "P-1: the signature needs a number > 0 for 'volume'"),
        (TABLE.to_numpy(), "takes a DataFrame with named columns. Got ndarray .* extractor=RadiomicsExtractor"),
    ],
)
def test_features_that_are_not_there_are_named(table, message):
    model = Signature({"age": 1, "volume": 1}, transforms={"volume": {"log": "e"}})
    with pytest.raises(InputError, match=message):
        model.predict(table)


def test_a_table_is_studied_with_the_formula_as_a_fixed_model():
    rng = np.random.default_rng(0)
    y = np.arange(60) % 2
    table = pd.DataFrame({"age": 50 + 10 * y + rng.normal(0, 8, 60), "other": rng.normal(size=60)})
    models = {"published": Signature({"age": 0.1}, -5), "trained": LogisticRegression()}
    results = rd.cross_validate_models(models, table, y, cv=3, n_repeats=2)
    fixed = rd.auc_with_confidence(y, table["age"]).auc
    assert results["published"].auc == pytest.approx(fixed, abs=1e-12)
    assert results["trained"].auc != results["published"].auc


def with_age(cohort):
    return Cohort([case.replace(clinical={"age": 50 + 3 * n}) for n, case in enumerate(cohort)])


def test_cases_are_measured_by_the_extractor_in_studies_files_and_scores(tmp_path):
    cohort = with_age(rd.make_phantom_cohort(12, random_state=1))
    shape = RadiomicsExtractor(families={"shape": ["Sphericity"]})
    formula = {"original_shape_Sphericity": 5.0, "age": 0.02}
    model = Signature(formula, -2.0, extractor=make_union(ClinicalColumns(["age"]), shape))
    table = rd.extract_table(shape, cohort).assign(age=[case.clinical["age"] for case in cohort])
    expected = Signature(formula, -2.0).decision_function(table)
    result = rd.cross_validated_auc(model, cohort, cohort.labels, cv=3, n_repeats=1)
    np.testing.assert_allclose(result.predictions["score"], expected, rtol=1e-12)
    loaded = rd.load_model(rd.save_model(model.fit(cohort), tmp_path / "model.skops"))
    scores = rd.score_cohort(loaded, cohort[:2])
    np.testing.assert_allclose(scores["probability_1"], expit(expected[:2]), rtol=1e-12)


def test_a_pipeline_that_names_its_columns_may_precede_the_formula():
    cases = [Case("a.nii", "m.nii", f"P{n}", clinical={"age": age}) for n, age in enumerate((40, 60))]
    model = make_pipeline(make_union(ClinicalColumns(["age"])), Signature({"age": 0.1}, link="linear"))
    assert model.set_output(transform="pandas").fit(cases).predict(cases).tolist() == [4, 6]


def test_a_formula_with_an_extractor_that_learns_nothing_needs_no_fit():
    case = rd.make_phantom_cohort(1, random_state=0)[0]
    model = Signature({"original_shape_Sphericity": 1.0}, extractor=RadiomicsExtractor(families=["shape"]), link="cox")
    assert rd.score_cohort(model, [case])["risk"].iloc[0] == pytest.approx(model.predict([case])[0])
    followed = model.set_params(baseline_survival={12: 0.8})
    assert rd.score_cohort(followed, [case], horizon=12).columns[1:3].tolist() == ["risk", "survival_12"]
