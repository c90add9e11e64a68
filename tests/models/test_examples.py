"""Cases, arrays and tables become what networks learn from, or are refused."""

import numpy as np
import pandas as pd
import pytest

import radiodeep as rd
from radiodeep.exceptions import InputError
from radiodeep.imaging.crop import resize_planes
from radiodeep.imaging.planes import lesion_planes
from radiodeep.models.examples import auxiliary_targets, validation_cases

COHORT = rd.make_phantom_cohort(12, random_state=4)
QUICK = {"epochs": 1, "n_views": 1, "batch_size": 8, "n_threads": 1}


def discs(n=24, seed=0):
    """Noise with a bright disc in every second image, and whether it is there."""
    rng = np.random.default_rng(seed)
    labels, (y, x) = np.arange(n) % 2, np.mgrid[:100, :100] - 49.5
    images = rng.normal(0.3, 0.05, (n, 100, 100))
    images[labels == 1] += 0.5 * (np.hypot(y, x) < 30)
    return images, labels


def are_equal(networks, others):
    return all(np.array_equal(a[name], b[name]) for a, b in zip(networks, others, strict=True) for name in a)


def test_the_validation_part_holds_whole_patients_of_every_class():
    strata, groups = np.repeat([0, 1], [60, 20]), np.arange(80) // 2
    kept = validation_cases(strata, groups, 0.3, seed=0).numpy()
    assert (kept[::2] == kept[1::2]).all()
    assert kept[:60].sum() == 18
    assert kept[60:].sum() == 6
    assert not np.array_equal(kept, validation_cases(strata, groups, 0.3, seed=1).numpy())
    assert not validation_cases(strata, groups, 0.0, seed=0).any()
    kept = validation_cases(strata, groups, 0.99, seed=0).numpy()
    assert [int((~kept)[part].sum()) for part in (slice(60), slice(60, 80))] == [2, 2]  # each class can be learned


def test_auxiliary_numbers_are_those_of_the_case_and_of_no_other():
    images, labels = discs(12)
    numbers = pd.DataFrame({"number": np.arange(12.0)})
    with pytest.raises(InputError, match="as many rows as there are images, 6. Got 12. In the folds"):
        rd.CNNClassifier(auxiliary=numbers, **QUICK).fit(images[6:], labels[6:])
    twice = pd.concat([numbers.set_axis(COHORT.ids)] * 2)
    with pytest.raises(InputError, match="a row for every case id of fit, one each"):
        rd.CNNClassifier(auxiliary=twice, **QUICK).fit(COHORT, COHORT.labels)
    targets = auxiliary_targets(
        pd.DataFrame({"a": [3.0, 1.0, np.nan], "b": [np.nan] * 3}, index=list("xyz")), ["y", "x"]
    )
    np.testing.assert_array_equal(targets.numpy(), [[-1, np.nan], [1, np.nan]])


def test_images_that_hold_no_numbers_are_refused():
    images, labels = discs(12)
    model = rd.CNNClassifier(**QUICK).fit(images, labels)
    images[[3, 5], 0, 0] = np.nan
    with pytest.raises(InputError, match="2 of 12 images hold NaN or infinite pixels, the first being number 3"):
        model.predict(images)
    with pytest.raises(InputError, match="n > 0. Got float64 of shape"):
        model.predict(images[:0])


def test_arrays_may_be_brought_to_their_own_range():
    images, labels = discs(12)
    scaled = images - images.min(axis=(1, 2), keepdims=True)
    scaled /= scaled.max(axis=(1, 2), keepdims=True)
    own = rd.CNNClassifier(**QUICK, intensity_range="minmax").fit(300 * images - 50, labels)
    np.testing.assert_allclose(own._images(300 * images - 50)[0][:, 0], scaled, atol=1e-5)
    sequence = np.stack([images, np.full_like(images, np.nan)], axis=1)
    shown, *_ = rd.CNNClassifier("arch3-gru", intensity_range="minmax")._images(sequence)
    np.testing.assert_allclose(shown[:, 0, 0], scaled, atol=1e-5)


def test_slices_and_pixels_are_those_that_were_asked_for():
    model = rd.CNNClassifier(window="crop", slice_axis="sagittal", pixel_mm=0.5, size=40, intensity_range="minmax")
    expected = lesion_planes(COHORT[0], "largest", "crop", 40, "minmax", slice_axis="sagittal", pixel_mm=0.5)
    np.testing.assert_allclose(model._images(COHORT[:1])[0][0, :1], resize_planes(expected[0], 100), atol=1e-6)


def test_cubes_in_their_own_units_need_no_range_and_are_clipped_to_a_given_one(watched):
    cubes = np.random.default_rng(0).integers(-1000, 400, (6, 4, 20, 20))
    model = rd.CNNClassifier("fcib_resnet50", **QUICK).fit(cubes, np.arange(6) % 2)
    shown = model._images(cubes)[0]
    assert shown.shape == (6, 1, 50, 50, 50)
    assert shown.max() > 200
    assert model.set_params(intensity_range=(-200, 200))._images(cubes)[0].max() == 200


def test_whole_numbers_need_their_range():
    images, labels = discs(12)
    grey = (images.clip(0, 1) * 255).round().astype(np.uint8)
    with pytest.raises(InputError, match="Images of whole numbers up to 255 need an intensity_range"):
        rd.CNNClassifier(**QUICK).fit(grey, labels)
    scaled = rd.CNNClassifier(**QUICK, intensity_range=(0, 255)).fit(grey, labels)
    assert are_equal(scaled.networks_, rd.CNNClassifier(**QUICK).fit((grey / 255).astype(np.float32), labels).networks_)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"window": "crop"},
            "^Images of an array are shown whole, so window='crop' has no meaning. Leave window out, or",
        ),
        ({"size": 40}, "so size=40 has no meaning"),
        ({"slice": "all"}, "so slice='all' has no meaning"),
        ({"slice_axis": "axial"}, "so slice_axis='axial' has no meaning"),
        ({"pixel_mm": 1.0}, "so pixel_mm=1.0 has no meaning"),
    ],
)
def test_settings_by_which_cases_are_cut_are_refused_for_arrays(changes, message):
    images, labels = discs(12)
    with pytest.raises(InputError, match=message):
        rd.CNNClassifier(**QUICK, **changes).fit(images, labels)
