"""Outcomes of folds -> one result."""

from dataclasses import replace

import numpy as np
import pandas as pd

from radiodeep.exceptions import StudyError
from radiodeep.study.centres import measured_by_centre
from radiodeep.study.description import without_prefixes
from radiodeep.study.endpoints.endpoint import OutOfFold
from radiodeep.study.result import StudyResult
from radiodeep.study.size import score_and_size
from radiodeep.study.statistics.stability import selection_stability


class Evidence:
    """What the results of a study share; turns the outcomes of folds into them.

    StudyInput and Endpoint are those of the cases that were kept. `excluded` maps the others to the reason, and the
    remarks are suspicions about the features. `training_y` are the outcomes of the training cohort of a holdout.
    """

    def __init__(self, study, endpoint, confidence_level, excluded=None, remarks=(), training_y=None):
        self.study = study
        self.endpoint = endpoint
        self.confidence_level = confidence_level
        self.excluded = excluded or {}
        self.remarks = remarks
        self.training_y = training_y

    def result(self, name, outcomes, plan, settings):
        """Return the StudyResult of a model from a FoldOutcome for each fold of the plan."""
        y = self.endpoint.y if self.training_y is None else self.training_y
        out_of_fold = collect(name, outcomes, plan, self.study.ids, y)
        centres = effects = None
        if plan.centres:
            by_centre = measured_by_centre(self.endpoint, out_of_fold, plan.centres, self.confidence_level)
            measured, centres, effects = by_centre
        else:
            measured = self.endpoint.measured(out_of_fold, self.confidence_level)
        columns = {**self.endpoint.columns(), "fold": out_of_fold.last_fold(), **measured.columns}
        predictions = pd.DataFrame(columns, index=pd.Index(self.study.ids, name="id"))
        selections = selections_of(outcomes)
        return StudyResult(
            name=name,
            auc=measured.value,
            confidence_interval=measured.confidence_interval,
            accuracy=measured.accuracy,
            predictions=predictions,
            folds=self._folds(selections, plan, outcomes),
            cv=plan.name,
            settings=settings,
            positive=self.endpoint.positive,
            outcome=self.endpoint.kind,
            horizon=self.endpoint.horizon,
            patients=self.endpoint.patients,
            training_y=self.training_y,
            estimate=measured.estimate,
            interval_method=measured.interval_method,
            variance=measured.variance,
            accuracy_interval=measured.accuracy_interval,
            scores=_repeats(out_of_fold, out_of_fold.score, predictions.index),
            probabilities=_repeats(out_of_fold, out_of_fold.probability, predictions.index),
            predicted=_repeats(out_of_fold, out_of_fold.prediction, predictions.index),
            pairs=measured.pairs,
            stability=stability_of(selections, plan.repeats),
            size_correlations=_size_correlations(selections),
            effective_n_features=_effective_n_features(selections),
            **self._compared_with_size(out_of_fold, measured),
            source="images" if self.study.rows.are_cases else "a table",
            excluded=self.excluded,
            remarks=(*self.remarks, *measured.remarks),
            centres=centres,
            random_effects=effects,
        )

    def _compared_with_size(self, out_of_fold, measured):
        if self.study.sizes is None:
            return {}
        scores = out_of_fold.by_repeat(out_of_fold.score)
        if measured.pairs is not None:  # the entries of a case are of different pairs
            scores = measured.columns["score"][np.newaxis]
        folds = out_of_fold.by_repeat(out_of_fold.fold)
        return score_and_size(self.endpoint, scores, self.study.sizes, measured.pairs, folds)

    def _folds(self, selections, plan, outcomes):
        rows = [
            {
                "repeat": repeat,
                "n_train": len(train),
                "n_test": len(test),
                "test_ids": [self.study.ids[row] for row in test],
                "selected_features": None if selection is None else selection.names,
                "n_candidates": outcome.n_features if selection is None else selection.n_candidates,
                "scale": outcome.predicted.scale,
                "chosen": outcome.chosen,
            }
            for repeat, (train, test), selection, outcome in zip(
                plan.repeats, plan.folds, selections, outcomes, strict=True
            )
        ]
        folds = pd.DataFrame(rows, index=pd.RangeIndex(len(rows), name="fold"))
        return folds if folds["chosen"].notna().any() else folds.drop(columns="chosen")


def collect(name, outcomes, plan, ids, y):
    """Return the predictions of all folds of a plan as OutOfFold; raise StudyError if a score is not finite.

    `y` are the outcomes of the cases that the training positions of the plan mean.
    """
    sizes = [len(test) for _, test in plan.folds]
    case = np.concatenate([test for _, test in plan.folds])
    fold = np.repeat(np.arange(len(sizes)), sizes)
    predicted = [outcome.predicted for outcome in outcomes]
    score = np.concatenate([prediction.score for prediction in predicted])
    wrong = np.flatnonzero(~np.isfinite(score).reshape(len(score), -1).all(axis=1))
    if len(wrong):
        first = wrong[0]
        raise StudyError(
            f"{name} gave case {ids[case[first]]!r} in fold {fold[first]} a score of {score[first]}. Look for features "
            "that are constant or very large in its training cases; a StandardScaler and a classifier that shares "
            "variance between features, such as LogisticRegression, help."
        )
    return OutOfFold(
        kind=plan.kind,
        n_cases=len(ids),
        n_repeats=max(plan.repeats) + 1,
        case=case,
        fold=fold,
        repeat=np.repeat(plan.repeats, sizes),
        score=score,
        probability=np.concatenate([prediction.probability for prediction in predicted]),
        prediction=np.concatenate([prediction.prediction for prediction in predicted]),
        training=[y[train] for train, _ in plan.folds],
        scales=tuple(dict.fromkeys(prediction.scale for prediction in predicted)),
    )


def _repeats(out_of_fold, values, index):
    """Return values as a DataFrame (n_cases, n_repeats); None under leave-pair-out, which tests a case many times.

    Values of several outputs have columns (repeat, output).
    """
    if out_of_fold.kind == "pairs":
        return None
    repeats = out_of_fold.by_repeat(values)
    columns = pd.RangeIndex(out_of_fold.n_repeats)
    if repeats.ndim == 3:
        columns = pd.MultiIndex.from_product([columns, range(repeats.shape[2])], names=["repeat", "output"])
    return pd.DataFrame(np.moveaxis(repeats, 0, 1).reshape(len(index), -1), index=index, columns=columns)


def selections_of(outcomes):
    """Return the Selection of each fold, or None, with the shortest unambiguous names of the features."""
    selections = [outcome.selection for outcome in outcomes]
    names = without_prefixes([None if selection is None else selection.names for selection in selections])
    return [
        None if selection is None else replace(selection, names=short)
        for selection, short in zip(selections, names, strict=True)
    ]


def stability_of(selections, repeats):
    """Return the SelectionStability of folds in repeats, or None unless all folds selected from the same features."""
    if len(selections) < 2 or None in selections or len({selection.n_candidates for selection in selections}) > 1:
        return None
    n_candidates = selections[0].n_candidates
    subsets = [selection.names for selection in selections]
    if len({name for subset in subsets for name in subset}) > n_candidates:  # a search over extractors: other tables
        return None
    return selection_stability(subsets, n_candidates, repeats)


def _size_correlations(selections):
    """Return the mean correlation with size of each feature that at least half of the measured folds selected."""
    measured = [selection for selection in selections if selection and selection.size_correlations is not None]
    correlations = {}
    for selection in measured:
        for name, correlation in zip(selection.names, selection.size_correlations, strict=True):
            correlations.setdefault(name, []).append(correlation)
    frequent = {name: values for name, values in correlations.items() if len(values) >= len(measured) / 2}
    return {name: float(np.nanmean(values)) for name, values in frequent.items() if not np.isnan(values).all()}


def _effective_n_features(selections):
    numbers = [selection.effective_n_features for selection in selections if selection]
    numbers = [number for number in numbers if number is not None]
    return float(np.mean(numbers)) if numbers else None
