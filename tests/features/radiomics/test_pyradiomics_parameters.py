"""Parameter files of pyradiomics, read strictly."""

import json

import numpy as np
import pytest

from radiodeep import RadiomicsExtractor, make_phantom_cohort
from radiodeep.exceptions import InputError

FULL = """
imageType:
  Original: {}
  LoG:
    sigma: [1.0, 3.0]
    binWidth: 5
  Wavelet: {}
featureClass:
  shape:
  firstorder: [Mean, 90Percentile]
  glcm: [Contrast]
setting:
  binWidth: 10
  interpolator: sitkLinear
  resampledPixelSpacing: [1, 1.5, 3]
  normalize: true
  normalizeScale: 100
  removeOutliers: 3
  padDistance: 8
  force2D: true
  force2Ddimension: 1
  distances: [1, 2]
  resegmentRange: [-3, 3]
  resegmentMode: sigma
  weightingNorm: euclidean
  symmetricalGLCM: false
  gldm_a: 1
  voxelArrayShift: 300
  label: 2
  minimumROIDimensions: 3
  minimumROISize: 50
  preCrop: false
  additionalInfo: true
  geometryTolerance: 0.0001
  wavelet: db2
"""


@pytest.fixture
def write(tmp_path):
    def write(text):
        path = tmp_path / "params.yaml"
        path.write_text(text)
        return path

    return write


def test_every_setting_of_a_file_reaches_the_extractor(write):
    extractor = RadiomicsExtractor.from_pyradiomics(write(FULL))
    parameters = extractor.get_params()
    expected = {
        "axes": "stored",
        "bin_width": 10.0,
        "bin_count": None,
        "families": {"shape": None, "firstorder": ["Mean", "90Percentile"], "glcm": ["Contrast"]},
        "image_types": {
            "Original": {},
            "LoG": {"sigma": [1.0, 3.0], "bin_width": 5.0},
            "Wavelet": {"wavelet": "db2"},
        },
        "force_2d": True,
        "force_2d_dimension": 1,
        "distances": (1, 2),
        "symmetrical_glcm": False,
        "weighting_norm": "euclidean",
        "gldm_alpha": 1,
        "voxel_array_shift": 300.0,
        "normalize": True,
        "normalize_scale": 100.0,
        "remove_outliers": 3.0,
        "resample_mm": (3.0, 1.5, 1.0),
        "interpolator": "linear",
        "pre_crop": False,
        "pad_distance": 8,
        "resegment_range": (-3.0, 3.0),
        "resegment_mode": "sigma",
        "label": 2,
        "minimum_roi_dimensions": 3,
        "minimum_roi_size": 50,
    }
    assert {name: parameters[name] for name in expected} == expected
    names = extractor.get_feature_names_out()
    assert len(names) == 14 + 3 * (1 + 2 + 4)  # two dimensions have four sub-bands
    assert "wavelet-LH_glcm_Contrast" in names
    assert "log-sigma-3-0-mm-3D_firstorder_90Percentile" in names


def test_an_empty_file_is_pyradiomics_with_its_defaults(write):
    extractor = RadiomicsExtractor.from_pyradiomics(write(""))
    expected = RadiomicsExtractor(axes="stored", force_2d_dimension=0, normalize_scale=1.0)
    assert extractor.get_params() == expected.get_params()


def test_json_is_read_as_well(write):
    extractor = RadiomicsExtractor.from_pyradiomics(write(json.dumps({"setting": {"binCount": 16}})))
    assert extractor.bin_count == 16


@pytest.mark.parametrize(("value", "interpolator"), [("1", "nearest"), ("2", "linear"), ("sitkGaussian", "gaussian")])
def test_an_interpolator_is_named_as_simpleitk_names_or_numbers_it(write, value, interpolator):
    extractor = RadiomicsExtractor.from_pyradiomics(write(f"setting: {{interpolator: {value}}}"))
    assert extractor.interpolator == interpolator


def test_a_spacing_in_the_plane_keeps_the_distance_of_the_slices(write):
    extractor = RadiomicsExtractor.from_pyradiomics(write("setting: {resampledPixelSpacing: [1, 2]}"))
    assert extractor.resample_mm == (0.0, 2.0, 1.0)


def test_without_an_interpolator_nothing_is_resampled(write):
    text = "setting: {interpolator: null, resampledPixelSpacing: [1, 1, 1]}"
    assert RadiomicsExtractor.from_pyradiomics(write(text)).resample_mm is None


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("settings: {binWidth: 25}", "section 'settings' is unknown. Expected setting, imageType, featureClass"),
        ("setting: {binwidth: 25}", r"setting: the key 'binwidth' is unknown. Known are binWidth.* mean 'binWidth'\?"),
        ("setting: {binWidth: '25'}", "'binWidth' must be a float > 0. Got '25' instead. YAML reads"),
        ("setting: {binWidth: 1e-3}", "YAML reads 1e-3 .* as text: write 0.001"),
        ("setting: {binWidth: 0}", "setting: 'binWidth' must be a float > 0. Got 0 instead.$"),
        ("setting: {force2D: 1}", "'force2D' must be True or False. Got 1 instead"),
        ("setting: {distances: 1}", "'distances' must be a sequence of ints from 1 to 20"),
        ("setting: {label_channel: 1}", "'label_channel' is not supported"),
        (
            "setting: {interpolator: sitkCubic}",
            "'interpolator' must be one of sitkBSpline, .*. Got 'sitkCubic' instead.$",
        ),
        ("setting: {interpolator: [1]}", r"'interpolator' must be one of sitkBSpline, .*. Got \[1\] instead.$"),
        ("setting: {interpolator: 99}", "'interpolator' must be one of sitkBSpline, .*. Got 99 instead.$"),
        (
            "setting: {weightingNorm: euclidian}",
            r"'weightingNorm' must be None or one of .* Did you mean 'euclidean'\?$",
        ),
        (
            "setting: {resampledPixelSpacing: 2}",
            r"must be a list of two or three numbers >= 0 \(x, y, z\). Got 2 instead",
        ),
        ("setting: {resampledPixelSpacing: [1, -1, 1]}", "must be a list of two or three numbers >= 0"),
        ("setting: {binWidth: 25, binWidth: 5}", "line 1: the key 'binWidth' is given twice"),
        ("setting: [binWidth]", "section 'setting' holds"),
        ("- binWidth", "it holds list"),
        ("imageType: {Sobel: {}}", "imageType: 'Sobel' is unknown. Known are Original"),
        ("imageType: {LoG: {sigmas: [1]}}", "imageType LoG: the key 'sigmas' is unknown"),
        ("imageType: {LoG: {sigma: [1.0], force2D: true}}", "image type alone is not supported"),
        ("featureClass: {glcm: [Contrasts]}", "featureClass glcm: 'Contrasts' is unknown. Known are Autocorrelation"),
        ("imageType: {LoG: 5}", "imageType LoG holds 5. Expected keys with values"),
        ("featureClass: {glcm: Contrast}", "featureClass glcm holds 'Contrast'. Expected a list of names"),
        ("setting: {binWidth: '-1'}", "Got '-1' instead. YAML reads"),
        ("featureClass: {fractal: }", "featureClass: 'fractal' is unknown"),
        ("voxelSetting: {kernelRadius: 2}", "feature maps. Take this section out, and give kernelRadius"),
        ("setting: {binWidth", "cannot be used"),
    ],
)
def test_an_unknown_key_or_a_value_of_the_wrong_kind_is_an_error_that_names_it(write, text, message):
    with pytest.raises(InputError, match=message):
        RadiomicsExtractor.from_pyradiomics(write(text))


def test_a_missing_file_is_an_error(tmp_path):
    with pytest.raises(InputError, match="does not exist"):
        RadiomicsExtractor.from_pyradiomics(tmp_path / "nothing.yaml")


@pytest.mark.pyradiomics
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::RuntimeWarning", "ignore::UserWarning")
def test_the_same_file_gives_pyradiomics_the_same_features(write):
    import SimpleITK as sitk
    from radiomics.featureextractor import RadiomicsFeatureExtractor

    path = write(FULL.replace("label: 2", "label: 1").replace("force2D: true", "force2D: false"))
    case = make_phantom_cohort(1, random_state=1)[0]
    image, mask = sitk.GetImageFromArray(case.voxels), sitk.GetImageFromArray(case.roi.astype(np.uint8))
    for volume in (image, mask):
        volume.SetSpacing(case.spacing_mm[::-1])
    theirs = RadiomicsFeatureExtractor(str(path)).execute(image, mask)
    theirs = {name: float(value) for name, value in theirs.items() if not name.startswith("diagnostics")}
    ours = RadiomicsExtractor.from_pyradiomics(path)
    values = dict(zip(ours.get_feature_names_out(), ours.transform([case])[0], strict=True))
    assert values == pytest.approx(theirs, rel=1e-6, abs=1e-5)


def test_a_file_nested_too_deeply_is_refused(tmp_path):
    path = tmp_path / "deep.yaml"
    path.write_text("[" * 5000)
    with pytest.raises(InputError, match="deep.yaml' is nested too deeply"):
        RadiomicsExtractor.from_pyradiomics(path)
