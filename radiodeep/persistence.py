"""A fitted model goes to one file and comes back: .skops (safe to open) or .joblib (a pickle, by trust only)."""

import json
import os
import platform
import zipfile
from pathlib import Path

import joblib
import sklearn
import skops.io

from radiodeep import __version__
from radiodeep.exceptions import ModelError, ModelVersionError, UntrustedModelError

_METADATA = "radiodeep.json"
_MOST_BYTES = 4 * 2**30
# What may be built from a .skops file besides what skops itself trusts: the estimators of this
# package, and the types that scikit-learn's own forests, ensembles and searches hold.
TRUSTED_TYPES = frozenset(
    {
        "imblearn.ensemble._forest.BalancedRandomForestClassifier",
        "imblearn.over_sampling._random_over_sampler.RandomOverSampler",
        "imblearn.over_sampling._smote.base.SMOTE",
        "imblearn.pipeline.Pipeline",
        "imblearn.under_sampling._prototype_selection._random_under_sampler.RandomUnderSampler",
        "numpy.dtype",
        "radiodeep.classifiers.cnn.CNNClassifier",
        "radiodeep.classifiers.cnn.CNNRegressor",
        "radiodeep.classifiers.coarse.CoarseFromFine",
        "radiodeep.classifiers.ensemble.CNNEnsemble",
        "radiodeep.classifiers.weka.WekaNaiveBayes",
        "radiodeep.features.deep.DeepFeatureExtractor",
        "radiodeep.features.fine_tuning.FineTuning",
        "radiodeep.features.radiomics.RadiomicsExtractor",
        "radiodeep.networks.augmentation.Augmentation",
        "radiodeep.selection.discretize.MDLDiscretizer",
        "radiodeep.selection.fast_correlation_filter.FastCorrelationFilter",
        "radiodeep.selection.harmonize.BatchHarmonizer",
        "radiodeep.selection.relieff.ReliefF",
        "radiodeep.selection.stability.StabilitySelector",
        "radiodeep.selection.symmetric_uncertainty.SymmetricUncertainty",
        "sklearn.calibration._CalibratedClassifier",
        "sklearn.calibration._SigmoidCalibration",
        "sklearn.feature_selection._univariate_selection.f_classif",
        "sklearn.metrics._scorer._PassthroughScorer",
        "sklearn.model_selection._split.StratifiedKFold",
        "sklearn.tree._tree.Tree",
        "sklearn.utils._bunch.Bunch",
    }
)


def save_model(model, path):
    """Save a fitted model to one file, whole or not at all.

    Parameters
    ----------
    model : estimator
        Fitted. Extractors are saved as their settings; a network's weights stay in their own file.
    path : path-like
        `.skops` (opens without running code) or `.joblib` (any Python object, opens by trust only).

    Returns
    -------
    pathlib.Path

    Raises
    ------
    ModelError
        The file name ends otherwise.
    UntrustedModelError
        A .skops file of this model could not be opened again, because it holds types that are not
        known to be safe.

    Examples
    --------
    >>> import tempfile
    >>> import radiodeep as rd
    >>> from sklearn.naive_bayes import GaussianNB
    >>> model = GaussianNB().fit([[0.0], [1.0]], [0, 1])
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     rd.load_model(rd.save_model(model, f"{folder}/model.skops"))
    GaussianNB()
    >>> rd.save_model(model, "model.pkl")
    Traceback (most recent call last):
    ...
    radiodeep.exceptions.ModelError: A model is saved as .skops or .joblib. Got 'model.pkl' instead.
    """
    path = Path(path)
    _check_suffix(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f"{path.name}.part")
    try:
        if path.suffix == ".joblib":
            joblib.dump({"metadata": _versions(), "model": model}, part)
        else:
            _dump(model, part, path.name)
            _refuse_untrusted(part, path.name, "cannot be saved as .skops, since it")
            with zipfile.ZipFile(part, "a") as archive:
                archive.writestr(_METADATA, json.dumps(_versions()))
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)
    return path


def _dump(model, part, name):
    try:
        skops.io.dump(model, part)
    except (TypeError, RuntimeError) as error:  # skops knows no DataFrame and no tensor
        raise ModelError(
            f"'{name}' cannot be written, since the model holds something that .skops has no form for ({error}), "
            "such as a DataFrame or a tensor. Set such parameters to None or a dict after fitting, e.g. "
            "model.set_params(stabilityselector__perturbed=None), give weights as a path, or save as .joblib."
        ) from error


def load_model(path, trusted=False, allow_other_versions=False):
    """Load a model that `save_model` wrote.

    Parameters
    ----------
    path : path-like
    trusted : bool, default=False
        Needed for `.joblib`, which can run any code when it is opened: True only for files from
        people you trust.
    allow_other_versions : bool, default=False
        Open a model of another version of scikit-learn, whose predictions may differ.

    Returns
    -------
    estimator

    Raises
    ------
    ModelError
        The file is missing, damaged or no model.
    UntrustedModelError
        A .joblib file without `trusted=True`, or types in a .skops file that are not known to be safe.
    ModelVersionError
        It was saved with another version of scikit-learn.
    """
    path = Path(path)
    _check_suffix(path)
    if not path.is_file():
        raise ModelError(f"The model '{path}' does not exist. Check the path, or make it with save_model.")
    if path.suffix == ".joblib":
        if not trusted:
            raise UntrustedModelError(
                f"'{path.name}' is a pickle, which can run any code when it is opened. If it comes from somebody "
                "you trust, use load_model(path, trusted=True); better, save models as .skops."
            )
        content = joblib.load(path)
        if not isinstance(content, dict) or set(content) != {"metadata", "model"}:
            raise ModelError(f"'{path.name}' was not written by save_model.")
        _check_versions(content["metadata"], path.name, allow_other_versions)
        return content["model"]
    try:
        with zipfile.ZipFile(path) as archive:
            if sum(member.file_size for member in archive.infolist()) > _MOST_BYTES:
                raise ModelError(f"'{path.name}' would unpack to more than 4 GiB. It is no model of radiodeep.")
            metadata = json.loads(archive.read(_METADATA))
    except (zipfile.BadZipFile, KeyError, ValueError) as error:
        raise ModelError(f"'{path.name}' is damaged or was not written by save_model. Save it again.") from error
    _check_versions(metadata, path.name, allow_other_versions)
    return skops.io.load(path, trusted=_refuse_untrusted(path, path.name, "is refused: it"))


def _check_suffix(path):
    if path.suffix not in (".skops", ".joblib"):
        raise ModelError(f"A model is saved as .skops or .joblib. Got '{path.name}' instead.")


def _versions():
    return {"radiodeep": __version__, "scikit-learn": sklearn.__version__, "python": platform.python_version()}


def _check_versions(metadata, name, allow_other_versions):
    then, now = metadata["scikit-learn"], sklearn.__version__
    if then.split(".")[:2] != now.split(".")[:2] and not allow_other_versions:
        raise ModelVersionError(
            f"'{name}' was saved with scikit-learn {then}, here is {now}: its predictions may differ. "
            f"Install scikit-learn {then}, train it again, or use load_model(path, allow_other_versions=True)."
        )


def _refuse_untrusted(file, name, verb):
    untrusted = set(skops.io.get_untrusted_types(file=file))
    unknown = sorted(untrusted - TRUSTED_TYPES)
    if unknown:
        raise UntrustedModelError(
            f"'{name}' {verb} holds types that are not known to be safe: {', '.join(unknown)}. "
            "Leave those steps out (paths as text, no functions of your own), or use .joblib among people you trust."
        )
    return sorted(untrusted)
