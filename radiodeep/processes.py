"""Tasks and a number of jobs -> results, computed in this process or, where that is faster, in worker processes.

Starting workers costs seconds, since each imports radiodeep and loads compiled functions. With a negative `n_jobs`
(as many processes as there are cores) the first tasks are therefore computed and timed in this process, until the
time that workers would save on the rest is longer than their start. A positive `n_jobs` starts its processes at once;
None and 1 start none.

The last bits of sums and convolutions depend on the number of threads, and joblib gives each worker its share of the
cores. Tasks that are timed here get the same share, so that results do not depend on how long they took.
"""

import os
import sys
import threading
import time
from contextlib import contextmanager
from functools import lru_cache

from joblib import Parallel, cpu_count, effective_n_jobs
from joblib.parallel import BACKENDS, get_active_backend
from threadpoolctl import ThreadpoolController

START_S = 6.0  # until workers have imported what they need; longer than on most machines, so that waiting is rare
WARM_UP_S = 30.0  # that the first task may take longer than the others: it compiles functions or loads a network


def processes_pay(seconds_left, n_processes, cores_in_use=1.0):
    """Return whether workers would finish sooner than this process, their start included.

    The rest takes ``seconds_left`` here, and ``START_S + seconds_left * cores_in_use / n_processes`` in workers: what
    keeps several cores busy already, e.g. by threads of torch, gains less.
    """
    saved_s = seconds_left * (1 - max(cores_in_use, 1.0) / n_processes)
    return saved_s > START_S


@contextmanager
def threads_of_a_worker(n_processes):
    """Let this process compute with the threads of a worker among `n_processes`, and restore its own afterwards.

    The numbers are those that joblib writes into the environment of its workers: a variable that the user has set, or
    else the cores divided by the processes. torch takes that of MKL. Only libraries that are loaded can be limited.
    """
    share = max(cpu_count() // n_processes, 1)
    blas, openmp, mkl = (int(os.environ.get(f"{name}_NUM_THREADS", share)) for name in ("OPENBLAS", "OMP", "MKL"))
    torch = sys.modules.get("torch")
    own_threads = torch and torch.get_num_threads()
    with _loaded_libraries(len(sys.modules)).limit(limits={"libmkl_rt": mkl, "blas": blas, "openmp": openmp}):
        try:
            if torch:
                torch.set_num_threads(mkl)
            yield
        finally:
            if torch:
                torch.set_num_threads(own_threads)


@lru_cache(maxsize=1)
def _loaded_libraries(n_modules):
    """Return a controller of the threads of the libraries that are loaded; finding them takes 2 ms."""
    return ThreadpoolController()


class Trial:
    """Tasks that are timed in this process, to find out whether workers pay for the rest.

    Attributes
    ----------
    is_open : bool
        Whether the next task is to be computed and timed in this process. Never with another backend of joblib than
        its own, or with a number of threads chosen for it, nor in a thread, where others may need the threads of this
        process.
    """

    def __init__(self, n_jobs):
        self.n_processes = effective_n_jobs(n_jobs)
        in_main_thread = threading.current_thread() is threading.main_thread()
        backend, _ = get_active_backend()
        has_workers = isinstance(backend, BACKENDS["loky"]) and backend.inner_max_num_threads is None
        is_choice = n_jobs is not None and n_jobs < 0 and self.n_processes > 1
        self.is_open = is_choice and has_workers and in_main_thread
        self._times = []  # of each task: seconds, seconds of all cores, items

    @contextmanager
    def timed(self, n_items=1):
        """Time a task of `n_items` items, e.g. cases, in this process, with the threads of a worker."""
        with threads_of_a_worker(self.n_processes):
            begin_s = time.perf_counter()
            begin_cpu_s = time.process_time()
            yield
            seconds = time.perf_counter() - begin_s
            cpu_seconds = time.process_time() - begin_cpu_s
        self.note(seconds, cpu_seconds, n_items)

    def note(self, seconds, cpu_seconds, n_items):
        """Record the seconds of a task, by the clock and of all cores together."""
        self._times.append((seconds, cpu_seconds, n_items))

    def decide(self, n_left):
        """Close the trial if workers pay for the items that are left.

        Time by the clock beyond that of the cores is spent waiting for other programs, which workers would do too: on
        a busy machine it must not start them.
        """
        seconds, cpu_seconds, n_items = (sum(column) for column in zip(*self._times[1:] or self._times, strict=True))
        cores_in_use = cpu_seconds / seconds if seconds > 0 else 1.0
        undisturbed_s = min(seconds, cpu_seconds)
        if len(self._times) == 1:
            undisturbed_s = max(undisturbed_s - WARM_UP_S, 0.0)
        if processes_pay(undisturbed_s / n_items * n_left, min(self.n_processes, max(n_left, 1)), cores_in_use):
            self.is_open = False


def results_of(tasks, n_jobs, n_tasks):
    """Yield the results of `n_tasks` tasks, each from `joblib.delayed`, in their order."""
    tasks = iter(tasks)
    trial = Trial(n_jobs)
    n_left = n_tasks
    while trial.is_open:
        task = next(tasks, None)
        if task is None:
            return
        function, args, kwargs = task
        with trial.timed():
            result = function(*args, **kwargs)
        n_left -= 1
        trial.decide(n_left)
        yield result
    yield from Parallel(n_jobs=n_jobs, return_as="generator")(tasks)
