"""A study with a cache folder that was killed or interrupted does not extract finished cases again."""

import signal
import subprocess
import sys

import pytest
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline

import radiodeep as rd

N_CASES = 8
COHORT = rd.make_phantom_cohort(N_CASES, random_state=0)
KILLED = """
import os, signal, sys
import radiodeep as rd
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline

transform = rd.RadiomicsExtractor.transform

def deadly(extractor, cases):
    if cases[0].id == "phantom-005":
        os.kill(os.getpid(), signal.SIGKILL)
    return transform(extractor, cases)

rd.RadiomicsExtractor.transform = deadly
cohort = rd.make_phantom_cohort(8, random_state=0)
model = make_pipeline(rd.RadiomicsExtractor(families=["shape"]), GaussianNB())
rd.cross_validated_auc(model, cohort, cohort.labels, cv=2, n_repeats=1, cache_dir=sys.argv[1])
"""


@pytest.fixture
def extracted(monkeypatch):
    """The ids of the cases whose features are computed, and a set of ids that interrupt."""
    ids = []
    ids_to_interrupt = set()
    transform = rd.RadiomicsExtractor.transform

    def recorded(self, cases):
        if cases[0].id in ids_to_interrupt:
            raise KeyboardInterrupt
        ids.extend(case.id for case in cases)
        return transform(self, cases)

    monkeypatch.setattr(rd.RadiomicsExtractor, "transform", recorded)
    return ids, ids_to_interrupt


def model():
    return make_pipeline(rd.RadiomicsExtractor(families=["shape"]), GaussianNB())


def cross_validated(cache_dir):
    return rd.cross_validated_auc(model(), COHORT, COHORT.labels, cv=2, n_repeats=1, cache_dir=cache_dir)


def permuted(cache_dir):
    return rd.permutation_test(model(), COHORT, COHORT.labels, cv=2, n_permutations=2, cache_dir=cache_dir)


def bootstrapped(cache_dir):
    return rd.bootstrap_auc(model(), COHORT, COHORT.labels, n_resamples=8, cache_dir=cache_dir)


@pytest.mark.parametrize("study", [cross_validated, permuted, bootstrapped])
def test_an_interrupted_study_computes_only_the_cases_that_are_left(study, extracted, tmp_path):
    ids, ids_to_interrupt = extracted
    ids_to_interrupt.add("phantom-005")
    with pytest.raises(KeyboardInterrupt):
        study(tmp_path)
    assert ids == [f"phantom-00{number}" for number in range(5)]
    ids_to_interrupt.clear()
    ids.clear()
    resumed = study(tmp_path)
    assert ids == ["phantom-005", "phantom-006", "phantom-007"]
    ids.clear()
    assert str(study(tmp_path)) == str(resumed)
    assert ids == []


def test_without_a_cache_folder_every_study_extracts_all_cases(extracted):
    ids, _ = extracted
    cross_validated(None)
    cross_validated(None)
    assert len(ids) == 2 * N_CASES


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="there is no SIGKILL")
def test_a_study_that_was_killed_computes_only_the_cases_that_are_left(extracted, tmp_path):
    done = subprocess.run([sys.executable, "-c", KILLED, str(tmp_path)], check=False)
    assert done.returncode == -signal.SIGKILL
    ids, _ = extracted
    cross_validated(tmp_path)
    assert ids == ["phantom-005", "phantom-006", "phantom-007"]
