"""When worker processes pay: tasks and a number of jobs in, results out, computed here or in processes.

Starting processes costs seconds, since each imports radiodeep and loads compiled functions. With a negative `n_jobs`
(as many processes as there are cores) the first tasks are therefore computed and timed in this process, until the
time that processes would save on the rest is longer than their start. A positive `n_jobs` is an order: processes are
started at once. None and 1 start none.
"""

import time
from contextlib import contextmanager

from joblib import Parallel, effective_n_jobs

START_S = 6.0  # until processes have imported what they need; longer than on most machines, so that waiting is rare
WARM_UP_S = 30.0  # that the first task may take longer than the others: it compiles functions or loads a network


def processes_pay(seconds_left, n_processes, cores_in_use=1.0):
    """Return whether processes would finish some work sooner than this process, their start included.

    Parameters
    ----------
    seconds_left : float
        What is left to do, in this process.
    n_processes : int
    cores_in_use : float, default=1.0
        Cores that this process keeps busy already. Libraries with threads of their own, such as torch, leave less to
        gain.

    Returns
    -------
    bool

    Notes
    -----
    The rest takes ``seconds_left`` here, and ``START_S + seconds_left * cores_in_use / n_processes`` in processes.

    Examples
    --------
    >>> from radiodeep.processes import processes_pay
    >>> processes_pay(5, n_processes=16), processes_pay(20, n_processes=2), processes_pay(100, 8, cores_in_use=8)
    (False, True, False)
    """
    saved_s = seconds_left * (1 - max(cores_in_use, 1.0) / n_processes)
    return saved_s > START_S


class Trial:
    """Tasks that are timed in this process, to find out whether processes pay for the rest.

    Parameters
    ----------
    n_jobs : int or None

    Attributes
    ----------
    is_open : bool
        Whether the next task should be computed in this process and timed.
    """

    def __init__(self, n_jobs):
        self.n_processes = effective_n_jobs(n_jobs)
        self.is_open = n_jobs is not None and n_jobs < 0 and self.n_processes > 1
        self._times = []  # of each task: seconds, seconds of all cores, items

    @contextmanager
    def timed(self, n_items=1):
        """Time a task of `n_items` items, e.g. cases, in this process."""
        begin_s = time.perf_counter()
        begin_cpu_s = time.process_time()
        yield
        self.note(time.perf_counter() - begin_s, time.process_time() - begin_cpu_s, n_items)

    def note(self, seconds, cpu_seconds, n_items):
        """Take up how long a task took by the clock, and in all cores together."""
        self._times.append((seconds, cpu_seconds, n_items))

    def decide(self, n_left):
        """Close the trial if processes pay for the items that are left."""
        seconds, cpu_seconds, n_items = (sum(column) for column in zip(*self._times[1:] or self._times, strict=True))
        cores_in_use = cpu_seconds / seconds if seconds > 0 else 1.0
        if len(self._times) == 1:
            seconds = max(seconds - WARM_UP_S, 0.0)
        if processes_pay(seconds / n_items * n_left, min(self.n_processes, max(n_left, 1)), cores_in_use):
            self.is_open = False


def results_of(tasks, n_jobs, n_tasks):
    """Yield the results of tasks in their order, computed in this process or, where that pays, in others.

    Parameters
    ----------
    tasks : iterable of joblib.delayed calls
    n_jobs : int or None
    n_tasks : int
        How many tasks there are.

    Examples
    --------
    >>> from joblib import delayed
    >>> from radiodeep.processes import results_of
    >>> list(results_of((delayed(abs)(number) for number in (-1, 2, -3)), n_jobs=-1, n_tasks=3))
    [1, 2, 3]
    """
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
