"""Even batches: against neuroCombat, and what leaks."""

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.compose import ColumnTransformer
from sklearn.linear_model import LogisticRegression
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from radiodeep import (
    BatchHarmonizer,
    RadiomicsExtractor,
    WekaNaiveBayes,
    cross_validate_models,
    cross_validated_auc,
    extract_table,
    load_model,
    make_phantom_cohort,
    save_model,
    score_cohort,
    with_scanner_effect,
)
from radiodeep.exceptions import InputError, StudyError


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
    twice = pd.concat([site.iloc[:9], site.iloc[8:].rename({"c8": "c3"})])
    with pytest.raises(InputError, match="'c3' comes twice in 'batches'. Keep one batch of each case"):
        BatchHarmonizer(twice).fit(frame.iloc[:8])
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


def confounded(n_cases=90, seed=3):
    """Return features that grow with age, three sites of other ages, of which B has a gain and an offset, and ages."""
    rng = np.random.default_rng(seed)
    names = [f"c{number}" for number in range(n_cases)]
    site = pd.Series(np.repeat(["A", "B", "C"], n_cases // 3), index=names)
    facts = pd.DataFrame({"age": rng.normal(60, 8, n_cases) + 10 * (site == "B"), "sex": "f"}, index=names)
    facts["sex"] = np.where(rng.random(n_cases) < 0.5, "f", "m")
    slopes = np.array([0.1, 0.05, 0, -0.1])
    X = rng.normal(size=(n_cases, 4)) + np.outer(facts["age"], slopes) + np.outer(facts["sex"] == "m", [1, 0, 0, 1])
    X = pd.DataFrame(X, index=names, columns=list("pqrs"))
    return X.where(site != "B", X * 2 + 3), site, facts


def plain_combat(X, site, age, male):
    """Write Johnson's equations as they stand, one feature and one batch at a time (no reference, no shortcuts)."""
    names, n = sorted(set(site)), len(X)
    design = np.array([[float(site.iloc[i] == name) for name in names] + [age[i], male[i]] for i in range(n)])
    beta = np.linalg.inv(design.T @ design) @ design.T @ X
    grand = np.array([(site == name).mean() for name in names]) @ beta[: len(names)]
    deviation = np.sqrt(((X - design @ beta) ** 2).mean(axis=0))
    kept = design[:, len(names) :] @ beta[len(names) :]
    standard, even = (X - grand - kept) / deviation, np.empty(X.shape)
    for name in names:
        part = standard[(site == name).to_numpy()]
        means, variances, n_part = part.mean(axis=0), part.var(axis=0, ddof=1), len(part)
        prior, tau2 = means.mean(), means.var(ddof=1)
        m, s2 = variances.mean(), variances.var(ddof=1)
        alpha, beta_prior = 2 + m**2 / s2, m + m**3 / s2
        for g in range(X.shape[1]):
            shift, stretch = means[g], variances[g]
            for _ in range(500):
                shift = (n_part * tau2 * means[g] + stretch * prior) / (n_part * tau2 + stretch)
                stretch = (beta_prior + ((part[:, g] - shift) ** 2).sum() / 2) / (n_part / 2 + alpha - 1)
            even[(site == name).to_numpy(), g] = (part[:, g] - shift) / np.sqrt(stretch) * deviation[g] + grand[g]
    return even + kept


def test_covariates_are_kept_as_in_the_equations_of_johnson():
    X, site, facts = confounded()
    even = BatchHarmonizer(site, covariates=facts).fit_transform(X)
    expected = plain_combat(X.to_numpy(), site, facts["age"].to_numpy(), (facts["sex"] == "m").to_numpy())
    np.testing.assert_allclose(even, expected, atol=2e-4)
    as_dict = BatchHarmonizer(site.to_dict(), covariates=facts.to_dict()).fit_transform(X)
    np.testing.assert_array_equal(as_dict, even)

    def slope(table):
        return np.polyfit(facts.loc["c30":"c59", "age"], table.loc["c30":"c59", "p"], 1)[0]

    def gap(table):  # expected: that of 10 years
        return (table.loc["c30":"c59", "p"].mean() - table.loc["c0":"c29", "p"].mean()) / 0.1

    without = BatchHarmonizer(site).fit_transform(X)
    assert gap(without) == pytest.approx(0, abs=3)
    assert gap(even) == pytest.approx(facts["age"][30:60].mean() - facts["age"][:30].mean(), abs=4)
    assert slope(even) < slope(X)


def test_covariates_that_cannot_be_kept_are_named():
    X, site, facts = confounded()
    with pytest.raises(InputError, match="covariates of the training cases follow from their batches"):
        BatchHarmonizer(site, covariates=facts.assign(age=site.map({"A": 1.0, "B": 2.0, "C": 5.0}))).fit(X)
    with pytest.raises(InputError, match="1 cases have no covariate, e.g. 'c7'"):
        BatchHarmonizer(site, covariates=facts.assign(age=facts["age"].mask(facts.index == "c7"))).fit(X)
    with pytest.raises(InputError, match="'covariates' parameter .* a DataFrame whose index names the cases"):
        BatchHarmonizer(site, covariates=["age"]).fit(X)
    known = X.index != "c9"
    fitted = BatchHarmonizer(site, covariates=facts.assign(sex=facts["sex"].mask(~known, "x"))).fit(X[known])
    with pytest.raises(InputError, match="covariate 'sex' is 'x' in no training case"):
        fitted.transform(X)


def test_a_batch_without_training_cases_is_left_as_it_is_or_estimated_from_its_features():
    X, site, _ = confounded()
    training = X[site != "B"]
    left = BatchHarmonizer(site, unseen="unadjusted").fit(training).transform(X)
    np.testing.assert_allclose(left[site == "B"], X[site == "B"])
    estimated = BatchHarmonizer(site, unseen="estimate").fit(training)
    even = estimated.transform(X)
    assert np.abs(X[site == "B"].mean() - even[site == "A"].mean()).min() > 2
    assert np.abs(even[site == "B"].mean() - even[site == "A"].mean()).max() < 0.4
    np.testing.assert_array_equal(estimated.transform(X)[site != "B"], estimated.transform(training))
    with pytest.raises(InputError, match="'B' has no training case and one case to transform"):
        estimated.transform(X[30:31])
    with pytest.raises(InputError, match="'unseen' parameter .* must be one of error, unadjusted, estimate"):
        BatchHarmonizer(site, unseen="ignore").fit(X)


def test_two_batch_variables_are_harmonized_in_their_combinations():
    X, site, _ = confounded()
    kernel = pd.Series(["sharp", "soft"] * 45, index=X.index)
    both = BatchHarmonizer(pd.DataFrame({"site": site, "kernel": kernel})).fit(X)
    assert both.batches_.tolist() == [f"{name}, {kind}" for name in "ABC" for kind in ("sharp", "soft")]
    np.testing.assert_array_equal(both.transform(X), BatchHarmonizer(site + kernel).fit_transform(X))


def test_a_study_names_small_and_unseen_batches_before_it_fits_a_model():
    X, site, _ = confounded()
    y = np.arange(90) % 2
    few = site.mask(X.index.isin(["c0", "c1"]), "D")
    fitted = []

    class Watched(GaussianNB):
        def fit(self, X, y):
            fitted.append(len(X))
            return super().fit(X, y)

    with pytest.raises(StudyError, match=r"No model was fitted, since fold \d+ .5-fold.* Batch D has one training"):
        cross_validated_auc(make_pipeline(BatchHarmonizer(few), Watched()), X, y, cv=5, n_repeats=2)
    by_centre = {"cv": "leave-one-centre-out", "centres": site}
    with pytest.raises(StudyError, match=r"fold 0 .leave-one-centre-out.* Batch 'A' was not among"):
        cross_validated_auc(make_pipeline(BatchHarmonizer(site), Watched()), X, y, **by_centre)
    assert not fitted
    for unseen in ("unadjusted", "estimate"):
        model = make_pipeline(BatchHarmonizer(site, unseen=unseen), GaussianNB())
        assert len(cross_validated_auc(model, X, y, **by_centre).centres) == 3


def test_a_pipeline_of_cases_harmonizes_the_rows_of_its_extractor():
    cohort = make_phantom_cohort(16, random_state=1)
    site = pd.Series(["A", "B"] * 4 + ["B", "A"] * 4, index=cohort.ids)
    extractor = RadiomicsExtractor(families=["glcm"])
    model = make_pipeline(extractor, BatchHarmonizer(site), StandardScaler(), GaussianNB())
    with pytest.raises(InputError, match="set_output.transform='pandas'."):
        cross_validated_auc(model, cohort, cohort.labels, cv=2, n_repeats=2)
    model.set_output(transform="pandas")
    from_cases = cross_validated_auc(model, cohort, cohort.labels, cv=2, n_repeats=2)
    from_table = cross_validated_auc(model[1:], extract_table(extractor, cohort), cohort.labels, cv=2, n_repeats=2)
    np.testing.assert_allclose(from_cases.scores, from_table.scores)
    assert model.fit(cohort, cohort.labels).predict(cohort).shape == (16,)


def share_of(factor, other, X):
    """Return which share of what `other` leaves unexplained a factor explains of each feature (partial R2)."""
    alone = np.eye(len(set(other)))[np.unique(other, return_inverse=True)[1]]
    both = np.column_stack([alone, np.eye(len(set(factor)))[np.unique(factor, return_inverse=True)[1]][:, 1:]])
    left = [((X - D @ np.linalg.lstsq(D, X, rcond=None)[0]) ** 2).sum(axis=0) for D in (alone, both)]
    return 1 - left[1] / left[0]


def test_real_scanners_are_harmonized_and_the_regions_stay_apart(reference_data):
    """One liver phantom in eight scanner and dose groups; its six regions are the covariate."""
    table = pd.read_csv(reference_data / "ctp4r" / "features.csv.gz", index_col="scan_id")
    group, region = table["group"], table[["class"]]
    X = table.drop(columns=["group", "class", "mask size"])
    even = BatchHarmonizer(group, covariates=region).fit_transform(X)
    scanner = [share_of(group, region["class"], features.to_numpy()) for features in (X, even)]
    kept = [share_of(region["class"], group, features.to_numpy()) for features in (X, even)]
    assert (np.median(scanner[0]), scanner[0].max()) == pytest.approx((0.524, 0.877), abs=1e-3)
    assert scanner[1].max() < 0.001
    assert np.median(kept[1]) == pytest.approx(np.median(kept[0]), abs=0.01)
    assert np.abs(kept[1] - kept[0]).max() < 0.2


def test_a_saved_model_is_told_the_batches_of_new_cases(tmp_path):
    cohort = with_scanner_effect(make_phantom_cohort(20, random_state=1), ["A", "B", "B", "A"] * 5)
    known, new = cohort[:16], cohort[16:]
    batches = {case.id: case.clinical["centre"] for case in cohort}
    known_batches = {case.id: batches[case.id] for case in known}
    extractor = RadiomicsExtractor(families=["firstorder"])
    model = make_pipeline(extractor, BatchHarmonizer(known_batches), WekaNaiveBayes()).set_output(transform="pandas")
    model.fit(known, known.labels)
    loaded = load_model(save_model(model, tmp_path / "model.skops"))
    assert score_cohort(loaded, new)["error"].str.contains("1 cases have no batch").all()
    loaded.set_params(batchharmonizer__batches=batches)
    expected = model.set_params(batchharmonizer__batches=batches).predict_proba(new)[:, 1]
    np.testing.assert_allclose(score_cohort(loaded, new)["probability_1"], expected)


@pytest.mark.slow
def test_a_threshold_holds_in_real_scanners_that_were_not_in_training(reference_data):
    """Two regions of one phantom told apart by one feature, in each scanner group by a model of the seven others."""
    table = pd.read_csv(reference_data / "ctp4r" / "features.csv.gz", index_col="scan_id")
    table = table[table["class"].isin(["hem", "met"])]
    y, group = (table["class"] == "met").to_numpy(), table["group"]
    X = table.filter(like="_glcm_")
    settings = {"cv": "leave-one-centre-out", "centres": group, "groups": X.index, "size": None}
    accuracy = []
    for name in X.columns[::3]:
        one = make_pipeline(ColumnTransformer([("one", "passthrough", [name])]), StandardScaler(), LogisticRegression())
        even = make_pipeline(BatchHarmonizer(group, unseen="estimate"), one)
        results = cross_validate_models({"plain": one, "even": even}, X, y, **settings)
        accuracy.append([result.accuracy for result in results.values()])
    plain, even = np.mean(accuracy, axis=0)
    assert (plain, even) == pytest.approx((0.60, 0.78), abs=0.02)
