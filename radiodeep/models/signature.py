"""A published formula -> a model: coefficients of named features, to be scored beside models that are trained."""

import numpy as np
import pandas as pd
from scipy.special import expit
from sklearn.base import BaseEstimator, clone
from sklearn.utils import ClassifierTags, RegressorTags, get_tags
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted

from radiodeep.checks import did_you_mean, is_finite, is_positive, is_sequence, require, require_option
from radiodeep.exceptions import InputError
from radiodeep.yaml_files import parsed_yaml

_LINKS = ("logit", "linear", "cox")
_LOGARITHMS = {"e": np.log, 2: np.log2, 10: np.log10}
_TRANSFORMS = ("log", "mean", "sd", "above")
_MOST_NAMED = 3


def _for(*links):
    return available_if(lambda signature: signature.link in links)


_with_baseline = available_if(lambda signature: signature.link == "cox" and signature.baseline_survival)


class _SurvivalCurve:
    """The survival with a hazard ratio to a baseline whose cumulative hazard is known at some times."""

    def __init__(self, ratio, times, hazard):
        self.ratio = ratio
        self.times = times
        self.hazard = hazard
        self.domain = (0.0, float(times[-1]))

    def __call__(self, times):
        if np.max(times, initial=0) > self.domain[1]:
            raise InputError(
                f"The signature has a baseline survival until {self.domain[1]:g}. Got the time {np.max(times):g}; take "
                "an earlier horizon."
            )
        return np.exp(-self.ratio * np.interp(times, self.times, self.hazard))


class Signature(BaseEstimator):
    """A published formula as a model that learns nothing: the linear predictor is intercept + sum of b f(x).

    Parameters
    ----------
    coefficients : dict from str to float
        Coefficient of each feature, by the name of its column. Names of a union's parts may be left out:
        ``original_shape_Sphericity`` finds ``radiomicsextractor__original_shape_Sphericity``.
    intercept : float, default=0.0
    transforms : dict from str to dict, optional
        What is done to a feature first, in this order: ``"log"`` ("e", 2 or 10), the published ``"mean"`` and ``"sd"``,
        and ``"above"``, a cut-off: 1 above it and else 0.
    link : {"logit", "linear", "cox"}, default="logit"
        What the linear predictor is: log-odds of the second class, the predicted number, or the log hazard.
    classes : sequence of two labels, default=(0, 1)
        The negative and the positive class of a logit.
    cut_offs : sequence of float, default=()
        Ascending limits of the linear predictor between published groups, see `groups`. A single one of a logit is the
        limit of the positive class in `predict`, which otherwise is 0, a probability of 0.5.
    baseline_survival : dict from float to float, optional
        Published survival by time of a patient whose linear predictor is 0. Between the times the cumulative hazard
        is linear.
    extractor : transformer of cases, optional
        Measures the features. Without it the model takes a DataFrame with columns of these names.
    source : str, default=""
        Where the formula was published.

    Attributes
    ----------
    classes_ : ndarray of shape (2,)
        Of a logit.
    extractor_ : fitted extractor, after `fit`
        Only extractors that learn, such as `ClinicalColumns`, need it.

    Raises
    ------
    InputError
        A setting is out of range, a feature is missing or unknown for a case, or a logarithm is not defined.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> import pandas as pd
    >>> from radiodeep import Signature
    >>> text = '''
    ... source: An example, not a published one
    ... link: logit
    ... intercept: -1.2
    ... coefficients:
    ...   age: 0.03
    ...   original_glcm_Contrast: 0.8
    ... transforms:
    ...   original_glcm_Contrast: {log: e, mean: 3.0, sd: 0.5}
    ... cut_offs: [0.4]
    ... '''
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     _ = Path(folder, "example.yaml").write_text(text)
    ...     signature = Signature.from_yaml(Path(folder, "example.yaml"))
    >>> table = pd.DataFrame({"age": [40, 60], "original_glcm_Contrast": [20.1, 33.1]}, index=["P-1", "P-2"])
    >>> signature.decision_function(table).round(2).tolist(), signature.groups(table).tolist()
    ([0.0, 1.4], [0, 1])
    >>> signature.predict(table[["age"]])
    Traceback (most recent call last):
    ...
    radiodeep.exceptions.InputError: The signature needs 1 feature that is not there: original_glcm_Contrast. ...
    """

    needs_names = True  # of the columns of a table
    learns_from_cases = False  # so scoring compares new cases with none

    def __init__(
        self,
        coefficients,
        intercept=0.0,
        *,
        transforms=None,
        link="logit",
        classes=(0, 1),
        cut_offs=(),
        baseline_survival=None,
        extractor=None,
        source="",
    ):
        self.coefficients = coefficients
        self.intercept = intercept
        self.transforms = transforms
        self.link = link
        self.classes = classes
        self.cut_offs = cut_offs
        self.baseline_survival = baseline_survival
        self.extractor = extractor
        self.source = source

    @classmethod
    def from_yaml(cls, path, extractor=None):
        """Read a formula from a YAML file, whose keys are the parameters other than `extractor`.

        Raises
        ------
        InputError
            The file does not exist or is not YAML, or a key or value is none of a signature.
        """

        def signature(content):
            known = [name for name in cls._get_param_names() if name != "extractor"]
            if not isinstance(content, dict) or "coefficients" not in content:
                raise InputError(f"it must hold 'coefficients', and may hold {', '.join(known)}.")
            others = [name for name in content if name not in known]
            if others:
                raise InputError(
                    f"the key '{others[0]}' is unknown. Known are {', '.join(known)}.{did_you_mean(others[0], known)}"
                )
            texts = ("source", "link", "classes")
            settings = {name: value if name in texts else _numbers(value) for name, value in content.items()}
            model = cls(**settings, extractor=extractor)
            model._check_settings()
            return model

        return parsed_yaml(path, "signature", signature)

    def fit(self, X, y=None):
        """Check the settings, and fit the extractor if there is one; nothing of the formula is learned."""
        self._check_settings()
        if self.extractor is not None:
            self.extractor_ = clone(self.extractor).fit(X, y)
        return self

    def linear_predictor(self, X):
        """Return intercept + sum of b f(x), (n_cases,).

        Parameters
        ----------
        X : DataFrame, or with an `extractor` a Cohort or sequence of Case
        """
        self._check_settings()
        table = self._table(X)
        columns = {name: _column(table, name) for name in self.coefficients}
        lacking = [name for name, column in columns.items() if column is None]
        if lacking:
            listed = ", ".join(lacking[:_MOST_NAMED]) + (" ..." if len(lacking) > _MOST_NAMED else "")
            raise InputError(
                f"The signature needs {len(lacking)} feature{'s that are' if len(lacking) > 1 else ' that is'} not "
                f"there: {listed}. There are {table.shape[1]} others.{did_you_mean(lacking[0], table.columns)}"
            )
        transforms = self.transforms or {}
        score = np.full(len(table), float(self.intercept))
        for name, coefficient in self.coefficients.items():
            score += coefficient * _transformed(table[columns[name]], name, transforms.get(name, {}))
        return score

    @_for("logit")
    def decision_function(self, X):
        """Return the linear predictor, the log-odds of the positive class, (n_cases,)."""
        return self.linear_predictor(X)

    @_for("logit")
    def predict_proba(self, X):
        """Return the probabilities of the two classes, (n_cases, 2)."""
        positive = expit(self.linear_predictor(X))
        return np.column_stack([1 - positive, positive])

    def predict(self, X):
        """Return the predicted class, number or log hazard of each case, (n_cases,)."""
        score = self.linear_predictor(X)
        if self.link != "logit":
            return score
        limit = self.cut_offs[0] if len(self.cut_offs) == 1 else 0.0
        return self.classes_[(score > limit).astype(int)]

    def groups(self, X):
        """Return the number of the published group of each case, 0 for scores up to the first of the `cut_offs`."""
        return np.searchsorted(self.cut_offs, self.linear_predictor(X), side="left")

    @_with_baseline
    def predict_survival(self, X, times):
        """Return the probability that no event has happened by some times, (n_cases, n_times)."""
        return np.array([function(times) for function in self.predict_survival_function(X)])

    @_with_baseline
    def predict_survival_function(self, X):
        """Return the survival of each case as a function of time, (n_cases,), as scikit-survival's estimators do."""
        known, survival = np.array([(0.0, 1.0), *sorted(self.baseline_survival.items())]).T
        functions = [_SurvivalCurve(ratio, known, -np.log(survival)) for ratio in np.exp(self.linear_predictor(X))]
        return np.array(functions, dtype=object)

    @property
    def classes_(self):
        if self.link != "logit":
            raise AttributeError(f"A signature with the link {self.link!r} has no classes.")
        return np.asarray(self.classes)

    @property
    def _predict_risk_score(self):
        """What survival models of the ecosystem say if higher predictions mean earlier events."""
        if self.link != "cox":
            raise AttributeError(f"A signature with the link {self.link!r} predicts no risk.")
        return True

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.requires_fit = self.extractor is not None and get_tags(self.extractor).requires_fit
        if self.link == "logit":
            tags.estimator_type, tags.classifier_tags = "classifier", ClassifierTags()
        elif self.link == "linear":
            tags.estimator_type, tags.regressor_tags = "regressor", RegressorTags()
        return tags

    def __sklearn_is_fitted__(self):
        return hasattr(self, "extractor_") or not get_tags(self).requires_fit

    def _table(self, X):
        """Return the features as a DataFrame."""
        if self.extractor is None:
            if not isinstance(X, pd.DataFrame):
                raise InputError(
                    f"A Signature takes a DataFrame with named columns. Got {type(X).__name__} instead; of cases "
                    "measure the features with Signature(..., extractor=RadiomicsExtractor(...))."
                )
            return X
        check_is_fitted(self)
        extractor = self.extractor_ if hasattr(self, "extractor_") else clone(self.extractor).fit(X)
        values = extractor.transform(X)
        if isinstance(values, pd.DataFrame):
            return values
        index = pd.Index([getattr(case, "id", row) for row, case in enumerate(X)])
        return pd.DataFrame(values, index=index, columns=extractor.get_feature_names_out())

    def _check_settings(self):
        require_option(self.link, _LINKS, self, "link")
        is_numeric = isinstance(self.coefficients, dict) and all(map(is_finite, self.coefficients.values()))
        is_named = is_numeric and all(isinstance(name, str) for name in self.coefficients)
        allowed = "a dict from names of features, as text, to finite numbers"
        require(is_named and self.coefficients, self, "coefficients", allowed)
        require(is_finite(self.intercept), self, "intercept", "a finite number")
        require(is_sequence(self.classes) and len(set(self.classes)) == 2, self, "classes", "two labels")
        limits = list(self.cut_offs) if isinstance(self.cut_offs, list | tuple | np.ndarray) else [None]
        is_ascending = all(map(is_finite, limits)) and limits == sorted(set(limits))
        require(is_ascending, self, "cut_offs", "a list of ascending numbers")
        for name, transform in (self.transforms or {}).items():
            require(name in self.coefficients, self, "transforms", "about features with a coefficient", name)
            _check_transform(self, name, transform)
        baseline = self.baseline_survival or {}
        survival = [1.0, *(baseline[time] for time in sorted(baseline))]
        is_falling = all(map(is_positive, [*baseline, *survival])) and survival == sorted(survival, reverse=True)
        allowed = "a dict from times > 0 to a survival <= 1 that never rises, with the link 'cox'"
        require(not baseline or (is_falling and self.link == "cox"), self, "baseline_survival", allowed)


def _check_transform(owner, name, transform):
    is_known = isinstance(transform, dict) and set(transform) <= set(_TRANSFORMS)
    require(is_known, owner, "transforms", f"dicts with the keys {', '.join(_TRANSFORMS)}", {name: transform})
    require_option(transform.get("log", "e"), _LOGARITHMS, owner, f"log of {name}")
    require(is_finite(transform.get("mean", 0)), owner, f"mean of {name}", "a number", transform.get("mean"))
    require(is_positive(transform.get("sd", 1)), owner, f"sd of {name}", "a number > 0", transform.get("sd"))
    require(is_finite(transform.get("above", 0)), owner, f"above of {name}", "a number", transform.get("above"))


def _column(table, name):
    """Return the name of a column of a table, or of the only one that ends in it after "__"; None if there is none."""
    if name in table.columns:
        return name
    ending = [column for column in table.columns if str(column).endswith(f"__{name}")]
    return ending[0] if len(ending) == 1 else None


def _transformed(values, name, transform):
    """Return a feature (n_cases,) as the formula takes it."""
    numbers = pd.to_numeric(values, errors="coerce").to_numpy(dtype=float, na_value=np.nan)
    if "log" in transform:
        with np.errstate(divide="ignore", invalid="ignore"):
            numbers = _LOGARITHMS[transform["log"]](numbers)
    wrong = np.flatnonzero(~np.isfinite(numbers))
    if len(wrong):
        expected = "a number > 0" if "log" in transform else "a number"
        raise InputError(
            f"{values.index[wrong[0]]}: the signature needs {expected} for '{name}'. Got {values.iloc[wrong[0]]!r}"
            f"{f', and {len(wrong) - 1} other cases lack one' if len(wrong) > 1 else ''}."
        )
    numbers = (numbers - transform.get("mean", 0.0)) / transform.get("sd", 1.0)
    return (numbers > transform["above"]).astype(float) if "above" in transform else numbers


def _numbers(value):
    """Return a value of YAML with texts such as "1e-3", which YAML 1.1 does not take as numbers, as numbers."""
    if isinstance(value, dict):
        return {name: _numbers(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_numbers(item) for item in value]
    try:
        return float(value) if isinstance(value, str) else value
    except ValueError:
        return value
