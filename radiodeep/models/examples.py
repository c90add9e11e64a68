"""Cases, arrays and tables of numbers in, what networks learn from out; what cannot be learned from is refused."""

import numpy as np
import pandas as pd
import torch
from torch.nn.utils.rnn import pad_sequence

from radiodeep.cases.cohort import as_cases
from radiodeep.exceptions import InputError
from radiodeep.imaging.network_view import VIEW_SETTINGS, NetworkView
from radiodeep.networks.architectures.registry import input_specification
from radiodeep.networks.training.examples import first_plane


def checked_view(estimator, architecture):
    """Check the settings by which an estimator of networks sees cases, and return its `NetworkView`.

    Parameters
    ----------
    estimator : NetworkEstimator
        Its `window` "auto" is "crop" for cubes with a spacing of their own, and "exact" for everything else.
    architecture : str

    Raises
    ------
    InputError
        As `NetworkView.for_network`.
    """
    specification = input_specification(architecture)
    settings = {name: getattr(estimator, name) for name in VIEW_SETTINGS}
    auto = {"window": "crop" if specification.own_units else "exact"}
    return NetworkView.for_network(estimator, architecture, specification, settings, auto)


def state_with_used_settings(state):
    """Return the state of an estimator saved when it ignored some settings, with the values that it used instead.

    Slices were axial before `slice_axis` could be chosen, and intensities of cases were scaled from their minimum to
    their maximum. Cubes with their own spacing were cropped and kept their intensities, whatever `window` and
    `intensity_range` were; `slice` had no effect on cubes and on sequences of slices.
    """
    if "window" not in state:
        return state
    specification = input_specification(state["architecture"])
    is_cube = specification.dimensions == 3
    used = {"slice": "largest"} if is_cube or specification.sequence else {}
    if specification.own_units:
        used |= {"window": "crop", "intensity_range": None}
    if "pixel_mm" not in state:
        is_orthogonal = state.get("slice") == "three-orthogonal" and not specification.sequence
        used |= {"slice_axis": None if is_orthogonal or is_cube else "axial", "pixel_mm": None}
        trained_on_cases = "training_range_" in state
        if state.get("intensity_range") is None and trained_on_cases and not specification.own_units:
            used["intensity_range"] = "minmax"
    return state | used


def network_images(X, specification, view):
    """Bring cases or arrays to what a network wants.

    Parameters
    ----------
    X : Cohort, sequence of Case, or array
        As in `CNNClassifier.fit`.
    specification : NetworkInput
    view : NetworkView
        What the network is shown of cases; of arrays its `intensity_range` alone.

    Returns
    -------
    images : float32 tensor of shape (n_images, channels, size, size)
        Of 0..1, not yet on the scale of the network; cubes for networks with `own_units` in those.
        (n, longest, channels, size, size) for sequences, with slices of NaN at the end of those that are shorter;
        (n, channels, size, size, size) for cubes.
    counts : list of int
        How many images each case has.
    ids, patients : list or ndarray

    Raises
    ------
    InputError
        No cases, an array of another shape, pixels that are no finite numbers, or any problem of an image.
    """
    if isinstance(X, np.ndarray) and X.dtype != object:
        planes = _planes_of_arrays(X, specification)
        if view.intensity_range is None and not specification.own_units and X.dtype.kind != "f" and X.max() > 1:
            raise InputError(
                f"Images of whole numbers up to {X.max()} need an intensity_range that is brought to 0..1, "
                "for example (0, 255)."
            )
        blocks = [view.images_of_array(image) for image in planes]
        ids = patients = np.arange(len(blocks))
    else:
        cases = as_cases(X)
        blocks = [view.images(case) for case in cases]
        ids, patients = [case.id for case in cases], np.array([str(case.patient) for case in cases])
    if not blocks:
        raise InputError("There are no cases. Give at least one.")
    counts = [len(block) for block in blocks]
    joined = np.concatenate(blocks).astype(np.float32)
    images = specification.on_channels(joined)
    if specification.sequence:
        slices = pad_sequence(first_plane(images).split(counts), batch_first=True, padding_value=np.nan)
        images, counts = slices.expand(-1, -1, images.shape[1], -1, -1), [1] * len(counts)
    return images, counts, ids, patients


def _planes_of_arrays(X, specification):
    """Return images as float32 (n, planes, height, width); of a sequence, slices of NaN are not there."""
    dimensions, shapes = (3, 4), "(n, height, width) or (n, channels, height, width)"
    if specification.sequence or specification.dimensions == 3:
        dimensions, shapes = (4,), "(n, slices, height, width)"
    if X.ndim not in dimensions or X.dtype.kind not in "biuf" or not X.size:
        raise InputError(
            f"Images must be an array of numbers of shape {shapes}, n > 0. Got {X.dtype} of shape {X.shape} instead."
        )
    planes = X.astype(np.float32).reshape(len(X), -1, *X.shape[-2:])
    missing = np.isnan(planes).all(axis=(2, 3)) & specification.sequence
    usable = (np.isfinite(planes).all(axis=(2, 3)) | missing).all(axis=1) & ~missing.all(axis=1)
    unusable = np.flatnonzero(~usable)
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


def validation_cases(strata, groups, fraction, seed):
    """Choose the cases that are held out to select the best epoch.

    Parameters
    ----------
    strata : array of shape (n_cases,)
        Class of each case.
    groups : array of shape (n_cases,)
        Patient of each case; none is split.
    fraction : float
        Of the groups of each stratum, of which at least one is left for training.
    seed : int

    Returns
    -------
    bool tensor of shape (n_cases,)
    """
    rng, kept = np.random.default_rng(seed), np.zeros(len(strata), dtype=bool)
    names, first = np.unique(groups, return_index=True)
    for stratum in np.unique(strata):
        of_stratum = names[np.asarray(strata)[first] == stratum]
        n_kept = min(round(fraction * len(of_stratum)), len(of_stratum) - 1)
        kept |= np.isin(groups, rng.permutation(of_stratum)[:n_kept])
    return torch.from_numpy(kept)
