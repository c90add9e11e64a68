"""Errors, warnings and Ctrl-C become sentences and exit codes."""

import gc
import signal
import warnings

import pytest

import radiodeep as rd
from radiodeep.exceptions import RadiodeepWarning

QUICK = ["--features", "handcrafted", "--jobs", 1]


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (
            RuntimeError("odd\nthing"),
            "Error: RuntimeError: odd\nThis is a bug in radiodeep; run again with RADIODEEP_DEBUG=1",
        ),
        (MemoryError(), "Error: The memory ran out (MemoryError). Use fewer processes, --jobs 1"),
        (PermissionError(13, "Permission denied", "a.nii"), "Error: 'a.nii': Permission denied."),
    ],
)
def test_an_unexpected_exception_is_a_sentence(error, message, known, radiodeep, monkeypatch):
    def fail(path, **_):
        raise error

    monkeypatch.setattr(rd, "read_cohort", fail, raising=False)
    done = radiodeep("validate", known)
    assert done.code == 1
    assert message in done.err
    assert "Traceback" not in done.err
    monkeypatch.setenv("RADIODEEP_DEBUG", "1")
    assert "Traceback" in radiodeep("validate", known).err


def test_warnings_are_sentences_in_words_of_the_command_line(known, radiodeep, monkeypatch):
    def warn(path, **_):
        warnings.warn("Use a smaller bin_width.", RadiodeepWarning, stacklevel=1)
        raise rd.exceptions.InputError("enough")

    monkeypatch.setattr(rd, "read_cohort", warn, raising=False)
    assert radiodeep("validate", known).err == "Warning: Use a smaller --bin-width.\nError: enough\n"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--cache", "kept"], "Finished cases are kept. Continue with:\n  radiodeep extract "),
        (["--config", "s.yaml"], "Finished cases are kept if the file of --config names a cache. Continue with:\n"),
        ([], "Finished cases are not kept without --cache. With it, an interrupted run can continue:\n"),
    ],
)
@pytest.mark.parametrize("turned", [False, True])
def test_ctrl_c_is_said_with_the_way_to_go_on(options, message, turned, known, tmp_path, radiodeep, monkeypatch):
    def interrupted(*_, **__):
        try:
            signal.raise_signal(signal.SIGINT)
        except KeyboardInterrupt as error:
            if turned:
                raise SystemError("returned a result with an exception set") from error
            raise

    monkeypatch.setattr(rd, "extract_tables", interrupted, raising=False)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "s.yaml").write_text("window: exact")
    done = radiodeep("extract", known, "-o", "t.csv", *QUICK, *options)
    assert done.code == 130
    assert done.err.startswith(f"Interrupted.\n{message}")
    assert done.err.count("\n") == 3
    assert done.err.endswith(f"{' '.join(options or ['--cache FOLDER'])}\n")


def test_all_objects_are_seldom_looked_at_for_garbage(radiodeep):
    before = gc.get_threshold()
    try:
        gc.set_threshold(700, 10, 10)
        radiodeep("--version")
        assert gc.get_threshold() == (700, 10, 100)
    finally:
        gc.set_threshold(*before)
