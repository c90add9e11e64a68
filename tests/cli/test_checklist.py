"""`radiodeep checklist` fills in reporting standards from the folder of a study."""

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression

import radiodeep as rd


@pytest.fixture
def study(tmp_path):
    """What a study of 12 cases saved, whose names are code."""
    rng = np.random.default_rng(0)
    y = np.arange(12) % 2
    table = pd.DataFrame(rng.normal(size=(12, 2)), index=[f"<script>{number}" for number in range(12)])
    result = rd.cross_validated_auc(LogisticRegression(), table.add_prefix("f"), y, cv=2, n_repeats=1)
    (tmp_path / "study").mkdir()
    rd.save_results({"results": {"model": result}, "title": "A study"}, tmp_path / "study" / "results.zip")
    return tmp_path / "study"


def test_the_folder_of_a_study_fills_in_all_standards(study, tmp_path, radiodeep):
    done = radiodeep("checklist", study)
    assert done.code == 0, done.err
    assert "METRICS, 30 items:\n  answered by the study: " in done.out
    assert "IBSI, 104 items:" in done.out

    done = radiodeep("checklist", study, "-o", tmp_path / "c.csv")
    assert done.code == 0, done.err
    items = pd.read_csv(tmp_path / "c.csv", dtype=str, keep_default_na=False).set_index(["standard", "item"])
    assert len(items) == 330
    row = items.loc[("CLAIM 2024", "19")]
    assert row["value"] == "Cross-validation (2-fold): models learn from 6 cases and are tested on the others."
    assert row["source"] == "Tejani 2024, item 19"
    saved = rd.load_results(study / "results.zip")
    expected = rd.checklist(saved["results"], "CLEAR").set_index("item")
    assert items.loc["CLEAR"]["value"].tolist() == expected["value"].tolist()


def test_one_standard_is_written_as_a_page_that_runs_no_code(study, tmp_path, radiodeep):
    done = radiodeep("checklist", study, "-o", tmp_path / "c.html", "--standard", "claim")
    assert done.code == 0, done.err
    assert done.out.count(" items:") == 1
    page = (tmp_path / "c.html").read_text()
    assert "CLAIM 2024 (Tejani et al." in page
    assert "METRICS" not in page
    assert "default-src" in page
    assert "http" not in page.replace("http-equiv", "")
    assert "&lt;script&gt;" in page  # of the cases that failed
    assert "<script>" not in page


def test_what_cannot_be_done_is_a_sentence(tmp_path, study, radiodeep):
    for arguments, message in (
        ([tmp_path], "holds no results.zip"),
        ([study, "--standard", "stard"], "'stard' is not one of"),
        ([study, "-o", tmp_path / "c.pdf"], "--output must end in .html or .csv"),
    ):
        done = radiodeep("checklist", *arguments)
        assert done.code == 1
        assert message in done.err


@pytest.mark.slow
def test_a_study_of_images_says_how_they_were_measured(known, cache, tmp_path, radiodeep):
    options = ["--features", "handcrafted", "--model", "naive-bayes", "--cv", 2, "--cache", cache, "--jobs", 1]
    assert radiodeep("study", known, "-o", tmp_path / "study", *options).code == 0
    assert radiodeep("checklist", tmp_path / "study", "-o", tmp_path / "c.csv").code == 0
    items = pd.read_csv(tmp_path / "c.csv", dtype=str, keep_default_na=False).set_index(["standard", "item"])
    assert items.loc[("IBSI", "56b"), "value"] == (
        "Intensities were discretised to 32 bins between the extremes of each region."
    )
    assert items.loc[("CLEAR", "16"), "value"].startswith("Pixel size within slices 1 mm")
    report = (tmp_path / "study" / "report.html").read_text()
    assert "Checklists of reporting" in report
