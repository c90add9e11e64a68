"""
Survival
========

Times to an event, some of them censored.
"""

# %%
# A manifest has the columns time and event instead of label; here synthetic lesions have times in months.
import matplotlib.pyplot as plt
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import radiodeep as rd

cohort = rd.make_phantom_cohort(80, random_state=0, survival=True)
table = rd.extract_table(rd.RadiomicsExtractor(bin_count=32, families=["glcm", "shape"]), cohort)
model = make_pipeline(StandardScaler(), rd.UnivariateCox(5), rd.CoxRegression(alpha=1.0))
result = rd.cross_validated_cindex(model, table, cohort.survival, cv=5, horizon=24)
print(result)
result.measures().round(3)

# %%
# Survival of the patients by the risk that was predicted while they were left out:
figure, axes = plt.subplots(figsize=(6, 3.4), layout="constrained")
risk = result.predictions["score"]
is_high = (risk > risk.median()).to_numpy()
for name, chosen, colour in (("high risk", is_high, "#d55e00"), ("low risk", ~is_high, "#0072b2")):
    months, events = cohort.survival["time"][chosen], cohort.survival["event"][chosen]
    order = months.argsort()
    at_risk = chosen.sum() - range(chosen.sum())
    axes.step(months[order], (1 - events[order] / at_risk).cumprod(), where="post", label=name, color=colour)
axes.set(xlabel="months", ylabel="survival", ylim=(0, 1.02))
axes.legend(frameon=False)
