"""Outcomes of folds in; one result with AUC, interval and predictions out."""

import numpy as np
import pandas as pd
from scipy.stats import rankdata

from radiodeep.exceptions import StudyError
from radiodeep.study.description import without_prefixes
from radiodeep.study.result import StudyResult
from radiodeep.study.size import score_and_size
from radiodeep.study.statistics.auc import accuracy_interval, auc_of_pairs, auc_of_repeats, auc_with_confidence
from radiodeep.study.statistics.stability import selection_stability


class Evidence:
    """Turns the outcomes of folds into results.

    Parameters
    ----------
    study : StudyInput
    confidence_level : float
    excluded : dict from id to str
        Cases that were left out, and why.
    remarks : tuple of str
        What is suspicious about the features.
    sizes : ndarray of shape (n_cases,) or None
        Of the regions.
    """

    def __init__(self, study, confidence_level, excluded=None, remarks=(), sizes=None):
        self.y, self.ids, self.classes, self.level = study.y, study.ids, study.classes, confidence_level
        self.source = "images" if study.has_cases else "a table"
        self.positive = study.y == study.classes[1]
        self.excluded, self.remarks, self.sizes = excluded or {}, remarks, sizes

    def result(self, name, outcomes, plan, settings):
        for outcome, names in zip(outcomes, without_prefixes([one.selected for one in outcomes]), strict=True):
            outcome.selected = names
        n_repeats = max(plan.repeats) + 1
        scores, probabilities = np.full((2, n_repeats, len(self.y)), np.nan)
        tested, said_positive, right = np.zeros((3, len(self.y)))
        probability = np.zeros(len(self.y))
        fold_of = np.zeros(len(self.y), dtype=int)
        for number, ((_, test), outcome) in enumerate(zip(plan.folds, outcomes, strict=True)):
            self._check_scores(outcome.score, test, name, number)
            scores[plan.repeats[number], test] = outcome.score
            probabilities[plan.repeats[number], test] = outcome.probability
            probability[test] += outcome.probability
            said_positive[test] += outcome.prediction == self.classes[1]
            tested[test] += 1
            right[test] += outcome.prediction == self.y[test]
            fold_of[test] = number
        estimate, how, interval, pairs = self._auc(scores, outcomes, plan)
        accuracy = np.mean(right / tested)
        score = self._one_score(scores, pairs, plan)
        predictions = pd.DataFrame(
            {
                "label": self.y,
                "fold": fold_of,
                "score": score,
                "probability": probability / tested,
                "prediction": np.where(said_positive > tested / 2, self.classes[1], self.classes[0]),
                "correct": right / tested,
            },
            index=pd.Index(self.ids, name="id"),
        )
        each_repeat = {"index": predictions.index, "columns": pd.RangeIndex(n_repeats)}
        return StudyResult(
            name=name,
            auc=estimate.auc,
            confidence_interval=estimate.confidence_interval,
            accuracy=float(accuracy),
            predictions=predictions,
            folds=self._folds(outcomes, plan),
            cv=plan.name,
            settings=settings,
            positive=self.classes[1].item() if hasattr(self.classes[1], "item") else self.classes[1],
            estimate=how,
            interval_method=interval,
            variance=estimate.variance,
            accuracy_interval=accuracy_interval(round(accuracy * len(self.y)), len(self.y), self.level),
            scores=None if pairs is not None else pd.DataFrame(scores.T, **each_repeat),
            probabilities=None if pairs is not None else pd.DataFrame(probabilities.T, **each_repeat),
            pairs=pairs,
            stability=_stability(outcomes),
            size_correlations=_size_correlations(outcomes),
            effective_n_features=_effective_n_features(outcomes),
            **self._with_size(scores if pairs is None else score[np.newaxis], pairs),
            source=self.source,
            excluded=self.excluded,
            remarks=self.remarks,
        )

    def _with_size(self, scores, pairs):
        return {} if self.sizes is None else score_and_size(self.positive, scores, self.sizes, pairs)

    def _check_scores(self, score, test, name, number):
        wrong = np.flatnonzero(~np.isfinite(score))
        if len(wrong):
            raise StudyError(
                f"{name} gave case {self.ids[test[wrong[0]]]!r} in fold {number} a score of {score[wrong[0]]}. Look "
                "for features that are constant or very large in its training cases; a StandardScaler and a classifier "
                "that shares variance between features, such as LogisticRegression, help."
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


def _effective_n_features(outcomes):
    found = [outcome.effective_n_features for outcome in outcomes if outcome.effective_n_features is not None]
    return float(np.mean(found)) if found else None


def auc_of_outcomes(outcomes, plan, study):
    """Return the AUC alone."""
    return Evidence(study, 0.95).result("The model", outcomes, plan, {}).auc
