"""What features depend on besides the lesion: the field of view, voxels, and the unit of the image."""

import warnings

import numpy as np
import pytest

from radiodeep import RadiomicsExtractor, extract_table, make_phantom_cohort
from radiodeep.exceptions import RadiodeepWarning
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
def test_only_named_settings_depend_on_the_field_of_view(lesion, name, values_of):
    settings = {**FIELD_OF_VIEW[name], "families": ["firstorder", "glcm"], "bin_count": 16}
    if "normalize" in settings:
        settings["bin_count"] = None
        settings["bin_width"] = 10
    whole, crop = values_of(lesion, **settings), values_of(crop_to_roi(lesion, 24.0), **settings)
    changed = sum(whole[feature] != pytest.approx(crop[feature], rel=1e-6, abs=1e-9) for feature in whole)
    depends = name in ("image", "percentiles", "body", "scaled by the image", "corner")
    assert (changed > 0) == depends
    extractor = RadiomicsExtractor(**settings)
    is_expected = depends and name != "corner"
    assert looks_at_whole_image(RadiomicsSettings.of(extractor)) == is_expected
    assert ("field" in extractor.acquisition_needs()) == is_expected


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
        {"families": ["glcm", "laws", "laws2D", "lbp2D", "lbp3D"], "bin_count": 16},
    ],
)
@pytest.mark.filterwarnings("ignore:.*grey level:radiodeep.exceptions.RadiodeepWarning")
def test_unit_bound_features_are_those_that_change_with_the_unit(lesion, settings):
    extractor = RadiomicsExtractor(**settings)
    bound = extractor.unit_bound_features()
    names = extractor.get_feature_names_out()
    assert bound == [name for name in names if name in set(bound)]
    image = np.abs(lesion.voxels)
    single, double = (extractor.transform([lesion.replace(image=image * factor)])[0] for factor in (1.0, 1.6))
    kept = [name for name in names if name not in set(bound)]
    differ = {
        name for name, a, b in zip(names, single, double, strict=True) if a != pytest.approx(b, rel=1e-6, abs=1e-9)
    }
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
        (
            {"bin_count": 16, "resample_mm": (0, 1, 0), "axes": "stored"},
            {"spacing_stored_z", "spacing_stored_x", "orientation"},
        ),
        ({"bin_count": 16, "force_2d": True}, {"spacing", "plane"}),
        ({"bin_count": 16, "force_2d": True, "force_2d_dimension": 0}, {"spacing"}),
        ({"families": ["shape2D"]}, {"spacing", "plane"}),
        ({"families": ["laws"], "bin_count": 16}, {"spacing", "intensity_unit"}),
        ({"families": ["laws2D"], "normalize": True, "normalize_over": "region"}, {"spacing", "plane"}),
        ({"families": ["lbp2D"]}, {"spacing", "plane"}),
        ({"families": ["lbp3D"]}, {"spacing"}),
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
def test_acquisition_needs_follow_from_the_settings(settings, needs):
    assert RadiomicsExtractor(**settings).acquisition_needs() == needs


@pytest.mark.parametrize(
    ("image_type", "looks_at_slices"),
    [
        ({"Original": {}}, False),
        ({"mean": {"support": 3}}, False),
        ({"mean": {"support": 3, "in_plane": True}}, True),
        ({"laws": {"kernels": ["L5E5E5", "L5E5"]}}, True),
        ({"laws": {"kernels": "L5E5E5"}}, False),
        ({"separable_wavelet": {"wavelet": "haar", "subbands": "LH"}}, True),
        ({"riesz_simoncelli": {"order": (1, 0)}}, True),
        ({"gabor": {"sigma_mm": 2, "wavelength_mm": 2}}, True),
        ({"gabor": {"sigma_mm": 2, "wavelength_mm": 2, "orthogonal_planes": True}}, False),
    ],
)
def test_filters_of_the_ibsi_depend_on_the_plane_of_slices_if_they_see_single_ones(image_type, looks_at_slices):
    settings = {"convention": "ibsi", "image_types": image_type, "families": ["intensity_statistics"]}
    in_space = RadiomicsExtractor(**settings, aggregation="3D_merged", resample_mm=1.0)
    assert ("plane" in in_space.acquisition_needs()) == looks_at_slices
    of_slices = in_space.set_params(aggregation="2.5D_merged")
    assert ("plane" in of_slices.acquisition_needs()) == (looks_at_slices or "mean" in image_type)


@pytest.mark.slow
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
