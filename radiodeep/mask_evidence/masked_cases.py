"""Cases and masks of the same images -> the cases with these masks, or without any."""

from collections.abc import Mapping
from dataclasses import replace
from functools import partial

import numpy as np

from radiodeep.cases.case import Case
from radiodeep.cases.changed import ChangedCase
from radiodeep.cases.cohort import Cohort, as_cases
from radiodeep.cases.naming import naming
from radiodeep.exceptions import EmptyMaskError, GeometryMismatchError, InputError
from radiodeep.mask_evidence.packed_masks import PackedMask, PackedMasks


def without_mask(case):
    """Return a case whose region is the whole image, so that nothing that gets it can see the mask."""
    return ChangedCase.of(case, _whole)


def _whole(lesion):
    return replace(lesion, roi=np.ones_like(lesion.roi))  # unchecked: an image may be NaN outside the region


def with_masks(cohort, masks):
    """Return a cohort with other masks, e.g. those of a segmenter, for features, figures or files.

    Parameters
    ----------
    cohort : Cohort or sequence of Case
        Of one image each.
    masks : Cohort, mapping from case id to bool ndarray or Case, or sequence in the order of the cases
        On the grids of the images, in the order of `Case.voxels`.

    Returns
    -------
    Cohort
        Of cases that are read as before and whose region is then replaced. Reading one with an empty mask is an
        EmptyMaskError, one with a mask on another grid a GeometryMismatchError.

    Raises
    ------
    InputError
        A case has no mask, or one that is not of bools.

    Examples
    --------
    >>> import radiodeep as rd
    >>> cohort = rd.make_phantom_cohort(2, random_state=0)
    >>> bright = rd.with_masks(cohort, [case.voxels > 60 for case in cohort])
    >>> bool((bright[1].roi == (cohort[1].voxels > 60)).all())
    True
    """
    cases = as_cases(cohort)
    return Cohort(
        [
            ChangedCase.of(case, partial(_masked, source=source))
            for case, source in zip(cases, sources_of(cases, masks), strict=True)
        ]
    )


def _masked(lesion, source):
    return lesion.replace(mask=mask_on_grid(lesion, source))


def sources_of(cases, masks):
    """Return where the mask of each case comes from: a `PackedMask`, or a case with the mask as its region.

    `masks` are bool arrays or cases: in a mapping by case id, in a sequence in the order of the cases, or a Cohort of
    the same ids. InputError is raised if a case has none.
    """
    if isinstance(masks, PackedMasks):
        masks = masks.packed
    elif not isinstance(masks, Mapping):
        listed = list(masks)
        if all(isinstance(each, Case) for each in listed):
            masks = {each.id: each for each in listed}
        elif len(listed) == len(cases):
            masks = {case.id: mask for case, mask in zip(cases, listed, strict=True)}
        else:
            raise InputError(f"Expected one mask per case. Got {len(listed)} masks of {len(cases)} cases.")
    missing = [case.id for case in cases if case.id not in masks]
    if missing:
        raise InputError(
            f"{len(missing)} of {len(cases)} cases have no mask, the first is '{missing[0]}'. Masks belong to cases by "
            "their ids; leave the other cases out."
        )
    return [_packed(masks[case.id], case) for case in cases]


def _packed(mask, case):
    if isinstance(mask, Case | PackedMask):
        return mask
    mask = np.asarray(mask)
    if mask.dtype != bool:
        raise InputError(f"{case.id}: a mask must be an array of bools. Got {mask.dtype}; take mask > 0 or mask > 0.5.")
    return PackedMask.of(mask)


def mask_on_grid(lesion, source, *, may_be_empty=False):
    """Return the mask of a source, which must be on the grid of a lesion; with `may_be_empty` also without a voxel."""
    try:
        other = source.unpacked() if isinstance(source, PackedMask) else source.lesion()
    except EmptyMaskError:
        if not may_be_empty:
            raise
        return np.zeros_like(lesion.roi)
    is_lesion = not isinstance(other, np.ndarray)
    mask, spacing_mm = (other.roi, other.spacing_mm) if is_lesion else (other, lesion.spacing_mm)
    if mask.shape != lesion.roi.shape or not np.allclose(spacing_mm, lesion.spacing_mm, rtol=1e-3):
        with naming(lesion):
            raise GeometryMismatchError(
                f"the mask is on another grid than the image: {mask.shape} voxels of {_in_mm(spacing_mm)}. Expected "
                f"{lesion.roi.shape} of {_in_mm(lesion.spacing_mm)}; resample the mask to the image."
            )
    return mask


def _in_mm(spacing_mm):
    return f"{' x '.join(f'{step:.4g}' for step in spacing_mm)} mm"
