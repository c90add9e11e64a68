"""
Coming from pyradiomics
=======================

The same features, by the same names, with the same values, on Python 3.11 and newer.
"""

# %%
# Settings have pyradiomics' meaning and scikit-learn's spelling. `from_pyradiomics` reads a parameter file.
import tempfile
from pathlib import Path

import radiodeep as rd

parameters = Path(tempfile.mkdtemp()) / "params.yaml"
parameters.write_text(
    """
imageType:
  Original: {}
  LoG: {sigma: [2.0]}
setting:
  binWidth: 5
  interpolator: sitkBSpline
  resampledPixelSpacing: [1.5, 1.5, 1.5]
"""
)
radiomics = rd.RadiomicsExtractor.from_pyradiomics(parameters)
print(radiomics)

# %%
# One row per case, named as pyradiomics names them:
cohort = rd.make_phantom_cohort(6, random_state=0)
table = rd.extract_table(radiomics, cohort)
print(table.shape)
table[["original_firstorder_Mean", "original_glcm_Contrast", "log-sigma-2-0-mm-3D_glszm_ZoneEntropy"]]

# %%
# Which bin width? One that gives most regions 16 to 128 grey levels:
print(rd.suggest_bin_width(cohort))
