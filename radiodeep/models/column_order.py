"""Table, names and groups of its columns -> groups of columns in the order in which a network reads them."""

import numpy as np
import pandas as pd
from scipy.stats import rankdata
from sklearn.cluster import AgglomerativeClustering

from radiodeep.checks import require
from radiodeep.exceptions import InputError

LARGEST_GROUP = 10_000  # columns whose correlations with each other are kept in memory


def groups_of_columns(column_groups, names, n_columns, owner):
    """Return the group of each column, a list, from a dict by name or index of columns, or a sequence of groups.

    `names` are those of a DataFrame, or None. The index of a Series is looked up like the keys of a dict. Raise
    InputError if a column has no group, or a missing one, as genes without a known chromosome have.
    """
    keys = range(n_columns)
    if isinstance(column_groups, dict | pd.Series):
        column_groups = dict(column_groups)
        if names is not None and not all(number in column_groups for number in keys):
            keys = list(names)
    else:
        require(np.ndim(column_groups) == 1, owner, "column_groups", "None, a dict or a sequence", column_groups)
        groups = list(column_groups)
        if len(groups) != n_columns:
            raise InputError(
                f"The 'column_groups' parameter of {owner} must hold a group for each of {n_columns} columns. Got "
                f"{len(groups)}. A dict finds the groups by the names of columns."
            )
        column_groups = dict(enumerate(groups))
    missing = [key for key in keys if _is_missing(column_groups.get(key))]
    if missing:
        shown = ", ".join(map(str, missing[:4]))
        is_array = names is None and any(isinstance(key, str) for key in column_groups)
        way_out = (
            "X is an array, whose columns have no names: give a DataFrame (set_output(transform='pandas') keeps it one "
            "in a pipeline), or groups by index."
            if is_array
            else "Add them, or leave those columns out."
        )
        raise InputError(
            f"The 'column_groups' of {owner} hold no group for {len(missing)} of {n_columns} columns: {shown}. "
            f"{way_out}"
        )
    return [column_groups[key] for key in keys]


def _is_missing(group):
    return group is None or group is pd.NA or group != group


def members_of_groups(groups):
    """Return the columns of each group, a list of int arrays; groups come in the order of their first columns."""
    numbers = {group: number for number, group in enumerate(dict.fromkeys(groups))}
    group_of_column = np.array([numbers[group] for group in groups])
    return [np.flatnonzero(group_of_column == number) for number in range(len(numbers))]


def spearman_correlations(X):
    """Return the absolute rank correlations of columns, (n_columns, n_columns); 0 for a constant column."""
    if X.shape[1] > LARGEST_GROUP:
        raise InputError(
            f"The order by Spearman correlations is for up to {LARGEST_GROUP} columns of a group, since all pairs are "
            f"compared. Got {X.shape[1]}. Select columns first, give 'column_groups', or take order='given'."
        )
    ranks = rankdata(X, axis=0)
    ranks -= ranks.mean(axis=0)
    norms = np.linalg.norm(ranks, axis=0)
    ranks /= np.where(norms > 0, norms, 1)
    return np.abs(ranks.T @ ranks).clip(0, 1)


def correlated_clusters(correlations, n_clusters):
    """Return the cluster of each column: complete linkage of the distances 1 - |rho|; all singles if there are few."""
    if len(correlations) <= n_clusters:
        return list(range(len(correlations)))
    model = AgglomerativeClustering(n_clusters, metric="precomputed", linkage="complete")
    return model.fit_predict(1 - correlations).tolist()


def by_cumulative_correlation(members, correlations):
    """Return the columns of a group by their sum of |rho| with the others of it, largest first.

    `correlations` (n_members, n_members) are theirs.
    """
    return members[np.argsort(-correlations.sum(axis=1).round(9), kind="stable")]
