"""Two results -> those to compare: with a valid variance, of the same cases, in one order, and of the same folds."""

import numpy as np
import pandas as pd

from radiodeep.exceptions import StudyError
from radiodeep.study.result import require_results


def results_to_test(*results, by_centre=False):
    """Return the results that can be tested in place of the given ones, and words for the test if these are others.

    Results of leave-one-centre-out are accepted with `by_centre`.
    """
    require_results(*results)
    first, second = results
    if first.outcome != second.outcome:
        raise StudyError(
            f"One result is of {first.outcome}, the other of {second.outcome}. Compare results of one kind."
        )
    if first.positive != second.positive:
        raise StudyError(
            f"One result is about class {first.positive!r}, the other about {second.positive!r}. Give both the same "
            "'positive'."
        )
    tested = [result_with_variance(result, by_centre) for result in results]
    is_companion = any(test is not result for test, result in zip(tested, results, strict=True))
    return tested, " of the companions" if is_companion else ""


def has_test(result):
    """Return whether a result has a valid variance, or centres by which it is compared."""
    return not np.isnan(result.variance) or result.centres is not None


def result_with_variance(result, by_centre=False):
    """Return a result, or its companion if it has no valid variance; those of centres only with `by_centre`."""
    if result.centres is not None and not by_centre:
        raise StudyError(
            f"Results of {result.cv} are compared by compare_auc and compare_all only, centre by centre. Take repeated "
            "folds for other tests, e.g. cv=2 with n_repeats=50."
        )
    if has_test(result):
        return result
    if result.companion is None:
        raise StudyError(
            f"There is no valid test of results of {result.cv}: the models of its folds are not fixed, and it does not "
            "tell how much they vary. Compare results of repeated folds, e.g. cv=2 with n_repeats=50."
        )
    return result.companion


def in_pairs(result_a, result_b):
    """Return the second result in the order of the first; StudyError unless cases, outcomes and folds are the same."""
    a, b = result_a.predictions, result_b.predictions
    if not a.index.equals(b.index):
        if not a.index.is_unique or set(a.index) != set(b.index):
            n_single = len(set(a.index) ^ set(b.index))
            raise StudyError(
                f"A paired test needs the same cases in both results; {n_single} cases are in one of them only."
            )
        result_b = result_b.in_order_of(a.index)
    for column in result_a.endpoint.outcome_columns:
        if (a[column].to_numpy() != result_b.predictions[column].to_numpy()).any():
            raise StudyError("A paired test needs the same outcomes in both results.")
    if result_a.cv != result_b.cv:
        raise StudyError(
            f"One result is of {result_a.cv}, the other of {result_b.cv}. Compare results of the same split."
        )
    patients = [_groups(result.endpoint.patients) for result in (result_a, result_b)]
    if patients[0] != patients[1]:
        raise StudyError("A paired test needs the same patients in both results. Give both the same 'groups'.")
    folds = [list(map(_groups, result.fold_of_case)) for result in (result_a, result_b)]
    if folds[0] != folds[1]:
        raise StudyError(
            f"Both results are of {result_a.cv}, but their folds hold other cases. Study both models in one call of "
            "cross_validate_models, or with the same random_state, groups and order of the cases."
        )
    return result_b


def _groups(codes):
    """Return codes numbered in the order of their first case, so that equal groups have equal codes; None as it is."""
    return None if codes is None else pd.factorize(codes)[0].tolist()


def folds_to_compare_within(*results):
    """Return the folds (n_repeats, n_cases) if scores of different folds cannot be compared, else None for each."""
    known = [result.folds_to_compare_within for result in results]
    none = [None] * len(results[0].score_array)
    return next((folds for folds in known if folds is not None), none)
