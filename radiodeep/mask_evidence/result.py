"""Rows of measures of masks -> the evidence: a table with intervals by patient, differences, and sentences."""

from dataclasses import dataclass, field
from html import escape

import numpy as np
import pandas as pd

from radiodeep.checks import is_count, is_non_negative, require, require_probability
from radiodeep.handcrafted.mask_agreement import MEASURES
from radiodeep.mask_evidence.packed_masks import PackedMasks

GIVEN = "given masks"  # instead of how the cases were split
SHARES = ("dice", "jaccard", "surface_dice")  # finite, so that means and their differences are
_TITLES = {
    "dice": "Dice",
    "hd95_mm": "HD95 mm",
    "surface_distance_mm": "surface distance mm",
    "surface_dice": "surface Dice",
    "volume_error": "volume error",
}


@dataclass(frozen=True, eq=False)
class MaskEvidence:
    """How well masks agree with those of reference; printed, a table and what has to be read with it.

    Attributes
    ----------
    cases : DataFrame
        A row per `segmenter` and case `id`: `patient`, `fold`, `size_mm`, the volume of the region of reference (area
        in an image of one slice) in its `unit`, `share_of_image`, the measures of `compare_masks`, and the `error` of a
        segmenter that failed, whose mask counts as empty.
    masks : dict from name of a segmenter to mapping from case id to bool ndarray
        Those of models that were not trained with the case; unpacked when they are asked for.
    table : DataFrame
        A row per `segmenter` and `measure`: `statistic`, the mean of shares or else the median of the cases, its
        `value`, and the bounds `low` and `high` of the percentiles over resamples of the patients.
    differences : DataFrame
        A row per segmenter that learns and measure of SHARES: its mean, that of the best baseline, and their
        `difference` with its bounds, over the same resamples.
    best_baseline : Series
        By fold the baseline with the highest mean Dice in the cases of the other folds; empty without any.
    cv : str
    tolerance_mm, confidence_level : float
    excluded : dict from case id to str
        Cases that were left out, with the reason.
    """

    cases: pd.DataFrame = field(repr=False)
    masks: dict = field(repr=False)
    table: pd.DataFrame = field(repr=False)
    differences: pd.DataFrame = field(repr=False)
    best_baseline: pd.Series = field(repr=False)
    cv: str
    tolerance_mm: float
    confidence_level: float
    excluded: dict = field(default_factory=dict, repr=False)

    @property
    def sentences(self):
        """What was measured, how it compares with the best baseline, and how it depends on size: list of str."""
        first = self.cases.loc[self.cases.index[0][0]]
        sizes, unit = first["size_mm"], first["unit"].iloc[0]
        if unit == "mm³" and sizes.median() >= 1000:
            sizes, unit = sizes / 1000, "cm³"
        least, middle, most = (f"{size:,.0f}" if size >= 100 else f"{size:.3g}" for size in sizes.quantile([0, 0.5, 1]))
        of_training = "" if self.cv == GIVEN else ", which do not know that another training would give other masks"
        sentences = [
            f"{len(first)} cases of {first['patient'].nunique()} patients, {self.cv}; regions of {least} to {most} "
            f"{unit}, median {middle}. Means of Dice, medians of distances and volume error, with "
            f"{self.confidence_level:.0%} intervals over resampled patients{of_training}."
        ]
        sentences += [self._difference(name) for name in self.differences.index.unique("segmenter")]
        whole = 2 * first["share_of_image"] / (1 + first["share_of_image"])
        correlations = self.cases.groupby("segmenter", sort=False)[["dice", "size_mm"]].apply(_rank_correlation)
        known = ", ".join(f"{name} {value:.2f}" for name, value in correlations.dropna().items())
        with_size = f" Rank correlation of Dice with the size of the region: {known}." if known else ""
        sentences.append(f"The whole image as mask has a mean Dice of {whole.mean():.2f}.{with_size}")
        failed = self.cases["error"].dropna()
        if len(failed):
            (name, case_id), text = next(iter(failed.items()))
            sentences.append(f"{len(failed)} masks failed and count as empty, e.g. {name}, {case_id}: {text}")
        if self.excluded:
            sentences.append(f"Left out: {', '.join(map(str, self.excluded))}.")
        return sentences

    def _difference(self, name):
        row = self.differences.loc[(name, "dice")]
        counts = self.best_baseline.value_counts()
        chosen = ", ".join(f"{baseline} ({n})" for baseline, n in counts.items())
        verdict = "better than" if row["low"] > 0 else "worse than" if row["high"] < 0 else "not shown to differ from"
        return (
            f"{name} is {verdict} the best baseline: Dice {row['value']:.2f} against {row['baseline']:.2f}, difference "
            f"{row['difference']:+.2f} ({self.confidence_level:.0%} CI {row['low']:+.2f} to {row['high']:+.2f}). The "
            f"baseline of each fold was chosen by the cases of the other folds: {chosen}."
        )

    def __str__(self):
        return "\n\n".join([self._shown().to_string(), *self.sentences])

    def _repr_html_(self):
        return self._shown().to_html() + "".join(f"<p>{escape(text)}</p>" for text in self.sentences)

    def _shown(self):
        """Return the table as texts, a row per segmenter."""
        texts = self.table.apply(lambda row: f"{row['value']:.2f} ({row['low']:.2f} to {row['high']:.2f})", axis=1)
        shown = texts.unstack("measure")[list(_TITLES)].rename(columns=_TITLES)
        shown = shown.rename(columns={"surface Dice": f"surface Dice, {self.tolerance_mm:g} mm"})
        return shown.loc[self.table.index.unique("segmenter")].rename_axis(index=None, columns=None)


def evidence_of(rows, packed, *, cv, tolerance_mm, random_state, confidence_level, n_resamples, excluded, baselines=()):
    """Return the MaskEvidence of rows of measures and packed masks by segmenter, with the cases in one order.

    `baselines` are the names of segmenters of which the best is compared with the others.
    """
    cases = pd.concat({name: pd.DataFrame(of_name).set_index("id") for name, of_name in rows.items()})
    cases.index.names = ["segmenter", "id"]
    cases = cases.assign(error=cases.get("error"))
    first = cases.loc[next(iter(rows))]
    counts = _resampled(first["patient"], n_resamples, random_state)
    bounds = (1 - confidence_level) / 2, (1 + confidence_level) / 2
    table = {
        (name, measure): _summary(cases.loc[name, measure].to_numpy(), measure, counts, bounds)
        for name in rows
        for measure in MEASURES
    }
    best = _best_baseline(cases, first["fold"], list(baselines))
    reference = cases.loc[list(zip(first["fold"].map(best), first.index, strict=True))] if len(best) else None
    differences = {
        (name, measure): _paired(cases.loc[name, measure].to_numpy(), reference[measure].to_numpy(), counts, bounds)
        for name in rows
        if len(best) and name not in baselines
        for measure in SHARES
    }
    return MaskEvidence(
        cases=cases,
        masks={name: PackedMasks(of_name) for name, of_name in packed.items()},
        table=_frame(table, ["statistic", "value", "low", "high"]),
        differences=_frame(differences, ["value", "baseline", "difference", "low", "high"]),
        best_baseline=best,
        cv=cv,
        tolerance_mm=tolerance_mm,
        confidence_level=confidence_level,
        excluded=excluded,
    )


def check_settings(owner, tolerance_mm, random_state, confidence_level, n_resamples):
    """Raise InputError for settings out of range, before anything is computed."""
    require(is_non_negative(tolerance_mm), owner, "tolerance_mm", "a number >= 0", tolerance_mm)
    require(is_count(random_state), owner, "random_state", "an int >= 0", random_state)
    require(is_count(n_resamples, 1), owner, "n_resamples", "an int >= 1", n_resamples)
    require_probability(confidence_level, owner, "confidence_level")


def _resampled(patients, n_resamples, random_state):
    """Return how often each case is in each resample of the patients, (n_resamples, n_cases)."""
    codes, names = pd.factorize(patients)
    rng = np.random.default_rng(random_state)
    return rng.multinomial(len(names), np.full(len(names), 1 / len(names)), n_resamples)[:, codes]


def _summary(values, measure, counts, bounds):
    """Return the mean or median of the cases with its bounds; medians can be infinite, so that none is interpolated."""
    if measure in SHARES:
        return "mean", values.mean(), *np.quantile(_means(values, counts), bounds)
    return "median", np.median(values), *np.quantile(_medians(values, counts), bounds, method="inverted_cdf")


def _paired(values, reference, counts, bounds):
    differences = values - reference
    low, high = np.quantile(_means(differences, counts), bounds)
    return values.mean(), reference.mean(), differences.mean(), low, high


def _means(values, counts):
    return counts @ values / counts.sum(axis=1)


def _medians(values, counts):
    """Return the median of each resample: the mean of the one or two values in the middle of the sorted copies."""
    order = np.argsort(values)
    n_so_far = np.cumsum(counts[:, order], axis=1)
    total = n_so_far[:, -1:]
    lower, upper = (np.argmax(n_so_far >= middle, axis=1) for middle in ((total + 1) // 2, total // 2 + 1))
    return (values[order][lower] + values[order][upper]) / 2


def _best_baseline(cases, folds, baselines):
    """Return by fold the baseline with the highest mean Dice in the cases of all other folds."""
    if not baselines:
        return pd.Series(dtype=object)
    dice = cases["dice"].unstack("segmenter")[baselines].loc[folds.index]
    return pd.Series({fold: dice[folds != fold].mean().idxmax() for fold in sorted(folds.unique())}, dtype=object)


def _frame(rows, columns):
    index = pd.MultiIndex.from_tuples(list(rows), names=["segmenter", "measure"]) if rows else None
    frame = pd.DataFrame(list(rows.values()), index=index, columns=columns)
    return frame if rows else frame.set_axis(pd.MultiIndex.from_arrays([[], []], names=["segmenter", "measure"]))


def _rank_correlation(pair):
    ranks = pair.rank()
    return ranks["dice"].corr(ranks["size_mm"]) if (ranks.nunique() > 1).all() else np.nan
