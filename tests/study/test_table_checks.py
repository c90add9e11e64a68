"""Tables whose results would be wrong or too good are refused or pointed out."""

import numpy as np
import pandas as pd
import pytest
from sklearn.impute import SimpleImputer
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline

from radiodeep import Cohort, RadiomicsExtractor, cross_validated_auc, make_phantom_cohort, write_report
from radiodeep.exceptions import RadiodeepWarning, StudyError

COHORT = make_phantom_cohort(12, random_state=1)


SHAPE = RadiomicsExtractor(families=["shape"])


def table(n_cases=40, n_features=5, effect=0.7, seed=0):
    rng = np.random.default_rng(seed)
    y = pd.Series(np.arange(n_cases) % 2, index=[f"case {n}" for n in range(n_cases)])
    X = pd.DataFrame(rng.normal(size=(n_cases, n_features)) + effect * y.to_numpy()[:, None], index=y.index)
    return X.add_prefix("f"), y


def test_equal_rows_under_two_names_and_copies_of_the_label_are_pointed_out(tmp_path):
    X, y = table()
    copied = pd.concat([X, X.iloc[[3]].rename({"case 3": "copy"})])
    with pytest.warns(RadiodeepWarning, match="1 case has the same features as another case, e.g. 'copy' as 'case 3'"):
        cross_validated_auc(GaussianNB(), copied, np.append(y, y.iloc[3]), cv=5)
    gaps = X.assign(outcome=y.where(np.arange(40) != 3))
    with pytest.warns(RadiodeepWarning, match="Feature 'outcome' is equal or nearly equal to the outcome"):
        cross_validated_auc(make_pipeline(SimpleImputer(), GaussianNB()), gaps, y, cv=5)
    for leaked in (y, -3.0 * y, y + 0.02 * np.random.default_rng(0).normal(size=40)):
        with pytest.warns(RadiodeepWarning, match="Feature 'outcome' is equal or nearly equal to the outcome"):
            result = cross_validated_auc(GaussianNB(), X.assign(outcome=leaked), y, cv=5)
    assert "Feature &#39;outcome&#39; is equal" in write_report(result, tmp_path / "report.html").read_text()
    whole = (X > 0).astype(int)  # equal rows of whole numbers are no sign of a copy
    assert cross_validated_auc(GaussianNB(), whole, y, cv=5).remarks == ()


def test_equal_images_under_two_names_are_pointed_out():
    cohort = Cohort([*COHORT, COHORT[0].replace(id="again")])
    with pytest.warns(RadiodeepWarning, match="e.g. 'again' as 'phantom-000'"):
        cross_validated_auc(make_pipeline(SHAPE, GaussianNB()), cohort, cohort.labels, cv=3)


def test_missing_and_infinite_features_are_named():
    X, y = table()
    X.iloc[7, 2] = np.nan
    with pytest.raises(
        StudyError, match="1 values of the table are NaN, in 1 cases: the first is feature 'f2' of case 'c"
    ):
        cross_validated_auc(GaussianNB(), X, y, cv=5)
    with pytest.raises(StudyError, match="The columns 'sex' of the table hold text. Drop or encode them first."):
        cross_validated_auc(GaussianNB(), X.assign(sex="f"), y, cv=5)
    for value in (np.inf, -1e300):
        with pytest.raises(
            StudyError, match=f"1 values .* is {value:g}, feature 'f2' of case 'case 7'".replace("+", ".")
        ):
            cross_validated_auc(GaussianNB(), X.fillna(value), y, cv=5)
