"""Candidate features and what a model is expected to explain -> the number of cases that it needs.

The criteria are those of Riley and colleagues for regression by maximum likelihood. Selection and penalties do not make
fewer cases suffice: how much to select or to shrink is learned from the same cases.
"""

from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np
import pandas as pd
from scipy.optimize import brentq
from scipy.special import logit
from scipy.stats import chi2, norm
from scipy.stats import t as student_t

from radiodeep.checks import invalid, is_count, is_finite, is_fraction, is_positive, require, require_probability
from radiodeep.exceptions import InputError

_OPTIMISM = 0.05  # largest difference of the apparent from the adjusted R2, as a share of the largest R2
_MARGIN = 0.05  # of the estimated risk
_MULTIPLE = 1.1  # margin of a standard deviation or a mean, as a factor
_SHARE_OF_LARGEST = 0.15  # of the largest R2, where nothing is known
_QUADRATURE = 64  # nodes
_LARGEST_N = 10**9


@dataclass(frozen=True, eq=False)
class SampleSize:
    """The number of cases that a prediction model needs by Riley's criteria; `print` gives the sentence for the paper.

    Attributes
    ----------
    n : int
        The cases that fulfil all criteria.
    n_events : int or None
        The expected number of events among them; None for numbers.
    criteria : DataFrame
        `n` cases by criterion.
    n_features : int
        Candidate features: those that were selected from, not those that were selected.
    r2, largest_r2 : float
        The expected R2 (of Cox and Snell for classes and survival), and its largest possible value.
    auc : float or None
        From which `r2` was computed.
    shrinkage : float
        That the first criterion asks for.
    n_cases : int or None
        The cases that there are.
    shrinkage_of_cases : float or None
        The shrinkage expected of a model of all candidate features with `n_cases`: 1 is no overfitting. NaN for numbers
        with fewer cases than features.
    supported_features : int or None
        The largest number of candidate features for which `n_cases` fulfil all criteria; 0 for none.
    kind : str
        "two classes", "survival" or "numbers".
    """

    n: int
    n_events: int | None
    criteria: pd.DataFrame = field(repr=False)
    n_features: int
    r2: float
    largest_r2: float
    auc: float | None
    shrinkage: float
    n_cases: int | None
    shrinkage_of_cases: float | None
    supported_features: int | None
    kind: str

    def __str__(self):
        r2 = f"{'' if self.kind == 'numbers' else 'Cox-Snell '}R2 of {self.r2:.2f}"
        expected = f"an {r2}" if self.kind == "numbers" else f"a {r2}"
        expected = expected if self.auc is None else f"an AUC of {self.auc:.2f} ({r2})"
        events = "" if self.n_events is None else f" with {self.n_events:,} events"
        parts = "; ".join(f"{name}: {n:,}" for name, n in self.criteria["n"].items())
        sentence = (
            f"With {self.n_features:,} candidate features and {expected} expected, Riley's criteria ask for "
            f"{self.n:,} cases{events} ({parts})."
        )
        if self.n_cases is None:
            return sentence
        overfit = "overfitting beyond what the formula covers"
        if not np.isnan(self.shrinkage_of_cases):
            overfit = f"an expected shrinkage of {self.shrinkage_of_cases:.2f} ({self.shrinkage:g} is asked for)"
        features = "feature" if self.supported_features == 1 else "features"
        supported = f"{self.supported_features:,} candidate {features}" if self.supported_features else "no feature"
        return f"{sentence} The {self.n_cases:,} cases of this study mean {overfit} and support {supported}."


def sample_size(
    n_features,
    *,
    prevalence=None,
    event_rate=None,
    follow_up=None,
    horizon=None,
    mean=None,
    sd=None,
    auc=None,
    r2=None,
    n_cases=None,
    shrinkage=0.9,
):
    """Return how many cases a prediction model needs, by the criteria of Riley and colleagues.

    Parameters
    ----------
    n_features : int
        Candidate features: all that a selector may choose from.
    prevalence : float, optional
        Fraction of the cases with the outcome, for a model of two classes.
    event_rate, follow_up, horizon : float, optional
        For survival: events per unit of time, the mean follow-up and the time at which survival is predicted. Without
        these and `prevalence` the outcomes are numbers.
    mean, sd : float, optional
        Of numbers, for the criterion of a precise mean, which is left out otherwise.
    auc : float, optional
        The AUC expected of unseen cases, for two classes, in place of `r2`.
    r2 : float, optional
        The R2 expected of unseen cases: of Cox and Snell for classes and survival. By default there 15 % of the largest
        possible one, as recommended where nothing is known; numbers need it.
    n_cases : int, optional
        Cases that there are: what they mean for the model is said as well.
    shrinkage : float, default=0.9
        The least shrinkage of the first criterion.

    Returns
    -------
    SampleSize

    Raises
    ------
    InputError
        A parameter out of range, or parameters of several kinds of outcomes.

    Notes
    -----
    The criteria: (1) a shrinkage of at least 0.9, (2) a difference of at most 0.05 between the apparent and the
    adjusted R2 (Nagelkerke's, for classes and survival), (3) the overall risk, at the horizon for survival, to +- 0.05;
    for numbers the residual standard deviation within 10 %, and (4) their mean within 10 %. The R2 of an AUC is that of
    a logistic model whose linear predictor is normal with equal variance in both classes.

    References
    ----------
    Riley et al., Statistics in Medicine 38 (2019) 1262 (numbers) and 1276 (classes and survival). Riley et al., BMJ 368
    (2020) m441. Riley, Van Calster, Collins, Statistics in Medicine 40 (2021) 859, for the R2 of an AUC.

    Examples
    --------
    >>> from radiodeep import sample_size
    >>> print(sample_size(24, prevalence=0.174, r2=0.288))  # Chagas disease, of the 2019 paper
    With 24 candidate features and a Cox-Snell R2 of 0.29 expected, Riley's criteria ask for 662 cases with 116 events
    (shrinkage: 623; optimism of R2: 662; overall risk: 221).
    >>> study = sample_size(107, prevalence=0.5, auc=0.8, n_cases=40)
    >>> study.n, round(study.shrinkage_of_cases, 2), study.supported_features
    (3127, 0.27, 0)
    """
    survival = event_rate, follow_up, horizon
    is_survival = any(value is not None for value in survival)
    _check(n_features, prevalence, survival, mean, sd, auc, r2, n_cases, shrinkage)
    if is_survival:
        expected = _Survival(*map(float, survival))
    elif prevalence is not None:
        expected = _TwoClasses(float(prevalence))
    else:
        expected = _Numbers(mean, sd)
    largest = expected.largest_r2()
    if r2 is None:
        r2 = _SHARE_OF_LARGEST * largest if auc is None else r2_of_auc(auc, prevalence)
    highest = largest if expected.kind == "numbers" else min(largest, shrinkage)
    require(r2 < highest, sample_size, "r2", f"below {highest:.3g}", r2)
    needed = expected.needed(n_features, r2, shrinkage)
    n = max(needed.values())
    criteria = pd.DataFrame({"n": needed}).rename_axis("criterion")
    of_cases = {"n_cases": None, "shrinkage_of_cases": None, "supported_features": None}
    if n_cases is not None:
        of_cases = {"n_cases": int(n_cases), "shrinkage_of_cases": expected.shrinkage_of(n_features, r2, n_cases)}
        of_cases["supported_features"] = _supported(expected, r2, shrinkage, n_cases)
    auc = None if auc is None else float(auc)
    settings = {"n_features": int(n_features), "r2": float(r2), "largest_r2": float(largest), "auc": auc}
    settings |= {"shrinkage": shrinkage, "kind": expected.kind}
    return SampleSize(n=n, n_events=expected.n_events(n), criteria=criteria, **settings, **of_cases)


def _check(n_features, prevalence, survival, mean, sd, auc, r2, n_cases, shrinkage):
    """Raise InputError for settings of `sample_size` out of range or of several kinds of outcomes."""
    require(is_count(n_features, 1), sample_size, "n_features", "an int >= 1", n_features)
    require_probability(shrinkage, sample_size, "shrinkage")
    require(n_cases is None or is_count(n_cases, 2), sample_size, "n_cases", "None or an int >= 2", n_cases)
    if r2 is not None:
        require_probability(r2, sample_size, "r2")
    for name, value in zip(("event_rate", "follow_up", "horizon"), survival, strict=True):
        is_given = any(other is not None for other in survival)
        require(not is_given or is_positive(value), sample_size, name, "a number > 0, as for all of survival", value)
    if survival[0] is not None and survival[0] * survival[1] > 1 + 1e-9:
        allowed = f"in the unit of time of the follow-up, at most {1 / survival[1]:.3g}: a case has one event"
        raise invalid(sample_size, "event_rate", allowed, survival[0])
    if prevalence is not None:
        require_probability(prevalence, sample_size, "prevalence")
    kinds = [prevalence is not None, survival[0] is not None, mean is not None or sd is not None]
    if sum(kinds) > 1:
        raise InputError("Pass the 'prevalence' of two classes, the rate of survival, or mean and sd of numbers: one.")
    if kinds[2]:
        require(is_finite(mean) and mean != 0, sample_size, "mean", "a number other than 0, with an sd", mean)
        require(is_positive(sd), sample_size, "sd", "a number > 0, with a mean", sd)
    if auc is not None:
        require(prevalence is not None, sample_size, "auc", "left out unless a prevalence is given", auc)
        require(is_fraction(auc) and auc > 0.5, sample_size, "auc", "a float > 0.5 and < 1", auc)
        require(r2 is None, sample_size, "r2", "left out beside an AUC", r2)
    if not any(kinds[:2]):
        require(r2 is not None, sample_size, "r2", "the R2 that is expected, for numbers", r2)


@lru_cache(maxsize=64)  # curves over the number of features ask for the same ones
def r2_of_auc(auc, prevalence):
    """Return the R2 of Cox and Snell of a logistic model with an AUC, from the prevalence of the positive class.

    Its linear predictor is normal with the variance d^2 in both classes, whose means differ by d^2, with
    d = sqrt(2) z(AUC): then the log-odds are linear in it, and the mean log-likelihoods are integrals.
    """
    distance = np.sqrt(2) * norm.ppf(auc)
    nodes, weights = np.polynomial.hermite_e.hermegauss(_QUADRATURE)
    weights = weights / weights.sum()
    of_positive = logit(prevalence) + distance**2 / 2 + distance * nodes
    of_negative = logit(prevalence) - distance**2 / 2 + distance * nodes
    of_model = -prevalence * (weights * np.logaddexp(0, -of_positive)).sum()
    of_model -= (1 - prevalence) * (weights * np.logaddexp(0, of_negative)).sum()
    return float(1 - np.exp(2 * (_log_likelihood_of_null(prevalence) - of_model)))


def _log_likelihood_of_null(prevalence):
    return prevalence * np.log(prevalence) + (1 - prevalence) * np.log(1 - prevalence)


class _Likelihood:
    """The criteria that classes and survival share: R2 is that of Cox and Snell."""

    def needed(self, n_features, r2, shrinkage):
        """Return the cases needed by criterion."""
        optimism = r2 / (r2 + _OPTIMISM * self.largest_r2())
        return {
            "shrinkage": _for_shrinkage(n_features, r2, shrinkage),
            "optimism of R2": _for_shrinkage(n_features, r2, optimism),
            "overall risk": self.for_risk(),
        }

    def shrinkage_of(self, n_features, r2, n_cases):
        """Return the shrinkage expected with a number of cases."""

        def excess(shrinkage):
            return (shrinkage - 1) * np.log1p(-r2 / shrinkage) - n_features / n_cases

        return float(brentq(excess, r2 * (1 + 1e-12), 1.0)) if excess(r2 * (1 + 1e-12)) > 0 else float(r2)


@dataclass(frozen=True)
class _TwoClasses(_Likelihood):
    prevalence: float
    kind = "two classes"

    def largest_r2(self):
        return float(1 - np.exp(2 * _log_likelihood_of_null(self.prevalence)))

    def for_risk(self):
        return _rounded_up((norm.isf(0.025) / _MARGIN) ** 2 * self.prevalence * (1 - self.prevalence))

    def n_events(self, n_cases):
        return _rounded_up(n_cases * self.prevalence)


@dataclass(frozen=True)
class _Survival(_Likelihood):
    """Events at a constant rate; the likelihood is that of an exponential model (eq. 13 of the 2019 paper)."""

    event_rate: float
    follow_up: float
    horizon: float
    kind = "survival"

    def largest_r2(self):
        per_case = self.event_rate * self.follow_up
        return float(1 - np.exp(2 * (per_case * np.log(per_case) - per_case)))

    def for_risk(self):
        """Return the cases for which both bounds of the risk at the horizon are within the margin."""

        def excess(n_cases):
            half = norm.isf(0.025) * np.sqrt(self.event_rate / (self.follow_up * n_cases))
            rates = np.array([max(self.event_rate - half, 0.0), self.event_rate, self.event_rate + half])
            low, risk, high = -np.expm1(-rates * self.horizon)
            return max(high - risk, risk - low) - _MARGIN

        return 1 if excess(1) <= 0 else _rounded_up(brentq(excess, 1, _LARGEST_N))

    def n_events(self, n_cases):
        return _rounded_up(n_cases * self.event_rate * self.follow_up)


@dataclass(frozen=True)
class _Numbers:
    mean: float | None
    sd: float | None
    kind = "numbers"

    def largest_r2(self):
        return 1.0

    def n_events(self, n_cases):
        return None

    def needed(self, n_features, r2, shrinkage):
        """Return the cases needed by criterion."""
        needed = {
            "shrinkage": _first(lambda n: self.shrinkage_of(n_features, r2, n) >= shrinkage, n_features + 2),
            "optimism of R2": _rounded_up(1 + n_features * (1 - r2) / _OPTIMISM),
            "residual SD": _first(_is_precise_sd, 2) + n_features + 1,
        }
        if self.mean is not None:
            needed["mean"] = _first(lambda n: self._is_precise_mean(n, r2, n_features), n_features + 2)
        return needed

    def shrinkage_of(self, n_features, r2, n_cases):
        """Return the shrinkage expected with a number of cases, by Copas' formula and the apparent R2."""
        if n_cases <= n_features + 1:
            return float("nan")
        apparent = (r2 * (n_cases - n_features - 1) + n_features) / (n_cases - 1)
        return float(1 + (n_features - 2) / (n_cases * np.log1p(-apparent)))

    def _is_precise_mean(self, n_cases, r2, n_features):
        half = student_t.isf(0.025, n_cases - n_features - 1) * self.sd * np.sqrt((1 - r2) / n_cases)
        return half <= (_MULTIPLE - 1) * abs(self.mean)


def _is_precise_sd(freedom):
    """Return whether a standard deviation with some degrees of freedom is known within the margin."""
    low, high = chi2.ppf([0.025, 0.975], freedom)
    return max(np.sqrt(high / freedom), np.sqrt(freedom / low)) <= _MULTIPLE


def _for_shrinkage(n_features, r2, shrinkage):
    return _rounded_up(n_features / ((shrinkage - 1) * np.log1p(-r2 / shrinkage)))


def _rounded_up(number):
    return int(np.ceil(number - 1e-9))


def _first(is_enough, least):
    """Return the least whole number from which on something is enough."""
    step = least
    while not is_enough(step):
        step *= 2
        if step > _LARGEST_N:
            raise InputError(f"More than {_LARGEST_N:,} cases would be needed. Expect a larger R2.")
    low, high = (least - 1, step) if step == least else (step // 2, step)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if is_enough(middle) else (middle, high)
    return high


def _supported(expected, r2, shrinkage, n_cases):
    """Return the largest number of features for which the cases fulfil all criteria, 0 if one does not."""

    def is_too_many(n_features):
        return max(expected.needed(n_features, r2, shrinkage).values()) > n_cases

    return _first(is_too_many, 1) - 1
