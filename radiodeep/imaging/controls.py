"""Lesion, case or patient -> the same with destroyed voxels: a negative control, of which little can be learned."""

from functools import partial

import numpy as np

from radiodeep.cases.changed import ChangedCase
from radiodeep.cases.lesion import Lesion
from radiodeep.cases.patient import Patient
from radiodeep.checks import is_count, require, require_option

CHANGES = ("shuffled", "randomized_sampled", "randomized")
PARTS = ("roi", "non_roi", "full")
_MEANING = {f"{change}_{part}": (change, part) for part in PARTS for change in CHANGES}
CONTROLS = tuple(_MEANING)


def negative_control(item, control="shuffled_roi", random_state=0):
    """Destroy what the voxels of a case say, and keep the region and the spacing.

    Parameters
    ----------
    item : Lesion, Case or Patient
        Of a case of several images each is changed by itself, of a patient each lesion.
    control : str, default="shuffled_roi"
        What is done and where, by the names of READII, e.g. "randomized_sampled_non_roi". "shuffled" voxels change
        places; "randomized_sampled" ones are drawn from the same voxels, with replacement; "randomized" ones are
        uniform from their lowest to their highest value. "roi" is the region, "non_roi" all other voxels of the image,
        "full" the whole image.
    random_state : int, default=0
        Random numbers also depend on the image and the region, but not on the id.

    Returns
    -------
    Lesion, Case or Patient
        A lesion is changed at once. Cases are changed each time they are read; they hold no voxels of their own.

    Raises
    ------
    InputError
        Unknown control, or the random state is not an int >= 0.

    Notes
    -----
    Shape depends on the region alone. Shuffling the region keeps its histogram, and so the first-order features of the
    original image and those of the GLDM that sum over its grey levels; sampling keeps them nearly. After resampling or
    filters the histogram differs too, since both mix neighbours. Features of the original image see nothing of the
    surroundings; those of filtered or resampled images do, and deep features see the corners of the window.

    Voxels of padding, which are NaN or infinite, stay as they are.

    References
    ----------
    Welch et al., Vulnerabilities of radiomic signature development: the need for safeguards, Radiotherapy and Oncology
    130 (2019) 2. READII, https://github.com/bhklab/readii.

    Examples
    --------
    >>> import numpy as np
    >>> from radiodeep import make_phantom_cohort
    >>> from radiodeep.imaging.controls import negative_control
    >>> case = make_phantom_cohort(1, random_state=0)[0]
    >>> shuffled = negative_control(case, "shuffled_roi")
    >>> changed = shuffled.voxels != case.voxels
    >>> bool(changed[case.roi].mean() > 0.9), bool(changed[~case.roi].any())
    (True, False)
    >>> bool(np.array_equal(np.sort(shuffled.voxels[case.roi]), np.sort(case.voxels[case.roi])))
    True
    """
    change, part = meaning_of(control)
    require(is_count(random_state, 0), "negative_control", "random_state", "an int >= 0", random_state)
    changed = partial(_changed, change=change, part=part, random_state=random_state)
    if isinstance(item, Lesion):
        return changed(item)
    if isinstance(item, Patient):
        return Patient([ChangedCase.of(lesion, changed) for lesion in item.lesions])
    return ChangedCase.of(item, changed)


def meaning_of(control):
    """Return what a control does, one of `CHANGES`, and where, one of `PARTS`; raise InputError for unknown names."""
    require_option(control, CONTROLS, "a negative control", "control")
    return _MEANING[control]


def _changed(lesion, change, part, random_state):
    chosen = {"roi": lesion.roi, "non_roi": ~lesion.roi, "full": np.ones_like(lesion.roi)}[part]
    if lesion.voxels.dtype.kind == "f":
        chosen = chosen & np.isfinite(lesion.voxels)
    values = lesion.voxels[chosen]
    if not values.size:
        return lesion
    # Seeded by the content, since cases of the same content share rows in the cache.
    rng = np.random.default_rng([random_state, int(lesion.content_hash(), 16)])
    voxels = lesion.voxels.copy()
    voxels[chosen] = _drawn(values, change, rng)
    return lesion.replace(image=voxels)


def _drawn(values, change, rng):
    if change == "shuffled":
        return rng.permutation(values)
    if change == "randomized_sampled":
        return values[rng.integers(values.size, size=values.size)]
    if values.dtype.kind == "f":
        return rng.uniform(values.min(), values.max(), values.size)
    return rng.integers(values.min(), values.max(), values.size, dtype=values.dtype, endpoint=True)
