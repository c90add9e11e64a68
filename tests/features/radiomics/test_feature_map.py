"""Maps of features: which there are, where they lie in space, and that they are pyradiomics'."""

import logging
import warnings

import numpy as np
import pytest
import SimpleITK as sitk
from scipy.ndimage import minimum_filter

import radiodeep as rd
from radiodeep.exceptions import InputError

PHANTOM = rd.make_phantom_cohort(1, random_state=0)[0]
DIRECTIONS = {
    "RAS": np.diag([-1.0, -1.0, 1.0]),
    "PIR": np.array([[0.0, 0.0, -1.0], [1.0, 0.0, 0.0], [0.0, -1.0, 0.0]]),
    "oblique": np.array([[0.6, -0.8, 0.0], [0.64, 0.48, -0.6], [0.48, 0.36, 0.8]]),
}


@pytest.fixture
def position_case(tmp_path):
    """A function that writes a file whose intensity is the position of the voxel along a patient axis, in mm."""

    def write(direction, axis):
        mask = np.zeros((9, 14, 12), np.uint8)
        mask[1:8, 2:13, 1:10] = 1
        mask[1, 2, 1:4] = 0
        image = sitk.GetImageFromArray(mask)
        image.SetSpacing((1.5, 1.2, 2.0))
        image.SetOrigin((-20.0, 12.5, 30.0))
        image.SetDirection(direction.ravel())
        sitk.WriteImage(image, str(tmp_path / "mask.nii.gz"))
        places = np.indices(mask.shape).reshape(3, -1)[::-1]
        positions = np.array([-20.0, 12.5, 30.0])[:, None] + direction @ (places * np.array([[1.5], [1.2], [2.0]]))
        values = sitk.GetImageFromArray(positions[axis].reshape(mask.shape))
        values.CopyInformation(image)
        sitk.WriteImage(values, str(tmp_path / "image.nii.gz"))
        return rd.Case(tmp_path / "image.nii.gz", tmp_path / "mask.nii.gz", "n-7")

    return write


@pytest.mark.parametrize("axis", [0, 1, 2])
@pytest.mark.parametrize("direction", DIRECTIONS.values(), ids=DIRECTIONS)
@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"axes": "stored", "pre_crop": True, "pad_distance": 1},
        {"resample_mm": (1.0, 1.1, 0.9)},
        {"resample_mm": (0, 1, 1), "axes": "stored", "resample_grid": "region"},
        {"resample_mm": 1.3, "axes": "stored"},
    ],
    ids=["as it is", "cropped", "resampled", "resampled about the region", "resampled as stored"],
)
def test_a_saved_map_lies_on_the_lesion(settings, direction, axis, position_case, tmp_path):
    """The mean over a whole window of positions is the position of its centre, as another program sees it."""
    case = position_case(direction, axis)
    extractor = rd.RadiomicsExtractor(bin_count=8, interpolator="linear", families=["firstorder"], **settings)
    mean = rd.feature_map(extractor, case, "original_firstorder_Mean")
    assert mean.is_resampled == ("resample_mm" in settings)
    saved = sitk.ReadImage(str(mean.save(tmp_path / "map.nii.gz", outside=-999)))
    values = sitk.GetArrayFromImage(saved)
    inside = minimum_filter(values != -999, size=3, mode="constant")
    assert inside.sum() > 100
    places = np.argwhere(inside)[:, ::-1]
    positions = [saved.TransformIndexToPhysicalPoint(place.tolist())[axis] for place in places]
    np.testing.assert_allclose(values[inside], positions, atol=2e-3)


def test_a_map_begins_where_the_grid_does_at_the_border_of_the_image():
    """New voxels beyond the centre of the first old one, a quarter of all here, have no coordinates."""
    voxels = np.random.default_rng(0).normal(size=(3, 12, 12))
    mask = np.zeros(voxels.shape, bool)
    mask[:2] = True
    case = rd.Case(voxels, mask, "b", spacing_mm=(5.0, 1.0, 1.0))
    extractor = rd.RadiomicsExtractor(resample_mm=(1.0, 1.0, 1.0), interpolator="linear", bin_count=8)
    mean = rd.feature_map(extractor, case, "original_firstorder_Mean")
    np.testing.assert_allclose(mean.first_voxel, ((1 / 5 - 1) / 2, 0, 0), atol=1e-12)
    assert mean.spacing_mm == (1.0, 1.0, 1.0)


@pytest.mark.parametrize(
    "settings",
    [{"normalize": True}, {"resegment_range": (-9999, 9999)}, {"anti_alias": True}, {"interpolator": "lanczos"}],
    ids=lambda settings: next(iter(settings)),
)
def test_the_place_of_a_map_does_not_depend_on_intensities(settings):
    maps = [
        rd.feature_map(rd.RadiomicsExtractor(resample_mm=2.0, bin_count=8, **more), PHANTOM, "original_firstorder_Mean")
        for more in ({}, settings)
    ]
    assert maps[0].first_voxel == maps[1].first_voxel
    np.testing.assert_array_equal(maps[0].roi, maps[1].roi)
    assert not np.array_equal(maps[0].values_in_roi, maps[1].values_in_roi) or "resegment_range" in settings


def test_a_map_of_a_dicom_series_lies_on_its_slices(dicom_files, tmp_path):
    voxels = np.random.default_rng(0).integers(0, 100, (4, 6, 5))
    dicom_files.series(tmp_path, voxels, orientation=(0.6, 0.64, 0.48, -0.8, 0.48, 0.36))
    mask = np.ones((4, 6, 5), np.uint8)
    case = rd.Case(tmp_path, mask, "d-1")
    found = rd.feature_map(rd.RadiomicsExtractor(), case, "original_firstorder_Maximum")
    saved = sitk.ReadImage(str(found.save(tmp_path / "maps" / "map.nii.gz")))
    reader = sitk.ImageSeriesReader()
    reader.SetFileNames(reader.GetGDCMSeriesFileNames(str(tmp_path)))
    series = reader.Execute()
    for place in ((0, 0, 0), (4, 0, 3), (2, 5, 1)):
        position = series.TransformIndexToPhysicalPoint(place)
        np.testing.assert_allclose(
            saved.TransformContinuousIndexToPhysicalPoint(saved.TransformPhysicalPointToContinuousIndex(position)),
            position, atol=1e-4,
        )  # fmt: skip
        assert saved.GetPixel(saved.TransformPhysicalPointToIndex(position)) >= series.GetPixel(place)


def test_a_map_has_values_in_the_region_alone():
    contrast = rd.feature_map(rd.RadiomicsExtractor(), PHANTOM, "original_glcm_Contrast")
    assert (np.isfinite(contrast.values) == PHANTOM.roi).all()
    assert contrast.values[PHANTOM.roi].tolist() == contrast.values_in_roi.tolist()
    assert contrast.spacing_mm == PHANTOM.spacing_mm
    assert not contrast.is_resampled
    assert repr(contrast).startswith(
        "Map of original_glcm_Contrast of phantom-000: 3219 voxels, radius 1, 0.3556 to 9.4"
    )


def test_several_names_are_a_dict_in_their_order():
    extractor = rd.RadiomicsExtractor(image_types={"Original": {}, "LoG": {"sigma": [2.0], "bin_width": 5}})
    names = ["log-sigma-2-0-mm-3D_gldm_DependenceEntropy", "original_ngtdm_Busyness", "original_glszm_ZoneEntropy"]
    maps = rd.feature_map(extractor, PHANTOM, names, radius=2, n_jobs=2)
    assert list(maps) == names
    for name, each in maps.items():
        alone = rd.feature_map(extractor, PHANTOM, name, radius=2)
        np.testing.assert_array_equal(each.values, alone.values)
    whole = rd.RadiomicsExtractor(image_types=["LoG"]).set_params(image_types={"LoG": {"sigma": [2.0]}})
    other_bins = rd.feature_map(whole, PHANTOM, names[0], radius=2)
    assert not np.array_equal(other_bins.values_in_roi, maps[names[0]].values_in_roi)


def test_cropping_before_changes_no_voxel_of_the_map():
    names = ["original_firstorder_Mean", "original_glrlm_RunEntropy"]
    whole = rd.feature_map(rd.RadiomicsExtractor(resegment_range=(30, 90)), PHANTOM, names)
    cropped = rd.feature_map(rd.RadiomicsExtractor(resegment_range=(30, 90), pre_crop=True), PHANTOM, names)
    for name in names:
        np.testing.assert_array_equal(whole[name].values, cropped[name].values)
        np.testing.assert_array_equal(whole[name].image, cropped[name].image)


def test_unmasked_windows_see_the_surroundings():
    case = PHANTOM.replace(image=np.where(PHANTOM.roi, PHANTOM.voxels, 4000))
    names = "original_firstorder_Maximum"
    extractor = rd.RadiomicsExtractor(bin_count=16)
    assert rd.feature_map(extractor, case, names).values_in_roi.max() < 4000
    assert rd.feature_map(extractor, case, names, masked=False).values_in_roi.max() == 4000


@pytest.mark.parametrize("settings", [{"pre_crop": True}, {"resample_mm": 1.3, "interpolator": "linear"}])
def test_unmasked_windows_do_not_end_where_the_image_was_cropped(settings):
    name = "original_firstorder_Mean"
    kept, wide = (rd.RadiomicsExtractor(pad_distance=pad, **settings) for pad in (3, 9))
    maps = [rd.feature_map(each, PHANTOM, name, radius=3, masked=False).values_in_roi for each in (kept, wide)]
    np.testing.assert_allclose(*maps, rtol=1e-12)
    narrow = rd.RadiomicsExtractor(pad_distance=2, **settings)
    with pytest.raises(InputError, match="see 3 voxels around the region, but the extractor keeps 2. Raise its pad_di"):
        rd.feature_map(narrow, PHANTOM, name, radius=3, masked=False)
    assert rd.feature_map(narrow, PHANTOM, name, radius=3).radius == 3


def test_the_region_is_that_of_the_label_of_the_extractor():
    mask = PHANTOM.roi.astype(np.uint8)
    mask[: mask.shape[0] // 2] *= 2
    mean = rd.feature_map(rd.RadiomicsExtractor(label=2), PHANTOM.replace(mask=mask), "original_firstorder_Mean")
    np.testing.assert_array_equal(mean.roi, mask == 2)


def test_images_of_a_case_are_chosen_by_the_name():
    images = {"T1": PHANTOM.voxels, "T2": 2 * PHANTOM.voxels}
    case = PHANTOM.replace(image=images)
    extractor = rd.RadiomicsExtractor(families=["firstorder"])
    first, second = (f"{image}_original_firstorder_Mean" for image in images)
    maps = rd.feature_map(extractor, case, [second, first])
    np.testing.assert_allclose(maps[second].values_in_roi, 2 * maps[first].values_in_roi)
    assert maps[second].case.image_names == ()
    chosen = rd.RadiomicsExtractor(families=["firstorder"], image="T2")
    same = rd.feature_map(chosen, case, "original_firstorder_Mean")
    np.testing.assert_array_equal(same.values, maps[second].values)
    with pytest.raises(InputError, match="phantom-000: the case has the images T1, T2. Begin the name with that of"):
        rd.feature_map(extractor, case, "original_firstorder_Mean")


@pytest.mark.parametrize(
    ("name", "settings", "more", "message"),
    [
        ("original_glcm_Contras", {}, {}, "phantom-000: the extractor has no feature .* mean 'original_glcm_Contrast'"),
        ("wavelet-LLH_glcm_Contrast", {}, {}, "no feature 'wavelet-LLH_glcm_Contrast'.* families and image_types"),
        ("original_shape_Sphericity", {}, {}, "has no map: the shape of a region is not that of a neighbourhood"),
        ("original_margin_Contrast", {"families": ["margin"]}, {}, "has no map: the family margin is not that of"),
        ("original_glcm_Contrast", {"engine": "pyradiomics"}, {}, "computed by radiodeep. Leave out engine='pyradi"),
        ("original_glcm_Contrast", {}, {"radius": 1.5}, "'radius' parameter of feature_map must be an int from 1 to 5"),
        ("original_glcm_Contrast", {}, {"masked": None}, "'masked' parameter of feature_map must be True or False"),
        ("original_glcm_Contrast", {}, {"n_jobs": 0}, "'n_jobs' parameter of feature_map must be None or an int other"),
        ([], {}, {}, "'name' parameter of feature_map must be a name or a sequence of names"),
        (3, {}, {}, "'name' parameter of feature_map must be a name or a sequence of names"),
        ("original_glcm_Contrast", {"bin_width": -1}, {}, "'bin_width' parameter of RadiomicsExtractor"),
        ("original_glcm_Contrast", {"minimum_roi_size": 9999}, {}, "phantom-000: The region has 3219 voxels"),
    ],
)
def test_what_has_no_map_is_refused_in_words(name, settings, more, message):
    with pytest.raises(InputError, match=message):
        rd.feature_map(rd.RadiomicsExtractor(**settings), PHANTOM, name, **more)


def test_other_things_than_extractors_and_cases_are_refused():
    with pytest.raises(InputError, match="'extractor' parameter of feature_map must be a RadiomicsExtractor"):
        rd.feature_map(rd.ReliefF(), PHANTOM, "original_glcm_Contrast")
    with pytest.raises(InputError, match="'case' parameter of feature_map must be a Case"):
        rd.feature_map(rd.RadiomicsExtractor(), PHANTOM.voxels, "original_glcm_Contrast")


def test_definitions_of_ibsi_are_refused():
    extractor = rd.RadiomicsExtractor(convention="ibsi")
    with pytest.raises(InputError, match="Got convention='ibsi' instead; give .* such as 'original_glcm_Contrast'"):
        rd.feature_map(extractor, PHANTOM, "original_glcm_Contrast")


def test_maps_of_arrays_cannot_be_saved_as_their_place_is_unknown(tmp_path):
    for settings in ({}, {"resample_mm": 2.0}):
        mean = rd.feature_map(rd.RadiomicsExtractor(**settings), PHANTOM, "original_firstorder_Mean")
        with pytest.raises(InputError, match="phantom-000: the image is an array, whose place in space is unknown"):
            mean.save(tmp_path / "map.nii.gz")
        with pytest.raises(InputError, match="'path' parameter of .* must be a file that ends in"):
            mean.save(tmp_path / "map.png")


def test_values_beyond_single_precision_are_saved_in_double(position_case, tmp_path):
    case = position_case(DIRECTIONS["RAS"], 0)
    huge = case.replace(image=tmp_path / "huge.nii.gz")
    image = sitk.ReadImage(str(case.image))
    sitk.WriteImage(image * 1e30, str(huge.image))
    energy = rd.feature_map(rd.RadiomicsExtractor(bin_count=8), huge, "original_firstorder_Energy")
    saved = sitk.GetArrayFromImage(sitk.ReadImage(str(energy.save(tmp_path / "map.nrrd", outside=np.nan))))
    assert np.count_nonzero(np.isfinite(saved)) == energy.values_in_roi.size
    assert np.nanmax(saved) == energy.values_in_roi.max() > 1e60
    mean = rd.feature_map(rd.RadiomicsExtractor(bin_count=8), huge, "original_firstorder_Mean")
    assert sitk.ReadImage(str(mean.save(tmp_path / "map.nii.gz"))).GetPixelID() == sitk.sitkFloat32


def test_what_is_written_outside_is_a_number(tmp_path):
    mean = rd.feature_map(rd.RadiomicsExtractor(), PHANTOM, "original_firstorder_Mean")
    with pytest.raises(InputError, match="'outside' parameter of FeatureMap.save must be a float, or NaN. Got None"):
        mean.save(tmp_path / "map.nii.gz", outside=None)


@pytest.fixture(scope="module")
def original():
    """A function (case, types, settings) -> the maps of pyradiomics' extractor, sitk images by name."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        radiomics = pytest.importorskip("radiomics")
        from radiomics import featureextractor
    radiomics.logger.setLevel(logging.CRITICAL)

    def calculate(case, types, families, **settings):
        image, mask = (sitk.GetImageFromArray(array) for array in (case.voxels, case.roi.astype(np.uint8)))
        for volume in (image, mask):
            volume.SetSpacing([float(step) for step in case.spacing_mm[::-1]])
        extractor = featureextractor.RadiomicsFeatureExtractor(additionalInfo=False, **settings)
        extractor.disableAllImageTypes()
        for name, own in types.items():
            extractor.enableImageTypeByName(name, customArgs=own)
        extractor.disableAllFeatures()
        for family, names in families.items():
            extractor.enableFeaturesByName(**{family: names})
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return extractor.execute(image, mask, voxelBased=True)

    return calculate


FEATURES = {
    "firstorder": ["Mean", "RobustMeanAbsoluteDeviation", "TotalEnergy"],
    "glcm": ["Contrast", "Idn", "Imc1"],
    "glrlm": ["RunEntropy"],
    "glszm": ["ZoneEntropy"],
    "gldm": ["DependenceVariance"],
    "ngtdm": ["Busyness"],
}


@pytest.mark.pyradiomics
@pytest.mark.parametrize(
    ("types", "settings", "theirs"),
    [
        ({"Original": {}, "Square": {}}, {"bin_width": 10.0}, {"binWidth": 10}),
        (
            {"Wavelet": {}},
            {"bin_count": 12, "force_2d": True, "force_2d_dimension": 0},
            {"binCount": 12, "force2D": True},
        ),
        (
            {"Original": {}},
            {"resample_mm": (2.0, 1.5, 1.5), "normalize": True, "bin_width": 20.0},
            {"resampledPixelSpacing": [1.5, 1.5, 2.0], "normalize": True, "normalizeScale": 100, "binWidth": 20},
        ),
        (
            {"Original": {}},
            {"resegment_range": (30.0, 120.0), "bin_width": 5.0},
            {"resegmentRange": [30, 120], "binWidth": 5},
        ),
    ],
    ids=["squared", "wavelets in slices", "resampled", "resegmented"],
)
def test_maps_are_those_of_pyradiomics_extractor(types, settings, theirs, original):
    case = PHANTOM.replace(image=np.round(PHANTOM.voxels).astype(np.float64))
    expected = original(case, types, FEATURES, voxelBatch=200, kernelRadius=1, **theirs)
    extractor = rd.RadiomicsExtractor(image_types=types, families=FEATURES, **settings)
    names = list(extractor.get_feature_names_out())
    assert set(names) == set(expected)
    maps = rd.feature_map(extractor, case, names)
    for name in names:
        theirs_in_roi, spacing = sitk.GetArrayFromImage(expected[name]), expected[name].GetSpacing()[::-1]
        first = maps[name]
        np.testing.assert_allclose(first.spacing_mm, spacing)
        begin = (np.array(expected[name].GetOrigin()[::-1]) / case.spacing_mm - first.first_voxel) * case.spacing_mm
        begin = np.round(begin / np.array(spacing)).astype(int)  # of pyradiomics' crop in the map
        box = tuple(slice(max(b, 0), b + n) for b, n in zip(begin, theirs_in_roi.shape, strict=True))
        ours, inside = first.values[box], first.roi[box]
        assert inside.sum() == first.roi.sum()
        their_box = tuple(slice(max(-b, 0), max(-b, 0) + n) for b, n in zip(begin, ours.shape, strict=True))
        found = theirs_in_roi[their_box][inside]
        np.testing.assert_allclose(ours[inside], found, rtol=1e-6, atol=1e-6, err_msg=name)
