"""The cases of a report: how wrong each prediction is, table 1, the flow into the study, and pictures with outlines."""

import base64
import io
import re
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from sklearn.linear_model import Ridge
from sklearn.naive_bayes import GaussianNB

from radiodeep import (
    Case,
    Cohort,
    CoxRegression,
    cross_validated_score,
    make_phantom_cohort,
    survival_outcomes,
    write_report,
)
from radiodeep.report import cases_section
from radiodeep.report.cases_section import lesions_of
from radiodeep.report.cases_table import misfit
from radiodeep.report.cohort_section import cohort_table, flow
from radiodeep.report.lesions import Lesions
from radiodeep.report.tables import four_digits, number, texts

RNG = np.random.default_rng(0)
X = pd.DataFrame(RNG.normal(size=(20, 2)), columns=["a", "b"], index=[f"c{number}" for number in range(20)])
LABELS = np.arange(20) % 2


@pytest.fixture(scope="module")
def result():
    return cross_validated_score(GaussianNB(), X, LABELS, cv=2, n_repeats=2)


def test_the_misfit_of_two_classes_is_the_fraction_of_wrong_pairs(result):
    score = result.predictions["score"].to_numpy()
    wrong = []
    for case in range(20):
        others = [other for other in range(20) if LABELS[other] != LABELS[case]]
        sign = 1 if LABELS[case] else -1
        differences = [sign * (score[case] - score[other]) for other in others]
        wrong.append(np.mean([0.5 if value == 0 else float(value < 0) for value in differences]))
    np.testing.assert_allclose(misfit(result), wrong)


def test_the_misfit_of_survival_counts_comparable_pairs():
    time = np.arange(1.0, 21)
    event = LABELS.astype(bool)
    result = cross_validated_score(CoxRegression(alpha=1.0), X, survival_outcomes(event, time), cv=2, n_repeats=2)
    score = result.predictions["score"].to_numpy()
    expected = []
    for case in range(20):
        wrong = []
        for other in range(20):
            first, second = (case, other) if time[case] < time[other] else (other, case)
            if first != second and event[first]:
                wrong.append(0.5 if score[first] == score[second] else float(score[first] < score[second]))
        expected.append(np.mean(wrong) if wrong else 0.0)
    np.testing.assert_allclose(misfit(result), expected)


def test_the_misfit_of_numbers_is_the_error_and_of_classes_the_missing_probability():
    numbers = cross_validated_score(Ridge(), X, X["a"] + RNG.normal(size=20), cv=2, n_repeats=2)
    table = numbers.predictions
    np.testing.assert_allclose(misfit(numbers), abs(table["prediction"] - table["outcome"]))
    classes = cross_validated_score(GaussianNB(), X, np.digitize(X["a"], [-0.4, 0.4]), cv=2, n_repeats=2)
    row = classes.predictions.iloc[3]
    assert misfit(classes)[3] == pytest.approx(1 - row[f"probability_{int(row['label'])}"])


def test_the_flow_counts_cases_given_left_out_and_studied(result):
    steps = flow([replace(result, excluded={"x1": "no mask"}), replace(result, excluded={"x2": "no image"})])
    assert (steps["given"], steps["studied"]) == (22, 20)
    assert steps["excluded"] == {"x1": "no mask", "x2": "no image"}
    assert steps["groups"] == [("label 0", 10), ("label 1", 10)]


def test_table_1_counts_by_outcome_and_keeps_names_and_dates_of_patients_out(result):
    clinical = pd.DataFrame(
        {
            "age": [str(50 + number) for number in range(19)] + [None],
            "sex": ["f", "m"] * 10,
            "patient_name": ["Doe"] * 20,
            "birth_date": ["1970"] * 10 + ["1980"] * 10,
            "surgeon": [f"Dr {number}" for number in range(20)],
        },
        index=X.index,
    )
    facts = pd.DataFrame({"Volume of the region (mm³)": np.arange(20.0)}, index=X.index)
    table = cohort_table(result, Lesions(facts, clinical, {}))
    assert table.loc["sex: f"].tolist() == ["10 (50%)", "10 (100%)", "0 (0%)"]
    assert table.loc["age, median (quartiles)", "all"] == "59 (54.5 to 63.5)"
    assert table.loc["age: unknown"].tolist() == ["1 (5%)", "0 (0%)", "1 (10%)"]
    assert table.loc["Volume of the region (mm³), median (quartiles)", "label 1"] == "10 (5.5 to 14.5)"
    assert not re.search("Doe|Dr |1970|name|birth|surgeon", table.to_string())


def test_a_picture_shows_the_region_inside_its_outline():
    image, mask = np.zeros((30, 40)), np.zeros((30, 40), np.uint8)
    mask[10:20, 15:25] = 1
    image[mask > 0] = 100
    lesions = Lesions.of(Cohort([Case(image, mask, "square", (1, 1))]), ["square"])
    picture = lesions.pictures["square"]
    pixels = np.asarray(Image.open(io.BytesIO(base64.b64decode(picture["jpeg"]))))
    assert pixels.shape == (picture["height"], picture["width"])
    corners = np.array(re.findall(r"([\d.]+) ([\d.]+)", picture["outline"]), dtype=float)
    (left, top), (right, bottom) = corners.min(axis=0).round().astype(int), corners.max(axis=0).round().astype(int)
    assert pixels[top + 5 : bottom - 5, left + 5 : right - 5].min() > 200
    assert pixels[: top - 5].max() < 50
    assert pixels[:, right + 5 :].max() < 50
    side = picture["width"] / 30  # ten pixels of the region, and as many as margin on each side
    assert right - left == pytest.approx(10 * side, abs=2)
    assert lesions.facts.loc["square", "Area of the region (mm²)"] == 100


def test_pixels_are_those_within_the_slices_and_large_numbers_have_no_exponent():
    roi = np.zeros((12, 20, 20), np.uint8)
    roi[4:8, 5:15, 5:15] = 1
    thin = Case(np.random.default_rng(0).normal(size=roi.shape), roi, "PET", (3.27, 5.47, 5.47))
    facts = Lesions.of(Cohort([thin]), ()).facts.loc["PET"]
    assert facts["Pixel size (mm)"] == 5.47
    assert facts["Slice spacing (mm)"] == 3.27
    assert [number(value) for value in (278434.2, 1.2345e9, 54.27)] == ["278,400", "1.234e+09", "54.270"]
    assert four_digits(-10500.4) == "-10,500"


def test_classes_named_low_and_high_are_no_bounds_of_an_interval():
    of_classes = pd.DataFrame(
        {"score": ["0.1"], "score low": ["0.2"], "score high": ["0.3"], "p low": 0.4, "p high": 0.5}
    )
    assert texts(of_classes)["heading"] == ("score", "score low", "score high", "p low", "p high")
    measured = pd.DataFrame({"AUC": [0.5], "AUC low": [0.4], "AUC high": [0.6]})
    assert texts(measured)["rows"] == [("0.50 (0.40 to 0.60)",)]


def test_a_case_that_cannot_be_read_has_neither_facts_nor_a_picture(tmp_path):
    cohort = Cohort([*make_phantom_cohort(1, random_state=0), Case(tmp_path / "no.nii", tmp_path / "no.nii", "lost")])
    lesions = Lesions.of(cohort, ["phantom-000", "lost"])
    assert list(lesions.pictures) == ["phantom-000"]
    assert lesions.facts.loc["lost"].isna().all()


def test_of_many_cases_the_worst_and_some_others_have_pictures(monkeypatch):
    monkeypatch.setattr(cases_section, "MOST_PICTURES", 5)
    cohort = make_phantom_cohort(20, random_state=0)
    table = X.set_axis(cohort.ids)
    result = cross_validated_score(GaussianNB(), table, cohort.labels, cv=2, n_repeats=2)
    shown = list(lesions_of([result], cohort).pictures)
    assert len(shown) == 5
    worst = table.index[np.argsort(-misfit(result.primary), kind="stable")]
    assert set(worst[:4]) < set(shown)


def test_the_page_has_dots_rows_and_pictures_of_the_same_cases_worst_first(tmp_path, read_page):
    cohort = Cohort(case.replace(id=f'<b>"{case.id}') for case in make_phantom_cohort(20, random_state=0))
    table = X.set_axis(cohort.ids)
    result = cross_validated_score(GaussianNB(), table, cohort.labels, cv=2, n_repeats=2)
    page = read_page(write_report(result, tmp_path / "report.html", cohort=cohort))
    order = [int(text) for text in re.findall(r'<tr id="case-(\d+)"', page.source)]
    assert order == np.argsort(-misfit(result), kind="stable").tolist()
    assert sorted(set(re.findall(r'xlink:href="#case-(\d+)"', page.source)), key=int) == [str(n) for n in range(20)]
    pictures = re.findall(r'<figure class="lesion[^"]*" data-case="(\d+)">', page.source)
    assert [int(text) for text in pictures] == order
    worst = cohort.ids[order[0]]
    assert page.row(worst)[1] == str(cohort.labels[order[0]])
    wrong = (result.predictions["prediction"] != result.predictions["label"]).sum()
    assert page.source.count('<td class="wrong">') == wrong
    assert "<b>" not in re.sub("<b>[^<]*</b>", "", page.source)
