"""Quadratic function with an absolute penalty -> its minimum, by coordinate descent. Compiled."""

import numpy as np

from radiodeep.compiled import compiled


@compiled
def descend(hessian, linear, threshold, coef, tol, max_sweeps):
    """Minimise b' H b / 2 - linear' b + threshold * sum |b| in place of coef (p,).

    Returns whether a sweep changed no coefficient by `tol` in units of 1 / sqrt of its second derivative.
    """
    gradient = linear - hessian @ coef
    for _ in range(max_sweeps):
        largest = 0.0
        for j in range(len(coef)):
            curvature = hessian[j, j]
            if curvature <= 0.0:
                continue
            wanted = gradient[j] + curvature * coef[j]
            new = max(abs(wanted) - threshold, 0.0) * np.sign(wanted) / curvature
            change = new - coef[j]
            if change != 0.0:
                coef[j] = new
                for k in range(len(coef)):
                    gradient[k] -= change * hessian[j, k]
                largest = max(largest, change * change * curvature)
        if largest < tol * tol:
            return True
    return False
