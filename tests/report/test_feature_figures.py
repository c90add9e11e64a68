"""Figures of features: repeatability, contributions and extreme cases show the numbers and the cases they are given."""

import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_rgba
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from radiodeep import (
    RadiomicsExtractor,
    ReliefF,
    RepeatableFeatures,
    cross_validated_auc,
    extract_table,
    extreme_cases_figure,
    make_phantom_cohort,
    repeatability,
    repeatability_figure,
    shapley_figure,
    shapley_values,
    write_report,
)
from radiodeep.exceptions import InputError
from radiodeep.report.extreme_cases import about_region
from radiodeep.report.repeatability_figure import repeatability_sentence

EXTRACTOR = RadiomicsExtractor(families=["shape", "firstorder"])
COHORT = [
    case.replace(repeats={"reader2": case.replace(mask=np.roll(case.roi, 1, axis=2))} if row else None)
    for row, case in enumerate(make_phantom_cohort(14, random_state=1))
]
LABELS = [case.label for case in COHORT]
TABLE = extract_table(EXTRACTOR, COHORT)
REPEATED = repeatability(EXTRACTOR, COHORT)


def test_the_repeatability_of_every_feature_is_drawn_and_counted():
    left, right = repeatability_figure(REPEATED).axes
    np.testing.assert_array_equal(left.lines[0].get_ydata(), REPEATED["icc"].sort_values(ascending=False))
    good, excellent = (int((REPEATED["icc"] >= level).sum()) for level in (0.75, 0.9))
    texts = [text.get_text() for text in left.get_legend().get_texts()]
    assert texts[2:] == [f"{good} at 0.75 or more", f"{excellent} at 0.9 or more"]
    assert [tick.get_text() for tick in right.get_yticklabels()] == [
        "firstorder",
        "shape",
    ]  # the median in ascending order
    sentence = repeatability_sentence(REPEATED)
    counted = f"{good} have an ICC of at least 0.75 and {excellent} have an ICC of at least 0.9."
    assert sentence.startswith(f"Of {len(REPEATED)} features measured again in 13 cases (reader2), {counted}")
    assert "1 case was not measured again." in sentence
    unknown = REPEATED.assign(icc=REPEATED["icc"].where(REPEATED.index != REPEATED.index[0]))
    assert "; 1 do not differ between cases" in repeatability_sentence(unknown)
    assert len(repeatability_figure(unknown).axes[0].lines[0].get_ydata()) == len(REPEATED) - 1


def test_a_dot_of_every_case_is_drawn_at_its_contribution():
    model = make_pipeline(StandardScaler(), ReliefF(4), GaussianNB()).fit(TABLE, LABELS)
    values = shapley_values(model, TABLE)
    axes = shapley_figure(values, most=3).axes[0]
    names = [tick.get_text() for tick in axes.get_yticklabels()]
    assert names == values.abs().mean().sort_values().index[-3:].tolist()
    for row, (name, dots) in enumerate(zip(names, axes.collections, strict=True)):
        x, y = dots.get_offsets().T
        np.testing.assert_allclose(x, values[name])
        assert (np.abs(y - row) < 0.5).all()
        np.testing.assert_allclose(dots.get_array(), TABLE[name].rank(pct=True))
    assert axes.get_xlabel() == f"Contribution to the probability of 1 (mean {values.attrs['base']:.3g})"


def test_extreme_cases_are_those_with_the_lowest_middle_and_highest_values():
    name = "original_shape_VoxelVolume"
    values = TABLE[name].copy()
    values.iloc[0] = np.nan
    axes = extreme_cases_figure(values, COHORT, n_cases=2).axes
    ordered = values.dropna().sort_values().index
    assert [each.get_title().splitlines()[0] for each in axes] == [*ordered[:2], *ordered[5:7], *ordered[-2:]]
    assert axes[0].get_ylabel() == "shape_VoxelVolume"
    case = next(case for case in COHORT if case.id == ordered[-1])
    number = int(case.roi.sum(axis=(1, 2)).argmax())
    shown = axes[-1].images[0].get_array()
    rows, columns = (np.flatnonzero(case.roi[number].any(axis=axis)) for axis in (1, 0))
    extent_mm = (rows[-1] - rows[0] + 1) * case.spacing_mm[1]
    margin = int(np.ceil(max(10, extent_mm / 2) / case.spacing_mm[1]))
    expected = case.voxels[number][max(0, rows[0] - margin) : rows[-1] + 1 + margin]
    assert shown.shape[0] == len(expected)
    assert columns[-1] - columns[0] + 1 < shown.shape[1] <= expected.shape[1]
    assert np.isin(shown, expected).all()
    outline = axes[-1].collections[0]
    np.testing.assert_allclose(outline.get_edgecolor()[0], to_rgba("#ff4040"))


def test_extreme_cases_need_three_values():
    with pytest.raises(InputError, match="Extreme cases of 'x' need three cases with a value. Got 2"):
        extreme_cases_figure(pd.Series([1.0, 2.0], [COHORT[0].id, COHORT[1].id], name="x"), COHORT)
    with pytest.raises(InputError, match="'n_cases' parameter of extreme_cases_figure must be an int >= 1. Got 0"):
        extreme_cases_figure(TABLE.iloc[:, 0], COHORT, n_cases=0)
    assert len(extreme_cases_figure(TABLE.iloc[:4, 0], COHORT, n_cases=5).axes) == 3


def test_the_report_shows_them(tmp_path):
    model = make_pipeline(RepeatableFeatures(EXTRACTOR, 0.5), StandardScaler(), ReliefF(3), GaussianNB())
    result = cross_validated_auc(model, COHORT, LABELS, 2, n_repeats=1, size=None)
    figures = {"Volumes <small to large>": extreme_cases_figure(TABLE.iloc[:, 0], COHORT)}
    path = write_report(
        result, tmp_path / "r.html", repeatability=REPEATED, table=TABLE, cohort=COHORT, figures=figures
    )
    page = path.read_text()
    assert repeatability_sentence(REPEATED).split(".")[0] in page
    assert "Volumes &lt;small to large&gt;" in page
    assert f"Cases with extreme values of the features that {result.name} selected most often" in page
    assert page.count("<tr><td>original_") >= len(REPEATED)
    plain = write_report(result, tmp_path / "plain.html").read_text()
    assert "Repeatability" not in plain
    assert "extreme values" not in plain


def test_extreme_cases_of_patients_are_their_largest_lesions_in_the_first_image():
    cohort = make_phantom_cohort(4, random_state=0, images=("T1", "PET"), max_lesions=2)
    patients = cohort.by_patient()
    values = pd.Series(range(len(patients)), [patient.id for patient in patients], float, name="x")
    drawn = extreme_cases_figure(values, patients, n_cases=1).axes[0].images[0].get_array()
    largest = max(patients[0].lesions, key=lambda lesion: lesion.roi_size_mm)
    np.testing.assert_array_equal(drawn, about_region(largest.of_image("T1").lesion())[0])
