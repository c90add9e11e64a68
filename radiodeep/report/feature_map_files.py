"""Extractor and cohort -> for each case a file with the map of each feature, and a montage of it."""

from functools import partial
from pathlib import Path

from radiodeep.cases.case import Case
from radiodeep.cases.cohort import Cohort
from radiodeep.cases.writing import file_names, safe_name
from radiodeep.checks import require
from radiodeep.exceptions import InputError
from radiodeep.features.radiomics.feature_map import check_map_settings, feature_map
from radiodeep.files import replacing
from radiodeep.report.feature_map_figure import feature_map_figure
from radiodeep.rows import rows_by_case


def write_feature_maps(extractor, cohort, names, folder, radius=1, *, masked=True, n_jobs=None):
    """Write the map of each feature as ``<case>_<feature>.nii.gz``, and a montage as ``.png`` of the same name.

    Parameters
    ----------
    extractor : RadiomicsExtractor
    cohort : Cohort
        Of cases from files.
    names : sequence of str
        Columns of the extractor, as in `feature_map`.
    folder : path-like
        Files of the same names are replaced, except images and masks of the cohort.
    radius : int, default=1
    masked : bool, default=True
    n_jobs : int, optional
        Processes.

    Returns
    -------
    dict
        "ErrorName: message" by id of the cases that failed.

    Raises
    ------
    InputError
        A setting is not allowed, the extractor has no such feature, a feature has no map, or a file would replace one
        that is read or that of another map.
    """
    owner = "write_feature_maps"
    is_of_cases = isinstance(cohort, Cohort) and all(isinstance(case, Case) for case in cohort)
    require(is_of_cases, owner, "cohort", "a Cohort of cases", cohort)
    require(isinstance(folder, str | Path), owner, "folder", "a path", folder)
    check_map_settings(extractor, cohort[0], names, radius, masked, n_jobs, owner)
    folder, names = Path(folder), list(dict.fromkeys(names))
    _check_files(cohort, names, folder)
    settings = {"radius": radius, "masked": masked}
    written = partial(_written, extractor=extractor, names=names, folder=folder, settings=settings)
    written.at_once = 1  # so that a case that fails has no others of its chunk mapped again
    _, errors = rows_by_case(written, cohort, n_jobs=n_jobs, on_error="record", description="Maps")
    return {cohort[place].id: text for place, text in errors.items()}


def _check_files(cohort, names, folder):
    """Raise an InputError if a map or montage would replace an image, a mask or that of another case or feature."""
    file_names(cohort)
    read = {path.resolve() for case in cohort for path in _paths(case)}
    case_of = {}
    for case in cohort:
        for name in names:
            path = _map_path(folder, case, name)
            for file in (path, _montage_path(path)):
                if file.resolve() in read:
                    raise InputError(f"{case.id}: the map would replace '{file}', which is read. Give another folder.")
            if path in case_of:
                raise InputError(
                    f"{case.id}: the map of {name} would have the same file as one of {case_of[path]}, '{path.name}'. "
                    "Rename the case or the image."
                )
            case_of[path] = case.id


def _map_path(folder, case, name):
    return folder / f"{safe_name(f'{case.id}_{name}')}.nii.gz"


def _montage_path(path):
    return path.with_name(f"{path.name.removesuffix('.nii.gz')}.png")


def _paths(case):
    for source in (case.image, case.mask):
        yield from (path for path in (source.values() if isinstance(source, dict) else [source]) if _is_path(path))


def _is_path(source):
    return isinstance(source, Path)


def _written(cases, extractor, names, folder, settings):
    """Write the maps of cases, and return how many each case has."""
    n_maps = []
    for case in cases:
        maps = feature_map(extractor, case, names, **settings)
        for name, of_name in maps.items():
            path = _map_path(folder, case, name)
            of_name.save(path)
            figure = feature_map_figure(of_name)
            with replacing(_montage_path(path)) as part:
                figure.savefig(part, dpi=120)
        n_maps.append(len(maps))
    return n_maps
