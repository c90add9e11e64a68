"""What deep features see of a lesion: its pixels, boxes and slices; models saved before these could be chosen."""

import json
import pickle

import numpy as np
import pytest

from radiodeep import Case, DeepFeatureExtractor, FineTuning, make_phantom_cohort
from radiodeep.exceptions import InputError, RadiodeepWarning
from radiodeep.imaging.network_view import suitable
from radiodeep.imaging.planes import lesion_planes

COHORT = make_phantom_cohort(3, random_state=4)
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
    values = DeepFeatureExtractor(slice_pool=slice_pool, **chosen, **FIXED).transform(COHORT[:2])
    for case, row in zip(COHORT[:2], values, strict=True):
        of_planes = features_of(lesion_planes(case, size=64, intensity_range=(-150, 300), **chosen))
        of_slices = of_planes.reshape(3, -1, of_planes.shape[1]).mean(axis=0)
        expected = of_slices.mean(axis=0) if slice_pool == "mean" else of_slices.max(axis=0)
        np.testing.assert_allclose(row, expected, rtol=1e-4, atol=1e-5)


def test_what_suits_the_packaged_network_is_taken_by_default():
    auto = DeepFeatureExtractor(**FIXED)
    suited = {name: suitable("radiodeep-mini", name, "auto") for name in ("pixel_mm", "margin", "n_boxes")}
    values = auto.transform(COHORT)
    np.testing.assert_array_equal(values, DeepFeatureExtractor(**suited, **FIXED).transform(COHORT))
    for name, other in (("pixel_mm", 2.5), ("margin", 1.0), ("n_boxes", 2)):
        changed = DeepFeatureExtractor(**suited | {name: other}, **FIXED)
        assert np.abs(values - changed.transform(COHORT)).max() > 0.1
    assert suited.items() <= auto.settings().items()
    elsewhere = DeepFeatureExtractor("resnet10t", weights="random", seed=0).settings()
    assert [elsewhere[name] for name in suited] == [None, 0, 1]


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
    assert needs("medicalnet_resnet10") == {"spacing"}
    assert needs("medicalnet_resnet10", window="crop") == set()


def test_the_share_of_the_region_that_is_shown():
    assert DeepFeatureExtractor(window="crop", pixel_mm=1.0).share_shown(COHORT).tolist() == [1, 1, 1]
    assert DeepFeatureExtractor(size=8).share_shown(COHORT).tolist() == [1, 1, 1]
    small = DeepFeatureExtractor(window="crop", pixel_mm=1.0, size=12)
    shares = small.share_shown(COHORT)
    areas = [case.roi.sum(axis=(1, 2)).max() for case in COHORT]
    np.testing.assert_allclose(shares, 144 / np.array(areas), rtol=0.05)  # a lesion may leave a corner free
    with pytest.warns(RadiodeepWarning, match="^phantom-00[012]: the window shows ") as caught:
        small.fit(COHORT).transform(COHORT)
    assert len(caught) == 3
    cubes = DeepFeatureExtractor("medicalnet_resnet10", window="crop", size=8).share_shown(COHORT)
    volumes = np.array([case.roi.sum() * 1.5 for case in COHORT])
    np.testing.assert_allclose(cubes, 8**3 / volumes, rtol=0.05)


def test_saliency_is_of_the_window_about_the_region():
    several, one = (DeepFeatureExtractor(n_boxes=number, margin=0.2, **FIXED) for number in (3, 1))
    name = one.get_feature_names_out()[0]
    for seen, expected in zip(several.saliency(COHORT[:1], name)[0], one.saliency(COHORT[:1], name)[0], strict=True):
        assert seen.shape == (1, 64, 64)
        np.testing.assert_allclose(seen, expected, atol=1e-6)


def test_slices_of_another_plane_are_seen():
    turned = [
        case.replace(image=case.voxels.transpose(1, 0, 2), mask=case.roi.transpose(1, 0, 2), spacing_mm=(1, 1.5, 1))
        for case in COHORT
    ]
    axial = DeepFeatureExtractor(**FIXED).transform(COHORT)
    np.testing.assert_array_equal(DeepFeatureExtractor(**FIXED).transform(turned), axial)
    np.testing.assert_array_equal(DeepFeatureExtractor(slice_axis="coronal", **FIXED).transform(turned), axial)
    assert not np.allclose(DeepFeatureExtractor(slice_axis="axial", **FIXED).transform(turned), axial)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"pixel_mm": 0}, "'pixel_mm' parameter of DeepFeatureExtractor must be 'auto', None or a float > 0. Got 0"),
        ({"pixel_mm": "fine"}, "'pixel_mm' parameter of .* Got 'fine'"),
        ({"margin": -1}, "'margin' parameter of DeepFeatureExtractor must be 'auto', a float >= 0. Got -1"),
        ({"n_boxes": 0}, "'n_boxes' parameter of DeepFeatureExtractor must be 'auto', an int >= 1. Got 0"),
        ({"slice_axis": "z"}, "'slice_axis' parameter of .* must be None or one of axial, coronal, sagittal. Got 'z'"),
        ({"intensity_range": "maxmin"}, r"must be None, 'minmax' or \(low, high\) with low < high. Got 'maxmin'"),
        ({"window": "crop", "margin": 0.1}, "window='crop' has a size, so margin=0.1 has no meaning"),
        ({"network": "medicalnet_resnet10", "n_boxes": 3}, "is shown a cube, so n_boxes=3 has no meaning"),
        ({"network": "medicalnet_resnet10", "pixel_mm": 1.0}, "is shown a cube, so pixel_mm=1.0 has no meaning"),
        ({"network": "medicalnet_resnet10", "slice_axis": "axial"}, "is shown a cube, so slice_axis='axial' has no"),
        (
            {"slice": "three-orthogonal", "slice_axis": "axial"},
            "^slice='three-orthogonal' cuts across every axis. Leave out slice_axis='axial'",
        ),
    ],
)
def test_settings_of_windows_out_of_range_are_refused(changes, message):
    with pytest.raises(InputError, match=message):
        DeepFeatureExtractor(weights="random", seed=0, **changes).fit(COHORT)


@pytest.mark.parametrize("intensity_range", [None, (-150, 300)])
def test_a_model_saved_before_windows_could_be_chosen_computes_as_it_did(intensity_range):
    deep = DeepFeatureExtractor(intensity_range=intensity_range, n_threads=1)
    deep.fit_transform(COHORT)
    state = dict(deep.__getstate__())
    trained = json.loads(state["training_settings_"])
    for name in ("slice_axis", "pixel_mm", "margin", "n_boxes"):
        del state[name], trained[name]
    state["activation"] = trained["activation"] = "post"
    state["training_settings_"] = json.dumps(trained, sort_keys=True)
    old = DeepFeatureExtractor.__new__(DeepFeatureExtractor)
    old.__setstate__(state)
    old.check_training_settings()
    same = {"pixel_mm": None, "slice_axis": "axial", "margin": 0, "n_boxes": 1, "activation": "post", "n_threads": 1}
    same["intensity_range"] = intensity_range or "minmax"
    np.testing.assert_array_equal(old.transform(COHORT), DeepFeatureExtractor(**same).transform(COHORT))
    for copy in (pickle.loads(pickle.dumps(old)), pickle.loads(pickle.dumps(deep))):
        copy.check_training_settings()
    assert pickle.loads(pickle.dumps(deep)).get_params() == deep.get_params()


def saved_before(extractor):
    """A fitted extractor, loaded from the state that it would have left before windows and axes could be chosen."""
    state = dict(extractor.__getstate__())
    trained = json.loads(state["training_settings_"])
    for name in ("slice_axis", "pixel_mm", "margin", "n_boxes"):
        del state[name], trained[name]
    if trained["fine_tune"] is not None:
        trained["fine_tune"] = trained["fine_tune"].replace(", head_learning_rate=None", "")
    state["training_settings_"] = json.dumps(trained, sort_keys=True)
    old = DeepFeatureExtractor.__new__(DeepFeatureExtractor)
    old.__setstate__(state)
    return old


BEFORE = {"pixel_mm": None, "margin": 0, "n_boxes": 1, "activation": "post", "intensity_range": "minmax"}


@pytest.mark.parametrize(
    "settings",
    [
        {"slice": "three-orthogonal"},
        {"network": "medicalnet_resnet10", "weights": "random", "seed": 0},
        {"fine_tune": FineTuning(n_iterations=1, learning_rate=1e-2, head_learning_rate=None), "slice_axis": "axial"},
    ],
    ids=["orthogonal slices", "cubes", "fine-tuned"],
)
def test_a_model_saved_before_axes_and_rates_could_be_chosen_still_scores(settings):
    deep = DeepFeatureExtractor(**settings, **BEFORE, n_threads=1)
    rows = deep.fit_transform(COHORT, np.arange(len(COHORT)) % 2)
    old = saved_before(deep)
    old.check_training_settings()
    np.testing.assert_array_equal(old.transform(COHORT), rows)
    assert old.slice_axis == deep.slice_axis
