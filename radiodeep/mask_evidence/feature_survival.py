"""Extractor, cohort and other masks of it -> whether features, and what is predicted from them, survive the masks."""

from dataclasses import dataclass, field
from html import escape

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from radiodeep.cases.cohort import as_cases
from radiodeep.checks import require_probability
from radiodeep.exceptions import InputError
from radiodeep.features.repeatability import agreement_table, family_of
from radiodeep.features.table import extract_table
from radiodeep.mask_evidence.masked_cases import with_masks
from radiodeep.study.design import StudyDesign
from radiodeep.study.execution import check_models, cross_validate_tables
from radiodeep.study.statistics.comparison import compare_auc

GOOD, EXCELLENT = 0.75, 0.9
EXPERT, AUTOMATIC, DEPLOYED = "expert", "automatic", "trained on expert, tested on automatic"
ALL = "all"
_WORDS = {AUTOMATIC: "Automatic masks", DEPLOYED: "Expert masks in training, automatic ones in tests"}
_FEWEST = 3  # cases


@dataclass(frozen=True, eq=False)
class FeatureSurvival:
    """How much of features and of predictions is left under other masks; printed, a table by family and sentences.

    Attributes
    ----------
    table : DataFrame
        A row per feature, as of `repeatability`: `icc` between both masks, its bounds `low` and `high`, and others;
        `repeatability_figure` draws it.
    families : DataFrame
        A row per family, and "all": the number `n` of features that differ between cases, their `median` ICC, and the
        shares `good` (ICC of at least 0.75), `excellent` (0.9) and `surely good` (lower bound of at least 0.75).
    results : dict from str to StudyResult
        "expert" and "automatic": trained and tested on features of these masks, in the same folds. "trained on expert,
        tested on automatic": as a model is used that was published with outlines by hand. Empty without outcomes.
    comparisons : dict from str to Comparison
        The other two against "expert"; see `compare_auc`.
    errors : dict from case id to str
        Cases that cannot be measured under either mask, e.g. since nothing was outlined; they are left out.
    """

    table: pd.DataFrame = field(repr=False)
    families: pd.DataFrame = field(repr=False)
    results: dict = field(default_factory=dict, repr=False)
    comparisons: dict = field(default_factory=dict, repr=False)
    errors: dict = field(default_factory=dict, repr=False)

    @property
    def sentences(self):
        """How many features and how much of the measure survive: list of str."""
        row, known = self.families.loc[ALL], self.table["icc"].dropna()
        n_cases = int(self.table["n"].max())
        sentences = [
            f"Of {len(known)} features of {n_cases} cases, {row['good']:.0%} have an ICC of at least {GOOD:g} between "
            f"both masks, {row['excellent']:.0%} of at least {EXCELLENT:g}; the lower bound is {GOOD:g} or more for "
            f"{row['surely good']:.0%}. An ICC is high in cohorts whose cases differ much, whatever the masks do."
        ]
        if self.results:
            sentences.append(f"Expert masks: {self.results[EXPERT].sentence} ({self.results[EXPERT].cv}).")
        for name, compared in self.comparisons.items():
            bounds = compared.confidence_interval
            sentences.append(
                f"{_WORDS[name]}: {compared.measure} {compared.value_a:.2f}, difference "
                f"{compared.difference:+.2f} ({bounds.level:.0%} CI {bounds.low:+.2f} to {bounds.high:+.2f}, "
                f"p = {compared.p_value:.2g})."
            )
        if self.errors:
            case_id, text = next(iter(self.errors.items()))
            named = f"e.g. {text}" if case_id in text else f"e.g. {case_id}: {text}"
            sentences.append(
                f"Left out under both masks: {len(self.errors)} of {n_cases + len(self.errors)} cases, {named}"
            )
        return sentences

    def __str__(self):
        return "\n\n".join([self.families.to_string(float_format="{:.2f}".format), *self.sentences])

    def _repr_html_(self):
        return self.families.to_html(float_format="{:.2f}".format) + "".join(
            f"<p>{escape(text)}</p>" for text in self.sentences
        )


def features_under_masks(
    extractor,
    cohort,
    masks,
    y=None,
    model=None,
    cv=5,
    groups=None,
    n_jobs=None,
    *,
    n_repeats=10,
    random_state=0,
    confidence_level=0.95,
    positive=None,
    on_error="record",
    cache_dir=None,
):
    """Measure whether features survive other masks, and whether what a model predicts from them does.

    Parameters
    ----------
    extractor : RadiomicsExtractor, DeepFeatureExtractor or any stateless transformer of cases
    cohort : Cohort or sequence of Case
        With expert masks.
    masks : Cohort, mapping from case id to bool ndarray or Case, or sequence in the order of the cases
        E.g. ``cross_validated_dice(...).masks["UNetSegmenter"]``. Masks of cases that a network was trained with are
        better than those of new cases, and so are the features.
    y : array-like of shape (n_cases,), optional
        Outcomes, for the AUC or other measure under either mask.
    model : estimator over tables, optional
        By default a ridge logistic regression (C = 0.1) of all features, for outcomes of two classes or more.
    cv, groups, n_jobs, n_repeats, random_state, positive
        As in `cross_validated_score`.
    confidence_level : float, default=0.95
    on_error : {"record", "raise"}, default="record"
        "record" leaves cases that fail under one of the masks out of both, and lists them in `errors`.
    cache_dir : path-like, optional
        As in `extract_table`.

    Returns
    -------
    FeatureSurvival

    Raises
    ------
    InputError
        A case has no mask, or fewer than three cases can be measured under both.
    StudyError
        As in `cross_validated_score`.

    Notes
    -----
    The ICC is ICC(A,1) of McGraw and Wong, which counts a constant difference as disagreement; its interval takes cases
    as independent.

    References
    ----------
    C. Haarburger et al., Radiomics feature reproducibility under inter-rater variability in segmentations of CT images,
    Scientific Reports 10 (2020) 12688.

    Examples
    --------
    >>> import numpy as np
    >>> import radiodeep as rd
    >>> cohort = rd.make_phantom_cohort(8, random_state=0)
    >>> moved = [np.roll(case.roi, 1, axis=2) for case in cohort]
    >>> extractor = rd.RadiomicsExtractor(families=["shape", "firstorder"])
    >>> survival = rd.features_under_masks(extractor, cohort, moved)
    >>> survival.families.loc["shape", ["n", "good"]].tolist()
    [14.0, 1.0]
    """
    require_probability(confidence_level, features_under_masks, "confidence_level")
    model = _ridge() if model is None else model
    check_models({"model": model})
    cases = as_cases(cohort)
    expert, other = (
        extract_table(extractor, of_masks, n_jobs, cache_dir, on_error)
        for of_masks in (cases, with_masks(cases, masks))
    )
    is_measured = ~(expert.isna().all(axis=1) | other.isna().all(axis=1))
    texts = other.attrs["errors"] | expert.attrs["errors"]
    errors = {case_id: text for case_id, text in texts.items() if not is_measured[case_id]}
    if is_measured.sum() < _FEWEST:
        reason = f" {next(iter(errors.values()))}" if errors else ""
        raise InputError(f"Agreement needs {_FEWEST} cases. Got {is_measured.sum()} of {len(cases)}.{reason}")
    values = np.stack([expert[is_measured], other[is_measured]], axis=1)
    agreement = agreement_table(values, expert.columns, confidence_level=confidence_level)
    agreement.attrs = {"repeat": ["under other masks"], "kind": "absolute", "left_out": [], "errors": errors}
    if y is None:
        return FeatureSurvival(agreement, _families(agreement), errors=errors)
    design = StudyDesign(
        cv, groups, n_jobs, n_repeats, "auto", random_state, confidence_level, positive, "exclude", cache_dir
    )
    both = pd.concat([expert.add_prefix("expert_"), other.add_prefix("other_")], axis=1)
    both.attrs = expert.attrs
    parts = [
        ({EXPERT: model}, expert),
        ({AUTOMATIC: model}, other),
        ({DEPLOYED: make_pipeline(_ExpertInTraining(list(expert.columns)), model)}, both),
    ]
    results = cross_validate_tables(parts, y, design)  # a row that is empty in one of the tables is left out of all
    comparisons = {name: compare_auc(results[name], results[EXPERT]) for name in (AUTOMATIC, DEPLOYED)}
    return FeatureSurvival(agreement, _families(agreement), results, comparisons, errors)


class _ExpertInTraining(TransformerMixin, BaseEstimator):
    """Of columns of two masks, the first half (expert) in training and the second (automatic) of cases to be tested."""

    def __init__(self, names):
        self.names = names

    def fit(self, X, y=None):
        self.n_features_in_ = X.shape[1]
        return self

    def fit_transform(self, X, y=None):
        return self.fit(X)._half(X, slice(None, len(self.names)))

    def transform(self, X):
        return self._half(X, slice(len(self.names), None))

    def _half(self, X, columns):
        return X.iloc[:, columns].set_axis(self.names, axis=1) if isinstance(X, pd.DataFrame) else X[:, columns]

    def get_feature_names_out(self, input_features=None):
        return np.array(self.names, dtype=object)


def _ridge():
    """Return the model that is studied if none is given."""
    impute = SimpleImputer(strategy="median", keep_empty_features=True)
    return make_pipeline(impute, StandardScaler(), LogisticRegression(C=0.1, max_iter=2000))


def _families(agreement):
    """Return the shares of features that survive, by family and of all; constant features do not count."""
    known = agreement.dropna(subset=["icc"])
    low = known["low"].fillna(known["icc"])  # without interval if the measurements agree exactly
    reached = pd.DataFrame(
        {"good": known["icc"] >= GOOD, "excellent": known["icc"] >= EXCELLENT, "surely good": low >= GOOD}
    )
    rows = {}
    families = pd.Series([family_of(name) for name in known.index], index=known.index, dtype=object)
    for family in [*families.unique(), ALL]:
        of_family = families == family if family != ALL else families.notna()
        rows[family] = {"n": of_family.sum(), "median": known["icc"][of_family].median(), **reached[of_family].mean()}
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("family")
