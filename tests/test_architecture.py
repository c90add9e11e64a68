"""The house is as it was designed: imports point down, files stay readable, docstrings are there."""

import shutil
import subprocess
import sys
from pathlib import Path

import radiodeep


def test_imports_point_down(repository):
    linter = shutil.which("lint-imports", path=Path(sys.executable).parent)
    done = subprocess.run([linter, "--no-cache"], cwd=repository, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_no_file_is_longer_than_450_lines(repository):
    long = {
        path.name: lines
        for path in (repository / "radiodeep").rglob("*.py")
        if (lines := len(path.read_text().splitlines())) > 450
    }
    assert long == {}


def test_pipelines_are_at_most_80_lines(repository):
    for path in (repository / "pipelines").glob("*.py"):
        assert len(path.read_text().splitlines()) <= 80, path.name


def test_every_public_thing_is_documented_with_what_it_takes():
    for name in set(radiodeep.__all__) - {"__version__"}:
        text = getattr(radiodeep, name).__doc__
        assert "Parameters\n" in text or "Attributes\n" in text, name
