"""What the README shows is what happens."""

import re
import shutil

import pytest

import radiodeep as rd


def test_the_quickstart_runs(repository, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "data").mkdir()
    shutil.copytree(repository / "data" / "phantoms", tmp_path / "data" / "phantoms")
    rd.write_cohort(rd.make_phantom_cohort(4, random_state=5), tmp_path / "new")
    code = re.search(r"```python\n(import radiodeep.*?)```", (repository / "README.md").read_text(), re.DOTALL)[1]
    names = {}
    exec(code.replace("n_jobs=-1", "n_jobs=None"), names)
    printed = capsys.readouterr().out
    sentence, *beside = printed.splitlines()
    first = r"AUC 0\.\d\d \(95% CI 0\.\d\d-\d\.\d\d\), accuracy 0\.\d\d, n=40 \(20 positive\) \(2-fold, 50 repeats\)"
    assert re.fullmatch(first, sentence)
    assert [re.split(" AUC|,", line)[0] for line in beside] == [
        "  leave-one-out:",
        "  size alone:",
        "  at equal size:",
        "  selected features: 10 per fold",
        "  positive class: 1",
    ]
    assert names["handcrafted_table"].shape == (40, 107)
    assert names["scores"]["error"].tolist() == [""] * 4
    assert (tmp_path / "report.html").stat().st_size > 10_000


def test_the_part_for_those_who_come_from_pyradiomics_runs(repository, capsys):
    text = (repository / "README.md").read_text()
    code = re.search(r"## Coming from pyradiomics\n\n```python\n(.*?)```", text, re.DOTALL)[1]
    names = {}
    exec(code, names)
    assert "bin_width=5 gives 55 to 67 grey levels" in capsys.readouterr().out
    assert names["table"].shape == (5, 1037)
    assert [len(table.columns) for table in names["tables"].values()] == [107] * 3


def test_the_part_on_the_two_conventions_runs(repository, capsys):
    text = (repository / "README.md").read_text()
    code = re.search(r"## Two conventions.*?```python\n(.*?)```", text, re.DOTALL)[1]
    names = {}
    exec(code, names)
    assert capsys.readouterr().out == "ACUI:IAZD\n"
    assert names["table"].shape == (3, 174)


def test_the_part_on_feature_maps_runs(repository):
    text = (repository / "README.md").read_text()
    code = re.search(r"## Feature maps\n\n```python\n(.*?)```", text, re.DOTALL)[1]
    names = {}
    exec(code, names)
    assert names["entropy"].values.shape == names["case"].voxels.shape
    assert names["figure"].axes[-1].get_ylabel() == "JointEntropy (glcm, original)"


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:FineTuning. features moved")  # as the example says
def test_the_part_on_networks_runs(repository, capsys):
    text = (repository / "README.md").read_text()
    code = re.search(r"## Networks\n\n```python\n(.*?)```", text, re.DOTALL)[1]
    names = {}
    exec(code, names)
    printed = capsys.readouterr().out
    assert "correlates with original_" in printed
    assert len(re.findall(r"^AUC \d\.\d\d", printed, re.MULTILINE)) == 2
    assert names["tuned"].fine_tune.n_iterations == 10


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:AutoencoderFeatures")  # so few epochs teach it nothing, as the example says
def test_the_part_on_what_comes_before_features_runs(repository, capsys):
    text = (repository / "README.md").read_text()
    code = re.search(r"## Masks, images and tables before the features\n\n```python\n(.*?)```", text, re.DOTALL)[1]
    names = {}
    exec(code, names)
    printed = capsys.readouterr().out
    assert "Chan-Vese" in printed
    assert len(re.findall(r"^AUC \d\.\d\d", printed, re.MULTILINE)) == 3
    assert set(names["evidence"].masks) == {"41 %", "Chan-Vese"}


@pytest.mark.slow
def test_the_part_on_outcomes_runs(repository, capsys):
    text = (repository / "README.md").read_text()
    code = re.search(r"## Outcomes\n\n```python\n(.*?)```", text, re.DOTALL)[1]
    exec(code, {})
    printed = capsys.readouterr().out
    assert re.findall(r"^(C|Spearman|M) -?\d\.\d\d \(95% CI", printed, re.MULTILINE) == ["C", "Spearman", "M"]
    assert "Uno's C" in printed


@pytest.mark.slow
def test_the_part_on_patients_runs(repository, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    text = (repository / "README.md").read_text()
    exec(re.search(r"## Patients as they are\n\n```python\n(.*?)```", text, re.DOTALL)[1], {})
    printed = capsys.readouterr().out
    for words in ("clinical: AUC", "both against clinical", "contribution", "randomized_roi", "icc", "random effects"):
        assert words in printed


def test_every_command_of_the_readme_exists(repository):
    from radiodeep.cli.application import app

    named = {command.name or command.callback.__name__.replace("_", "-") for command in app.registered_commands}
    shown = set(re.findall(r"^radiodeep ([\w-]+)", (repository / "README.md").read_text(), re.MULTILINE))
    assert shown <= named


@pytest.mark.slow
def test_the_part_on_evidence_runs_and_says_what_it_promises(repository, capsys):
    text = (repository / "README.md").read_text()
    code = re.search(r"## Evidence\n\n```python\n(.*?)```", text, re.DOTALL)[1]
    names = {}
    exec(code, names)
    wrong, right = re.findall(r"^AUC (\d\.\d\d)", capsys.readouterr().out, re.MULTILINE)[:2]
    assert float(wrong) > 0.9
    assert 0.3 < float(right) < 0.7
    assert len(names["results"]) == 8
