"""Processes are started where they save more time than their start takes; the decision is tested, not the clock."""

import os
import sys
import threading

import joblib
import pytest
from joblib import delayed
from threadpoolctl import threadpool_info

from radiodeep.processes import START_S, WARM_UP_S, Trial, processes_pay, results_of, threads_of_a_worker

try:
    import cloudpickle
except ImportError:  # older releases of joblib carry it
    from joblib.externals import cloudpickle

cloudpickle.register_pickle_by_value(sys.modules[__name__])  # worker processes cannot import the tests


@pytest.fixture
def sixteen_cores(monkeypatch):
    monkeypatch.setattr("radiodeep.processes.effective_n_jobs", lambda n_jobs: 16 if n_jobs == -1 else n_jobs or 1)


def process_of_task(number):
    return number, os.getpid()


def in_a_process(task):
    _, (*_, number), _ = task
    return number, "elsewhere"


def test_processes_pay_only_if_they_save_more_than_their_start():
    assert not processes_pay(2 * START_S, n_processes=2)
    assert processes_pay(2 * START_S + 0.1, n_processes=2)
    assert not processes_pay(START_S, n_processes=1000)


def test_processes_do_not_pay_where_threads_keep_the_cores_busy():
    assert processes_pay(100, n_processes=16, cores_in_use=8)
    assert not processes_pay(100, n_processes=16, cores_in_use=15.5)


def test_less_than_a_core_in_use_counts_as_one():
    assert processes_pay(2 * START_S + 0.1, 2, cores_in_use=0.1)
    assert not processes_pay(2 * START_S, 2, cores_in_use=0.1)


def test_time_spent_waiting_for_other_programs_starts_no_process(sixteen_cores):
    trial = Trial(-1)
    trial.note(200, 20, n_items=8)
    trial.decide(n_left=43)
    assert trial.is_open
    trial.note(50, 0.1, n_items=8)
    trial.decide(n_left=35)
    assert trial.is_open


@pytest.mark.parametrize("n_jobs", [None, 1, 4])
def test_only_a_negative_number_of_jobs_is_tried_out(sixteen_cores, n_jobs):
    assert not Trial(n_jobs).is_open
    assert Trial(-1).is_open


def test_the_warm_up_of_the_first_task_is_not_taken_for_its_pace(sixteen_cores):
    trial = Trial(-1)
    trial.note(WARM_UP_S, WARM_UP_S, n_items=1)
    trial.decide(n_left=1000)
    assert trial.is_open


def test_a_first_task_beyond_any_warm_up_closes_the_trial(sixteen_cores):
    trial = Trial(-1)
    trial.note(WARM_UP_S + 1, WARM_UP_S + 1, n_items=1)
    trial.decide(n_left=1000)
    assert not trial.is_open


def test_the_pace_is_that_of_the_tasks_after_the_first(sixteen_cores):
    trial = Trial(-1)
    trial.note(20, 20, n_items=8)
    trial.note(0.8, 0.8, n_items=8)
    trial.decide(n_left=50)
    assert trial.is_open
    trial.note(7.2, 7.2, n_items=8)
    trial.decide(n_left=50)
    assert not trial.is_open


def test_no_more_processes_than_items_are_counted(sixteen_cores):
    trial = Trial(-1)
    trial.note(0, 0, n_items=1)
    trial.note(10, 10, n_items=1)
    trial.decide(n_left=1)
    assert trial.is_open
    trial.decide(n_left=2)
    assert not trial.is_open


@pytest.mark.parametrize(
    "settings",
    [{"backend": "threading"}, {"backend": "multiprocessing"}, {"backend": "loky", "inner_max_num_threads": 1}],
)
def test_a_backend_chosen_for_joblib_gets_all_tasks(sixteen_cores, settings):
    with joblib.parallel_config(**settings):
        assert not Trial(-1).is_open


def test_a_call_in_a_thread_leaves_the_threads_of_others_alone(sixteen_cores):
    is_open = []
    thread = threading.Thread(target=lambda: is_open.append(Trial(-1).is_open))
    thread.start()
    thread.join()
    assert is_open == [False]


def numbers_of_threads(task=None):
    import torch

    return {library["num_threads"] for library in threadpool_info()} | {torch.get_num_threads()}


@pytest.fixture
def six_cores(monkeypatch):
    monkeypatch.setattr("radiodeep.processes.cpu_count", lambda: 6)
    monkeypatch.setattr("radiodeep.processes.effective_n_jobs", lambda n_jobs: 2)
    for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        monkeypatch.delenv(variable, raising=False)


def test_tasks_timed_here_compute_with_the_threads_of_a_worker(six_cores):
    torch = pytest.importorskip("torch")
    before = [library["num_threads"] for library in threadpool_info()], torch.get_num_threads()
    with Trial(-1).timed():
        assert numbers_of_threads() == {3}
    with pytest.raises(ZeroDivisionError, match="by zero"), Trial(-1).timed():
        1 / 0  # noqa: B018
    assert ([library["num_threads"] for library in threadpool_info()], torch.get_num_threads()) == before


def test_threads_that_the_user_chose_hold_for_tasks_timed_here(six_cores, monkeypatch):
    pytest.importorskip("torch")
    for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        monkeypatch.setenv(variable, "5")
    with threads_of_a_worker(4):
        assert numbers_of_threads() == {5}


@pytest.mark.slow  # its workers import torch
@pytest.mark.skipif(joblib.cpu_count() < 2, reason="one core has no workers")
def test_a_task_has_as_many_threads_here_as_in_a_worker():
    pytest.importorskip("torch")
    [elsewhere, _] = results_of([delayed(numbers_of_threads)(number) for number in range(2)], joblib.cpu_count(), 2)
    with threads_of_a_worker(joblib.cpu_count()):
        assert numbers_of_threads() == elsewhere


def test_short_work_stays_in_this_process_and_in_order(sixteen_cores):
    tasks = (delayed(process_of_task)(number) for number in range(50))
    assert list(results_of(tasks, -1, 50)) == [(number, os.getpid()) for number in range(50)]


def test_what_is_left_goes_to_processes_when_they_pay(sixteen_cores, monkeypatch):
    monkeypatch.setattr("radiodeep.processes.processes_pay", lambda seconds_left, n_processes, cores_in_use: True)
    monkeypatch.setattr(
        "radiodeep.processes.Parallel", lambda n_jobs, return_as: lambda tasks: map(in_a_process, tasks)
    )
    results = list(results_of((delayed(process_of_task)(number) for number in range(4)), -1, 4))
    assert results == [(0, os.getpid()), (1, "elsewhere"), (2, "elsewhere"), (3, "elsewhere")]


def test_given_processes_are_started_at_once():
    results = list(results_of((delayed(process_of_task)(number) for number in range(4)), 2, 4))
    assert [number for number, _ in results] == [0, 1, 2, 3]
    assert os.getpid() not in {process for _, process in results}


@pytest.mark.skipif(joblib.cpu_count() < 2, reason="one core has no workers")
def test_relative_paths_begin_in_the_folder_of_the_caller_though_processes_are_kept(monkeypatch, tmp_path):
    for name in ("first", "second"):
        (tmp_path / name).mkdir()
        monkeypatch.chdir(tmp_path / name)
        folders = list(results_of((delayed(os.getcwd)() for _ in range(4)), 2, 4))
        assert folders == [str(tmp_path / name)] * 4
    assert os.getcwd() == str(tmp_path / "second")
