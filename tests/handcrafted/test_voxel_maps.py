"""Maps against each window measured as a region of its own, and against pyradiomics' voxel-based extraction."""

import logging
import warnings

import numpy as np
import pytest

from radiodeep.exceptions import InputError, NonFiniteIntensityError, RoiTooSmallError
from radiodeep.handcrafted.catalogue import FUNCTION_OF, feature_names
from radiodeep.handcrafted.gray_levels import GrayLevels, discretise
from radiodeep.handcrafted.neighbours import Neighbourhoods
from radiodeep.handcrafted.region import crop_region
from radiodeep.handcrafted.voxel_maps import MAP_FAMILIES, voxel_maps

SPACING_MM = (2.0, 1.0, 1.5)


@pytest.fixture(scope="module")
def lesion():
    """An image of 8 levels of width 25 and a region of one part, a voxel apart from it, and a pair of voxels."""
    image = np.random.default_rng(0).integers(-60, 140, (6, 9, 8)).astype(np.int16)
    image[2, 3:6, 2:5] = 40  # flat windows
    z, y, x = np.ogrid[:6, :9, :8]
    mask = (z - 2) ** 2 + (y - 4) ** 2 + (x - 3) ** 2 <= 7
    mask[5, 8, 7] = True
    mask[5, 0, 0:2] = True
    return image, mask


def window_features(family, image, mask, place, radius=1, flat_axis=None, distances=(1,), **settings):
    """Return the features of one window by the functions of whole regions, with the grey levels of the region."""
    region = crop_region(image, mask, SPACING_MM)
    whole = discretise(region)
    inner = tuple(slice(1, -1) for _ in range(3))
    start = [int(axis.min()) for axis in np.nonzero(mask)]
    gray = np.zeros(image.shape, whole.gray.dtype)
    gray[tuple(slice(a, a + n) for a, n in zip(start, whole.gray[inner].shape, strict=True))] = whole.gray[inner]
    reach = [0 if axis == flat_axis else radius for axis in range(3)]
    box = tuple(slice(max(p - far, 0), p + far + 1) for p, far in zip(place, reach, strict=True))
    window = crop_region(image[box], mask[box], SPACING_MM, margin=max(distances), flat_axis=flat_axis)
    levels = gray[box][mask[box]]
    # Idn, Idmn and MCC depend on the levels of the whole region; for the other families levels without voxels would
    # count as present.
    values = whole.values if family == "glcm" else np.unique(levels).astype(np.int64)
    counts = np.array([np.count_nonzero(levels == value) for value in values])
    volume = np.zeros(window.mask.shape, np.uint16)
    volume[window.mask] = np.searchsorted(values, levels) + 1
    padded = np.zeros(window.mask.shape, np.uint16)
    padded[window.mask] = levels
    window_levels = GrayLevels(volume, padded, values, counts)
    if family == "firstorder":
        return FUNCTION_OF[family](window, window_levels)
    return FUNCTION_OF[family](Neighbourhoods(window, window_levels, distances), **settings)


@pytest.mark.parametrize("family", MAP_FAMILIES)
@pytest.mark.parametrize(
    "settings",
    [{}, {"radius": 2}, {"flat_axis": 0}, {"radius": 2, "flat_axis": 2}, {"radius": 2, "distances": (1, 2)}],
    ids=["cube", "radius", "slices", "sagittal", "distances"],
)
def test_a_map_is_each_window_measured_as_a_region(family, settings, lesion):
    image, mask = lesion
    maps = voxel_maps(image, mask, SPACING_MM, feature_names([family]), **settings)
    assert maps.shape == (len(feature_names([family])), mask.sum())
    n_measured = 0
    for number, place in enumerate(np.argwhere(mask).tolist()):
        try:
            expected = window_features(family, image, mask, place, **settings)
        except RoiTooSmallError:
            continue
        n_measured += 1
        np.testing.assert_allclose(maps[:, number], expected, rtol=1e-8, atol=1e-8)
    assert n_measured > 0.7 * mask.sum()


@pytest.mark.parametrize("norm", ["infinity", "euclidean", "manhattan", "no_weighting"])
@pytest.mark.parametrize("family", ["glcm", "glrlm"])
def test_directions_are_added_up_with_weights(family, norm, lesion):
    image, mask = lesion
    mask = mask.copy()
    mask[5] = False
    maps = voxel_maps(image, mask, SPACING_MM, feature_names([family]), weighting_norm=norm)
    for number, place in enumerate(np.argwhere(mask).tolist()):
        expected = window_features(family, image, mask, place, weighting_norm=norm)
        np.testing.assert_allclose(maps[:, number], expected, rtol=1e-7, atol=1e-7)


def test_weights_of_long_steps_do_not_vanish():
    """Steps of 30 mm have a weight of exp(-900), beyond double precision, but their proportions are known."""
    image = np.arange(27).reshape(3, 3, 3) % 5 * 25
    names = feature_names(["glcm"])
    maps = [voxel_maps(image, image >= 0, (step, step, step), names, weighting_norm="infinity") for step in (0.5, 30.0)]
    np.testing.assert_allclose(maps[1], maps[0], rtol=1e-9, atol=1e-9)


def test_pairs_may_be_counted_in_one_order(lesion):
    image, mask = lesion
    maps = voxel_maps(image, mask, SPACING_MM, feature_names(["glcm"]), symmetrical_glcm=False)
    for number, place in list(enumerate(np.argwhere(mask).tolist()))[:60]:
        expected = window_features("glcm", image, mask, place, symmetrical=False)
        np.testing.assert_allclose(maps[:, number], expected, rtol=1e-7, atol=1e-7)


def test_normalised_differences_are_shares_of_the_highest_level():
    """Two voxels of levels 1 and 8, though three levels occur: Idn is 1 / (1 + 7/8), Idmn 1 / (1 + 49/64)."""
    image = np.array([[[0, 175, 0, 25]]])
    mask = np.array([[[True, True, False, True]]])
    values = voxel_maps(image, mask, SPACING_MM, ["glcm_Idn", "glcm_Idmn"])[:, 0]
    np.testing.assert_allclose(values, [8 / 15, 64 / 113])


def test_windows_of_one_and_of_two_voxels(lesion):
    image, mask = lesion
    numbers = np.full(mask.shape, -1)
    numbers[mask] = np.arange(mask.sum())
    single, pair = numbers[5, 8, 7], numbers[5, 0, 0]
    values = dict(
        zip(feature_names(MAP_FAMILIES), voxel_maps(image, mask, SPACING_MM, feature_names(MAP_FAMILIES)), strict=True)
    )
    for name in values:
        assert np.isnan(values[name][single]) == name.startswith(("glcm_", "glrlm_")), name
    assert values["firstorder_Mean"][single] == image[5, 8, 7]
    assert values["firstorder_Kurtosis"][single] == 0
    assert values["ngtdm_Coarseness"][single] == 1e6
    assert values["gldm_SmallDependenceEmphasis"][single] == 1
    alone = [name for name in values if np.isnan(values[name][pair])]
    assert alone == ["firstorder_RobustMeanAbsoluteDeviation"]
    assert values["firstorder_Mean"][pair] == image[5, 0, :2].mean()
    assert values["glcm_SumAverage"][pair] == 2 * values["glcm_JointAverage"][pair]


def test_flat_windows_have_no_texture(lesion):
    image, mask = lesion
    numbers = np.full(mask.shape, -1)
    numbers[mask] = np.arange(mask.sum())
    names = ["glcm_Correlation", "glcm_MCC", "glcm_Imc2", "glcm_JointEntropy", "glcm_Contrast", "firstorder_Skewness"]
    values = voxel_maps(image, mask, SPACING_MM, names, flat_axis=0)[:, numbers[2, 4, 3]]
    assert values.tolist() == [1, 0, 0, 0, 0, 0]  # MCC is 1 only if the whole region has one level
    (mcc,) = voxel_maps(image * 0, mask, SPACING_MM, ["glcm_MCC"])
    assert np.nanmin(mcc) == np.nanmax(mcc) == 1


def test_unmasked_windows_see_the_image_around_the_region(lesion):
    image, mask = lesion
    (masked,) = voxel_maps(image, mask, SPACING_MM, ["firstorder_Maximum"])
    (unmasked,) = voxel_maps(image, mask, SPACING_MM, ["firstorder_Maximum"], masked=False)
    for number, place in enumerate(np.argwhere(mask).tolist()):
        box = tuple(slice(max(p - 1, 0), p + 2) for p in place)
        assert masked[number] == image[box][mask[box]].max()
        assert unmasked[number] == image[box].max()


def test_a_shift_is_added_to_the_energies_alone(lesion):
    image, mask = lesion
    names = feature_names(["firstorder"])
    plain, shifted, moved = (
        dict(zip(names, voxel_maps(each, mask, SPACING_MM, names, voxel_array_shift=shift), strict=True))
        for each, shift in ((image, 0), (image, 100), (image + 100, 0))
    )
    for name in names:
        is_energy = name.endswith(("Energy", "RootMeanSquared"))
        np.testing.assert_allclose(shifted[name], (moved if is_energy else plain)[name], err_msg=name)


def test_values_do_not_depend_on_threads_nor_on_the_order_of_names(lesion):
    image, mask = lesion
    names = ["glcm_Contrast", "ngtdm_Busyness", "glcm_MCC", "glcm_Contrast"]
    one = voxel_maps(image, mask, SPACING_MM, names)
    np.testing.assert_array_equal(one, voxel_maps(image, mask, SPACING_MM, names, n_jobs=2))
    np.testing.assert_array_equal(one[::-1], voxel_maps(image, mask, SPACING_MM, names[::-1]))
    np.testing.assert_array_equal(one[0], one[3])


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"names": ["glcm_Contras"]}, "'glcm_Contras' is not a feature with a map. Did you mean 'glcm_Contrast'"),
        ({"names": ["shape_Sphericity"]}, "'shape_Sphericity' has no map: the shape of a region is not that of"),
        ({"radius": 0}, "'radius' parameter of voxel_maps must be an int from 1 to 5. Got 0"),
        ({"radius": 6}, "'radius' parameter of voxel_maps must be an int from 1 to 5. Got 6"),
        ({"masked": 1}, "'masked' parameter of voxel_maps must be True or False"),
        ({"symmetrical_glcm": None}, "'symmetrical_glcm' parameter of voxel_maps must be True or False"),
        ({"gldm_alpha": -1}, "'gldm_alpha' parameter of voxel_maps must be an int >= 0"),
        ({"distances": (0,)}, "'distances' parameter"),
        ({"bin_width": 0}, "'bin_width' parameter"),
        ({"n_jobs": 0}, "'n_jobs' parameter of voxel_maps must be None or an int other than 0"),
    ],
)
def test_wrong_settings_are_sentences(settings, message, lesion):
    with pytest.raises(InputError, match=message):
        voxel_maps(*lesion, SPACING_MM, **{"names": ["glcm_Contrast"], **settings})


def test_nan_around_the_region_is_an_error_only_if_windows_see_it(lesion):
    image, mask = lesion
    image = np.where(mask, image, np.nan)
    assert np.isfinite(voxel_maps(image, mask, SPACING_MM, ["firstorder_Mean"])).all()
    with pytest.raises(NonFiniteIntensityError, match="within 1 voxels of the region's box.*masked=True"):
        voxel_maps(image, mask, SPACING_MM, ["firstorder_Mean"], masked=False)


OUR_NAMES = {
    "binWidth": "bin_width",
    "binCount": "bin_count",
    "voxelArrayShift": "voxel_array_shift",
    "distances": "distances",
    "symmetricalGLCM": "symmetrical_glcm",
    "weightingNorm": "weighting_norm",
    "gldm_a": "gldm_alpha",
    "force2Ddimension": "flat_axis",
    "kernelRadius": "radius",
    "maskedKernel": "masked",
}


@pytest.fixture(scope="module")
def original():
    """A function (image, mask, family, batch, **settings) -> the maps of pyradiomics at the voxels of the mask."""
    sitk = pytest.importorskip("SimpleITK")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        radiomics = pytest.importorskip("radiomics")
        from radiomics import getFeatureClasses, imageoperations
    radiomics.logger.setLevel(logging.CRITICAL)

    def calculate(image, mask, family, batch, **settings):
        both = [sitk.GetImageFromArray(array) for array in (image, mask.astype(np.uint8))]
        for volume in both:
            volume.SetSpacing(SPACING_MM[::-1])
        places = np.argwhere(mask)[:, ::-1]
        box = np.stack([places.min(axis=0), places.max(axis=0)], axis=1).ravel()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            both = imageoperations.cropToTumorMask(*both, box, padDistance=settings.get("kernelRadius", 1))
            calculator = getFeatureClasses()[family](*both, label=1, voxelBased=True, voxelBatch=batch, **settings)
            calculator.enableAllFeatures()
            maps = calculator.execute()
        inside = sitk.GetArrayFromImage(both[1]) == 1
        return {f"{family}_{name}": sitk.GetArrayFromImage(values)[inside] for name, values in maps.items()}

    return calculate


def expected_maps(original, image, mask, family, **settings):
    """Return pyradiomics' maps by name, one window at a time: see `voxel_maps` on what depends on the batch."""
    return original(image, mask, family, 1, **settings, **({"force2D": True} if "force2Ddimension" in settings else {}))


@pytest.mark.pyradiomics
@pytest.mark.parametrize("family", MAP_FAMILIES)
@pytest.mark.parametrize(
    "settings",
    [
        {"binWidth": 25},
        {"binCount": 6, "voxelArrayShift": 100, "gldm_a": 1},
        {"binWidth": 10, "kernelRadius": 2},
        {"binWidth": 25, "force2Ddimension": 0},
        {"binWidth": 25, "force2Ddimension": 1, "kernelRadius": 2},
        {"binWidth": 25, "distances": [1, 2], "gldm_a": 2},
        {"binWidth": 25, "symmetricalGLCM": False},
        {"binWidth": 25, "maskedKernel": False},
    ],
    ids=lambda settings: "-".join(f"{name}={value}" for name, value in settings.items()),
)
def test_maps_are_those_of_pyradiomics(family, settings, lesion, original):
    image, mask = lesion
    expected = expected_maps(original, image, mask, family, **settings)
    ours = {OUR_NAMES[name]: value for name, value in settings.items()}
    names = feature_names([family])
    for name, values in zip(names, voxel_maps(image, mask, SPACING_MM, names, **ours), strict=True):
        np.testing.assert_allclose(values, expected[name], rtol=1e-6, atol=1e-6, err_msg=name)


@pytest.mark.pyradiomics
@pytest.mark.parametrize("norm", ["infinity", "euclidean", "manhattan", "no_weighting"])
@pytest.mark.parametrize("family", ["glcm", "glrlm"])
def test_weighted_maps_are_those_of_pyradiomics(family, norm, lesion, original):
    image, mask = lesion
    mask = mask.copy()
    mask[5, 8, 7] = False  # of a single voxel pyradiomics has NaN for most features and 0 for some
    expected = expected_maps(original, image, mask, family, binWidth=25, weightingNorm=norm)
    names = feature_names([family])
    for name, values in zip(names, voxel_maps(image, mask, SPACING_MM, names, weighting_norm=norm), strict=True):
        np.testing.assert_allclose(values, expected[name], rtol=1e-6, atol=1e-6, err_msg=name)


@pytest.mark.pyradiomics
def test_what_differs_if_pyradiomics_takes_all_windows_at_once(lesion, original):
    image, mask = lesion
    names = feature_names(["glcm"])
    maps = dict(zip(names, voxel_maps(image, mask, SPACING_MM, names), strict=True))
    expected = original(image, mask, "glcm", -1, binWidth=25)
    assert (expected["glcm_MCC"] == 0).all()  # its eigenvalues fail in the windows without pairs in a direction
    lacking = np.isnan(expected["glcm_JointAverage"])
    assert 2 < lacking.sum() < mask.sum()
    np.testing.assert_allclose(maps["glcm_JointAverage"][~lacking], expected["glcm_JointAverage"][~lacking], rtol=1e-6)
    np.testing.assert_allclose(maps["glcm_JointAverage"], maps["glcm_SumAverage"] / 2)
    for name in set(names) - {"glcm_MCC", "glcm_JointAverage"}:
        np.testing.assert_allclose(maps[name], expected[name], rtol=1e-6, atol=1e-6, err_msg=name)
