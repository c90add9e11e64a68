"""A command run in this process, and cohorts of phantoms that all commands share."""

import signal
import sys
import warnings
from dataclasses import dataclass

import numpy as np
import pandas as pd
import pytest
import SimpleITK as sitk
import yaml
from markupsafe import Markup

import radiodeep as rd
from radiodeep.cli import main


@dataclass
class Done:
    code: int
    out: str
    err: str


@pytest.fixture(autouse=True)
def empty_figures(request, monkeypatch):
    """No figures but in the long tests: to draw them takes most of the time of a study of few cases."""
    if request.node.get_closest_marker("slow") is None:
        monkeypatch.setattr("radiodeep.report.drawn.inline_svg", lambda *_: Markup("<svg></svg>"))


@pytest.fixture
def radiodeep(capfd, monkeypatch):
    """Run a command in this process, which has torch loaded already."""

    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["radiodeep", *map(str, arguments)])
        previous = signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored in jobs in the background
        try:
            with warnings.catch_warnings(), pytest.raises(SystemExit) as ended:
                main()
        finally:
            signal.signal(signal.SIGINT, previous)
            signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})  # blocked for workers unless --jobs is 1
        return Done(ended.value.code, *capfd.readouterr())

    return run


@pytest.fixture(scope="session")
def folder(tmp_path_factory):
    """24 phantoms in two cohorts: 16 to learn from, 8 of which 3 are broken."""
    folder = tmp_path_factory.mktemp("cli")
    cohort = rd.make_phantom_cohort(24, random_state=10)
    rd.write_cohort(cohort[:16], folder / "known")
    rd.write_cohort(cohort[16:], folder / "new")
    (folder / "new" / "phantom-017_image.nii.gz").unlink()
    write_mask(folder / "new" / "phantom-019_mask.nii.gz", cohort[19].mask * 0, cohort[19].spacing_mm)
    write_mask(folder / "new" / "phantom-021_mask.nii.gz", cohort[21].mask[:-2], cohort[21].spacing_mm)
    return folder


@pytest.fixture(scope="session")
def known(folder):
    return folder / "known" / "manifest.csv"


@pytest.fixture(scope="session")
def cache(folder):
    """Features for all tests of the commands, so that each is computed once."""
    return folder / "cache"


@pytest.fixture
def features_csv(known, cache, tmp_path, radiodeep):
    assert radiodeep("extract", known, "-o", tmp_path / "t.csv", "--cache", cache, "--jobs", 1).code == 0
    return tmp_path / "t.csv"


@pytest.fixture
def table(tmp_path):
    """A table of 3 numbers for 12 cases, whose labels go with the first."""
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(rng.normal(size=(12, 3)).round(3), columns=["age", "volume", "contrast"])
    frame.insert(0, "case", [f"c{number}" for number in range(12)])
    frame["outcome"] = np.arange(12) % 2
    frame["age"] += frame["outcome"]
    return frame


@pytest.fixture
def record_of():
    """Return what the settings of a study came to, from its folder."""
    return lambda folder: yaml.safe_load((folder / "settings.lock.yaml").read_text())["record"]


def write_mask(path, array, spacing_mm):
    mask = sitk.GetImageFromArray(array)
    mask.SetSpacing(spacing_mm[::-1])
    sitk.WriteImage(mask, str(path))
