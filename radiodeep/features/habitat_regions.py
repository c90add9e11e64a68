"""A case -> the voxels of its region in all images, on one grid; kept in memory, since every fold needs them again."""

from dataclasses import dataclass
from hashlib import blake2b
from weakref import WeakKeyDictionary

import numpy as np

from radiodeep.cases.naming import naming
from radiodeep.cases.slice_plane import acquisition_axis
from radiodeep.exceptions import GeometryMismatchError
from radiodeep.handcrafted.local_binary_patterns import lbp_2d_patterns
from radiodeep.handcrafted.region import crop_region
from radiodeep.imaging.crop import bounding_box

_MOST_BYTES = 2**30  # of all regions that are kept
_KEPT = WeakKeyDictionary()  # by case, which never changes


@dataclass(frozen=True, eq=False)
class HabitatRegion:
    """The voxels of a region, cropped to its box.

    Attributes
    ----------
    roi : bool ndarray of shape (z, y, x)
        The region in its box.
    box, shape : the box in the image, and the shape of the image
    spacing_mm : tuple of three floats
    values : tuple of ndarrays of shape (n_voxels,)
        Intensities of the region in each image, of the type of the image.
    moments : float64 ndarray of shape (n_images, 2)
        Mean and standard deviation of each image, from `moments_of`.
    patterns : tuple of int8 ndarrays of shape (n_voxels,)
        Of each image, from `lbp_2d_patterns`; empty if they are not needed.
    seed : int
        The same for the same voxels, whatever their type and the field of view.
    """

    roi: np.ndarray
    box: tuple
    shape: tuple
    spacing_mm: tuple
    values: tuple
    moments: np.ndarray
    patterns: tuple
    seed: int

    @classmethod
    def of(cls, case, images, with_patterns):
        """Return the region of a case with all `MeasuredImages`; it is read once as long as the case lives."""
        kept = _KEPT.get(case, {})
        key = images.names, with_patterns
        if key in kept:
            return kept[key]
        region = cls._read(case, images, with_patterns)
        n_bytes = sum(other.n_bytes for regions in _KEPT.values() for other in regions.values())
        if n_bytes + region.n_bytes <= _MOST_BYTES:
            _KEPT[case] = kept | {key: region}
        return region

    @classmethod
    def _read(cls, case, images, with_patterns):
        lesions = {name: part.lesion() for name, part in images.parts(case).items()}
        with naming(case):
            _check_one_grid(lesions)
        first = next(iter(lesions.values()))
        box = bounding_box(first.roi)
        values = [lesion.voxels[lesion.roi] for lesion in lesions.values()]
        roi = first.roi[box].copy()
        digest = blake2b(np.packbits(roi), digest_size=8)
        for voxels in values:
            digest.update(voxels.astype(np.float64))
        return cls(
            roi=roi,
            box=box,
            shape=first.roi.shape,
            spacing_mm=first.spacing_mm,
            values=tuple(values),
            moments=np.array([moments_of(voxels.astype(np.float64)) for voxels in values]),
            patterns=tuple(map(_patterns, lesions.values())) if with_patterns else (),
            seed=int(digest.hexdigest(), 16),
        )

    @property
    def n_bytes(self):
        return self.roi.nbytes + sum(part.nbytes for part in (*self.values, *self.patterns))

    def sample(self, most, random_state):
        """Return the positions of at most so many voxels, drawn without replacement; the same for the same voxels."""
        n_voxels = len(self.values[0])
        if n_voxels <= most:
            return slice(None)
        rng = np.random.default_rng([random_state, self.seed])
        return np.sort(rng.choice(n_voxels, most, replace=False))

    def scaled(self, by_lesion, chosen=slice(None)):
        """Return intensities (n_voxels, n_images), z-scored within the region for images where `by_lesion` is True."""
        columns = []
        for voxels, (mean, deviation), is_own in zip(self.values, self.moments, by_lesion, strict=True):
            column = voxels[chosen].astype(np.float64)
            columns.append((column - mean) / (deviation or 1.0) if is_own else column)
        return np.stack(columns, axis=1)


def moments_of(values):
    """Return mean and standard deviation, which is 0 if all values are equal, without an error of rounding."""
    return (values[0], 0.0) if np.ptp(values) == 0 else (values.mean(), values.std())


def _check_one_grid(lesions):
    (first, lesion), *others = lesions.items()
    for name, other in others:
        shapes_agree = lesion.roi.shape == other.roi.shape
        if not shapes_agree or not np.allclose(lesion.spacing_mm, other.spacing_mm, rtol=1e-4):
            raise GeometryMismatchError(
                f"the images {first!r} and {name!r} have different grids: {_grid(lesion)} and {_grid(other)}. Habitats "
                f"need all images on one grid: radiodeep.on_one_grid(cohort, image={first!r}) resamples them."
            )
        if not np.array_equal(lesion.roi, other.roi):
            raise GeometryMismatchError(
                f"the images {first!r} and {name!r} have masks that differ. Habitats need one region: give one mask "
                f"for all images, or radiodeep.on_one_grid(cohort, image={first!r}), which takes that of {first!r}."
            )


def _grid(lesion):
    size = "x".join(str(length) for length in lesion.roi.shape[::-1])
    return f"{size} voxels of {' x '.join(f'{step:.4g}' for step in lesion.spacing_mm[::-1])} mm (x, y, z)"


def _patterns(lesion):
    slice_axis = acquisition_axis(lesion.roi.shape, lesion.spacing_mm)
    return lbp_2d_patterns(crop_region(lesion.voxels, lesion.roi, lesion.spacing_mm), slice_axis)
