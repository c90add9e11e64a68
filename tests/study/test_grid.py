"""Tables x selectors x classifiers in one call, and several seeds of a forest."""

import numpy as np
import pandas as pd
import pytest
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from radiodeep import (
    RadiomicsExtractor,
    ReliefF,
    SymmetricUncertainty,
    compare_all,
    cross_validate_grid,
    cross_validate_models,
    cross_validated_auc,
    make_phantom_cohort,
    spread_over_seeds,
    with_seeds,
)
from radiodeep.exceptions import StudyError

CLASSIFIERS = {"naive Bayes": GaussianNB(), "linear": LogisticRegression()}


def tables(n_cases=30):
    rng = np.random.default_rng(0)
    y = np.arange(n_cases) % 2
    shape, texture = (pd.DataFrame(rng.normal(size=(n_cases, 12)) + 0.7 * y[:, None]).add_prefix(name) for name in "st")
    return {"shape": shape, "texture": texture}, y


@pytest.mark.slow
def test_every_combination_is_what_it_is_alone():
    frames, y = tables()
    selectors = {"ReliefF": ReliefF(3), "SU": SymmetricUncertainty(3, threshold=None), "all": None}
    results = cross_validate_grid(frames, selectors, CLASSIFIERS, y)
    assert len(results) == 12
    alone = cross_validated_auc(make_pipeline(StandardScaler(), ReliefF(3), GaussianNB()), frames["texture"], y)
    together = results["texture, ReliefF, naive Bayes"]
    np.testing.assert_allclose(together.scores, alone.scores, rtol=1e-9)
    np.testing.assert_allclose(together.beside.scores, alone.beside.scores, rtol=1e-9)
    assert len(compare_all(results, against="texture, all, linear")) == 11


def test_tables_side_by_side_have_a_selector_each():
    frames, y = tables()
    results = cross_validate_grid(
        {**frames, "both": ["shape", "texture"]}, {"ReliefF": ReliefF(2)}, CLASSIFIERS, y, cv=3
    )
    for names in results["both, ReliefF, linear"].folds["selected_features"]:
        assert sorted(name.partition("_")[0] for name in names) == ["shape", "shape", "texture", "texture"]


def test_extractors_measure_every_case_once():
    cohort = make_phantom_cohort(12, random_state=3)

    class Counting(RadiomicsExtractor):
        measured = 0

        def transform(self, cases):
            Counting.measured += len(cases)
            return super().transform(cases)

    extractors = {"texture": Counting(families=["glcm"]), "intensity": RadiomicsExtractor(families=["firstorder"])}
    tables = {**extractors, "both": ["texture", "intensity"]}
    results = cross_validate_grid(
        tables, {"ReliefF": ReliefF(2)}, CLASSIFIERS, cohort.labels, cohort, cv=3, n_repeats=1
    )
    assert Counting.measured == 12
    assert len(results) == 6
    assert all(result.size_alone is not None for result in results.values())


def test_what_is_no_grid_is_refused():
    frames, y = tables()
    for wrong, X, message in (
        ({}, None, "at least one table"),
        ({"a": RadiomicsExtractor()}, None, "Extractors need the cases, X=cohort"),
        ({**frames, "both": ["shape", "colour"]}, None, "The table 'both' must be an extractor, a DataFrame"),
        ({**frames, "both": []}, None, "The table 'both' must be an extractor, a DataFrame"),
        ({"shape": frames["shape"], "texture": frames["texture"][::-1]}, None, "same rows in the same order"),
    ):
        with pytest.raises(StudyError, match=message):
            cross_validate_grid(wrong, {"all": None}, CLASSIFIERS, y, X)
    same = {"a": frames["shape"], "a, b": frames["texture"]}
    with pytest.raises(StudyError, match="Two combinations have the same name"):
        cross_validate_grid(same, {"b, c": None, "c": None}, CLASSIFIERS, y)
    with pytest.raises(StudyError, match="Expected a dict from names to results. Got list"):
        compare_all([])


def test_a_number_of_seeds_that_would_drop_random_models_is_refused():
    with pytest.raises(StudyError, match="'n_seeds' parameter of with_seeds must be an int >= 1. Got 0"):
        with_seeds({"forest": RandomForestClassifier()}, n_seeds=0)


def test_seeds_of_a_forest_spread():
    frames, y = tables()
    forest = make_pipeline(ReliefF(4), RandomForestClassifier(10))
    models = with_seeds({"forest": forest, "naive Bayes": GaussianNB()}, n_seeds=3)
    assert [models[f"forest, seed {seed}"][-1].random_state for seed in range(3)] == [0, 1, 2]
    assert models["forest, seed 2"][0].random_state == 1
    results = cross_validate_models(models, frames["shape"], y, cv=3, n_repeats=1)
    spread = spread_over_seeds(results)
    aucs = [results[f"forest, seed {seed}"].auc for seed in range(3)]
    np.testing.assert_allclose(spread.loc["forest", ["auc", "lowest"]].astype(float), [np.mean(aucs), min(aucs)])
    assert spread["n_seeds"].tolist() == [3, 1]
