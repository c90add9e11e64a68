"""Extractor and cohort -> for each case a file with the map of each feature, and a montage of it."""

from functools import partial
from pathlib import Path

from radiodeep.cases.writing import file_names, safe_name
from radiodeep.exceptions import InputError
from radiodeep.features.radiomics.feature_map import check_map_names, feature_map
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
        The extractor has no such feature, a feature has no map, or a file would replace one that is read.
    """
    folder = Path(folder)
    check_map_names(extractor, cohort[0], names)
    files = file_names(cohort)
    read = {path.resolve() for case in cohort for path in _paths(case)}
    for case_id, stem in files.items():
        for name in names:
            path = folder / f"{safe_name(f'{stem}_{name}')}.nii.gz"
            if path.resolve() in read:
                raise InputError(f"{case_id}: the map would replace '{path}', which is read. Give another folder.")
    written = partial(
        _written, extractor=extractor, names=list(names), folder=folder, settings={"radius": radius, "masked": masked}
    )
    written.at_once = 1  # so that a case that fails has no others of its chunk mapped again
    _, errors = rows_by_case(written, cohort, n_jobs=n_jobs, on_error="record", description="Maps")
    return {cohort[place].id: text for place, text in errors.items()}


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
            path = folder / f"{safe_name(f'{case.id}_{name}')}.nii.gz"
            of_name.save(path)
            figure = feature_map_figure(of_name)
            with replacing(path.with_name(f"{path.name.removesuffix('.nii.gz')}.png")) as part:
                figure.savefig(part, dpi=120)
        n_maps.append(len(maps))
    return n_maps
