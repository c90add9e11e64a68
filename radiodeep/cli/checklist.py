"""`radiodeep checklist`: which items of reporting standards a study answers."""

import radiodeep as rd
from radiodeep.cli import options
from radiodeep.cli.options import ReportingStandard
from radiodeep.cli.output import check_file
from radiodeep.cli.report import saved_study
from radiodeep.cli.terminal import say

_NAMES = {  # of the Python interface
    ReportingStandard.metrics: "METRICS",
    ReportingStandard.clear: "CLEAR",
    ReportingStandard.rqs: "RQS 2.0",
    ReportingStandard.tripod: "TRIPOD+AI",
    ReportingStandard.claim: "CLAIM 2024",
    ReportingStandard.ibsi: "IBSI",
}


def checklist(
    folder: options.ResultsFolder,
    output: options.ChecklistToWrite = None,
    standard: options.StandardOption = None,
):
    """Fill in reporting standards with what a study knows.

    METRICS, CLEAR, RQS 2.0, TRIPOD+AI, CLAIM 2024 and IBSI's guidelines. Shown is how many items the study answers, and
    how many are left to the author; --output writes each item with sentences to paste.
    """
    if output is not None:
        check_file(output, ".html", ".csv")
    saved = saved_study(folder)
    known = {name: saved.get(name) for name in ("controls", "repeatability", "lesions")}
    facts = rd.study_facts(saved["results"], **known)
    standards = list(_NAMES.values()) if standard is None else [_NAMES[standard]]
    counts = rd.checklist_summary(facts).loc[standards]
    for name, row in counts.iterrows():
        say(f"{name}, {row['items']} items:")
        for words, count in row.drop("items").items():
            if count not in ("", "0"):
                say(f"  {words + ':':<27} {count}")
    if output is not None:
        say(f"Wrote {rd.write_checklist(facts, output, standards)}")
