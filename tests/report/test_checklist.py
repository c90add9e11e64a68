"""Reporting standards: their tables of items, and how a small study of phantoms fills them in."""

import re

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import GridSearchCV
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import radiodeep as rd
from radiodeep.exceptions import InputError, StudyError
from radiodeep.report.checklist import AUTHOR, STANDARDS, checklist_section, checklist_summary, filled_in
from radiodeep.report.fact import by_model
from radiodeep.report.facts_of_extraction import extraction_facts
from radiodeep.report.lesions import Lesions
from radiodeep.report.study_facts import study_facts

N_ITEMS = {"METRICS": 30, "CLEAR": 58, "RQS 2.0": 42, "TRIPOD+AI": 27, "CLAIM 2024": 44, "IBSI": 76}


@pytest.fixture(scope="module")
def cohort():
    """17 lesions of 9 patients, of which the last cannot be read."""
    cases = [
        case.replace(
            patient=f"P{number // 2}",
            label=number // 2 % 2,
            clinical={
                "age": 40.0 + number // 2,
                "sex": "fm"[number // 4 % 2],
                "centre": "AB"[number % 4 > 1],
                "scanner": "S",
            },
        )
        for number, case in enumerate(rd.make_phantom_cohort(17, random_state=0))
    ]
    cases[-1] = cases[-1].replace(mask=np.zeros_like(cases[-1].mask))
    return rd.Cohort(cases)


@pytest.fixture(scope="module")
def controls(cohort):
    radiomics = rd.RadiomicsExtractor(bin_width=25, families=["shape", "firstorder"], resample_mm=2, label=1)
    model = make_pipeline(radiomics, StandardScaler(), rd.ReliefF(n_features_to_select=3), LogisticRegression())
    return rd.negative_controls(
        {"radiomics": model},
        cohort,
        cohort.labels,
        cv=2,
        groups=cohort.patients,
        controls=["shuffled_roi"],
        n_repeats=2,
        on_error="exclude",
    )


@pytest.fixture(scope="module")
def facts(cohort, controls):
    return study_facts(controls.originals, cohort, controls=controls)


@pytest.fixture(scope="module")
def result_of_table():
    rng = np.random.default_rng(0)
    y = np.repeat([0, 1], 20)
    model = GridSearchCV(LogisticRegression(class_weight="balanced", random_state=7), {"C": [0.1, 1.0]}, cv=3)
    return rd.cross_validated_auc(model, rng.normal(size=(40, 2)) + y[:, None], y, cv=2, n_repeats=1)


@pytest.mark.parametrize("standard", STANDARDS)
def test_a_standard_has_each_of_its_items_once(standard):
    items = STANDARDS[standard].items["item"]
    assert items.is_unique
    numbers = [int(re.fullmatch(r"(\d+)[a-g]?", item).group(1)) for item in items]
    assert list(dict.fromkeys(numbers)) == list(range(1, N_ITEMS[standard] + 1))


def test_points_add_up_to_those_of_the_standards():
    weights = STANDARDS["METRICS"].items["points"].astype(float)
    assert weights.sum() == pytest.approx(1)
    criteria = STANDARDS["RQS 2.0"].items
    assert criteria["points"].astype(float).sum() == 56  # of a handcrafted study
    assert criteria["points"].astype(float)[~criteria["topic"].str.contains("(handcrafted)", regex=False)].sum() == 52


def test_every_fact_of_the_tables_is_known_to_a_study_and_each_is_used(facts):
    named = {name for standard in STANDARDS.values() for names in standard.items["facts"] for name in names.split()}
    assert named == set(facts)


def test_facts_are_sentences_to_paste(facts):
    for name, known in facts.items():
        if known is not None:
            assert re.match(r"[A-Z0-9]|radiodeep |age, ", known.text), (name, known.text)
            assert known.text.endswith("."), (name, known.text)
            assert not re.search(r"\.\.|nan|None|;\.|  ", known.text), (name, known.text)


def test_a_study_says_who_was_studied_and_how_the_images_were_measured(facts):
    assert facts["flow"].text == (
        "17 cases were given and 16 studied; 1 was left out (EmptyMaskError in 1): phantom-016."
    )
    assert facts["cases"].text == "16 cases of 8 patients: 8 of label 0, 8 of label 1."
    assert "age, median (quartiles) 43.5 (41.75 to 45.25) (all)" in facts["demographics"].text
    assert facts["missing"].text == "No value of these cases is missing."
    assert facts["centre_counts"] == ("Cases by centre: A in 8, B in 8.", True)
    assert facts["scanners"].text == "From the manifest, scanner: S in 16."
    assert facts["spacing"].text == "Pixel size within slices 1 mm; distance of slices 1.5 mm."
    assert facts["slices"].text == "Plane of the slices, by voxel size: axial in 16."
    assert facts["preprocessing"].text == (
        "Intensities were not normalised. Images were resampled to voxels of 2 mm by bspline interpolation. The region "
        "was not re-segmented by intensity."
    )
    assert facts["families"].text == "32 handcrafted features of each image: shape (14), firstorder (18)."
    assert facts["glcm_distance"] == ("No GLCM was computed.", False)


def test_a_study_says_how_it_was_validated_and_what_it_found(facts, controls):
    assert facts["patients_together"].text == "Cases of a patient are never in training and test at the same time."
    assert re.match(r"ReliefF\(.*n_features_to_select=3", facts["selection"].text)
    assert facts["model"].text.startswith("LogisticRegression(C=1.0")
    result = controls.originals["radiomics"]
    assert f"AUC {result.value:.2f} (95% CI" in facts["performance"].text
    assert "With the voxels of the region shuffled" in facts["controls"].text
    assert "Size alone: AUC" in facts["size"].text
    assert "Calibration slope" in facts["calibration"].text
    assert "Riley's criteria ask for" in facts["sample_size"].text
    rows = result.primary.predictions
    assert facts["failures"].text.startswith(f"{(rows['prediction'] != rows['label']).sum()} of 16 cases")


def test_the_most_confident_error_is_named_first(controls):
    rows = controls.originals["radiomics"].primary.predictions
    wrong = rows[rows["prediction"] != rows["label"]]
    rank = rows["score"].rank()
    worst = (rank - len(rows) / 2).abs()[wrong.index].idxmax()
    failures = study_facts(controls.originals)["failures"].text
    assert re.search(r"among them ([\w-]+) ", failures).group(1) == worst


def test_points_are_shown_only_for_what_was_done(facts):
    table = filled_in("RQS 2.0", facts).set_index("item")
    assert table.loc["11", "answered by"] == "the study"  # selection
    assert table.loc["8", ["answered by", "value"]].tolist() == [
        "not done",
        "Features were not harmonised between scanners or centres.",
    ]
    assert table.loc["21", "answered by"] == "not done"  # no other centre
    assert table.loc["10", "answered by"] == AUTHOR
    assert table.loc["10", "value"] == ""
    reported = filled_in("CLEAR", facts).set_index("item")  # which asks what was done, not whether
    assert reported.loc["17", ["answered by", "value"]].tolist() == ["the study", "No clinical predictors were used."]


def test_items_that_no_software_knows_are_left_to_the_author(facts):
    for standard, item in (
        ("TRIPOD+AI", "17"),
        ("CLEAR", "8"),
        ("CLAIM 2024", "44"),
        ("METRICS", "28"),
        ("IBSI", "3a"),
    ):
        row = filled_in(standard, facts).set_index("item").loc[item]
        assert (row["answered by"], row["value"]) == (AUTHOR, "")
        assert row["left to you"].endswith(".")


def test_every_item_that_is_not_answered_says_what_to_write(facts):
    for standard in STANDARDS:
        table = filled_in(standard, facts)
        left = table[table["answered by"].isin([AUTHOR, "the study in part"])]
        assert left["left to you"].str.endswith(".").all()


def test_a_study_of_a_table_does_not_claim_to_have_measured_images(result_of_table):
    table = rd.checklist(result_of_table, "IBSI").set_index("item")
    assert table.loc[["50a", "56b", "58"], "answered by"].tolist() == [AUTHOR] * 3
    metrics = rd.checklist(result_of_table).set_index("item")
    assert metrics.loc["18", "answered by"] == "the study in part"
    facts = study_facts(result_of_table)
    assert facts["tuning"].text.startswith("GridSearchCV over {'C': [0.1, 1.0]}")
    assert facts["balancing"].text == "LogisticRegression weights the classes (class_weight=balanced)."
    assert facts["random_states"].text == "Random states of the models are fixed: 7."


def test_a_test_on_another_cohort_is_told_from_cross_validation(result_of_table):
    rng = np.random.default_rng(1)
    y = np.repeat([0, 1], 10)
    X = rng.normal(size=(20, 2)) + y[:, None]
    facts = study_facts(rd.holdout_auc(LogisticRegression(), X, y, X + 0.1, y))
    assert facts["validation"].text == ("Models were fitted to 20 cases of another cohort and tested once on 20.")
    assert [facts[name].done for name in ("other_cohort", "internal_test")] == [True, False]
    assert not study_facts(result_of_table)["other_cohort"].done


def test_models_are_compared_with_the_clinical_one():
    rng = np.random.default_rng(0)
    y = np.repeat([0, 1], 20)
    X = rng.normal(size=(40, 3)) + y[:, None]
    results = {
        name: rd.cross_validated_auc(LogisticRegression(), X[:, columns], y, cv=2, n_repeats=1)
        for name, columns in {"clinical": [0], "images and clinical": [0, 1, 2]}.items()
    }
    facts = study_facts(results)
    row = rd.compare_all(results, "clinical").iloc[0]
    assert facts["clinical_comparison"].text == (
        f"Difference from the clinical model alone: images and clinical: {row.difference:+.2f}, p = {row.p_holm:.2g}."
    )
    assert "Holm" in facts["comparison"].text


def test_repeatability_and_subgroups_are_told_if_given(cohort, controls, facts):
    radiomics = rd.RadiomicsExtractor(families=["shape"])
    again = [case.replace(repeats={"reader2": case.replace(mask=np.roll(case.roi, 1, axis=2))}) for case in cohort[:4]]
    repeated = rd.repeatability(radiomics, again)
    sexes = {"sex": pd.Series([case.clinical["sex"] for case in cohort], index=cohort.ids)}
    result = controls.originals["radiomics"]
    groups = rd.subgroups(result, sexes, fewest=2, n_permutations=9)
    given = study_facts(result, again, repeatability=repeated, subgroups=groups)
    assert given["repeatability"].text.count("14") >= 1
    assert "sex: f" in given["subgroups"].text
    assert given["readers"] == ("Measured again: 4 lesions (reader2).", True)
    assert (facts["repeatability"], facts["subgroups"]) == (None, None)
    assert filled_in("RQS 2.0", given).set_index("item").loc["6", "answered by"] == "the study"


def test_survival_has_its_own_facts():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(40, 3))
    y = np.array(list(zip(rng.random(40) < 0.7, rng.exponential(np.exp(-X[:, 0])), strict=True)), "?, f8")
    y.dtype.names = "event", "time"
    model = make_pipeline(rd.UnivariateCox(n_features_to_select=1), rd.CoxRegression(alpha=1.0))
    facts = study_facts(rd.cross_validated_cindex(model, X, y, cv=2, n_repeats=1))
    assert facts["cases"].text.startswith(f"40 cases, {y['event'].sum()} events")
    assert "With 3 candidate features" in facts["sample_size"].text
    assert facts["confusion"] is None


def test_the_summary_counts_every_item(facts):
    summary = checklist_summary(facts)
    counts = summary.drop(columns=["items", "points"]).astype(int)
    assert (counts.sum(axis=1) == summary["items"].astype(int)).all()
    assert summary.loc["METRICS", "points"].startswith("at most 0.")
    assert summary.loc["CLEAR", "points"] == ""


def test_the_section_holds_all_standards_and_claims_no_score(facts):
    section = checklist_section(facts)
    assert len(section.folded) == len(STANDARDS)
    assert "at most" in section.notes[0]


def test_a_misspelt_standard_is_named(result_of_table):
    with pytest.raises(InputError, match="'standard' parameter of checklist must be one of METRICS.*mean 'CLEAR'"):
        rd.checklist(result_of_table, "CLAER")


def test_a_checklist_is_made_of_results():
    with pytest.raises(StudyError, match="Expected a StudyResult"):
        rd.checklist("folder")


@pytest.mark.parametrize("kind", ["classes", "ordered", "numbers"])
def test_other_outcomes_have_facts(kind):
    rng = np.random.default_rng(0)
    y = np.arange(30) % 3
    X = rng.normal(size=(30, 2)) + y[:, None]
    model = Ridge() if kind == "numbers" else LogisticRegression()
    facts = study_facts(rd.cross_validated_score(model, X, y, cv=2, n_repeats=1, outcome=kind))
    assert facts["cases"].text.startswith("30 cases")
    assert (facts["confusion"] is None) == (kind == "numbers")
    assert facts["decision_curve"].done is False
    assert ("probabilities" in facts["output"].text) == (kind != "numbers")


def test_what_a_report_has_read_of_the_images_is_not_read_again(cohort, controls):
    lesions = Lesions.of(cohort, ())
    unreadable = rd.Cohort([case.replace(mask=np.zeros_like(case.mask)) for case in cohort])
    facts = study_facts(controls.originals, unreadable, lesions=lesions)
    assert facts["spacing"].text == "Pixel size within slices 1 mm; distance of slices 1.5 mm."
    assert "sex: f" in facts["demographics"].text


def test_lesions_that_have_the_name_of_their_patient_are_told_apart():
    rng = np.random.default_rng(0)
    y = np.repeat([0, 1], 10)
    X = pd.DataFrame(rng.normal(size=(20, 2)), index=[f"P{number // 2}" for number in range(20)]).add_prefix("f")
    patients = np.repeat(np.arange(10), 2)
    result = rd.cross_validated_auc(LogisticRegression(), X, y, cv=2, groups=patients, n_repeats=1)
    wrong = (result.predictions["prediction"] != result.predictions["label"]).sum()
    assert study_facts(result)["failures"].text.startswith(f"{wrong} of 20 cases were misclassified, among them P")


def test_an_item_that_the_study_answers_in_part_is_left_to_the_author_as_well(facts):
    assert filled_in("METRICS", facts).set_index("item").loc["2", "answered by"] == "the study in part"


def test_a_text_of_one_of_several_models_names_it():
    assert by_model({"a": "scaled", "b": "scaled"}) == "scaled"
    assert by_model({"a": "scaled", "b": ""}) == "a: scaled"


def test_images_that_were_not_resampled_are_not_said_to_be():
    facts = extraction_facts([rd.RadiomicsExtractor(families=["shape"]).settings()], from_images=True)
    assert facts["resampling"] == ("Images were not resampled.", False)
    assert facts["preprocessing"].done is False


def test_a_measure_that_these_cases_do_not_define_is_not_told():
    y = np.arange(20) % 2
    result = rd.cross_validated_auc(
        GaussianNB(), pd.DataFrame({"f": 4 * y + np.random.default_rng(0).normal(size=20)}), y, cv=2, n_repeats=2
    )
    assert np.isnan(result.primary.measures().loc["calibration slope", "value"])
    told = str(study_facts(result))
    assert "Brier score 0.00" in told
    assert "nan" not in told
