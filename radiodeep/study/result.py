"""What a study found out about one model: predictions of unseen cases, AUC, interval, and what to read beside it."""

from dataclasses import dataclass, field
from html import escape

import numpy as np
import pandas as pd

from radiodeep.study.statistics.auc import ConfidenceInterval
from radiodeep.study.statistics.stability import SelectionStability


@dataclass(frozen=True, eq=False)
class StudyResult:
    """Evidence of one model; its `print` is the sentence for the paper, and what belongs beside it.

    Attributes
    ----------
    name : str
        What the model was called.
    auc : float
        Area under the ROC curve: of the pooled out-of-fold scores, the mean over repeats, or over pairs;
        `estimate` says which.
    confidence_interval : ConfidenceInterval
        `.low` and `.high`; `interval_method` says how they were computed.
    accuracy : float
        Fraction of predicted labels that are right, over all tests of a case and then over the cases.
    predictions : DataFrame of shape (n_cases, 6)
        `label`, `fold`, `score` (higher for the positive class; log-odds or decision values where the model has
        them), `probability` of the positive class (NaN where the model gives none), `prediction`, and `correct`,
        the fraction of the tests of the case in which its label was predicted, whose mean is `accuracy`; index =
        case id. Of repeated folds and pairs the score is the mean rank, or the fraction of pairs won, in 0..1, the
        probability the mean, and the prediction that of most tests: those of an ensemble, whose AUC is not `auc`.
    folds : DataFrame
        A row per fold: `repeat`, `n_train`, `n_test`, `test_ids`, `selected_features`, the names that the
        selectors of this fold kept (None for a model without selector), and `n_candidates`.
    cv : str
        How the cases were split.
    settings : dict
        Classes and parameters of the model, ready for json.
    positive : label
        The class that scores, probabilities and the AUC are about.
    estimate, interval_method : str
    variance : float
        Of the AUC, from which the interval was made.
    accuracy_interval : ConfidenceInterval
        Wilson's.
    scores, probabilities : DataFrame of shape (n_cases, n_repeats) or None
        The out-of-fold scores and probabilities of each repeat; None under leave-pair-out.
    pairs : ndarray of shape (n_negative, n_positive) or None
        Under leave-pair-out: 1 where the pair was in the right order, 0.5 for a tie.
    stability : SelectionStability or None
        How much alike the selected features of the folds are.
    size_correlations : dict
        Feature selected in at least half of the folds looked at (every eighth) -> its mean absolute rank
        correlation with the size of the region.
    beside : StudyResult or None
        The same model under repeated stratified folds, which stands beside leave-one-out.
    effective_n_features : float or None
        As how many uncorrelated features the selected ones count: the mean over the folds looked at. None for a
        model without selector.
    score_size_correlation : float or None
        Rank correlation of `scores` with the size of the region, the mean over repeats; under leave-pair-out that of
        the `score` in `predictions`. None if the sizes are unknown, or all sizes or scores the same.
    equal_size_auc : float or None
        AUC among the pairs of a positive and a negative case of equal size, the larger region at most 1.1 times the
        smaller; the mean over repeats. What is left of the AUC without the help of size. None if the sizes are
        unknown or there are fewer than 30 such pairs.
    n_equal_size_pairs : int or None
        None if the sizes are unknown.
    size_alone : StudyResult or None
        The size of the region as the score; that larger or smaller ones are likelier of the positive class is
        taken from all cases, the prediction from the median size.
    against_size : Comparison or None
        This model against `size_alone`.
    source : {"images", "a table"}
        What the study was given. What was selected before a table was made is not known.
    excluded : dict from case id to str
        Cases that could not be read or measured and were left out, with the reason.
    remarks : tuple of str
        What is suspicious about the features, such as a copy of the label.
    """

    name: str
    auc: float
    confidence_interval: ConfidenceInterval
    accuracy: float
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
    beside: "StudyResult | None" = field(default=None, repr=False)
    size_alone: "StudyResult | None" = field(default=None, repr=False)
    against_size: object = field(default=None, repr=False)
    source: str = field(default="a table", repr=False)
    excluded: dict = field(default_factory=dict, repr=False)
    remarks: tuple = field(default=(), repr=False)

    @property
    def compared_with_size(self):
        """The result that is compared with size: the repeated folds beside leave-one-out, or this one."""
        return self if self.beside is None or self.beside.against_size is None else self.beside

    @property
    def p_against_size(self):
        """p value of this model against `size_alone`, under repeated folds where there are some beside, or None."""
        against_size = self.compared_with_size.against_size
        return None if against_size is None else against_size.p_value

    @property
    def sentence(self):
        """AUC with interval, accuracy and number of cases, without what stands beside."""
        interval = self.confidence_interval
        return (
            f"AUC {self.auc:.2f} ({interval.level:.0%} CI {interval.low:.2f}-{interval.high:.2f}), "
            f"accuracy {self.accuracy:.2f}, n={len(self.predictions)}"
        )

    @property
    def size_sentence(self):
        """How the model compares with the size of the region, or None where no size is known."""
        if self.size_alone is None:
            return None
        tested = self.compared_with_size
        difference = tested.against_size.difference
        relation = "no different from" if difference == 0 else "better than" if difference > 0 else "worse than"
        return (
            f"size alone: {tested.size_alone.sentence}; the model is {relation} it by {abs(difference):.2f} "
            f"(p = {tested.against_size.p_value:.2g}, {tested.cv})"
        )

    @property
    def equal_size_sentence(self):
        """How the model does among pairs of equal size and how its score follows the size, or None if unknown."""
        tested = self.compared_with_size
        if tested.n_equal_size_pairs is None:
            return None
        if tested.equal_size_auc is None:
            auc = f"too few pairs for an AUC ({tested.n_equal_size_pairs} within 10 %)"
        else:
            alone = "" if tested.size_alone is None else f", size alone {tested.size_alone.equal_size_auc:.2f}"
            auc = f"AUC {tested.equal_size_auc:.2f}{alone} ({tested.n_equal_size_pairs:,} pairs within 10 %)"
        correlation = tested.score_size_correlation
        follows = "is not defined" if correlation is None else f"{correlation:.2f}"
        return f"at equal size: {auc}; rank correlation of the score with size {follows} ({tested.cv})"

    @property
    def selection_sentence(self):
        """How many features the folds selected, and as how many uncorrelated ones they count, or None."""
        if self.effective_n_features is None:
            return None
        n_selected = self.folds["selected_features"].dropna().map(len).mean()
        return f"selected features: {n_selected:.3g} per fold, as many as {self.effective_n_features:.1f} uncorrelated"

    def __str__(self):
        lines = [self.sentence]
        if self.beside is not None:
            lines.append(f"  {self.cv} is biased low; {self.beside.cv}: {self.beside.sentence}")
        if self.size_alone is not None:
            lines.append(f"  {self.size_sentence}")
        if self.equal_size_sentence is not None:
            lines.append(f"  {self.equal_size_sentence}")
        if self.effective_n_features is not None:
            lines.append(f"  {self.selection_sentence}")
        lines.append(f"  positive class: {self.positive}")
        if self.excluded:
            lines.append(f"  left out: {', '.join(map(str, self.excluded))}")
        return "\n".join(lines)

    def _repr_html_(self):
        """Show the printed sentences in a notebook, with the first predictions."""
        lines = "<br>".join(escape(line) for line in str(self).splitlines())
        return f"<p><b>{escape(self.name)}</b> ({escape(self.cv)})<br>{lines}</p>{self.predictions.head(8).to_html()}"
