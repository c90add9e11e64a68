"""Table and outcomes -> candidates fitted in inner folds, and the choice of one of them or of their mean."""

import warnings
from abc import abstractmethod

import numpy as np
import pandas as pd
from joblib import Parallel, delayed
from sklearn import config_context
from sklearn.base import BaseEstimator
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import GroupKFold, KFold, StratifiedGroupKFold, StratifiedKFold, check_cv
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted, validate_data
from threadpoolctl import threadpool_limits

from radiodeep.checks import is_count, is_sequence, require, require_n_jobs, require_option
from radiodeep.exceptions import RadiodeepWarning
from radiodeep.models.auto.candidates import FORESTS
from radiodeep.models.auto.normal_scores import NormalScores

MEAN = "mean"
LEAST_SLOPE = 0.02  # of calibrations: without information the ranks are kept
_CLEARLY = 2.0  # standard errors by which a candidate must be better than the mean


class AutoEstimator(BaseEstimator):
    """Base class of models that choose among candidates by inner folds.

    Each candidate is fitted in the training part of each fold. Its outputs (n_rows, n_outputs) for the parts left out
    are standardised, averaged over the candidates with equal weights, and calibrated. Each candidate is calibrated as
    well, and replaces the mean if its loss is lower by more than two standard errors of the difference. Predictions are
    means over the folds, so no model is fitted again. A subclass offers `_all_candidates` and implements the abstract
    methods.
    """

    def __init__(self, candidates=None, *, n_trees=200, cv=5, random_state=0, n_jobs=None):
        self.candidates = candidates
        self.n_trees = n_trees
        self.cv = cv
        self.random_state = random_state
        self.n_jobs = n_jobs

    @abstractmethod
    def _outputs(self, model, X):
        """Return the outputs (n_rows, n_outputs) of a fitted candidate."""

    @abstractmethod
    def _calibration(self, outputs, y):
        """Return slope and intercepts (n_outputs,) that make outputs predictions of y."""

    @abstractmethod
    def _losses(self, predicted, y):
        """Return the loss (n_rows,) of calibrated outputs, whose mean is the measure in `scores_`."""

    @abstractmethod
    def _measure(self, predicted, y):
        """Return a measure that is easier to read than the loss."""

    def _fit_candidate(self, name, model, X, y):
        return model.fit(X, y)

    def _fit(self, X, y, strata, groups):
        """Fit the candidates to a validated table, and choose; `strata` (n_cases,) or None stratify the folds."""
        require(is_count(self.n_trees), self, "n_trees", "an int >= 0")
        require_n_jobs(self.n_jobs, self)
        seed = int(check_random_state(self.random_state).randint(2**31 - 1))
        folds = [fold for fold in self._folds(X, strata, groups, seed) if len(np.unique(y[fold[0]])) > 1]
        folds = folds or [(np.arange(len(X)),) * 2]
        n_trees = -(-self.n_trees // len(folds))
        with threadpool_limits(1, user_api="blas"):  # threads wait for each other with matrices of this size
            fitted = Parallel(n_jobs=self.n_jobs)(
                delayed(self._fit_fold)(X, y, *fold, n_trees, (seed + number) % (2**31 - 1))
                for number, fold in enumerate(folds)
            )
        tested = np.concatenate([test for _, test in folds])
        outputs = {name: np.concatenate([outputs[name] for _, outputs in fitted]) for name in fitted[0][1]}
        self._choose(outputs, y[tested], is_resubstituted=len(folds) == 1)
        used = list(outputs) if self.chosen_ == MEAN else [self.chosen_]
        self.models_ = [(scores, {name: models[name] for name in used}) for (scores, models), _ in fitted]
        return self

    def _fit_fold(self, X, y, train, test, n_trees, seed):
        """Return the normal scores and candidates fitted to a training part, and their outputs for the test part."""
        trusted = config_context(assume_finite=True, skip_parameter_validation=True)  # a third faster
        with warnings.catch_warnings(), trusted:
            warnings.simplefilter("ignore", ConvergenceWarning)
            warnings.simplefilter("ignore", RadiodeepWarning)  # of a candidate that finds nothing
            scores = NormalScores().fit(X[train])
            table = scores.transform(X[train])
            candidates = self._candidates(*table.shape, n_trees, seed)
            models = {name: self._fit_candidate(name, model, table, y[train]) for name, model in candidates.items()}
            tested = scores.transform(X[test])
            return (scores, models), {name: self._outputs(model, tested) for name, model in models.items()}

    def _candidates(self, *size_and_seed):
        every = type(self)._all_candidates(*size_and_seed)
        if not self.n_trees:
            every = {name: model for name, model in every.items() if name not in FORESTS}
        if self.candidates is None:
            return every
        require(is_sequence(self.candidates), self, "candidates", "None or a list of names of candidates")
        for name in self.candidates:
            require_option(name, tuple(every), self, "candidates")
        return {name: every[name] for name in self.candidates}

    def _folds(self, X, strata, groups, seed):
        """Return the inner folds (train, test), or all cases as both if they are too few to be split."""
        everything = np.arange(len(X))
        cv = self.cv
        if is_count(cv):
            require(cv >= 2, self, "cv", "an int >= 2, a splitter or a list of (train, test)")
            units = everything if groups is None else np.asarray(groups)
            members = [units] if strata is None else [units[strata == stratum] for stratum in np.unique(strata)]
            n_folds = min(cv, *(len(np.unique(units)) for units in members))
            splitters = (KFold, GroupKFold) if strata is None else (StratifiedKFold, StratifiedGroupKFold)
            splitter = splitters[groups is not None]
            cv = splitter(n_folds, shuffle=True, random_state=seed) if n_folds >= 2 else [(everything, everything)]
        folds = [tuple(map(np.asarray, fold)) for fold in check_cv(cv).split(X, strata, groups)]
        n_strata = 1 if strata is None else len(np.unique(strata))
        whole = [fold for fold in folds if strata is None or len(np.unique(strata[fold[0]])) == n_strata]
        return [fold for fold in whole if len(fold[1])] or [(everything, everything)]

    def _choose(self, outputs, y, is_resubstituted):
        """Calibrate the mean and the candidates, set `chosen_` and `scores_`; return the calibrated outputs chosen."""
        self.standards_ = {name: (given.mean(axis=0), _spread(given)) for name, given in outputs.items()}
        self.limits_ = {name: (given.min(axis=0), given.max(axis=0)) for name, given in outputs.items()}
        outputs = {name: _standardised(given, self.standards_[name]) for name, given in outputs.items()}
        outputs = {MEAN: np.mean(list(outputs.values()), axis=0)} | outputs
        self.calibrations_ = {name: self._calibration(given, y) for name, given in outputs.items()}
        predicted = {name: _calibrated(given, self.calibrations_[name]) for name, given in outputs.items()}
        losses = {name: self._losses(given, y) for name, given in predicted.items()}
        better = {name: losses[MEAN] - loss for name, loss in losses.items()}
        gain = np.array([given.mean() for given in better.values()])
        error = np.array([given.std(ddof=1) / np.sqrt(len(given)) for given in better.values()])
        self._names = list(losses)
        self._columns = {
            self._loss_name: [loss.mean() for loss in losses.values()],
            "better than the mean by": gain,
            "standard error": error,
            self._measure_name: [self._measure(given, y) for given in predicted.values()],
        }
        is_clear = (gain > _CLEARLY * error) & (not is_resubstituted)
        self.chosen_ = self._names[np.argmax(np.where(is_clear, gain, 0.0))]  # the mean if none is clear
        return predicted[self.chosen_]

    @property
    def scores_(self):
        """The loss of the mean and of each candidate, as a DataFrame."""
        check_is_fitted(self)
        return pd.DataFrame(self._columns, index=pd.Index(self._names, name="candidate"))  # which .skops cannot store

    def _predicted(self, X, is_limited=False):
        """Return the calibrated outputs (n_rows, n_outputs) of what was chosen.

        With `is_limited`, outputs beyond those for the cases left out, for which no calibration is known, are cut off.
        """
        check_is_fitted(self)
        X = validate_data(self, X, dtype=np.float64, ensure_all_finite="allow-nan", reset=False)
        outputs = {}
        for scores, models in self.models_:
            table = scores.transform(X)
            for name, model in models.items():
                outputs[name] = outputs.get(name, 0) + self._outputs(model, table) / len(self.models_)
        if is_limited:
            outputs = {name: np.clip(given, *self.limits_[name]) for name, given in outputs.items()}
        standardised = [_standardised(given, self.standards_[name]) for name, given in outputs.items()]
        return _calibrated(np.mean(standardised, axis=0), self.calibrations_[self.chosen_])

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.target_tags.required = True
        tags.input_tags.allow_nan = True
        return tags


def _spread(outputs):
    """Return the standard deviation of outputs (n_rows, n_outputs) around the means of their columns, never 0."""
    deviation = (outputs - outputs.mean(axis=0)).std()
    return deviation if deviation > 1e-9 else 1.0


def _standardised(outputs, standard):
    centre, spread = standard
    return (outputs - centre) / spread


def _calibrated(outputs, calibration):
    slope, intercepts = calibration
    return slope * outputs + intercepts
