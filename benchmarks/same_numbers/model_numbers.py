"""Studies, networks and scores of saved models: generators of (name, function that computes them)."""

import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
from imblearn.over_sampling import SMOTE
from imblearn.pipeline import make_pipeline as make_sampling_pipeline
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import RandomForestClassifier, StackingClassifier, VotingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline, make_union
from sklearn.preprocessing import StandardScaler
from synthetic_data import small_table

import radiodeep as rd

ONE_EPOCH = {"epochs": 1, "n_views": 1, "batch_size": 8, "n_threads": 1, "device": "cpu"}


def table_models():
    X, _ = small_table()
    columns = list(X.columns)
    site = {case: "AB"[row % 2] for row, case in enumerate(X.index)}
    versions = pd.concat([X + np.random.default_rng(seed).normal(0, 0.4, X.shape) for seed in range(3)])
    bayes = make_pipeline(StandardScaler(), rd.ReliefF(5), GaussianNB())
    halves = [("a", rd.ReliefF(3), columns[:15]), ("b", rd.SymmetricUncertainty(3), columns[15:])]
    logistic = make_pipeline(rd.SymmetricUncertainty(5), LogisticRegression())
    members = [("bayes", bayes), ("logistic", logistic)]
    return {
        "bayes": bayes,
        "logistic": logistic,
        "FCBF": make_pipeline(rd.FastCorrelationFilter(5), GaussianNB()),
        "union": make_pipeline(make_union(rd.ReliefF(3), rd.SymmetricUncertainty(3)), GaussianNB()),
        "columns": make_pipeline(ColumnTransformer(halves), GaussianNB()),
        "search": GridSearchCV(bayes, {"relieff__n_features_to_select": [2, 6]}, cv=3),
        "SMOTE": make_sampling_pipeline(SMOTE(random_state=0), rd.ReliefF(5), GaussianNB()),
        "calibrated": CalibratedClassifierCV(bayes, cv=3),
        "voting": VotingClassifier(members, voting="soft"),
        "stacking": StackingClassifier(members, LogisticRegression(), cv=3),
        "weka bayes": make_pipeline(rd.ReliefF(5), rd.WekaNaiveBayes()),
        "weka bayes -D": rd.WekaNaiveBayes(rd.MDLDiscretizer("cases")),
        "weka forest": make_pipeline(rd.ReliefF(5), rd.weka_random_forest(5, 5)),
        "weka smo": make_pipeline(rd.ReliefF(5), rd.weka_smo()),
        "harmonised": make_pipeline(rd.BatchHarmonizer(site), rd.ReliefF(5), GaussianNB()),
        "stable": make_pipeline(rd.StabilitySelector(versions, 0.5), rd.ReliefF(5), GaussianNB()),
    }


def studies():
    X, y = small_table()
    models = table_models()
    groups = np.arange(len(y)) // 2
    size = np.exp(X["f0"].to_numpy())
    slow = ("search", "calibrated", "stacking", "weka forest")
    fast = {name: model for name, model in models.items() if name not in slow}
    yield "leave-one-out", lambda: rd.cross_validate_models(fast, X, y, n_repeats=2)
    yield "5 x 3", lambda: rd.cross_validate_models(models, X, y, cv=5, n_repeats=3)
    yield "10 folds", lambda: rd.cross_validated_auc(models["bayes"], X, y, cv=10)
    yield "20 x 5 folds", lambda: rd.cross_validated_auc(models["logistic"], X, y, cv=5, n_repeats=20, random_state=3)
    wide, labels = small_table(61, 700, seed=1)
    wide_models = {name: models[name] for name in ("bayes", "logistic", "FCBF", "union")}
    yield "wide, leave-one-out", lambda: rd.cross_validate_models(wide_models, wide, labels, n_repeats=1)
    yield "leave-pair-out", lambda: rd.cross_validated_auc(models["bayes"], X.iloc[:14], y[:14], cv="leave-pair-out")
    yield "groups", lambda: rd.cross_validate_models(fast, X, np.repeat([0, 1], 20), cv=4, groups=groups)
    yield "groups, leave-one-out", lambda: rd.cross_validated_auc(models["bayes"], X, y, groups=np.arange(40) // 4)
    yield (
        "size",
        lambda: rd.cross_validated_auc(models["bayes"], X, y, cv=5, size=size, positive=0, confidence_level=0.9),
    )
    results = rd.cross_validate_models(
        {name: models[name] for name in ("bayes", "logistic", "FCBF")}, X, y, cv=5, size=size
    )
    bayes, logistic = results["bayes"], results["logistic"]
    yield "compare", lambda: [rd.compare_auc(bayes, logistic), rd.compare_accuracy(bayes, logistic)]
    yield "compare all", lambda: rd.compare_all(results, against="bayes")
    yield "size table", lambda: rd.size_table(results)
    yield "calibration", lambda: rd.calibration(bayes)
    yield "sensitivity", lambda: rd.sensitivity_at_specificity(bayes, 0.8)
    yield "decision curve", lambda: rd.decision_curve(bayes)
    yield "bootstrap interval", lambda: rd.bootstrap_interval(bayes, n_resamples=200)
    yield "permutation", lambda: rd.permutation_test(models["bayes"], X, y, cv=5, n_permutations=10)
    yield "bootstrap", lambda: rd.bootstrap_auc(models["bayes"], X, y, n_resamples=10)
    yield "bootstrap groups", lambda: rd.bootstrap_auc(models["bayes"], X, y, groups, n_resamples=10)
    holdout = lambda rows: rd.holdout_auc(models["bayes"], X[:20], y[:20], X.iloc[rows], y[rows])  # noqa: E731
    yield "holdout", lambda: holdout(np.arange(20, 40))
    halves = np.arange(20, 30), np.arange(30, 40)
    yield "unpaired", lambda: rd.compare_auc_unpaired(*(holdout(rows) for rows in halves))
    tables = {"all": X, "few": X.iloc[:, :8]}
    selectors = {"ReliefF": rd.ReliefF(4), "SU": rd.SymmetricUncertainty(4)}
    classifiers = {"bayes": GaussianNB(), "forest": RandomForestClassifier(5, random_state=0)}
    yield "grid", lambda: rd.cross_validate_grid(tables, selectors, classifiers, y, cv=5)
    seeds = lambda: rd.cross_validate_models(rd.with_seeds({"forest": classifiers["forest"]}, 2), X, y, cv=3)  # noqa: E731
    yield "seeds", lambda: rd.spread_over_seeds(seeds())
    raters = [X["f0"], X["f0"] + 0.3 * X["f1"], X["f0"] - 0.2 * X["f2"]]
    for kind in ("absolute", "consistency"):
        yield f"agreement {kind}", lambda kind=kind: rd.intraclass_correlation(*raters, kind=kind)
    yield "stability", lambda: rd.selection_stability([["a", "b"], ["a", "c"], ["a", "b"]], 10)
    yield "AUC", lambda: rd.auc_with_confidence(y, X["f0"])
    cohort = rd.make_phantom_cohort(14, random_state=0)
    radiomics = make_pipeline(rd.RadiomicsExtractor(bin_count=16), StandardScaler(), rd.ReliefF(4, n_neighbors=3))
    network = make_pipeline(
        rd.DeepFeatureExtractor(n_threads=1, device="cpu"), rd.SymmetricUncertainty(4, threshold=None)
    )
    tuned = rd.DeepFeatureExtractor(fine_tune=rd.FineTuning(n_iterations=1, batch_size=8), n_threads=1, device="cpu")
    of_cases = {
        "radiomics": make_pipeline(radiomics, GaussianNB()),
        "deep": make_pipeline(network, GaussianNB()),
        "both": make_pipeline(make_union(radiomics, network), GaussianNB()),
        "calibrated": CalibratedClassifierCV(make_pipeline(radiomics, GaussianNB()), cv=2),
        "voting": VotingClassifier(
            [("r", make_pipeline(radiomics, GaussianNB())), ("d", make_pipeline(network, GaussianNB()))], voting="soft"
        ),
    }
    yield "cases, leave-one-out", lambda: rd.cross_validate_models(of_cases, cohort, cohort.labels, n_repeats=2)
    yield "cases, 3 folds", lambda: rd.cross_validate_models(of_cases, cohort, cohort.labels, cv=3)
    yield (
        "cases, tuned",
        lambda: rd.cross_validated_auc(make_pipeline(tuned, GaussianNB()), cohort, cohort.labels, cv=2),
    )
    extractors = {"radiomics": rd.RadiomicsExtractor(bin_count=16), "deep": rd.DeepFeatureExtractor(n_threads=1)}
    yield "cases, grid", lambda: rd.cross_validate_grid(extractors, selectors, classifiers, cohort.labels, cohort, cv=3)
    yield (
        "cases, permutation",
        lambda: rd.permutation_test(of_cases["both"], cohort, cohort.labels, cv=3, n_permutations=4),
    )
    quick = rd.CNNClassifier(validation_fraction=0, **ONE_EPOCH)
    yield "cases, network", lambda: rd.cross_validated_auc(quick, cohort, cohort.labels, cv=2)


def networks():
    cohort = rd.make_phantom_cohort(12, random_state=2)
    y = cohort.labels
    folder = tempfile.mkdtemp()
    plain = {**ONE_EPOCH, "epochs": 2}
    auxiliary = pd.DataFrame({"spiculation": cohort.frame["spiculation"].to_numpy()}, index=cohort.ids)
    heavy = rd.Augmentation(rotation=20.0, noise=0.05, elastic=2.0, intensity=0.2, zoom=0.1, shift=0.1, outside="zeros")
    settings = {
        name: {"architecture": name}
        for name in ("arch1", "arch2", "arch3", "arch2-slices", "arch3-attention", "arch3d")
    }
    settings |= {
        "mini": {"architecture": "radiodeep-mini", "weights": "packaged", "n_layers": 1},
        "crop, all slices": {"window": "crop", "size": 32, "slice": "all", "epochs": 1},
        "range": {"intensity_range": (-50.0, 200.0), "pixel_mm": 1.5, "slice_axis": "sagittal"},
        "views": {"scoring_views": "dihedral", "class_weight": None, "optimizer": "sgd", "weight_decay": 1e-3},
        "weights": {"class_weight": {0: 1.0, 1: 3.0}, "optimizer": "adamw", "patience": 1},
        "rmsprop": {"optimizer": "rmsprop", "penalty": 0.1, "architecture": "arch1", "augmentation": None},
        "heavy": {"augmentation": heavy, "n_views": 2, "random_state": 4},
        "auxiliary": {"auxiliary": auxiliary, "auxiliary_weight": 0.5},
        "seeds": {"n_seeds": 2},
        "snapshots": {"n_snapshots": 2, "epochs": 4},
        "checkpoint": {"checkpoint_dir": folder},
        "checkpoint again": {"checkpoint_dir": folder},
        "bfloat16": {"precision": "bfloat16"},
    }
    for name, options in settings.items():
        model = rd.CNNClassifier(**{**plain, **options})
        yield name, lambda model=model: trained(model, cohort, y)
    images = np.random.default_rng(0).random((12, 3, 100, 100))
    yield "arrays", lambda: trained(rd.CNNClassifier(**plain), images, y)
    truth = cohort.frame[["spiculation", "correlation_mm"]].to_numpy()
    yield "regression", lambda: rd.CNNRegressor(**plain).fit(cohort, truth[:, 0]).predict(cohort)
    yield "regression of two", lambda: rd.CNNRegressor(n_seeds=2, **plain).fit(cohort, truth).predict(cohort)
    template = rd.CNNClassifier(**ONE_EPOCH)
    ensembles = {
        "ensemble": rd.CNNEnsemble(["arch1", "arch3"], n_seeds=2, combine="median", template=template),
        "ensemble of snapshots": rd.CNNEnsemble("snapshots", n_snapshots=2, template=rd.CNNClassifier(**plain)),
        "vote": rd.CNNEnsemble(
            ["arch3", make_pipeline(rd.RadiomicsExtractor(), GaussianNB())], "vote", template=template
        ),
    }
    for name, model in ensembles.items():
        yield name, lambda model=model: trained(model, cohort, y)
    fine = pd.Series(np.arange(12) % 4, index=cohort.ids)
    tree = {0: 0, 1: 1, 2: 0, 3: 1}
    yield "coarse", lambda: trained(rd.CoarseFromFine(template, tree), cohort, fine.to_numpy())
    yield "coarse by id", lambda: trained(rd.CoarseFromFine(template, tree, fine), cohort, y)


def trained(model, X, y):
    """Return the losses of a model, and its probabilities and predictions for its training cases."""
    model.fit(X, y)
    losses = [[epoch["loss"] for epoch in history] for history in getattr(model, "history_", [])]
    return {"losses": losses, "predict_proba": model.predict_proba(X), "predict": model.predict(X)}


def scores():
    train, new = rd.make_phantom_cohort(12, random_state=3), rd.make_phantom_cohort(4, random_state=4)
    radiomics, network = rd.RadiomicsExtractor(bin_count=16), rd.DeepFeatureExtractor(n_threads=1, device="cpu")
    calibrated = CalibratedClassifierCV(rd.weka_smo(), cv=2)
    models = {
        "both": make_pipeline(make_union(radiomics, network), rd.ReliefF(5), RandomForestClassifier(5, random_state=0)),
        "weka": make_pipeline(network, rd.SymmetricUncertainty(5, threshold=None), calibrated),
        "network": rd.CNNClassifier(**ONE_EPOCH),
    }
    folder = Path(tempfile.mkdtemp())
    rd.write_cohort(new, folder / "new")
    for name, model in models.items():
        for suffix in ("skops", "joblib"):
            file = folder / f"{name}.{suffix}"

            def scored(model=model, file=file):
                rd.save_model(model.fit(train, train.labels), file)
                loaded = rd.load_model(file, trusted=True)
                return rd.score_cohort(loaded, rd.read_cohort(folder / "new" / "manifest.csv"))

            yield f"{name}.{suffix}", scored
