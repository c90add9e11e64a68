"""What a study knows about itself -> the items of reporting standards that this answers, and those left to the author.

The items are tables in `checklists`, in words of our own. Each names the facts of `study_facts` that answer it, fully
or in part, and what the author has to write.
"""

from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pandas as pd

from radiodeep.checks import require_option
from radiodeep.report.section import Section
from radiodeep.report.study_facts import study_facts

_FOLDER = Path(__file__).with_name("checklists")
ANSWERED, PARTLY, NOT_DONE, AUTHOR = "the study", "the study in part", "not done", "the author"
_REMAINS = {AUTHOR: "Describe it.", PARTLY: "Add what is missing."}  # of items that say no more
_ANSWERS = (ANSWERED, PARTLY, NOT_DONE, AUTHOR)


@dataclass(frozen=True)
class Standard:
    """A reporting standard: its table in `checklists`, the short citation, and the whole one."""

    file: str
    cited: str
    reference: str

    @property
    def items(self):
        """A row per item: `item`, `section`, `topic`, `points`, `facts`, `extent` and `author`, as texts."""
        return _items(self.file)


STANDARDS = {
    "METRICS": Standard("metrics", "Kocak 2024", "Kocak et al., Insights into Imaging 15 (2024) 8"),
    "CLEAR": Standard("clear", "Kocak 2023", "Kocak et al., Insights into Imaging 14 (2023) 75"),
    "RQS 2.0": Standard("rqs2", "Lambin 2025", "Lambin et al., Nature Reviews Clinical Oncology 22 (2025) 831"),
    "TRIPOD+AI": Standard("tripod_ai", "Collins 2024", "Collins et al., BMJ 385 (2024) e078378"),
    "CLAIM 2024": Standard("claim", "Tejani 2024", "Tejani et al., Radiology Artificial Intelligence 6 (2024) e240300"),
    "IBSI": Standard("ibsi", "IBSI reference manual", "Zwanenburg et al., arXiv:1612.07003, reporting guidelines"),
}


NOTE = (
    "Numbers of items are those of the standards, their wording is ours. Points are what the software can show at "
    "most: whether an item is met is for the author and the reader to judge."
)


def checklist(results, standard="METRICS", cohort=None, *, controls=None, repeatability=None, subgroups=None):
    """Fill in a reporting standard with what a study knows, and mark what is left to the author.

    Parameters
    ----------
    results : StudyResult, sequence of StudyResult, dict of them, or FeatureSetComparison
        Of the same cases.
    standard : {"METRICS", "CLEAR", "RQS 2.0", "TRIPOD+AI", "CLAIM 2024", "IBSI"}, default="METRICS"
    cohort : Cohort or sequence of Case or Patient, optional
        For the demographics and the acquisition; its images are read.
    controls : NegativeControls, optional
        From `negative_controls`.
    repeatability : DataFrame or dict of them, optional
        From `repeatability`.
    subgroups : Subgroups, optional
        From `subgroups`.

    Returns
    -------
    DataFrame
        A row per item: `item`, its number; `section`; `topic`, in words of our own; `answered by`, "the study", "the
        study in part", "the author", or of standards that give points "not done"; `value`, sentences to paste; `left
        to you`, what the author has to add; `source`. METRICS and RQS 2.0 also have the `points` of each item. Whether
        it deserves them is for a reader to judge.

    Raises
    ------
    InputError
        There is no such standard.
    StudyError
        Other objects than results are given.

    References
    ----------
    METRICS: Kocak et al., Insights into Imaging 15 (2024) 8. CLEAR: Kocak et al., Insights into Imaging 14 (2023) 75.
    RQS 2.0: Lambin et al., Nature Reviews Clinical Oncology 22 (2025) 831. TRIPOD+AI: Collins et al., BMJ 385 (2024)
    e078378. CLAIM: Tejani et al., Radiology: Artificial Intelligence 6 (2024) e240300. IBSI: Zwanenburg et al., Image
    biomarker standardisation initiative, arXiv:1612.07003, reporting guidelines.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.linear_model import LogisticRegression
    >>> from radiodeep import checklist, cross_validated_auc
    >>> rng = np.random.default_rng(0)
    >>> y = np.repeat([0, 1], 20)
    >>> result = cross_validated_auc(LogisticRegression(), rng.normal(size=(40, 2)) + y[:, None], y, cv=5, n_repeats=1)
    >>> table = checklist(result, "CLAIM 2024").set_index("item")
    >>> table.loc["19", "value"]
    'Cross-validation (5-fold): models learn from 32 cases and are tested on the others.'
    >>> table.loc["44", ["answered by", "left to you"]].tolist()
    ['the author', 'Name the funders and their role.']
    """
    require_option(standard, tuple(STANDARDS), checklist, "standard")
    facts = study_facts(results, cohort, controls=controls, repeatability=repeatability, subgroups=subgroups)
    return filled_in(standard, facts)


def filled_in(standard, facts):
    """Return the items of a standard, as `checklist` does, from the facts of `study_facts`."""
    items = STANDARDS[standard].items
    gives_points = bool((items["points"] != "").any())
    rows = []
    for item in items.itertuples():
        known = [facts[name] for name in item.facts.split() if facts[name] is not None]
        answer = _answered_by(item, known, gives_points)
        rows.append(
            {
                "item": item.item,
                "section": item.section,
                "topic": item.topic,
                **({"points": float(item.points)} if gives_points else {}),
                "answered by": answer,
                "value": " ".join(each.text for each in known),
                "left to you": item.author or _REMAINS.get(answer, ""),
                "source": f"{STANDARDS[standard].cited}, item {item.item}",
            }
        )
    return pd.DataFrame(rows)


def checklist_summary(facts):
    """Return how many items of each standard the study answers: a DataFrame with a row per standard, all as texts."""
    rows = {}
    for standard in STANDARDS:
        table = filled_in(standard, facts)
        counts = table["answered by"].value_counts().reindex(list(_ANSWERS), fill_value=0)
        rows[standard] = {"items": str(len(table)), **{answer: str(n) for answer, n in counts.items()}, "points": ""}
        if "points" in table:
            rows[standard]["points"] = _points(table)
    names = {answer: f"answered by {answer}" for answer in (ANSWERED, PARTLY)} | {AUTHOR: "left to the author"}
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("standard").rename(columns=names)


def checklist_section(facts):
    """Return the Section of all standards, filled in with the facts of `study_facts`."""
    folded = {}
    for standard, properties in STANDARDS.items():
        table = filled_in(standard, facts).drop(columns=["section", "source"])
        folded[f"{standard} ({properties.reference})"] = table.set_index("item")
    return Section(
        "Checklists of reporting",
        sentences=(
            "Which items of reporting standards this study can answer by itself, with sentences to paste, and what is "
            "left to the author.",
        ),
        tables={"Items of each standard": checklist_summary(facts)},
        folded=folded,
        notes=(NOTE,),
    )


@cache
def _items(file):
    return pd.read_csv(_FOLDER / f"{file}.csv", dtype=str, keep_default_na=False)


def _answered_by(item, known, gives_points):
    """Return who answers an item, from the facts that are known of those it names."""
    if not known:
        return AUTHOR
    if gives_points and not any(each.done for each in known):
        return NOT_DONE
    return ANSWERED if item.extent == "full" and len(known) == len(item.facts.split()) else PARTLY


def _points(table):
    """Return the points of the items that the study answers, and with those it answers in part, as text."""
    shown = table["points"].where(table["answered by"] == ANSWERED, 0).sum()
    partly = table["points"].where(table["answered by"] == PARTLY, 0).sum()
    return f"at most {shown:.3g} of {table['points'].sum():.3g}, and {partly:.3g} with the author's part"
