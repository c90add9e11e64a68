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
    figure = survival_figure(pd.DataFrame(rows), horizon=15.0, p_value=0.0123)
    axes, below = figure.axes
    low, high, horizon = axes.lines
    assert (low.get_label(), high.get_label()) == ("low risk", "high risk")
    assert low.get_linestyle() != high.get_linestyle()
    assert low.get_ydata().tolist() == [1.0, 0.75, 0.25]
    assert horizon.get_xdata() == [15.0, 15.0]
    assert figure.legends[0].get_title().get_text() == "log-rank test: p = 0.012"
    assert [label.get_text() for label in below.get_yticklabels()] == ["low risk", "high risk"]
    shown = [text.get_text() for text in below.texts]
    assert (shown[0], shown[len(shown) // 2 - 1], shown[-1]) == ("40", "10", "10")
    no_test = survival_figure(pd.DataFrame(rows), horizon=15.0, p_value=np.nan)
    assert no_test.legends[0].get_title().get_text() == ""
