"""Items by position: any error is the case's own, and neither a killed process nor Ctrl-C loses more than it must.

Tests that kill processes take some seconds: joblib starts a new pool after each.
"""

import os
import signal
import subprocess
import sys
import time
import warnings
from pathlib import Path

import joblib
import pytest

from radiodeep.exceptions import InputError, RadiodeepWarning, WorkerKilledError
from radiodeep.rows import rows_by_case

try:
    import cloudpickle
except ImportError:  # older releases of joblib carry it
    from joblib.externals import cloudpickle

cloudpickle.register_pickle_by_value(sys.modules[__name__])  # worker processes cannot import the tests


class Named:
    """All that `rows_by_case` knows of a case."""

    def __init__(self, id):
        self.id = id


def ids_of(cases):
    return [case.id for case in cases]


def failing(cases):
    errors = {"memory": MemoryError(), "zero": ZeroDivisionError("by zero"), "input": InputError("input: too dark")}
    for case in cases:
        if case.id in errors:
            raise errors[case.id]
    return ids_of(cases)


def deadly(cases):
    for case in cases:
        if case.id.startswith("deadly"):
            os.kill(os.getpid(), signal.SIGKILL)
    return ids_of(cases)


def listed(*ids):
    return [Named(case_id) for case_id in ids]


def test_cases_of_one_id_keep_their_own_items():
    calls = iter(range(100))
    rows, errors = rows_by_case(lambda cases: [next(calls) for _ in cases], listed("a", "a", "b", "a"))
    assert rows == {0: 0, 1: 1, 2: 2, 3: 3}
    assert errors == {}


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_any_error_is_recorded_with_its_type_and_case(n_jobs):
    rows, errors = rows_by_case(failing, listed("a", "memory", "zero", "b", "input"), n_jobs=n_jobs, on_error="record")
    assert rows == {0: "a", 3: "b"}
    assert errors == {
        1: "MemoryError: memory: no details",
        2: "ZeroDivisionError: zero: by zero",
        4: "InputError: input: too dark",
    }


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_a_foreign_error_is_raised_with_a_note_of_its_case(n_jobs):
    with pytest.raises(ZeroDivisionError, match="by zero") as raised:
        rows_by_case(failing, listed("a", "b", "zero"), n_jobs=n_jobs)
    assert raised.value.__notes__ == ["It was raised by the case 'zero'."]
    with pytest.raises(InputError, match="^input: too dark$") as raised:
        rows_by_case(failing, listed("a", "input"), n_jobs=n_jobs)
    assert not hasattr(raised.value, "__notes__")


def test_a_function_that_fails_for_many_cases_only_is_called_with_one():
    def too_large(cases):
        if len(cases) > 1:
            raise MemoryError
        return ids_of(cases)

    assert rows_by_case(too_large, listed("a", "b", "c")) == ({0: "a", 1: "b", 2: "c"}, {})


@pytest.mark.parametrize("places", [[10], pytest.param([10, 21], marks=pytest.mark.slow)])
def test_a_killed_process_costs_the_case_that_killed_it(places):
    names = list("abcdefghijklmnopqrstuvwxyz")
    for place in places:
        names.insert(place, f"deadly {place}")
    cases = listed(*names)
    rows, errors = rows_by_case(deadly, cases, n_jobs=2, on_error="record")
    assert rows == {position: case.id for position, case in enumerate(cases) if "deadly" not in case.id}
    assert list(errors) == places
    assert errors[10].startswith("WorkerKilledError: deadly 10: the process that computed it was killed twice")


def test_errors_come_in_the_order_of_the_cases():
    def slow_at_first(cases):
        time.sleep(0.5 * (cases[0].id == "a"))
        raise ValueError("dark")

    slow_at_first.at_once = 1
    _, errors = rows_by_case(slow_at_first, listed("a", "b", "c"), n_jobs=2, on_error="record")
    assert list(errors) == [0, 1, 2]


@pytest.mark.slow
def test_a_killed_process_is_an_error_that_names_the_case():
    with pytest.raises(WorkerKilledError, match=r"^deadly: the process .* killed twice"):
        rows_by_case(deadly, listed("a", "b", "deadly"), n_jobs=2)


@pytest.mark.slow
def test_a_case_whose_process_is_killed_once_is_retried(tmp_path):
    def unlucky(cases):
        for case in cases:
            if case.id == "c" and not (tmp_path / "killed").exists():
                (tmp_path / "killed").touch()
                os.kill(os.getpid(), signal.SIGKILL)
        return ids_of(cases)

    assert rows_by_case(unlucky, listed(*"abcde"), n_jobs=2) == (dict(enumerate("abcde")), {})


@pytest.mark.parametrize("backend", ["threading", "multiprocessing"])
def test_other_backends_of_joblib_give_the_same(backend):
    with joblib.parallel_config(backend=backend):
        rows, errors = rows_by_case(failing, listed(*"abc", "zero"), n_jobs=2, on_error="record")
    assert rows == {0: "a", 1: "b", 2: "c"}
    assert errors == {3: "ZeroDivisionError: zero: by zero"}


@pytest.mark.parametrize("n_jobs", [0, 1.5, "two"])
def test_a_number_of_processes_that_is_none_is_refused(n_jobs):
    with pytest.raises(InputError, match="'n_jobs' parameter of rows_by_case must be None or an int other than 0"):
        rows_by_case(ids_of, listed("a"), n_jobs=n_jobs)


def test_another_way_of_handling_errors_is_refused():
    with pytest.raises(InputError, match="'on_error' parameter of extraction must be one of raise, record"):
        rows_by_case(ids_of, listed("a"), on_error="ignore")


def test_no_cases_give_no_rows():
    assert rows_by_case(failing, [], n_jobs=2) == ({}, {})


def test_quick_cases_come_together_and_slow_ones_by_themselves():
    sizes = []

    def watched(cases):
        sizes.append(len(cases))
        time.sleep(0.12 * len(cases) if len(sizes) > 3 else 0)
        return ids_of(cases)

    watched.at_once = None
    rows_by_case(watched, listed(*"abcdefghijklmnopqrstuvwxyz"))
    assert sizes[:5] == [1, 8, 8, 8, 1]


def test_a_process_of_the_pool_gives_simpleitk_its_share_of_the_cores():
    def threads(cases):
        import SimpleITK

        rows_in_pool = SimpleITK.ProcessObject_GetGlobalDefaultNumberOfThreads()
        return [(rows_in_pool, int(os.environ["NUMBA_NUM_THREADS"])) for _ in cases]

    threads.at_once = 1
    rows, _ = rows_by_case(threads, listed(*"abcdefgh"), n_jobs=2)
    assert rows[7][0] == rows[7][1]


INTERRUPTED = """
import sys, threading, time, os, signal
import numba
from radiodeep.rows import rows_by_case

@numba.njit
def loop(n):
    total = 0.0
    for i in range(n):
        total += (i * 1.5) % 7.0
    return total

class Named:
    id = "a"

def measure(cases):
    return [[loop(2000) for _ in range(100_000)] for _ in cases]

loop(1)
threading.Timer(float(sys.argv[1]), os.kill, (os.getpid(), signal.SIGINT)).start()
try:
    rows_by_case(measure, [Named()] * 100, on_error="record")
except KeyboardInterrupt:
    sys.exit(130)
"""


def _allow_ctrl_c():
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # which shells ignore in jobs in the background


@pytest.mark.slow
@pytest.mark.parametrize("after_s", [0.05, 0.17, 0.4])
def test_ctrl_c_in_a_compiled_loop_is_a_keyboard_interrupt(after_s):
    done = subprocess.run(
        [sys.executable, "-c", INTERRUPTED, str(after_s)],
        capture_output=True,
        text=True,
        timeout=100,
        preexec_fn=_allow_ctrl_c,
    )
    assert (done.returncode, done.stderr) == (130, "")


def test_what_numba_makes_of_ctrl_c_is_a_keyboard_interrupt_again():
    def interrupted(cases):
        raise SystemError("CPUDispatcher(loop) returned a result with an exception set") from KeyboardInterrupt()

    with pytest.raises(KeyboardInterrupt):
        rows_by_case(interrupted, listed("a"), on_error="record")


def warned(cases):
    for case in cases:
        warnings.warn(f"{case.id}: flat", RadiodeepWarning, stacklevel=1)
    return ids_of(cases)


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_warnings_reach_the_caller_from_every_process(n_jobs):
    with pytest.warns(RadiodeepWarning) as caught:
        rows_by_case(warned, listed("a", "b"), n_jobs=n_jobs)
    assert [str(warning.message) for warning in caught] == ["a: flat", "b: flat"]


POOL = """
import os, sys, time
from pathlib import Path
from radiodeep.rows import rows_by_case

class Named:
    id = "a"

def measure(cases):
    Path(sys.argv[1], str(os.getpid())).touch()
    time.sleep(0.2)
    return [0 for _ in cases]

measure.at_once = 1
rows_by_case(measure, [Named()] * 1000, n_jobs=2)
"""


def _alive(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
@pytest.mark.parametrize("signal_of_end", [signal.SIGKILL, pytest.param(signal.SIGINT, marks=pytest.mark.slow)])
def test_no_process_of_the_pool_outlives_its_parent(tmp_path, signal_of_end):
    script = POOL.replace("sys.argv[1]", repr(str(tmp_path)))
    parent = subprocess.Popen([sys.executable, "-c", script], stderr=subprocess.DEVNULL, preexec_fn=_allow_ctrl_c)
    workers = []
    while len(workers) < 2 and parent.poll() is None:
        workers = [int(path.name) for path in tmp_path.iterdir()]
        time.sleep(0.05)
    parent.send_signal(signal_of_end)
    parent.wait(timeout=60)
    until = time.monotonic() + 20
    while any(map(_alive, workers)) and time.monotonic() < until:
        time.sleep(0.1)
    assert not any(map(_alive, workers))


def process_ids(cases):
    return [os.getpid() for _ in cases]


def test_short_work_for_all_cores_starts_no_process():
    rows, _ = rows_by_case(process_ids, listed(*"abcdefghijklmnopqrstuvwxyz"), n_jobs=-1)
    assert set(rows.values()) == {os.getpid()}


@pytest.mark.skipif(joblib.cpu_count() < 2, reason="one core has no use for processes")
def test_cases_that_are_left_when_processes_pay_go_to_them(monkeypatch):
    monkeypatch.setattr("radiodeep.processes.processes_pay", lambda seconds_left, n_processes, cores_in_use: True)
    rows, errors = rows_by_case(process_ids, listed(*"abcdefghijklmnopqrstuvwxyz"), n_jobs=-1)
    assert errors == {}
    assert {rows[position] for position in range(8)} == {os.getpid()}
    assert os.getpid() not in {rows[position] for position in range(8, 26)}


def test_a_failure_is_recorded_also_before_processes_pay():
    rows, errors = rows_by_case(failing, listed("a", "zero"), n_jobs=-1, on_error="record")
    assert (rows, errors) == ({0: "a"}, {1: "ZeroDivisionError: zero: by zero"})
