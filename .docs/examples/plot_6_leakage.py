"""
Leakage
=======

Three ways to fool oneself, and what radiodeep does about them.
"""

# %%
# **Features selected on all patients.** 40 patients, 1,000 columns of noise: nothing can be predicted. The selector
# that has seen the test patients finds a "signature" all the same.
import warnings

import numpy as np
import pandas as pd
from sklearn.feature_selection import SelectKBest, f_classif
from sklearn.model_selection import KFold
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline

import radiodeep as rd
from radiodeep.exceptions import LeakageError

rng = np.random.default_rng(0)
ids = [f"patient-{number:02}" for number in range(40)]
noise = pd.DataFrame(rng.normal(size=(40, 1000)), index=ids).add_prefix("feature_")
labels = np.repeat([0, 1], 20)
chosen = noise.columns[SelectKBest(f_classif, k=10).fit(noise, labels).get_support()]
leaky = rd.cross_validated_auc(GaussianNB(), noise[chosen], labels, cv=5)
honest = rd.cross_validated_auc(make_pipeline(SelectKBest(f_classif, k=10), GaussianNB()), noise, labels, cv=5)
print(f"selected on all patients: {leaky.auc:.2f}\nselected in each fold:    {honest.auc:.2f}")

# %%
# A report of the first says that the table was taken as given, since no study can know what was done to it before.
#
# **Lesions of one patient on both sides.** With a `patient` column, or `groups=`, they stay together, and a split that
# would part them is refused:
cohort = rd.make_phantom_cohort(20, random_state=0)
table = rd.extract_table(rd.RadiomicsExtractor(bin_count=32, families=["glcm"]), cohort)
patients = np.repeat(np.arange(10), 2)
try:
    rd.cross_validated_auc(
        GaussianNB(), table, cohort.labels, cv=KFold(5, shuffle=True, random_state=0), groups=patients
    )
except LeakageError as error:
    print(error)

# %%
# **The outcome as a feature**, which happens with tables:
with warnings.catch_warnings(record=True) as said:
    warnings.simplefilter("always")
    rd.cross_validated_auc(GaussianNB(), noise.assign(died=labels), labels, cv=5)
print(said[0].message)

# %%
# And what only you can see: a feature that was measured after the outcome, a scanner that was used for one class alone.
# `rd.negative_controls` and ``cv="leave-one-centre-out"`` help to find these.
