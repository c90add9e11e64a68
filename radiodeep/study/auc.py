"""Where results pickled by earlier versions look for AucEstimate and ConfidenceInterval."""

from radiodeep.study.statistics.auc import AucEstimate, ConfidenceInterval  # noqa: F401
