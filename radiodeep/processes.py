"""Tasks and a number of jobs -> results, computed in this process or, where that is faster, in worker processes.

Starting workers costs seconds, since each imports radiodeep and loads compiled functions. With a negative `n_jobs`
(as many processes as there are cores) the first tasks are therefore computed and timed in this process, until the
time that workers would save on the rest is longer than their start. A positive `n_jobs` starts its processes at once;
None and 1 start none.

The last bits of sums and convolutions depend on the number of threads, and joblib gives each worker its share of the
cores. Tasks that are timed here get the same share, so that results do not depend on how long they took.

Within ``joblib.parallel_config(backend="dask")``, tasks go to the workers of a Dask cluster. They are given to Dask
without joblib, which sends a table with each task, loses all tasks if one kills its workers, and lets the estimators
inside a task start tasks of their own.
"""

import multiprocessing
import os
import pickle
import sys
import threading
import time
import warnings
from contextlib import chdir, closing, contextmanager, nullcontext
from contextvars import ContextVar
from functools import lru_cache
from itertools import islice
from uuid import uuid4

from joblib import Parallel, cpu_count, effective_n_jobs, parallel_config
from joblib.externals.loky.backend.process import LokyProcess
from joblib.parallel import BACKENDS, get_active_backend
from threadpoolctl import ThreadpoolController

from radiodeep.exceptions import InputError, RadiodeepWarning, WorkerKilledError

START_S = 6.0  # until workers have imported what they need; longer than on most machines, so that waiting is rare
WARM_UP_S = 30.0  # that the first task may take longer than the others: it compiles functions or loads a network
_TASKS_PER_CORE = 4  # of a cluster: running or waiting there
_ITK_THREADS = "ITK_GLOBAL_DEFAULT_NUMBER_OF_THREADS"  # ITK would use all cores in each process
_THIS_PROCESS = uuid4().hex
_ONE_TASK = threading.Lock()  # at a time in a worker: the folder, warnings and threads are those of the process
_ON_CLUSTER = ContextVar("_ON_CLUSTER", default=False)  # whether a task of a cluster runs here, in another process


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
    n_later : int
        Items beyond those that `decide` is told of, which workers would compute, too.
    """

    def __init__(self, n_jobs):
        self.n_processes = n_processes_of(n_jobs)
        in_main_thread = threading.current_thread() is threading.main_thread()
        backend, _ = get_active_backend()
        has_workers = isinstance(backend, BACKENDS["loky"]) and backend.inner_max_num_threads is None
        is_choice = n_jobs is not None and n_jobs < 0 and self.n_processes > 1
        self.is_open = is_choice and has_workers and in_main_thread
        self.n_later = 0
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
        n_left += self.n_later
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
    cluster = cluster_of(n_jobs)
    if cluster is not None:
        yield from cluster.results(tasks)
        return
    if n_jobs == 1:
        yield from (function(*args, **kwargs) for function, args, kwargs in tasks)
        return
    folder = os.path.abspath("")
    yield from Parallel(n_jobs=n_jobs, return_as="generator")(
        (computed_in_folder, (folder, function, *args), kwargs) for function, args, kwargs in tasks
    )


def n_processes_of(n_jobs):
    """Return the number of processes, 1 for this one; joblib counts all of a Dask cluster even for one job."""
    return 1 if n_jobs == 1 else effective_n_jobs(n_jobs)


def computed_in_folder(folder, function, *args, **kwargs):
    """Compute a task of joblib; in a process that it started, relative paths begin in the folder of the caller.

    Such processes are kept for later tasks, and stay in the folder where they were started.
    """
    if isinstance(multiprocessing.current_process(), LokyProcess):
        os.chdir(folder)
    limit_itk_threads()
    return function(*args, **kwargs)


def in_worker():
    """Return whether this is a process that joblib or a cluster started for tasks."""
    return _ON_CLUSTER.get() or isinstance(multiprocessing.current_process(), LokyProcess)


def may_record_warnings():
    """Return whether this thread may change how the process shows warnings: no other thread is expected to."""
    return _ON_CLUSTER.get() or threading.current_thread() is threading.main_thread()


def limit_itk_threads():
    """Give ITK the share of the cores that joblib gives the other libraries of a worker; 1 on a cluster."""
    if not in_worker():
        return
    share = "1" if _ON_CLUSTER.get() else os.environ.get("NUMBA_NUM_THREADS", "1")
    share = os.environ.setdefault(_ITK_THREADS, share)  # ITK reads it on first use
    if "SimpleITK" in sys.modules:
        sys.modules["SimpleITK"].ProcessObject.SetGlobalDefaultNumberOfThreads(int(share))


def cluster_of(n_jobs):
    """Return the `Cluster` that joblib is set to, or None if that is another backend or `n_jobs` is 1."""
    backend, _ = get_active_backend()
    module = sys.modules.get("joblib._dask")
    is_dask = module is not None and isinstance(backend, module.DaskDistributedBackend)
    return Cluster(backend) if is_dask and n_jobs != 1 else None


class Cluster:
    """The Dask cluster of a backend of joblib. The number of its workers may change while tasks are computed."""

    def __init__(self, backend):
        self.backend = backend
        self.client = backend.client
        if self.client.status != "running":
            raise InputError(
                f"The client of the Dask cluster is {self.client.status}. Compute within the block of the client: "
                'with Client(address), joblib.parallel_config(backend="dask"): ...'
            )
        self._asked_s = -1.0
        self._has_warned = False
        self._folder = os.path.abspath("")
        self._n_cores = 0  # the last number that was not 0: all workers may be killed at once, and start again

    def results(self, tasks):
        """Yield the results of tasks, each from `joblib.delayed`, in their order."""
        kept, n_yielded = {}, 0
        with closing(self.completed(tasks)) as completed:
            for number, future in completed:
                if self.was_killed(future):
                    raise WorkerKilledError(
                        "Several workers of the Dask cluster in turn were killed while they computed a task, most "
                        "often because memory ran out. Give each worker more memory, or start fewer on a machine."
                    )
                kept[number] = future.result()
                while n_yielded in kept:
                    yield kept.pop(n_yielded)
                    n_yielded += 1

    def completed(self, tasks):
        """Yield the number of each task, from `joblib.delayed`, and its Dask future, as they are completed.

        A function is sent to each worker once: what all tasks need belongs into a `functools.partial`. It is not
        scattered, since scattered data is lost with the worker that holds it.
        """
        from distributed import as_completed  # late: an optional package

        tasks = enumerate(tasks)
        futures = as_completed(loop=self.client.loop)
        numbers = {}
        held = (None, None)  # the last function, and its future
        try:
            with self.backend.retrieval_context():  # a task of a cluster that waits for others makes room for them
                while True:
                    for number, (function, args, kwargs) in islice(tasks, self._n_lacking(len(numbers))):
                        if function is not held[0]:
                            held = function, self._submit(pickle.loads, _pickled(function))
                        future = self._submit(_computed, held[1], _pickled((args, kwargs)), _THIS_PROCESS, self._folder)
                        numbers[future] = number
                        futures.add(future)
                    if not numbers:
                        return
                    future = next(futures)
                    if future.cancelled():
                        raise WorkerKilledError(
                            "The connection to the scheduler of the Dask cluster was lost. Start the cluster again and "
                            "repeat the run; rows that are in a cache folder are not computed again."
                        )
                    yield numbers.pop(future), future
        finally:
            if numbers:
                self.client.cancel(list(numbers))

    def was_killed(self, future):
        """Return whether Dask gave a task up, because too many workers died that had it."""
        from distributed import KilledWorker  # late: an optional package

        return future.status == "error" and isinstance(future.exception(), KilledWorker)

    def _n_lacking(self, n_submitted):
        """Return the number of tasks to submit; workers may have come or gone, which is asked once a second."""
        if time.monotonic() - self._asked_s > 1:
            by_worker = self.client.ncores()
            self._warn_of_threads(by_worker)
            self._n_cores = sum(by_worker.values()) or self._n_cores or self._await_workers()
            self._asked_s = time.monotonic()
        return max(_TASKS_PER_CORE * self._n_cores - n_submitted, 0)

    def _warn_of_threads(self, by_worker):
        n_threads = max((n for address, n in by_worker.items() if not address.startswith("inproc:")), default=1)
        if n_threads > 1 and not self._has_warned:
            self._has_warned = True
            warnings.warn(
                f"A worker of the Dask cluster has {n_threads} threads, and will compute one task at a time. Start "
                "workers of one thread each: dask worker ADDRESS --nthreads 1 --nworkers 4",
                RadiodeepWarning,
                stacklevel=2,
            )

    def _await_workers(self):
        """Return the number of cores once workers have come; raise InputError if none comes in some seconds."""
        try:
            return self.backend.effective_n_jobs(-1)
        except TimeoutError as error:
            raise InputError(
                "The Dask cluster has no workers. Start some, with one thread each: "
                "dask worker ADDRESS --nthreads 1 --nworkers 4"
            ) from error

    def _submit(self, function, *args):
        from dask import config  # late: an optional package

        with config.set({"distributed.admin.large-graph-warning-threshold": "1 TiB"}):
            return self.client.submit(function, *args, pure=False)


def _pickled(item):
    from cloudpickle import dumps  # late: comes with Dask

    return dumps(item)


def _computed(function, arguments, home, folder):
    """Compute a task on a worker, with one thread; estimators inside it start no tasks or processes.

    Relative paths begin in the folder of the process that submitted the task, if this machine has it.
    """
    args, kwargs = pickle.loads(arguments)
    if home == _THIS_PROCESS:
        return function(*args, **kwargs)
    with _ONE_TASK, chdir(folder) if os.access(folder, os.X_OK) else nullcontext():
        token = _ON_CLUSTER.set(True)
        try:
            limit_itk_threads()
            with threads_of_a_worker(cpu_count()), parallel_config(backend="sequential"):
                return function(*args, **kwargs)
        finally:
            _ON_CLUSTER.reset(token)
