"""
Reading an interval at n = 40
=============================

What an AUC of 40 patients says of new patients.
"""

# %%
# The same population, ten studies of 40 patients each. Nothing differs between them but who was in the study.
import matplotlib.pyplot as plt
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import radiodeep as rd

radiomics = rd.RadiomicsExtractor(bin_count=32, families=["glcm", "shape"])
population = rd.make_phantom_cohort(400, random_state=0)
table = rd.extract_table(radiomics, population)
model = make_pipeline(StandardScaler(), rd.ReliefF(n_features_to_select=5), LogisticRegression(C=0.1))
studies = []
for start in range(0, 400, 40):
    chosen = slice(start, start + 40)
    studies.append(
        rd.cross_validated_auc(model, table[chosen], population.labels[chosen], cv=2, n_repeats=50, size=None)
    )

# %%
# The truth of a model trained on 20 of them is about the mean of the studies (line). Of 100 such intervals, 95 or more
# should contain it.
figure, axes = plt.subplots(figsize=(6, 3.4), layout="constrained")
truth = sum(result.auc for result in studies) / len(studies)
axes.axvline(truth, color="0.6", linewidth=1)
axes.axvline(0.5, color="0.8", linewidth=1, linestyle="--")
for row, result in enumerate(studies):
    interval = result.confidence_interval
    axes.plot([interval.low, interval.high], [row, row], color="#0072b2")
    axes.plot(result.auc, row, "o", color="#0072b2")
axes.set(xlabel="AUC with its 95 % interval", ylabel="study of 40 patients", xlim=(0, 1), yticks=[])

# %%
# Estimates lie between about .65 and .82 though the population is the same. With 40 patients:
#
# * an AUC of .80 is compatible with .6 and with .9;
# * two models are hardly ever told apart; choose one beforehand instead of taking the best;
# * leave-one-out gives a number without a valid interval, which is why repeated halves are printed first.
wide = max(studies, key=lambda result: result.confidence_interval.high - result.confidence_interval.low)
print(wide)
