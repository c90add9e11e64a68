"""Settings of a study for settings.json, without dates and folders, so that a repetition gives the same file."""

import hashlib
import json
import platform

import radiodeep as rd
from radiodeep.extras import version_of
from radiodeep.files import replacing

_PACKAGES = ("numpy", "scipy", "pandas", "scikit-learn", "torch", "timm")


def facts(source, n_given, n_used, excluded):
    """Return name and sha256 of the source, the numbers of cases given and used, and the versions."""
    installed = [name for name in _PACKAGES if version_of(name) is not None]
    return {
        "radiodeep": rd.__version__,
        "versions": {"python": platform.python_version(), **{name: version_of(name) for name in installed}},
        "source": {"name": source.name, "sha256": hashlib.sha256(source.read_bytes()).hexdigest()},
        "n_cases_given": n_given,
        "n_cases_used": n_used,
        "excluded": {str(case_id): reason for case_id, reason in excluded.items()},
    }


def write_settings(settings, path):
    """Write a dict as json."""
    with replacing(path) as part:
        part.write_text(json.dumps(settings, indent=2) + "\n")
