"""The figure of survival shows the curves of the risk groups, and how many cases are at risk."""

import numpy as np
import pandas as pd

from radiodeep.report.survival_figure import survival_figure


def test_curves_numbers_at_risk_and_the_test_are_drawn():
    rows = [
        {"group": group, "time": time, "n_at_risk": 10 * n, "survival": n / 4, "low": n / 5, "high": n / 4}
        for group in ("all", "low risk", "high risk")
        for time, n in ((0.0, 4), (10.0, 3), (20.0, 1))
    ]
    axes = survival_figure(pd.DataFrame(rows), horizon=15.0, p_value=0.0123).axes[0]
    low, high, horizon = axes.lines
    assert (low.get_label(), high.get_label()) == ("low risk", "high risk")
    assert low.get_ydata().tolist() == [1.0, 0.75, 0.25]
    assert horizon.get_xdata() == [15.0, 15.0]
    assert axes.get_legend().get_title().get_text() == "log-rank p = 0.012"
    shown = [text.get_text() for text in axes.texts]
    n_times = shown.index("high risk, at risk") - 1
    assert shown[0] == "low risk, at risk"
    assert (shown[1], shown[n_times]) == ("40", "10")
    no_test = survival_figure(pd.DataFrame(rows), horizon=15.0, p_value=np.nan).axes[0]
    assert no_test.get_legend().get_title().get_text() == ""
