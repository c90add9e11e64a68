"""Cases -> cases whose MR images are free of the smooth shading of coils, by N4."""

from collections import OrderedDict
from functools import partial
from hashlib import blake2b

import numpy as np

from radiodeep.checks import is_count, is_positive, is_sequence, require
from radiodeep.features.case_changer import CaseChanger
from radiodeep.imaging.bias_field import N4_ITERATIONS, n4_log_field, n4_mask, without_field

_MOST_BYTES = 2**28  # of all fields that are kept
_FIELDS = OrderedDict()  # by image and settings: folds, and steps that learn after this one, need them again


class BiasFieldCorrector(CaseChanger):
    """Divide each MR image by its bias field, estimated by N4.

    The same tissue is brighter near a receive coil than far from it, by tens of percent across the image. N4 estimates
    that smooth field, and this step for the beginning of a pipeline returns cases whose images are divided by it when
    they are read. It learns nothing. Put it before an `IntensityNormalizer` or `NyulNormalizer`.

    Parameters
    ----------
    over : {"body", "image"} or str, default="body"
        Where the field is estimated. "body": voxels brighter than the background by Otsu's classes. "image": all
        positive voxels. Otherwise the name of an image of the case, whose mask on the same grid is used, e.g. a brain.
    shrink_factor : int, default=4
        The field is estimated from every so many-th voxel along each axis: 4 takes a second for a small volume, 1
        some thirty times that. The field is smooth, so little is lost.
    n_iterations : sequence of int, default=(50, 50, 50, 50)
        At most, at each of the levels of resolution.
    convergence_threshold : float, default=0.001
        A level ends when the field changes by less.
    image : str or tuple of str, optional
        Of cases with several images, those that are corrected; all by default.

    Raises
    ------
    InputError
        A setting out of range; on reading, intensities of the mask that are not positive, as after normalisation.

    Notes
    -----
    When not to use it: images that are corrected already (many scanners do, and say so), CT, PET, quantitative maps,
    and crops in which a lesion is much of the image: its contrast is smooth on that scale, and N4 takes part of it for
    the field. Fields are kept in memory, up to 256 MiB in each process.

    References
    ----------
    Tustison et al., N4ITK: improved N3 bias correction, IEEE Transactions on Medical Imaging 29 (2010) 1310.

    Examples
    --------
    >>> import numpy as np
    >>> import radiodeep as rd
    >>> shading = np.exp(np.linspace(-0.4, 0.4, 40))  # along x
    >>> mask = np.zeros((40, 40, 40), bool)
    >>> mask[10:30, 10:30, 10:30] = True
    >>> case = rd.Case(500 * shading * np.ones(mask.shape), mask, "P-7", spacing_mm=(1, 1, 1))
    >>> corrected = rd.BiasFieldCorrector(over="image").fit_transform([case])[0]
    >>> bool(np.ptp(corrected.voxels[mask]) < 0.1 * np.ptp(case.voxels[mask]))
    True
    """

    libraries = ("numpy", "SimpleITK", "scikit-image")  # the numbers depend on them

    def __init__(
        self, over="body", shrink_factor=4, n_iterations=N4_ITERATIONS, convergence_threshold=0.001, image=None
    ):
        self.over = over
        self.shrink_factor = shrink_factor
        self.n_iterations = n_iterations
        self.convergence_threshold = convergence_threshold
        self.image = image

    def _changes(self):
        is_named = isinstance(self.over, str) and self.over not in ("", "outside", "region")
        require(is_named, self, "over", "'body', 'image', or the name of an image whose region is used")
        require(is_count(self.shrink_factor, 1), self, "shrink_factor", "an int >= 1")
        are_counts = is_sequence(self.n_iterations) and all(is_count(count, 1) for count in self.n_iterations)
        require(are_counts, self, "n_iterations", "a list of ints >= 1")
        require(is_positive(self.convergence_threshold), self, "convergence_threshold", "a float > 0")
        settings = (
            int(self.shrink_factor), tuple(map(int, self.n_iterations)), float(self.convergence_threshold)
        )  # fmt: skip
        return partial(_corrected, over=self.over, settings=settings)


def _corrected(lesion, mask, over, settings):
    if mask is None and over == "image":
        mask = np.isfinite(lesion.voxels) & (lesion.voxels > 0)
    return lesion.replace(image=without_field(lesion.voxels, _log_field(lesion, mask, settings)))


def _log_field(lesion, mask, settings):
    """Return the field of an image, which is kept unless all kept ones would need too much memory."""
    digest = blake2b(repr((lesion.voxels.shape, lesion.voxels.dtype.str, lesion.spacing_mm, settings)).encode())
    digest.update(np.ascontiguousarray(lesion.voxels))
    digest.update(b"" if mask is None else np.packbits(mask))
    key = digest.digest()
    field = _FIELDS.pop(key, None)
    if field is None:
        mask = n4_mask(lesion.voxels) if mask is None else mask
        field = n4_log_field(lesion.voxels, mask, lesion.spacing_mm, *settings)
    _FIELDS[key] = field  # the latest last
    while sum(kept.nbytes for kept in [*_FIELDS.values()]) > _MOST_BYTES:
        _FIELDS.popitem(last=False)
    return field
