"""Cases and extractors -> the tables of a study, each computed once."""

import numpy as np

from radiodeep.rows import extract_rows, rows_by_case


class ExtractedTables:
    """The tables of all extractors of a study by the keys of the extractors, and the errors of cases by position."""

    def __init__(self, cases, cache_dir=None, on_error="raise"):
        self.cases = cases
        self.cache_dir = cache_dir
        self.on_error = on_error
        self.errors = {}
        self._tables = {}
        self._repeats = None

    def repeats(self):
        """Return the tables of the repeated measurements of all cases; with `on_error` set, they may hold NaN."""
        if self._repeats is None:
            repeats = [repeat for case in self.cases for repeat in getattr(case, "repeats", {}).values()]
            self._repeats = ExtractedTables(repeats, self.cache_dir, self.on_error)
        return self._repeats

    def fill(self, extractors, n_jobs=None):
        """Compute the missing tables of extractors (by their keys); each case is read once for all extractors."""
        missing = {key: extractor for key, extractor in extractors.items() if key not in self._tables}
        if not missing:
            return
        kept = [row for row in range(len(self.cases)) if row not in self.errors]
        cases = [self.cases[row] for row in kept]
        for extractor in missing.values():
            extractor.fit(cases)
        tables, errors = extract_rows(
            missing,
            cases,
            n_jobs=n_jobs,
            cache_dir=self.cache_dir,
            on_error="raise" if self.on_error == "raise" else "record",
            description="Extracting features",
        )
        self.errors |= {kept[place]: message for place, message in errors.items()}
        for key, extractor in missing.items():
            if self.on_error != "raise" and hasattr(extractor, "missing_images"):
                lacking = {
                    place: text for place, text in extractor.missing_images(cases).items() if place not in errors
                }
                is_empty = np.isnan(tables[key]).all(axis=1)
                self.errors |= {kept[place]: text for place, text in lacking.items() if is_empty[place]}
            values = np.full((len(self.cases), tables[key].shape[1]), np.nan)
            values[kept] = tables[key]
            try:
                names = list(extractor.get_feature_names_out())
            except AttributeError:  # a transformer of the user's own
                names = [f"x{column}" for column in range(values.shape[1])]
            self._tables[key] = values, names

    def read_all(self, n_jobs=None):
        """Record the errors of cases that cannot be read, for models that learn from the images themselves."""
        _, errors = rows_by_case(_read, self.cases, n_jobs=n_jobs, on_error="record", description="Reading cases")
        self.errors |= errors

    def of(self, key, extractor):
        """Return the table of an extractor and the names of its columns."""
        self.fill({key: extractor})
        return self._tables[key]

    def computed(self):
        """Return all tables with the names of their columns."""
        return list(self._tables.values())


def _read(cases):
    for case in cases:
        for lesion in getattr(case, "lesions", (case,)):  # of a patient
            lesion.in_memory()
    return [None] * len(cases)
