"""Fixtures of all tests: the reference data, small synthetic cases, and no skip where none is allowed."""

import os
from pathlib import Path

import pytest

_OWN_SKIPS = ("needs the reference data", "needs a browser")  # scikit-learn's checks have skips of their own
REPOSITORY = Path(__file__).resolve().parent.parent


def _reference_folder():
    return Path(os.environ.get("RADIODEEP_REFERENCE_DATA", REPOSITORY.parent / "shared" / "data"))


@pytest.fixture(autouse=True)
def no_progress(monkeypatch):
    """No progress lines of work that a slow machine makes long; they would be in the way of what a test reads."""
    monkeypatch.setenv("RADIODEEP_PROGRESS", "0")


@pytest.fixture(scope="session")
def repository():
    """The root of the checkout."""
    return REPOSITORY


@pytest.fixture(scope="session")
def reference_data():
    """The folder of real images and golden numbers, which is not part of the repository."""
    folder = _reference_folder()
    if not folder.is_dir():
        pytest.skip(f"needs the reference data; set RADIODEEP_REFERENCE_DATA (looked in '{folder}')")
    return folder


@pytest.fixture(scope="session")
def phantoms(repository):
    """The manifest of the committed cohort of 40 phantoms."""
    return repository / "data" / "phantoms" / "manifest.csv"


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session, exitstatus):
    """A skipped test fails the run where the reference data exist and CI forbids skips."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    reports = reporter.stats.get("skipped", []) if reporter else []
    skipped = [each for each in reports if any(text in str(each.longrepr) for text in _OWN_SKIPS)]
    if skipped and os.environ.get("RADIODEEP_FORBID_SKIPS") and _reference_folder().is_dir():
        reporter.write_line(f"{len(skipped)} tests were skipped although the reference data exist", red=True)
        session.exitstatus = 1
