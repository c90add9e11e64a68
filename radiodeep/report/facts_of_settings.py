"""The settings of the models of a study -> how features were extracted and models built, as facts."""

from radiodeep.report.fact import by_model, fact, joined
from radiodeep.report.facts_of_extraction import extraction_facts

_SELECTORS = (
    *("ReliefF", "SymmetricUncertainty", "FastCorrelationFilter", "HorizonSelector", "UnivariateCox"),
    *("ConcordanceSelector", "StabilitySelector", "RepeatableFeatures", "VarianceThreshold"),
    *("SelectKBest", "SelectPercentile", "SelectFdr", "SelectFpr", "SelectFwe", "SelectFromModel", "RFE", "RFECV"),
    "SequentialFeatureSelector",
)
_SCALERS = (
    *("StandardScaler", "MinMaxScaler", "RobustScaler", "MaxAbsScaler", "PowerTransformer", "QuantileTransformer"),
    "Normalizer",
)
_IMPUTERS = ("SimpleImputer", "KNNImputer", "IterativeImputer")
_BALANCED_BY = ("SMOTE", "BorderlineSMOTE", "ADASYN", "RandomOverSampler", "RandomUnderSampler", "SMOTEENN")
_SEARCHES = ("GridSearchCV", "RandomizedSearchCV", "HalvingGridSearchCV", "HalvingRandomSearchCV")
_AUTOMATIC = ("AutoClassifier", "AutoRegressor", "AutoSurvival")
_ENSEMBLES = (
    *("VotingClassifier", "VotingRegressor", "StackingClassifier", "StackingRegressor", "CNNEnsemble"),
    *("RandomForestClassifier", "RandomForestRegressor", "ExtraTreesClassifier", "BaggingClassifier"),
    *("GradientBoostingClassifier", "HistGradientBoostingClassifier", "AdaBoostClassifier"),
)
_NETWORKS = ("CNNClassifier", "CNNRegressor", "CNNEnsemble")
_TRAINED = ("architecture", "n_seeds", "epochs", "batch_size", "optimizer", "learning_rate", "schedule", "penalty")
_CONTAINERS = ("Pipeline", "FeatureUnion", "ColumnTransformer")
_UNINTERESTING = ("class", "n_jobs", "verbose", "copy", "penalty", "memory", "cache_size")


def settings_facts(results):
    """Return the facts of a dict of results that their settings tell: a dict from name to Fact or None."""
    models = {name: list(_parts(result.settings)) for name, result in results.items()}
    from_images = all(result.source == "images" for result in results.values())
    return {
        "clinical_predictors": fact(
            _of_class(models, ("ClinicalColumns",), lambda part: f"clinical columns {', '.join(part['columns'])}"),
            "No clinical predictors were used.",
        ),
        "harmonisation": fact(
            _of_class(models, ("BatchHarmonizer",), lambda _: "shifts and scales of batches were removed by ComBat"),
            "Features were not harmonised between scanners or centres.",
        ),
        "scaling": fact(_of_class(models, _SCALERS, _shown), "No separate step scaled the features."),
        "imputation": fact(_of_class(models, _IMPUTERS, _shown), "No separate step filled in missing values."),
        "selection": fact(_of_class(models, _SELECTORS, _shown), "No separate step selected features."),
        "repeatable_only": fact(
            _of_class(models, ("RepeatableFeatures",), _shown), "Features were not filtered by their repeatability."
        ),
        "balancing": fact(by_model({name: _balancing(parts) for name, parts in models.items()}), _UNBALANCED),
        "tuning": fact(by_model({name: _tuning(parts, results[name]) for name, parts in models.items()}), _UNTUNED),
        "ensemble": fact(_of_class(models, _ENSEMBLES, _shown), "No ensemble of models was used."),
        "model": fact(by_model({name: _predictor(result.settings) for name, result in results.items()})),
        "deep_network": fact(_of_class(models, ("DeepFeatureExtractor", "FineTunedFeatureExtractor"), _deep)),
        "training": fact(_of_class(models, _NETWORKS, lambda part: _shown(part, _TRAINED))),
        "initialisation": fact(
            by_model({name: joined(map(_weights, parts)) for name, parts in models.items()}),
            "Networks started from random weights." if _are_networks(models) else "No network was used.",
        ),
        "deep_and_handcrafted": _deep_and_handcrafted(models),
        "random_states": fact(_random_states(models), "No part of the models has a random state."),
        **extraction_facts(_of_handcrafted(models), from_images),
    }


_UNBALANCED = "Nothing was done about the frequencies of the classes."
_UNTUNED = "No hyperparameters were tuned: all were set beforehand."


def _parts(settings):
    """Yield the settings of each estimator in the settings of a model."""
    if isinstance(settings, dict):
        if _kind(settings) is not None:
            yield settings
        settings = list(settings.values())
    if isinstance(settings, list):
        for value in settings:
            yield from _parts(value)


def _kind(settings):
    """Return the class of an estimator from its settings, or None for other settings."""
    kind = settings.get("class", settings.get("extractor"))
    return kind if isinstance(kind, str) else None


def _of_class(models, kinds, words):
    """Return what the estimators of some classes did, by model."""
    return by_model(
        {name: joined(words(part) for part in parts if _kind(part) in kinds) for name, parts in models.items()}
    )


def _shown(part, names=None):
    """Return class and plain parameters of an estimator, e.g. "ReliefF(n_features_to_select=5)"."""
    shown = {
        name: value
        for name, value in part.items()
        if isinstance(value, str | int | float) and (name in names if names else name not in _UNINTERESTING)
    }
    return f"{_kind(part)}({', '.join(f'{name}={value}' for name, value in shown.items())})"


def _of_handcrafted(models):
    return [part for parts in models.values() for part in parts if _kind(part) == "RadiomicsExtractor"]


def _balancing(parts):
    weighted = [
        f"{_kind(part)} weights the classes (class_weight={part['class_weight']})"
        for part in parts
        if part.get("class_weight")
    ]
    return joined([*weighted, *(_shown(part) for part in parts if _kind(part) in _BALANCED_BY)])


def _tuning(parts, result):
    """Return how hyperparameters were searched, and what was chosen."""
    searches = [
        f"{_kind(part)} over {part.get('param_grid', part.get('param_distributions'))}"
        for part in parts
        if _kind(part) in _SEARCHES
    ]
    automatic = [
        f"{_kind(part)}, which chooses among models and hyperparameters by {part.get('cv')}-fold cross-validation of "
        "the training cases"
        for part in parts
        if _kind(part) in _AUTOMATIC
    ]
    return joined([*searches, *automatic, result.choice_sentence])


def _predictor(settings):
    """Return the final estimator of a model."""
    if _kind(settings) in _CONTAINERS and settings.get("steps"):
        return _predictor(settings["steps"][-1][-1])
    return _shown(settings)


def _deep(part):
    names = ("layer", "activation", "pool", "slice", "slice_pool", "window", "pixel_mm", "margin", "precision")
    shown = ", ".join(f"{name} {part[name]}" for name in names if part.get(name) is not None)
    return f"deep features of the network {part.get('network')} ({shown})"


def _weights(part):
    if _kind(part) in _NETWORKS and part.get("weights"):
        return f"{_kind(part)} started from the weights {part['weights']}"
    if part.get("weights_sha256"):
        source = part.get("weights") or "that come with it"
        return f"{part.get('network')} with the weights {source} (sha256 {part['weights_sha256'][:12]})"
    return ""


def _are_networks(models):
    return any(_kind(part) in _NETWORKS for parts in models.values() for part in parts)


def _deep_and_handcrafted(models):
    """Return which models take handcrafted and deep features together."""
    both = [
        name
        for name, parts in models.items()
        if {"RadiomicsExtractor", "DeepFeatureExtractor"} <= {_kind(part) for part in parts}
    ]
    return fact(
        f"handcrafted and deep features together: {', '.join(both)}" if both else "",
        "Handcrafted and deep features were not combined in one model.",
    )


def _random_states(models):
    """Return the seeds of the models as text; "" if no part of them has one."""
    states = {part.get("random_state") for parts in models.values() for part in parts} - {None}
    return f"random states of the models are fixed: {', '.join(sorted(map(str, states)))}" if states else ""
