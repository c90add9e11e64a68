"""Settings of deep features: what "auto" stands for, what is refused, and what models saved before compute by."""

import json
import pickle

import numpy as np
import pytest

from radiodeep import DeepFeatureExtractor, FineTuning, make_phantom_cohort
from radiodeep.exceptions import InputError
from radiodeep.features.deep.settings import resolve_auto

COHORT = make_phantom_cohort(3, random_state=4)
FIXED = {"intensity_range": (-150, 300), "n_threads": 1}


def test_what_suits_the_packaged_network_is_taken_by_default():
    auto = DeepFeatureExtractor(**FIXED)
    suited = {name: resolve_auto("radiodeep-mini", name, "auto") for name in ("pixel_mm", "margin", "n_boxes")}
    values = auto.transform(COHORT)
    np.testing.assert_array_equal(values, DeepFeatureExtractor(**suited, **FIXED).transform(COHORT))
    for name, other in (("pixel_mm", 2.5), ("margin", 1.0), ("n_boxes", 2)):
        changed = DeepFeatureExtractor(**suited | {name: other}, **FIXED)
        assert np.abs(values - changed.transform(COHORT)).max() > 0.1
    assert suited.items() <= auto.settings().items()
    elsewhere = DeepFeatureExtractor("resnet10t", weights="random", seed=0).settings()
    assert [elsewhere[name] for name in suited] == [None, 0, 1]


def test_the_packaged_network_for_cubes_is_shown_a_margin_and_read_before_its_activation():
    auto = DeepFeatureExtractor("radiodeep-mini-3d", **FIXED)
    values = auto.fit_transform(COHORT)
    assert values.shape == (3, 128)
    assert values.min() < 0
    suited = {"weights": "packaged", "window": "exact", "margin": 0.25, "activation": "pre"}
    np.testing.assert_array_equal(values, DeepFeatureExtractor(auto.network, **suited, **FIXED).transform(COHORT))
    for changes in ({"margin": 0}, {"activation": "post"}):
        changed = DeepFeatureExtractor(auto.network, **suited | changes, **FIXED)
        assert np.abs(values - changed.transform(COHORT)).max() > 0.1
    assert auto.get_feature_names_out()[0] == "radiodeep-mini-3d_pool_0000"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"pixel_mm": 0}, "'pixel_mm' parameter of DeepFeatureExtractor must be 'auto', None or a float > 0. Got 0"),
        ({"pixel_mm": "fine"}, "'pixel_mm' parameter of .* Got 'fine'"),
        ({"margin": -1}, "'margin' parameter of DeepFeatureExtractor must be 'auto' or a float >= 0. Got -1"),
        ({"n_boxes": 0}, "'n_boxes' parameter of DeepFeatureExtractor must be 'auto' or an int >= 1. Got 0"),
        ({"slice_axis": "z"}, "'slice_axis' parameter of .* must be None or one of axial, coronal, sagittal. Got 'z'"),
        ({"intensity_range": "maxmin"}, r"must be None, 'minmax' or \(low, high\) with low < high. Got 'maxmin'"),
        ({"window": "crop", "margin": 0.1}, "window='crop' has a fixed size, so margin=0.1 has no meaning"),
        ({"network": "medicalnet_resnet10", "n_boxes": 3}, "is shown a cube, so n_boxes=3 has no meaning"),
        ({"network": "medicalnet_resnet10", "pixel_mm": 1.0}, "is shown a cube, so pixel_mm=1.0 has no meaning"),
        ({"network": "medicalnet_resnet10", "slice_axis": "axial"}, "is shown a cube, so slice_axis='axial' has no"),
        (
            {"slice": "three-orthogonal", "slice_axis": "axial"},
            "^slice='three-orthogonal' cuts across every axis, so slice_axis='axial' has no meaning",
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
        {"network": "medicalnet_resnet10", "weights": "random", "seed": 0, "intensity_range": None},
        {"fine_tune": FineTuning(n_iterations=1, learning_rate=1e-2, head_learning_rate=None), "slice_axis": "axial"},
    ],
    ids=["orthogonal slices", "cubes", "fine-tuned"],
)
def test_a_model_saved_before_axes_and_rates_could_be_chosen_still_scores(settings):
    deep = DeepFeatureExtractor(**BEFORE | settings, n_threads=1)
    rows = deep.fit_transform(COHORT, np.arange(len(COHORT)) % 2)
    old = saved_before(deep)
    old.check_training_settings()
    np.testing.assert_array_equal(old.transform(COHORT), rows)
    assert old.slice_axis == deep.slice_axis


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"window": "box"}, "'window' parameter of DeepFeatureExtractor must be one of auto, exact, crop"),
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


def test_two_and_a_half_dimensions_need_three_channels():
    with pytest.raises(InputError, match=r"slice='2\.5d' gives one slice to each of three channels"):
        DeepFeatureExtractor(slice="2.5d").fit(COHORT)
