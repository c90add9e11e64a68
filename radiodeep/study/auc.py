"""Where results pickled by earlier versions look for ConfidenceInterval."""

from radiodeep.study.statistics.auc import AucEstimate, ConfidenceInterval  # noqa: F401
