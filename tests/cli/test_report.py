"""`radiodeep report` writes a report again, from the folder of a study and without its images."""

import re
import shutil

import pytest

from radiodeep import load_results, make_phantom_cohort, save_results, write_cohort


@pytest.mark.slow
def test_the_report_is_written_again_without_the_images(tmp_path, radiodeep, monkeypatch):
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "0")
    manifest = write_cohort(make_phantom_cohort(16, random_state=0), tmp_path / "cohort")
    bayes = ["--model", "naive-bayes", "--cv", 3, "--features", "handcrafted", "--jobs", 1]
    assert radiodeep("study", manifest, "-o", tmp_path / "out", *bayes).code == 0
    shutil.rmtree(tmp_path / "cohort")
    done = radiodeep("report", tmp_path / "out", "-o", tmp_path / "new.html", "--title", "Lung <nodules>")
    assert done.code == 0, done.err
    assert str(tmp_path / "new.html") in done.out
    old, new = ((tmp_path / name).read_text() for name in ("out/report.html", "new.html"))
    assert "<h1>Study of manifest.csv</h1>" in old
    assert "<h1>Lung &lt;nodules&gt;</h1>" in new
    assert re.search(r"manifest\.csv, sha256 [0-9a-f]{64}", new)
    rows = [re.findall(r"<tr id=.case-.*", text) for text in (old, new)]
    assert len(rows[0]) == 16
    assert rows[0] == rows[1]
    assert new.count('<figure class="lesion') == 16
    assert list(load_results(tmp_path / "out" / "results.zip")["table"].index) == [
        f"phantom-{n:03d}" for n in range(16)
    ]


def test_a_folder_without_results_is_named(tmp_path, radiodeep):
    done = radiodeep("report", tmp_path, "-o", tmp_path / "new.html")
    assert done.code == 1
    assert "holds no results.zip" in done.err
    assert "studies of older versions did not save" in " ".join(done.err.split())
    done = radiodeep("report", tmp_path, "-o", tmp_path / "new.pdf")
    assert "must end in .html" in done.err


def test_results_that_no_study_wrote_are_refused(tmp_path, radiodeep):
    save_results([1, 2], tmp_path / "results.zip")
    done = radiodeep("report", tmp_path / "results.zip", "-o", tmp_path / "new.html")
    assert "was not written by 'radiodeep study'" in " ".join(done.err.split())
