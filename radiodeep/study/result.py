"""The result of a study of one model: predictions of unseen cases, a measure with its interval, and context."""

from dataclasses import dataclass, field, replace
from functools import wraps
from html import escape

import numpy as np
import pandas as pd

from radiodeep.exceptions import StudyError
from radiodeep.study.endpoints.registry import endpoint_of_predictions
from radiodeep.study.statistics.auc import ConfidenceInterval
from radiodeep.study.statistics.meta_analysis import RandomEffects
from radiodeep.study.statistics.stability import SelectionStability

_OLD_NAMES = {"beside": "companion", "size_alone": "size_baseline"}


def named_cases(ids):
    """Return the ids that are text, as a set; row numbers are the same in any two tables."""
    return {name for name in ids if isinstance(name, str)}


def require_results(*results):
    """Raise StudyError for what is not a StudyResult, such as a dict of several."""
    for result in results:
        if not isinstance(result, StudyResult):
            raise StudyError(
                f"Expected a StudyResult, as of cross_validated_auc or holdout_auc. Got {type(result).__name__}."
            )


def _accept_old_names(result_class):
    """Let the constructor, and so `dataclasses.replace`, take parameters by their old names."""
    init = result_class.__init__

    @wraps(init)
    def init_by_any_name(self, *args, **parameters):
        renamed = {_OLD_NAMES[name]: parameters.pop(name) for name in _OLD_NAMES if name in parameters}
        init(self, *args, **parameters | renamed)

    result_class.__init__ = init_by_any_name
    return result_class


def _by_repeat(table):
    """Return a table of the repeats as an ndarray with the repeats first, and the outputs last if there are several."""
    values = table.to_numpy(dtype=float)
    if table.columns.nlevels == 1:
        return values.T
    return np.moveaxis(values.reshape(len(table), table.columns.levshape[0], -1), 1, 0)


def _shown(value):
    """Return a value with two decimals, or more where it would be rounded to 1 or -1 without being so."""
    shown = f"{value:.2f}"
    if shown not in ("1.00", "-1.00") or abs(value) == 1:
        return shown
    return f"{value:.3f}" if abs(value) < 0.9995 else f"{'>' if value > 0 else '<-'}0.999"


@_accept_old_names
@dataclass(frozen=True, eq=False)
class StudyResult:
    """Evidence on one model; printed, it is the sentence for the paper and what has to be read with it.

    Attributes
    ----------
    name : str
        Name of the model.
    auc : float
        Area under the ROC curve: of the pooled out-of-fold scores, the mean over repeats, or over pairs;
        `estimate` says which. (The value of the measure of the `endpoint`, where that is another one.)
    confidence_interval : ConfidenceInterval
        `.low` and `.high`; `interval_method` says how they were computed.
    accuracy : float
        Fraction of predicted labels that are right, averaged over all tests of a case and then over the cases.
    predictions : DataFrame of shape (n_cases, 6)
        `label`, `fold`, `score` (higher for the positive class; log-odds or decision values if the model has
        them), `probability` of the positive class (NaN if the model gives none), `prediction`, and `correct`,
        the fraction of the tests of the case that predicted its label, whose mean is `accuracy`; index =
        case id. Of repeated folds and pairs the score is the mean rank, or the fraction of pairs won, in 0..1, the
        probability the mean, and the prediction the majority vote: those of an ensemble, whose AUC is not `auc`.
    folds : DataFrame
        A row per fold: `repeat`, `n_train`, `n_test`, `test_ids`, `selected_features`, the names that the
        selectors of this fold kept (None for a model without selector), `n_candidates`, the features that they, or else
        the last step, got, and the `scale` of the scores, which depends on the final model if a search chose one.
    cv : str
        How the cases were split.
    settings : dict
        Classes and parameters of the model; can be written as json.
    positive : label
        The class that scores, probabilities and the AUC refer to.
    outcome : str
        The kind of outcome: "two classes", "several classes", "ordered classes", "numbers" or "survival".
    horizon : float or None
        The time at which survival is predicted.
    patients : ndarray of int of shape (n_cases,) or None
        The patient of each case; None if every patient has one.
    training_y : ndarray or None
        The outcomes of the training cohort of a holdout; see `training_outcomes`.
    estimate, interval_method : str
    variance : float
        Of the AUC; the interval is computed from it.
    accuracy_interval : ConfidenceInterval or None
        Wilson's; of repeated folds that of fewer cases, to allow for their models. None if the split gives none.
    scores, probabilities : DataFrame of shape (n_cases, n_repeats) or None
        Out-of-fold scores and probabilities of each repeat; None under leave-pair-out.
    predicted : DataFrame of shape (n_cases, n_repeats) or None
        Predicted outcomes of each repeat; None under leave-pair-out.
    pairs : ndarray of shape (n_negative, n_positive) or None
        Under leave-pair-out: 1 if the pair was in the right order, 0.5 for a tie.
    stability : SelectionStability or None
        Agreement between the folds on the selected features.
    size_correlations : dict
        Feature selected in at least half of the measured folds (every eighth) -> its mean absolute rank
        correlation with the size of the region.
    companion : StudyResult or None
        The same model under repeated stratified folds, to be read with leave-one-out. (`beside` is its old name.)
    effective_n_features : float or None
        The number of uncorrelated features that the selected ones are equivalent to: the mean over the measured folds.
        None for a model without selector.
    score_size_correlation : float or None
        Rank correlation of `scores` with the size of the region, the mean over repeats; under leave-pair-out that of
        the `score` in `predictions`. None if the sizes are unknown, or all sizes or scores are the same.
    equal_size_auc : float or None
        AUC among the pairs of a positive and a negative case of equal size (the larger region at most 1.1 times the
        smaller); the mean over repeats. What remains of the AUC without the help of size. None if the sizes are
        unknown or there are fewer than 30 such pairs.
    n_equal_size_pairs : int or None
        None if the sizes are unknown.
    size_baseline : StudyResult or None
        The size of the region as the score; whether larger or smaller regions indicate the positive class is taken
        from all cases, and predictions are split at the median size. (`size_alone` is its old name.)
    against_size : Comparison or None
        This model compared with `size_baseline`.
    source : {"images", "a table"}
        What the study was given. Whether features were selected before a table was made is unknown.
    excluded : dict from case id to str
        Cases that could not be read or measured and were left out, with the reason.
    remarks : tuple of str
        Suspicions about the features, such as a copy of the label.
    centres : DataFrame or None
        Under leave-one-centre-out a row per centre: `n`, `positive` or `events`, `value`, `low` and `high` of the model
        of all other centres (NaN if it has none, e.g. with one class only), and the `weight` in the mean.
    random_effects : RandomEffects or None
        The mean of the centres, which `auc` and `confidence_interval` are of, and how much they differ.
    """

    name: str
    auc: float
    confidence_interval: ConfidenceInterval
    accuracy: float | None
    predictions: pd.DataFrame = field(repr=False)
    folds: pd.DataFrame = field(repr=False)
    cv: str
    settings: dict = field(repr=False)
    positive: object = None
    estimate: str = "pooled over folds"
    interval_method: str = "DeLong"
    variance: float = field(default=float("nan"), repr=False)
    accuracy_interval: ConfidenceInterval | None = None
    scores: pd.DataFrame | None = field(default=None, repr=False)
    probabilities: pd.DataFrame | None = field(default=None, repr=False)
    pairs: np.ndarray | None = field(default=None, repr=False)
    stability: SelectionStability | None = field(default=None, repr=False)
    size_correlations: dict = field(default_factory=dict, repr=False)
    effective_n_features: float | None = field(default=None, repr=False)
    score_size_correlation: float | None = field(default=None, repr=False)
    equal_size_auc: float | None = field(default=None, repr=False)
    n_equal_size_pairs: int | None = field(default=None, repr=False)
    companion: "StudyResult | None" = field(default=None, repr=False)
    size_baseline: "StudyResult | None" = field(default=None, repr=False)
    against_size: object = field(default=None, repr=False)
    source: str = field(default="a table", repr=False)
    excluded: dict = field(default_factory=dict, repr=False)
    remarks: tuple = field(default=(), repr=False)
    outcome: str = "two classes"
    horizon: float | None = None
    patients: np.ndarray | None = field(default=None, repr=False)
    training_y: np.ndarray | None = field(default=None, repr=False)
    predicted: pd.DataFrame | None = field(default=None, repr=False)
    centres: pd.DataFrame | None = field(default=None, repr=False)
    random_effects: RandomEffects | None = field(default=None, repr=False)

    def __setstate__(self, state):
        self.__dict__.update({_OLD_NAMES.get(name, name): value for name, value in state.items()})
        if "outcome" not in state and self.cv.startswith("leave-"):  # earlier versions gave it an interval: not valid
            no_bounds = replace(self.confidence_interval, low=float("nan"), high=float("nan"))
            invalid = {"variance": float("nan"), "interval_method": "none", "accuracy_interval": None}
            self.__dict__.update(invalid, confidence_interval=no_bounds)

    @property
    def beside(self):
        """Old name of `companion`."""
        return self.companion

    @property
    def size_alone(self):
        """Old name of `size_baseline`."""
        return self.size_baseline

    @property
    def endpoint(self):
        """The Endpoint of the predictions: the outcomes of the cases, what they mean and how they are measured."""
        return endpoint_of_predictions(self.predictions, self.positive, self.outcome, self.patients, self.horizon)

    @property
    def value(self):
        """The value of the measure of the `endpoint`; the same as `auc`."""
        return self.auc

    @property
    def score_table(self):
        """The `scores` of the repeats, or the `score` in `predictions` as the only column if there are none."""
        return self.predictions[["score"]] if self.scores is None else self.scores

    @property
    def score_array(self):
        """The scores as an ndarray (n_repeats, n_cases), or (n_repeats, n_cases, n_outputs)."""
        return _by_repeat(self.score_table)

    @property
    def probability_table(self):
        """The `probabilities` of the repeats, or that in `predictions` as the only column if there are none."""
        return self.predictions[["probability"]] if self.probabilities is None else self.probabilities

    @property
    def probability_array(self):
        """The probabilities as an ndarray (n_repeats, n_cases), or (n_repeats, n_cases, n_outputs)."""
        return _by_repeat(self.probability_table)

    @property
    def prediction_array(self):
        """The predicted outcomes as an ndarray (n_repeats, n_cases); see `predicted`."""
        table = self.predictions[["prediction"]] if self.predicted is None else self.predicted
        return table.to_numpy().T

    @property
    def fold_of_case(self):
        """The number of the fold that tests each case, an ndarray (n_repeats, n_cases)."""
        codes, names = pd.factorize(self.predictions.index)  # a name may occur twice in a patient
        numbers = np.full((int(self.folds["repeat"].max()) + 1, len(names)), -1)
        n_tested = self.folds["test_ids"].map(len)
        tested = names.get_indexer(self.folds["test_ids"].explode())
        numbers[np.repeat(self.folds["repeat"], n_tested), tested] = np.repeat(self.folds.index, n_tested)
        return numbers[:, codes]

    @property
    def is_holdout(self):
        """Whether the predictions are those of one model for other cases."""
        return len(self.folds) == 1

    @property
    def folds_to_compare_within(self):
        """`fold_of_case` if only scores of the same test fold can be compared, or None."""
        if self.centres is not None:
            return self.fold_of_case
        has_scales = "scale" in self.folds.columns and self.folds["scale"].nunique() > 1
        return self.fold_of_case if has_scales or not self.endpoint.pools_folds else None

    @property
    def training_outcomes(self):
        """The outcomes of the training cases of each fold, a list of ndarrays."""
        if self.training_y is not None:
            return [self.training_y]
        y = self.endpoint.y
        return [y[~self.predictions.index.isin(tested)] for tested in self.folds["test_ids"]]

    def measures(self, confidence_level=0.95):
        """Return the other measures of the kind of outcome: a DataFrame of `value`, `low` and `high` by name.

        They are computed in each repeat and averaged, with intervals as that of the main measure.
        """
        return self.endpoint.measures(self, confidence_level)

    def tables(self):
        """Return what else describes the predictions, e.g. a confusion table: dict from title to DataFrame."""
        tables = self.endpoint.tables(self)
        if self.centres is None:
            return tables
        names = {"value": self.endpoint.measure, "low": f"{self.endpoint.measure} low"}
        return {"Centres": self.centres.rename(columns=names | {"high": f"{self.endpoint.measure} high"}), **tables}

    def in_order_of(self, index):
        """Return the result with its cases in another order, given as case ids."""
        if self.predictions.index.equals(index):
            return self
        positions = self.predictions.index.get_indexer(index)
        return replace(
            self,
            predictions=self.predictions.iloc[positions],
            scores=None if self.scores is None else self.scores.loc[index],
            probabilities=None if self.probabilities is None else self.probabilities.loc[index],
            predicted=None if self.predicted is None else self.predicted.loc[index],
            pairs=None if self.pairs is None else self.endpoint.reordered_pairs(self.pairs, positions),
            patients=None if self.patients is None else self.patients[positions],
        )

    @property
    def primary(self):
        """The result with a valid interval: the companion, or this one if it has none."""
        return self if self.companion is None else self.companion

    @property
    def compared_with_size(self):
        """The result that is compared with size: the companion if it is compared, or else this one."""
        return self if self.companion is None or self.companion.against_size is None else self.companion

    @property
    def p_against_size(self):
        """p value of `compared_with_size` against its `size_baseline`, or None if the sizes are unknown."""
        against_size = self.compared_with_size.against_size
        return None if against_size is None else against_size.p_value

    @property
    def sentence(self):
        """The measure with its interval if it has a valid one, accuracy and the cases; no companion and no size."""
        interval = self.confidence_interval
        low, high = _shown(interval.low), _shown(interval.high)
        dash = " to " if low[0] == "-" or high[0] == ">" else "-"
        bounds = f"{interval.level:.0%} CI {low}{dash}{high}"
        bounds = "no valid interval" if np.isnan(interval.low) else bounds
        accuracy = "" if self.accuracy is None else f"accuracy {_shown(self.accuracy)}, "
        endpoint = self.endpoint
        return f"{endpoint.measure} {_shown(self.auc)} ({bounds}), {accuracy}{endpoint.count()}"

    @property
    def size_sentence(self):
        """How the model compares with the size of the region, or None if the sizes are unknown."""
        if self.size_baseline is None:
            return None
        tested = self.compared_with_size
        if tested.against_size is None:
            return f"size alone: {self.size_baseline.sentence}"
        difference = tested.against_size.difference
        relation = "no different from" if difference == 0 else "better than" if difference > 0 else "worse than"
        return (
            f"size alone: {tested.size_baseline.sentence}; the model is {relation} it by {abs(difference):.2f} "
            f"(p = {tested.against_size.p_value:.2g}, {tested.cv})"
        )

    @property
    def equal_size_sentence(self):
        """The measure among pairs of equal size and the correlation of score and size, or None if unknown."""
        tested = self.compared_with_size
        if tested.n_equal_size_pairs is None:
            return None
        measure = self.endpoint.measure
        if tested.equal_size_auc is None:
            value = f"too few pairs for the {measure} ({tested.n_equal_size_pairs} within 10 %)"
        else:
            baseline = tested.size_baseline
            alone = "" if baseline is None else f", size alone {baseline.equal_size_auc:.2f}"
            value = f"{measure} {tested.equal_size_auc:.2f}{alone} ({tested.n_equal_size_pairs:,} pairs within 10 %)"
        if self.endpoint.outputs is not None:  # a score of each class
            return f"at equal size: {value} ({tested.cv})"
        correlation = tested.score_size_correlation
        correlation = "is not defined" if correlation is None else f"{correlation:.2f}"
        return f"at equal size: {value}; rank correlation of the score with size {correlation} ({tested.cv})"

    @property
    def selection_sentence(self):
        """How many features the folds selected, and the number of uncorrelated ones they are equivalent to, or None."""
        if self.effective_n_features is None:
            return None
        n_selected = self.folds["selected_features"].dropna().map(len).mean()
        return f"selected features: {n_selected:.3g} per fold, as many as {self.effective_n_features:.1f} uncorrelated"

    @property
    def choice_sentence(self):
        """What searches or automatic models inside the model chose in the folds, or None."""
        if "chosen" not in self.folds:
            return None
        counts = self.folds["chosen"].value_counts()
        others = "" if len(counts) < 4 else f", {len(counts) - 3} others"
        return f"chosen in the folds: {', '.join(f'{name} ({n})' for name, n in counts[:3].items())}{others}"

    def __str__(self):
        endpoint = self.endpoint
        if self.companion is None:
            lines = [f"{self.sentence} ({self.cv})"]
        else:
            lines = [f"{self.companion.sentence} ({self.companion.cv})", f"{self.cv}: {self.sentence}"]
        lines += [None if self.random_effects is None else str(self.random_effects)]
        lines += [self.size_sentence, self.equal_size_sentence, self.selection_sentence, self.choice_sentence]
        lines.append(endpoint.reference())
        if self.excluded:
            lines.append(f"left out: {', '.join(map(str, self.excluded))}")
        return "\n  ".join(line for line in lines if line is not None)

    def _repr_html_(self):
        """Return the printed lines and the first predictions for a notebook."""
        lines = "<br>".join(escape(line) for line in str(self).splitlines())
        return f"<p><b>{escape(self.name)}</b> ({escape(self.cv)})<br>{lines}</p>{self.predictions.head(8).to_html()}"
