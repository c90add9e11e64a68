"""What is printed fits a terminal, and survives a reader that goes away."""

import subprocess
import sys

import pytest

from radiodeep.cli.terminal import aligned

MODULE = [sys.executable, "-m", "radiodeep"]


@pytest.mark.slow
def test_a_reader_that_goes_away_stops_nothing(table, tmp_path):
    table.drop(columns="case").to_csv(tmp_path / "t.csv", index=False)
    command = [
        *MODULE,
        "study",
        tmp_path / "t.csv",
        "-o",
        tmp_path / "out",
        "--label",
        "outcome",
        "--cv",
        "2",
        "-j",
        "1",
    ]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as started:
        started.stdout.close()
        assert started.stderr.read() == ""
        assert started.wait() == 0
    assert (tmp_path / "out" / "report.html").is_file()


def test_tables_of_text_fit_80_columns():
    splits = ["leave-one-group-out", "grouped 10-fold, 5 repeats"]
    header = ["", *splits, "accuracy", "p against\nsize alone"]
    row = ["all features", "0.123 (0.123-0.123)", "0.123 (0.123-0.123)", "0.123", "0.0012"]
    lines = aligned(header, [row]).splitlines()
    assert max(map(len, lines)) <= 80
    assert any("leave-one-group-out" in line for line in lines)
    assert lines[-1].split("  ")[0] == "all features"
