"""Cases or arrays, and tables of numbers -> the images and targets that networks of `models` are trained on."""

from typing import NamedTuple

import numpy as np
import pandas as pd
import torch
from torch.nn.utils.rnn import pad_sequence

from radiodeep.cases.cohort import as_cases
from radiodeep.exceptions import InputError
from radiodeep.imaging.image_channels import planes_of_images
from radiodeep.imaging.network_view import VIEW_SETTINGS, NetworkView
from radiodeep.networks.architectures.registry import input_specification
from radiodeep.networks.training.examples import first_plane

_WITHOUT_CASES = {"window": ("auto", "exact"), "size": (None,), "slice": ("largest",), "slice_axis": (None,)}
_WITHOUT_CASES |= {"pixel_mm": (None,)}  # values of settings that arrays leave unused


def checked_view(estimator, architecture):
    """Return the `NetworkView` of an estimator's settings, or raise InputError if its network cannot use them."""
    specification = input_specification(architecture)
    settings = {name: getattr(estimator, name) for name in VIEW_SETTINGS}
    auto = {"window": "exact" if specification.spacing_mm is None else "crop"}
    return NetworkView.for_network(estimator, architecture, specification, settings, auto)


def check_settings_of_arrays(estimator, X):
    """Raise InputError if images are given as arrays, which are shown whole, and settings say how cases are cut."""
    if not is_array_of_images(X):
        return
    for name, unset in _WITHOUT_CASES.items():
        value = getattr(estimator, name)
        if value not in unset:
            raise InputError(
                f"Images of an array are shown whole, so {name}={value!r} has no meaning. Leave {name} out, or give "
                "cases."
            )


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


class ImagesOfCases(NamedTuple):
    """Images as a network takes them, and the cases that they belong to.

    Attributes
    ----------
    images : float32 tensor of shape (n_images, channels, size, size)
        In the range 0..1, or in the unit of the image if the network has `own_units`; not normalized. For cubes
        (n, channels, size, size, size); for sequences (n, longest, channels, size, size), padded with slices of NaN.
    counts : list of int
        Number of images of each case.
    ids, patients : list or ndarray
        Of each case; 0, 1, ... for the images of an array.
    """

    images: torch.Tensor
    counts: list
    ids: list | np.ndarray
    patients: np.ndarray


def network_images(X, specification, view, image_names=None):
    """Return the `ImagesOfCases` of X as in `CNNClassifier.fit`, for a network with this `NetworkInput`.

    Several images of a case are its channels, in the order of `image_names`, by default that of the first case.
    """
    if is_array_of_images(X):
        planes = _planes_of_arrays(X, specification)
        if view.intensity_range is None and not specification.own_units and X.dtype.kind != "f" and X.max() > 1:
            raise InputError(
                f"Images of whole numbers up to {X.max()} need an intensity_range that is scaled to 0..1, for example "
                "(0, 255)."
            )
        blocks = [view.images_of_array(image) for image in planes]
        ids = patients = np.arange(len(blocks))
    else:
        cases = as_cases(X)
        names = cases[0].image_names if image_names is None and cases else image_names or ()
        blocks = [_shown(case, view, specification.channels, names) for case in cases]
        ids = [case.id for case in cases]
        patients = np.array([str(case.patient) for case in cases])
    if not blocks:
        raise InputError("There are no cases. Give at least one.")
    counts = [len(block) for block in blocks]
    images = specification.on_channels(np.concatenate(blocks).astype(np.float32))
    if specification.sequence:
        slices = pad_sequence(first_plane(images).split(counts), batch_first=True, padding_value=np.nan)
        images = slices.expand(-1, -1, images.shape[1], -1, -1)
        counts = [1] * len(counts)
    return ImagesOfCases(images, counts, ids, patients)


def _shown(case, view, n_channels, names):
    """Return what a network is shown of a case: its one image, or all images of these names as channels."""
    parts = case.single_images()
    if set(parts) != set(names or ("",)):
        raise InputError(
            f"{case.id}: the case has {_listed(parts)}. The network is shown {_listed(names)} of every case. Choose "
            "one image of all cases with cohort.of_image(name), or leave the case out."
        )
    if not names:
        return view.images(case)
    if len(names) > n_channels:
        raise InputError(
            f"{case.id}: a network of {n_channels} channels cannot be shown {_listed(names)} at once. Choose one with "
            "cohort.of_image(name), or another network."
        )
    return planes_of_images(case, {name: parts[name] for name in names}, view.images)


def _listed(names):
    return f"the images {', '.join(names)}" if any(names) else "one image without a name"


def is_array_of_images(X):
    """Return whether X is an array of images rather than cases."""
    return isinstance(X, np.ndarray) and X.dtype != object


def _planes_of_arrays(X, specification):
    """Return images as float32 (n, planes, height, width); slices of a sequence that are all NaN are padding."""
    dimensions = (3, 4)
    shapes = "(n, height, width) or (n, channels, height, width)"
    if specification.sequence or specification.dimensions == 3:
        dimensions = (4,)
        shapes = "(n, slices, height, width)"
    if X.ndim not in dimensions or X.dtype.kind not in "biuf" or not X.size:
        raise InputError(
            f"Images must be an array of numbers of shape {shapes}, n > 0. Got {X.dtype} of shape {X.shape} instead."
        )
    planes = X.astype(np.float32).reshape(len(X), -1, *X.shape[-2:])
    is_padding = np.isnan(planes).all(axis=(2, 3)) & specification.sequence
    is_usable = (np.isfinite(planes).all(axis=(2, 3)) | is_padding).all(axis=1) & ~is_padding.all(axis=1)
    unusable = np.flatnonzero(~is_usable)
    if unusable.size:
        raise InputError(
            f"{unusable.size} of {len(X)} images hold NaN or infinite pixels, the first being number {unusable[0]}. "
            "Leave them out, or replace those pixels."
        )
    return planes


def auxiliary_targets(table, ids):
    """Return a DataFrame of numbers by case id as targets (n_cases, n_columns) with mean 0 and standard deviation 1.

    Unknown numbers are NaN. `ids` of the images of an array are 0, 1, ... Raise InputError if a case has no row or
    several, or if the rows cannot be assigned to the images of an array.
    """
    if not isinstance(table, pd.DataFrame) or not table.index.is_unique or not set(ids) <= set(table.index):
        raise InputError("The 'auxiliary' parameter must be a DataFrame with a row for every case id of fit, one each.")
    if isinstance(ids, np.ndarray) and len(table) != len(ids):  # the images of a fold are numbered anew
        raise InputError(
            f"Images of an array have no ids, so 'auxiliary' must hold as many rows as there are images, {len(ids)}. "
            f"Got {len(table)}. In the folds of a study give cases, whose rows are found by their ids."
        )
    values = table.loc[list(ids)].to_numpy(dtype=np.float32)
    known = np.isfinite(values)
    n_known = known.sum(axis=0).clip(min=1)
    shifted = values - np.where(known, values, 0).sum(axis=0) / n_known
    spread = np.sqrt(np.square(np.where(known, shifted, 0)).sum(axis=0) / n_known)
    return torch.from_numpy((shifted / np.where(spread > 0, spread, 1)).astype(np.float32))


def validation_cases(strata, groups, fraction, seed):
    """Choose the cases that are held out to select the best epoch, a bool tensor (n_cases,); patients are not split.

    `strata` are the classes of the cases and `groups` their patients. `fraction` of the patients of each class is held
    out; at least one is kept for training.
    """
    rng = np.random.default_rng(seed)
    is_held_out = np.zeros(len(strata), dtype=bool)
    names, first = np.unique(groups, return_index=True)
    for stratum in np.unique(strata):
        members = names[np.asarray(strata)[first] == stratum]
        n_held_out = min(round(fraction * len(members)), len(members) - 1)
        is_held_out |= np.isin(groups, rng.permutation(members)[:n_held_out])
    return torch.from_numpy(is_held_out)
