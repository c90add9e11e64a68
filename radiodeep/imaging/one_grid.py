"""Cohort of cases with several images -> the same cases with all their images on the grid of one of them."""

from pathlib import Path

import numpy as np

from radiodeep.cases.changed import ChangedCase
from radiodeep.cases.cohort import Cohort, as_cases
from radiodeep.cases.lesion import Lesion
from radiodeep.cases.naming import naming, naming_image
from radiodeep.cases.readers import read_volume
from radiodeep.cases.sources import read_sources
from radiodeep.exceptions import GeometryMismatchError, MissingImageError
from radiodeep.imaging.resample import blur_in_voxels, smoothed


def on_one_grid(cohort, image):
    """Resample the images of each case onto the grid of one of them, by their positions in space.

    The mask of that image is the mask of all images then; the masks of the others are not used. Nothing is read yet:
    images are resampled each time they are read, and the cases pickle as their paths.

    Parameters
    ----------
    cohort : Cohort or sequence of Case
        Cases with several images from files, which know where the image lies. They must have been brought to one
        position in space before: no registration is done.
    image : str
        The name of the image whose grid all others take. A case that lacks it stays as it is.

    Returns
    -------
    Cohort
        In the same order, with the same ids, outcomes and frame. Resampled images are of single precision (float64
        images of double).

    Raises
    ------
    MissingImageError
        No case has an image of this name, or a case has one image without a name.
    GeometryMismatchError
        An image is an array; when a case is read, also if a file does not say where it lies, or does not show all of
        the region.

    Notes
    -----
    Interpolation is linear, which never overshoots. Along axes where the new voxels are larger, the image is smoothed
    first, as larger voxels would have done, by a Gaussian of the variance (new² - old²) / 12. Voxels outside the field
    of view of an image are NaN.

    Examples
    --------
    >>> import radiodeep as rd
    >>> files = {"T1": "t1.nii.gz", "PET": "pet.nii.gz"}
    >>> case = rd.Case(files, {"T1": "t1-mask.nii.gz", "PET": "pet-mask.nii.gz"}, "P-7")
    >>> rd.on_one_grid([case], image="T1")[0].mask.name
    't1-mask.nii.gz'
    >>> rd.on_one_grid([case], image="T2")
    Traceback (most recent call last):
    ...
    radiodeep.exceptions.MissingImageError: No case has an image 'T2'. Their images are: T1, PET.
    """
    cases = as_cases(cohort)
    known = dict.fromkeys(name for case in cases for name in case.image_names)
    if known and image not in known:
        raise MissingImageError(f"No case has an image {image!r}. Their images are: {', '.join(known)}.")
    frame = cohort.frame if isinstance(cohort, Cohort) else None
    return Cohort([_on_grid_of(case, image) for case in cases], frame)


class CaseOnOneGrid(ChangedCase):
    """A case whose images are resampled onto the grid of the image file `grid` when they are read."""

    def _set(self, *, grid, **arguments):
        super()._set(**arguments)
        self.__dict__["_grid"] = grid

    def _arguments(self):
        return super()._arguments() | {"grid": self._grid}

    def _read(self):
        if self.image_names or self.image == self._grid:
            return super()._read()
        with naming(self):
            chosen = (self.id, self.roi_name, self.reading)
            target, mask, axes = read_sources(self._grid, self.mask, None, self._axes, *chosen)
            voxels = resampled_onto(read_volume(self.image, self.reading), target)
            lesion = Lesion.checked(target.voxels, mask.voxels, target.spacing_mm, self.id, axes, self.mask_label)
            n_lacking = np.count_nonzero(np.isnan(voxels[lesion.roi]))
            if n_lacking:
                raise GeometryMismatchError(
                    f"'{self.image.name}' does not show {n_lacking} of {np.count_nonzero(lesion.roi)} voxels of the "
                    f"region on the grid of '{self._grid.name}'. Check that both images are of one patient and in one "
                    "position, or leave the image out."
                )
        return self._change(lesion.replace(image=voxels))


def resampled_onto(source, target):
    """Return the voxels of a `Volume` on the grid of another, (z, y, x); NaN outside its field of view."""
    import SimpleITK as sitk  # late: without resampling nothing needs its 100 MB

    for volume in (source, target):
        if not (volume.has_spacing and volume.has_position):
            raise GeometryMismatchError(
                "an image does not say where it lies in space. Convert it to NIfTI or MetaImage with its position."
            )
    across = source.direction.T @ target.direction  # from the axes of the new grid to those of the old, x, y, z
    old = np.array(source.spacing_mm)
    new = np.sqrt(across**2 @ np.array(target.spacing_mm[::-1]) ** 2)[::-1]  # extent of a new voxel along old axes
    image = _as_itk(sitk, smoothed(source.voxels, blur_in_voxels(old, new)), source)
    grid = _as_itk(sitk, np.empty(target.voxels.shape, np.uint8), target)
    resampled = sitk.Resample(image, grid, sitk.Transform(3, sitk.sitkIdentity), sitk.sitkLinear, np.nan)
    return sitk.GetArrayFromImage(resampled).astype(np.float64 if source.voxels.dtype == np.float64 else np.float32)


def _as_itk(sitk, voxels, volume):
    image = sitk.GetImageFromArray(voxels)
    image.SetSpacing(volume.spacing_mm[::-1])
    image.SetOrigin(volume.origin_mm.tolist())
    image.SetDirection(volume.direction.ravel().tolist())
    return image


def _on_grid_of(case, name):
    """Return a case, and its repeats, on the grid of an image; unchanged if it lacks that image."""
    if not case.image_names:
        return case.of_image(name)  # which raises
    if case.image.get(name) is None:
        return case
    for other, source in case.image.items():
        if source is not None and not isinstance(source, Path):
            with naming_image(case, other):
                raise GeometryMismatchError(
                    "an array does not say where it lies in space. Give the images as files, or resample them before."
                )
    changes = {
        "grid": case.image[name],
        "mask": case.mask if case.shares_mask else case.mask[name],
        "spacing_mm": None,
        "repeats": {key: _on_grid_of(repeat, name) for key, repeat in case.repeats.items()},
    }
    return CaseOnOneGrid._restored(**{"change": _unchanged} | case._arguments() | changes)


def _unchanged(lesion):
    return lesion
