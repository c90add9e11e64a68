"""Labels of three classes or more: what is accepted, scored, measured, compared and said."""

import numpy as np
import pandas as pd
import pytest
from scipy.special import logit
from scipy.stats import norm
from sklearn.compose import ColumnTransformer
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression, Ridge, RidgeClassifier
from sklearn.metrics import cohen_kappa_score, confusion_matrix, roc_auc_score
from sklearn.model_selection import GridSearchCV
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline
from sklearn.svm import SVC

import radiodeep as rd
from radiodeep.exceptions import SingleClassError, StudyError
from radiodeep.models.weka import WekaNaiveBayes
from radiodeep.study.endpoints.endpoint import OutOfFold
from radiodeep.study.endpoints.registry import endpoint_for
from radiodeep.study.endpoints.several_classes import OrderedClasses, SeveralClasses
from radiodeep.study.statistics.auc import auc_influence
from radiodeep.study.statistics.comparison import holm
from radiodeep.study.statistics.several_classes import hand_till

NAMES = np.array(["low", "mid", "high"])


def table(n_cases=60, n_features=4, effect=0.8, seed=0):
    """Return features and labels of three classes, which are in the order of the first features but not of letters."""
    rng = np.random.default_rng(seed)
    codes = np.arange(n_cases) % 3
    X = rng.normal(size=(n_cases, n_features)) + effect * codes[:, None]
    index = [f"case {number}" for number in range(n_cases)]
    return pd.DataFrame(X, index=index).add_prefix("f"), pd.Series(NAMES[codes], index=index)


def ordered(y):
    return pd.Series(pd.Categorical(y, NAMES, ordered=True), index=y.index)


def test_classes_are_as_they_sort_and_ordered_ones_in_their_order():
    _, y = table()
    endpoint = SeveralClasses(y)
    assert endpoint.classes.tolist() == ["high", "low", "mid"]
    assert endpoint.codes[:3].tolist() == [1, 2, 0]
    assert endpoint.positive is None
    ordered = OrderedClasses(y, ["low", "mid", "high"])
    assert ordered.outputs == ["low", "mid", "high"]
    assert ordered.codes[:3].tolist() == [0, 1, 2]
    assert ordered.take([2, 1, 0, 4]).classes.tolist() == ["low", "mid", "high"]
    assert ordered.with_outcomes(ordered.y[::-1]).positive == ("low", "mid", "high")
    assert OrderedClasses(np.array([5, 1, 3, 1])).positive == (1, 3, 5)


@pytest.mark.parametrize(
    ("kind", "labels", "positive", "message"),
    [
        (SeveralClasses, ["a", "b", "c"], "a", "There is no positive class among 3: a, b, c. .* with y == 'a'"),
        (SeveralClasses, ["a", None, "c"], None, "1 of 3 labels are missing"),
        (SeveralClasses, ["a", 1, 2], None, "The labels are of several types"),
        (SeveralClasses, [0, 1, 1], None, "Expected three classes or more. Got 0, 1"),
        (OrderedClasses, ["a", "b", "c"], ["a", "b"], r"must be the order of \['a', 'b', 'c'\]. Got \['a', 'b'\]"),
        (OrderedClasses, ["a", "b", "c"], ["a", "b", "b"], r"must be the order of \['a', 'b', 'c'\]"),
    ],
)
def test_labels_that_cannot_be_studied_are_refused(kind, labels, positive, message):
    with pytest.raises(StudyError, match=message):
        kind(np.array(labels, dtype=object), positive)


def test_labels_in_a_column_of_objects_are_taken_as_what_they_are():
    assert SeveralClasses(np.array([1, 2, 3], dtype=object)).y.dtype.kind == "i"


def test_every_class_must_be_left_and_be_in_the_training_cases():
    endpoint = SeveralClasses(np.array([0, 0, 1, 2]))
    endpoint.check_training([0, 2, 3], "Fold 3")
    with pytest.raises(SingleClassError, match="Fold 3 holds no case of class 2. Use fewer folds, or more cases"):
        endpoint.check_training([0, 1, 2], "Fold 3")
    with pytest.raises(SingleClassError, match="Fold 3 is empty"):
        endpoint.check_training([], "Fold 3")
    with pytest.raises(SingleClassError, match="No case of class 1 is left of these 3 classes"):
        endpoint.take([0, 3])
    with pytest.raises(StudyError, match=r"The training labels are \[0, 1, 3\], the test labels \[0, 1, 2\]"):
        endpoint.check_same_outcomes(SeveralClasses(np.array([0, 1, 3])))


@pytest.mark.parametrize(
    "model",
    [
        LogisticRegression(),
        LinearDiscriminantAnalysis(),
        GaussianNB(),
        WekaNaiveBayes(),
        GridSearchCV(LogisticRegression(), {"C": [0.1, 1]}),
    ],
)
@pytest.mark.parametrize("kind", [SeveralClasses, OrderedClasses])
def test_scores_of_probabilistic_models_are_the_log_odds_of_each_class(model, kind):
    X, y = table()
    endpoint = kind(y, list(NAMES)) if kind is OrderedClasses else kind(y)
    fitted = model.fit(X, y)
    scored = endpoint.score(fitted, X)
    order = [list(fitted.classes_).index(label) for label in endpoint.classes]
    probabilities = fitted.predict_proba(X)[:, order]
    np.testing.assert_array_equal(scored.probability, probabilities)
    np.testing.assert_allclose(scored.score, logit(probabilities), rtol=1e-6, atol=1e-8)
    np.testing.assert_array_equal(scored.prediction, fitted.predict(X))
    assert scored.scale.split(".")[0] in ("LogisticRegression", type(model).__name__)


def test_certain_predictions_are_no_ties():
    X, y = table(effect=60)
    scored = SeveralClasses(y).score(GaussianNB().fit(X, y), X)
    assert (scored.probability == 1).sum() == len(y)
    assert len(np.unique(scored.score[:, 0])) == len(y)


def test_scores_of_margins_and_forests_are_their_own():
    X, y = table()
    endpoint = SeveralClasses(y)
    svc, ridge, forest = SVC().fit(X, y), RidgeClassifier().fit(X, y), RandomForestClassifier(5, random_state=0)
    for model in (svc, ridge):
        scored = endpoint.score(model, X)
        np.testing.assert_array_equal(scored.score, model.decision_function(X))
        assert np.isnan(scored.probability).all()
    forest.fit(X, y)
    np.testing.assert_array_equal(endpoint.score(forest, X).score, forest.predict_proba(X))
    with pytest.raises(
        StudyError, match="Ridge has neither predict_proba nor decision_function, so it has no score of"
    ):
        endpoint.score(Ridge().fit(X, endpoint.codes), X)
    with pytest.raises(StudyError, match=r"SVC must score the classes .*, in the order of its classes_. Got 3 scores"):
        endpoint.score(SVC().fit(X, endpoint.codes), X)


def test_a_categorical_of_numbers_is_classes_and_labels_are_whole():
    codes = np.arange(48) % 12
    assert endpoint_for(pd.Categorical(codes), 48).kind == "several classes"
    with pytest.raises(StudyError, match="Labels that are numbers must be whole.* Got 0.5. Make them text"):
        endpoint_for(pd.Categorical(codes / 2), 48)
    with pytest.raises(StudyError, match="Expected one outcome per case: there are 48 cases and outcomes of shape"):
        endpoint_for(None, 48)
    with pytest.raises(StudyError, match=r"must be the order of \[0, 1, 2\]. Got 1"):
        endpoint_for(codes % 3, 48, 1, outcome="ordered")


@pytest.mark.parametrize("n_classes", [3, 4])
def test_decisions_between_pairs_of_classes_are_summed(n_classes):
    rng = np.random.default_rng(0)
    codes = np.arange(80) % n_classes
    X = rng.normal(size=(80, 3)) + 2 * np.eye(4)[codes][:, :3]
    pairs = SVC(decision_function_shape="ovo").fit(X, codes)
    scored = SeveralClasses(codes).score(pairs, X)
    assert scored.score.shape == (80, n_classes)
    agreement = (scored.score.argmax(axis=1) == pairs.predict(X)).mean()
    assert agreement > 0.95
    against = SeveralClasses(codes).score(SVC().fit(X, codes), X)
    np.testing.assert_allclose(*(hand_till(codes, given.score[None])[0] for given in (scored, against)), atol=0.02)


def test_a_class_unknown_to_the_model_has_the_lowest_score():
    X, y = table()
    is_known = (y != "mid").to_numpy()
    for model in (GaussianNB(), LogisticRegression()):
        scored = SeveralClasses(y).score(model.fit(X[is_known], y[is_known]), X)
        assert (scored.score[:, 2] < scored.score[:, :2].min()).all()
        assert (scored.probability[:, 2] == 0).all()
        np.testing.assert_allclose(scored.probability.sum(axis=1), 1)


def entries(endpoint, scores, kind="repeated", predicted=None, scales=("",), fold=None):
    """Return OutOfFold of scores (n_repeats, n_cases, n_classes) of two folds per repeat."""
    n_repeats, n_cases, n_classes = scores.shape
    predicted = endpoint.classes[scores.argmax(axis=2)] if predicted is None else predicted
    n_folds = {"holdout": 1}.get(kind, 2)
    return OutOfFold(
        kind=kind,
        n_cases=n_cases,
        n_repeats=n_repeats,
        case=np.tile(np.arange(n_cases), n_repeats),
        fold=np.tile(np.arange(n_cases) % 2 if fold is None else fold, n_repeats),
        repeat=np.repeat(np.arange(n_repeats), n_cases),
        score=scores.reshape(-1, n_classes),
        probability=np.full((n_repeats * n_cases, n_classes), 1 / n_classes),
        prediction=np.ravel(predicted),
        training=[None] * n_folds * n_repeats,
        scales=scales,
    )


def random_scores(n_repeats=3, n_cases=30, seed=0):
    rng = np.random.default_rng(seed)
    codes = np.arange(n_cases) // 2 % 3
    scores = rng.normal(size=(n_repeats, n_cases, 3))
    scores[:, np.arange(n_cases), codes] += 1
    return SeveralClasses(codes), scores


def test_repeats_are_measured_each_and_predictions_decided_by_majority():
    endpoint, scores = random_scores()
    measured = endpoint.measured(entries(endpoint, scores), 0.95)
    values, covariance = hand_till(endpoint.codes, scores)
    np.testing.assert_allclose(measured.value, values.mean())
    np.testing.assert_allclose(measured.variance, (3.3 / 2 + 1 / 3) * np.diag(covariance).mean())
    assert measured.confidence_interval.low < measured.value < measured.confidence_interval.high
    assert measured.estimate == "mean of 3 repeats"
    votes = np.array([(scores.argmax(axis=2) == code).sum(axis=0) for code in range(3)]).T
    np.testing.assert_array_equal(measured.columns["prediction"], votes.argmax(axis=1))
    np.testing.assert_allclose(measured.columns["correct"], votes[np.arange(30), endpoint.codes] / 3)
    np.testing.assert_allclose(measured.accuracy, measured.columns["correct"].mean())
    assert measured.accuracy_interval.low < measured.accuracy < measured.accuracy_interval.high
    mean_rank = (scores[:, :, 2].argsort(axis=1).argsort(axis=1) + 0.5).mean(axis=0) / 30
    np.testing.assert_allclose(measured.columns["score_2"], mean_rank)
    chosen = np.array([measured.columns[f"score_{code}"] for code in range(3)])
    np.testing.assert_array_equal(measured.columns["score"], chosen[votes.argmax(axis=1), np.arange(30)])


def test_one_model_for_other_cases_has_its_own_variance():
    endpoint, scores = random_scores(1)
    measured = endpoint.measured(entries(endpoint, scores, "holdout"), 0.95)
    np.testing.assert_allclose(measured.variance, hand_till(endpoint.codes, scores)[1][0, 0])
    np.testing.assert_array_equal(measured.columns["score_1"], scores[0, :, 1])
    assert measured.estimate == "one model"


def test_a_single_pass_of_folds_has_no_interval():
    endpoint, scores = random_scores(1)
    measured = endpoint.measured(entries(endpoint, scores, "pooled"), 0.95)
    assert np.isnan([measured.variance, measured.confidence_interval.low]).all()
    assert measured.accuracy_interval is None
    assert measured.interval_method == "none"


def test_patients_of_several_cases_widen_the_interval():
    endpoint, scores = random_scores()
    pairs = SeveralClasses(endpoint.y, patients=np.arange(30) // 2)
    scores = np.repeat(scores[:, ::2], 2, axis=1)
    scores[:, :, :] += 1e-6 * np.random.default_rng(0).normal(size=scores.shape)
    alone, together = (kind.measured(entries(kind, scores), 0.95) for kind in (endpoint, pairs))
    assert 1.7 < together.variance / alone.variance < 2.3
    assert together.accuracy_interval.low < alone.accuracy_interval.low


def test_scores_of_different_scales_are_compared_within_folds():
    endpoint, scores = random_scores()
    shifted = scores + 100 * (np.arange(30) % 2)[:, None]
    plain = endpoint.measured(entries(endpoint, shifted), 0.95)
    within = endpoint.measured(entries(endpoint, shifted, scales=("a", "b")), 0.95)
    assert within.estimate == "mean of 3 repeats, over pairs of the same test fold"
    folds = np.arange(30) % 2
    plain_value = np.mean([hand_till(endpoint.codes, scores, folds=folds)[0]])
    np.testing.assert_allclose(within.value, plain_value)
    assert plain.value < within.value - 0.05
    own_folds = entries(endpoint, shifted, scales=("a", "b"), fold=np.arange(30))  # leave-one-out: no fold has pairs
    np.testing.assert_allclose(endpoint.measured(own_folds, 0.95).value, plain.value)


def test_a_perfect_prediction_is_not_certain():
    endpoint, _ = random_scores()
    perfect = np.tile(np.eye(3)[endpoint.codes], (3, 1, 1))
    interval = endpoint.measured(entries(endpoint, perfect), 0.95).confidence_interval
    assert 0.85 < interval.low < 0.95
    np.testing.assert_allclose(interval.high, 1)


@pytest.fixture(scope="module")
def results():
    X, y = table(75)
    sizes = np.exp(np.random.default_rng(1).normal(size=75) + NAMES.tolist().index("mid") * (y == "mid"))
    models = {"bayes": GaussianNB(), "logistic": LogisticRegression(), "margin": SVC()}
    return rd.cross_validate_models(models, X, ordered(y), cv=2, n_repeats=4, size=sizes)


def test_a_study_of_ordered_classes_is_a_sentence_and_measures(results):
    result = results["bayes"]
    assert result.outcome == "ordered classes"
    assert str(result).splitlines()[0].startswith("M 0.")
    assert "n=75 (25 low, 25 mid, 25 high)" in result.sentence
    assert "order of the classes: low < mid < high" in str(result)
    measures = result.measures()
    assert list(measures.index) == [
        "accuracy",
        "balanced accuracy",
        "Cohen's kappa",
        "linear weighted kappa",
        "quadratic weighted kappa",
        "Brier score",
    ]
    assert (measures["low"] < measures["value"]).all()
    assert (measures["value"] < measures["high"]).all()
    codes, predicted = result.endpoint.codes, result.endpoint.classes.tolist()
    kappas = [
        cohen_kappa_score(codes, [predicted.index(label) for label in repeat], weights="quadratic")
        for repeat in result.prediction_array
    ]
    np.testing.assert_allclose(measures.loc["quadratic weighted kappa", "value"], np.mean(kappas))
    np.testing.assert_allclose(measures.loc["accuracy", "value"], result.accuracy)
    np.testing.assert_allclose(measures.loc["accuracy", "low"], result.accuracy_interval.low)
    wide = result.measures(0.99)
    assert (wide["low"] < measures["low"]).all()
    assert "Brier score" not in results["margin"].measures().index


def test_m_of_a_study_is_scikit_learns(results):
    result = results["logistic"]
    by_sklearn = [
        roc_auc_score(result.endpoint.codes, repeat, multi_class="ovo", average="macro")
        for repeat in result.probability_array
    ]
    np.testing.assert_allclose(result.value, np.mean(by_sklearn), rtol=1e-9)


def test_tables_are_the_mean_confusion_and_each_class(results):
    result = results["logistic"]
    confusion, classes = result.tables().values()
    labels = ["low", "mid", "high"]
    tables = [confusion_matrix(result.endpoint.y, repeat, labels=labels) for repeat in result.prediction_array]
    np.testing.assert_allclose(confusion, np.mean(tables, axis=0))
    assert confusion.index.tolist() == confusion.columns.tolist() == labels
    aucs = [roc_auc_score(result.endpoint.y == "low", repeat[:, 0]) for repeat in result.score_array]
    np.testing.assert_allclose(classes.loc["low", "AUC"], np.mean(aucs))
    np.testing.assert_allclose(classes.loc["mid", "sensitivity"], confusion.loc["mid", "mid"] / 25)
    expected = result.probability_array[:, :, 2].sum(axis=1)
    np.testing.assert_allclose(classes.loc["high", "O:E"], 25 / np.mean(expected))
    for name in ("AUC", "sensitivity", "O:E", "slope"):
        assert (classes[f"{name} low"] < classes[name]).all()
        assert (classes[name] < classes[f"{name} high"]).all()
    assert "slope" not in results["margin"].tables()["Each class against the others"]


def test_two_models_are_compared_by_m_and_then_by_pairs_of_classes(results):
    comparison = rd.compare_auc(results["bayes"], results["logistic"])
    assert comparison.measure == "M"
    assert comparison.test == "jackknife, paired, 4 repeats"
    pairs = rd.compare_classes(results["bayes"], results["logistic"])
    assert pairs[["class", "against"]].to_numpy().tolist() == [["low", "mid"], ["low", "high"], ["mid", "high"]]
    np.testing.assert_allclose(pairs["difference"].mean(), comparison.difference)
    np.testing.assert_allclose(pairs["auc_a"].mean(), comparison.value_a)
    assert pairs["p_holm"].min() >= comparison.p_value
    same = rd.compare_classes(results["bayes"], results["bayes"])
    assert same["p_holm"].tolist() == [1, 1, 1]


def test_pairs_of_classes_are_tested_by_the_variance_of_their_aucs_and_holms_method(results):
    a, b = results["bayes"].score_array, results["margin"].score_array
    other = rd.compare_classes(results["bayes"], results["margin"]).set_index(["class", "against"])
    codes = results["bayes"].endpoint.codes
    p_values = []
    for pair in ((0, 1), (0, 2), (1, 2)):
        rows = np.isin(codes, pair)
        positive, differences, variances = codes[rows] == pair[1], [], []
        for scores in zip(a[:, rows], b[:, rows], strict=True):
            difference, influence = 0.0, np.zeros(rows.sum())
            for column in pair:
                stacked = np.stack([score[:, column] for score in scores])
                aucs, of_case = auc_influence(codes[rows] == column, stacked)
                difference += (aucs[0] - aucs[1]) / 2
                influence += (of_case[0] - of_case[1]) / 2
            differences.append(difference)
            sizes = np.array([(~positive).sum(), positive.sum()])[positive.astype(int)]
            variances.append((influence**2 * sizes / (sizes - 1)).sum())
        variance = (3.3 / 2 + 1 / 4) * np.mean(variances)
        p_values.append(2 * norm.sf(abs(np.mean(differences)) / np.sqrt(variance)))
    of_m = rd.compare_auc(results["bayes"], results["margin"]).p_value
    np.testing.assert_allclose(other["p_holm"], np.maximum(holm(p_values), of_m))


def test_a_difference_between_two_of_the_classes_is_found_there():
    rng = np.random.default_rng(0)
    codes = np.arange(120) % 3
    noise = rng.normal(size=(120, 2))
    first = ColumnTransformer([("first", "passthrough", [0])])
    models = {"both": LogisticRegression(), "one": make_pipeline(first, LogisticRegression())}
    X = noise + 4 * np.column_stack([codes == 2, codes == 1])
    results = rd.cross_validate_models(models, X, codes, cv=2, n_repeats=6)
    pairs = rd.compare_classes(results["both"], results["one"]).set_index(["class", "against"])
    assert pairs.loc[(0, 1), "p_holm"] < 1e-6
    assert pairs.loc[(0, 1), "difference"] > 0.2


def test_size_alone_is_the_odds_of_each_class_at_that_size(results):
    baseline = results["bayes"].size_baseline
    assert baseline.value > 0.6
    assert set(baseline.settings) == {"class", "low", "mid", "high"}
    assert baseline.settings["mid"].startswith("regions of about ")
    assert results["bayes"].score_size_correlation is None
    assert results["bayes"].equal_size_auc is not None


def test_the_size_of_classes_in_order_is_a_monotone_score_of_the_outer_ones():
    rng = np.random.default_rng(0)
    codes = np.repeat([0, 1, 2], 40)
    sizes = np.exp(rng.normal(size=120) + 2 * codes)
    endpoint = SeveralClasses(codes)
    marker, words = endpoint.marker(sizes, "regions")
    order = sizes.argsort()
    assert (np.diff(marker.score[order, 2]) > 0).all()
    assert (np.diff(marker.score[order, 0]) < 0).all()
    peak = sizes[marker.score[:, 1].argmax()]
    assert np.abs(np.log(peak) - 2) < 0.5
    assert list(words) == ["0", "1", "2"]
    assert (marker.prediction == codes).mean() > 0.6
    same, _ = endpoint.marker(np.full(120, 3.0), "regions")
    assert (same.score == same.score[0]).all()


def test_analyses_of_two_classes_say_what_to_do_with_several(results):
    for analyse in (rd.calibration, rd.decision_curve, rd.sensitivity_at_specificity):
        with pytest.raises(StudyError, match="of 3 classes. Study one class against the others, e.g. y == 'high'"):
            analyse(results["bayes"])


def test_pairs_of_classes_need_several_classes():
    X, y = table(40)
    result = rd.cross_validated_auc(GaussianNB(), X, y == "low", cv=2, n_repeats=3)
    with pytest.raises(StudyError, match="Results of two classes have no pairs of classes"):
        rd.compare_classes(result, result)


def test_leave_one_out_has_no_interval_and_repeated_halves_beside_it():
    X, y = table(45)
    sizes = np.random.default_rng(0).lognormal(size=45)
    result = rd.cross_validated_auc(GaussianNB(), X, y, n_repeats=1, size=sizes)
    assert np.isnan(result.confidence_interval.low)
    assert result.companion.confidence_interval.low > 0.5
    assert result.p_against_size < 0.05


def test_leave_pair_out_is_for_two_classes():
    X, y = table(12)
    with pytest.raises(StudyError, match="Leave-pair-out needs two classes. Take repeated folds for the M"):
        rd.cross_validated_auc(GaussianNB(), X, y, cv="leave-pair-out")


def test_a_holdout_measures_a_model_on_other_cases():
    X, y = table(90)
    result = rd.holdout_auc(LogisticRegression(), X[:45], ordered(y)[:45], X[45:], ordered(y)[45:])
    model = LogisticRegression().fit(X[:45], y[:45])
    expected = roc_auc_score(y[45:], model.predict_proba(X[45:]), multi_class="ovo")
    np.testing.assert_allclose(result.value, expected)
    assert result.positive == ("low", "mid", "high")
    assert result.measures().notna().all(axis=None)


def test_permutations_and_resamples_take_several_classes():
    X, y = table(36)
    test = rd.permutation_test(GaussianNB(), X, y, cv=3, n_permutations=19)
    assert (test.p_value, test.measure) == (0.05, "M")
    bootstrap = rd.bootstrap_auc(GaussianNB(), X, y, n_resamples=20)
    assert bootstrap.measure == "M"
    assert 0.6 < bootstrap.auc < 1
    result = rd.cross_validated_auc(GaussianNB(), X, y, cv=3)
    interval = rd.bootstrap_interval(result, n_resamples=50)
    assert interval.low < result.value < interval.high


def test_words_name_the_classes(results):
    endpoint = results["bayes"].endpoint
    assert endpoint.title() == "M of 3 ordered classes (Hand-Till)"
    assert SeveralClasses(endpoint.y).title() == "M of 3 classes (Hand-Till)"
    assert endpoint.composition() == "25 of label low, 25 of label mid, 25 of label high"
    assert "accuracy of 0.333, a balanced accuracy of 0.333" in endpoint.baseline()
    assert "The M under leave-one-out compares scores" in endpoint.companion_note("leave-one-out", "2-fold")
    assert SeveralClasses(endpoint.y).reference() is None


@pytest.mark.slow
@pytest.mark.parametrize("effect", [0.0, 0.7])
def test_intervals_hold_the_expected_m_and_the_test_of_equal_models_its_level(effect):
    rng = np.random.default_rng(0)
    codes = np.arange(45) % 3
    studied, p_values = [], []
    for _ in range(60):
        means = effect * np.array([[0, 1, 2, 0, 0], [1, 0, 0, 2, 0], [0, 0, 1, 0, 2]])
        tables = rng.normal(size=(2, 45, 5)) + means[codes]
        results = [rd.cross_validated_auc(GaussianNB(), X, codes, cv=2, n_repeats=10) for X in tables]
        for result in results:
            studied.append((result.value, result.confidence_interval.low, result.confidence_interval.high))
        p_values.append(rd.compare_auc(*results).p_value)
    value, low, high = np.array(studied).T
    truth = value.mean() if effect else 0.5
    assert ((low <= truth) & (truth <= high)).mean() >= 0.92
    assert (np.array(p_values) < 0.05).mean() <= 0.07
