"""Values of the selected features -> the number of uncorrelated features that they are worth."""

import numpy as np

_CONSTANT = 1e-12  # relative to the largest value: a smaller spread is rounding


def effective_number_of_features(values):
    """Return the number of uncorrelated features that a set of correlated features is worth.

    Ten selected features that rise and fall together measure one thing. The number is the participation
    ratio of the eigenvalues of the correlation matrix, (sum of eigenvalues)^2 / sum of squared eigenvalues:
    1 for copies of one feature, the number of features for uncorrelated ones. Uncorrelated features still
    correlate by chance in few cases, so n cases give at most n - 1.

    Parameters
    ----------
    values : array-like of shape (n_cases, n_features)
        NaN counts as the mean of its column.

    Returns
    -------
    float
        Constant columns are not counted; 0.0 if there are no others.

    References
    ----------
    Bretherton, Widmann, Dymnikov, Wallace, Bladé, The Effective Number of Spatial Degrees of Freedom of a
    Time-Varying Field, J. Climate 12 (1999) 1990, the eigenvalue formula N_ef.

    Examples
    --------
    >>> import numpy as np
    >>> from radiodeep import effective_number_of_features
    >>> volume, entropy = np.random.default_rng(0).normal(size=(2, 200))
    >>> round(effective_number_of_features(np.column_stack([volume, 2 * volume + 1, -volume, entropy])), 1)
    1.6
    """
    values = np.array(values, dtype=np.float64)
    missing = np.isnan(values)
    values[missing] = 0.0
    largest = np.abs(values).max(axis=0, initial=0.0)
    values /= np.where(largest > 0, largest, 1.0)  # squares of 1e200 overflow
    values -= values.sum(axis=0) / np.maximum((~missing).sum(axis=0), 1)
    values[missing] = 0.0
    norms = np.sqrt(np.einsum("ij,ij->j", values, values))
    varies = norms > _CONSTANT * np.sqrt(max(len(values), 1))
    n_features = int(varies.sum())
    if not n_features:
        return 0.0
    standardised = values if varies.all() else np.compress(varies, values, axis=1)
    standardised /= norms[varies]
    # The eigenvalues of a correlation matrix sum to the number of features, their squares to its squared entries.
    # The matrix of products between cases has the same eigenvalues except for zeros, so the smaller one is computed.
    smaller = standardised.T if n_features <= len(values) else standardised
    return float(n_features**2 / ((smaller @ smaller.T) ** 2).sum())
