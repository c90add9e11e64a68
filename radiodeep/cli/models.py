"""Options in; the extractors and models that the commands use out."""

import difflib
from dataclasses import dataclass
from pathlib import Path

import radiodeep as rd
from radiodeep.cli.options import DEFAULT_BIN_COUNT, IMAGE_TYPES, Classifier, FeatureSet, Selector, listed
from radiodeep.exceptions import InputError


@dataclass(frozen=True)
class Measurement:
    """How the features are computed, as the options of a command say it."""

    bin_width: float | None = None
    bin_count: int | None = None
    image_types: str | None = None
    sigma: str | None = None
    params: Path | None = None
    network: str = "radiodeep-mini"
    weights: str | None = None
    window: str = "exact"

    def extractors(self, features):
        """Return the extractors of a `FeatureSet` by kind."""
        kinds = ("handcrafted", "deep") if features is FeatureSet.combined else (features.value,)
        return {kind: self._handcrafted() if kind == "handcrafted" else self._deep() for kind in kinds}

    def _handcrafted(self):
        given = {
            "--bin-width": self.bin_width,
            "--bin-count": self.bin_count,
            "--image-types": self.image_types,
            "--sigma": self.sigma,
        }
        given = [option for option, value in given.items() if value is not None]
        if self.params is not None:
            if given:
                raise InputError(f"--params sets all of the features. Leave out {' and '.join(given)}, or --params.")
            return rd.RadiomicsExtractor.from_pyradiomics(self.params)
        if self.bin_width is not None and self.bin_count is not None:
            raise InputError("--bin-width and --bin-count exclude each other. Give one of them.")
        image_types = _image_types(self.image_types, self.sigma)
        if self.bin_width is not None:
            return rd.RadiomicsExtractor(bin_width=self.bin_width, image_types=image_types)
        bin_count = DEFAULT_BIN_COUNT if self.bin_count is None else self.bin_count
        return rd.RadiomicsExtractor(bin_count=bin_count, image_types=image_types)

    def _deep(self):
        return rd.DeepFeatureExtractor(self.network, weights=self.weights, window=self.window)


def _image_types(image_types, sigma):
    if image_types is None:
        if sigma is not None:
            raise InputError("--sigma belongs to the LoG filter: add --image-types Original,LoG.")
        return None
    by_lower_case = {name.lower(): name for name in IMAGE_TYPES}
    chosen = {}
    for text in listed(image_types):
        if text.lower() not in by_lower_case:
            close = difflib.get_close_matches(text.lower(), by_lower_case, 1)
            meant = f" Did you mean {by_lower_case[close[0]]}?" if close else ""
            raise InputError(f"--image-types takes {', '.join(IMAGE_TYPES)}. Got '{text}'.{meant}")
        chosen[by_lower_case[text.lower()]] = {}
    if not chosen:
        raise InputError("--image-types is empty. Give at least one, e.g. --image-types Original,Wavelet.")
    if ("LoG" in chosen) != (sigma is not None):
        raise InputError("LoG in --image-types and --sigma, its widths in mm, go together, e.g. --sigma 1,3.")
    if "LoG" in chosen:
        chosen["LoG"] = {"sigma": _numbers(sigma)}
    return chosen


def _numbers(sigma):
    try:
        return [float(text) for text in listed(sigma)]
    except ValueError:
        raise InputError(f"--sigma takes numbers separated by commas, e.g. --sigma 1,3. Got '{sigma}'.") from None


@dataclass(frozen=True)
class Recipe:
    """Which selector and classifier follow the features."""

    selector: Selector = Selector.relieff
    n_features: int = 5
    classifier: Classifier = Classifier.naive_bayes
    seed: int = 0

    def over_cases(self, extractors, probabilities=False):
        """Return a model that takes cases: the best features of each extractor, then the classifier."""
        from sklearn.pipeline import make_pipeline, make_union

        parts = [make_pipeline(extractor, *self._selecting()) for extractor in extractors.values()]
        head = make_union(*parts) if len(parts) > 1 else parts[0]
        return make_pipeline(head, self._classifying(probabilities))

    def over_columns(self, columns):
        """Return a model that takes a table: the best features of each kind, then the classifier.

        Parameters
        ----------
        columns : dict from kind to list of column names, or None for all columns
        """
        from sklearn.compose import ColumnTransformer
        from sklearn.pipeline import make_pipeline

        if columns is None:
            return make_pipeline(*self._selecting(), self._classifying())
        parts = [(kind, make_pipeline(*self._selecting()), names) for kind, names in columns.items()]
        return make_pipeline(ColumnTransformer(parts), self._classifying())

    def _selecting(self):
        from sklearn.preprocessing import StandardScaler

        select = {
            Selector.relieff: rd.ReliefF,
            Selector.symmetric_uncertainty: rd.SymmetricUncertainty,
            Selector.fast_correlation_filter: rd.FastCorrelationFilter,
        }[self.selector]
        return StandardScaler(), select(n_features_to_select=self.n_features)

    def _classifying(self, probabilities=False):
        from sklearn.calibration import CalibratedClassifierCV
        from sklearn.ensemble import RandomForestClassifier
        from sklearn.naive_bayes import GaussianNB
        from sklearn.pipeline import make_pipeline
        from sklearn.preprocessing import MinMaxScaler
        from sklearn.svm import SVC

        if self.classifier is Classifier.naive_bayes:
            return GaussianNB()
        if self.classifier is Classifier.random_forest:
            return RandomForestClassifier(n_estimators=200, random_state=self.seed)
        machine = SVC(kernel="linear", random_state=self.seed)
        return make_pipeline(
            MinMaxScaler(), CalibratedClassifierCV(machine, ensemble=False) if probabilities else machine
        )
