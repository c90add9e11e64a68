"""Extractor and cohort -> a table of the features of slightly perturbed copies of each case."""

import warnings
from collections import Counter

import numpy as np
import pandas as pd

from radiodeep.cases.cohort import as_cases
from radiodeep.exceptions import EmptyMaskError, InputError, PerturbationError, RadiodeepWarning, RoiTooSmallError
from radiodeep.features.stateless import StatelessExtractor, with_label
from radiodeep.features.table import extract_tables
from radiodeep.imaging.perturbation import INTERPOLATED_KINDS, check_perturbation, perturb
from radiodeep.rows import traits_of

# Kind and amount. Two readers differ by about 15 % of the volume, whatever the size of voxels.
PERTURBATIONS = (
    ("grow", 0.15),
    ("shrink", 0.15),
    ("translate", 0.25),
    ("translate", 0.75),
    ("rotate", -5.0),
    ("rotate", 5.0),
    ("noise", 1.0),
)
ORIGINAL = "original"
# Interpolation smooths as much at a quarter of a voxel as at three quarters, and as a rotation does on average.
_REFERENCE_MOVE = ("translate", 0.25)
_REASONS = {  # of a version that has no row: error -> text
    PerturbationError: "no voxel changes, or the image has no room for it. Perturb by another amount, "
    "or keep more of the image.",
    EmptyMaskError: "nothing of the region is left. Perturb by less.",
    RoiTooSmallError: "the region is too small to be measured. Perturb by less.",
}


def extract_perturbed(
    extractor, cohort, perturbations=PERTURBATIONS, n_jobs=None, cache_dir=None, *, margin_mm=20.0, random_state=0
):
    """Compute the features of every case unchanged and after small perturbations, for `StabilitySelector`.

    Parameters
    ----------
    extractor, cohort, n_jobs, cache_dir
        As in `extract_table`.
    perturbations : sequence of (kind, amount)
        As in `radiodeep.imaging.perturbation.perturb`. The default changes the volume of the region by 15 %, moves
        image and outline by a quarter and three quarters of a voxel, rotates them by 5 degrees, and adds noise.
    margin_mm : float, default=20
        Distance from the region up to which the image is changed; filters of a wide reach need more. Extractors
        always see the whole image.
    random_state : int, default=0

    Returns
    -------
    DataFrame of shape (n_versions * n_cases, n_features)
        Index levels "id", "perturbation" and "reference": the case, its version, and the version to compare it with.
        The reference of changed outlines and of noise is "original", the unchanged case. Moving an image interpolates
        and so smooths it; the reference of moved versions is "translate 0.25", which was interpolated too. Both
        references are rows of the table, even if `perturbations` does not name them.

        The row of a version that could not be made or measured is NaN, and ``table.attrs["errors"]`` gives the reason
        under "<id>, <perturbation>". All rows of a case that fails are NaN, and its error is there under its id.
        ``table.attrs["patients"]`` holds the patients, as in `extract_table`.

    Raises
    ------
    InputError
        For cases of several images (see `Cohort.of_image`), an unknown kind of perturbation, an amount out of range,
        or two amounts of one kind that agree in six digits.

    Warns
    -----
    RadiodeepWarning
        If versions could not be made or measured.

    References
    ----------
    Zwanenburg et al., Assessing robustness of radiomic features by image perturbation, Scientific
    Reports 9 (2019) 614.

    Examples
    --------
    >>> import radiodeep as rd
    >>> cohort = rd.make_phantom_cohort(2, random_state=0)
    >>> table = rd.extract_perturbed(rd.RadiomicsExtractor(families=["shape"]), cohort, [("grow", 0.15), ("rotate", 5)])
    >>> for version, row in table.loc["phantom-000"].iterrows():
    ...     print(version, round(row["original_shape_VoxelVolume"]))
    ('original', 'original') 4828
    ('grow 0.15', 'original') 5553
    ('translate 0.25', 'translate 0.25') 4828
    ('rotate 5', 'translate 0.25') 4824
    """
    versions = _versions(perturbations)
    for case in as_cases(cohort):
        if case.image_names:
            case.lesion()  # raises: an image must be chosen
    extractors = {
        name: extractor if name == ORIGINAL else _AfterPerturbation(extractor, kind, amount, margin_mm, random_state)
        for name, (kind, amount) in versions.items()
    }
    tables = extract_tables(extractors, cohort, n_jobs, cache_dir, on_error="record")
    attrs = next(iter(tables.values())).attrs  # equal in all tables
    failures = {
        (case_id, name): tuple(_REASONS)[int(code) - 1]
        for name, table in tables.items()
        if name != ORIGINAL
        for case_id, code in table.pop(_CODE).items()
        if code > 0
    }
    if failures:
        _warn_of_failures(failures, len(attrs["patients"]))
    table = pd.concat(tables.values())
    n_cases = len(attrs["patients"])
    named = [(name, _reference(*versions[name])) for name in tables for _ in range(n_cases)]
    table.index = pd.MultiIndex.from_arrays(
        [table.index, *zip(*named, strict=True)], names=["id", "perturbation", "reference"]
    )
    texts = {
        f"{case_id}, {name}": f"{error.__name__}: {case_id}: '{name}': {_REASONS[error]}"
        for (case_id, name), error in failures.items()
    }
    table.attrs = {**attrs, "errors": {**attrs["errors"], **texts}}
    return table


def _versions(perturbations):
    """Return name -> (kind, amount) of all versions, references included."""
    listed = [(kind, amount) for kind, amount in perturbations]
    for version in listed:
        check_perturbation(*version)
    if any(_reference(*version) != ORIGINAL for version in listed) and _REFERENCE_MOVE not in listed:
        position = next(place for place, version in enumerate(listed) if _reference(*version) != ORIGINAL)
        listed.insert(position, _REFERENCE_MOVE)
    named = {ORIGINAL: ("", 0.0)}
    for version in listed:
        name = _name(*version)
        if name in named:
            raise InputError(
                f"Two perturbations are called '{name}', those by {named[name][1]!r} and {version[1]!r}. "
                "Leave one out: amounts that agree in six digits have the same name."
            )
        named[name] = version
    return named


def _name(kind, amount):
    return f"{kind} {amount:g}"


def _reference(kind, amount):
    """Return the name of the version that went through the same interpolation."""
    return _name(*_REFERENCE_MOVE) if kind in INTERPOLATED_KINDS and amount != 0 else ORIGINAL


def _warn_of_failures(failures, n_cases):
    (case_id, name), error = next(iter(failures.items()))
    counts = Counter(name for _, name in failures)
    listed = ", ".join(f"'{name}' of {count}" for name, count in counts.items())
    warnings.warn(
        f"Of {n_cases} cases these versions are missing: {listed}. Their rows are NaN and are not used to judge how "
        f"stable features are. The first: {case_id}, '{name}': {_REASONS[error]} table.attrs['errors'] lists them all.",
        RadiodeepWarning,
        stacklevel=3,
    )


_CODE = "reason why the version is missing"


def _code(error):
    return 1 + next(number for number, kind in enumerate(_REASONS) if isinstance(error, kind))


class _AfterPerturbation(StatelessExtractor):
    """An extractor that sees each case after a small perturbation.

    It adds a last column: 0, or the number of the reason why a version could not be made or measured. As a number of
    the row, the reason passes through processes and the cache.
    """

    def __init__(self, extractor, kind, amount, margin_mm, random_state):
        self.extractor = extractor
        self.kind = kind
        self.amount = amount
        self.margin_mm = margin_mm
        self.random_state = random_state

    @property
    def needs_batches(self):
        return traits_of(self.extractor).needs_batches

    def fit(self, cases, y=None):
        self.extractor.fit(cases)
        return self

    def transform(self, cases):
        rows = np.full((len(cases), len(self.get_feature_names_out())), np.nan)
        changed = {}
        for position, case in enumerate(cases):
            try:
                changed[position] = self._changed(case)
            except tuple(_REASONS) as error:
                rows[position, -1] = _code(error)
        if self.needs_batches and len(changed) == len(cases):  # the batches of unchanged cases, hence equal rounding
            try:
                return np.column_stack([self.extractor.transform(list(changed.values())), np.zeros(len(cases))])
            except tuple(_REASONS):
                pass  # one at a time
        for position, case in changed.items():
            try:
                rows[position] = *np.asarray(self.extractor.transform([case]))[0], 0
            except tuple(_REASONS) as error:
                rows[position, -1] = _code(error)
        return rows

    def _changed(self, case):
        case = with_label(case, getattr(self.extractor, "label", None))
        changed = perturb(case, self.kind, self.amount, self.margin_mm, self.random_state)
        return changed.replace(mask_label=1)  # the region in memory, whatever the label of the extractor

    def get_feature_names_out(self, input_features=None):
        return np.append(self.extractor.get_feature_names_out(), _CODE)

    def settings(self):
        change = [self.kind, self.amount, self.margin_mm, self.random_state]
        return {"after": change, "extractor": traits_of(self.extractor).settings}
