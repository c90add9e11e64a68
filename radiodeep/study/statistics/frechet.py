"""Two tables of features -> how far apart their distributions are, as if both were Gaussian."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from sklearn.covariance import ledoit_wolf

from radiodeep.checks import is_count, require
from radiodeep.exceptions import StudyError

_OWNER = "frechet_distance"


@dataclass(frozen=True)
class FrechetComparison:
    """What `compare_generated` returns.

    Attributes
    ----------
    distance : float
        Mean Fréchet distance between halves of the real rows and as many generated ones.
    reference : float
        Mean distance between both halves of the real rows: what perfect generated rows would have.
    n_rows : int
        Number of rows in each half.
    """

    distance: float
    reference: float
    n_rows: int

    def __str__(self):
        return (
            f"Fréchet distance of generated to real {self.distance:.3g}, of real halves to each other "
            f"{self.reference:.3g} ({self.n_rows} rows each)"
        )


def frechet_distance(first, second):
    """Return the squared Fréchet distance of two tables, of Gaussians with their means and covariances.

    ``|m1 - m2|² + tr(C1 + C2 - 2 (C1 C2)^½)``, with covariances shrunk as by Ledoit and Wolf, since tables of
    radiomics have more columns than rows. Columns are standardised by the first table; constant ones are left out. It
    grows as tables get smaller, so compare it with that of tables of the same size only; see `compare_generated`.

    Parameters
    ----------
    first, second : DataFrame or ndarray of shape (n_rows, n_features)
        Finite numbers, two rows or more each.

    Returns
    -------
    float

    Raises
    ------
    StudyError
        The tables have different columns, or numbers that are not finite.

    References
    ----------
    D. C. Dowson, B. V. Landau, The Fréchet distance between multivariate normal distributions, J. Multivariate Anal.
    12 (1982) 450. M. Heusel et al., GANs trained by a two time-scale update rule, NeurIPS 2017.

    Examples
    --------
    >>> import numpy as np
    >>> from radiodeep import frechet_distance
    >>> rows = np.random.default_rng(0).normal(size=(1000, 2))
    >>> round(frechet_distance(rows, rows + [3, 0]), 1)
    8.7
    """
    first, second = _tables(first, second)
    spread = first.std(axis=0)
    kept = spread > 1e-12 * np.abs(first).max(axis=0)
    first, second = ((table[:, kept] - first[:, kept].mean(axis=0)) / spread[kept] for table in (first, second))
    shift = first.mean(axis=0) - second.mean(axis=0)
    (first_covariance, _), (second_covariance, _) = ledoit_wolf(first), ledoit_wolf(second)
    # tr (C1 C2)^½ is the sum of the roots of the eigenvalues of C1^½ C2 C1^½, which is symmetric.
    values, vectors = np.linalg.eigh(first_covariance)
    root = (vectors * np.sqrt(values.clip(0))) @ vectors.T
    common = np.sqrt(np.linalg.eigvalsh(root @ second_covariance @ root).clip(0)).sum()
    return float(shift @ shift + np.trace(first_covariance) + np.trace(second_covariance) - 2 * common)


def compare_generated(real, generated, n_repeats=20, random_state=0):
    """Compare generated rows with real ones, and halves of the real rows with each other as a reference.

    Parameters
    ----------
    real, generated : DataFrame or ndarray of shape (n_rows, n_features)
        Four real rows or more, and at least half as many generated ones.
    n_repeats : int, default=20
        Number of random halves.
    random_state : int, default=0

    Returns
    -------
    FrechetComparison

    Examples
    --------
    >>> import numpy as np
    >>> from radiodeep import compare_generated
    >>> rng = np.random.default_rng(0)
    >>> print(compare_generated(rng.normal(size=(200, 3)), rng.normal(1, 1, size=(100, 3))))
    Fréchet distance of generated to real 3.14, of real halves to each other 0.0681 (100 rows each)
    """
    require(is_count(n_repeats, 1), "compare_generated", "n_repeats", "an int >= 1", n_repeats, error=StudyError)
    real, generated = _tables(real, generated)
    n_rows = len(real) // 2
    if n_rows < 2 or len(generated) < n_rows:
        raise StudyError(
            f"compare_generated needs four real rows or more, and half as many generated ones. Got {len(real)} real "
            f"and {len(generated)} generated rows."
        )
    rng = np.random.default_rng(random_state)
    values = []
    for _ in range(n_repeats):
        order = rng.permutation(len(real))
        half, other = real[order[:n_rows]], real[order[n_rows : 2 * n_rows]]
        chosen = generated[rng.permutation(len(generated))[:n_rows]]
        values.append([frechet_distance(half, chosen), frechet_distance(half, other)])
    return FrechetComparison(*np.mean(values, axis=0).tolist(), n_rows)


def _tables(first, second):
    """Return both tables as float64, or raise StudyError."""
    columns = [list(table.columns) for table in (first, second) if isinstance(table, pd.DataFrame)]
    if columns[1:] and columns[0] != columns[1]:
        raise StudyError(f"{_OWNER}: the tables have different columns. Give both the same, in the same order.")
    first, second = (np.asarray(table, dtype=np.float64) for table in (first, second))
    if first.ndim != 2 or second.ndim != 2 or first.shape[1] != second.shape[1] or min(len(first), len(second)) < 2:
        raise StudyError(
            f"{_OWNER} needs two tables of the same columns, two rows or more each. Got shapes {first.shape} and "
            f"{second.shape}."
        )
    if not (np.isfinite(first).all() and np.isfinite(second).all()):
        raise StudyError(f"{_OWNER}: the tables hold NaN or infinite numbers. Leave those rows or columns out.")
    return first, second
