"""What is outside of the range of training is said with its numbers; what is like the training cases is not."""

from dataclasses import replace

import numpy as np
import pytest

import radiodeep as rd
from radiodeep.cases.training_range import (
    CaseFacts,
    acquisition_outside,
    case_facts,
    features_outside,
    merged_range,
    training_range,
)


def facts_of(n_dimensions, spacing_mm, intensities):
    return CaseFacts(n_dimensions, spacing_mm, intensities=intensities)


TRAINED = training_range(
    [
        facts_of(3, (0.7, 0.6, 0.6), (0.0, 50.0, 100.0)),
        facts_of(3, (2.5, 0.9, 0.9), (10.0, 60.0, 200.0)),
    ]
)


def test_the_facts_of_a_case_are_read_once(monkeypatch):
    image = np.arange(60.0).reshape(3, 4, 5)
    case = rd.Case(image, np.ones((3, 4, 5), np.uint8), "a", spacing_mm=(2, 1, 1))
    assert case_facts(case) == CaseFacts(
        3,
        (2.0, 1.0, 1.0),
        intensities=pytest.approx((0.59, 29.5, 58.41)),
        orientation="",
        field_mm=(6.0, 4.0, 5.0),
        scale=58.0,
        slice_axis=0,
    )
    monkeypatch.setattr(rd.Case, "lesion", None)
    assert case_facts(case).n_dimensions == 3


@pytest.mark.parametrize(
    ("facts", "remarks"),
    [
        (facts_of(3, (1.0, 0.7, 0.7), (5.0, 55.0, 150.0)), []),
        (facts_of(3, (3.7, 1.3, 0.41), (-90.0, -45.0, 290.0)), []),
        (facts_of(3, (5.0, 0.7, 0.7), (5.0, 55.0, 150.0)), ["spacing 5 mm (trained on 0.7 to 2.5)"]),
        (facts_of(3, (1.0, 0.3, 0.7), (5.0, 55.0, 150.0)), ["spacing 0.3 mm (trained on 0.6 to 0.9)"]),
        (facts_of(3, (1.0, 0.7, 0.7), (5.0, 55.0, 301.0)), ["intensities 5 to 301 (trained on 0 to 200)"]),
        (
            facts_of(3, (1.0, 0.7, 0.7), (-101.0, 0.0, 50.0)),
            ["intensities -101 to 50 (trained on 0 to 200)"],
        ),
        (facts_of(3, (1.0, 0.7, 0.7), (5.0, 20.0, 38.0)), ["intensities 5 to 38 (trained on 0 to 200)"]),
        (facts_of(3, (1.0, 0.7, 0.7), (7.0, 7.0, 7.0)), ["intensities 7 (trained on 0 to 200)"]),
        (facts_of(2, (99.0, 0.7, 0.7), (5.0, 55.0, 150.0)), []),
    ],
)
def test_spacing_and_intensities_outside_are_said(facts, remarks):
    assert acquisition_outside(facts, TRAINED) == remarks


def facts(orientation="LPS", field_mm=(50.0, 300.0, 300.0)):
    return CaseFacts(3, (1.0, 0.7, 0.7), orientation, field_mm, intensities=(5.0, 55.0, 150.0))


def test_field_of_view_and_storage_order_are_compared_only_where_features_depend_on_them():
    trained = merged_range([training_range([facts()] * 2), training_range([facts("RAS", (80.0, 400.0, 400.0))] * 2)])
    assert trained["field_mm"].tolist() == [[50, 300, 300], [80, 400, 400]]
    new = facts("PSR", (60.0, 350.0, 199.0))
    assert acquisition_outside(new, trained) == acquisition_outside(new, trained, {"spacing"}) == []
    assert acquisition_outside(new, trained, {"field"}) == ["field of view 199 mm (trained on 300 to 400)"]
    assert acquisition_outside(new, trained, {"orientation"}) == ["axes stored as PSR (trained on LPS, RAS)"]
    assert acquisition_outside(facts("RAS", (50.0, 201.0, 599.0)), trained, {"field", "orientation"}) == []
    assert acquisition_outside(facts(""), trained, {"orientation"}) == []


def test_planes_are_compared_only_where_features_depend_on_them():
    axial, sagittal = (replace(facts(), slice_axis=axis) for axis in (0, 2))
    trained = merged_range([training_range([axial] * 2)] * 2)
    assert trained["planes"] == ["axial"]
    assert acquisition_outside(sagittal, trained, {"plane"}) == ["slices sagittal (trained on axial)"]
    assert acquisition_outside(sagittal, trained, {"field"}) == acquisition_outside(axial, trained, {"plane"}) == []
    assert acquisition_outside(facts(), trained, {"plane"}) == []  # of one slice
    older = {name: value for name, value in trained.items() if name != "planes"}
    assert acquisition_outside(sagittal, older, {"plane"}) == []
    assert acquisition_outside(sagittal, merged_range([older]), {"plane"}) == []


def test_models_that_did_not_note_the_field_of_view_are_not_compared_by_it():
    assert acquisition_outside(facts("RAS", (1.0, 1.0, 1.0)), TRAINED, {"field", "orientation"}) == []
    older = {name: value for name, value in TRAINED.items() if name != "orientations"}
    assert acquisition_outside(facts(), older, {"field", "orientation"}) == []
    assert "field_mm" not in merged_range([older, training_range([facts()])])


def test_ranges_of_folds_are_joined():
    narrow = training_range([facts_of(2, (1, 1, 1), (0, 1, 2))] * 3, [[1.0], [2.0], [3.0]])
    wide = training_range([facts_of(3, (2, 1, 1), (-5, 1, 2))] * 2, [[0.0], [1.0]])
    merged = merged_range([narrow, wide])
    assert merged["n_dimensions"] == [2, 3]
    assert merged["n_cases"] == 3
    assert merged["spacing_mm"].tolist() == [[1, 1, 1], [2, 1, 1]]
    assert merged["features"].tolist() == [[0], [3]]
    assert "features" not in merged_range([narrow, training_range([facts_of(2, (1, 1, 1), (0, 1, 2))])])


def test_features_are_outside_if_more_than_a_twentieth_is_far_beyond():
    names = [f"f{number}" for number in range(41)]
    low, high = np.zeros(41), np.ones(41)
    low[0] = high[0] = 1.0  # constant in training: no model learned from it
    trained = {"n_cases": 20, "features": np.stack([low, high])}
    row = np.full(41, 0.5)
    row[0] = 99.0
    row[1:3] = 3.6, -2.6  # a margin of 2 + 10 / 20
    assert features_outside(row, names, trained) == []
    row[3] = 3.4
    assert features_outside(row, names, trained) == []
    row[3] = -4.0
    assert features_outside(row, names, trained) == ["3 of 41 features, e.g. f3"]
    assert features_outside(row, names, trained | {"n_cases": 5}) == []
    row[1:4] = 0.5, np.nan, 102.0
    assert features_outside(row, names, trained) == ["1 of 41 features, e.g. f3"]
    widened = trained | {"features": 10 * trained["features"]}
    row[1:4] = 36.0, -26.0, 34.0
    assert features_outside(row, names, widened) == []
    row[3] = -40.0
    assert features_outside(row, names, widened) == ["3 of 41 features, e.g. f3"]
