"""`radiodeep demo` runs from images to a report."""

import re

import pandas as pd
import pytest


@pytest.mark.slow
def test_the_demo_shows_the_whole_main_job(tmp_path, radiodeep):
    done = radiodeep("demo", "-o", tmp_path / "demo", "--jobs", 1)
    assert done.code == 0, done.err
    assert {"report.html", "model.skops", "scores.csv", "settings.json"} <= {
        path.name for path in (tmp_path / "demo").iterdir()
    }
    assert len(pd.read_csv(tmp_path / "demo" / "scores.csv")) == 40
    assert re.search(
        r"Combined features, new lesions: AUC 0\.\d\d \(95% CI 0\.\d\d-\d\.\d\d\), n=40; \d\d of 40 labels right",
        done.out,
    )
    assert "So few lesions say little" in done.out
