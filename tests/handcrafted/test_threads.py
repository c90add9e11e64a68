"""Two threads are used only where nothing forbids it, and give what one gives."""

import threading

import joblib
import numpy as np
import pytest
import threadpoolctl

from radiodeep.handcrafted import threads
from radiodeep.handcrafted.measurement import region_features
from radiodeep.handcrafted.threads import n_threads, run_together


@pytest.fixture
def two_cores(monkeypatch):
    """Make limits of this machine and of the test run vanish."""
    for name in ("NUMBA_NUM_THREADS", "OMP_NUM_THREADS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(threads, "cpu_count", lambda: 8)
    with threadpoolctl.threadpool_limits(8):
        yield


@pytest.mark.usefixtures("two_cores")
def test_two_threads_are_allowed_by_default_and_never_more():
    assert n_threads() == 2


@pytest.mark.usefixtures("two_cores")
@pytest.mark.parametrize("name", ["NUMBA_NUM_THREADS", "OMP_NUM_THREADS"])
def test_variables_of_the_environment_limit_threads(monkeypatch, name):
    monkeypatch.setenv(name, "1")
    assert n_threads() == 1
    monkeypatch.setenv(name, "4,2")  # of nested OpenMP levels
    assert n_threads() == 2


@pytest.mark.usefixtures("two_cores")
def test_one_core_has_one_thread(monkeypatch):
    monkeypatch.setattr(threads, "cpu_count", lambda: 1)
    assert n_threads() == 1


@pytest.mark.usefixtures("two_cores")
def test_threadpoolctl_limits_threads():
    with threadpoolctl.threadpool_limits(1):
        assert n_threads() == 1
    assert n_threads() == 2


@pytest.mark.usefixtures("two_cores")
def test_threads_beside_the_main_one_use_one_each():
    found = []
    worker = threading.Thread(target=lambda: found.append(n_threads()))
    worker.start()
    worker.join()
    assert found == [1]


@pytest.mark.usefixtures("two_cores")
@pytest.mark.parametrize("backend", ["threading", "multiprocessing"])
def test_workers_of_joblib_use_one_thread(backend):
    found = joblib.Parallel(n_jobs=2, backend=backend)(joblib.delayed(n_threads)() for _ in range(2))
    assert found == [1, 1]


@pytest.mark.slow
@pytest.mark.usefixtures("two_cores")
def test_workers_of_loky_use_one_thread():
    found = joblib.Parallel(n_jobs=joblib.cpu_count(), backend="loky")(joblib.delayed(n_threads)() for _ in range(2))
    assert found == [1, 1]


@pytest.mark.usefixtures("two_cores")
def test_tasks_run_at_the_same_time_and_results_keep_their_order():
    meeting = threading.Barrier(2, timeout=10)  # each task waits for the other
    results = run_together({"a": lambda: meeting.wait() * 0 + 1, "b": lambda: meeting.wait() * 0 + 2}, order=("b",))
    assert list(results.items()) == [("a", 1), ("b", 2)]


@pytest.mark.parametrize("n", [1, 2])
def test_the_error_of_the_first_task_is_raised(monkeypatch, n):
    monkeypatch.setattr(threads, "n_threads", lambda: n)
    with pytest.raises(ValueError, match="invalid literal for int.*'one'"):
        run_together({"a": lambda: int("one"), "b": lambda: int("two")}, order=("b", "a"))


def test_features_of_a_large_region_are_the_same_with_two_threads(monkeypatch):
    generator = np.random.default_rng(2)
    image = generator.normal(0, 300, (30, 32, 34)).astype(np.float32)
    mask = np.ones(image.shape, bool)
    values = []
    for n in (1, 2):
        monkeypatch.setattr(threads, "n_threads", lambda n=n: n)
        values.append(region_features(image, mask, (1.0, 1.0, 1.0)))
    np.testing.assert_array_equal(values[0], values[1])
