"""Events, times and values of the cases -> how often higher values go with earlier events (Harrell's C)."""

import numpy as np

from radiodeep.preparation.kernels.concordance import count_survival_pairs


def concordances(event, time, X):
    """Return Harrell's C (n_columns,) of columns of values (n_cases, n_columns): above 0.5 if high values fail early.

    Two cases are comparable if the one with the shorter time has an event, or one of two with the same time. Equal
    values count one half; NaN leaves the case out. C is NaN if no cases are comparable.

    References
    ----------
    Harrell, Lee, Mark, Statistics in Medicine 15 (1996) 361.
    """
    order = np.lexsort((~event, time))  # at equal times events come before censorings
    event, time = event[order], time[order]
    events = np.flatnonzero(event)
    _, group = np.unique(time, return_inverse=True)
    starts = np.searchsorted(2 * group + ~event, 2 * group[events], side="right")
    counts = np.empty((X.shape[1], 3))
    count_survival_pairs(np.ascontiguousarray(X[order].T, dtype=np.float64), events, starts, counts)
    n_pairs = counts.sum(axis=1)
    with np.errstate(invalid="ignore"):
        return (counts[:, 0] + counts[:, 2] / 2) / n_pairs
