"""
Own features
============

A step that measures something of your own, beside the features of the package.
"""

# %%
# Any transformer of cases is a step. This one measures how much brighter the core of a lesion is than its rim. `fit`
# learns nothing, so each case needs to be measured only once, whatever the number of folds.
import numpy as np
from scipy.ndimage import distance_transform_edt
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline, make_union
from sklearn.preprocessing import StandardScaler

import radiodeep as rd


class CoreToRim(TransformerMixin, BaseEstimator):
    """Mean of the inner half of the region less the mean of the outer half, by the distance to the border."""

    def fit(self, cases, y=None):
        self.n_features_in_ = 1
        return self

    def transform(self, cases):
        rows = []
        for case in cases:
            depth = distance_transform_edt(case.roi, sampling=case.spacing_mm)
            is_core = depth > np.median(depth[case.roi])
            rows.append([case.voxels[is_core].mean() - case.voxels[case.roi & ~is_core].mean()])
        return np.array(rows)

    def get_feature_names_out(self, input_features=None):
        return np.array(["core_to_rim"], dtype=object)


# %%
# Beside the package's features, in one study:
cohort = rd.make_phantom_cohort(40, random_state=0)
radiomics = rd.RadiomicsExtractor(bin_count=32, families=["glcm", "shape"])
sets = {"radiomics": radiomics, "core to rim": CoreToRim(), "both": make_union(radiomics, CoreToRim())}
models = {name: make_pipeline(features, StandardScaler(), LogisticRegression(C=0.1)) for name, features in sets.items()}
results = rd.cross_validate_models(models, cohort, cohort.labels, cv=5)
for name, result in results.items():
    print(f"{name:12} {result.primary.sentence}")

# %%
# The synthetic lesions are as bright in their core as at their rim, so the new feature knows nothing, and the interval
# says so.
rd.compare_all(results, against="both")[["model", "against", "difference", "p_value", "p_holm"]]
