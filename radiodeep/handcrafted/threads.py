"""In: functions that do not depend on one another. Out: their results, from two threads where that is allowed."""

import multiprocessing
import os
import threading
from concurrent.futures import ThreadPoolExecutor
from functools import cache

from joblib import cpu_count
from threadpoolctl import ThreadpoolController

_LIMITS = ("NUMBA_NUM_THREADS", "OMP_NUM_THREADS")
_MOST = 2  # the longest task takes a third of the time of all, so that a third thread would have little to do


def n_threads():
    """Return the number of threads that measuring one region may use, 1 or 2.

    Processes of joblib and others that work side by side, and threads other than the main one, use one thread each.
    So does a process whose libraries are limited to one thread: by NUMBA_NUM_THREADS or OMP_NUM_THREADS, by
    threadpoolctl, by its affinity or by a container.
    """
    if threading.current_thread() is not threading.main_thread() or multiprocessing.parent_process() is not None:
        return 1
    limits = [os.environ[name] for name in _LIMITS if name in os.environ]
    limits = [int(limit) for limit in limits if limit.strip().isdigit()]
    libraries = [library["num_threads"] for library in _libraries().info()]
    return max(1, min([_MOST, cpu_count(), *limits, *libraries]))


@cache
def _libraries():
    """Return the controller of the libraries loaded so far, numpy's BLAS among them; finding them takes 1 ms."""
    return ThreadpoolController()


def run_together(tasks, order=()):
    """Call functions without arguments, a dict, and return a dict of their results.

    In two threads, those named in `order` begin first. Of several errors, that of the first task is raised.
    """
    n = n_threads()
    if n == 1:
        return {name: task() for name, task in tasks.items()}
    with ThreadPoolExecutor(n) as pool:
        futures = {name: pool.submit(tasks[name]) for name in order if name in tasks}
        futures |= {name: pool.submit(task) for name, task in tasks.items() if name not in futures}
        return {name: futures[name].result() for name in tasks}
