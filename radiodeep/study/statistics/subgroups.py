"""A result and columns of the cases -> the measure and the calibration in subgroups, and whether they differ."""

from dataclasses import dataclass, field, replace
from itertools import pairwise

import numpy as np
import pandas as pd
from scipy.stats import rankdata

from radiodeep.checks import is_count, is_finite, is_sequence, require, require_probability
from radiodeep.exceptions import StudyError
from radiodeep.study.result import require_results
from radiodeep.study.statistics.auc import auc_of_repeats
from radiodeep.study.statistics.calibration_measures import measures_of_calibration
from radiodeep.study.statistics.comparison import holm
from radiodeep.study.statistics.uncertainty import interval, variance_of_result

_MOST_VALUES = 5  # of numbers that are groups by themselves
_UNKNOWN = "unknown"
_KINDS_OF_PAIRS = ("two classes", "ordered classes", "numbers", "survival")
_AT_ONCE = 256  # permutations
_FEWEST_CALIBRATED = 10  # cases of either class


@dataclass(frozen=True, eq=False)
class Subgroups:
    """What a model predicts in subgroups of the cases; `print` gives the sentences for the paper.

    Attributes
    ----------
    table : DataFrame
        A row per (column, group): `n` cases, `n_positive` or `n_events`, `value`, `low` and `high` of the measure, and
        for two classes with probabilities `calibration in the large` and `calibration slope`, each with ` low` and
        ` high`. NaN for groups that are too small.
    tests : DataFrame
        By column: `p_value` of the test that the measure differs between the groups, `p_holm`, corrected for the number
        of columns, and `remark`, which names groups that are too small, or why there is no test.
    measure, cv : str
    """

    table: pd.DataFrame
    tests: pd.DataFrame
    measure: str
    cv: str
    confidence_level: float = field(repr=False)

    def __str__(self):
        lines = [f"{self.measure} in subgroups ({self.cv}); p of a difference, Holm-corrected for {len(self.tests)}:"]
        for column, test in self.tests.iterrows():
            rows = self.table.loc[[column]].droplevel(0)
            groups = [_in_words(name, row) for name, row in rows.iterrows()]
            p_value = "no test" if np.isnan(test["p_holm"]) else f"p = {test['p_holm']:.2g}"
            remark = f" ({test['remark']})" if test["remark"] else ""
            lines.append(f"{column}: {', '.join(groups)}; {p_value}{remark}")
        return "\n  ".join(lines)


def _in_words(name, row):
    if np.isnan(row["value"]):
        return f"{name} n={row['n']:.0f}"
    bounds = "" if np.isnan(row["low"]) else f" ({row['low']:.2f} to {row['high']:.2f})"
    return f"{name} {row['value']:.2f}{bounds} n={row['n']:.0f}"


def subgroups(result, columns, cuts=None, *, fewest=5, n_permutations=999, random_state=0, confidence_level=0.95):
    """Measure a model in subgroups of the cases, and test whether the measure differs between them.

    Parameters
    ----------
    result : StudyResult
        Its companion is taken if it has no valid interval.
    columns : DataFrame or dict from name to Series
        What is known of the cases, by case id: sex, age, centre. Empty cells are the group "unknown", which is not
        tested.
    cuts : dict from name to sequence of float, optional
        Where columns of numbers are cut, ascending: values below the first cut are the first group. Others with more
        than five values are cut at their median.
    fewest : int, default=5
        The least number of cases of either class (of events and of cases without, for survival; of cases, for other
        outcomes) of a group. Smaller groups are named with their numbers, but neither measured nor tested. Calibration
        needs ten cases of either class.
    n_permutations : int, default=999
    random_state : int, default=0
    confidence_level : float, default=0.95

    Returns
    -------
    Subgroups

    Raises
    ------
    StudyError
        Cases are missing from the columns, or settings are out of range.

    Notes
    -----
    The test exchanges patients between the groups of a column: patients with equally many cases of each class (equally
    many cases with and without events, for survival). It compares the weighted squared differences of the fractions of
    pairs in the right order (the AUC; Harrell's C; for numbers Kendall's). Unless the column is a feature, no
    prediction depends on it, and the test is exact where groups are alike in all but name, whatever the split. Where
    they differ in other ways, dividing each difference by its own standard error keeps the level nearly: in simulations
    of groups of equal AUC (40 to 300 cases, other scores and prevalence included) it rejects 4 to 6 % at p <= 0.05.
    With few patients it finds large differences only: no significance is no proof of fairness.

    References
    ----------
    Janssen, Pauls, How do bootstrap and permutation tests work? Annals of Statistics 31 (2003) 768. Pauly, Asendorf,
    Konietschke, Permutation-based inference for the AUC, Biometrical Journal 58 (2016) 1319.

    Examples
    --------
    >>> import numpy as np
    >>> import pandas as pd
    >>> from sklearn.linear_model import LogisticRegression
    >>> from radiodeep import cross_validated_auc, subgroups
    >>> rng = np.random.default_rng(0)
    >>> y = np.arange(120) % 2
    >>> result = cross_validated_auc(LogisticRegression(), rng.normal(size=(120, 2)) + y[:, None], y, cv=5)
    >>> clinical = pd.DataFrame({"sex": rng.choice(["f", "m"], 120), "age": rng.normal(60, 9, 120).round()})
    >>> print(subgroups(result, clinical, {"age": [65]}))
    AUC in subgroups (5-fold, 5 repeats); p of a difference, Holm-corrected for 2:
      sex: f 0.74 (0.48 to 0.89) n=59, m 0.82 (0.57 to 0.93) n=61; p = 0.67
      age: below 65 0.80 (0.60 to 0.91) n=86, 65 and above 0.73 (0.41 to 0.91) n=34; p = 0.67
    """
    require_results(result)
    require(is_count(fewest, 2), subgroups, "fewest", "an int >= 2", fewest, error=StudyError)
    require(is_count(n_permutations, 1), subgroups, "n_permutations", "an int >= 1", n_permutations, error=StudyError)
    require(is_count(random_state), subgroups, "random_state", "an int >= 0", random_state, error=StudyError)
    require_probability(confidence_level, subgroups, "confidence_level", StudyError)
    result = result.primary
    frame = _frame(columns, result.predictions.index)
    _check_cuts(cuts or {}, frame)
    measured = _Measured(result, fewest, confidence_level)
    pairs = _pairs(result) if result.outcome in _KINDS_OF_PAIRS else None
    rng = np.random.default_rng(random_state)
    rows, tests = {}, {}
    for column, values in frame.items():
        groups = groups_of(values, (cuts or {}).get(column))
        of_groups = {name: measured.row(np.flatnonzero(groups == name)) for name in _names(groups)}
        rows |= {(column, name): row for name, row in of_groups.items()}
        tests[column] = _test(result, pairs, groups, of_groups, n_permutations, rng)
    table = pd.DataFrame.from_dict(rows, orient="index").rename_axis(["column", "group"])
    tests = pd.DataFrame.from_dict(tests, orient="index", columns=["p_value", "remark"]).rename_axis("column")
    tests.insert(1, "p_holm", holm(tests["p_value"]))
    return Subgroups(table, tests, result.endpoint.measure, result.cv, confidence_level)


def _frame(columns, index):
    """Return the columns in the order of the cases; StudyError if cases are missing."""
    frame = pd.DataFrame(columns) if isinstance(columns, pd.DataFrame | pd.Series | dict) else pd.DataFrame()
    if not len(frame.columns):
        raise StudyError("There is no column. Pass what is known of the cases, e.g. frame[['sex', 'age']].")
    missing = index.difference(frame.index)
    if len(missing) or not frame.index.is_unique:
        which = f"The first that is missing is {missing[0]!r}" if len(missing) else "A case comes twice"
        raise StudyError(f"The columns must have one row for each of the {len(index)} cases, by case id. {which}.")
    return frame.loc[index].infer_objects()


def _check_cuts(cuts, frame):
    """Raise InputError unless cuts are ascending numbers of columns of numbers."""
    unknown = [name for name in cuts if name not in frame.columns]
    require(not unknown, subgroups, "cuts", f"of columns ({', '.join(map(str, frame.columns))})", unknown)
    for name, values in cuts.items():
        is_ascending = is_sequence(values) and all(map(is_finite, values)) and bool(np.all(np.diff(values) > 0))
        is_valid = is_ascending and _are_numbers(frame[name])
        require(is_valid, subgroups, "cuts", "ascending numbers for columns of numbers, {'age': [65]}", cuts)


def _are_numbers(values):
    return pd.api.types.is_numeric_dtype(values) and not pd.api.types.is_bool_dtype(values)


def groups_of(values, cuts=None):
    """Return the group of each case as text (n_cases,), in the order of a Categorical; "unknown" for empty cells."""
    is_number = _are_numbers(values)
    if cuts is None and is_number and values.nunique() > _MOST_VALUES:
        cuts = [float(values.median())]
    if cuts is None:
        names = sorted(values.dropna().unique(), key=None if is_number else str)
        texts = _in_digits(names) if is_number else [str(name) for name in names]
        codes = values.map(dict(zip(names, texts, strict=True)))
    else:
        edges = _in_digits(cuts)
        between = [f"{low} to below {high}" for low, high in pairwise(edges)]
        texts = [f"below {edges[0]}", *between, f"{edges[-1]} and above"]
        codes = pd.Series(np.array(texts, dtype=object)[np.searchsorted(cuts, values, side="right")])
        codes[values.isna().to_numpy()] = None
    filled = codes.astype(object).where(codes.notna().to_numpy(), _UNKNOWN)
    return pd.Categorical(filled, dict.fromkeys([*texts, _UNKNOWN]))


def _in_digits(numbers):
    """Return numbers as text, in more than six digits if these do not tell them apart."""
    short = [f"{number:g}" for number in numbers]
    return short if len(set(short)) == len(short) else [f"{number:.15g}" for number in numbers]


def _names(groups):
    return [name for name in groups.categories if (groups == name).any()]


class _Measured:
    """Rows of the table of subgroups."""

    def __init__(self, result, fewest, confidence_level):
        self.result = result
        self.endpoint = result.endpoint
        self.fewest = fewest
        self.level = confidence_level
        self.folds = result.folds_to_compare_within
        self.has_probabilities = not np.isnan(result.probability_array).any()

    def row(self, cases):
        """Return a row for the cases of a group, given as positions."""
        counts, least = self._counts(cases)
        row = {"n": len(cases), **counts, "value": np.nan, "low": np.nan, "high": np.nan}
        if least < self.fewest:
            return row
        of_group = self.endpoint.take(cases)
        folds = None if self.folds is None else self.folds[:, cases]
        try:
            row |= self._measure(of_group, self.result.score_array[:, cases], folds)
        except StudyError:  # e.g. no two cases of the group are comparable
            return row
        has_enough = least >= _FEWEST_CALIBRATED
        if has_enough and "calibration" in self.endpoint.offers and self.has_probabilities:
            row |= self._calibration(of_group, cases)
        return row

    def _counts(self, cases):
        """Return what to count of a group, and the number that decides whether it is large enough."""
        if self.result.outcome == "two classes":
            n_positive = int(self.endpoint.is_positive[cases].sum())
            return {"n_positive": n_positive}, min(n_positive, len(cases) - n_positive)
        if self.result.outcome == "survival":
            n_events = int(self.endpoint.event[cases].sum())
            return {"n_events": n_events}, min(n_events, len(cases))
        return {}, len(cases)

    def _measure(self, of_group, scores, folds):
        n_folds = len(self.result.folds) // len(scores)
        if self.result.outcome == "two classes":
            estimate = auc_of_repeats(of_group.is_positive, scores, self.level, n_folds, of_group.patients, folds)
            value, found = estimate.auc, estimate.confidence_interval
        else:
            of_repeats = [None] * len(scores) if folds is None else folds
            each = [
                of_group.covariance(score[np.newaxis], fold) for score, fold in zip(scores, of_repeats, strict=True)
            ]
            value = float(np.mean([values[0] for values, _ in each]))
            variance = variance_of_result(self.result, [matrix[0, 0] for _, matrix in each])
            found = interval(value, variance, self.level, self.endpoint.bounds)
        has_bounds = not np.isnan(self.result.variance)
        return {"value": value} | ({"low": found.low, "high": found.high} if has_bounds else {})

    def _calibration(self, of_group, cases):
        probabilities = self.result.probability_array[:, cases]
        own = replace(self.result, patients=of_group.patients)
        measures = measures_of_calibration(of_group.is_positive, probabilities, own, self.level)
        cells = {}
        for name, shown in (("calibration in the large", None), ("slope", "calibration slope")):
            for column, end in (("value", ""), ("low", " low"), ("high", " high")):
                cells[f"{shown or name}{end}"] = measures.loc[name, column]
        return cells


def _pairs(result):
    """Return which pairs of cases are compared and in the right order, (n_cases, n_cases), sums over the repeats.

    The first case of a pair has the higher outcome (the earlier event, for survival). Ties count one half.
    """
    endpoint = result.endpoint
    if result.outcome == "survival":
        above = endpoint.event[:, np.newaxis] & (endpoint.time[:, np.newaxis] < endpoint.time)
    else:
        above = endpoint.as_numbers[:, np.newaxis] > endpoint.as_numbers
    compared, right = np.zeros((2, *above.shape))
    folds = result.folds_to_compare_within
    for number, score in enumerate(result.score_array):
        pairs = above if folds is None else above & (folds[number][:, np.newaxis] == folds[number])
        ranks = rankdata(score)
        compared += pairs
        right += pairs * (0.5 + 0.5 * np.sign(ranks[:, np.newaxis] - ranks))
    return compared, right


def _test(result, pairs, groups, rows, n_permutations, rng):
    """Return the p value of a difference between groups, NaN for no test, and a remark."""
    small = [name for name, row in rows.items() if name != _UNKNOWN and np.isnan(row["value"])]
    tested = [name for name in rows if name not in small and name != _UNKNOWN]
    remark = f"too small: {', '.join(small)}" if small else ""
    if len(tested) < 2:
        return np.nan, remark or "one group only"
    if pairs is None:
        return np.nan, f"there is no test for {result.outcome}"
    codes = np.full(len(groups), -1)
    for number, name in enumerate(tested):
        codes[groups == name] = number
    cases = np.flatnonzero(codes >= 0)
    patients = np.arange(len(codes)) if result.patients is None else result.patients
    patients, codes = np.unique(patients[cases], return_inverse=True)[1], codes[cases]
    of_patient = np.zeros(patients.max() + 1, dtype=int)
    of_patient[patients] = codes
    if (of_patient[patients] != codes).any():
        return np.nan, "no test: it differs between the cases of a patient"
    strata = _strata(result, cases, patients)
    compared, right = (matrix[np.ix_(cases, cases)] for matrix in pairs)
    statistic = _statistics(compared, right, of_patient[np.newaxis], patients, len(tested))[0]
    null = []
    for start in range(0, n_permutations, _AT_ONCE):
        drawn = _permuted(of_patient, strata, min(_AT_ONCE, n_permutations - start), rng)
        null.append(_statistics(compared, right, drawn, patients, len(tested)))
    n_beyond = int((np.concatenate(null) >= statistic * (1 - 1e-9)).sum())
    return (1 + n_beyond) / (1 + n_permutations), remark


def _strata(result, cases, patients):
    """Return for each patient a code that is the same for those with as many cases of each class, (n_patients,)."""
    classes = result.endpoint.strata
    if result.outcome == "numbers" or classes is None:
        classes = np.zeros(len(result.endpoint.y), dtype=int)
    classes = np.unique(classes[cases], return_inverse=True)[1]
    counts = np.zeros((patients.max() + 1, classes.max() + 1), dtype=int)
    np.add.at(counts, (patients, classes), 1)
    return np.unique(counts, axis=0, return_inverse=True)[1].ravel()


def _permuted(of_patient, strata, n_permutations, rng):
    """Return the groups of patients exchanged within the strata, (n_permutations, n_patients)."""
    drawn = np.tile(of_patient, (n_permutations, 1))
    for stratum in np.unique(strata):
        members = strata == stratum
        drawn[:, members] = rng.permuted(drawn[:, members], axis=1)
    return drawn


def _statistics(compared, right, drawn, patients, n_groups):
    """Return the weighted squared differences of the groups' values for assignments of patients, (n_assignments,).

    With value v, variance s of a group, weights w = 1 / s and their mean m of the values it is sum w (v - m)^2. The
    variance is that of the influences of the patients; at least that of half a pair, since a perfect group has none.
    """
    values, weights = np.empty((2, n_groups, len(drawn)))
    is_of_patient = np.eye(int(patients.max()) + 1)[patients]  # (n_cases, n_patients)
    n_repeats = compared.max(initial=1.0)
    for group in range(n_groups):
        member = (drawn[:, patients] == group).astype(float)
        wins = member * (member @ right.T + member @ right)
        pairs = member * (member @ compared.T + member @ compared)
        total = np.maximum(pairs.sum(axis=1) / 2, 0.5)
        values[group] = wins.sum(axis=1) / 2 / total
        influence = (wins - values[group][:, np.newaxis] * pairs) @ is_of_patient / total[:, np.newaxis]
        n_patients = np.maximum((drawn == group).sum(axis=1), 2)
        variance = (influence**2).sum(axis=1) * n_patients / (n_patients - 1)
        weights[group] = 1 / np.maximum(variance, (0.5 * n_repeats / total) ** 2)
    mean = (weights * values).sum(axis=0) / weights.sum(axis=0)
    return (weights * (values - mean) ** 2).sum(axis=0)
