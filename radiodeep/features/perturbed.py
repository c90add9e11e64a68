"""Extractor and cohort in; a table of the features after small changes of each case out."""

import numpy as np
import pandas as pd

from radiodeep.exceptions import EmptyMaskError, RoiTooSmallError
from radiodeep.features.stateless import StatelessExtractor
from radiodeep.features.table import extract_tables
from radiodeep.imaging.perturbation import perturb

# Kind and amount; a millimetre is about what two readers differ by.
PERTURBATIONS = (
    ("dilate", 1.0),
    ("erode", 1.0),
    ("translate", 0.25),
    ("translate", 0.75),
    ("rotate", -5.0),
    ("rotate", 5.0),
    ("noise", 1.0),
)


def extract_perturbed(
    extractor, cohort, perturbations=PERTURBATIONS, n_jobs=None, cache_dir=None, *, margin_mm=20.0, random_state=0
):
    """Compute the features of every case after each of some small changes, for `StabilitySelector`.

    Parameters
    ----------
    extractor, cohort, n_jobs, cache_dir
        As in `extract_table`.
    perturbations : sequence of (kind, amount)
        As in `radiodeep.imaging.perturbation.perturb`.
    margin_mm : float, default=20
        Of image kept around the region; more for filters of a wide reach.
    random_state : int, default=0

    Returns
    -------
    DataFrame of shape (n_perturbations * n_cases, n_features)
        Index = case id and perturbation. A case that a perturbation leaves with too
        small a region has NaN there; one that fails has NaN everywhere and its error
        in ``table.attrs["errors"]``. Patients are in ``table.attrs["patients"]``, as in `extract_table`.

    Examples
    --------
    >>> import radiodeep as rd
    >>> cohort = rd.make_phantom_cohort(2, random_state=0)
    >>> table = rd.extract_perturbed(rd.RadiomicsExtractor(families=["shape"]), cohort, [("erode", 1), ("rotate", 5)])
    >>> table.index.tolist()[:2]
    [('phantom-000', 'erode 1'), ('phantom-001', 'erode 1')]
    """
    extractors = {
        f"{kind} {amount:g}": _AfterPerturbation(extractor, kind, amount, margin_mm, random_state)
        for kind, amount in perturbations
    }
    tables = extract_tables(extractors, cohort, n_jobs, cache_dir, on_error="record")
    table = pd.concat(tables, names=["perturbation", "id"]).swaplevel()
    table.attrs = next(iter(tables.values())).attrs  # the same for all of them
    return table


class _AfterPerturbation(StatelessExtractor):
    """An extractor that sees each case after a small change."""

    needs_batches = False

    def __init__(self, extractor, kind, amount, margin_mm, random_state):
        self.extractor = extractor
        self.kind = kind
        self.amount = amount
        self.margin_mm = margin_mm
        self.random_state = random_state

    @property
    def libraries(self):
        return getattr(self.extractor, "libraries", ())

    def fit(self, cases, y=None):
        self.extractor.fit(cases)
        return self

    def transform(self, cases):
        rows = np.full((len(cases), len(self.get_feature_names_out())), np.nan)
        label = getattr(self.extractor, "label", None)
        for row, case in zip(rows, cases, strict=True):
            if label is not None and case.mask_label is None:
                case = case.replace(mask_label=label)
            try:
                changed = perturb(case, self.kind, self.amount, self.margin_mm, self.random_state)
                changed = changed.replace(mask_label=1)  # the region in memory, whatever the label of the extractor
                row[:] = np.asarray(self.extractor.transform([changed]))[0]
            except (EmptyMaskError, RoiTooSmallError):  # a small region eroded away: nothing to compare
                continue
        return rows

    def get_feature_names_out(self, input_features=None):
        return self.extractor.get_feature_names_out()

    def settings(self):
        own = self.extractor.settings() if hasattr(self.extractor, "settings") else self.extractor.get_params()
        return {"after": [self.kind, self.amount, self.margin_mm, self.random_state], "extractor": own}
