"""Calls of compiled functions, which release the interpreter lock -> their results, by threads where that pays."""

from concurrent.futures import ThreadPoolExecutor

from joblib import cpu_count, effective_n_jobs

_WORTH_A_THREAD = 2e8  # elementary steps; starting a thread costs more than fewer of them


def n_threads_for(n_jobs, n_steps):
    """Return the number of threads for a number of elementary steps: at most `n_jobs`, and 1 for little work."""
    n_jobs = min(effective_n_jobs(n_jobs), cpu_count())  # a cluster has more cores, elsewhere
    return max(1, min(n_jobs, int(n_steps / _WORTH_A_THREAD)))


def in_threads(function, calls, n_threads):
    """Return the results of one function for several lists of arguments, in their order."""
    if n_threads == 1:
        return [function(*call) for call in calls]
    with ThreadPoolExecutor(n_threads) as pool:  # threads, whatever joblib is set to: they write into shared arrays
        return list(pool.map(lambda call: function(*call), calls))
