"""Where results pickled by earlier versions look for Comparison."""

from radiodeep.study.statistics.comparison import Comparison  # noqa: F401
