"""Messages of the Python interface -> the same messages in terms of the command line."""

import re

_OPTIONS = {
    "bin_width": "--bin-width",
    "bin_count": "--bin-count",
    "image_types": "--image-types",
    "sigma": "--sigma",
    "network": "--network",
    "weights": "--weights",
    "window": "--window",
    "n_features_to_select": "--n-features",
    "n_jobs": "--jobs",
    "random_state": "--seed",
    "cache_dir": "--cache",
    "positive": "--positive",
    "outcome": "--outcome",
    "horizon": "--horizon",
    "cv": "--cv",
    "roi": "--roi",
    "share": "--share",
    "rgb": "--rgb",
    "pet_unit": "--pet-unit",
    "resample_mask": "--resample-mask",
}
_PHRASES = (
    (r"resample_mask=True", "--resample-mask"),
    (r"'clinical_patient'", "--clinical-patient"),
    (r"\(series, (on the command line )?--image\)", "(--image)"),
    (r"\(series=\.\.\.\)", "(--series)"),
    (r"The 'series' parameter of Reading", "--series"),
    (r"load_model\(path, trusted=True\)", "--trusted"),
    (r"load_model\(path, allow_other_versions=True\)", "--other-versions"),
    (r"load_model\([^)]*\bweights=[^)]*\)", "--weights FILE"),
    (r"make it with save_model", "make it with 'radiodeep train'"),
    (r"written by save_model", "written by 'radiodeep train'"),
    (r',( or)? a state dict, or weights="random" with a seed', ""),
    (r"'\.table' has all", "--output writes all"),
    (r"others, e\.g\. y == 'large'\.", "others: write 1 and 0 into the column of the labels."),
    (r" Give sizes of all cases as 'size', or size=None\.", ""),
    (r"None or an int other than 0", "a whole number other than 0"),
    (r", result\.size_baseline", ""),
    (r" \(suggest_bin_width finds one\)", ""),
    (r"The 'threshold' parameter of RepeatableFeatures", "--repeatable"),
    (r", or (take the values as categories with|name another kind, e\.g\.) kinds=\{[^}]*\}", ""),
    (r" Or pass one value per case\.", ""),
    (r"; leave the others out with Cohort\(\[.*?\]\)\.", ": fill it in in the manifest."),
)
_PARAMETER = re.compile(rf"The '({'|'.join(_OPTIONS)})' parameter(?: of (?:an? |the image type )?\w+)?")
_ARGUMENT = re.compile(rf"(?<![\w./'\"-])({'|'.join(_OPTIONS)})=(?:\"([^\"]*)\"|([^\s,;)]+))")
_NAME = re.compile(rf"(?<![\w./'\"-])({'|'.join(name for name in _OPTIONS if '_' in name)})(?![\w/'\"-]|\.\w)")


def in_command_words(message):
    """Return a message with the options of the command line in place of Python parameters.

    Examples
    --------
    >>> in_command_words("The 'bin_width' parameter of RadiomicsExtractor must be a float > 0.")
    '--bin-width must be a float > 0.'
    >>> in_command_words("Use a smaller bin_width, or bin_count=32.")
    'Use a smaller --bin-width, or --bin-count 32.'
    """
    for phrase, words in _PHRASES:
        message = re.sub(phrase, words, message)
    message = _PARAMETER.sub(lambda match: _OPTIONS[match[1]], message)
    message = _ARGUMENT.sub(lambda match: f"{_OPTIONS[match[1]]} {match[2] or match[3]}", message)
    return _NAME.sub(lambda match: _OPTIONS[match[1]], message)
