"""The figure of numbers shows the predictions and the limits of agreement."""

import numpy as np
from sklearn.linear_model import Ridge

from radiodeep import cross_validated_score
from radiodeep.report.agreement_figure import agreement_figure


def test_differences_and_limits_are_drawn():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(40, 2))
    result = cross_validated_score(Ridge(), X, X[:, 0] + rng.normal(size=40), cv=4)
    limits = result.tables()["Limits of agreement"]
    left, right = agreement_figure(result, limits).axes
    predicted = result.predictions["prediction"]
    np.testing.assert_array_equal(left.lines[1].get_xdata(), predicted)
    np.testing.assert_array_equal(right.lines[0].get_ydata(), predicted - result.endpoint.y)
    assert [line.get_ydata()[0] for line in right.lines[1:]] == limits["value"].tolist()
    assert [text.get_text().split("\n")[0] for text in right.texts] == ["bias", "lower limit", "upper limit"]
