"""Where results pickled by earlier versions look for SelectionStability."""

from radiodeep.study.statistics.stability import SelectionStability  # noqa: F401
