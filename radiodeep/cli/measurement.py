"""Options -> the extractors that the commands use."""

from dataclasses import dataclass
from pathlib import Path

import radiodeep as rd
from radiodeep.checks import did_you_mean
from radiodeep.cli.options import DEFAULT_BIN_COUNT, IMAGE_TYPES, LESION_ROWS, Convention, FeatureSet, listed
from radiodeep.cli.terminal import say
from radiodeep.exceptions import InputError
from radiodeep.extras import is_installed

_NOTE = (
    "Note: only handcrafted features are used. Deep features need the package torch, which is not installed: "
    'pip install "radiodeep[deep]"'
)


@dataclass(frozen=True)
class Measurement:
    """The settings of the features, from the options of a command."""

    bin_width: float | None = None
    bin_count: int | None = None
    image_types: str | None = None
    sigma: str | None = None
    params: Path | None = None
    network: str = "radiodeep-mini"
    weights: str | None = None
    window: str = "auto"
    lesions: str | None = None
    repeatable: float | None = None
    convention: Convention = Convention.pyradiomics

    def extractors(self, features):
        """Return the extractors of a `FeatureSet` by kind."""
        kinds = ("handcrafted", "deep") if features is FeatureSet.combined else (features.value,)
        extractors = {kind: self._handcrafted() if kind == "handcrafted" else self._deep() for kind in kinds}
        if self.repeatable is not None:
            if self.lesions is not None:
                raise InputError("--repeatable compares lesions that were measured again. Leave out --lesions.")
            extractors = {kind: rd.RepeatableFeatures(each, self.repeatable) for kind, each in extractors.items()}
        return extractors if self.lesions is None else self._of_patients(extractors)

    def _of_patients(self, extractors):
        """Return extractors with a row per patient; what needs no features, such as the count, is of the first only."""
        how = _lesion_rows(self.lesions)
        further = [each for each in how if each not in LESION_ROWS[-2:]]
        by_kind = {kind: further if number else how for number, kind in enumerate(extractors)}
        return {kind: rd.LesionAggregator(extractors[kind], chosen) for kind, chosen in by_kind.items() if chosen}

    def _handcrafted(self):
        given = {
            "--bin-width": self.bin_width,
            "--bin-count": self.bin_count,
            "--image-types": self.image_types,
            "--sigma": self.sigma,
        }
        given = [option for option, value in given.items() if value is not None]
        is_standard = self.convention is Convention.ibsi
        if is_standard and self.image_types is not None:
            raise InputError(
                "The filters of the IBSI have settings, which the command line does not take. Leave --image-types out, "
                "or write the table in Python, with extract_table."
            )
        if is_standard and self.params is not None:
            raise InputError("--params is of pyradiomics. Leave it out, or --convention ibsi.")
        if self.params is not None:
            if given:
                raise InputError(f"--params sets all of the features. Leave out {' and '.join(given)}, or --params.")
            return rd.RadiomicsExtractor.from_pyradiomics(self.params)
        if self.bin_width is not None and self.bin_count is not None:
            raise InputError("--bin-width and --bin-count exclude each other. Give one of them.")
        shared = {"image_types": _image_types(self.image_types, self.sigma), "convention": self.convention.value}
        if self.bin_width is not None:
            return rd.RadiomicsExtractor(bin_width=self.bin_width, **shared)
        bin_count = DEFAULT_BIN_COUNT if self.bin_count is None else self.bin_count
        return rd.RadiomicsExtractor(bin_count=bin_count, **shared)

    def _deep(self):
        return rd.DeepFeatureExtractor(self.network, weights=self.weights, window=self.window)


def _lesion_rows(lesions):
    by_text = {name.replace(" ", "-"): name for name in LESION_ROWS}
    texts = [text.lower().replace(" ", "-") for text in listed(lesions)]
    unknown = [text for text in texts if text not in by_text]
    if unknown or not texts:
        meant = did_you_mean(unknown, by_text)
        raise InputError(f"--lesions takes {', '.join(by_text)}, separated by commas. Got '{lesions}'.{meant}")
    return [by_text[text] for text in texts]


def _image_types(image_types, sigma):
    if image_types is None:
        if sigma is not None:
            raise InputError("--sigma belongs to the LoG filter: add --image-types Original,LoG.")
        return None
    by_lower_case = {name.lower(): name for name in IMAGE_TYPES}
    chosen = {}
    for text in listed(image_types):
        if text.lower() not in by_lower_case:
            meant = did_you_mean(text, IMAGE_TYPES)
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


def feature_sets(chosen):
    """Return the feature sets to compute or compare: those chosen, or with None all that can be computed.

    Without torch those are the handcrafted features, and a note names the extra that installs what is missing.
    """
    if chosen is not None:
        return list(chosen)
    if is_installed("torch"):
        return list(FeatureSet)
    say(_NOTE, err=True)
    return [FeatureSet.handcrafted]
