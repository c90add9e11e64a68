"""`radiodeep demo` runs from images to a report, and its figures are those of a known truth."""

import re
from urllib.parse import unquote, urlparse

import pandas as pd
import pytest

import radiodeep as rd
from radiodeep.cli.demo import CV, N_CASES, N_NEW, models_of

TRUE = {"handcrafted": 0.77, "deep": 0.73, "combined": 0.87}  # what the demo says


@pytest.mark.slow
def test_the_demo_shows_the_whole_main_job(tmp_path, radiodeep):
    done = radiodeep("demo", "-o", tmp_path / "demo", "--jobs", 1)
    assert done.code == 0, done.err
    assert {"report.html", "model.skops", "scores.csv", "settings.lock.yaml"} <= {
        path.name for path in (tmp_path / "demo").iterdir()
    }
    assert len(pd.read_csv(tmp_path / "demo" / "scores.csv")) == N_NEW
    closing = rf"Combined features, new lesions: AUC 0\.\d\d \(95% CI 0\.\d\d-\d\.\d\d\), n={N_NEW}; \d\d of {N_NEW} "
    assert re.search(closing, done.out)
    assert re.findall(r"(0\.\d\d)\s+with (?:handcrafted|deep|combined)", done.out) == ["0.77", "0.73", "0.87"]
    page = unquote(urlparse(done.out.splitlines()[-1]).path)
    assert page == str(tmp_path / "demo" / "report.html")
    assert "Selected features" in (tmp_path / "demo" / "report.html").read_text()


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_study_and_new_lesions_agree_with_the_stated_truth(seed):
    cohort = rd.make_study_cohort("demo", N_CASES + N_NEW, random_state=seed)
    known, new = cohort[:N_CASES], cohort[N_CASES:]
    _, models = models_of(list(TRUE))
    results = rd.cross_validate_models(models, known, known.labels, CV, n_jobs=1)
    for kind, auc in TRUE.items():
        studied = results[kind].confidence_interval
        assert studied.low < auc < studied.high
        scores = models[kind].fit(known, known.labels).predict_proba(new)[:, 1]
        scored = rd.auc_with_confidence(new.labels, scores).confidence_interval
        assert scored.low < auc < scored.high
        assert scored.low < results[kind].value < scored.high
    assert results["combined"].value > max(results["handcrafted"].value, results["deep"].value) + 0.04
