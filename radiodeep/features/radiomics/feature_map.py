"""An extractor, a case and names of features -> a `FeatureMap` of each: its values in a window about every voxel."""

from dataclasses import dataclass, replace
from numbers import Real
from pathlib import Path

import numpy as np

from radiodeep.cases.case import Case
from radiodeep.cases.masks import outlined_series
from radiodeep.cases.naming import naming, naming_image
from radiodeep.cases.readers import read_volume
from radiodeep.cases.writing import write_image, write_map
from radiodeep.checks import did_you_mean, is_count, is_flag, is_sequence, require, require_n_jobs
from radiodeep.exceptions import InputError
from radiodeep.features.radiomics.extractor import RadiomicsExtractor
from radiodeep.features.radiomics.preparation import check_region_size, derived_images, ordered_lesion, prepare
from radiodeep.features.radiomics.settings import RadiomicsSettings
from radiodeep.features.several_images import MeasuredImages
from radiodeep.features.stateless import with_label
from radiodeep.handcrafted.voxel_maps import LARGEST_RADIUS, check_has_map, voxel_maps
from radiodeep.imaging.crop import bounding_box


@dataclass(frozen=True, eq=False, repr=False)
class FeatureMap:
    """A feature in a window about each voxel of a region, from `feature_map`.

    Attributes
    ----------
    name : str
        The feature, as "original_glcm_Contrast".
    case : Case
        That of the image which was measured.
    radius : int
        Of the windows, in voxels.
    masked : bool
        Whether only voxels of the region counted.
    image : ndarray of shape (z, y, x)
        The image on the grid of the map, before filters.
    roi : bool ndarray of shape (z, y, x)
        The voxels that have a window, in the order of axes of the case.
    spacing_mm : tuple of three floats
        Voxel size of the map, in (z, y, x) order.
    first_voxel : tuple of three floats
        Where the map begins, in voxels (z, y, x) of the case's image: 0, 0, 0 unless the extractor resamples.
    is_resampled : bool
        Whether the voxels of the map are not those of the case's image.
    values_in_roi : float64 ndarray of shape (n_voxels,)
        The values of the voxels of `roi`, as ``values[roi]``.
    """

    name: str
    case: Case
    radius: int
    masked: bool
    image: np.ndarray
    roi: np.ndarray
    spacing_mm: tuple
    first_voxel: tuple
    is_resampled: bool
    values_in_roi: np.ndarray

    @property
    def values(self):
        """The map, float64 of shape (z, y, x); NaN outside the region, and in windows without a value."""
        values = np.full(self.roi.shape, np.nan)
        values[self.roi] = self.values_in_roi
        return values

    def save(self, path, outside=0.0):
        """Write the map as a float32 image (float64 for values beyond 3e38) that viewers lay over that of the case.

        Parameters
        ----------
        path : path-like
            A .nii.gz, .nii, .nrrd or .mha file.
        outside : float, default=0.0
            Written where the map is NaN. 0 is what pyradiomics writes there; many viewers fail to find a range of grey
            with NaN.

        Returns
        -------
        pathlib.Path
            The file. It has the order of axes, the origin and the directions of the image's file; if the extractor
            resamples, it has the grid of the map instead, in the order of axes of the case, at its place in space.

        Raises
        ------
        InputError
            For a file of another format, for a case of arrays, whose place in space is unknown, and if `outside` is not
            a number.
        OutputError
            The file cannot be written.
        """
        is_real = isinstance(outside, Real) and not is_flag(outside)
        require(is_real, "FeatureMap.save", "outside", "a float, or NaN", outside)
        values = np.where(np.isnan(self.values), float(outside), self.values)
        highest = np.abs(values[np.isfinite(values)]).max(initial=0.0)
        if highest <= np.finfo(np.float32).max:
            values = values.astype(np.float32)
        if not self.is_resampled:
            return write_map(self.case, values, path)
        path = Path(path)
        formats = (".nii.gz", ".nii", ".nrrd", ".mha")
        require(path.name.endswith(formats), "FeatureMap.save", "path", f"a file that ends in {formats}", str(path))
        case = self.case
        with naming(case):
            if not isinstance(case.image, Path):
                raise InputError(
                    "the image is an array, whose place in space is unknown. Give the case its image as a file, as "
                    "read_cohort does, and not its copy in memory."
                )
            chosen = (case.mask, case.roi_name, case.reading)
            source = outlined_series(case.image, *chosen) if isinstance(case.mask, Path) else case.image
            volume = read_volume(source, case.reading).turned(case.lesion().axes)
        steps = np.array(self.first_voxel) * case.spacing_mm
        write_image(values, path, self.spacing_mm, volume.origin_mm + volume.direction @ steps[::-1], volume.direction)
        return path

    def __repr__(self):
        finite = self.values_in_roi[np.isfinite(self.values_in_roi)]
        spread = f", {finite.min():.4g} to {finite.max():.4g}, median {np.median(finite):.4g}" if finite.size else ""
        return f"Map of {self.name} of {self.case.id}: {self.values_in_roi.size} voxels, radius {self.radius}{spread}"


def feature_map(extractor, case, name, radius=1, *, masked=True, n_jobs=None):
    """Measure a feature in a window moving over the lesion: where in it is the texture that the feature stands for?

    Parameters
    ----------
    extractor : RadiomicsExtractor
        Its settings are those of the map: bins, filters, resampling, distances.
    case : Case
    name : str or sequence of str
        A column of the extractor, e.g. "original_glcm_Contrast" or "wavelet-LLH_firstorder_Mean", of the families
        firstorder, glcm, glrlm, glszm, gldm and ngtdm. For cases with several images it begins with the name of one:
        "T1_original_glcm_Contrast". Features of one family and image are fastest together.
    radius : int from 1 to 5, default=1
        Of the windows in voxels: cubes of 3 x 3 x 3 for 1, squares with ``force_2d=True``.
    masked : bool, default=True
        Whether only voxels of the region count. If not, windows see the image around the region as well, of which an
        extractor that resamples or crops must keep `radius` voxels (`pad_distance`).
    n_jobs : int, optional
        Threads.

    Returns
    -------
    FeatureMap, or dict of them by name for a sequence
        On the voxels of the case. If the extractor resamples, the map stays on the new voxels, as its `spacing_mm` and
        `first_voxel` tell, and is saved with them; viewers lay it over the image by its place in space.

    Raises
    ------
    InputError
        The extractor has no such column or the column no map, as shape; or any image problem, with the id of the case.

    Notes
    -----
    The values are those of pyradiomics' voxel-based extraction (``kernelRadius=radius``, ``maskedKernel=masked``): the
    whole region is discretised once, and each window is measured with these grey levels. Windows without a value are
    NaN; of a lesion's single voxels without neighbours GLCM and GLRLM have none. Where pyradiomics 3.0.1 differs:
    `radiodeep.handcrafted.voxel_maps`.

    References
    ----------
    van Griethuysen et al., Computational Radiomics System to Decode the Radiographic Phenotype, Cancer Research 77
    (2017) e104.

    Examples
    --------
    >>> import radiodeep as rd
    >>> case = rd.make_phantom_cohort(1, random_state=0)[0]
    >>> contrast = rd.feature_map(rd.RadiomicsExtractor(bin_width=25), case, "original_glcm_Contrast")
    >>> contrast.values.shape == case.voxels.shape, contrast.radius
    (True, 1)
    >>> rd.feature_map(rd.RadiomicsExtractor(), case, "original_shape_Sphericity")
    Traceback (most recent call last):
    ...
    radiodeep.exceptions.InputError: phantom-000: 'original_shape_Sphericity' has no map: the shape of a region is ...
    """
    require(isinstance(case, Case), "feature_map", "case", "a Case", case)
    names = [name] if isinstance(name, str) else name
    require(_are_names(names), "feature_map", "name", "a name or a sequence of names", name)
    settings = _checked_settings(extractor, radius, masked, n_jobs, "feature_map")
    with naming(case):
        chosen = _columns(extractor, settings, case, names)
        maps = {}
        for image in dict.fromkeys(image for image, _ in chosen.values()):
            columns = {title: column for title, (of_image, column) in chosen.items() if of_image == image}
            part = with_label(case.of_image(image) if image else case, extractor.label)
            with naming_image(case, image):
                maps |= _maps(settings, part, columns, radius, masked, n_jobs)
    return maps[name] if isinstance(name, str) else {each: maps[each] for each in names}


def check_map_settings(extractor, case, names, radius, masked, n_jobs, owner):
    """Raise an InputError unless the maps of some names can be computed for a case with these settings.

    `owner` is the name of the function that was called with them.
    """
    require(_are_names(names), owner, "names", "a sequence of names", names)
    _columns(extractor, _checked_settings(extractor, radius, masked, n_jobs, owner), case, names)


def _are_names(names):
    return is_sequence(names) and all(isinstance(each, str) for each in names)


def _checked_settings(extractor, radius, masked, n_jobs, owner):
    """Return the settings of an extractor; raise an InputError for those that maps do not have."""
    require(isinstance(extractor, RadiomicsExtractor), owner, "extractor", "a RadiomicsExtractor", extractor)
    require(is_count(radius, 1, LARGEST_RADIUS), owner, "radius", f"an int from 1 to {LARGEST_RADIUS}", radius)
    require(is_flag(masked), owner, "masked", "True or False", masked)
    require_n_jobs(n_jobs, owner)
    settings = RadiomicsSettings.of(extractor)
    if settings.is_standard:
        raise InputError(
            "Maps follow the definitions of pyradiomics. Got convention='ibsi' instead; give an extractor with "
            "convention='pyradiomics', and names of its columns, such as 'original_glcm_Contrast'."
        )
    if extractor.engine != "radiodeep":
        raise InputError(f"Maps are computed by radiodeep. Leave out engine={extractor.engine!r}.")
    is_cropped = settings.pre_crop or settings.resample_mm is not None
    if not masked and is_cropped and settings.pad_distance < radius:
        raise InputError(
            f"Windows with masked=False see {radius} voxels around the region, but the extractor keeps "
            f"{settings.pad_distance}. Raise its pad_distance to {radius}."
        )
    return settings


def _columns(extractor, settings, case, names):
    """Return the name of the image, "" of the only one, and the `Column` of each name."""
    columns = {column.title: column for column in settings.columns}
    images = MeasuredImages.of(extractor, [case]).names
    known = {f"{image}_{title}" if image else title: (image, title) for image in images for title in columns}
    if len(images) == 1:
        known |= {title: (images[0], title) for title in columns}
    chosen = {}
    for name in names:
        if name not in known:
            raise _unknown(name, columns, known, images)
        image, title = known[name]
        check_has_map(columns[title].family, name)
        chosen[name] = (image, columns[title])
    return chosen


def _unknown(name, columns, known, images):
    if name in columns:
        return InputError(
            f"the case has the images {', '.join(images)}. Begin the name with that of one, as '{images[0]}_{name}'."
        )
    return InputError(
        f"the extractor has no feature '{name}'.{did_you_mean(name, known)} Its features are those "
        "of its families and image_types."
    )


def _maps(settings, case, columns, radius, masked, n_jobs):
    """Return the `FeatureMap` of each `Column` of one image, by their names."""
    prepared = prepare(case, settings)
    check_region_size(prepared, settings)
    if not masked:
        prepared = prepared._replace(box=bounding_box(prepared.roi, [radius] * 3))
    mask = prepared.roi[prepared.box]
    values = {}
    for image_type in dict.fromkeys(column.image_type.name for column in columns.values()):
        of_type = {title: column for title, column in columns.items() if column.image_type.name == image_type}
        image_settings = next(iter(of_type.values())).image_type
        for image_name, image in derived_images(prepared, image_settings, settings.force_2d):
            titles = [title for title, column in of_type.items() if column.title.startswith(f"{image_name}_")]
            if not titles:
                continue
            names = [f"{of_type[title].family}_{of_type[title].name}" for title in titles]
            texture = settings.texture_settings(image_settings, image_name)
            flat_axis = prepared.slice_axis if settings.force_2d else None
            rows = voxel_maps(
                image, mask, prepared.spacing_mm, names,
                radius=radius, masked=masked, flat_axis=flat_axis, n_jobs=n_jobs, **texture,
            )  # fmt: skip
            values |= dict(zip(titles, rows, strict=True))
    place = _place(case, settings, prepared)
    return {title: place(title, values[title], radius, masked) for title in columns}


def _place(case, settings, prepared):
    """Return a function that makes the `FeatureMap` of values in the prepared region, on the grid of the case.

    Voxels that a crop left out are put back. Resampled voxels stay as they are.
    """
    lesion = case.lesion()
    ordered, _ = ordered_lesion(case, settings)
    first, step = _first_voxel(ordered, settings, prepared)
    order = (0, 1, 2)
    flipped = np.zeros(3, bool)
    if settings.axes == "stored":
        order, flipped = lesion.axes.order, np.array(lesion.axes.flipped)
    turned = lesion.axes.to_anatomical if settings.axes == "stored" else np.asarray
    sizes = np.array(ordered.roi.shape)[list(order)]
    last = first + (np.array(prepared.roi.shape) - 1) * step
    first = np.where(flipped, sizes - 1 - last[list(order)], first[list(order)])
    roi, image = turned(prepared.roi), turned(prepared.voxels)
    spacing_mm = tuple(float(prepared.spacing_mm[axis]) for axis in order)
    # Values come in the order of the prepared region; `turned` may change that of its voxels.
    inner = prepared.roi[bounding_box(prepared.roi)]
    numbers = np.zeros(inner.shape, np.int64)
    numbers[inner] = np.arange(np.count_nonzero(inner))
    sorted_by = turned(numbers)[turned(inner)]
    is_resampled = bool((step != 1).any())
    if not is_resampled:
        begin = np.round(first).astype(int)
        inside = tuple(slice(start, start + size) for start, size in zip(begin, roi.shape, strict=True))
        whole = np.zeros(lesion.roi.shape, bool)
        whole[inside] = roi
        roi, image, first = whole, lesion.voxels, np.zeros(3)
    first = tuple(float(each) for each in first)
    return lambda name, values, radius, masked: FeatureMap(
        name, case, radius, masked, image, roi, spacing_mm, first, is_resampled, values[sorted_by]
    )


def _first_voxel(ordered, settings, prepared):
    """Return where the prepared image begins in voxels of the case's image, and how long its steps are: float64 (3,).

    Three images of coordinates are prepared in the place of the case's. Voxels of the region tell the place of all, as
    coordinates beyond the border of the image are not known.
    """
    step = np.array(prepared.spacing_mm) / ordered.spacing_mm
    step = np.where(np.isclose(step, 1), 1.0, step)
    if prepared.roi.shape == ordered.roi.shape and (step == 1).all():
        return np.zeros(3), step
    plain = replace(
        settings, axes="anatomical", normalize=False, resegment_range=None, interpolator="linear", anti_alias=False
    )
    first = np.empty(3)
    for axis, size in enumerate(ordered.roi.shape):
        ramp = np.expand_dims(np.arange(float(size)), [other for other in range(3) if other != axis])
        known = prepare(ordered.replace(image=np.broadcast_to(ramp, ordered.roi.shape)), plain)
        places = np.nonzero(known.roi)[axis]
        first[axis] = np.median(known.voxels[known.roi] - places * step[axis])
    return first, step
