"""radiodeep: handcrafted and deep image features, selection, and honest evidence for small cohorts.

The public names are listed here and loaded on first use, so that importing radiodeep stays cheap.
"""

from importlib import import_module

from radiodeep.extras import named_extra

__version__ = "0.1.0"

_HOME_OF = {
    "Case": "cases.case",
    "Cohort": "cases.cohort",
    "Patient": "cases.patient",
    "Reading": "cases.reading",
    "read_cohort": "cases.cohort",
    "write_cohort": "cases.writing",
    "write_map": "cases.writing",
    "write_region": "cases.writing",
    "lidc_manifest": "cases.collections.lidc",
    "folder_manifest": "cases.manifests.folder",
    "tcia_manifest": "cases.collections.tcia",
    "inspect_cohort": "cases.inspection",
    "inspect_masks": "cases.mask_inspection",
    "make_phantom_cohort": "cases.synthetic.phantoms",
    "make_study_cohort": "cases.synthetic.study_phantoms",
    "Scanner": "cases.synthetic.scanner_effects",
    "with_scanner_effect": "cases.synthetic.scanner_effects",
    "RadiomicsExtractor": "features.radiomics.extractor",
    "DeepFeatureExtractor": "features.deep.extractor",
    "FineTunedFeatureExtractor": "features.deep.fine_tuned",
    "FineTuning": "features.deep.fine_tuning",
    "LesionAggregator": "features.patients",
    "HabitatExtractor": "features.habitats",
    "on_one_grid": "imaging.one_grid",
    "extract_table": "features.table",
    "extract_tables": "features.table",
    "extract_perturbed": "features.perturbed",
    "repeatability": "features.repeatability",
    "RepeatableFeatures": "features.repeatability",
    "ClinicalColumns": "features.clinical",
    "suggest_bin_width": "features.radiomics.bin_width",
    "compare_masks": "handcrafted.mask_agreement",
    "ReliefF": "selection.relieff",
    "SymmetricUncertainty": "selection.symmetric_uncertainty",
    "FastCorrelationFilter": "selection.fast_correlation_filter",
    "HorizonSelector": "selection.horizon",
    "UnivariateCox": "selection.survival",
    "ConcordanceSelector": "selection.survival",
    "effective_number_of_features": "selection.effective_number",
    "MDLDiscretizer": "preparation.discretize",
    "StabilitySelector": "selection.stability",
    "BatchHarmonizer": "preparation.harmonize",
    "survival_outcomes": "preparation.survival",
    "WekaNaiveBayes": "models.weka",
    "weka_random_forest": "models.weka",
    "weka_smo": "models.weka",
    "CNNClassifier": "models.cnn",
    "CNNRegressor": "models.cnn",
    "CNNEnsemble": "models.ensemble",
    "CaseView": "models.case_view",
    "CoarseFromFine": "models.coarse",
    "CoxRegression": "models.cox",
    "OrderedTableCNN": "models.ordered_table",
    "Signature": "models.signature",
    "AutoClassifier": "models.auto.classifier",
    "AutoRegressor": "models.auto.regressor",
    "AutoSurvival": "models.auto.survival",
    "HorizonClassifier": "models.horizon",
    "Augmentation": "networks.training.augmentation",
    "Training": "networks.training.plan",
    "AucEstimate": "study.statistics.auc",
    "auc_with_confidence": "study.statistics.auc",
    "StudyResult": "study.result",
    "cross_validated_auc": "study.cross_validation",
    "cross_validated_score": "study.cross_validation",
    "cross_validated_cindex": "study.cross_validation",
    "cross_validate_models": "study.cross_validation",
    "compare_feature_sets": "study.feature_sets",
    "FeatureSetComparison": "study.feature_sets",
    "cross_validate_grid": "study.grid",
    "with_seeds": "study.grid",
    "spread_over_seeds": "study.grid",
    "holdout_auc": "study.holdout",
    "pool_random_effects": "study.statistics.meta_analysis",
    "compare_auc": "study.statistics.comparison",
    "compare_auc_unpaired": "study.statistics.comparison",
    "compare_accuracy": "study.statistics.comparison",
    "intraclass_correlation": "study.statistics.agreement",
    "regression_measures": "study.statistics.numbers",
    "compare_all": "study.statistics.comparison",
    "compare_classes": "study.statistics.comparison",
    "size_table": "study.size",
    "selection_stability": "study.statistics.stability",
    "negative_controls": "controls",
    "permutation_test": "study.permutation",
    "bootstrap_auc": "study.resampling",
    "bootstrap_interval": "study.resampling",
    "calibration": "study.statistics.calibration",
    "feature_importance": "study.importance",
    "shapley_values": "study.importance",
    "best_of_several": "study.best_of_several",
    "added_value_test": "study.statistics.added_value",
    "sensitivity_at_specificity": "study.statistics.sensitivity",
    "roc_band": "study.statistics.roc",
    "threshold_measures": "study.statistics.threshold",
    "ThresholdMeasures": "study.statistics.threshold",
    "decision_curve": "study.statistics.calibration",
    "sample_size": "study.statistics.sample_size",
    "subgroups": "study.statistics.subgroups",
    "conformal_sets": "study.statistics.conformal",
    "learning_curve": "study.learning",
    "instability": "study.instability",
    "instability_of_repeats": "study.instability",
    "write_report": "report.document",
    "checklist": "report.checklist",
    "nomogram": "report.nomogram",
    "Nomogram": "report.nomogram",
    "extreme_cases_figure": "report.extreme_cases",
    "write_montage": "report.montage",
    "write_structured_report": "report.structured_report",
    "repeatability_figure": "report.repeatability_figure",
    "habitat_figure": "report.habitat_figure",
    "shapley_figure": "report.shapley_figure",
    "explain_deep_feature": "report.explanation",
    "save_model": "persistence",
    "load_model": "persistence",
    "save_results": "persistence",
    "load_results": "persistence",
    "score_cohort": "scoring.cohort",
    "score_to_file": "scoring.stream",
    "lesion_contributions": "contributions",
}

# For the command line, which starts without scikit-learn.
_UNLISTED = {
    "safe_name": "cases.writing",
    "fit_over_cases": "study.training",
    "kind_of_outcomes": "study.endpoints.registry",
    "compared_sets": "study.feature_sets",
    "lesions_of": "report.cases_section",
    "learning_section": "report.reliability",
    "colours_of": "report.style",
    "study_facts": "report.study_facts",
    "checklist_summary": "report.checklist",
    "write_checklist": "report.checklist_page",
    "outputs_of": "scoring.outputs",
    "Shard": "rows",
}

__all__ = ["__version__", *_HOME_OF]


def __getattr__(name):
    home = _HOME_OF.get(name) or _UNLISTED.get(name)
    if home is None:
        raise AttributeError(f"module 'radiodeep' has no attribute '{name}'")
    with named_extra():
        value = getattr(import_module(f"radiodeep.{home}"), name)
    globals()[name] = value
    return value


def __dir__():
    return sorted(__all__)
