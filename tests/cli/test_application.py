"""The application: help, usage errors, start-up."""

import os
import subprocess
import sys

import pytest

import radiodeep as rd

MODULE = [sys.executable, "-m", "radiodeep"]
COMMANDS = ["validate", "extract", "study", "checklist", "train", "score", "demo"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["study", "none.csv", "-o", "x"], "Error: 'none.csv' does not exist"),
        (["extract", "none.csv", "-o", "x.csv"], "Error: The manifest 'none.csv' does not exist"),
        (["study", "m.csv"], "Missing option '--output' / '-o'. See radiodeep study --help."),
        (["train", "m.csv", "-o", "m.skops", "--selector", "best"], "'best' is not one of"),
        (["score"], "Missing argument 'MODEL'. See radiodeep score --help."),
        (["studie"], "No such command 'studie'"),
        (["study", "--output-folder", "x"], "See radiodeep study --help."),
        (
            ["study", "m.csv", "-o", "x", "--cv", "abc"],
            "--cv must be leave-one-out, leave-pair-out, leave-one-centre-out or a",
        ),
        (["study", "m.csv", "-o", "x", "--cv", "1"], "Got '1'."),
        (["study", "m.csv", "-o", "x", "--seed", "-1"], "Invalid value for '--seed'"),
        (["study", "m.csv", "-o", "x", "--features", "all"], "--features takes handcrafted, deep, combined"),
    ],
)
def test_wrong_usage_is_one_sentence_and_exit_code_1(arguments, message, radiodeep):
    done = radiodeep(*arguments)
    assert done.code == 1
    assert message in done.err
    assert "Traceback" not in done.err


def test_without_a_command_the_help_is_shown_once(radiodeep):
    done = radiodeep()
    assert (done.code, done.err) == (0, "")
    assert done.out.count("Usage:") == 1
    for command in COMMANDS:
        assert f"  {command} " in done.out
    assert "..." not in done.out.split("Commands:")[1]  # every summary fits its line


@pytest.mark.parametrize("command", COMMANDS)
def test_the_help_of_a_command_has_an_example_and_fits_80_columns(command, radiodeep):
    done = radiodeep(command, "-h")
    assert done.code == 0
    assert done.out == radiodeep(command, "--help").out
    assert f"radiodeep {command}" in done.out.split("Example:")[1]
    assert "<bool>" not in done.out
    assert max(map(len, done.out.splitlines())) <= 80


def test_the_module_can_be_run_and_starts_without_heavy_libraries():
    done = subprocess.run([*MODULE, "--version"], capture_output=True, text=True, check=True)
    assert done.stdout == f"radiodeep {rd.__version__}\n"
    code = "import radiodeep.cli.application, sys; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert {"torch", "sklearn", "matplotlib", "SimpleITK", "numba", "joblib"}.isdisjoint(done.stdout.split())


def test_shells_can_complete_commands():
    environment = {
        **os.environ,
        "_RADIODEEP_COMPLETE": "complete_bash",
        "COMP_WORDS": "radiodeep ex",
        "COMP_CWORD": "1",
    }
    done = subprocess.run(MODULE, capture_output=True, text=True, check=False, env=environment)
    assert done.stdout.split() == ["extract"]
