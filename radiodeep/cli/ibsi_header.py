"""A table of features <-> the same with the identifiers of the IBSI in a second header."""

import pandas as pd

from radiodeep.exceptions import InputError

IBSI_ROW = "ibsi_id"  # how the second header begins


def check_ids_can_be_written(output, lesions):
    """Raise InputError if a table cannot have a second header, before anything is computed."""
    if output.suffix != ".csv":
        raise InputError(f"--ibsi-ids writes a second header, which only .csv files have. Got '{output.name}'.")
    if lesions is not None:
        raise InputError("--ibsi-ids names the features of cases, and --lesions joins them. Leave out one of them.")


def with_ids(frame, extractors):
    """Return a table of texts and numbers whose first row, "ibsi_id", has the ids of the columns that have one.

    `extractors` are those of the features, fitted; columns of others, as labels or deep features, have no id.
    """
    ids = {}
    for extractor in extractors:
        if hasattr(extractor, "ibsi_ids"):
            ids |= extractor.ibsi_ids().dropna().to_dict()
    row = pd.DataFrame([[ids.get(name, "") for name in frame.columns]], [IBSI_ROW], frame.columns, dtype=object)
    return pd.concat([row, frame.astype(object)]).rename_axis(index=frame.index.name)


def without_ids(rows):
    """Return the rows of a table, lists of texts below the first header, without the second header."""
    return rows[1:] if rows and rows[0][0].strip() == IBSI_ROW else rows
