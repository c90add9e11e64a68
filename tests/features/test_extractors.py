"""Both extractors keep scikit-learn's manners, name the case that fails, and never use a silent random network."""

import pickle
import warnings

import numpy as np
import pytest
import SimpleITK as sitk
import torch
from safetensors.torch import load_file, save_file
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV, LeaveOneOut, cross_val_predict
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline

from radiodeep import Case, DeepFeatureExtractor, FineTuning, RadiomicsExtractor, extract_table, make_phantom_cohort
from radiodeep.exceptions import (
    EmptyMaskError,
    InputError,
    LabelNotFoundError,
    NonFiniteIntensityError,
    RadiodeepWarning,
    RoiTooSmallError,
    WeightsError,
)
from radiodeep.features.deep.extractor import CHANNELS
from radiodeep.handcrafted.catalogue import DEFAULT_FAMILIES
from radiodeep.imaging.crop import bounding_box, crop_to_roi, exact_window, resize_planes
from radiodeep.imaging.cube import cube_about, resize_cube
from radiodeep.imaging.planes import lesion_planes
from radiodeep.imaging.resample import resample
from radiodeep.networks.architectures.registry import build_network
from radiodeep.networks.inference.activations import forward_features
from radiodeep.networks.weights.loading import load_weights

COHORT = make_phantom_cohort(8, random_state=2)
EXTRACTORS = [RadiomicsExtractor(families=["shape", "glcm"]), DeepFeatureExtractor(window="crop", size=48)]


@pytest.mark.parametrize("extractor", EXTRACTORS)
class TestManners:
    def test_one_row_per_case_and_one_name_per_column(self, extractor):
        values = extractor.fit(COHORT).transform(COHORT)
        assert values.dtype == np.float64
        assert values.shape == (8, len(extractor.get_feature_names_out()))
        assert np.isfinite(values).all()
        assert len(set(extractor.get_feature_names_out())) == values.shape[1]

    def test_a_list_of_cases_gives_the_same_as_a_cohort_and_order_does_not_matter(self, extractor):
        together = extractor.transform(COHORT)
        alone = np.vstack([extractor.transform([case]) for case in reversed(COHORT)])[::-1]
        np.testing.assert_allclose(together, alone, rtol=1e-5, atol=1e-6)

    def test_clone_pickle_and_set_params(self, extractor):
        expected = extractor.transform(COHORT[:2])
        for copy in (clone(extractor), pickle.loads(pickle.dumps(extractor))):
            np.testing.assert_array_equal(copy.transform(COHORT[:2]), expected)
        changed = clone(extractor).set_params(
            **next(iter([{"families": ["shape"]}, {"window": "exact"}][isinstance(extractor, DeepFeatureExtractor) :]))
        )
        assert not np.array_equal(changed.transform(COHORT[:2]).ravel()[:5], expected.ravel()[-5:])
        assert changed.get_params() != extractor.get_params()

    def test_it_works_in_leave_one_out_and_grid_search(self, extractor):
        model = make_pipeline(clone(extractor), GaussianNB())
        assert cross_val_predict(model, COHORT, COHORT.labels, cv=LeaveOneOut()).shape == (8,)
        name, values = (
            ("deepfeatureextractor__window", ["exact", "crop"])
            if isinstance(extractor, DeepFeatureExtractor)
            else ("radiomicsextractor__families", [["shape"], ["glcm"]])
        )
        search = GridSearchCV(model, {name: values}, cv=2).fit(COHORT, COHORT.labels)
        assert search.best_params_[name] in values

    def test_a_failing_case_is_named(self, extractor):
        empty = COHORT[3].replace(mask=np.zeros_like(COHORT[3].mask))
        with pytest.raises(EmptyMaskError, match="^phantom-003: the mask outlines no voxel"):
            extractor.transform([COHORT[0], empty])

    def test_what_is_no_case_is_refused(self, extractor):
        with pytest.raises(InputError, match="Expected a Cohort or a list of cases"):
            extractor.transform(np.zeros((3, 2)))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"bin_width": -1}, "'bin_width' parameter of RadiomicsExtractor must be a float > 0. Got -1"),
        ({"bin_count": 2.5}, "'bin_count' parameter"),
        ({"families": ["glrlmm", "shape"]}, r"'families' parameter of .* Did you mean 'glrlm'\?"),
        ({"families": ["GLCM"]}, r"Got \['GLCM'\] instead. Did you mean 'glcm'\?"),
        ({"families": "glcm"}, r"Got 'glcm' instead. Did you mean \['glcm'\]\?"),
        ({"families": 5}, "or a dict from them to lists of names. Got 5 instead.$"),
        ({"families": ["zzz"]}, r"Got \['zzz'\] instead.$"),
        ({"families": {"glcm": ["Kontrast"]}}, "do not exist: glcm_Kontrast.* Did you mean 'glcm_Contrast'"),
        ({"image_types": ["wavelet", "Original"]}, "'image_types' parameter .* Did you mean 'Wavelet'"),
        ({"image_types": "LOG"}, r"'image_types' parameter .* Did you mean \['LoG'\]"),
    ],
)
def test_wrong_settings_of_radiomics_are_refused_in_fit(changes, message):
    with pytest.raises(InputError, match=message):
        RadiomicsExtractor(**changes).fit(COHORT)


def test_one_grey_level_is_a_warning_with_the_way_out():
    flat = COHORT[0].replace(image=COHORT[0].image / 1000)
    with pytest.warns(RadiodeepWarning, match=r"phantom-000: all intensities .* one grey level.*bin_count=32"):
        RadiomicsExtractor(bin_width=25).transform([flat.replace(image=np.abs(flat.image))])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        RadiomicsExtractor(bin_count=32).transform([flat])


def test_a_region_of_one_voxel_is_named():
    mask = np.zeros((5, 5, 5), bool)
    mask[2, 2, 2] = True
    with pytest.raises(RoiTooSmallError, match="^dot: "):
        RadiomicsExtractor().transform([Case(np.zeros((5, 5, 5)), mask, "dot", (1, 1, 1))])


def test_resampling_inside_the_extractor_is_resampling_before():
    inside = RadiomicsExtractor(resample_mm=2.0, interpolator="linear").transform(COHORT[:1])
    before = RadiomicsExtractor().transform([resample(COHORT[0], 2.0, "linear")])
    np.testing.assert_allclose(inside, before)


def test_no_network_without_weights():
    with pytest.raises(WeightsError, match="no packaged weights of 'resnet18'"):
        DeepFeatureExtractor("resnet18").fit(COHORT)
    with pytest.raises(WeightsError, match="seed"):
        DeepFeatureExtractor("resnet18", weights="random").fit(COHORT)
    with pytest.raises(InputError, match="There is no network 'resnet999'"):
        DeepFeatureExtractor("resnet999", weights="random", seed=0).fit(COHORT)


def test_weights_from_a_file_give_the_features_of_that_network(tmp_path):
    network = build_network("resnet18", n_classes=0)
    save_file({name: tensor.contiguous() for name, tensor in network.state_dict().items()}, tmp_path / "w.safetensors")
    deep = DeepFeatureExtractor("resnet18", weights=str(tmp_path / "w.safetensors"), channel="red")
    values = deep.fit_transform(COHORT[:2])
    assert values.shape == (2, 512)
    again = DeepFeatureExtractor("resnet18", weights=network.state_dict(), channel="red").transform(COHORT[:2])
    np.testing.assert_allclose(values, again, rtol=1e-5)


def test_the_channels_are_independent(tmp_path):
    features = {
        channel: DeepFeatureExtractor("resnet18", weights="random", seed=0, channel=channel).transform(COHORT[:1])
        for channel in CHANNELS
    }
    assert len({tuple(np.round(values.ravel(), 5)) for values in features.values()}) == 4


def test_weights_that_changed_since_fit_are_refused(tmp_path):
    path = tmp_path / "mini.safetensors"
    state = build_network("radiodeep-mini", in_channels=1, n_classes=0).state_dict()
    save_file(state, path)
    deep = DeepFeatureExtractor("radiodeep-mini", weights=str(path)).fit(COHORT)
    state = {name: tensor + 1 if tensor.is_floating_point() else tensor for name, tensor in load_file(path).items()}
    save_file(state, path)
    with pytest.raises(WeightsError, match="have changed since the model was fitted"):
        deep.transform(COHORT[:1])


def test_the_exact_window_without_a_margin_does_not_see_the_surroundings():
    case = COHORT[0]
    z = int(np.argmax(case.roi.sum(axis=(1, 2))))
    rows, columns = (np.flatnonzero(case.roi[z].any(axis=axis)) for axis in (1, 0))
    image = np.full_like(case.voxels, 999)
    box = (slice(None), slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1))
    image[box] = case.voxels[box]
    exact = DeepFeatureExtractor(window="exact", margin=0, n_boxes=1)
    crop = DeepFeatureExtractor(window="crop")
    other = case.replace(image=image)
    np.testing.assert_array_equal(exact.transform([case]), exact.transform([other]))
    assert not np.allclose(crop.transform([case]), crop.transform([other]))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"window": "box"}, "'window' parameter of DeepFeatureExtractor must be one of exact, crop"),
        ({"size": 0}, "'size' parameter"),
        ({"channel": "pink"}, "'channel' parameter"),
        ({"intensity_range": (5, 5)}, "low < high"),
        ({"channel": "red"}, "takes 1 channel"),
        ({"network": "arch2-slices", "weights": "random", "seed": 0}, "reads all slices of a lesion at once"),
    ],
)
def test_wrong_settings_of_deep_features_are_refused(changes, message):
    with pytest.raises(InputError, match=message):
        DeepFeatureExtractor(**changes).fit(COHORT)


def test_a_fixed_intensity_range_keeps_brightness():
    deep = DeepFeatureExtractor(intensity_range=(-200, 400))
    case = COHORT[0]
    brighter = case.replace(image=case.voxels + 50)
    assert not np.allclose(deep.transform([case]), deep.transform([brighter]))
    own = DeepFeatureExtractor()
    np.testing.assert_allclose(own.transform([case]), own.transform([brighter]), atol=1e-5)


def test_an_error_in_a_derived_image_names_it():
    image = np.random.default_rng(0).normal(0, 50, (12, 20, 20))
    image[0] = np.nan  # outside the region, but within reach of the filter
    mask = np.zeros(image.shape, bool)
    mask[4:8, 5:15, 5:15] = True
    case = Case(image, mask, "torn", spacing_mm=(3, 1, 1))
    assert np.isfinite(RadiomicsExtractor().transform([case])).all()
    with pytest.raises(NonFiniteIntensityError, match="torn: in the derived image 'log-sigma-2-0-mm-3D'"):
        RadiomicsExtractor(image_types={"LoG": {"sigma": [2.0]}}).transform([case])


def test_shape_is_the_same_whatever_the_order_of_the_image_types_and_comes_once():
    case = COHORT[0]
    plain = RadiomicsExtractor(families=["shape", "glcm"]).transform([case])[0]
    both = RadiomicsExtractor(families=["shape", "glcm"], image_types=["Square", "Original"])
    values = dict(zip(both.get_feature_names_out(), both.transform([case])[0], strict=True))
    assert sum("_shape_" in name for name in values) == 14
    names = RadiomicsExtractor(families=["shape", "glcm"]).get_feature_names_out()
    np.testing.assert_array_equal([values[name] for name in names], plain)


def test_single_features_are_those_of_the_whole_families():
    case = COHORT[0]
    chosen = RadiomicsExtractor(families={"glcm": ["Contrast", "MCC"], "shape": None})
    names = chosen.get_feature_names_out().tolist()
    assert len(names) == 16
    whole = RadiomicsExtractor()
    values = dict(zip(whole.get_feature_names_out(), whole.transform([case])[0], strict=True))
    np.testing.assert_array_equal(chosen.transform([case])[0], [values[name] for name in names])


def test_an_image_type_may_have_bins_of_its_own():
    case = COHORT[0]
    mixed = RadiomicsExtractor(families=["glcm"], image_types={"Original": {}, "Square": {"bin_width": 2.0}})
    alone = RadiomicsExtractor(families=["glcm"], image_types=["Square"], bin_width=2.0)
    np.testing.assert_array_equal(mixed.transform([case])[0][24:], alone.transform([case])[0])
    with pytest.raises(InputError, match="'bin_width' of Square must be a float > 0"):
        RadiomicsExtractor(image_types={"Square": {"bin_width": 0}}).fit([case])


@pytest.mark.parametrize(
    ("settings", "error", "message"),
    [
        ({"minimum_roi_dimensions": 3}, RoiTooSmallError, "flat: The region spans 1 x 8 x 8 voxels"),
        ({"minimum_roi_size": 64}, RoiTooSmallError, "flat: The region has 64 voxels. Expected more than minimum_roi"),
        ({"label": 2}, LabelNotFoundError, "flat: the mask has no voxel of label 2"),
        ({"resegment_range": [1e6]}, RoiTooSmallError, "flat: Resegmentation leaves 0 of the region's 64 voxels"),
        ({"families": ["glcms"]}, InputError, "'families' parameter of RadiomicsExtractor must be None, a sequence of"),
        ({"families": {"glcm": ["Contrasts"]}}, InputError, "features that do not exist: glcm_Contrasts"),
        ({"image_types": ["Wavelets"]}, InputError, "'image_types' parameter of RadiomicsExtractor must be"),
        ({"engine": "mirp"}, InputError, "'engine' parameter of RadiomicsExtractor must be one of radiodeep"),
        ({"resegment_range": []}, InputError, "'resegment_range' parameter"),
        ({"resample_mm": (1, 2)}, InputError, "'resample_mm' parameter"),
        ({"distances": (0,)}, InputError, "'distances' parameter"),
    ],
)
def test_a_setting_or_a_region_that_does_not_do_is_an_error_with_the_way_out(settings, error, message):
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


def test_half_the_bits_are_asked_for_and_said():
    cohort = make_phantom_cohort(3, random_state=0)
    plain, quick = DeepFeatureExtractor(), DeepFeatureExtractor(precision="bfloat16", device="cpu", n_threads=1)
    threads = torch.get_num_threads()
    one, other = plain.fit_transform(cohort), quick.fit_transform(cohort)
    assert torch.get_num_threads() == threads
    assert other.dtype == np.float64
    angles = (one * other).sum(axis=1) / np.linalg.norm(one, axis=1) / np.linalg.norm(other, axis=1)
    assert angles.min() > 0.999
    assert (one != other).any()
    assert quick.settings()["precision"] == "bfloat16"
    assert not {"device", "n_threads"} & set(quick.settings())


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"precision": "half"}, "'precision' parameter of DeepFeatureExtractor must be one of float32, bfloat16, auto"),
        ({"n_threads": 0}, "'n_threads' parameter of DeepFeatureExtractor must be an int >= 1 or None. Got 0"),
        ({"device": "abacus"}, "device must be 'auto', 'cpu' or one of torch"),
    ],
)
def test_a_device_or_precision_that_is_not_there_is_refused(settings, message):
    with pytest.raises(InputError, match=message):
        DeepFeatureExtractor(**settings).fit(make_phantom_cohort(1))


def test_features_of_several_slices_are_pooled_over_them():
    case = COHORT[0]
    low, high = (limit(exact_window(case, 64).voxels) for limit in (np.min, np.max))  # one grey scale for all slices
    z, *box = bounding_box(case.roi)
    planes = [case.voxels[one, box[0], box[1]] for one in range(z.start, z.stop)]
    planes = [Case(plane, np.ones(plane.shape, bool), "plane", (1, 1)) for plane in planes]
    own_pixels = {"pixel_mm": None, "margin": 0, "n_boxes": 1, "intensity_range": (low, high)}
    alone = DeepFeatureExtractor(**own_pixels).transform(planes)
    for slice_pool, combine in (("mean", np.mean), ("max", np.max)):
        pooled = DeepFeatureExtractor(slice="all", slice_pool=slice_pool, **own_pixels).transform([case])
        np.testing.assert_allclose(pooled[0], combine(alone, axis=0), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("choice", ["all", "three-orthogonal", "2.5d"])
def test_every_choice_of_slices_gives_a_row_per_case_whatever_the_batch(choice):
    deep = DeepFeatureExtractor("resnet10t", weights="random", seed=0, slice=choice, size=32, n_threads=1)
    together = deep.fit_transform(COHORT[:3])
    assert together.shape == (3, len(deep.get_feature_names_out()))
    alone = np.vstack([deep.transform([case]) for case in COHORT[:3]])
    np.testing.assert_allclose(together, alone, rtol=1e-5, atol=1e-6)


def test_maps_of_a_layer_are_pooled_as_asked():
    shapes = {
        pool: DeepFeatureExtractor(layer="blocks.2", pool=pool).transform(COHORT[:2]).shape
        for pool in ("avg", "max", "flatten")
    }
    assert shapes == {"avg": (2, 192), "max": (2, 192), "flatten": (2, 192 * 4 * 4)}


def test_two_and_a_half_dimensions_need_three_channels():
    with pytest.raises(InputError, match=r"slice='2\.5d' gives one slice to each of three channels"):
        DeepFeatureExtractor(slice="2.5d").fit(COHORT)


def test_a_failing_case_in_the_middle_of_a_batch_is_named_and_ends_the_reading():
    empty = COHORT[3].replace(mask=np.zeros_like(COHORT[3].mask))
    with pytest.raises(EmptyMaskError, match="^phantom-003: the mask outlines no voxel"):
        DeepFeatureExtractor().transform([*COHORT, *COHORT, empty, *COHORT])


@pytest.mark.parametrize("window", ["crop", "exact"])
def test_networks_for_cubes_are_shown_a_cube_in_its_own_intensities(window):
    deep = DeepFeatureExtractor("medicalnet_resnet10", weights="random", seed=0, window=window, size=24, n_threads=1)
    values = deep.fit_transform(COHORT[:3])
    assert values.shape == (3, 512) == (3, len(deep.get_feature_names_out()))
    network = build_network("medicalnet_resnet10", in_channels=1, n_classes=0)
    load_weights(network, "random", "medicalnet_resnet10", seed=0)
    cube = cube_about(COHORT[1], 24, 1.0) if window == "crop" else resize_cube(crop_to_roi(COHORT[1]).voxels, 24)
    cube = torch.from_numpy((cube - cube.mean()) / cube.std())[None, None]
    expected = forward_features(network, cube).numpy()
    np.testing.assert_allclose(values[1:2], expected, rtol=1e-4, atol=1e-5)
    with pytest.raises(InputError, match="is shown a cube, so slice='all' has no meaning"):
        DeepFeatureExtractor("medicalnet_resnet10", weights="random", seed=0, slice="all").fit(COHORT)
    images, maps = deep.saliency(COHORT[:1], deep.get_feature_names_out()[3])[0]
    assert images.shape == maps.shape == (24, 24, 24)


@pytest.mark.parametrize("channel", ["all", "red"])
def test_saliency_is_the_gradient_of_the_pixel_that_is_shown(channel):
    deep = DeepFeatureExtractor("resnet10t", weights="random", seed=0, channel=channel, intensity_range=(-50, 150))
    name, before = deep.get_feature_names_out()[5], torch.get_rng_state()
    (images, maps), *_ = deep.fit(COHORT).saliency(COHORT[:1], name)
    assert torch.equal(torch.get_rng_state(), before)
    network = build_network("resnet10t", n_classes=0).double().eval()
    load_weights(network, "random", "resnet10t", seed=0)

    def feature(change):
        with torch.inference_mode():
            return network(
                deep._on_channels(images[:, np.newaxis].astype(np.float64) + change, deep._load().specification)
            )[0, 5].item()

    for place in np.argsort(maps[0], axis=None)[-3:]:
        step = np.zeros(images[:, np.newaxis].shape)
        step.flat[place] = 1e-6
        by_hand = abs(feature(step) - feature(-step)) / 2e-6
        assert maps[0].flat[place] == pytest.approx(by_hand, rel=1e-3)


def test_images_are_brought_to_the_scale_that_the_weights_want():
    network = build_network("resnet18", n_classes=0)
    parts = ["conv1", "bn1", None, None, "layer1", "layer2", "layer3", "layer4"]
    radimagenet = {
        f"backbone.{parts.index(key.partition('.')[0])}.{key.partition('.')[2]}": weights
        for key, weights in network.state_dict().items()
    }
    options = {"size": 32, "n_threads": 1}
    values = DeepFeatureExtractor("resnet18", weights=radimagenet, **options).transform(COHORT[:2])
    planes = np.stack([resize_planes(lesion_planes(case, size=32)[0], 224) for case in COHORT[:2]])
    images = torch.from_numpy((planes - 0.5) / 0.5).expand(-1, 3, -1, -1)
    np.testing.assert_allclose(values, forward_features(network, images).numpy(), rtol=1e-3, atol=1e-4)
    plan = FineTuning(n_iterations=1, learning_rate=1e-12)  # next to nothing changes, and so the scale is the same
    tuned = DeepFeatureExtractor("resnet18", weights=radimagenet, fine_tune=plan, **options)
    np.testing.assert_allclose(tuned.fit(COHORT[:2], [0, 1]).transform(COHORT[:2]), values, rtol=1e-3, atol=1e-4)


@pytest.mark.filterwarnings("ignore:.*voxels beside the region are NaN", "ignore:.*the window shows")
@pytest.mark.parametrize("window", ["crop", "exact"])
def test_what_is_no_number_about_the_region_does_not_spread_into_its_cube(window):
    case = COHORT[1]
    inside = case.voxels[case.roi].min()
    gaps, filled = (case.replace(image=np.where(case.roi, case.voxels, outside)) for outside in (np.nan, inside))
    deep = DeepFeatureExtractor("medicalnet_resnet10", weights="random", seed=0, window=window, size=16, n_threads=1)
    np.testing.assert_array_equal(deep.transform([gaps]), deep.transform([filled]))
    cubes = [cube_about(one, 16, 1.0) for one in (gaps, filled)]
    np.testing.assert_array_equal(*cubes)


def flat_case(name="flat", seed=0, **options):
    image = np.random.default_rng(seed).normal(100, 50, (30, 30))
    mask = np.zeros(image.shape, np.uint8)
    mask[5:22, 8:25] = 1
    mask[5:9, 8:12] = 0
    return Case(image, mask, name, spacing_mm=(0.5, 0.5), **options)


def fit_flat(extractor, cases):
    with pytest.warns(RadiodeepWarning, match="'shape2D'"):
        return extractor.fit(cases)


def test_two_dimensional_images_get_the_shape_in_the_plane_by_default():
    cases = [flat_case("a"), flat_case("b", 1)]
    with pytest.warns(RadiodeepWarning, match=r"^a: the image has one slice, .* families=\['shape2D', 'firstorder'"):
        extractor = RadiomicsExtractor().fit(cases)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        values = extractor.transform(cases)
        names = extractor.get_feature_names_out().tolist()
        named = RadiomicsExtractor(families=extractor.chosen_families()).fit(cases)
        in_space = RadiomicsExtractor(families=list(DEFAULT_FAMILIES)).fit(cases)
    assert values.shape == (2, 102) == (2, len(names))
    assert not [name for name in names if "_shape_" in name]
    assert values[0, names.index("original_shape2D_PixelSurface")] == pytest.approx((17 * 17 - 4 * 4) * 0.25)
    np.testing.assert_array_equal(named.transform(cases), values)
    texture = [number for number, name in enumerate(names) if "_shape2D_" not in name]
    np.testing.assert_array_equal(in_space.transform(cases)[:, 14:], values[:, texture])
    explicit = RadiomicsExtractor(families=["shape2D"], force_2d=True).transform(cases)
    np.testing.assert_array_equal(values[:, :9], explicit)
    assert extractor.settings()["families"][0] == "shape2D_Elongation"


def test_two_dimensional_defaults_survive_pickling_and_not_cloning():
    cases = [flat_case()]
    extractor = fit_flat(RadiomicsExtractor(), cases)
    assert pickle.loads(pickle.dumps(extractor)).transform(cases).shape == (1, 102)
    assert len(clone(extractor).get_feature_names_out()) == 107
    assert len(extractor.fit(COHORT).get_feature_names_out()) == 107
    assert not hasattr(extractor.set_params(families=["glcm"]).fit(cases), "n_dimensions_")
    with pytest.warns(RadiodeepWarning, match="'shape2D'"):
        assert RadiomicsExtractor().transform(cases).shape == (1, 102)


def test_two_dimensional_defaults_hold_in_tables_and_studies():
    cases = [flat_case(f"f{number}", number, label=number % 2) for number in range(6)]
    labels = [case.label for case in cases]
    model = make_pipeline(RadiomicsExtractor(), GaussianNB())
    with pytest.warns(RadiodeepWarning, match="'shape2D'"):
        table = extract_table(RadiomicsExtractor(), cases)
    assert table.shape == (6, 102)
    assert table.columns[0] == "original_shape2D_Elongation"
    with pytest.warns(RadiodeepWarning, match="'shape2D'"):
        assert cross_val_predict(model, cases, labels, cv=2).shape == (6,)


@pytest.mark.parametrize("preparation", [{}, {"resample_mm": 1.0}, {"pre_crop": True, "pad_distance": 0}])
def test_an_image_of_another_dimension_is_named(preparation):
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


def test_the_first_case_that_can_be_read_decides_with_the_label_of_the_extractor():
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


def test_a_picture_without_voxel_size_is_said_to_be_measured_in_millimetres(tmp_path):
    pixels = flat_case().voxels[0].clip(0, 255).astype(np.uint8)
    for name, array in (("image", pixels), ("mask", flat_case().mask)):
        sitk.WriteImage(sitk.GetImageFromArray(array), str(tmp_path / f"{name}.png"))
    case = Case(tmp_path / "image.png", tmp_path / "mask.png", "p")
    with pytest.warns(RadiodeepWarning, match="A PNG knows no voxel size, so that 1 mm is assumed"):
        RadiomicsExtractor().fit([case])
    with pytest.warns(RadiodeepWarning, match=r"ngtdm'\].$"):
        RadiomicsExtractor().fit([case.replace(spacing_mm=(0.5, 0.5))])


def test_a_single_intensity_shown_to_the_network_is_warned_of():
    case = COHORT[0]
    dot = np.zeros_like(case.mask)
    dot[12, 20, 20] = 1
    deep = DeepFeatureExtractor(n_threads=1)
    for odd in (
        case.replace(image=np.zeros_like(case.image)),
        case.replace(mask=dot),
        case.replace(image=case.mask, mask=case.mask),
    ):
        with pytest.warns(RadiodeepWarning, match="^phantom-000: all that the network is shown has one intensity"):
            deep.transform([COHORT[1], odd.replace(image=np.where(odd.roi, odd.image, odd.image[odd.roi][0]))])
    with pytest.warns(RadiodeepWarning, match=r"that intensity_range=\(5000, 6000\) fits the image"):
        DeepFeatureExtractor(intensity_range=(5000, 6000), n_threads=1).transform([case])
