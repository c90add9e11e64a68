"""Table and risk sets -> the coefficients of Cox's model along a path of penalties, and the best one of them.

The penalised coefficients b of a table of n cases minimise

    -(log partial likelihood) / n + alpha * (l1_ratio * sum |b| + (1 - l1_ratio) / 2 * sum b^2)

which is glmnet's definition, whose lambda is `alpha` and whose alpha is `l1_ratio`. Tables are given in the order of
`RiskSets.order`, with columns of mean 0.
"""

import numpy as np
from scipy.linalg import lapack

from radiodeep.models.kernels.descent import descend
from radiodeep.preparation.risk_sets import RiskSets

_LEAST_L1_RATIO = 1e-3  # in place of a smaller one, for which no alpha makes all coefficients 0
_CLOSE = 1e-7  # of a coefficient to the minimum of the quadratic approximation, in standard errors
_SWEEPS, _MOST_ROUNDS = 10, 1000
_CONSTANT = 1e-12  # standard deviation relative to the largest value; a smaller one is rounding
_MOST_HALVINGS = 40
_ROUNDING = 1e-12  # relative, of log likelihoods


def alphas_of_path(risk_sets, X, l1_ratio, n_alphas=50, smallest=0.01):
    """Return falling penalties (n_alphas,), the first of which is the least that makes all coefficients 0.

    `smallest` is the last one relative to the first.
    """
    n_cases = len(X)
    gradient = X.T @ risk_sets.residuals(np.zeros(n_cases)) / n_cases
    largest = np.abs(gradient).max() / max(l1_ratio, _LEAST_L1_RATIO)
    return largest * np.geomspace(1, smallest, n_alphas)


def coefficients_along(risk_sets, X, alphas, l1_ratio, max_iter, tol):
    """Return the coefficients (n_alphas, n_features) for falling penalties, and whether all fits have converged."""
    along = _ridge_along if l1_ratio == 0 else _elastic_net_along
    return along(risk_sets, X, alphas, l1_ratio, max_iter, tol)


def cross_validated_deviance(X, event, time, folds, alphas, l1_ratio, settings):
    """Return the deviance (n_alphas,) per event of cases that are left out, by the folds (train, test) of positions.

    A fold contributes the log likelihood of all cases minus that of the training cases, both with the coefficients of
    the training cases: the cases left out by themselves may have few comparable cases (van Houwelingen et al.).
    `settings` are `ties`, `standardize`, `max_iter` and `tol`.

    References
    ----------
    van Houwelingen, Bruinsma, Hart, van 't Veer, Wessels, Statistics in Medicine 25 (2006) 3201.
    """
    everything = RiskSets(event, time, settings["ties"])
    log_likelihood, n_events = np.zeros(len(alphas)), 0
    for train, test in folds:
        risk_sets = RiskSets(event[train], time[train], settings["ties"])
        table, _, scale = centred(X[train][risk_sets.order], settings["standardize"])
        coefs, _ = coefficients_along(risk_sets, table, alphas, l1_ratio, settings["max_iter"], settings["tol"])
        of_all = X[everything.order] / scale @ coefs.T
        log_likelihood += [everything.log_likelihood(eta) for eta in of_all.T]
        log_likelihood -= [risk_sets.log_likelihood(eta) for eta in coefs @ table.T]
        n_events += event[test].sum()
    return -2 * log_likelihood / n_events


def centred(X, standardize):
    """Return (X - mean) / scale, the means and the scales of the columns: 1, or their standard deviations.

    The scale of a constant column is infinite, so that the column is 0 and its coefficient per unit too.
    """
    mean = X.mean(axis=0)
    deviation = X.std(axis=0)
    varies = deviation > _CONSTANT * np.abs(X).max(axis=0, initial=0.0)
    scale = np.where(varies, deviation if standardize else 1.0, np.inf)
    return (X - mean) / scale, mean, scale


def newton_maximum(risk_sets, X, penalty, start, max_iter, tol):
    """Maximise the log likelihood minus penalty / 2 times the sum of squares of the coefficients.

    Returns the coefficients (n_features,), the last step before any halving, and whether its expected gain was below
    `tol`. Steps that do not gain are halved.
    """
    coef = start
    eta = X @ coef
    value = risk_sets.log_likelihood(eta) - penalty / 2 * coef @ coef
    is_converged = False
    for iteration in range(max_iter + 1):
        gradient = X.T @ risk_sets.residuals(eta) - penalty * coef
        step = _solved(risk_sets.information(eta, X) + penalty * np.eye(len(coef)), gradient)
        is_converged = gradient @ step < 2 * tol
        if is_converged:
            coef = coef + step
        if is_converged or iteration == max_iter:
            break
        for n_halvings in range(_MOST_HALVINGS):
            new = coef + step / 2**n_halvings
            new_eta = X @ new
            new_value = risk_sets.log_likelihood(new_eta) - penalty / 2 * new @ new
            if new_value >= value - _ROUNDING * abs(value):
                break
        else:
            break
        coef, eta, value = new, new_eta, new_value
    return coef, step, is_converged


def _ridge_along(risk_sets, X, alphas, l1_ratio, max_iter, tol):
    """Coefficients with a ridge penalty lie in the space of the rows, in which Newton's equations are solved."""
    left, singular, right = np.linalg.svd(X, full_matrices=False)
    kept = singular > singular.max(initial=0.0) * 1e-12
    rotated, right = (left * singular)[:, kept], right[kept]
    coef, along, is_converged = np.zeros(kept.sum()), [], True
    for alpha in alphas:
        coef, _, has_converged = newton_maximum(risk_sets, rotated, len(X) * alpha, coef, max_iter, tol)
        is_converged &= has_converged
        along.append(coef @ right)
    return np.array(along), is_converged


def _elastic_net_along(risk_sets, X, alphas, l1_ratio, max_iter, tol):
    """Features that the strong rule leaves out are checked afterwards, and added where it was wrong.

    References
    ----------
    Simon, Friedman, Hastie, Tibshirani, Journal of Statistical Software 39 (2011) 5. Tibshirani et al., Journal of the
    Royal Statistical Society B 74 (2012) 245, strong rules.
    """
    n_cases, n_features = X.shape
    coef, along, is_converged = np.zeros(n_features), [], True
    gradient = X.T @ risk_sets.residuals(np.zeros(n_cases))
    previous = np.abs(gradient).max() / n_cases / l1_ratio
    for alpha in alphas:
        threshold, ridge = n_cases * alpha * l1_ratio, n_cases * alpha * (1 - l1_ratio)
        active = (coef != 0) | (np.abs(gradient) >= 2 * threshold - n_cases * previous * l1_ratio)
        while True:
            part = X[:, active]
            coef[active], has_converged = _proximal_newton(
                risk_sets, part, threshold, ridge, coef[active], max_iter, tol
            )
            gradient = X.T @ risk_sets.residuals(part @ coef[active])
            missed = ~active & (np.abs(gradient) > threshold * (1 + 1e-9))
            if not missed.any():
                break
            active |= missed
        is_converged &= has_converged
        previous = alpha
        along.append(coef.copy())
    return np.array(along), is_converged


def _minimum_of_quadratic(hessian, linear, threshold, coef):
    """Minimise b' H b / 2 - linear' b + threshold * sum |b| in place of coef (p,), and return it.

    Coordinate descent finds the signs quickly, but is slow to converge where features are correlated. So in between,
    the coefficients go straight towards the minimum for their signs, until the first of them is 0.
    """
    for _ in range(_MOST_ROUNDS):
        if descend(hessian, linear, threshold, coef, _CLOSE, _SWEEPS):
            break
        kept = np.flatnonzero(coef)
        target = linear[kept] - threshold * np.sign(coef[kept])
        _, best, failed = lapack.dposv(hessian[np.ix_(kept, kept)], target)
        if failed:
            continue
        flips = np.flatnonzero(best * coef[kept] < 0)
        shares = coef[kept[flips]] / (coef[kept[flips]] - best[flips])
        coef[kept] += min([1.0, *shares]) * (best - coef[kept])
        if len(flips):
            coef[kept[flips[np.argmin(shares)]]] = 0.0
    return coef


def _proximal_newton(risk_sets, X, threshold, ridge, coef, max_iter, tol):
    """Return the minimum over the columns of X, and whether the next step would gain less than `tol`.

    Each step minimises the penalty and the quadratic approximation of the log likelihood together; it is halved until
    it gains at least a little of what the approximation promises.
    """

    def objective(coef, eta):
        return threshold * np.abs(coef).sum() + ridge / 2 * coef @ coef - risk_sets.log_likelihood(eta)

    eta = X @ coef
    value = objective(coef, eta)
    for _ in range(max_iter):
        hessian = risk_sets.information(eta, X) + ridge * np.eye(len(coef))
        gradient = X.T @ risk_sets.residuals(eta) - ridge * coef
        nearest = _minimum_of_quadratic(hessian, gradient + hessian @ coef, threshold, coef.copy())
        step = nearest - coef
        gain = gradient @ step + threshold * (np.abs(coef).sum() - np.abs(nearest).sum())
        if gain < 2 * tol:
            return nearest, True
        share = 1.0
        for _ in range(_MOST_HALVINGS):
            new = coef + share * step
            new_eta = X @ new
            new_value = objective(new, new_eta)
            if new_value <= value - 1e-4 * share * gain + _ROUNDING * abs(value):
                break
            share /= 2
        else:
            return coef, False
        coef, eta, value = new, new_eta, new_value
    return coef, False


def _solved(matrix, vector):
    """Return the solution of a symmetric system, of least norm if the matrix is singular by rounding."""
    if not len(vector):
        return vector
    _, solution, failed = lapack.dposv(matrix, vector)
    return np.linalg.lstsq(matrix, vector, rcond=None)[0] if failed else solution
