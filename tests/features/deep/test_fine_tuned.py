"""The extractor that learns is the one that `fine_tune` makes of the stateless one, and keeps its network to itself."""

import copy
import pickle

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline
from sklearn.utils import get_tags

import radiodeep as rd
from radiodeep.exceptions import WeightsError

COHORT = rd.make_phantom_cohort(6, random_state=4)
PLAN = rd.FineTuning(learning_rate=0.02, head_learning_rate=0.1, n_iterations=4)


@pytest.fixture(scope="module")
def tuned():
    return rd.FineTunedFeatureExtractor(fine_tune=PLAN, n_threads=1).fit(COHORT, COHORT.labels)


def test_it_gives_the_features_of_the_other_spelling(tuned):
    other = rd.DeepFeatureExtractor(fine_tune=PLAN, n_threads=1).fit(COHORT, COHORT.labels)
    np.testing.assert_array_equal(tuned.transform(COHORT), other.transform(COHORT))
    assert tuned.weights_sha256_ == other.weights_sha256_
    assert tuned.get_params() == other.get_params()


def test_it_always_has_to_be_fitted_and_the_stateless_extractor_never():
    for extractor, learns in ((rd.FineTunedFeatureExtractor(), True), (rd.DeepFeatureExtractor(), False)):
        assert get_tags(extractor).requires_fit == get_tags(extractor).target_tags.required == learns
    with pytest.raises(NotFittedError, match="This FineTunedFeatureExtractor instance is not fitted yet"):
        rd.FineTunedFeatureExtractor().transform(COHORT)
    assert rd.FineTunedFeatureExtractor().get_feature_names_out().size == 128  # known before


def test_without_a_schedule_it_learns_by_the_default_one():
    extractor = rd.FineTunedFeatureExtractor(n_threads=1).fit(COHORT, COHORT.labels)
    named = rd.FineTunedFeatureExtractor(fine_tune=rd.FineTuning(), n_threads=1).fit(COHORT, COHORT.labels)
    np.testing.assert_array_equal(extractor.transform(COHORT), named.transform(COHORT))


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda extractor: pickle.loads(pickle.dumps(extractor))])
def test_its_network_is_loaded_once_and_is_not_part_of_copies(tuned, copied):
    expected = tuned.transform(COHORT[:2])
    loaded = tuned._inference_network()
    assert tuned._inference_network() is loaded
    same = copied(tuned)
    assert not hasattr(same, "_loaded_tuned")
    assert not hasattr(clone(tuned), "_loaded_tuned")
    np.testing.assert_array_equal(same.transform(COHORT[:2]), expected)


def test_its_weights_are_not_computed_with_after_the_network_has_changed(tuned):
    other = copy.deepcopy(tuned)
    other.transform(COHORT[:1])
    with pytest.raises(WeightsError, match="weights do not belong to 'resnet10t'"):
        other.set_params(network="resnet10t").transform(COHORT[:1])


def test_it_is_saved_with_its_weights_and_needs_no_file(tuned, tmp_path):
    model = make_pipeline(tuned, GaussianNB()).fit(COHORT, COHORT.labels)
    expected = model.predict_proba(COHORT[:2])
    rd.save_model(model, tmp_path / "tuned.skops")
    np.testing.assert_array_equal(rd.load_model(tmp_path / "tuned.skops").predict_proba(COHORT[:2]), expected)
