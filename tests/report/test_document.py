"""The report is one file, escapes what users typed, and shows what was computed."""

import base64
import hashlib
import re
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from markupsafe import Markup
from sklearn.linear_model import Ridge
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline

from radiodeep import (
    CoxRegression,
    RadiomicsExtractor,
    ReliefF,
    cross_validate_models,
    cross_validated_auc,
    cross_validated_score,
    holdout_auc,
    make_phantom_cohort,
    negative_controls,
    survival_outcomes,
    write_report,
)
from radiodeep.exceptions import InputError, OutputError, RadiodeepWarning, StudyError

_DRAWN = ("test_names_that_look_like_formulas_and_any_collection_of_results",)


@pytest.fixture(autouse=True)
def empty_figures(request, monkeypatch):
    """No figures but in the tests about them: to draw them takes most of the time of a report."""
    if request.function.__name__ not in _DRAWN:
        monkeypatch.setattr("radiodeep.report.drawn.inline_svg", lambda *_: Markup("<svg></svg>"))


@pytest.fixture(scope="module")
def results():
    rng = np.random.default_rng(0)
    y = np.arange(30) % 2
    X = pd.DataFrame(rng.normal(size=(30, 6)) + y[:, None], columns=list("abcdef"))
    X.index = ["<script>alert(1)</script>", *(f"case {number}" for number in range(1, 30))]
    selected = make_pipeline(ReliefF(n_features_to_select=2), GaussianNB())
    return cross_validate_models({"all & more": GaussianNB(), "selected": selected}, X, y)


SHAPE = RadiomicsExtractor(families=["shape"])


COHORT = make_phantom_cohort(12, random_state=1)


def test_a_report_is_one_file_with_one_script_and_no_links(results, tmp_path, read_page):
    path = write_report(results, tmp_path / "new" / "report.html")
    page = read_page(path)
    script = page.source.split("<script>")[1].split("</script>")[0]
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', page.source).group(1)
    assert policy.startswith("default-src 'none'; ")
    assert f"script-src 'sha256-{digest}';" in policy
    assert page.source.count("<script") == 1
    assert not re.search(r"\son\w+=", page.source)
    assert not re.search(r"(src|href)=\"(?!data:image|#)", page.source)
    assert "<script>alert(1)</script>" in page.texts["td"]
    assert "Model: all & more" in page.texts["h2"]
    assert "biased low" in page.said
    for name, result in results.items():
        row = page.row(name)
        shown = result.companion
        bounds = shown.confidence_interval
        assert row[1:3] == (f"{shown.auc:.3f} ({bounds.low:.3f} to {bounds.high:.3f})", f"{result.auc:.3f}")
    assert str(results["selected"].companion.stability) in page.said
    slope = results["selected"].companion.measures().loc["calibration slope"]
    expected = ("calibration slope", f"{slope.value:.3f}", f"{slope.low:.3f} to {slope.high:.3f}")
    assert expected in page.rows
    assert "2 models are in this report" in page.said


def test_one_result_needs_no_list(results, tmp_path):
    assert "models are in this report" not in write_report(results["selected"], tmp_path / "one.html").read_text()


def test_nothing_and_different_cases_are_refused(results, tmp_path):
    with pytest.raises(StudyError, match="There is no result to report"):
        write_report([], tmp_path / "x.html")
    other = cross_validate_models(
        {"other": GaussianNB()}, np.random.default_rng(0).normal(size=(9, 2)), np.arange(9) % 2
    )
    with pytest.raises(StudyError, match="different cases"):
        write_report([results["selected"], other["other"]], tmp_path / "x.html")


def test_size_baseline_has_its_row(tmp_path, read_page):
    rng = np.random.default_rng(0)
    y = np.arange(60) % 2
    volume = np.exp(rng.normal(size=60) + y)
    X = pd.DataFrame({"original_shape_MeshVolume": volume, "texture": rng.normal(size=60)})
    with pytest.warns(RadiodeepWarning, match="The score of all goes up with the size"):
        results = cross_validate_models({"all": GaussianNB()}, X, y, cv=5)
    page = read_page(write_report(results, tmp_path / "report.html"))
    alone = results["all"].size_baseline
    assert page.row("size alone")[1].startswith(f"{alone.auc:.3f} (")
    assert "Size alone: AUC" in page.said
    assert "(p = " in page.said
    assert page.row("all")[-2] == f"{results['all'].equal_size_auc:.3f}"
    assert page.row("size alone")[-2] == f"{alone.equal_size_auc:.3f}"
    assert page.row("all")[-1] == f"{results['all'].score_size_correlation:.3f}"
    assert "At equal size: AUC" in page.said
    assert f"{results['all'].n_equal_size_pairs} here" in page.said
    assert 'class="note wrong">The score of all goes up with the size of the region' in page.source


def test_too_few_pairs_of_equal_size_have_no_auc_in_the_report(tmp_path, read_page):
    rng = np.random.default_rng(0)
    y = np.arange(30) % 2
    size = np.exp(5 * rng.normal(size=30) + y)  # no two of them equal
    X = pd.DataFrame({"texture": np.log(size), "noise": rng.normal(size=30)})
    model = make_pipeline(ReliefF(1), GaussianNB())
    with pytest.warns(RadiodeepWarning, match="too few pairs"):
        results = cross_validate_models({"texture": model}, X, y, cv=5, size=size)
    page = read_page(write_report(results, tmp_path / "report.html"))
    assert "At equal size: too few pairs for the AUC" in page.said
    assert page.row("texture")[-2] == "-"


def test_results_without_pairs_of_equal_size_as_older_versions_made_them_are_reported(tmp_path):
    rng = np.random.default_rng(0)
    y = np.arange(40) % 2
    texture = pd.DataFrame(rng.normal(size=(40, 2)), columns=["a", "b"])
    result = cross_validate_models({"texture": GaussianNB()}, texture, y, cv=4, size=np.exp(rng.normal(size=40)))
    unknown = {"equal_size_auc": None, "n_equal_size_pairs": None, "score_size_correlation": None}
    new = result["texture"]
    old = replace(new, name="old", size_baseline=replace(new.size_baseline, **unknown), **unknown)
    assert "None" not in str(old)
    assert "size alone: AUC" in str(old)
    page = write_report(old, tmp_path / "old.html").read_text()
    assert "Size alone: AUC" in page
    assert "equal size" not in page
    page = write_report([old, new], tmp_path / "both.html").read_text()
    assert f"{new.n_equal_size_pairs} here" in page
    assert page.count("At equal size: ") == 1


def test_the_effective_number_stands_beside_the_selected_features(results, tmp_path, read_page):
    page = read_page(write_report(results, tmp_path / "report.html")).said
    expected = f"2 per fold, as many as {results['selected'].effective_n_features:.1f} uncorrelated"
    assert page.count(f"Selected features: {expected}") == 1


def test_names_that_look_like_formulas_and_any_collection_of_results(results, tmp_path):
    rng = np.random.default_rng(0)
    y = np.arange(20) % 2
    X = pd.DataFrame(rng.normal(size=(20, 3)) + y[:, None], columns=["a $\\foo$", "$", "b"])
    model = make_pipeline(ReliefF(2), GaussianNB())
    results_of_two = cross_validate_models({"$\\alpha$ $": model, "b": GaussianNB()}, X, y, cv=4)
    assert write_report(results_of_two.values(), tmp_path / "a.html").is_file()
    other = cross_validate_models({"b": GaussianNB()}, X, y, cv=5)
    with pytest.raises(StudyError, match="of different splits"):
        write_report([results_of_two["b"], other["b"]], tmp_path / "b.html")
    numbers = cross_validate_models({"b": Ridge()}, X, y, cv=4, outcome="numbers")
    with pytest.raises(StudyError, match="The results are of two classes and numbers. Write one report for each"):
        write_report([results_of_two["b"], numbers["b"]], tmp_path / "b.html")


def table(n_cases=40, n_features=5, effect=0.7, seed=0):
    rng = np.random.default_rng(seed)
    y = pd.Series(np.arange(n_cases) % 2, index=[f"case {n}" for n in range(n_cases)])
    X = pd.DataFrame(rng.normal(size=(n_cases, n_features)) + effect * y.to_numpy()[:, None], index=y.index)
    return X.add_prefix("f"), y


@pytest.mark.slow
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
    holdout = page(holdout_auc(chosen, X[:20], y[:20], X[20:], y[20:]))
    assert "Models were fitted to the training cohort" in holdout
    images = cross_validated_auc(make_pipeline(SHAPE, GaussianNB()), COHORT, COHORT.labels, cv=3)
    assert "inside each fold. Features were extracted from the images." in page(images)


def test_a_report_goes_to_html_and_holds_results(tmp_path):
    X, y = table()
    result = cross_validated_auc(GaussianNB(), X, y, cv=5)
    with pytest.raises(InputError, match=r"A report is written as \.html\. Got .*for a PDF print the page"):
        write_report(result, tmp_path / "report.pdf")
    with pytest.raises(
        StudyError, match="Expected a StudyResult, as of cross_validated_auc or holdout_auc. Got NoneType"
    ):
        write_report(None, tmp_path / "report.html")
    (tmp_path / "folder.html").mkdir()
    with pytest.raises(OutputError, match="it is a folder"):
        write_report(result, tmp_path / "folder.html")


def test_the_page_begins_with_the_split_that_has_an_interval(results, tmp_path, read_page):
    page = read_page(write_report(results, tmp_path / "report.html"))
    companion = results["selected"].companion
    heading = page.row("model")
    assert heading[1:4] == (f"AUC (95% interval), {companion.cv}", "AUC, leave-one-out", f"accuracy, {companion.cv}")
    assert f"Split: {companion.cv}, and leave-one-out." in page.said
    assert f"Models of {companion.cv} learn from 15 cases. Models of leave-one-out learn from 29 cases." in page.said
    assert "Two classes: 15 of label 0, 15 of label 1. Positive class: 1. Split:" in page.said
    sentences = [page.said.index(f"\n{result.sentence} ({result.cv}") for result in (companion, results["selected"])]
    assert sentences == sorted(sentences)


def test_whether_a_model_is_better_or_worse_than_size_alone_is_said(tmp_path, read_page):
    X, y = table(40, effect=0.0)
    size = np.exp(y.to_numpy() + np.random.default_rng(0).normal(size=40))
    result = cross_validated_auc(GaussianNB(), X, y, cv=4, size=size)
    page = read_page(write_report(result, tmp_path / "report.html"))
    assert any(re.match(r"worse, -0\.\d{3}, p = ", text) for text in page.texts["td"])


def test_lesions_are_not_taken_for_patients(tmp_path):
    X, y = table(40)
    y[:] = np.repeat(np.arange(20) % 2, 2)
    result = cross_validated_auc(GaussianNB(), X, y, cv=4, groups=np.repeat(np.arange(20), 2))
    assert "(40 cases of 20 patients)" in " ".join(write_report(result, tmp_path / "report.html").read_text().split())


RNG = np.random.default_rng(0)
TABLE = pd.DataFrame(RNG.normal(size=(60, 3)), columns=list("abc"))
TIME = RNG.exponential(10 * np.exp(-TABLE["a"])) + 0.1
OUTCOMES = {
    "several classes": (GaussianNB(), np.digitize(TABLE["a"], [-0.5, 0.5])),
    "numbers": (Ridge(), TABLE["a"] + RNG.normal(size=60)),
    "survival": (CoxRegression(alpha=0.1), survival_outcomes(TIME < 20, np.minimum(TIME, 20))),
}


@pytest.mark.parametrize("kind", OUTCOMES)
def test_every_kind_of_outcome_has_its_measures_and_tables(kind, tmp_path, read_page):
    model, y = OUTCOMES[kind]
    result = cross_validated_score(model, TABLE, y, cv=3, n_repeats=2)
    page = read_page(write_report(result, tmp_path / "report.html"))
    assert kind.capitalize() in page.said
    for name, value, low, high in result.measures().itertuples():
        assert (name, f"{value:.3f}", f"{low:.3f} to {high:.3f}") in page.rows
    tables = {
        "several classes": ["Predicted classes, mean of the repeats", "Each class against the others"],
        "numbers": ["Limits of agreement"],
        "survival": ["Log-rank test of the risk groups", f"Calibration at {result.horizon or 0:g}"],
    }[kind]
    assert [title for title in page.texts["h4"] if title in tables] == tables
    if kind == "several classes":
        of_first = result.tables()["Each class against the others"].iloc[0]
        assert f"{of_first['AUC']:.2f} ({of_first['AUC low']:.2f} to {of_first['AUC high']:.2f})" in page.texts["td"]
        assert "AUC low" not in page.texts["th"]


def test_the_keys_of_a_dict_are_shown_and_kinds_of_outcomes_are_not_mixed(tmp_path, read_page):
    classes, numbers = (
        cross_validated_score(OUTCOMES[kind][0], TABLE, OUTCOMES[kind][1], cv=2, n_repeats=2)
        for kind in ("several classes", "numbers")
    )
    page = read_page(write_report({"clinical": classes, "all": classes}, tmp_path / "a.html"))
    assert {"Model: clinical", "Model: all"} <= set(page.texts["h2"])
    with pytest.raises(StudyError, match="The results are of several classes and numbers"):
        write_report([classes, numbers], tmp_path / "b.html")


def test_negative_controls_have_a_section_with_their_verdicts_and_differences(tmp_path, read_page):
    models = {"shape & more": make_pipeline(SHAPE, GaussianNB()), "other": make_pipeline(SHAPE, GaussianNB())}
    found = negative_controls(models, COHORT, COHORT.labels, cv=2, n_repeats=1, controls=["shuffled_roi"])
    originals = found.originals
    page = read_page(write_report(originals, tmp_path / "r.html", controls=found))
    assert [title for title in page.texts["h2"] if title.startswith("Negative controls: ")] == [
        "Negative controls: shape & more",
        "Negative controls: other",
    ]
    assert set(found.verdicts["other"]) <= set(page.texts["p"])
    row = found.table.loc[("other", "size alone")]
    bounds = f"{row['difference']:+.3f} ({row['difference_low']:+.3f} to {row['difference_high']:+.3f})"
    assert any(cells[0] == "size alone" and bounds in cells for cells in page.rows if cells)
    assert "Negative controls" not in write_report(originals, tmp_path / "r.html").read_text()
