"""What radiodeep adds to pyradiomics' settings: anatomical axes, fields of view, slices, units."""

import json
import warnings

import nibabel as nib
import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from radiodeep import Case, RadiomicsExtractor, extract_table, make_phantom_cohort
from radiodeep.exceptions import InputError, RadiodeepWarning, RoiTooSmallError
from radiodeep.features.radiomics.dependence import looks_at_whole_image
from radiodeep.features.radiomics.settings import RadiomicsSettings
from radiodeep.imaging.crop import crop_to_roi

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
SCALED = ("Square", "SquareRoot", "Logarithm", "Exponential")


@pytest.fixture(scope="module")
def lesion():
    """Return a lesion off the centre of a wide image, whose other parts are brighter and darker."""
    generator = np.random.default_rng(4)
    texture = gaussian_filter(generator.normal(size=(24, 90, 84)), 1)
    places = np.indices(texture.shape) - np.array([11, 40, 38])[:, None, None, None]
    mask = (places**2 / np.array([5.0, 9, 12])[:, None, None, None] ** 2).sum(axis=0) < 1
    image = texture / texture.std() * 20 + 60 + 50 * mask
    image[:, :, 70:] = -200
    image[:, :3] += 400
    return Case(image, mask, "lesion", spacing_mm=(2.0, 0.875, 1.125))


def values_of(case, **settings):
    extractor = RadiomicsExtractor(**settings)
    return dict(zip(extractor.get_feature_names_out(), extractor.transform([case])[0], strict=True))


def stored_as(case, codes, folder):
    """Write an image in LPS order as a file with axes (x, y, z) in other directions."""
    spacing = np.array(case.spacing_mm[::-1])
    volume = []
    for array in (case.voxels, case.roi.astype(np.uint8)):
        image = nib.Nifti1Image(array.T, np.diag([-spacing[0], -spacing[1], spacing[2], 1]))
        axes = nib.orientations.ornt_transform(
            nib.orientations.io_orientation(image.affine), nib.orientations.axcodes2ornt(codes)
        )
        volume.append(image.as_reoriented(axes))
    paths = [folder / f"{codes}_{name}.nii" for name in ("image", "mask")]
    for image, path in zip(volume, paths, strict=True):
        nib.save(image, path)
    return Case(*paths, case.id)


@pytest.mark.parametrize("codes", ["LPS", "RAS", "PSR", "SRP"])
def test_features_do_not_hang_on_how_the_file_is_stored(lesion, codes, tmp_path):
    settings = {"image_types": TYPES, "bin_count": 16, "force_2d": True, "resample_mm": (0, 1.4, 1.4)}
    case = stored_as(lesion, codes, tmp_path)
    for asked in ({}, settings):
        expected = values_of(lesion, **asked)
        assert values_of(case, **asked) == expected


def test_stored_axes_are_those_of_the_file(lesion, tmp_path):
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
    in_file, in_body = ([one[name] for name in diameters] for one in (values, anatomical))
    assert sorted(in_file) == pytest.approx(sorted(in_body))
    assert in_file != pytest.approx(in_body, rel=0.01)


@pytest.mark.parametrize("thick", [0, 1, 2])
def test_slices_are_those_of_the_acquisition(lesion, thick):
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


def test_the_shape_in_the_plane_is_that_of_the_acquired_slice(lesion):
    mask = np.zeros_like(lesion.roi)
    mask[:, :, 38] = lesion.roi[:, :, 38]
    sagittal = lesion.replace(mask=mask, spacing_mm=(0.9, 0.9, 3.0))
    area = values_of(sagittal, families=["shape2D"])["original_shape2D_PixelSurface"]
    assert area == pytest.approx(mask.sum() * 0.81)
    with pytest.raises(InputError, match="^lesion: The region has 9 slices across axis 0. .*'shape2D' need one"):
        values_of(sagittal, families=["shape2D"], force_2d_dimension=0)


FIELD_OF_VIEW = {
    "image": {"normalize": True},
    "percentiles": {"normalize": True, "normalize_over": "percentiles"},
    "body": {"normalize": True, "normalize_over": "body"},
    "ring": {"normalize": True, "normalize_over": "ring", "ring_mm": 8.0},
    "region": {"normalize": True, "normalize_over": "region"},
    "scaled by the image": {"image_types": list(SCALED)},
    "scaled by the region": {"image_types": {name: {"scale_by": "region"} for name in SCALED}},
    "scaled by a number": {"image_types": {name: {"scale_by": 300.0} for name in SCALED}},
    "corner": {"resample_mm": 1.7},
    "grid of the region": {"resample_mm": 1.7, "resample_grid": "region"},
    "none": {},
}


@pytest.mark.parametrize("name", FIELD_OF_VIEW)
def test_only_named_settings_depend_on_the_field_of_view(lesion, name):
    settings = {**FIELD_OF_VIEW[name], "families": ["firstorder", "glcm"], "bin_count": 16}
    if "normalize" in settings:
        settings["bin_count"] = None
        settings["bin_width"] = 10
    whole, crop = values_of(lesion, **settings), values_of(crop_to_roi(lesion, 24.0), **settings)
    changed = sum(whole[one] != pytest.approx(crop[one], rel=1e-6, abs=1e-9) for one in whole)
    depends = name in ("image", "percentiles", "body", "scaled by the image", "corner")
    assert (changed > 0) == depends
    extractor = RadiomicsExtractor(**settings)
    is_expected = depends and name != "corner"
    assert looks_at_whole_image(RadiomicsSettings.of(extractor)) == is_expected
    assert ("field" in extractor.acquisition_needs()) == is_expected


def test_a_ring_that_the_image_cuts_is_warned_of_with_the_way_out(lesion):
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
def test_a_part_without_voxels_is_an_error_with_the_way_out(settings, message):
    full = Case(np.ones((6, 6, 6)), np.ones((6, 6, 6), bool), "full", spacing_mm=(1, 1, 1))
    with pytest.raises(RoiTooSmallError, match=message):
        RadiomicsExtractor(normalize=True, **settings).transform([full])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"axes": "lps"}, "'axes' parameter of RadiomicsExtractor must be one of anatomical, stored. Got 'lps'"),
        ({"normalize_over": "lung"}, "'normalize_over' parameter .* one of image, percentiles, body, ring, region"),
        ({"ring_mm": 0}, "'ring_mm' parameter .* must be a float > 0"),
        ({"anti_alias": 1}, "'anti_alias' parameter .* must be True or False"),
        ({"resample_grid": "centre"}, "'resample_grid' parameter .* must be one of corner, region"),
        ({"force_2d_dimension": 3}, "'force_2d_dimension' parameter .* must be None, 0, 1 or 2"),
    ],
)
def test_wrong_settings_are_refused(changes, message):
    with pytest.raises(InputError, match=message):
        RadiomicsExtractor(**changes).fit([])


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (
            {"normalize": True, "normalize_over": "ring"},
            "no normalize_over='ring'. Use engine='radiodeep', or normalize",
        ),
        ({"resample_mm": 2.0, "anti_alias": True}, "pyradiomics has no anti_alias=True"),
        ({"resample_mm": 2.0, "resample_grid": "region"}, "pyradiomics has no resample_grid='region'"),
        ({"image_types": {"Gradient": {"in_plane": True}}}, "pyradiomics has no in_plane=True"),
        ({"image_types": {"Square": {"scale_by": 5}}}, "pyradiomics has no scale_by=5. .* or scale_by='image'"),
        ({"image_types": {"Original": {"bin_width": {"original": 5.0}}}}, "has one bin_width for each image type"),
    ],
)
def test_pyradiomics_is_not_asked_for_what_it_does_not_have(lesion, settings, message):
    with pytest.raises(InputError, match=f"^lesion: .*{message}"):
        RadiomicsExtractor(engine="pyradiomics", **settings).transform([lesion])


def test_filters_in_the_plane_see_one_slice(lesion):
    mask = np.zeros_like(lesion.roi)
    mask[11] = lesion.roi[11]
    noise = np.random.default_rng(0).normal(60, 300, lesion.voxels.shape)
    noise[11] = lesion.voxels[11]
    one, other = lesion.replace(mask=mask), lesion.replace(mask=mask, image=noise)
    types = {"LoG": {"sigma": [1.0, 3.0], "in_plane": True}, "Gradient": {"in_plane": True}}
    values = values_of(one, families=["firstorder", "glcm"], image_types=types, bin_count=16)
    assert values == values_of(other, families=["firstorder", "glcm"], image_types=types, bin_count=16)
    images = dict.fromkeys(name.split("_")[0] for name in values)
    assert list(images) == ["log-sigma-1-0-mm-2D", "log-sigma-3-0-mm-2D", "gradient-2D"]
    in_space = {"LoG": {"sigma": [1.0, 3.0]}, "Gradient": {}}
    for case in (one, other):  # force_2d alone leaves them in space
        values = values_of(case, families=["firstorder"], image_types=in_space, bin_count=16, force_2d=True)
        assert values == values_of(case, families=["firstorder"], image_types=in_space, bin_count=16)


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"bin_count": 16},
        {"normalize": True, "bin_width": 10},
        {"resegment_range": [-2, 2], "resegment_mode": "sigma", "bin_count": 16},
        {"resegment_range": [60, 130]},
        {"image_types": {**TYPES, "Square": {"bin_count": 16}}},
        {"image_types": TYPES, "bin_count": 16, "families": ["firstorder", "glcm", "ngtdm"]},
        {"image_types": {name: {"scale_by": 300.0} for name in SCALED}, "bin_count": 16},
        {"image_types": {"LBP2D": {"lbp2DMethod": "var"}}, "bin_count": 16},
    ],
)
@pytest.mark.filterwarnings("ignore:.*grey level:radiodeep.exceptions.RadiodeepWarning")
def test_features_bound_to_the_unit_are_those_that_change_with_it(lesion, settings):
    extractor = RadiomicsExtractor(**settings)
    bound = extractor.unit_bound_features()
    names = extractor.get_feature_names_out()
    assert bound == [name for name in names if name in set(bound)]
    image = np.abs(lesion.voxels)
    one, double = (extractor.transform([lesion.replace(image=image * factor)])[0] for factor in (1.0, 1.6))
    kept = [name for name in names if name not in set(bound)]
    differ = {name for name, a, b in zip(names, one, double, strict=True) if a != pytest.approx(b, rel=1e-6, abs=1e-9)}
    assert not differ & set(kept)
    assert len(differ) >= 0.9 * len(bound)  # some bound ones happen not to change, e.g. a count of runs
    causes = [need for need in extractor.acquisition_needs() if need.startswith("intensity")]
    assert bool(causes) == any("_firstorder_" not in name for name in bound)


@pytest.mark.parametrize(
    ("settings", "needs"),
    [
        ({"bin_count": 16}, {"spacing"}),
        ({"bin_count": 16, "resample_mm": 1.0}, set()),
        ({"bin_count": 16, "resample_mm": [1.0]}, set()),
        ({"bin_count": 16, "resample_mm": 0}, {"spacing"}),
        ({"bin_count": 16, "resample_mm": (0, 1, 1)}, {"spacing_z"}),
        ({"bin_count": 16, "resample_mm": (0, 1, 0), "axes": "stored"}, {"stored_z", "stored_x", "orientation"}),
        ({"bin_count": 16, "force_2d": True}, {"spacing", "plane"}),
        ({"bin_count": 16, "force_2d": True, "force_2d_dimension": 0}, {"spacing"}),
        ({"families": ["shape2D"]}, {"spacing", "plane"}),
        ({"bin_count": 16, "image_types": ["LBP2D"]}, {"spacing", "plane"}),
        ({"bin_count": 16, "image_types": {"Gradient": {"in_plane": True}}}, {"spacing", "plane"}),
        ({"families": ["shape"], "resegment_range": [0, 50]}, {"spacing", "intensity_range"}),
        ({"families": ["glcm"], "resegment_range": [0, 50]}, {"spacing", "intensity_range", "intensity"}),
        ({"families": ["firstorder"]}, {"spacing"}),
        ({"bin_count": 16, "image_types": ["Logarithm"]}, {"spacing", "field", "intensity_function"}),
        ({}, {"spacing", "intensity"}),
        ({"normalize": True}, {"spacing", "field"}),
        ({"bin_count": 16, "axes": "stored"}, {"spacing", "orientation"}),
    ],
)
def test_an_extractor_says_what_images_must_share(settings, needs):
    assert RadiomicsExtractor(**settings).acquisition_needs() == needs


def test_an_extractor_saved_before_computes_as_it_did(lesion, tmp_path):
    extractor = RadiomicsExtractor(families=["shape", "glcm"], force_2d_dimension=0, axes="stored")
    cases = make_phantom_cohort(2, random_state=0)
    extractor.fit_transform(cases)
    new = ("axes", "normalize_over", "ring_mm", "anti_alias", "resample_grid")
    state = {name: value for name, value in extractor.__getstate__().items() if name not in new}
    trained = json.loads(state["training_settings_"])
    state["training_settings_"] = json.dumps({name: value for name, value in trained.items() if name not in new})
    restored = RadiomicsExtractor.__new__(RadiomicsExtractor)
    restored.__setstate__(state)
    assert restored.get_params() == extractor.get_params()
    restored.check_training_settings()
    sagittal = stored_as(lesion, "SRP", tmp_path)
    np.testing.assert_array_equal(restored.transform([sagittal]), extractor.transform([sagittal]))


def test_scans_without_a_unit_that_scanners_scaled_differently_are_warned_of():
    cohort = make_phantom_cohort(3, random_state=0)
    scans = [
        case.replace(image=((case.voxels + 300) * scale).astype(np.int16))
        for case, scale in zip(cohort, (0.5, 1.0, 2.6), strict=True)
    ]
    with pytest.warns(RadiodeepWarning, match=r"^RadiomicsExtractor: The images have no known unit .*\(phantom-002\)"):
        extract_table(RadiomicsExtractor(), scans)
    with pytest.warns(RadiodeepWarning, match="no known unit"):
        RadiomicsExtractor().fit_transform(scans)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        extract_table(RadiomicsExtractor(bin_count=32), scans)
        ring = {"normalize": True, "normalize_over": "ring", "ring_mm": 3.0}
        extract_table(RadiomicsExtractor(bin_width=10, **ring), scans)
        extract_table(RadiomicsExtractor(), [scan.replace(image=scan.voxels - 200) for scan in scans])
