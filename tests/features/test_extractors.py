"""Both extractors keep scikit-learn's manners and name the case that fails."""

import pickle

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV, LeaveOneOut, cross_val_predict
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline

from radiodeep import DeepFeatureExtractor, RadiomicsExtractor, make_phantom_cohort
from radiodeep.exceptions import (
    EmptyMaskError,
    InputError,
)

COHORT = make_phantom_cohort(8, random_state=2)
EXTRACTORS = [RadiomicsExtractor(families=["shape", "glcm"]), DeepFeatureExtractor(window="crop", size=48)]


@pytest.mark.parametrize("extractor", EXTRACTORS)
class TestManners:
    def test_one_row_per_case_and_one_name_per_column(self, extractor):
        values = extractor.fit(COHORT).transform(COHORT)
        assert values.dtype == np.float64
        assert values.shape == (8, len(extractor.get_feature_names_out()))
        assert np.isfinite(values).all()
        assert len(set(extractor.get_feature_names_out())) == values.shape[1]

    def test_a_list_of_cases_gives_the_same_as_a_cohort_and_order_does_not_matter(self, extractor):
        together = extractor.transform(COHORT)
        alone = np.vstack([extractor.transform([case]) for case in reversed(COHORT)])[::-1]
        np.testing.assert_allclose(together, alone, rtol=1e-5, atol=1e-6)

    def test_clone_pickle_and_set_params(self, extractor):
        expected = extractor.transform(COHORT[:2])
        for copy in (clone(extractor), pickle.loads(pickle.dumps(extractor))):
            np.testing.assert_array_equal(copy.transform(COHORT[:2]), expected)
        changed = clone(extractor).set_params(
            **next(iter([{"families": ["shape"]}, {"window": "exact"}][isinstance(extractor, DeepFeatureExtractor) :]))
        )
        assert not np.array_equal(changed.transform(COHORT[:2]).ravel()[:5], expected.ravel()[-5:])
        assert changed.get_params() != extractor.get_params()

    def test_it_works_in_leave_one_out_and_grid_search(self, extractor):
        model = make_pipeline(clone(extractor), GaussianNB())
        assert cross_val_predict(model, COHORT, COHORT.labels, cv=LeaveOneOut()).shape == (8,)
        name, values = (
            ("deepfeatureextractor__window", ["exact", "crop"])
            if isinstance(extractor, DeepFeatureExtractor)
            else ("radiomicsextractor__families", [["shape"], ["glcm"]])
        )
        search = GridSearchCV(model, {name: values}, cv=2).fit(COHORT, COHORT.labels)
        assert search.best_params_[name] in values

    def test_a_failing_case_is_named(self, extractor):
        empty = COHORT[3].replace(mask=np.zeros_like(COHORT[3].mask))
        with pytest.raises(EmptyMaskError, match="^phantom-003: the mask outlines no voxel"):
            extractor.transform([COHORT[0], empty])

    def test_what_is_no_case_is_refused(self, extractor):
        with pytest.raises(InputError, match="Expected a Cohort or a list of cases"):
            extractor.transform(np.zeros((3, 2)))
