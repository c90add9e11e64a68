"""Type I error and power of tests of two models, and coverage of intervals, in simulated studies of known truth.

Each design draws tables of independent features, some of which carry the outcome. Two models, or one, are studied by
repeated folds; the learner is fitted to all folds at once, and the package does the rest: the measure, its interval,
and the test of the difference.

    python benchmarks/evidence_levels.py [--designs equal noise] [--tables 200] [--plans 2x50 5x10 10x5] [--seed 0]

In designs of one model, "covered" is how often the 95 % interval holds the expected measure, which is the mean over the
tables, and "width" its mean width. In designs of two models, "rejected" is how often p < 0.05: the type I error if both
models have the same expected measure, else the power.
"""

import argparse
from dataclasses import dataclass

import numpy as np

from radiodeep import survival_outcomes
from radiodeep.study.endpoints.endpoint import OutOfFold
from radiodeep.study.endpoints.registry import endpoint_for
from radiodeep.study.statistics.uncertainty import p_value, variance_of_repeats


@dataclass(frozen=True)
class Design:
    """How tables of a simulated study are drawn.

    Attributes
    ----------
    signals : tuple of (n_features, n_informative, effect)
        One per model. The effect is the distance of the classes in standard deviations, or the coefficient.
    n_cases : int
        Of patients, if each has 1 to 4 cases.
    outcome : {"classes", "several classes", "numbers", "survival"}
    n_best : int
        Features that the learner selects.
    is_joint : bool
        Least squares (for classes: linear discriminant analysis) instead of a sum of the features, each weighted by its
        correlation with the outcome.
    is_shared : bool
        Whether both models have the table of the first signal; the second one selects three features.
    n_positive : int, optional
        Half of the cases by default.
    correlation : float, optional
        Of the cases of a patient; None for patients of one case.
    """

    signals: tuple
    n_cases: int = 60
    outcome: str = "classes"
    n_best: int = 10
    is_joint: bool = False
    is_shared: bool = False
    n_positive: int | None = None
    correlation: float | None = None


NOISE, WEAK, STRONG = (300, 0, 0.0), (100, 8, 0.6), (100, 8, 0.95)
ONE_MODEL = {
    "noise": Design((NOISE,), 40),
    "signal 60": Design(((100, 8, 0.7),)),
    "signal 100": Design(((100, 10, 0.5),), 100),
    "spread 60": Design(((1000, 50, 0.5),)),
    "spread 200": Design(((1000, 50, 0.4),), 200),
    "near 1": Design(((100, 10, 0.95),)),
    "discriminant": Design(((100, 5, 0.7),), n_best=3, is_joint=True),
    "8 of 60": Design(((100, 8, 0.9),), n_positive=8),
    "patients": Design(((200, 8, 0.8),), correlation=0.5),
    "several classes": Design(((100, 3, 1.0),), outcome="several classes"),
    "numbers": Design(((100, 4, 0.6),), outcome="numbers"),
    "survival": Design(((100, 3, 0.9),), 100, outcome="survival"),
}
EQUAL_MODELS = {
    "one table of noise": Design((NOISE,), 40, is_shared=True),
    "two of noise": Design((NOISE, NOISE), 40),
    "equal 60": Design((WEAK, WEAK)),
    "equal 200": Design(((100, 10, 0.5),) * 2, 200),
    "equal 300": Design(((100, 10, 0.4),) * 2, 300),
    "equal spread 60": Design(((1000, 50, 0.5),) * 2),
    "equal near 1": Design(((100, 10, 0.95),) * 2),
    "equal discriminants": Design(((100, 5, 0.7),) * 2, 100, n_best=3, is_joint=True),
    "equal 8 of 60": Design(((100, 8, 0.9),) * 2, n_positive=8),
    "equal patients": Design(((200, 8, 0.8),) * 2, correlation=0.5),
    "equal several classes": Design(((100, 3, 1.0),) * 2, outcome="several classes"),
    "equal numbers": Design(((100, 2, 0.8),) * 2, outcome="numbers"),
    "equal survival": Design(((100, 2, 0.9),) * 2, 100, outcome="survival"),
}
UNEQUAL_MODELS = {
    "unequal 60": Design((STRONG, WEAK)),
    "unequal 100": Design(((100, 8, 0.8), (100, 8, 0.5)), 100),
    "unequal discriminants": Design(((100, 5, 1.1), (100, 5, 0.6)), n_best=3, is_joint=True),
    "signal against noise": Design(((1000, 20, 0.9), (1000, 0, 0.0)), 40),
    "unequal several classes": Design(((100, 3, 1.3), (100, 3, 0.8)), outcome="several classes"),
    "unequal numbers": Design(((100, 2, 1.0), (100, 2, 0.5)), outcome="numbers"),
    "unequal survival": Design(((100, 2, 1.2), (100, 2, 0.5)), 100, outcome="survival"),
}


def draw(design, rng):
    """Return outcomes (n_cases,), patients as codes (n_cases,) and tables (n_cases, n_features), one per signal."""
    patients = np.arange(design.n_cases)
    if design.correlation is not None:
        patients = np.repeat(patients, rng.integers(1, 5, design.n_cases))
    tables = [rng.normal(size=(design.n_cases, n_features)) for n_features, _, _ in design.signals]
    if design.correlation is not None:
        of_patient, of_case = np.sqrt([design.correlation, 1 - design.correlation])
        for model, table in enumerate(tables):
            tables[model] = of_patient * table[patients] + of_case * rng.normal(size=(len(patients), table.shape[1]))
    if design.outcome in ("classes", "several classes"):
        is_several = design.outcome == "several classes"
        n_positive = design.n_cases // 2 if design.n_positive is None else design.n_positive
        y = np.arange(design.n_cases)
        y = (y % 3 if is_several else (y < n_positive).astype(int))[patients]
        for table, (_, n_informative, effect) in zip(tables, design.signals, strict=True):
            for block, label in enumerate((0, 1, 2) if is_several else (1,)):  # features of its own for each class
                table[y == label, block * n_informative : (block + 1) * n_informative] += effect
        return y, patients, tables
    effects = zip(tables, design.signals, strict=True)
    signal = sum(effect * table[:, :n_informative].sum(axis=1) for table, (_, n_informative, effect) in effects)
    if design.outcome == "numbers":
        return signal + rng.normal(size=len(signal)), patients, tables
    death, censoring = rng.exponential(size=(2, len(signal)))
    death *= np.exp(-signal)
    return survival_outcomes(death <= censoring, np.minimum(death, censoring)), patients, tables


def folds_of(rng, strata, patients, n_folds, n_repeats):
    """Return the test fold of each case, (n_repeats, n_cases): folds hold whole patients of all strata."""
    first = np.unique(patients, return_index=True)[1]
    folds = np.empty((n_repeats, len(first)), dtype=int)
    for of_repeat in folds:
        of_repeat[np.lexsort((rng.random(len(first)), strata[first]))] = np.arange(len(first)) % n_folds
    return folds[:, patients]


def targets_of(endpoint, is_training):
    """Return what is regressed on the features in each training set, (n_targets, n_training_sets, n_cases)."""
    if endpoint.kind == "survival":  # martingale residuals of the Nelson-Aalen estimator
        n_at_risk = np.maximum(is_training @ (endpoint.time[:, np.newaxis] >= endpoint.time).astype(float), 1)
        hazard = endpoint.event * is_training / n_at_risk
        return (endpoint.event - hazard @ (endpoint.time[:, np.newaxis] <= endpoint.time))[np.newaxis]
    if endpoint.kind == "several classes":
        targets = (endpoint.y == endpoint.classes[:, np.newaxis]).astype(float)
    else:
        targets = endpoint.as_numbers[np.newaxis]
    return np.broadcast_to(targets[:, np.newaxis], (len(targets), *is_training.shape))


def linear_scores(table, target, is_training, n_best, is_joint):
    """Return the scores of all test cases by the `n_best` features of each training set, in the order of the sets.

    Targets and `is_training` are (n_training_sets, n_cases).
    """
    share = is_training / is_training.sum(axis=1, keepdims=True)
    residuals = share * (target - (share * target).sum(axis=1, keepdims=True))
    mean = share @ table
    variance = share @ table**2 - mean**2
    weight = residuals @ table / np.sqrt(variance)
    best = np.argpartition(-np.abs(weight), n_best - 1, axis=1)[:, :n_best]
    mean, variance, weight = (np.take_along_axis(values, best, axis=1) for values in (mean, variance, weight))
    weight = weight / np.sqrt(variance)
    if is_joint:
        centred = table[:, best].transpose(1, 0, 2) - mean[:, np.newaxis]
        scatter = (centred * share[:, :, np.newaxis]).transpose(0, 2, 1) @ centred
        weight = np.linalg.solve(scatter, (weight * variance)[..., np.newaxis])[..., 0]
    fold, case = np.nonzero(~is_training)
    return ((table[case[:, np.newaxis], best[fold]] - mean[fold]) * weight[fold]).sum(axis=1)


def study(design, rng, n_folds, n_repeats):
    """Return the value and the interval of the first model, and the p value of the difference of two, else NaN."""
    y, patients, tables = draw(design, rng)
    outcome = design.outcome.removeprefix("several ")
    endpoint = endpoint_for(y, len(y), outcome=outcome, patients=patients)
    strata = np.zeros(len(y)) if endpoint.strata is None else endpoint.strata
    folds = folds_of(rng, strata, patients, n_folds, n_repeats)
    is_training = (folds[:, np.newaxis] != np.arange(n_folds)[:, np.newaxis]).reshape(-1, len(y))
    targets = targets_of(endpoint, is_training)
    models = [(table, design.n_best) for table in tables] + [(tables[0], 3)] * design.is_shared
    tested = []
    for table, n_best in models:
        scores = [linear_scores(table, target, is_training, n_best, design.is_joint) for target in targets]
        tested.append(out_of_fold(endpoint, is_training, np.column_stack(scores).squeeze(), n_repeats))
    measured = endpoint.measured(tested[0], 0.95)
    if len(tested) == 1:
        return measured.value, measured.confidence_interval, np.nan
    scores = np.stack([predicted.by_repeat(predicted.score) for predicted in tested], axis=1)  # (n_repeats, 2, ...)
    compared = [None] * n_repeats if endpoint.pools_folds else folds
    repeats = [endpoint.covariance(*scores_and_folds) for scores_and_folds in zip(scores, compared, strict=True)]
    difference = np.mean([values[0] - values[1] for values, _ in repeats])
    within = [covariance[0, 0] + covariance[1, 1] - 2 * covariance[0, 1] for _, covariance in repeats]
    return measured.value, measured.confidence_interval, p_value(difference, variance_of_repeats(within, n_folds))


def out_of_fold(endpoint, is_training, scores, n_repeats):
    """Return scores (n_entries,) or (n_entries, n_outputs), in the order of the training sets, as an OutOfFold."""
    fold, case = np.nonzero(~is_training)
    has_columns = endpoint.kind in ("several classes", "survival")
    return OutOfFold(
        kind="repeated",
        n_cases=len(endpoint.y),
        n_repeats=n_repeats,
        case=case,
        fold=fold,
        repeat=fold * n_repeats // len(is_training),
        score=scores,
        probability=np.full((len(case), 3) if has_columns else len(case), np.nan),
        prediction=endpoint.y[case] if endpoint.kind != "survival" else np.zeros(len(case)),
        training=[endpoint.y[rows] for rows in is_training],
    )


def levels(design, n_tables, n_folds, n_repeats, seed=0):
    """Return the fraction of intervals that hold the expected value, their mean width, and the fraction of p < 0.05."""
    studies = [study(design, np.random.default_rng([seed, table]), n_folds, n_repeats) for table in range(n_tables)]
    values, intervals, p_values = zip(*studies, strict=True)
    low, high = np.array([(interval.low, interval.high) for interval in intervals]).T
    expected = np.mean(values)
    return np.mean((low <= expected) & (expected <= high)), np.mean(high - low), np.mean(np.array(p_values) < 0.05)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--designs", nargs="+", default=[""], help="beginnings of their names")
    parser.add_argument("--tables", type=int, default=200)
    parser.add_argument("--plans", nargs="+", default=["2x50", "5x10", "10x5"], help="folds x repeats")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    for title, designs in (
        ("One model: covered (mean width)", ONE_MODEL),
        ("Two equal models: rejected", EQUAL_MODELS),
        ("Two unequal models: rejected", UNEQUAL_MODELS),
    ):
        print(f"{title + ', %':40s}" + "".join(f"{plan:>15s}" for plan in arguments.plans))
        for name, design in designs.items():
            if not name.startswith(tuple(arguments.designs)):
                continue
            print(f"{name:40s}", end="", flush=True)
            for plan in arguments.plans:
                n_folds, n_repeats = map(int, plan.split("x"))
                covered, width, rejected = levels(design, arguments.tables, n_folds, n_repeats, arguments.seed)
                shown = f"{100 * covered:.1f} ({width:.2f})" if designs is ONE_MODEL else f"{100 * rejected:.1f}"
                print(f"{shown:>15s}", end="", flush=True)
            print()


if __name__ == "__main__":
    main()
