"""What a user sees of long work, at a terminal and in a log."""

import io
import sys
import time

import joblib
import pytest

from radiodeep import progress
from radiodeep.progress import announced_if_slow, counted, with_progress
from radiodeep.rows import rows_by_case


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.fixture(autouse=True)
def progress_shown(no_progress, monkeypatch):
    monkeypatch.delenv("RADIODEEP_PROGRESS")


@pytest.fixture
def no_patience(monkeypatch):
    monkeypatch.setattr(progress, "_FIRST_LINE_S", 0.0)


class Named:
    id = "a"


def test_the_items_come_through_unchanged():
    assert list(with_progress(iter("abc"), "letters", 3)) == ["a", "b", "c"]


def test_a_terminal_shows_a_bar_with_counts_of_cases_from_the_first_on(monkeypatch):
    terminal = Terminal()
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr(sys, "stderr", terminal)
    with counted("Scoring", 4, "cases") as advance:
        assert "0 of 4 cases" in _drawn(terminal)
        advance()
        assert "Scoring" in _drawn(terminal)
        assert "1 of 4 cases" in _drawn(terminal)
        advance(3)
        assert "4 of 4 cases" in _drawn(terminal)


def _drawn(terminal):
    time.sleep(0.3)  # it is drawn ten times a second
    return terminal.getvalue()


def test_a_log_gets_a_line_when_the_work_takes_long(capsys, no_patience):
    cases = [Named()] * 20
    rows_by_case(lambda cases: [0] * len(cases), cases, description="RadiomicsExtractor")
    assert capsys.readouterr().err == "RadiomicsExtractor: 8 of 20 cases\n"


def test_a_log_gets_nothing_from_short_work(capsys):
    list(with_progress(range(1000), "Bootstrap", 1000))
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("is_terminal", [True, False])
def test_progress_can_be_switched_off(monkeypatch, no_patience, is_terminal):
    monkeypatch.setenv("RADIODEEP_PROGRESS", "0")
    monkeypatch.setattr(sys, "stderr", Terminal() if is_terminal else io.StringIO())
    list(with_progress(range(10), "Bootstrap", 10))
    assert sys.stderr.getvalue() == ""


def test_work_inside_shown_work_shows_nothing(capsys, no_patience):
    with counted("Cross-validation", 10) as advance:
        list(with_progress(range(5), "Training", 5))
        advance()
    list(with_progress(range(5), "Afterwards", 5))
    assert capsys.readouterr().err == "Cross-validation: 1 of 10\nAfterwards: 1 of 5\n"


def test_a_process_of_a_pool_shows_nothing(capfd):
    def work(number):
        progress._FIRST_LINE_S = 0.0
        return list(with_progress(range(5), "Training", 5))

    joblib.Parallel(n_jobs=2)(joblib.delayed(work)(number) for number in range(2))
    assert "Training" not in capfd.readouterr().err


def test_slow_work_is_announced_while_it_lasts(monkeypatch, capsys):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    with announced_if_slow("this takes a while", seconds=0.01):
        time.sleep(0.5)
    assert capsys.readouterr().err == "this takes a while\n"


def test_fast_work_is_not_announced(monkeypatch, capsys):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    with announced_if_slow("this takes a while", seconds=5):
        pass
    assert capsys.readouterr().err == ""


def test_nothing_is_announced_where_nobody_watches(capsys):
    with announced_if_slow("this takes a while", seconds=0.01):
        time.sleep(0.1)
    assert capsys.readouterr().err == ""
