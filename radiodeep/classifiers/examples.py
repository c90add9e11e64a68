"""Arrays of images and tables of numbers in, what networks learn from out; what cannot be learned from is refused."""

import numpy as np
import pandas as pd
import torch

from radiodeep.exceptions import InputError


def are_arrays(X):
    """Say whether X holds images as numbers, and no cases."""
    return isinstance(X, np.ndarray) and X.dtype != object


def planes_of_arrays(X):
    """Return images (n, height, width) or (n, channels, height, width) as float32 (n, channels, height, width).

    Raises
    ------
    InputError
        Another shape, no images, or pixels that are no finite numbers.
    """
    if X.ndim not in (3, 4) or X.dtype.kind not in "biuf" or not X.size:
        raise InputError(
            "Images must be an array of numbers of shape (n, height, width) or (n, channels, height, width), n > 0. "
            f"Got {X.dtype} of shape {X.shape} instead."
        )
    planes = X.astype(np.float32).reshape(len(X), -1, *X.shape[-2:])
    unusable = np.flatnonzero(~np.isfinite(planes).all(axis=(1, 2, 3)))
    if unusable.size:
        raise InputError(
            f"{unusable.size} of {len(X)} images hold NaN or infinite pixels, the first being number {unusable[0]}. "
            "Leave them out, or give those pixels a number."
        )
    return planes


def auxiliary_targets(table, ids):
    """Return numbers by case id as targets with mean 0 and deviation 1; NaN where unknown.

    Parameters
    ----------
    table : DataFrame
    ids : list, or ndarray of 0, 1, ... for images that have no ids

    Returns
    -------
    float32 tensor of shape (n_cases, n_columns)

    Raises
    ------
    InputError
        A case has no row or several, or it cannot be known whose rows these are.
    """
    if not isinstance(table, pd.DataFrame) or not table.index.is_unique or not set(ids) <= set(table.index):
        raise InputError("The 'auxiliary' parameter must be a DataFrame with a row for every case id of fit, one each.")
    if isinstance(ids, np.ndarray) and len(table) != len(ids):  # of a fold, whose images are numbered anew
        raise InputError(
            f"Images of an array have no ids, so 'auxiliary' must hold as many rows as there are images, {len(ids)}. "
            f"Got {len(table)}. In the folds of a study give cases, which are found by their ids."
        )
    values = table.loc[list(ids)].to_numpy(dtype=np.float32)
    known = np.isfinite(values)
    n_known = known.sum(axis=0).clip(min=1)
    shifted = values - np.where(known, values, 0).sum(axis=0) / n_known
    spread = np.sqrt(np.square(np.where(known, shifted, 0)).sum(axis=0) / n_known)
    return torch.from_numpy((shifted / np.where(spread > 0, spread, 1)).astype(np.float32))
