"""Model files: a model, metadata and further bytes. Damage of any kind is a `ModelError`."""

import hashlib
import io
import json
import zipfile
from contextlib import contextmanager
from typing import NamedTuple

import joblib

from radiodeep.exceptions import ModelError, RadiodeepError, UntrustedModelError
from radiodeep.extras import named_extra
from radiodeep.persistence.compiled_parts import check_compiled_parts
from radiodeep.persistence.moved import load_joblib, with_present_names

_METADATA = "radiodeep.json"
_EXTRAS = "radiodeep/"
# Files of save_model are not compressed, except for a few kB. A file that grows tenfold is not one of them.
_ALWAYS_UNPACKED, _MOST_GROWTH = 64 * 2**20, 10
# Types that a .skops file may hold besides those that skops trusts: the estimators of radiodeep, and types inside
# scikit-learn's own forests, ensembles and searches.
TRUSTED_TYPES = frozenset(
    {
        "imblearn.ensemble._forest.BalancedRandomForestClassifier",
        "imblearn.over_sampling._random_over_sampler.RandomOverSampler",
        "imblearn.over_sampling._smote.base.SMOTE",
        "imblearn.pipeline.Pipeline",
        "imblearn.under_sampling._prototype_selection._random_under_sampler.RandomUnderSampler",
        "numpy.dtype",
        "radiodeep.models.auto.candidates.LassoOfClasses",
        "radiodeep.models.auto.candidates.NaiveBayes",
        "radiodeep.models.auto.candidates.RelativeLasso",
        "radiodeep.models.auto.candidates.RidgeLogistic",
        "radiodeep.models.auto.candidates.Selected",
        "radiodeep.models.auto.classifier.AutoClassifier",
        "radiodeep.models.auto.normal_scores.NormalScores",
        "radiodeep.models.auto.regressor.AutoRegressor",
        "radiodeep.models.auto.survival.AutoSurvival",
        "radiodeep.models.cnn.CNNClassifier",
        "radiodeep.models.cnn.CNNRegressor",
        "radiodeep.models.coarse.CoarseFromFine",
        "radiodeep.models.case_view.CaseView",
        "radiodeep.models.cox.CoxRegression",
        "radiodeep.models.ensemble.CNNEnsemble",
        "radiodeep.models.horizon.HorizonClassifier",
        "radiodeep.models.lesion_generator.LesionGenerator",
        "radiodeep.models.ordered_table.OrderedTableCNN",
        "radiodeep.models.signature.Signature",
        "radiodeep.models.weka.WekaNaiveBayes",
        "radiodeep.features.bias_field.BiasFieldCorrector",
        "radiodeep.features.clinical.ClinicalColumns",
        "radiodeep.features.deep.autoencoder.AutoencoderFeatures",
        "radiodeep.features.deep.extractor.DeepFeatureExtractor",
        "radiodeep.features.deep.fine_tuned.FineTunedFeatureExtractor",
        "radiodeep.features.deep.fine_tuning.FineTuning",
        "radiodeep.features.denoiser.Denoiser",
        "radiodeep.features.habitats.HabitatExtractor",
        "radiodeep.features.mr_intensity.IntensityNormalizer",
        "radiodeep.features.mr_intensity.NyulNormalizer",
        "radiodeep.features.patients.LesionAggregator",
        "radiodeep.features.radiomics.extractor.RadiomicsExtractor",
        "radiodeep.features.repeatability.RepeatableFeatures",
        "radiodeep.networks.training.augmentation.Augmentation",
        "radiodeep.networks.training.plan.Training",
        "radiodeep.preparation.discretize.MDLDiscretizer",
        "radiodeep.segmenters.chan_vese.ChanVeseSegmenter",
        "radiodeep.segmenters.random_walker.RandomWalkerSegmenter",
        "radiodeep.segmenters.region_growing.RegionGrowingSegmenter",
        "radiodeep.segmenters.threshold.ThresholdSegmenter",
        "radiodeep.segmenters.unet.UNetSegmenter",
        "radiodeep.selection.fast_correlation_filter.FastCorrelationFilter",
        "radiodeep.preparation.harmonize.BatchHarmonizer",
        "radiodeep.selection.horizon.HorizonSelector",
        "radiodeep.selection.relieff.ReliefF",
        "radiodeep.selection.stability.StabilitySelector",
        "radiodeep.selection.survival.ConcordanceSelector",
        "radiodeep.selection.survival.UnivariateCox",
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


class Container(NamedTuple):
    """Metadata (what JSON holds), further bytes by name, and `build`, which returns the model."""

    metadata: dict
    extras: dict
    build: object


def write_skops(model, metadata, extras, part, name):
    """Write a model to the path `part`; `name` is that of the file in messages."""
    import skops.io  # late: it imports all of scikit-learn, and torch

    try:
        skops.io.dump(model, part)
    except (TypeError, RuntimeError) as error:  # skops knows no DataFrame and no tensor
        raise ModelError(
            f"'{name}' cannot be written, since the model holds an object that .skops cannot store ({error}), such as "
            "a DataFrame or a tensor. Set such parameters to None or a dict after fitting, e.g. "
            "model.set_params(stabilityselector__perturbed=None), give weights as a path, or save as .joblib."
        ) from error
    _refuse_untrusted(part, name, "cannot be saved as .skops, since it")
    with zipfile.ZipFile(part, "a") as archive:
        archive.writestr(_METADATA, json.dumps(metadata))
        for key, content in extras.items():
            archive.writestr(_EXTRAS + key, content, zipfile.ZIP_DEFLATED if len(content) < 2**20 else None)


def read_skops(path):
    """Return the `Container` of a .skops file after checking its types and checksums."""
    import skops.io  # late, as above

    with named_damage(path.name), zipfile.ZipFile(path) as archive:
        unpacked = sum(member.file_size for member in archive.infolist())
        limit = max(_ALWAYS_UNPACKED, _MOST_GROWTH * path.stat().st_size)
        if unpacked > limit:
            raise ModelError(
                f"'{path.name}' would unpack to {unpacked / 2**20:.0f} MiB, more than {_MOST_GROWTH} times its size. "
                "It was not written by save_model. Get the file again from somebody you trust."
            )
        metadata = _checked_metadata(json.loads(archive.read(_METADATA)))  # zipfile verifies checksums
        members = [member for member in archive.namelist() if member.startswith(_EXTRAS)]
        extras = {member.removeprefix(_EXTRAS): archive.read(member) for member in members}

    def build():
        with named_damage(path.name):
            file = with_present_names(path)
            model = skops.io.load(file, trusted=_refuse_untrusted(file, path.name, "is refused: it"))
            check_compiled_parts(model, path.name)
            return model

    return Container(metadata, extras, build)


def write_joblib(model, metadata, extras, part):
    """Write a model to the path `part`, with a checksum."""
    buffer = io.BytesIO()
    joblib.dump(model, buffer)
    content = {"metadata": metadata, "extras": extras, "pickled": buffer.getvalue()}
    joblib.dump(content | {"sha256": _sha256_of(content)}, part)


def read_joblib(path):
    """Return the `Container` of a .joblib file that is trusted."""
    with named_damage(path.name), path.open("rb") as file:
        content = load_joblib(file)
        if not isinstance(content, dict) or "metadata" not in content:
            raise ModelError(f"'{path.name}' was not written by save_model.")
        metadata = _checked_metadata(content["metadata"])
        if "model" in content:  # files of earlier versions
            return Container(metadata, {}, lambda: content["model"])
        if _sha256_of(content) != content["sha256"]:
            raise ValueError("the checksum is wrong")

    def build():
        with named_damage(path.name):
            return load_joblib(io.BytesIO(content["pickled"]))

    return Container(metadata, content["extras"], build)


def _sha256_of(content):
    """Return the sha256 of the content of a .joblib file, without unpickling the model."""
    digest = hashlib.sha256(json.dumps(content["metadata"]).encode())
    for name, extra in sorted(content["extras"].items()):
        digest.update(f"|{name}|".encode())
        digest.update(extra)
    digest.update(content["pickled"])
    return digest.hexdigest()


@contextmanager
def named_damage(name):
    """Turn any error of the libraries that read a damaged file into a `ModelError`."""
    try:
        with named_extra():
            yield
    except RadiodeepError:
        raise
    except Exception as error:
        raise ModelError(
            f"'{name}' is damaged or was not written by save_model ({type(error).__name__}: {error}). "
            "Copy it again, or save the model again."
        ) from error


def _checked_metadata(metadata):
    if not isinstance(metadata, dict) or not isinstance(metadata.get("scikit-learn"), str):
        raise TypeError("it does not name the version of scikit-learn it was saved with")
    return metadata


def _refuse_untrusted(file, name, verb):
    import skops.io  # late, as above

    schema = {"data": file.getvalue()} if isinstance(file, io.BytesIO) else {"file": file}
    untrusted = set(skops.io.get_untrusted_types(**schema))
    unknown = sorted(untrusted - TRUSTED_TYPES)
    if unknown:
        raise UntrustedModelError(
            f"'{name}' {verb} holds types that are not known to be safe: {', '.join(unknown)}. "
            "Leave those steps out (paths as text, no functions of your own), or use .joblib among people you trust."
        )
    return sorted(untrusted)
