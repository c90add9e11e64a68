"""Measurements of the same cases by several raters -> their intraclass correlation."""

from typing import NamedTuple

import numpy as np

from radiodeep.checks import require_option, require_probability
from radiodeep.exceptions import InputError
from radiodeep.preparation.agreement import AGREEMENTS, agreements
from radiodeep.study.statistics.auc import ConfidenceInterval


class Agreement(NamedTuple):
    """Intraclass correlation with its interval; `print` gives the sentence for the paper."""

    icc: float
    confidence_interval: ConfidenceInterval
    n_cases: int
    n_raters: int

    def __str__(self):
        interval = self.confidence_interval
        if np.isnan(interval.low):
            reason = "the raters agree exactly" if self.icc == 1 else "the cases do not differ"
            return f"ICC {self.icc:.2f} ({reason}: no interval), n={self.n_cases} cases, {self.n_raters} raters"
        return (
            f"ICC {self.icc:.2f} ({interval.level:.0%} CI {interval.low:.2f} to {interval.high:.2f}), "
            f"n={self.n_cases} cases, {self.n_raters} raters"
        )


def intraclass_correlation(*raters, kind="absolute", confidence_level=0.95):
    """Measure how well raters, for example a reference and a network, agree on numbers.

    Parameters
    ----------
    *raters : arrays of shape (n_cases,)
        Two or more; the same cases in the same order.
    kind : {"absolute", "consistency"}, default="absolute"
        "absolute" is ICC(2,1), which counts a constant difference between raters as disagreement; "consistency" is
        ICC(3,1), which does not.
    confidence_level : float, default=0.95

    Returns
    -------
    Agreement
        `icc`, `confidence_interval.low` and `.high`, `n_cases`, `n_raters`. The bounds are NaN if the raters agree
        exactly, since the data do not tell how far they may disagree; the ICC as well if the cases do not differ.

    Raises
    ------
    InputError
        Fewer than two raters or cases, arrays of different lengths, or numbers that are not finite.

    References
    ----------
    P. E. Shrout, J. L. Fleiss, Intraclass correlations: uses in assessing rater reliability, Psychological Bulletin
    86 (1979) 420. K. O. McGraw, S. P. Wong, Forming inferences about some intraclass correlation coefficients,
    Psychological Methods 1 (1996) 30: the intervals are those of ICC(A,1) and ICC(C,1) in their table 7.

    Examples
    --------
    >>> from radiodeep import intraclass_correlation
    >>> print(intraclass_correlation([1.0, 2.1, 3.2, 3.9, 5.1], [1.1, 2.0, 3.0, 4.2, 5.0]))
    ICC 0.99 (95% CI 0.94 to 1.00), n=5 cases, 2 raters
    """
    require_option(kind, AGREEMENTS, intraclass_correlation, "kind")
    require_probability(confidence_level, intraclass_correlation, "confidence_level")
    values = _checked_raters(raters)
    found = agreements(values[:, :, np.newaxis], kind, confidence_level)
    icc, low, high = (float(bound[0]) for bound in (found.icc, found.low, found.high))
    return Agreement(icc, ConfidenceInterval(low, high, confidence_level), *values.shape)


def _checked_raters(raters):
    """Return the numbers of the raters as columns, (n_cases, n_raters)."""
    columns = [np.asarray(rater, dtype=np.float64).ravel() for rater in raters]
    if len(columns) < 2 or len({len(column) for column in columns}) > 1 or len(columns[0]) < 2:
        lengths = ", ".join(str(len(column)) for column in columns) or "none"
        raise InputError(f"Agreement needs two raters or more of the same cases, at least 2. Got lengths {lengths}.")
    values = np.column_stack(columns)
    if not np.isfinite(values).all():
        raise InputError("The numbers of the raters must be finite. Leave cases that were not measured out.")
    return values
