"""Packages that may be missing: their versions, and the extra of radiodeep that installs them."""

from contextlib import contextmanager
from functools import lru_cache
from importlib.util import find_spec

from radiodeep.exceptions import MissingExtraError

_EXTRAS = {
    **dict.fromkeys(("torch", "torchvision", "timm", "safetensors"), "deep"),
    "pyarrow": "parquet",
    **dict.fromkeys(("pydicom", "highdicom"), "dicom"),
    **dict.fromkeys(("dask", "distributed"), "dask"),
    **dict.fromkeys(("monai", "einops"), "segmentation"),
}
_PURPOSES = {
    "deep": "Networks and deep features need",
    "parquet": "Parquet files need",
    "dicom": "DICOM files need",
    "dask": "A Dask cluster needs",
    "segmentation": "Segmentation networks need",
}


def is_installed(package):
    """Return whether a package can be imported, without importing it."""
    try:
        return find_spec(package) is not None
    except (ImportError, ValueError):
        return False


@lru_cache
def version_of(distribution):
    """Return the version of an installed distribution, or None."""
    from importlib.metadata import PackageNotFoundError, version  # late: `import radiodeep` would take twice as long

    try:
        return version(distribution)
    except PackageNotFoundError:
        return None


@contextmanager
def named_extra():
    """Turn the failed import of an optional package into a `MissingExtraError` that names the extra."""
    try:
        yield
    except ImportError as error:
        if isinstance(error, MissingExtraError) or _extra_of(error) is None:
            raise
        raise _missing(error.name) from error


def require_package(package):
    """Raise a `MissingExtraError` unless an optional package is installed."""
    if not is_installed(package):
        raise _missing(package)


def _extra_of(error):
    return _EXTRAS.get((error.name or "").partition(".")[0])


def _missing(package):
    package = package.partition(".")[0]
    extra = _EXTRAS[package]
    return MissingExtraError(
        f"{_PURPOSES[extra]} the package {package}, which is not installed. Install it with: "
        f'pip install "radiodeep[{extra}]"'
    )
