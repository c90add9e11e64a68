"""The order of axes, the plane of slices, normalisation and resampling before anything is measured."""

import warnings

import nibabel
import numpy as np
import pytest
import SimpleITK as sitk

from radiodeep import Case, RadiomicsExtractor, make_phantom_cohort
from radiodeep.cases import case as cases
from radiodeep.cases.sources import read_sources
from radiodeep.exceptions import EmptyMaskError, InputError, LabelNotFoundError, RadiodeepWarning, RoiTooSmallError
from radiodeep.features.radiomics import preparation as preparation_of_cases
from radiodeep.imaging.crop import crop_to_roi
from radiodeep.imaging.resample import resample

COHORT = make_phantom_cohort(8, random_state=2)


TYPES = {
    "Original": {},
    "Wavelet": {},
    "LoG": {"sigma": [2.0]},
    "Square": {},
    "SquareRoot": {},
    "Logarithm": {},
    "Exponential": {},
    "Gradient": {},
    "LBP2D": {},
    "LBP3D": {},
}


@pytest.mark.parametrize("codes", ["LPS", "RAS", "PSR", "SRP"])
def test_features_do_not_depend_on_how_the_file_is_stored(lesion, codes, tmp_path, values_of, stored_as):
    settings = {"image_types": TYPES, "bin_count": 16, "force_2d": True, "resample_mm": (0, 1.4, 1.4)}
    case = stored_as(lesion, codes, tmp_path)
    for asked in ({}, settings):
        expected = values_of(lesion, **asked)
        assert values_of(case, **asked) == expected


def test_stored_axes_are_those_of_the_file(lesion, tmp_path, values_of, stored_as):
    settings = {"image_types": ["Original", "Wavelet"], "bin_count": 16, "axes": "stored"}
    lps = stored_as(lesion, "LPS", tmp_path)
    assert values_of(lps, **settings) == values_of(lesion, **settings)
    sagittal = stored_as(lesion, "SRP", tmp_path)  # (x, y, z) of the file: stored arrays are (p, r, s)
    turned = lesion.replace(
        image=lesion.voxels.transpose(1, 2, 0)[:, ::-1],
        mask=lesion.roi.transpose(1, 2, 0)[:, ::-1],
        spacing_mm=(0.875, 1.125, 2.0),
    )
    values = values_of(sagittal, **settings)
    assert values == values_of(turned, **settings)
    anatomical = values_of(sagittal, **{**settings, "axes": "anatomical"})
    diameters = [f"original_shape_Maximum2DDiameter{plane}" for plane in ("Slice", "Row", "Column")]
    in_file, in_body = ([measured[name] for name in diameters] for measured in (values, anatomical))
    assert sorted(in_file) == pytest.approx(sorted(in_body))
    assert in_file != pytest.approx(in_body, rel=0.01)


@pytest.mark.parametrize("thick", [0, 1, 2])
def test_slices_are_those_of_the_acquisition(lesion, thick, values_of):
    spacing_mm = [1.0, 1.0, 1.0]
    spacing_mm[thick] = 3.0
    case = lesion.replace(spacing_mm=spacing_mm)
    settings = {"families": ["glcm"], "image_types": {"Wavelet": {}, "LBP2D": {}}, "bin_count": 16}
    sliced = values_of(case, **settings, force_2d=True)
    for axis in range(3):
        same = sliced == values_of(case, **settings, force_2d=True, force_2d_dimension=axis)
        assert same == (axis == thick)
    in_space = values_of(case, **settings)
    named = values_of(case, **settings, force_2d_dimension=thick)
    assert in_space == named
    if thick:
        other = values_of(case, **settings, force_2d_dimension=0)
        assert {name.split("_")[0] for name in other if other[name] != named[name]} == {"lbp-2D"}
    # Resampling to equal sides does not turn the slices.
    cubes = values_of(case, **settings, force_2d=True, resample_mm=1.5)
    assert cubes == values_of(case, **settings, force_2d=True, resample_mm=1.5, force_2d_dimension=thick)


def test_the_shape_in_the_plane_is_that_of_the_acquired_slice(lesion, values_of):
    mask = np.zeros_like(lesion.roi)
    mask[:, :, 38] = lesion.roi[:, :, 38]
    sagittal = lesion.replace(mask=mask, spacing_mm=(0.9, 0.9, 3.0))
    area = values_of(sagittal, families=["shape2D"])["original_shape2D_PixelSurface"]
    assert area == pytest.approx(mask.sum() * 0.81)
    with pytest.raises(InputError, match="^lesion: The region has 9 slices across axis 0. .*'shape2D' need one"):
        values_of(sagittal, families=["shape2D"], force_2d_dimension=0)


def test_a_ring_cut_by_the_image_border_is_warned_of(lesion, values_of):
    settings = {"families": ["firstorder"], "normalize": True, "normalize_over": "ring"}
    tight = crop_to_roi(lesion, 4.0)
    with pytest.warns(RadiodeepWarning, match=r"^lesion: the image ends 4 mm .* the ring of 10 mm .* smaller ring_mm"):
        values_of(tight, **settings)
    flat = Case(lesion.voxels[11], lesion.roi[11], "flat", spacing_mm=(0.9, 1.1))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        values_of(tight, **settings, ring_mm=4.0)
        values_of(flat, **settings)  # no slice beside it is missed


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"normalize_over": "ring", "ring_mm": 0.2}, r"full: the ring that .* has 0 voxels.* or use a larger ring_mm"),
        ({"normalize_over": "body"}, "full: the body that normalises the image has 0 voxels. Expected at least 2"),
    ],
)
def test_normalising_over_no_voxels_is_an_error_with_the_way_out(settings, message):
    full = Case(np.ones((6, 6, 6)), np.ones((6, 6, 6), bool), "full", spacing_mm=(1, 1, 1))
    with pytest.raises(RoiTooSmallError, match=message):
        RadiomicsExtractor(normalize=True, **settings).transform([full])


def test_filters_in_the_plane_see_one_slice(lesion, values_of):
    mask = np.zeros_like(lesion.roi)
    mask[11] = lesion.roi[11]
    noise = np.random.default_rng(0).normal(60, 300, lesion.voxels.shape)
    noise[11] = lesion.voxels[11]
    alone, in_noise = lesion.replace(mask=mask), lesion.replace(mask=mask, image=noise)
    types = {"LoG": {"sigma": [1.0, 3.0], "in_plane": True}, "Gradient": {"in_plane": True}}
    values = values_of(alone, families=["firstorder", "glcm"], image_types=types, bin_count=16)
    assert values == values_of(in_noise, families=["firstorder", "glcm"], image_types=types, bin_count=16)
    images = dict.fromkeys(name.split("_")[0] for name in values)
    assert list(images) == ["log-sigma-1-0-mm-2D", "log-sigma-3-0-mm-2D", "gradient-2D"]
    in_space = {"LoG": {"sigma": [1.0, 3.0]}, "Gradient": {}}
    for case in (alone, in_noise):  # force_2d alone leaves them in space
        values = values_of(case, families=["firstorder"], image_types=in_space, bin_count=16, force_2d=True)
        assert values == values_of(case, families=["firstorder"], image_types=in_space, bin_count=16)


def test_resampling_in_the_extractor_equals_resampling_before_it():
    inside = RadiomicsExtractor(resample_mm=2.0, interpolator="linear").transform(COHORT[:1])
    before = RadiomicsExtractor().transform([resample(COHORT[0], 2.0, "linear")])
    np.testing.assert_allclose(inside, before)


@pytest.mark.filterwarnings("ignore:The image type .* counts in voxels")  # where one slice keeps its thickness
@pytest.mark.parametrize("grid", ["center", "corner"])
@pytest.mark.parametrize(
    "image_type",
    [
        {"mean": {"support": 9}},
        {"laplacian_of_gaussian": {"sigma_mm": [1.0, 3.0]}},
        {"laws": {"kernels": "L5E5E5", "pooling": "max", "energy_distance": 7}},
        {"gabor": {"sigma_mm": 2.0, "wavelength_mm": 4.0, "theta_step_degrees": 45}},
        {"separable_wavelet": {"wavelet": "db3", "subbands": "LLH", "level": 2}},
        {"mean": {"support": 3, "boundary": "periodic"}},
        {"simoncelli": {"level": 2}},
    ],
    ids=lambda image_type: next(iter(image_type)),
)
def test_filters_of_the_ibsi_see_the_voxels_that_they_see_in_the_whole_resampled_image(image_type, grid):
    rng = np.random.default_rng(3)
    mask = np.zeros((40, 60, 60), bool)
    mask[20, 29:34, 28:33] = True  # in one slice, which "corner" does not resample
    mask[20 if grid == "corner" else 21, 30:32, 30:32] = True
    case = Case(rng.normal(0, 100, mask.shape), mask, "noise", spacing_mm=(1.0, 0.9, 0.9))
    settings = {"convention": "ibsi", "image_types": image_type, "families": ["intensity_statistics"]}
    extractor = RadiomicsExtractor(**settings, resample_mm=2.0, resample_grid=grid, interpolator="linear")
    inside = extractor.fit_transform([case])
    whole = resample(case, 2.0, "linear", None, grid=grid, mask_interpolation="linear")
    before = RadiomicsExtractor(**settings).fit_transform([whole])
    np.testing.assert_allclose(inside, before, rtol=1e-5, atol=1e-5)


def test_a_resampled_image_is_cropped_to_the_reach_of_the_filters_of_the_ibsi(monkeypatch, lesion):
    kept = []

    def recorded(case, spacing_mm, interpolator, pad_distance, **options):
        kept.append(pad_distance)
        return resample(case, spacing_mm, interpolator, pad_distance, **options)

    monkeypatch.setattr(preparation_of_cases, "resample", recorded)
    types = {"Original": {}, "mean": {"support": 25}, "laplacian_of_gaussian": {"sigma_mm": [1.0, 6.0]}}
    extractor = RadiomicsExtractor(convention="ibsi", families=["intensity_statistics"], resample_mm=2.0)
    for chosen in ({"Original": {}}, types, {**types, "simoncelli": {}}):
        extractor.set_params(image_types=chosen).fit_transform([lesion])
    extractor.set_params(image_types={"mean": {"support": 25}}, pre_crop=True).fit_transform([lesion])
    assert kept == [5, 13, None, 5]


@pytest.mark.parametrize(
    ("settings", "error", "message"),
    [
        ({"minimum_roi_dimensions": 3}, RoiTooSmallError, "flat: The region spans 1 x 8 x 8 voxels"),
        ({"minimum_roi_size": 64}, RoiTooSmallError, "flat: The region has 64 voxels. Expected more than minimum_roi"),
        ({"label": 2}, LabelNotFoundError, "flat: the mask has no voxel of label 2"),
        ({"resegment_range": [1e6]}, RoiTooSmallError, "flat: Resegmentation leaves 0 of the region's 64 voxels"),
    ],
)
def test_a_region_too_small_for_the_settings_is_an_error_with_the_way_out(settings, error, message):
    image = np.random.default_rng(1).normal(0, 50, (3, 12, 12))
    mask = np.zeros(image.shape, np.uint8)
    mask[1, 2:10, 2:10] = 1
    with pytest.raises(error, match=message):
        RadiomicsExtractor(**settings).fit_transform([Case(image, mask, "flat", spacing_mm=(1, 1, 1))])


def test_a_large_two_dimensional_image_is_measured_slice_wise():
    image = np.random.default_rng(2).integers(0, 250, (700, 900))
    case = Case(image, np.ones(image.shape, bool), "photo", spacing_mm=(0.1, 0.1))
    extractor = RadiomicsExtractor(families=["shape2D", "glcm", "glszm"], force_2d=True)
    values = dict(zip(extractor.get_feature_names_out(), extractor.transform([case])[0], strict=True))
    assert values["original_shape2D_PixelSurface"] == pytest.approx(70 * 90)
    assert np.isfinite(list(values.values())).all()


@pytest.mark.parametrize("preparation", [{}, {"resample_mm": 1.0}, {"pre_crop": True, "pad_distance": 0}])
def test_an_image_of_other_dimensions_than_the_first_is_an_error(preparation, flat_case, fit_flat):
    deep = COHORT[0]
    extractor = fit_flat(RadiomicsExtractor(**preparation), [flat_case()])
    message = "^phantom-000: the image has 3 dimensions, but the first of the cases, .* 'shape2D', has 2. Split"
    with pytest.raises(InputError, match=message):
        extractor.transform([flat_case(), deep])
    with pytest.raises(InputError, match="^flat: the image has 2 dimensions, .* for the family 'shape', has 3"):
        RadiomicsExtractor(**preparation).fit_transform([deep, flat_case()])
    one_slice = np.zeros_like(deep.mask)
    one_slice[12, 15:30, 15:30] = 1
    in_space = RadiomicsExtractor(**preparation).fit([deep])
    assert in_space.transform([deep.replace(mask=one_slice)]).shape == (1, 107)


def test_the_first_readable_case_decides_the_default_families(flat_case):
    empty = flat_case("empty").replace(mask=np.zeros((30, 30), np.uint8))
    two_labels = COHORT[0].replace(
        mask=COHORT[0].mask * 2 + np.roll(COHORT[0].mask, 15, axis=2) * (COHORT[0].mask == 0)
    )
    extractor = RadiomicsExtractor(label=2).fit([empty, two_labels])
    assert extractor.n_dimensions_ == 3
    assert not hasattr(RadiomicsExtractor().fit([empty]), "n_dimensions_")
    assert RadiomicsExtractor().fit([two_labels]).n_dimensions_ == 3  # known from the fit before
    with pytest.raises(EmptyMaskError, match="^empty: the mask outlines no voxel"):
        RadiomicsExtractor().transform([empty])


def test_a_png_without_voxel_size_is_warned_of(tmp_path, flat_case):
    pixels = flat_case().voxels[0].clip(0, 255).astype(np.uint8)
    for name, array in (("image", pixels), ("mask", flat_case().mask)):
        sitk.WriteImage(sitk.GetImageFromArray(array), str(tmp_path / f"{name}.png"))
    case = Case(tmp_path / "image.png", tmp_path / "mask.png", "p")
    with pytest.warns(RadiodeepWarning, match="A PNG has no voxel size, so 1 mm is assumed"):
        RadiomicsExtractor().fit([case])
    with pytest.warns(RadiodeepWarning, match=r"ngtdm'\].$"):
        RadiomicsExtractor().fit([case.replace(spacing_mm=(0.5, 0.5))])


@pytest.mark.parametrize("label", [None, 2])
def test_a_file_is_read_once_though_its_dimensions_are_needed_first(tmp_path, monkeypatch, label):
    image = np.random.default_rng(0).normal(size=(6, 7, 8)).astype(np.float32)
    mask = np.zeros(image.shape, np.uint8)
    mask[1:5, 1:6, 1:7] = label or 1
    for name, array in {"image": image, "mask": mask}.items():
        nibabel.save(nibabel.Nifti1Image(array.transpose(2, 1, 0), np.diag([-1, -1, 2, 1])), tmp_path / f"{name}.nii")
    read = []
    monkeypatch.setattr(cases, "read_sources", lambda *args: read.append(args) or read_sources(*args))
    on_disk = Case(tmp_path / "image.nii", tmp_path / "mask.nii", "a", mask_label=None)
    extractor = RadiomicsExtractor(bin_count=8, label=label)
    values = extractor.transform([on_disk])
    assert len(read) == 1
    in_memory = Case(image, mask, "a", spacing_mm=(2, 1, 1))
    np.testing.assert_array_equal(values, extractor.transform([in_memory]))
