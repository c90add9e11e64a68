"""Extractors note what a pipeline is trained on, report their rows while somebody listens, and keep ids in tables."""

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline, make_union

import radiodeep as rd
from radiodeep.exceptions import RadiodeepWarning
from radiodeep.features.stateless import observed_rows

COHORT = rd.make_phantom_cohort(4, random_state=0)


def shape():
    return rd.RadiomicsExtractor(families=["shape"])


def test_fitting_a_pipeline_notes_the_range_of_its_cases_and_features():
    union = make_union(shape(), rd.RadiomicsExtractor(families=["firstorder"]))
    model = make_pipeline(union, GaussianNB()).fit(COHORT, COHORT.labels)
    for name, extractor in model[0].transformer_list:
        rows = extractor.transform(COHORT)
        noted = extractor.training_range_
        np.testing.assert_array_equal(noted["features"], [rows.min(axis=0), rows.max(axis=0)], err_msg=name)
        assert (noted["n_cases"], noted["n_dimensions"]) == (4, [3])
        assert noted["spacing_mm"].tolist() == [[1.5, 1, 1]] * 2


def test_a_pipeline_is_warned_of_training_cases_that_differ_in_what_its_features_depend_on():
    cases = [*COHORT[:3], COHORT[3].replace(spacing_mm=(3.0, 1.0, 1.0))]
    model = make_pipeline(make_union(shape(), shape()), GaussianNB())
    with pytest.warns(RadiodeepWarning, match=r"RadiomicsExtractor: Spacing differs .* to 3 mm \(phantom-003\)"):
        model.fit(cases, COHORT.labels)


def test_fit_and_transform_by_themselves_and_clones_note_nothing():
    extractor = shape()
    extractor.fit(COHORT).transform(COHORT)
    assert not hasattr(extractor, "training_range_")
    extractor.fit_transform(COHORT)
    assert not hasattr(clone(extractor), "training_range_")


def test_facts_of_other_processes_give_the_same_range():
    extractor, other = shape(), shape()
    rows = extractor.fit_transform(COHORT)
    other.note_training_range(other.facts_of_cases(COHORT), rows)
    for name, values in extractor.training_range_.items():
        np.testing.assert_array_equal(other.training_range_[name], values)


def test_rows_are_reported_while_somebody_listens_and_known_ones_are_not_computed(monkeypatch):
    extractor = shape()
    with observed_rows() as observed:
        rows = extractor.transform(COHORT)
    extractor.transform(COHORT[:1])
    assert [(reporter, values.tolist()) for reporter, values in observed] == [(extractor, rows.tolist())]
    known = {case.id: np.full(14, number) for number, case in enumerate(COHORT)}
    with observed_rows([(extractor, known)]):
        assert extractor.transform([COHORT[2], COHORT[0]])[:, 0].tolist() == [2, 0]
        assert shape().transform(COHORT[:1]).tolist() == rows[:1].tolist()  # an extractor whose rows are not known


def test_tables_of_pandas_have_the_ids_of_the_cases():
    extractor = shape().set_output(transform="pandas")
    for table in (extractor.fit_transform(COHORT), extractor.transform(COHORT)):
        assert table.index.tolist() == COHORT.ids
        assert table.index.name == "id"
        assert table.columns[0] == "original_shape_Elongation"
    union = make_union(shape(), rd.RadiomicsExtractor(families=["firstorder"])).set_output(transform="pandas")
    assert union.fit_transform(COHORT).index.tolist() == COHORT.ids
