"""What a person at a terminal is shown."""

import sys
import time

from radiodeep.progress import announced_if_slow, with_progress


def test_the_items_come_through_unchanged():
    assert list(with_progress(iter("abc"), "letters", 3)) == ["a", "b", "c"]


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


def test_nothing_is_written_where_nobody_watches(capsys):
    with announced_if_slow("this takes a while", seconds=0.01):
        time.sleep(0.1)
    assert capsys.readouterr().err == ""
