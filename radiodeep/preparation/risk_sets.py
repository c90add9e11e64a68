"""Events, times and log hazards -> Cox's partial likelihood with its derivatives, and the baseline hazard.

Cases are in the order of their times, see `RiskSets.order`.
"""

import numpy as np

_MOST_SPREAD = 500.0  # of log hazards; differences beyond 700 are not finite as hazards


class RiskSets:
    """The risk sets of the events of some cases.

    The event k contributes the hazard of its case divided by that of its risk set, which is the sum S_k over the cases
    whose time is not before that of the event. By Efron's method the l-th (from 0) of d events at one time leaves out
    the share f_k = l / d of their own sum D_k; by Breslow's method f_k = 0.

    Parameters
    ----------
    event, time : ndarray of shape (n_cases,)
    ties : {"efron", "breslow"}

    Attributes
    ----------
    order : ndarray of shape (n_cases,)
        The cases by ascending time. All methods take and return arrays in this order.
    event_times : ndarray of shape (n_event_times,)
        Distinct times of events, ascending.
    """

    def __init__(self, event, time, ties):
        self.order = np.argsort(time, kind="stable")
        time = time[self.order]
        self.event = event[self.order].astype(float)
        self.events = np.flatnonzero(self.event)  # positions, (n_events,)
        self.event_times, self.group, n_tied = np.unique(time[self.events], return_inverse=True, return_counts=True)
        self.first = np.searchsorted(time, time[self.events])  # of each risk set
        rank = np.arange(len(self.events)) - (np.cumsum(n_tied) - n_tied)[self.group]
        self.fraction = rank / n_tied[self.group] if ties == "efron" else np.zeros(len(self.events))

    def log_likelihood(self, eta):
        """Return the log partial likelihood of log hazards (n_cases,), -inf if they are spread too far."""
        if not np.ptp(eta) < _MOST_SPREAD:
            return -np.inf
        hazard, shift = _hazards(eta)
        return float(eta[self.events].sum() - np.log(self.sums(hazard)).sum() - shift * len(self.events))

    def residuals(self, eta):
        """Return the martingale residuals (n_cases,): the derivatives of the log likelihood by the log hazards."""
        hazard, _ = _hazards(eta)
        return self.event - hazard * self._exposure(self.sums(hazard))

    def information(self, eta, X):
        """Return minus the second derivatives (n_features, n_features) for log hazards `eta` = X @ coefficients.

        That is the sum over the events of the covariance of the features in the risk set, weighted by hazard:
        sum_i x_i x_i' h_i e_i - sum_k m_k m_k', with the exposure e_i and the weighted mean m_k.
        """
        hazard, _ = _hazards(eta)
        sums = self.sums(hazard)
        means = self.sums(hazard[:, np.newaxis] * X) / sums[:, np.newaxis]
        weighted = X * (hazard * self._exposure(sums))[:, np.newaxis]
        return X.T @ weighted - means.T @ means

    def baseline_hazard(self, eta):
        """Return the cumulative hazard (n_event_times,) of a case whose log hazard is 0."""
        hazard, shift = _hazards(eta)
        increments = np.bincount(self.group, weights=1 / self.sums(hazard))
        return np.cumsum(increments) * np.exp(-shift)

    def sums(self, values):
        """Return S_k - f_k D_k of values (n_cases,) or (n_cases, n_features) for each event k."""
        at_risk = np.cumsum(values[::-1], axis=0)[::-1][self.first]
        if not self.fraction.any():
            return at_risk
        starts = np.searchsorted(self.group, np.arange(len(self.event_times)))
        tied = np.add.reduceat(values[self.events], starts, axis=0)[self.group]
        fraction = self.fraction if values.ndim == 1 else self.fraction[:, np.newaxis]
        return at_risk - fraction * tied

    def _exposure(self, sums):
        """Return the cumulative baseline hazard (n_cases,) that each case was exposed to, from the sums of hazards."""
        exposure = np.cumsum(np.bincount(self.first, weights=1 / sums, minlength=len(self.event)))
        left_out = np.bincount(self.group, weights=self.fraction / sums)
        exposure[self.events] -= left_out[self.group]
        return exposure


def _hazards(eta):
    """Return hazards (n_cases,), at most 1, and the logarithm of their unit."""
    shift = eta.max()
    return np.exp(eta - shift), shift
