"""What a cohort mixes is said with two cases and their values, if features depend on it."""

import warnings
from dataclasses import replace

import numpy as np
import pytest

from radiodeep.cases.acquisition import Acquisition, mixtures, warn_of_mixed_acquisition
from radiodeep.exceptions import RadiodeepWarning

ALL = {"spacing", "orientation", "field"}


def acquired(spacing_mm=(2.0, 1.0, 1.0), orientation="LPS", shape=(20, 100, 100)):
    return Acquisition.of(np.zeros(shape), spacing_mm, orientation)


def test_an_acquisition_has_its_extent_in_mm():
    assert acquired() == Acquisition(3, (2.0, 1.0, 1.0), "LPS", (40.0, 100.0, 100.0), slice_axis=0)
    assert acquired(shape=(1, 9, 9)).n_dimensions == 2


def test_a_cohort_of_one_scanner_is_not_warned_of():
    facts = {"a": acquired(), "b": acquired((2.1, 1.09, 0.995), shape=(20, 92, 101)), "c": acquired(orientation="")}
    with warnings.catch_warnings(action="error"):
        warn_of_mixed_acquisition(facts, ALL, "Mine")


MIXED = {
    "a": acquired((1.0, 0.7, 0.7), "LPS", (40, 256, 256)),
    "b": acquired((5.0, 0.7, 0.7), "RAS", (40, 256, 256)),
    "c": acquired((2.0, 0.9, 0.7), "LPS", (40, 256, 256)),
}


@pytest.mark.parametrize(
    ("need", "message"),
    [
        (
            "spacing",
            r"Mine: Spacing differs by more than a tenth: along z from 1 mm \(a\) to 5 mm \(b\), along y from 0.7 mm "
            r"\(a\) to 0.9 mm \(c\)\. Its features depend on the voxel size.*resample_mm",
        ),
        (
            "pixels",
            r"Mine: Spacing differs by more than a tenth: along y from 0.7 mm \(a\) to 0.9 mm \(c\)\. .*Set pixel_mm",
        ),
        (
            "orientation",
            r"Mine: Files are stored in different orders: LPS in 2 cases \(a\), RAS in 1 case \(b\)\. .*axes=",
        ),
        (
            "field",
            r"Mine: Fields of view differ by more than a tenth: along z from 40 mm \(a\) to 200 mm \(b\), .*"
            "Let it look at the region",
        ),
    ],
)
def test_each_mixture_that_matters_is_one_warning(need, message):
    with pytest.warns(RadiodeepWarning, match=message) as caught:
        warn_of_mixed_acquisition(MIXED, {need}, "Mine")
    assert len(caught) == 1
    with warnings.catch_warnings(action="error"):
        warn_of_mixed_acquisition(MIXED, set(), "Mine")


def test_the_cases_that_are_unlike_the_others_are_listed():
    assert {mixture.need: mixture.ids for mixture in mixtures(MIXED, ALL)} == {
        "orientation": ["b"],
        "spacing": ["a", "b", "c"],
        "field": ["a", "b", "c"],
    }


def test_slices_in_different_planes_are_one_warning():
    facts = {
        "a": acquired((3.0, 1.0, 1.0)),
        "b": acquired((1.0, 1.0, 3.0)),
        "c": acquired((1.0, 1.0, 1.04)),
        "d": acquired((1.0, 3.0, 1.0), shape=(1, 9, 9)),  # has one plane only
    }
    assert facts["b"].plane == "sagittal"
    message = (
        r"^Mine: Slices lie in different planes: axial in 2 cases \(a\), sagittal in 1 case \(b\)\. "
        r".*slice_axis.*force_2d_dimension"
    )
    with pytest.warns(RadiodeepWarning, match=message) as caught:
        warn_of_mixed_acquisition(facts, {"plane"}, "Mine")
    assert len(caught) == 1
    assert mixtures(facts, {"plane"})[0].ids == ["b"]
    del facts["b"]
    assert mixtures(facts, {"plane"}) == mixtures({}, {"plane"}) == []


@pytest.mark.parametrize(
    ("needs", "axes"),
    [
        ({"spacing"}, "zyx"),
        ({"spacing_z"}, "z"),
        ({"spacing_y", "pixels_x"}, "yx"),
        ({"spacing_across"}, "z"),
        ({"pixels"}, "yx"),
        ({"spacing_stored_z"}, "y"),  # x of the file runs up, y to the left and z to the back
        ({"spacing_stored_x"}, "z"),
    ],
)
def test_spacing_is_compared_along_the_axes_that_matter(needs, axes):
    for axis, letter in enumerate("zyx"):
        finer = np.array([4.0, 1.0, 1.0])
        finer[axis] *= 0.8
        facts = {"a": acquired((4.0, 1.0, 1.0), "SLP"), "b": acquired(tuple(finer), "SLP")}
        assert len(mixtures(facts, needs)) == (letter in axes)


def test_axes_that_differ_alike_are_named_together():
    facts = {"a": acquired((2.0, 1.0, 1.0)), "b": acquired((3.0, 1.5, 1.5))}
    assert mixtures(facts, {"spacing"})[0].sentence == (
        "Spacing differs by more than a tenth: along z from 2 mm (a) to 3 mm (b), "
        "along y and x from 1 mm (a) to 1.5 mm (b)"
    )


def test_a_slice_has_no_thickness():
    flat = {"a": acquired((1.0, 1.0, 1.0), shape=(1, 9, 9)), "b": acquired((5.0, 1.0, 1.0), shape=(1, 9, 9))}
    assert mixtures(flat, ALL) == []
    assert [mixture.need for mixture in mixtures(flat | {"c": acquired((1.0, 1.2, 1.0), shape=(9, 8, 9))}, ALL)] == [
        "spacing"
    ]


@pytest.mark.parametrize("kind", [np.int16, np.uint8, np.float32])
def test_an_image_of_whole_numbers_without_negative_ones_has_no_known_unit(kind):
    def scale(image):
        return Acquisition.of(image, (1.0, 1.0, 1.0), "").scale

    image = np.arange(101).astype(kind).reshape(1, 1, -1)
    assert scale(image) == 99
    assert scale(image * 0) is None
    if kind != np.uint8:
        assert scale(image - kind(1)) is None
    if kind == np.float32:
        assert scale(image / 2) is None


def test_the_scale_of_a_large_image_is_that_of_a_sample():
    image = np.random.default_rng(0).integers(0, 1000, (60, 200, 150))
    assert Acquisition.of(image, (1.0, 1.0, 1.0), "").scale == pytest.approx(990, rel=0.01)


def test_scales_that_differ_in_images_without_a_unit_are_one_warning():
    facts = {name: replace(acquired(), scale=scale) for name, scale in (("a", 100.0), ("b", 290.0))}
    assert mixtures(facts, {"intensity"}) == []
    facts["c"] = replace(acquired(), scale=350.0)
    message = r"Mine: The images have no known unit .* goes from 100 \(a\) to 350 \(c\)\. .*use bin_count=32"
    with pytest.warns(RadiodeepWarning, match=message):
        warn_of_mixed_acquisition(facts, {"intensity"}, "Mine")
    for need, message in (
        ("intensity_unit", "have the unit of the image.*normalize=True.*scale='lesion'"),
        (
            "intensity_range",
            "within resegment_range.*resegment_mode='sigma', or resegment_outliers under convention='ibsi'",
        ),
        ("intensity_function", "logarithms or exponentials.*normalize=True"),
    ):
        with pytest.warns(RadiodeepWarning, match=message):
            warn_of_mixed_acquisition(facts, {need}, "Mine")
    assert mixtures(facts | {"d": replace(acquired(), scale=None)}, {"intensity"}) == []  # in Hounsfield units
    assert mixtures({}, {"intensity"}) == mixtures(facts, ALL) == []
