"""Speed of models and selectors of times to an event compared with scikit-survival: median ratios of one run.

Both have one thread and take turns within a round (pip install "radiodeep[survival]"):

    python benchmarks/survival.py [--rounds 5] [--only Cox]

A ratio is the time of scikit-survival divided by that of radiodeep; in brackets stands the largest difference between
their coefficients or scores, relative to the largest one. Where scikit-survival has no function for all features, its
time is that of 20 features, scaled up. Its paths end at tol=1e-9, where they fulfil the conditions of the minimum to
1e-3 of the penalty (radiodeep: 1e-7); at the default, 1e-7, they are faster and fulfil them to 1e-2. A study by
`cross_validated_cindex` is the same fits as `cross_val_score`, and gives the interval, the other measures and
predictions besides.
"""

import argparse
import os
import statistics
import time
import warnings

os.environ.update({f"{library}_NUM_THREADS": "1" for library in ("OMP", "OPENBLAS", "MKL", "NUMBA")})

import numpy as np
from sklearn.model_selection import RepeatedStratifiedKFold, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sksurv.linear_model import CoxnetSurvivalAnalysis, CoxPHSurvivalAnalysis
from sksurv.metrics import concordance_index_censored

import radiodeep as rd
from radiodeep.models.cox_path import alphas_of_path, centred, coefficients_along
from radiodeep.preparation.risk_sets import RiskSets

N_FEATURES_TIMED = 20
TURN_S = 0.1  # least duration of an engine's turn, unless a single call takes longer


def make_table(n_cases, n_features):
    """Return noise of which two columns act on the hazard, and times in steps of a twentieth, with ties."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(n_cases, n_features))
    time_to_event, end = rng.exponential(np.exp(-X[:, 0] - X[:, 1] / 2)), rng.exponential(2.0, n_cases)
    y = rd.survival_outcomes(time_to_event <= end, np.ceil(20 * np.minimum(time_to_event, end)) / 20)
    return X, y


def cox(n_cases, n_features, ties):
    """Cox's model without penalty."""
    X, y = make_table(n_cases, n_features)
    other = CoxPHSurvivalAnalysis(ties=ties, tol=1e-12)
    return lambda: rd.CoxRegression(ties=ties).fit(X, y).coef_, lambda: other.fit(X, y).coef_, 1


def path(n_cases, n_features, l1_ratio):
    """The coefficients of 50 penalties."""
    X, y = make_table(n_cases, n_features)
    risk_sets = RiskSets(y["event"], y["time"], "breslow")
    table, _, _ = centred(X[risk_sets.order], False)
    alphas = alphas_of_path(risk_sets, table, l1_ratio, 50, 0.05)
    other = CoxnetSurvivalAnalysis(l1_ratio=l1_ratio, alphas=alphas, tol=1e-9)
    own = lambda: coefficients_along(risk_sets, table, alphas, l1_ratio, 100, 1e-10)[0]  # noqa: E731
    return own, lambda: other.fit(X, y).coef_.T, 1


def univariate_cox(n_cases, n_features):
    """The score test of each feature, against a fit of each."""
    X, y = make_table(n_cases, n_features)
    other = CoxPHSurvivalAnalysis(ties="efron")

    def fits():
        for column in range(N_FEATURES_TIMED):
            other.fit(X[:, [column]], y)

    return lambda: rd.UnivariateCox().fit(X, y).scores_, fits, n_features / N_FEATURES_TIMED


def concordance(n_cases, n_features):
    """Harrell's C of each feature."""
    X, y = make_table(n_cases, n_features)
    selector = rd.ConcordanceSelector()

    def first_features():
        columns = X[:, :N_FEATURES_TIMED].T
        return np.array([concordance_index_censored(y["event"], y["time"], column)[0] for column in columns])

    return lambda: selector.fit(X, y).concordances_, first_features, n_features / N_FEATURES_TIMED


def study(n_cases, n_features, model_name):
    """A study of 5 folds, 10 times."""
    X, y = make_table(n_cases, n_features)
    models = {
        "CoxRegression": rd.CoxRegression(0.1),
        "Coxnet": CoxnetSurvivalAnalysis(alphas=[0.05], fit_baseline_model=True),
        "UnivariateCox": make_pipeline(rd.UnivariateCox(5), rd.CoxRegression()),
    }
    model = make_pipeline(StandardScaler(), models[model_name])
    folds = list(RepeatedStratifiedKFold(n_splits=5, n_repeats=10, random_state=0).split(X, y["event"]))
    own = lambda: rd.cross_validated_cindex(model, X, y, cv=5, n_repeats=10, n_jobs=1)  # noqa: E731
    return own, lambda: cross_val_score(model, X, y, cv=folds), 1


ROWS = {
    "Cox 60x5, Efron": (cox, 60, 5, "efron"),
    "Cox 300x10, Breslow": (cox, 300, 10, "breslow"),
    "Cox 300x10, Efron": (cox, 300, 10, "efron"),
    "Cox 5000x50, Efron": (cox, 5000, 50, "efron"),
    "lasso path 100x1000": (path, 100, 1000, 1.0),
    "elastic net path 100x1000": (path, 100, 1000, 0.5),
    "lasso path 261x4315": (path, 261, 4315, 1.0),
    "UnivariateCox 100x1000": (univariate_cox, 100, 1000),
    "UnivariateCox 261x4315": (univariate_cox, 261, 4315),
    "ConcordanceSelector 100x1000": (concordance, 100, 1000),
    "ConcordanceSelector 261x4315": (concordance, 261, 4315),
    "study 100x10, CoxRegression": (study, 100, 10, "CoxRegression"),
    "study 100x200, CoxnetSurvivalAnalysis": (study, 100, 200, "Coxnet"),
    "study 100x200, UnivariateCox, CoxRegression": (study, 100, 200, "UnivariateCox"),
}


def measure(calls, rounds):
    """Return the median seconds of each call; they take turns."""
    samples = [[] for _ in calls]
    for _ in range(rounds):
        for call, seconds in zip(calls, samples, strict=True):
            until = time.perf_counter() + TURN_S
            while not seconds or time.perf_counter() < until:
                start = time.perf_counter()
                call()
                seconds.append(time.perf_counter() - start)
    return [statistics.median(seconds) for seconds in samples]


def difference_of(own, other):
    """Return the largest difference of arrays of equal columns, relative to the largest value, as text."""
    if not isinstance(own, np.ndarray) or not isinstance(other, np.ndarray):
        return ""
    own = own[..., : other.shape[-1]]
    return f" ({np.abs(own - other).max() / np.abs(other).max():.0e})"


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", metavar="TEXT", default="", help="rows whose label contains this")
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")  # fits of noise
    print(f"{'':45s}{'radiodeep, ms':>14s}{'scikit-survival':>22s}")
    for label, (prepare, *settings) in ROWS.items():
        if arguments.only not in label:
            continue
        own, other, factor = prepare(*settings)
        difference = difference_of(own(), other())
        own_s, other_s = measure((own, other), arguments.rounds)
        print(f"{label:45s}{1e3 * own_s:14.2f}{f'x{factor * other_s / own_s:.1f}{difference}':>22s}", flush=True)


if __name__ == "__main__":
    main()
