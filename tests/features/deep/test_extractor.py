"""Deep features: computed from what `NetworkView` shows, by the network that was asked for, and nothing else."""

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from radiodeep import Case, DeepFeatureExtractor, FineTuning, make_phantom_cohort
from radiodeep.exceptions import EmptyMaskError, InputError, RadiodeepWarning, WeightsError
from radiodeep.features.deep.settings import CHANNELS
from radiodeep.imaging.crop import bounding_box, crop_to_roi, resize_planes
from radiodeep.imaging.cube import cube_about, resize_cube
from radiodeep.imaging.planes import lesion_planes
from radiodeep.networks.architectures.registry import build_network, input_specification
from radiodeep.networks.inference.activations import forward_features
from radiodeep.networks.weights.loading import load_weights

COHORT = make_phantom_cohort(8, random_state=2)
FEW = make_phantom_cohort(3, random_state=4)
FIXED = {"intensity_range": (-150, 300), "n_threads": 1}


def features_of(planes):
    """Features of squares that an extractor is given as images of their own, whole."""
    cases = [Case(plane, np.ones(plane.shape, bool), "square", (1, 1)) for plane in planes[:, 0]]
    own = DeepFeatureExtractor(pixel_mm=None, margin=0, n_boxes=1, intensity_range=(0, 1), n_threads=1)
    return own.transform(cases)


@pytest.mark.parametrize("window", ["exact", "crop"])
@pytest.mark.parametrize("slice_pool", ["mean", "max"])
def test_features_are_the_means_over_the_boxes_of_every_slice(window, slice_pool):
    chosen = {"slice": "all", "window": window, "pixel_mm": 1.0, "margin": 0.1 * (window == "exact"), "n_boxes": 3}
    values = DeepFeatureExtractor(slice_pool=slice_pool, **chosen, **FIXED).transform(FEW[:2])
    for case, row in zip(FEW[:2], values, strict=True):
        of_planes = features_of(lesion_planes(case, size=64, intensity_range=(-150, 300), **chosen))
        of_slices = of_planes.reshape(3, -1, of_planes.shape[1]).mean(axis=0)
        expected = of_slices.mean(axis=0) if slice_pool == "mean" else of_slices.max(axis=0)
        np.testing.assert_allclose(row, expected, rtol=1e-4, atol=1e-5)


def test_only_images_in_their_own_pixels_need_the_same_spacing():
    def needs(*network, **settings):
        return DeepFeatureExtractor(*network, **settings).acquisition_needs()

    assert needs() == needs("resnet18", pixel_mm=0.8) == {"plane"}
    assert needs(pixel_mm=None) == needs("resnet18") == {"plane", "pixels"}
    assert needs(slice_axis="axial") == needs(slice="three-orthogonal") == set()
    assert needs(slice_axis="coronal", pixel_mm=None) == {"pixels_z", "pixels_x"}
    assert needs(slice="three-orthogonal", pixel_mm=None) == {"pixels_z", "pixels_y", "pixels_x"}
    assert needs("resnet18", slice="2.5d", pixel_mm=1.0) == {"plane", "spacing_across"}
    assert needs("resnet18", slice="2.5d", pixel_mm=1.0, slice_axis="sagittal") == {"spacing_x"}
    assert needs("medicalnet_resnet10", window="exact") == {"spacing"}
    assert needs("medicalnet_resnet10") == needs("ct-fm") == needs("medicalnet_resnet10", window="crop") == set()


def test_the_share_of_the_region_that_is_shown():
    assert DeepFeatureExtractor(window="crop", pixel_mm=1.0).share_shown(FEW).tolist() == [1, 1, 1]
    assert DeepFeatureExtractor(size=8).share_shown(FEW).tolist() == [1, 1, 1]
    small = DeepFeatureExtractor(window="crop", pixel_mm=1.0, size=12)
    shares = small.share_shown(FEW)
    areas = [case.roi.sum(axis=(1, 2)).max() for case in FEW]
    np.testing.assert_allclose(shares, 144 / np.array(areas), rtol=0.05)  # a lesion may leave a corner free
    with pytest.warns(RadiodeepWarning, match="^phantom-00[012]: the window shows ") as caught:
        small.fit(FEW).transform(FEW)
    assert len(caught) == 3
    cubes = DeepFeatureExtractor("medicalnet_resnet10", window="crop", size=8).share_shown(FEW)
    volumes = np.array([case.roi.sum() * 1.5 for case in FEW])
    np.testing.assert_allclose(cubes, 8**3 / volumes, rtol=0.05)


def test_saliency_is_of_the_window_about_the_region():
    several, single = (DeepFeatureExtractor(n_boxes=number, margin=0.2, **FIXED) for number in (3, 1))
    name = single.get_feature_names_out()[0]
    for seen, expected in zip(several.saliency(FEW[:1], name)[0], single.saliency(FEW[:1], name)[0], strict=True):
        assert seen.shape == (1, 64, 64)
        np.testing.assert_allclose(seen, expected, atol=1e-6)


def test_slices_of_another_plane_are_seen():
    turned = [
        case.replace(image=case.voxels.transpose(1, 0, 2), mask=case.roi.transpose(1, 0, 2), spacing_mm=(1, 1.5, 1))
        for case in FEW
    ]
    axial = DeepFeatureExtractor(**FIXED).transform(FEW)
    np.testing.assert_array_equal(DeepFeatureExtractor(**FIXED).transform(turned), axial)
    np.testing.assert_array_equal(DeepFeatureExtractor(slice_axis="coronal", **FIXED).transform(turned), axial)
    assert not np.allclose(DeepFeatureExtractor(slice_axis="axial", **FIXED).transform(turned), axial)


def test_no_network_without_weights():
    with pytest.raises(WeightsError, match="no packaged weights of 'resnet18'"):
        DeepFeatureExtractor("resnet18").fit(COHORT)
    with pytest.raises(WeightsError, match="seed"):
        DeepFeatureExtractor("resnet18", weights="random").fit(COHORT)
    with pytest.raises(InputError, match="Unknown network 'resnet999'"):
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


def test_a_fixed_intensity_range_keeps_brightness():
    deep = DeepFeatureExtractor(intensity_range=(-200, 400))
    case = COHORT[0]
    brighter = case.replace(image=case.voxels + 50)
    assert not np.allclose(deep.transform([case]), deep.transform([brighter]))
    own = DeepFeatureExtractor()
    np.testing.assert_allclose(own.transform([case]), own.transform([brighter]), atol=1e-5)


def test_half_the_bits_are_asked_for_and_said():
    cohort = make_phantom_cohort(3, random_state=0)
    plain, quick = DeepFeatureExtractor(), DeepFeatureExtractor(precision="bfloat16", device="cpu", n_threads=1)
    threads = torch.get_num_threads()
    full, half = plain.fit_transform(cohort), quick.fit_transform(cohort)
    assert torch.get_num_threads() == threads
    assert half.dtype == np.float64
    angles = (full * half).sum(axis=1) / np.linalg.norm(full, axis=1) / np.linalg.norm(half, axis=1)
    assert angles.min() > 0.999
    assert (full != half).any()
    assert quick.settings()["precision"] == "bfloat16"
    assert not {"device", "n_threads"} & set(quick.settings())


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"precision": "half"}, "'precision' parameter of DeepFeatureExtractor must be one of float32, tf32, bfloat16"),
        ({"n_threads": 0}, "'n_threads' parameter of DeepFeatureExtractor must be an int >= 1 or None. Got 0"),
        ({"device": "abacus"}, "device must be 'auto', 'cpu' or a device of torch"),
    ],
)
def test_a_device_or_precision_that_is_not_there_is_refused(settings, message):
    with pytest.raises(InputError, match=message):
        DeepFeatureExtractor(**settings).fit(make_phantom_cohort(1))


def test_features_of_several_slices_are_pooled_over_them():
    case = COHORT[0]
    squares = resize_planes(crop_to_roi(case).voxels, 64)
    low, high = squares.min(), squares.max()  # one grey scale for all slices
    z, *box = bounding_box(case.roi)
    planes = [case.voxels[index, box[0], box[1]] for index in range(z.start, z.stop)]
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

    specification = input_specification("resnet10t")
    is_used = torch.tensor([1.0, 0, 0] if channel == "red" else [1.0, 1, 1]).view(1, 3, 1, 1)

    def feature(change):
        changed = specification.on_channels(images[:, np.newaxis].astype(np.float64) + change)
        with torch.inference_mode():
            return network(specification.normalize(changed) * is_used)[0, 5].item()

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


@pytest.mark.filterwarnings("ignore:.*voxels outside the region", "ignore:.*the window shows")
@pytest.mark.parametrize("window", ["crop", "exact"])
def test_what_is_no_number_about_the_region_does_not_spread_into_its_cube(window):
    case = COHORT[1]
    inside = case.voxels[case.roi].min()
    gaps, filled = (case.replace(image=np.where(case.roi, case.voxels, outside)) for outside in (np.nan, inside))
    deep = DeepFeatureExtractor("medicalnet_resnet10", weights="random", seed=0, window=window, size=16, n_threads=1)
    np.testing.assert_array_equal(deep.transform([gaps]), deep.transform([filled]))


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
        with pytest.warns(RadiodeepWarning, match="^phantom-000: everything the network sees has the same intensity"):
            deep.transform([COHORT[1], odd.replace(image=np.where(odd.roi, odd.image, odd.image[odd.roi][0]))])
    with pytest.warns(RadiodeepWarning, match=r"that intensity_range=\(5000, 6000\) fits the image"):
        DeepFeatureExtractor(intensity_range=(5000, 6000), n_threads=1).transform([case])
