"""Extractors or columns -> the models that the commands offer: scaled features, the best of each kind, a predictor.

Other models are written with scikit-learn's `make_pipeline`.
"""

from dataclasses import dataclass

import radiodeep as rd
from radiodeep.checks import in_words
from radiodeep.exceptions import InputError

SELECTORS = {
    "relieff": "ReliefF",
    "symmetric-uncertainty": "SymmetricUncertainty",
    "fast-correlation-filter": "FastCorrelationFilter",
    "univariate-cox": "UnivariateCox",
}
_CLASSIFIERS = ("naive-bayes", "random-forest", "svm")
_REGRESSORS = ("ridge", "random-forest", "svm")
_SURVIVAL_MODELS = ("cox", *_CLASSIFIERS)  # classifiers predict the event until the horizon
_AUTO = {"numbers": "AutoRegressor", "survival": "AutoSurvival"}  # and of classes AutoClassifier
_N_FEATURES = 5


@dataclass(frozen=True)
class Recipe:
    """The selector of `n_features` of each kind, e.g. handcrafted and deep, and the predictor of a model.

    `outcome` is the kind of the outcomes, as `kind_of_outcomes` names it. The predictor "auto" is an `AutoClassifier`,
    `AutoRegressor` or `AutoSurvival` without forests, which is given all features. For other predictors the selector is
    by default ReliefF, for survival univariate Cox regression, and 5 features are kept. Other selectors and predictors
    of survival than Cox regression and "auto" need a `horizon`. With `imputes`, missing features become the medians of
    the training cases; "auto" does so by itself.
    """

    selector: str | None = None
    n_features: int | None = None
    predictor: str = "auto"
    seed: int = 0
    outcome: str = "two classes"
    horizon: float | None = None
    imputes: bool = False

    def over_cases(self, extractors, probabilities=False, clinical=()):
        """Return a model of cases: the best features of each extractor of a dict, clinical columns, the predictor.

        With `probabilities` a support vector machine is calibrated, which takes further fits.
        """
        from sklearn.pipeline import make_pipeline, make_union  # late: the commands start without scikit-learn
        from sklearn.preprocessing import StandardScaler

        parts = [make_pipeline(extractor, *self._selection()) for extractor in extractors.values()]
        parts += [make_pipeline(rd.ClinicalColumns(list(clinical)), StandardScaler())] if clinical else []
        head = make_union(*parts) if len(parts) > 1 else parts[0]
        return make_pipeline(head, self._predictor(probabilities))

    def over_columns(self, columns):
        """Return a model of a table: the best of each kind of `columns`, a dict of lists, or of all with None."""
        from sklearn.compose import ColumnTransformer
        from sklearn.pipeline import make_pipeline

        if columns is None:
            return make_pipeline(*self._selection(), self._predictor())
        parts = [(kind, self._selection_of_columns(), names) for kind, names in columns.items()]
        return make_pipeline(ColumnTransformer(parts), self._predictor())

    @property
    def is_survival(self):
        return self.outcome == "survival"

    def _selection_of_columns(self):
        from sklearn.pipeline import make_pipeline

        steps = self._selection()
        return make_pipeline(*steps) if steps else "passthrough"

    def _selection(self):
        """Return the imputer, the scaler and the selector; no steps for "auto"."""
        from sklearn.impute import SimpleImputer
        from sklearn.preprocessing import StandardScaler

        if self.predictor == "auto":
            if self.selector is not None or self.n_features is not None:
                raise InputError(
                    "The model auto takes all features: leave out --selector and --n-features, or add another --model."
                )
            return ()
        name = self.selector or ("univariate-cox" if self.is_survival else "relieff")
        if name == "univariate-cox" and not self.is_survival:
            raise InputError(f"The selector univariate-cox is for survival. Got outcomes of the kind {self.outcome}.")
        horizon = self._known_horizon(name) if name != "univariate-cox" and self.is_survival else None
        selector = getattr(rd, SELECTORS[name])(n_features_to_select=self.n_features or _N_FEATURES)
        steps = [StandardScaler(), selector if horizon is None else rd.HorizonSelector(selector, horizon)]
        return [SimpleImputer(strategy="median", keep_empty_features=True), *steps] if self.imputes else steps

    def _predictor(self, probabilities=False):
        offered = {"numbers": _REGRESSORS, "survival": _SURVIVAL_MODELS}.get(self.outcome, _CLASSIFIERS)
        name = self.predictor
        if name == "auto":
            return getattr(rd, _AUTO.get(self.outcome, "AutoClassifier"))(n_trees=0, random_state=self.seed)
        if name not in offered:
            raise InputError(f"A model of {self.outcome} must be {in_words(('auto', *offered))}. Got {name}.")
        if self.outcome == "numbers":
            return self._regressor(name)
        if name == "cox":
            return rd.CoxRegression(alpha=1.0)
        horizon = self._known_horizon(name) if self.is_survival else None
        classifier = self._classifier(name, probabilities or self.is_survival)
        return classifier if horizon is None else rd.HorizonClassifier(classifier, horizon)

    def _known_horizon(self, name):
        if self.horizon is None:
            raise InputError(f"For survival, {name} needs the time until which events count, e.g. horizon=24.")
        return self.horizon

    def _classifier(self, name, probabilities):
        from sklearn.calibration import CalibratedClassifierCV
        from sklearn.ensemble import RandomForestClassifier
        from sklearn.naive_bayes import GaussianNB
        from sklearn.pipeline import make_pipeline
        from sklearn.preprocessing import MinMaxScaler
        from sklearn.svm import SVC

        if name == "naive-bayes":
            return GaussianNB()
        if name == "random-forest":
            return RandomForestClassifier(n_estimators=200, random_state=self.seed)
        machine = SVC(kernel="linear", random_state=self.seed)
        last = CalibratedClassifierCV(machine, ensemble=False) if probabilities else machine
        return make_pipeline(MinMaxScaler(), last)

    def _regressor(self, name):
        from sklearn.compose import TransformedTargetRegressor
        from sklearn.ensemble import RandomForestRegressor
        from sklearn.linear_model import Ridge
        from sklearn.preprocessing import StandardScaler
        from sklearn.svm import SVR

        if name == "ridge":
            return Ridge()
        if name == "random-forest":
            return RandomForestRegressor(n_estimators=200, random_state=self.seed)
        machine = SVR(kernel="linear")  # its defaults suit outcomes of variance 1
        return TransformedTargetRegressor(machine, transformer=StandardScaler())
