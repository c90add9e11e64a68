"""Sets of features on the same folds and model: clinical data, features, both, and published formulas."""

import numpy as np
import pandas as pd
import pytest
from sklearn.compose import make_column_transformer
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.pipeline import make_pipeline, make_union
from sklearn.preprocessing import MinMaxScaler, StandardScaler

import radiodeep as rd
from radiodeep import (
    Case,
    ClinicalColumns,
    Cohort,
    LesionAggregator,
    RadiomicsExtractor,
    Signature,
    added_value_test,
    compare_auc,
    compare_feature_sets,
)
from radiodeep.exceptions import StudyError
from radiodeep.study.feature_sets import nested_in

FEW = {"cv": 2, "n_repeats": 4}


@pytest.fixture(scope="module")
def table():
    """Sixty cases of two classes: age and two of eight textures tell of them."""
    rng = np.random.default_rng(3)
    label = np.arange(60) % 2
    columns = {"age": 60 + 6 * label + rng.normal(0, 8, 60), "sex": rng.integers(0, 2, 60)}
    columns |= {f"texture{number}": rng.normal(size=60) + (number < 2) * 0.8 * label for number in range(8)}
    return pd.DataFrame(columns, index=[f"P-{number}" for number in range(60)])


LABELS = np.arange(60) % 2
CLINICAL = ["age", "sex"]
TEXTURES = [f"texture{number}" for number in range(8)]


def test_sets_of_columns_have_the_results_of_models_of_these_columns(table):
    compared = compare_feature_sets(table, {"clinical": CLINICAL, "textures": TEXTURES}, LABELS, **FEW)
    model = make_pipeline(StandardScaler(), LogisticRegression(C=0.1, max_iter=1000))
    alone = {name: rd.cross_validated_auc(model, table[names], LABELS, **FEW) for name, names in
             {"clinical": CLINICAL, "textures": TEXTURES}.items()}  # fmt: skip
    assert [result.auc for result in compared.results.values()] == [result.auc for result in alone.values()]
    comparison = compare_auc(alone["textures"], alone["clinical"])
    row = compared.table.loc["textures"]
    assert (row["difference"], row["p_value"]) == (comparison.difference, comparison.p_value)
    assert (row["difference_low"], row["difference_high"]) == (
        comparison.confidence_interval.low,
        comparison.confidence_interval.high,
    )
    assert compared.table.loc["clinical"].isna().sum() == 6
    assert compared.added_value == {}


def test_a_set_that_contains_the_reference_is_tested_for_its_added_value(table):
    sets = {"both": [*CLINICAL, *TEXTURES], "clinical": CLINICAL, "age": ["age"]}
    compared = compare_feature_sets(table, sets, LABELS, reference="clinical", **FEW)
    results = compared.results
    assert compared.table["p_value"].tolist()[0] == added_value_test(results["clinical"], results["both"]).p_value
    assert compared.table["p_value"].tolist()[2] == added_value_test(results["age"], results["clinical"]).p_value
    assert compared.table["test"]["both"].startswith("added value, score test")
    assert list(compared.added_value) == ["both", "age"]
    both, age = compared.table.loc[["both", "age"], "p_value"]
    smallest = min(both, age) * 2
    assert compared.table["p_holm"].min() == pytest.approx(smallest)


def test_parts_of_unions_are_found_at_any_depth():
    cases = [Case("i.nii", "m.nii", f"P{n}", label=n % 2, clinical={"age": n % 7, "g": n % 3}) for n in range(30)]
    age, grade = ClinicalColumns(["age"]), ClinicalColumns(["g"])
    sets = {
        "age": age,
        "union": make_union(make_union(grade), age),
        "columns": ClinicalColumns(["g", "age"]),
        "g": grade,
    }
    compared = compare_feature_sets(Cohort(cases), sets, size=None, **FEW)
    assert list(compared.added_value) == ["union", "columns"]


@pytest.mark.parametrize(
    ("part", "whole"),
    [
        (ClinicalColumns(["age"]), ClinicalColumns(["g", "age"], kinds={"g": [0, 1, 2]})),
        (RadiomicsExtractor(families=["shape"]), RadiomicsExtractor(families=["firstorder", "shape"])),
        (RadiomicsExtractor(image="T1"), RadiomicsExtractor(image=("T1", "PET"))),
        (
            LesionAggregator(RadiomicsExtractor(families=["shape"]), how=("mean",)),
            LesionAggregator(RadiomicsExtractor(families=["shape", "glcm"]), how=("largest", "mean")),
        ),
        (
            make_pipeline(ClinicalColumns(["age"]), StandardScaler(), LogisticRegression()),
            make_pipeline(
                make_union(ClinicalColumns(["age"]), ClinicalColumns(["g"])), StandardScaler(), LogisticRegression()
            ),
        ),
        (["age"], make_column_transformer(("passthrough", ["age"]), (StandardScaler(), ["volume"]))),
        (
            make_column_transformer((StandardScaler(), ["age"])),
            make_column_transformer((StandardScaler(), ["age", "volume"])),
        ),
    ],
)
def test_a_set_within_another_is_found_whatever_lists_its_features(part, whole):
    sets = {"part": part, "whole": whole, "others": ["x"]}
    assert nested_in("part", sets) == (["whole"], [])
    assert nested_in("whole", sets) == ([], ["part"])
    assert nested_in("others", sets) == ([], [])


def test_sets_that_share_features_but_differ_in_others_are_not_nested():
    scaled = make_pipeline(ClinicalColumns(["age", "g"]), StandardScaler())
    sets = {
        "age, g": ClinicalColumns(["age", "g"]),
        "age, size": ClinicalColumns(["age", "size"]),
        "scaled": scaled,
        "bins of 10": RadiomicsExtractor(families=["shape"], bin_width=10),
        "bins of 25": RadiomicsExtractor(families=["shape", "glcm"], bin_width=25),
        "one of a pipeline": make_pipeline(ClinicalColumns(["age"]), MinMaxScaler()),
    }
    assert all(nested_in(name, sets) == ([], []) for name in sets)


def test_outcomes_without_a_test_of_added_value_say_so(table):
    sets = {"clinical": CLINICAL, "both": [*CLINICAL, *TEXTURES], "textures": TEXTURES}
    compared = compare_feature_sets(table, sets, table["texture0"] + table["age"] / 8, **FEW)
    assert np.isnan(compared.table["p_value"]["both"])
    assert compared.table["test"]["both"] == "nested sets, and no test of added value for numbers"
    assert compared.table["p_value"]["textures"] > 0
    assert "both against clinical: difference +0." in str(compared)
    assert "no p value: nested sets, and no test of added value for numbers" in str(compared)


def test_sets_are_compared_centre_by_centre(table):
    centres = np.repeat(list("ABC"), 20)
    sets = {"clinical": CLINICAL, "both": [*CLINICAL, *TEXTURES], "textures": TEXTURES, "same": CLINICAL}
    compared = compare_feature_sets(table, sets, LABELS, cv="leave-one-centre-out", centres=centres)
    assert compared.table["test"]["both"] == "nested sets, and no test of added value for centres"
    assert "random effects of 3 centres" in compared.table["test"]["textures"]
    assert compared.table.loc["same", ["difference", "p_value"]].tolist() == [0, 1]
    assert compared.table.loc["same", ["difference_low", "difference_high"]].tolist() == [0, 0]


def test_lists_of_columns_need_a_table():
    sets = {"clinical": ClinicalColumns(["age"]), "both": ["age", "clinical"]}
    with pytest.raises(StudyError, match="The set 'both' lists columns, which only a DataFrame has"):
        compare_feature_sets(rd.make_phantom_cohort(4, random_state=0), sets)


def test_whole_models_are_studied_as_they_are(table):
    sets = {
        "clinical": CLINICAL,
        "published": Signature({"age": 0.2}, -12.0),
        "trained": make_pipeline(StandardScaler(), LogisticRegression()),
    }
    results = compare_feature_sets(table, sets, LABELS, **FEW).results
    trained = rd.cross_validated_auc(sets["trained"], table, LABELS, **FEW)
    assert results["trained"].auc == trained.auc
    assert results["published"].settings["class"] == "Signature"


def test_every_set_gets_the_same_model(table):
    sets = {"clinical": CLINICAL, "textures": TEXTURES}
    results = compare_feature_sets(
        table, sets, table["texture0"] + table["age"] / 8, model=Ridge(alpha=3), **FEW
    ).results
    assert [result.settings["steps"][-1][1] for result in results.values()] == [
        results["clinical"].settings["steps"][-1][1]
    ] * 2
    assert results["textures"].settings["steps"][-1][1]["alpha"] == 3


def test_the_outcomes_of_a_cohort_are_its_labels_or_its_survival():
    rng = np.random.default_rng(0)
    cases = [
        Case("i.nii", "m.nii", f"P{n}", time=rng.exponential(12), event=n % 3 > 0, clinical={"age": n, "g": n % 4})
        for n in range(40)
    ]
    sets = {"age": ClinicalColumns(["age"]), "grade": ClinicalColumns(["g"])}
    survival = compare_feature_sets(Cohort(cases), sets, size=None, **FEW)
    assert survival.results["age"].outcome == "survival"
    assert "CoxRegression" in str(survival.results["age"].settings)
    labelled = Cohort([case.replace(label=n % 2) for n, case in enumerate(cases)])
    assert compare_feature_sets(labelled, sets, size=None, **FEW).results["age"].outcome == "two classes"
    again = compare_feature_sets(labelled, sets, outcome="survival", size=None, **FEW)
    assert again.table.equals(survival.table)


@pytest.mark.parametrize(
    ("sets", "arguments", "message"),
    [
        ({"clinical": CLINICAL}, {}, "dict from names to two transformers or more"),
        ({"clinical": CLINICAL, "size": 3}, {}, "The set 'size' must be a transformer of cases, a list"),
        ({"clinical": CLINICAL, "age": ["age"]}, {"reference": "Clinical"}, "Did you mean 'clinical'?"),
        ({"clinical": CLINICAL, "age": ["age"]}, {"y": None}, "The outcomes of a DataFrame are unknown. Pass y"),
    ],
)
def test_what_cannot_be_compared_is_an_error(table, sets, arguments, message):
    with pytest.raises(StudyError, match=message):
        compare_feature_sets(table, sets, **{"y": LABELS} | arguments)


def test_images_are_read_once_for_all_sets(monkeypatch):
    measured = []
    shape = rd.RadiomicsExtractor(families={"shape": ["Sphericity"]})
    transform = rd.RadiomicsExtractor.transform
    monkeypatch.setattr(
        rd.RadiomicsExtractor, "transform", lambda self, cases: measured.extend(cases) or transform(self, cases)
    )
    cohort = rd.make_phantom_cohort(8, random_state=0)
    cohort = Cohort([case.replace(clinical={"age": 40 + n % 3}) for n, case in enumerate(cohort)])
    sets = {"shape": shape, "both": make_union(ClinicalColumns(["age"]), shape)}
    compared = compare_feature_sets(cohort, sets, cv=2, n_repeats=2, size=None)
    assert len(compared.results) == 2
    assert [case.id for case in measured] == cohort.ids


def test_a_report_shows_the_differences(table, tmp_path):
    sets = {"clinical": CLINICAL, "both": [*CLINICAL, *TEXTURES], "textures": TEXTURES}
    compared = compare_feature_sets(table, sets, LABELS, **FEW)
    page = rd.write_report(compared, tmp_path / "report.html").read_text()
    assert "Compared with clinical, 2-fold, 4 repeats" in page
    assert "added value, score test, one-sided, 4 repeats" in page
    assert f"{compared.table['difference']['textures']:+.3f} (" in page
    plain = rd.write_report(compared.results, tmp_path / "plain.html").read_text()
    assert "Compared with clinical" not in plain


@pytest.fixture(scope="module")
def sarcomas(reference_data):
    """The 48 patients with soft-tissue sarcoma of whom clinical facts are known, with their PET."""
    facts = pd.read_csv(reference_data / "sts_mr" / "clinical.csv", dtype=str)
    facts = facts.rename(columns={"days_to_last_follow_up": "time", "died": "event"})
    folder = reference_data / "sts_pet"
    return Cohort.from_frame(pd.read_csv(folder / "manifest.csv", dtype=str).merge(facts, on="patient"), folder)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:ClinicalColumns. no training case")
@pytest.mark.filterwarnings("ignore:RadiomicsExtractor. Spacing differs")
def test_pet_tells_of_metastases_beyond_clinical_facts_and_neither_of_survival(sarcomas):
    assert (len(sarcomas), sum(sarcomas.labels), sum(sarcomas.survival["event"])) == (48, 18, 14)
    clinical = ClinicalColumns(["age", "sex", "grade", "histology"])
    pet = rd.RadiomicsExtractor(bin_count=32)
    sets = {"clinical": clinical, "PET": pet, "both": make_union(clinical, pet)}
    metastases = compare_feature_sets(sarcomas, sets)
    assert metastases.table["value"].tolist() == pytest.approx([0.678, 0.857, 0.854], abs=0.01)
    assert metastases.table.loc["both", "p_holm"] < 0.02
    survival = compare_feature_sets(
        sarcomas, {"clinical": clinical, "sex": ClinicalColumns(["sex"])}, outcome="survival"
    )
    assert survival.table.loc["clinical", "value"] == pytest.approx(0.606, abs=0.01)
    assert survival.table.loc["clinical", "low"] < 0.5
