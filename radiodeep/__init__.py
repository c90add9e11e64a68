"""radiodeep: handcrafted and deep image features, selection, and honest evidence for small cohorts.

The public names are listed here and loaded on first use, so that importing radiodeep stays cheap.
"""

from importlib import import_module

__version__ = "0.1.0"

_HOME_OF = {
    "Case": "cases.case",
    "Cohort": "cases.cohort",
    "read_cohort": "cases.cohort",
    "write_cohort": "cases.cohort",
    "inspect_cohort": "cases.inspection",
    "make_phantom_cohort": "cases.phantoms",
    "RadiomicsExtractor": "features.radiomics",
    "DeepFeatureExtractor": "features.deep",
    "FineTuning": "features.fine_tuning",
    "extract_table": "features.table",
    "extract_tables": "features.table",
    "extract_perturbed": "features.perturbed",
    "suggest_bin_width": "features.bin_width",
    "ReliefF": "selection.relieff",
    "SymmetricUncertainty": "selection.symmetric_uncertainty",
    "FastCorrelationFilter": "selection.fast_correlation_filter",
    "effective_number_of_features": "selection.effective_number",
    "MDLDiscretizer": "selection.discretize",
    "StabilitySelector": "selection.stability",
    "BatchHarmonizer": "selection.harmonize",
    "WekaNaiveBayes": "classifiers.weka",
    "weka_random_forest": "classifiers.weka",
    "weka_smo": "classifiers.weka",
    "CNNClassifier": "classifiers.cnn",
    "CNNRegressor": "classifiers.cnn",
    "CNNEnsemble": "classifiers.ensemble",
    "CoarseFromFine": "classifiers.coarse",
    "Augmentation": "networks.augmentation",
    "AucEstimate": "study.auc",
    "auc_with_confidence": "study.auc",
    "StudyResult": "study.result",
    "cross_validated_auc": "study.cross_validation",
    "cross_validate_models": "study.cross_validation",
    "cross_validate_grid": "study.grid",
    "with_seeds": "study.grid",
    "spread_over_seeds": "study.grid",
    "holdout_auc": "study.holdout",
    "compare_auc": "study.comparison",
    "compare_auc_unpaired": "study.comparison",
    "compare_accuracy": "study.comparison",
    "intraclass_correlation": "study.agreement",
    "compare_all": "study.comparison",
    "size_table": "study.size",
    "selection_stability": "study.stability",
    "permutation_test": "study.resampling",
    "bootstrap_auc": "study.resampling",
    "bootstrap_interval": "study.resampling",
    "calibration": "study.calibration",
    "sensitivity_at_specificity": "study.calibration",
    "decision_curve": "study.calibration",
    "write_report": "report.document",
    "explain_deep_feature": "report.explanation",
    "save_model": "persistence",
    "load_model": "persistence",
    "score_cohort": "scoring",
}

__all__ = ["__version__", *_HOME_OF]


def __getattr__(name):
    if name not in _HOME_OF:
        raise AttributeError(f"module 'radiodeep' has no attribute '{name}'")
    value = getattr(import_module(f"radiodeep.{_HOME_OF[name]}"), name)
    globals()[name] = value
    return value


def __dir__():
    return sorted(__all__)
