"""Networks from scratch on whole lesions: as sequences of slices and as cubes."""

import numpy as np
import pytest
import torch

import radiodeep as rd
from radiodeep.exceptions import InputError
from radiodeep.imaging.cube import cube_about, lesion_cube
from radiodeep.imaging.planes import lesion_planes

COHORT = rd.make_phantom_cohort(6, random_state=4)
QUICK = {"epochs": 1, "n_views": 1, "batch_size": 4, "n_threads": 1}


@pytest.mark.parametrize("name", ["arch2-slices", "arch1-attention", "arch3-gru", "arch3d"])
def test_a_case_is_one_example_and_scored_the_same_whatever_is_beside_it(name):
    model = rd.CNNClassifier(name, **QUICK).fit(COHORT, COHORT.labels)
    together = model.predict_proba(COHORT)
    assert together.shape == (6, 2)
    alone = np.concatenate([model.predict_proba([case]) for case in COHORT])
    np.testing.assert_allclose(alone, together, atol=1e-6, rtol=0)
    start = rd.CNNClassifier(name, **QUICK, learning_rate=1e-12).fit(COHORT, COHORT.labels)
    assert not np.allclose(start.networks_[0]["head.weight"], model.networks_[0]["head.weight"], atol=1e-4)


def test_the_slices_of_a_sequence_are_all_those_of_the_lesion():
    images, counts, *_ = rd.CNNClassifier("arch3-lstm", intensity_range=(-1000, 400))._images(COHORT[:3])
    expected = [lesion_planes(case, "all", "exact", 100, (-1000, 400)) for case in COHORT[:3]]
    assert counts == [1, 1, 1]
    assert images.shape == (3, max(map(len, expected)), 3, 100, 100)
    assert images.stride(2) == 0  # one plane in memory
    for image, planes in zip(images.numpy(), expected, strict=True):
        np.testing.assert_array_equal(image[: len(planes)], planes.repeat(3, axis=1))
        assert np.isnan(image[len(planes) :]).all()


def test_a_cube_is_cut_on_the_side_that_was_asked_for():
    images, counts, *_ = rd.CNNClassifier("arch3d", window="crop")._images(COHORT[:2])
    assert counts == [1, 1]
    np.testing.assert_array_equal(images[1, 0], lesion_cube(COHORT[1], "crop", 32))
    images, *_ = rd.CNNClassifier("arch3d", window="crop", size=48)._images(COHORT[:1])
    assert images.shape == (1, 1, 32, 32, 32)
    images, *_ = rd.CNNClassifier("fcib_resnet50")._images(COHORT[:1])  # of 1 mm, in HU
    np.testing.assert_array_equal(images[0, 0], cube_about(COHORT[0], 50))


@pytest.mark.parametrize("name", ["arch3-attention", "arch3d"])
@pytest.mark.slow
def test_it_learns_what_only_the_third_axis_shows(name):
    """Two kinds of slices in every lesion; its class is which of them there are more of."""
    labels, rng = np.arange(24) % 2, np.random.default_rng(0)
    bright = rng.permuted(np.arange(5) < np.where(labels == 1, 4, 1)[:, None], axis=1)
    images = 0.8 * bright[:, :, None, None] + rng.normal(0.1, 0.02, (24, 5, 32, 32))
    options = {"epochs": 10, "n_views": 1, "batch_size": 8, "n_threads": 1, "learning_rate": 3e-3}
    model = rd.CNNClassifier(name, **options, augmentation=None, validation_fraction=0).fit(images, labels)
    assert (model.predict(images) == labels).mean() > 0.9


def test_arrays_of_slices_may_lack_some():
    images = np.random.default_rng(0).random((8, 3, 40, 40))
    images[::2, 2] = np.nan
    model = rd.CNNClassifier("arch3-gru", **QUICK, scoring_views="dihedral").fit(images, np.arange(8) // 4)
    probabilities = model.predict_proba(images)
    np.testing.assert_allclose(model.predict_proba(images[::2, :2]), probabilities[::2], atol=1e-6)
    turned = model.predict_proba(np.rot90(images, axes=(2, 3)).copy())
    np.testing.assert_allclose(probabilities, turned, atol=1e-5)
    images[0, 0, 5, 5] = np.nan
    with pytest.raises(InputError, match="1 of 8 images hold NaN or infinite pixels, the first being number 0"):
        model.predict_proba(images)
    with pytest.raises(InputError, match=r"of shape \(n, slices, height, width\), n > 0. Got float64 of shape \(8, 3"):
        model.predict_proba(images[:, :, 0])


@pytest.mark.slow
@pytest.mark.parametrize("name", ["arch2-slices", "arch3d"])
def test_a_study_trains_it_in_every_fold_and_it_is_saved(name, tmp_path):
    model = rd.CNNClassifier(name, **QUICK)
    assert 0 <= rd.cross_validated_auc(model, COHORT, COHORT.labels, cv=2).auc <= 1
    rd.save_model(model.fit(COHORT, COHORT.labels), tmp_path / "cnn.skops")
    loaded = rd.load_model(tmp_path / "cnn.skops")
    np.testing.assert_array_equal(loaded.predict_proba(COHORT[:3]), model.predict_proba(COHORT[:3]))


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:CNNClassifier. the training loss")
@pytest.mark.parametrize("name", ["arch1-lstm", "arch3-attention", "arch3d"])
def test_half_precision_and_a_checkpoint_take_whole_lesions(name, tmp_path):
    options = {**QUICK, "epochs": 2}
    cases, labels = COHORT[:4], COHORT.labels[:4]
    model = rd.CNNClassifier(name, **options, checkpoint_dir=tmp_path).fit(cases, labels)
    again = rd.CNNClassifier(name, **options, checkpoint_dir=tmp_path).fit(cases, labels)
    np.testing.assert_array_equal(model.predict_proba(cases), again.predict_proba(cases))
    half = rd.CNNClassifier(name, **options, precision="bfloat16").fit(cases, labels)
    np.testing.assert_allclose(half.predict_proba(cases), model.predict_proba(cases), atol=0.05)


def test_the_third_axis_is_read_by_a_regressor_too():
    images = np.random.default_rng(0).random((6, 2, 40, 40))
    model = rd.CNNRegressor("arch3-attention", **QUICK).fit(images, torch.arange(6.0).numpy())
    assert model.predict(images).shape == (6,)


@pytest.mark.parametrize(("name", "n_views"), [("mnist", 4), ("mnist-contest", 1)])
def test_digits_go_through_the_networks_of_the_lectures(name, n_views):
    rng, labels = np.random.default_rng(0), np.arange(24) % 4
    images = rng.normal(0.2, 0.02, (24, 28, 28))
    for image, label in zip(images, labels, strict=True):
        image[14 * (label // 2) :][:14, 14 * (label % 2) :][:, :14] += 0.6
    options = {"epochs": 8, "n_views": n_views, "batch_size": 8, "n_threads": 1, "augmentation": None}
    model = rd.CNNClassifier(name, **options, validation_fraction=0).fit(images, labels)
    assert (model.predict(images) == labels).mean() > 0.9
