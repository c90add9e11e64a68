"""Canaries look like the training cases, hold none of their voxels, and notice another computation."""

import io

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LinearRegression
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

import radiodeep as rd
from radiodeep.persistence.canary import canary_of, difference_of

COHORT = rd.make_phantom_cohort(8, random_state=3)


def slices(cohort):
    return [rd.Case(case.image[12], case.mask[12], case.id, spacing_mm=(0.5, 0.5)) for case in cohort]


@pytest.mark.parametrize("scale", [0.01, 1.0, 1000.0])
@pytest.mark.parametrize("flat", [False, True])
def test_a_canary_has_dimension_spacing_and_intensities_of_the_training(scale, flat):
    cases = slices(COHORT) if flat else list(COHORT)
    cases = [case.replace(image=case.image * scale) for case in cases]
    model = make_pipeline(rd.RadiomicsExtractor(bin_count=16, families=["firstorder", "glcm"]), GaussianNB())
    facts, extras = canary_of(model.fit(cases, COHORT.labels))
    assert facts["kind"] == "cases"
    assert difference_of(model, facts, extras) == 0
    arrays = {name: np.load(io.BytesIO(extras[name])) for name in extras}
    assert arrays["canary-image-0"].ndim == (2 if flat else 3)
    assert arrays["canary-spacing"].tolist() == ([0.5, 0.5] if flat else [1.5, 1.0, 1.0])
    region = arrays["canary-image-0"][arrays["canary-mask-0"] == 1] / scale
    assert 50 < np.median(region) < 150
    assert 10 < region.std() < 100


def test_a_canary_notices_other_numbers():
    model = make_pipeline(rd.RadiomicsExtractor(families=["firstorder"]), LinearRegression())
    facts, extras = canary_of(model.fit(COHORT, COHORT.labels))
    model[-1].coef_ = model[-1].coef_ * 1.1
    assert difference_of(model, facts, extras) > 1e-3


def test_a_table_has_rows_with_its_names_for_a_canary():
    table = pd.DataFrame(np.random.default_rng(0).normal(size=(10, 3)), columns=list("abc"))
    model = GaussianNB().fit(table, np.arange(10) % 2)
    facts, extras = canary_of(model)
    assert (facts["kind"], np.shape(facts["predictions"])) == ("rows", (3, 2))
    assert difference_of(model, facts, extras) == 0
    other = GaussianNB().fit(table, np.arange(10) % 3)
    assert difference_of(other, facts, extras) == np.inf


def test_a_model_that_cannot_predict_a_canary_has_none():
    model = make_pipeline(FunctionTransformer(len), GaussianNB())
    assert canary_of(model) == ({"kind": None, "reason": "AttributeError"}, {})
    assert difference_of(model, {"kind": None}, {}) is None
    assert difference_of(model, None, {}) is None  # of an earlier version


@pytest.mark.parametrize("extractor", [rd.RadiomicsExtractor(families=["firstorder"]), rd.DeepFeatureExtractor()])
def test_a_model_of_several_images_has_a_canary_with_each_of_them(extractor):
    cases = [rd.Case({"T1": case.image, "PET": case.image * 5 + 1}, case.mask, case.id, (2, 1, 1)) for case in COHORT]
    model = make_pipeline(extractor, GaussianNB()).fit(cases, COHORT.labels)
    facts, extras = canary_of(model)
    assert facts["kind"] == "cases"
    assert difference_of(model, facts, extras) == 0
    medians = [np.median(np.load(io.BytesIO(extras[f"canary-image-0-{place}"]))) for place in range(2)]
    assert medians[1] > 3 * medians[0] > 0
