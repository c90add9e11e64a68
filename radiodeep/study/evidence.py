"""Outcomes of folds in; one result with AUC, interval and predictions out."""

import numpy as np
import pandas as pd
from scipy.stats import rankdata

from radiodeep.study.auc import accuracy_interval, auc_of_pairs, auc_of_repeats, auc_with_confidence
from radiodeep.study.description import without_prefixes
from radiodeep.study.result import StudyResult
from radiodeep.study.stability import selection_stability


class Evidence:
    """Turns the outcomes of folds into results."""

    def __init__(self, y, ids, classes, confidence_level):
        self.y, self.ids, self.classes, self.level = y, ids, classes, confidence_level
        self.positive = y == classes[1]

    def result(self, name, outcomes, plan, settings):
        for outcome, names in zip(outcomes, without_prefixes([one.selected for one in outcomes]), strict=True):
            outcome.selected = names
        n_repeats = max(plan.repeats) + 1
        scores = np.full((n_repeats, len(self.y)), np.nan)
        probabilities, tested = np.zeros(len(self.y)), np.zeros(len(self.y))
        said_positive, right = np.zeros(len(self.y)), np.zeros(len(self.y))
        fold_of = np.zeros(len(self.y), dtype=int)
        for number, ((_, test), outcome) in enumerate(zip(plan.folds, outcomes, strict=True)):
            scores[plan.repeats[number], test] = outcome.score
            probabilities[test] += outcome.probability
            said_positive[test] += outcome.prediction == self.classes[1]
            tested[test] += 1
            right[test] += outcome.prediction == self.y[test]
            fold_of[test] = number
        estimate, how, interval, pairs = self._auc(scores, outcomes, plan)
        accuracy = np.mean(right / tested)
        predictions = pd.DataFrame(
            {
                "label": self.y,
                "fold": fold_of,
                "score": self._one_score(scores, pairs, plan),
                "probability": probabilities / tested,
                "prediction": np.where(said_positive > tested / 2, self.classes[1], self.classes[0]),
            },
            index=pd.Index(self.ids, name="id"),
        )
        return StudyResult(
            name=name,
            auc=estimate.auc,
            confidence_interval=estimate.confidence_interval,
            accuracy=float(accuracy),
            predictions=predictions,
            folds=self._folds(outcomes, plan),
            cv=plan.name,
            settings=settings,
            estimate=how,
            interval_method=interval,
            variance=estimate.variance,
            accuracy_interval=accuracy_interval(round(accuracy * len(self.y)), len(self.y), self.level),
            scores=None if pairs is not None else pd.DataFrame(scores.T, index=predictions.index),
            pairs=pairs,
            stability=_stability(outcomes),
            size_correlations=_size_correlations(outcomes),
        )

    def _auc(self, scores, outcomes, plan):
        if plan.kind == "pairs":
            wins = np.zeros((int((~self.positive).sum()), int(self.positive.sum())))
            rank = np.where(self.positive, np.cumsum(self.positive), np.cumsum(~self.positive)) - 1
            for (_, (negative, positive)), outcome in zip(plan.folds, outcomes, strict=True):
                low, high = outcome.score
                wins[rank[negative], rank[positive]] = 0.5 * (np.sign(high - low) + 1)
            return auc_of_pairs(wins, self.level), "mean over pairs", "DeLong, of pairs", wins
        if plan.kind == "repeated":
            estimate = auc_of_repeats(self.positive, scores, self.level)
            return estimate, f"mean of {len(scores)} repeats", "DeLong + spread between repeats", None
        return auc_with_confidence(self.positive, scores[0], self.level), "pooled over folds", "DeLong", None

    def _one_score(self, scores, pairs, plan):
        if plan.kind == "pairs":
            score = np.empty(len(self.y))
            score[self.positive], score[~self.positive] = pairs.mean(axis=0), 1 - pairs.mean(axis=1)
            return score
        if plan.kind == "repeated":
            return (rankdata(scores, axis=1).mean(axis=0) - 0.5) / len(self.y)
        return scores[0]

    def _folds(self, outcomes, plan):
        rows = [
            (repeat, len(train), len(test), [self.ids[row] for row in test], outcome.selected, outcome.n_candidates)
            for repeat, (train, test), outcome in zip(plan.repeats, plan.folds, outcomes, strict=True)
        ]
        columns = ["repeat", "n_train", "n_test", "test_ids", "selected_features", "n_candidates"]
        return pd.DataFrame(rows, columns=columns, index=pd.RangeIndex(len(rows), name="fold"))


def _stability(outcomes):
    subsets = [outcome.selected for outcome in outcomes if outcome.selected is not None]
    if len(subsets) < 2 or len(subsets) < len(outcomes) or len({outcome.n_candidates for outcome in outcomes}) > 1:
        return None
    n_candidates = outcomes[0].n_candidates
    if len({name for subset in subsets for name in subset}) > n_candidates:  # a search over other tables
        return None
    return selection_stability(subsets, n_candidates)


def _size_correlations(outcomes):
    """Return the mean correlation with size of each feature that at least half of the folds selected."""
    seen, measured = {}, [outcome for outcome in outcomes if outcome.like_size is not None]
    for outcome in measured:
        for name, correlation in zip(outcome.selected, outcome.like_size, strict=True):
            seen.setdefault(name, []).append(correlation)
    often = {name: found for name, found in seen.items() if len(found) >= len(measured) / 2}
    return {name: float(np.nanmean(found)) for name, found in often.items() if not np.isnan(found).all()}


def auc_of_outcomes(outcomes, plan, y):
    """Return the AUC alone."""
    return Evidence(y, range(len(y)), np.unique(y), 0.95).result("", outcomes, plan, {}).auc
