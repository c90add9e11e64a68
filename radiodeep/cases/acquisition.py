"""In: how the images of a cohort were acquired. Out: what differs between them that features depend on."""

import math
import warnings
from collections import Counter
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from radiodeep.cases.slice_plane import SLICE_AXES, acquisition_axis
from radiodeep.exceptions import RadiodeepWarning

_DIFFERENT = 1.1  # the ratio from which lengths count as different
_OTHER_SCALE = 3.0  # a larger ratio than other anatomy in the field of view causes
_SAMPLE = 2_000  # voxels of an image that are sampled: enough for a percentile, and quick
_CONSEQUENCES = {
    "spacing": "Its features depend on the voxel size, so they tell scanners apart. Resample all images to one voxel "
    "size first (resample_mm of RadiomicsExtractor), or leave out those that differ.",
    "pixels": "Its features depend on the pixel size of slices, so they tell scanners apart. Set pixel_mm to cut all "
    "slices in pixels of one size, or leave out the images that differ.",
    "plane": "It cuts the slices of each image in its own plane, so its features tell the planes apart. Choose one "
    "plane for all (slice_axis of networks, force_2d_dimension of RadiomicsExtractor), or leave out those that differ.",
    "orientation": "It measures along the axes of the file (axes='stored'), so some features depend on them. Use "
    "axes='anatomical'.",
    "intensity": "Its grey levels have one width for all images (bin_width), so its texture depends on the scale of "
    "each. If scanners chose that, as in MR, use bin_count=32, or normalize=True with normalize_over='ring'.",
    "intensity_unit": "Its features have the unit of the image, so they depend on the scale of each. If scanners chose "
    "that, as in MR, use normalize=True with normalize_over='ring', or scale='lesion' of HabitatExtractor.",
    "intensity_range": "It measures the intensities within resegment_range, so its features depend on the scale of "
    "each image. If scanners chose that, as in MR, give the range in standard deviations (resegment_mode='sigma', or "
    "resegment_outliers under convention='ibsi'), or use normalize=True with normalize_over='ring'.",
    "intensity_function": "It takes logarithms or exponentials of intensities, so its texture depends on the scale of "
    "each image. If scanners chose that, as in MR, use normalize=True with normalize_over='ring', or leave out those "
    "image types.",
    "field": "It computes with the intensities of the whole image (normalize, Square, SquareRoot, Logarithm, "
    "Exponential), so its features depend on how much of the body the image shows. Let it look at the region "
    "(normalize_over='ring' or 'region', 'scale_by': 'region'), or crop all images alike.",
}
_LENGTHS = (
    ("spacing", "spacing_mm", "Spacing differs"),
    ("pixels", "spacing_mm", "Spacing differs"),
    ("field", "field_mm", "Fields of view differ"),
)
_WAYS = ("SI", "AP", "LR")  # along the axes z, y and x


@dataclass(frozen=True)
class Acquisition:
    """How an image was acquired and stored.

    Attributes
    ----------
    n_dimensions : int
        2 for an image of one slice.
    spacing_mm : tuple of three floats
        In (z, y, x) order.
    orientation : str
        Where the x, y and z axes of the file point to, e.g. "RAS"; "" if unknown.
    field_mm : tuple of three floats, or None if unknown
        Extent of the image in (z, y, x) order.
    scale : float or None
        99th percentile of an image without a known unit (whole numbers, none of them negative: MR, ultrasound,
        photographs). None for others, e.g. Hounsfield units and uptake values.
    slice_axis : {0, 1, 2} or None
        The axis across the slices of the plane of acquisition. None in an image of one slice, and if unknown.
    """

    n_dimensions: int
    spacing_mm: tuple
    orientation: str = ""
    field_mm: tuple | None = None
    scale: float | None = None
    slice_axis: int | None = None

    @classmethod
    def of(cls, image, spacing_mm, orientation):
        """Return the acquisition of an image (z, y, x)."""
        spacing_mm = tuple(float(step) for step in spacing_mm)
        field_mm = tuple(size * step for size, step in zip(image.shape, spacing_mm, strict=True))
        n_dimensions = 2 if image.shape[0] == 1 else 3
        slice_axis = acquisition_axis(image.shape, spacing_mm) if n_dimensions == 3 else None
        return cls(n_dimensions, spacing_mm, orientation, field_mm, _scale_without_unit(image), slice_axis)

    @property
    def plane(self):
        """The name of the plane of acquisition, e.g. "axial"; None if `slice_axis` is."""
        return None if self.slice_axis is None else list(SLICE_AXES)[self.slice_axis]


class Mixture(NamedTuple):
    """A property of the acquisition that differs within a cohort.

    `need` is what features depend on, in the words of `mixtures`. `sentence` says what differs, with two cases and
    their values. `ids` are the cases that differ from the others: those with the smallest and largest value, or those
    unlike most.
    """

    need: str
    sentence: str
    ids: list


def mixtures(acquisitions, needs):
    """Return a `Mixture` for each property that differs within a cohort, among those that features depend on.

    `acquisitions` is a dict from case id to `Acquisition`. `needs` is a set of what features depend on: "spacing" along
    all axes, "spacing_z" (or y, x) along one, "spacing_stored_z" along one in the order of the file, "spacing_across"
    the slices; "pixels" of the slices of each image, "pixels_z" (or y, x) of those along an axis; "field",
    "orientation" and "plane"; and "intensity", "intensity_unit", "intensity_range" and "intensity_function", which
    differ in the reason why intensities matter.

    Spacings and fields of view (the extents of the images) count as different if they differ along any axis by more
    than a tenth; the thickness and the plane of an image of one slice are not compared. Intensities count as different
    if no image has a known unit and their 99th percentiles differ by more than a factor of 3.
    """
    mixed = []
    if "orientation" in needs:
        orders = {case_id: each.orientation for case_id, each in acquisitions.items()}
        mixed += _mixed_kinds(orders, "orientation", "Files are stored in different orders")
    if "plane" in needs:
        planes = {case_id: each.plane for case_id, each in acquisitions.items()}
        mixed += _mixed_kinds(planes, "plane", "Slices lie in different planes")
    for need, field, name in _LENGTHS:
        mixed += _mixed_lengths(acquisitions, needs, need, field, name)
    for need in ("intensity", "intensity_unit", "intensity_range", "intensity_function"):
        if need in needs:
            mixed += _mixed_scales(acquisitions, need)
    return mixed


def warn_of_mixed_acquisition(acquisitions, needs, name):
    """Issue a RadiodeepWarning, which begins with the name of the extractor, for each of the `mixtures` of a cohort."""
    for mixture in mixtures(acquisitions, needs):
        text = f"{name}: {mixture.sentence}. {_CONSEQUENCES[mixture.need]}"
        warnings.warn(text, RadiodeepWarning, stacklevel=3)


def _mixed_kinds(kinds, need, name):
    """Return a mixture if the cases whose kind is known (not "" or None) are of several kinds."""
    kinds = {case_id: kind for case_id, kind in kinds.items() if kind}
    counts = Counter(kinds.values()).most_common()
    if len(counts) < 2:
        return []
    first = {kind: case_id for case_id, kind in reversed(kinds.items())}
    listed = [f"{kind} in {count} case{'s' * (count > 1)} ({first[kind]})" for kind, count in counts]
    most_common = counts[0][0]
    unlike = [case_id for case_id, kind in kinds.items() if kind != most_common]
    return [Mixture(need, f"{name}: {', '.join(listed)}", unlike)]


def _mixed_lengths(acquisitions, needs, need, field, name):
    """Return a mixture if the lengths of a field differ along axes that matter; axes with equal ranges share a text."""
    letters_of_range = {}
    ids = []
    for axis, letter in enumerate("zyx"):
        lengths = {
            case_id: getattr(each, field)[axis]
            for case_id, each in acquisitions.items()
            if getattr(each, field) and (axis > 0 or each.n_dimensions == 3) and needs & _needs_along(each, axis, need)
        }
        if not lengths:
            continue
        least = min(lengths, key=lengths.get)
        most = max(lengths, key=lengths.get)
        if lengths[most] > _DIFFERENT * lengths[least]:
            length_range = f"from {lengths[least]:.3g} mm ({least}) to {lengths[most]:.3g} mm ({most})"
            letters_of_range.setdefault(length_range, []).append(letter)
            ids += [least, most]
    if not ids:
        return []
    listed = ", ".join(f"along {' and '.join(letters)} {text}" for text, letters in letters_of_range.items())
    return [Mixture(need, f"{name} by more than a tenth: {listed}", list(dict.fromkeys(ids)))]


def _needs_along(acquisition, axis, need):
    """Return the needs that concern an axis of an image, as {"spacing", "spacing_z", "spacing_stored_x"}."""
    letter = "zyx"[axis]
    ways = zip("xyz", acquisition.orientation, strict=False)
    stored_letter = next((name for name, way in ways if way in _WAYS[axis]), letter)
    names = {need, f"{need}_{letter}", f"{need}_stored_{stored_letter}"}
    if axis == acquisition.slice_axis:
        names.add(f"{need}_across")
        names -= {"pixels"}
    return names


def _mixed_scales(acquisitions, need):
    scales = {case_id: each.scale for case_id, each in acquisitions.items()}
    if None in scales.values() or not scales:
        return []
    least = min(scales, key=scales.get)
    most = max(scales, key=scales.get)
    if scales[most] <= _OTHER_SCALE * scales[least]:
        return []
    values = f"from {scales[least]:.4g} ({least}) to {scales[most]:.4g} ({most})"
    sentence = f"The images have no known unit (whole numbers, none negative), and their 99th percentile goes {values}"
    return [Mixture(need, sentence, [least, most])]


def _scale_without_unit(image):
    """Return the 99th percentile of a sample of an image that seems to have no unit, else None."""
    step = math.ceil((image.size / _SAMPLE) ** (1 / 3))
    values = image[::step, ::step, ::step].ravel()
    if not values.min() >= 0 or (values.dtype.kind == "f" and (values != np.round(values)).any()):
        return None
    rank = int(0.99 * (values.size - 1))
    percentile = float(np.partition(values, rank)[rank])
    return percentile if percentile > 0 else None
