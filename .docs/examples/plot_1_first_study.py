"""
A first study
=============

From images with outlined lesions to an AUC with its interval, a report, and probabilities of new cases.
"""

# %%
# A cohort is a list of cases: an image, a mask, and what is known of the patient. Here synthetic lesions stand for your
# own, whose label depends on texture and on spiculation. For your files, write a csv with the columns id, patient,
# image, mask and label, and read it with ``rd.read_cohort("manifest.csv")``.
import tempfile
from pathlib import Path

import matplotlib.pyplot as plt
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import radiodeep as rd

cohort = rd.make_phantom_cohort(60, random_state=0)
figure, axes = plt.subplots(1, 4, figsize=(9, 2.6))
for axis, case in zip(axes, cohort, strict=False):
    middle = case.voxels.shape[0] // 2
    axis.imshow(case.voxels[middle], cmap="gray")
    axis.contour(case.roi[middle], [0.5], colors="#d55e00", linewidths=1)
    axis.set_title(f"{case.id}, label {case.label}", fontsize=9)
    axis.set_axis_off()

# %%
# Models are scikit-learn pipelines. The extractor takes cases, all other steps take its numbers. Features are selected
# inside each fold: the cases that test a model never chose its features.
model = make_pipeline(
    rd.RadiomicsExtractor(bin_count=32), StandardScaler(), rd.ReliefF(n_features_to_select=10), LogisticRegression()
)
result = rd.cross_validated_auc(model, cohort, cohort.labels, cv=5)
print(result)

# %%
# The interval is that of training on 48 lesions and testing on new ones, so it is wider than the spread over folds. The
# line below it compares the model with the size of the lesion, which predicts many outcomes by itself.
#
# A report has all of it, with figures; a saved model scores new cases.
folder = Path(tempfile.mkdtemp())
rd.write_report(result, folder / "report.html", title="A first study")
path = rd.save_model(model.fit(cohort, cohort.labels), folder / "model.skops")
scores = rd.score_cohort(rd.load_model(path), rd.make_phantom_cohort(5, random_state=1))
scores[["id", "prediction", "probability_1"]]
