"""Results, and the cohort if given -> all that a study knows about itself, as sentences by name."""

import os
import platform

from radiodeep import __version__
from radiodeep.extras import version_of
from radiodeep.report.fact import Fact
from radiodeep.report.facts_of_cohort import cohort_facts
from radiodeep.report.facts_of_evidence import evidence_facts
from radiodeep.report.facts_of_settings import settings_facts
from radiodeep.study.feature_sets import FeatureSetComparison
from radiodeep.study.result import require_results

_PACKAGES = ("numpy", "scipy", "pandas", "scikit-learn", "SimpleITK", "torch", "timm")
_ALWAYS = {
    "settings_kept": "All settings, with those left at their defaults, are in the report and in settings.lock.yaml.",
    "trace": "The results name the versions of all packages and the sha256 of the source and of network weights.",
    "safeguards": "radiodeep score refuses images and masks that do not fit together, and names cases whose features "
    "lie outside the range of the training cases.",
    "masks_as_voxels": "Masks were read as voxels; contours were not converted by the software.",
}


def study_facts(results, cohort=None, *, controls=None, repeatability=None, subgroups=None, lesions=None):
    """Collect what a study knows about itself.

    Parameters
    ----------
    results : StudyResult, sequence of StudyResult, dict of them, or FeatureSetComparison
        Of the same cases.
    cohort : Cohort or sequence of Case or Patient, optional
        Its images are read once, for their spacing.
    controls : NegativeControls, optional
    repeatability : DataFrame or dict of them, optional
        From `repeatability`.
    subgroups : Subgroups, optional
        From `subgroups`.
    lesions : Lesions, optional
        What a report has read of the images of the cohort; they are not read again.

    Returns
    -------
    dict from str to Fact, or None for what is unknown

    Raises
    ------
    StudyError
        Other objects than results are given.
    """
    results = named_results(results)
    return {
        **cohort_facts(results, cohort, lesions),
        **settings_facts(results),
        **evidence_facts(results, controls, repeatability, subgroups),
        "software": Fact(_software()),
        "hardware": Fact(_hardware()),
        **{name: Fact(text) for name, text in _ALWAYS.items()},
    }


def named_results(results):
    """Return results of any form as a dict from name to StudyResult; raise StudyError for other objects."""
    if isinstance(results, FeatureSetComparison):
        results = results.results
    if not isinstance(results, dict):
        listed = list(results) if isinstance(results, list | tuple) else [results]
        require_results(*listed)
        results = {result.name: result for result in listed}
    require_results(*results.values())
    return results


def _software():
    versions = {name: version_of(name) for name in _PACKAGES}
    listed = ", ".join(f"{name} {version}" for name, version in versions.items() if version is not None)
    return f"radiodeep {__version__} (Python {platform.python_version()}, {listed})."


def _hardware():
    return f"{platform.system()} {platform.machine()}, {os.cpu_count()} processors, on the computer of this checklist."
