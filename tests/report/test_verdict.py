"""The verdict says what the numbers allow: better than chance only if the interval does, and what size alone does."""

import hashlib
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import Ridge
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline, make_union

from radiodeep import (
    CoxRegression,
    DeepFeatureExtractor,
    RadiomicsExtractor,
    ReliefF,
    __version__,
    cross_validated_score,
    survival_outcomes,
)
from radiodeep.report.methods import methods_paragraph, provenance
from radiodeep.report.verdict import by_estimate, verdict
from radiodeep.study.description import describe
from radiodeep.study.statistics.uncertainty import ConfidenceInterval

RNG = np.random.default_rng(0)
X = pd.DataFrame(RNG.normal(size=(40, 2)), columns=["a", "b"])
TIME = RNG.exponential(np.exp(-X["a"])) + 0.1


@pytest.fixture(scope="module")
def result():
    size = np.exp(RNG.normal(size=40))
    return cross_validated_score(GaussianNB(), X, (X["a"] > 0).astype(int), cv=2, n_repeats=3, size=size)


def of(result, value, low, high):
    return replace(result, auc=value, confidence_interval=ConfidenceInterval(low, high, 0.95))


def test_better_than_chance_needs_an_interval_above_it(result):
    assert verdict([of(result, 0.8, 0.6, 0.9)])[0] == (
        "The model GaussianNB predicts label 1 of unseen cases better than chance: an AUC of 0.80 (95% interval 0.60 "
        f"to 0.90; 2-fold, 3 repeats; n=40, {(X['a'] > 0).sum()} positive)."
    )
    assert "is not shown to predict label 1" in verdict([of(result, 0.8, 0.5, 0.9)])[0]
    assert "its interval includes chance, 0.5" in verdict([of(result, 0.6, 0.4, 0.9)])[0]
    assert "worse than chance: an AUC of 0.20" in verdict([of(result, 0.2, 0.1, 0.4)])[0]
    unknown = verdict([of(result, 0.9, np.nan, np.nan)])[0]
    assert "gives no valid interval" in unknown
    assert "whether that is better than chance (0.5) is not known" in unknown


def test_the_best_of_several_models_is_called_so_and_ties_stay_in_the_given_order(result):
    models = [replace(of(result, value, 0.6, 0.9), name=name) for name, value in (("a", 0.7), ("b", 0.8), ("c", 0.8))]
    told = verdict(models)[0]
    assert told.startswith("The best of 3 models, b, predicts")
    assert "not corrected for choosing the best" in told
    assert "choosing" not in verdict(models[:1])[0]
    assert [each.name for each in by_estimate(models)] == ["b", "c", "a"]


def test_size_alone_is_named_with_a_test_or_the_lack_of_one(result):
    against = replace(result.against_size, difference=0.2, p_value=0.01)
    alone = f"AUC {result.size_baseline.auc:.2f}"
    assert verdict([replace(result, against_size=against)])[1] == (
        f"It is better than size alone ({alone}; difference +0.20, p = 0.01)."
    )
    weak = replace(against, p_value=0.2)
    assert verdict([replace(result, against_size=weak)])[1].startswith("It is not shown to be better than size alone")
    worse = replace(against, difference=-0.2, p_value=0.0001)
    assert verdict([replace(result, against_size=worse)])[1].endswith("difference -0.20, p < 0.001).")
    assert "It is worse than size alone" in verdict([replace(result, against_size=worse)])[1]
    assert "cannot be tested with this split" in verdict([replace(result, against_size=None)])[1]
    assert "not known, so that it was not compared" in verdict([replace(result, size_baseline=None)])[1]


@pytest.mark.parametrize(
    ("model", "y", "said"),
    [
        (
            GaussianNB(),
            np.digitize(X["a"], [-0.5, 0.5]),
            "the 3 classes of unseen cases better than chance: a mean AUC",
        ),
        (
            Ridge(),
            X["a"] + RNG.normal(size=40),
            "the outcome of unseen cases better than chance: a rank correlation (Spearman)",
        ),
        (
            CoxRegression(alpha=0.1),
            survival_outcomes(TIME < 2, np.minimum(TIME, 2)),
            "the time to the event of unseen cases better than chance: a concordance (C)",
        ),
    ],
)
def test_every_kind_of_outcome_has_its_words(model, y, said):
    result = cross_validated_score(model, X, y, cv=2, n_repeats=2)
    assert said in verdict([of(result, 0.9, 0.8, 0.95)])[0]


def test_the_methods_say_what_was_done_and_with_what(result):
    named = replace(result, excluded={"x": "no mask"})
    text = methods_paragraph([named])
    assert text.startswith("We studied 40 cases (")
    assert "; cases left out, as they could not be measured: 1." in text
    assert "The model GaussianNB consisted of GaussianNB." in text
    assert "predicted by models that had not seen them (2-fold, 3 repeats)." in text
    assert "compared with the size of the region" in text
    assert "Holm" not in text
    assert f"radiodeep {__version__}" in text
    assert f"numpy {np.__version__}" in text


def test_the_steps_of_a_model_are_named_with_the_settings_that_matter(result):
    handcrafted = make_pipeline(RadiomicsExtractor(bin_width=25, families=["shape"]), ReliefF(3))
    head = make_union(handcrafted, DeepFeatureExtractor())
    named = replace(result, settings=describe(make_pipeline(head, GaussianNB())))
    text = methods_paragraph([named])
    assert "[handcrafted features (bin_width 25, image_types Original, families shape), ReliefF (n_features_to" in text
    assert "and [deep features (network radiodeep-mini" in text


def test_hashes_depend_on_outcomes_and_features_and_the_date_can_be_set(result, monkeypatch, tmp_path):
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "86400")
    (tmp_path / "m.csv").write_text("id")
    table = provenance([result], X, tmp_path / "m.csv")["value"]
    assert table["Date"] == "1970-01-02"
    assert table["Source"] == f"m.csv, sha256 {hashlib.sha256(b'id').hexdigest()}"
    changed = replace(result, predictions=result.predictions.assign(label=1 - result.predictions["label"]))
    other = provenance([changed], X + 1, {"name": "n.csv", "sha256": "abc"}, "today")["value"]
    assert (other["Date"], other["Source"]) == ("today", "n.csv, sha256 abc")
    assert other["Cases and outcomes"] != table["Cases and outcomes"]
    assert other["Features"] != table["Features"]
