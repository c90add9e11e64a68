"""Columns and classes -> symmetric uncertainties: with all cases, without each of them, and between columns. Compiled.

Columns are (n_features, n_cases); SU(a, b) = 2 (H(a) + H(b) - H(a, b)) / (H(a) + H(b)).
"""

import numpy as np

from radiodeep.compiled import compiled
from radiodeep.preparation.kernels.cut_points import bin_of, mdl_cut_points


@compiled
def score_columns(columns, labels, order, n_known, nominal, n_classes, separate, logs, scores):
    """Set scores (p,) to the symmetric uncertainty of columns (p, n) with labels (n,).

    `order` and `n_known` are of `row_orders`, `logs` of `plogp_of_counts`. With `separate`, missing values are a bin.
    """
    for column in range(len(columns)):
        values, known = columns[column], n_known[column]
        if nominal[column]:
            cuts = cuts_of_categories(values)
        else:
            cuts = mdl_cut_points(values, labels, order[column], known, n_classes, logs, True)
        if known == 0 or (len(cuts) == 0 and not (separate and known < len(values))):
            scores[column] = 0.0
            continue
        table = counts_by_bin(values, labels, cuts, n_classes)
        scores[column] = uncertainty_of_counts(table, known, separate)


@compiled
def cuts_of_categories(values):
    """Return the cuts between the categories 0, 1, 2 ... of a column."""
    highest = -1.0
    for value in values:
        if value > highest:
            highest = value
    cuts = np.empty(max(int(highest), 0))
    for cut in range(len(cuts)):
        cuts[cut] = cut + 0.5
    return cuts


@compiled
def counts_by_bin(values, labels, cuts, n_classes):
    """Return the number of rows by bin and class (n_cuts + 2, n_classes); the last bin is of missing values."""
    table = np.zeros((len(cuts) + 2, n_classes))
    for row in range(len(values)):
        if np.isnan(values[row]):
            table[len(cuts) + 1, labels[row]] += 1
        else:
            table[bin_of(values[row], cuts), labels[row]] += 1
    return table


@compiled
def uncertainty_of_counts(table, n_known, separate):
    """Return SU of a table of counts (n_bins + 1, n_classes) whose last row is of missing values.

    Missing values are distributed over the bins in proportion to the known values, or are a separate bin.
    """
    n_bins, n_classes = table.shape[0] - 1, table.shape[1]
    n_used = n_bins + 1 if separate else n_bins
    for b in range(0 if separate else n_bins):
        in_bin = 0.0
        for c in range(n_classes):
            in_bin += table[b, c]
        for c in range(n_classes):
            table[b, c] += in_bin / n_known * table[n_bins, c]
    total, of_class, of_bin, of_both = 0.0, 0.0, 0.0, 0.0
    for c in range(n_classes):
        in_class = 0.0
        for b in range(n_used):
            in_class += table[b, c]
        total += in_class
        of_class += plogp(in_class)
    for b in range(n_used):
        in_bin = 0.0
        for c in range(n_classes):
            in_bin += table[b, c]
            of_both += plogp(table[b, c])
        of_bin += plogp(in_bin)
    whole = plogp(total)
    if abs(whole - of_class) < 1e-6 or abs(whole - of_bin) < 1e-6:
        return 0.0
    gain = (whole - of_class) - (of_bin - of_both)
    return 2 * gain / ((whole - of_class) + (whole - of_bin))


@compiled
def plogp(count):
    """Return n ln(n) of a count, which may be a fraction; 0 for counts below 1e-6."""
    return 0.0 if count < 1e-6 else count * np.log(count)


@compiled
def first_repeated(bins, scores, most):
    """Return the better feature that each of bins (p, n), from best to worst, repeats, or -1; keep at most `most`."""
    n_features = len(bins)
    repeats = np.full(n_features, -1)
    n_kept = 0
    for better in range(n_features):
        if repeats[better] >= 0:
            continue
        n_kept += 1
        if n_kept > most:
            break
        for other in range(better + 1, n_features):
            if repeats[other] < 0 and _pair_uncertainty(bins[better], bins[other]) >= scores[other]:
                repeats[other] = better
    return repeats


@compiled
def _pair_uncertainty(a, b):
    """Return the symmetric uncertainty of two rows of bins (n,), over the cases where neither is -1."""
    n_a, n_b = 1, 1
    for case in range(len(a)):
        n_a, n_b = max(n_a, a[case] + 1), max(n_b, b[case] + 1)
    joint = np.zeros((n_a, n_b))
    for case in range(len(a)):
        if a[case] >= 0 and b[case] >= 0:
            joint[a[case], b[case]] += 1
    total, of_a, of_b, of_both = 0.0, 0.0, 0.0, 0.0
    for i in range(n_a):
        in_row = 0.0
        for j in range(n_b):
            in_row += joint[i, j]
            of_both += plogp(joint[i, j])
        total += in_row
        of_a += plogp(in_row)
    for j in range(n_b):
        in_column = 0.0
        for i in range(n_a):
            in_column += joint[i, j]
        of_b += plogp(in_column)
    whole = plogp(total)
    spread = 2 * whole - of_a - of_b
    return 0.0 if spread <= 0 else 2 * (whole - of_a - of_b + of_both) / spread


@compiled
def _best_boundaries(values, labels, order, n_known, whole, logs):
    """Return the best boundary after and before each place, without a case of each class, and the number of boundaries.

    `place` p is the p-th case in ascending order, `whole` the number of cases by class. ``after[k, p]`` is the largest
    sum of n ln(n) over the counts by side and class (minus those by side), over all boundaries at or after place p, if
    a case of class k is missing on their left; ``before[k, p]`` over those before p, if it is missing on their right.
    """
    n_classes, n_boundaries = len(whole), n_known - 1
    after = np.full((n_classes, n_known + 1), -np.inf)
    before = np.full((n_classes, n_known + 1), -np.inf)
    left, right = np.zeros(n_classes, np.int64), whole.copy()
    n_candidates = 0
    for row in range(n_boundaries):
        label = labels[order[row]]
        left[label] += 1
        right[label] -= 1
        valid = values[order[row]] < values[order[row + 1]]
        n_candidates += valid
        on_left, on_right = 0.0, 0.0
        for c in range(n_classes):
            on_left += logs[left[c]]
            on_right += logs[right[c]]
        n_left, n_right = row + 1, n_known - row - 1
        for k in range(n_classes):
            before[k, row + 1] = before[k, row]
            if not valid:
                continue
            if left[k]:
                value = on_left - logs[left[k]] + logs[left[k] - 1] - logs[n_left - 1]
                after[k, row] = value + on_right - logs[n_right]
            if right[k]:
                value = on_right - logs[right[k]] + logs[right[k] - 1] - logs[n_right - 1]
                before[k, row + 1] = max(before[k, row], value + on_left - logs[n_left])
    for k in range(n_classes):
        before[k, n_known] = before[k, n_known - 1]
        for row in range(n_boundaries - 1, -1, -1):
            after[k, row] = max(after[k, row], after[k, row + 1])
    return after, before, n_candidates


@compiled
def _may_have_cut(values, labels, order, n_known, n_classes, logs, possible):
    """Set possible (n,) to whether a column can have a cut at all without each of the known cases.

    Without a case of class k, the counts at a boundary lose one of class k on the left or on the right, so a single
    scan finds the best boundary of every fold. It is compared with the least that the MDL criterion can require of a
    cut: most columns have no cut in any fold, and need no further computation.
    """
    whole = np.zeros(n_classes, np.int64)
    for row in range(n_known):
        whole[labels[order[row]]] += 1
    after, before, n_candidates = _best_boundaries(values, labels, order, n_known, whole, logs)
    required = np.empty(n_classes)
    for k in range(n_classes):
        if whole[k] == 0:
            continue
        of_classes, kinds = 0.0, 0
        for c in range(n_classes):
            count = whole[c] - (c == k)
            of_classes += logs[count]
            kinds += count > 0
        n_left = n_known - 1
        entropy = (logs[n_left] - of_classes) / np.log(2.0)  # in bits, of all cases together
        cost = np.log(max(n_candidates - 1, 1)) / np.log(2.0) + np.log(3.0**kinds - 2) / np.log(2.0)
        cost -= kinds * entropy / max(n_left, 1)
        required[k] = (cost - entropy - 1e-6) * np.log(2.0)  # as a sum of n ln(n)
    for place in range(n_known):
        k = labels[order[place]]
        possible[order[place]] = max(after[k, place], before[k, place]) >= required[k]


@compiled
def uncertainty_without(columns, labels, order, n_known, nominal, n_classes, separate, logs, scores):
    """Set scores (n, p) to the symmetric uncertainty of columns (p, n) without each case, as `score_columns`."""
    n_cases = len(labels)
    possible, shorter = np.empty(n_cases, np.bool_), np.empty(n_cases, np.int64)
    for column in range(len(columns)):
        values, known = columns[column], n_known[column]
        all_cuts = np.empty(0)
        if nominal[column]:
            all_cuts = cuts_of_categories(values)
            possible[:] = True
        elif known:
            all_cuts = mdl_cut_points(values, labels, order[column], known, n_classes, logs, True)
            _may_have_cut(values, labels, order[column], known, n_classes, logs, possible)
        for case in range(n_cases):
            missing = np.isnan(values[case])
            n_left = known if missing else known - 1
            has_missing = n_cases - 1 > n_left
            scores[case, column] = 0.0
            if n_left == 0:
                continue
            cuts = all_cuts
            if not missing and not nominal[column]:
                if possible[case]:
                    n_kept = 0
                    for place in range(known):
                        shorter[n_kept] = order[column, place]
                        n_kept += order[column, place] != case
                    cuts = mdl_cut_points(values, labels, shorter, n_left, n_classes, logs, True)
                else:
                    cuts = np.empty(0)
            if len(cuts) == 0 and not (separate and has_missing):
                continue
            table = counts_by_bin(values, labels, cuts, n_classes)
            bin_ = len(cuts) + 1 if missing else bin_of(values[case], cuts)
            table[bin_, labels[case]] -= 1
            scores[case, column] = uncertainty_of_counts(table, n_left, separate)
