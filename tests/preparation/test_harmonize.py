"""Even batches: against neuroCombat, and what leaks."""

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline

from radiodeep import BatchHarmonizer, cross_validated_auc
from radiodeep.exceptions import InputError


def table(n_cases=40, seed=0):
    rng = np.random.default_rng(seed)
    names = [f"c{number}" for number in range(n_cases)]
    return pd.DataFrame(rng.normal(size=(n_cases, 4)), columns=["firm", "soft", "shaky", "gone"], index=names)


@pytest.mark.parametrize(("column", "reference"), [("pooled", None), ("A", "A")])
def test_even_batches_are_neurocombats(repository, column, reference):
    golden = pd.read_csv(repository / "data" / "reference" / "neurocombat.csv")
    golden.index = [f"c{number}" for number in golden.index]
    even = BatchHarmonizer(golden["site"], reference=reference).fit_transform(golden[list("pqrs")])
    expected = golden[[f"{name}_{column}" for name in "pqrs"]]
    np.testing.assert_allclose(even, expected, rtol=1e-4, atol=1e-4)  # both stop when they move by less than 1e-4


def test_batches_are_learned_from_the_training_cases_alone():
    frame = table()
    site = pd.Series(np.where(np.arange(40) % 2, "A", "B"), index=frame.index)
    fitted = BatchHarmonizer(site).fit(frame.iloc[:30])
    changed = frame.copy()
    changed.iloc[30:] += 100
    np.testing.assert_array_equal(BatchHarmonizer(site).fit(changed.iloc[:30]).shifts_, fitted.shifts_)
    assert fitted.transform(frame.iloc[30:]).shape == (10, 4)
    model = make_pipeline(BatchHarmonizer(site), GaussianNB())
    y = (frame["firm"] > 0).to_numpy()
    assert cross_validated_auc(model, frame, y, cv=4, n_repeats=1).auc > 0.9


def test_what_cannot_be_harmonized_is_named():
    frame = table(10)
    site = pd.Series(["A"] * 5 + ["B"] * 4 + ["C"], index=frame.index)
    with pytest.raises(InputError, match="Batch C has one training case only"):
        BatchHarmonizer(site).fit(frame)
    with pytest.raises(InputError, match="1 cases have no batch, e.g. 'c9'"):
        BatchHarmonizer(site.iloc[:9]).fit(frame)
    with pytest.raises(InputError, match="1 cases have no batch, e.g. 'c3'"):
        BatchHarmonizer(site.mask(site.index == "c3")).fit(frame)
    with pytest.raises(InputError, match="Batch 'C' was not among the training cases .A, B."):
        BatchHarmonizer(site).fit(frame.iloc[:9]).transform(frame)
    with pytest.raises(InputError, match="needs a DataFrame"):
        BatchHarmonizer(site).fit(frame.to_numpy())
    with pytest.raises(
        InputError,
        match="'reference' parameter of BatchHarmonizer must be a batch of the training cases: .'A', 'B'.. Got 'Z'",
    ):
        BatchHarmonizer(site, reference="Z").fit(frame.iloc[:9])


def test_a_constant_feature_stays_as_it_is():
    frame = table(12)
    frame["gone"] = 4.0
    site = pd.Series(["A", "B"] * 6, index=frame.index)
    even = clone(BatchHarmonizer(site)).fit_transform(frame)
    np.testing.assert_array_equal(even["gone"], 4.0)
