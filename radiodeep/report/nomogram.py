"""A fitted logistic or Cox model of few features -> points for each value, and what their total predicts."""

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.special import expit, logit

from radiodeep.checks import is_positive, is_sequence, require
from radiodeep.exceptions import InputError
from radiodeep.files import replacing
from radiodeep.report.style import COLOURS, figure_with_axes, plain_text
from radiodeep.study.folds.estimator_tree import best_of, final_step, kind_of

_MOST_VARIABLES = 12
_MOST_LEVELS = 5  # different values that are all drawn
_ROUNDING = 1e-6  # of a linear predictor
_DRAWN = np.array([0.01, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99])  # probabilities
_CHARACTER = 1.15  # width of a character of a label, in hundredths of the axis
_SUFFIXES = (".png", ".svg", ".pdf")


@dataclass(frozen=True, eq=False)
class Nomogram:
    """Points of a model's features, and the probability or survival that their total stands for.

    Attributes
    ----------
    variables : DataFrame
        A row per feature: its `coefficient`, and the `low` and `high` end of its values.
    points : DataFrame
        Columns `variable`, `value` and `points`, the rows in the order in which they are drawn.
    totals : DataFrame
        `points` in total and what they stand for: `linear_predictor` and `probability`, or ``survival_<time>``.
    intercept : float
        The linear predictor of 0 points.
    per_point : float
        What a point adds to the linear predictor.
    hazards : dict from float to float
        Cumulative hazard by time of a case whose linear predictor is 0; empty for a logistic model.
    positive : object
        The class that the probability is about.
    """

    variables: pd.DataFrame
    points: pd.DataFrame
    totals: pd.DataFrame
    intercept: float
    per_point: float
    hazards: dict = field(default_factory=dict)
    positive: object = None

    def total_points(self, table):
        """Return the total points (n_cases,) of a DataFrame with the features as columns."""
        values = table[self.variables.index].to_numpy(dtype=float)
        return (values @ self.variables["coefficient"] - _least(self.variables).sum()) / self.per_point

    def predict(self, total_points):
        """Return the probability of the positive class, or of survival at each time, for total points (n_cases,).

        Returns
        -------
        DataFrame
            The column `probability`, or ``survival_<time>`` for each time.
        """
        predictor = self.intercept + self.per_point * np.asarray(total_points, dtype=float)
        if not self.hazards:
            return pd.DataFrame({"probability": expit(predictor)})
        ratio = np.exp(predictor)
        return pd.DataFrame({f"survival_{time:g}": np.exp(-hazard * ratio) for time, hazard in self.hazards.items()})

    def figure(self):
        """Draw the nomogram: a ruler of points, one for each feature, the total, and what it stands for."""
        rulers = self._rulers()
        figure, axes = figure_with_axes(8.0, 0.6 + 0.48 * len(rulers))
        for row, (label, positions, texts) in enumerate(rulers):
            _draw_ruler(axes, -row, positions, texts, COLOURS[0] if label in self.variables.index else "0.2")
            axes.text(-3, -row, plain_text(label), ha="right", va="center", fontsize=8)
        axes.set(xlim=(-2, 102), ylim=(0.6 - len(rulers), 0.6), xticks=[], yticks=[])
        axes.spines[:].set_visible(False)
        return figure

    def save(self, path):
        """Write the figure as .png, .svg or .pdf, and return its path."""
        path = Path(path)
        if path.suffix.lower() not in _SUFFIXES:
            raise InputError(f"A nomogram is written as {', '.join(_SUFFIXES)}. Got '{path.name}' instead.")
        with replacing(path) as part:
            self.figure().savefig(part, format=path.suffix[1:].lower(), dpi=200)
        return path

    def _rulers(self):
        """Return label, positions in 0..100 and texts of each ruler, from top to bottom."""
        hundred = np.arange(0, 101, 10)
        rulers = [("Points", hundred, hundred)]
        for name, rows in self.points.groupby("variable", sort=False):
            rulers.append((name, rows["points"].to_numpy(), [f"{value:.4g}" for value in rows["value"]]))
        total = self.totals["points"].to_numpy()
        rulers.append(("Total points", 100 * total / total[-1], [f"{points:g}" for points in total]))
        predictors = {
            f"Survival at {time:g}": np.log(-np.log(_DRAWN) / hazard) for time, hazard in self.hazards.items() if hazard
        }
        if not self.hazards:
            predictors = {f"Probability of {self.positive}": logit(_DRAWN)}
        for label, predictor in predictors.items():
            positions = 100 * (predictor - self.intercept) / self.per_point / total[-1]
            is_there = (positions >= 0) & (positions <= 100)
            rulers.append((label, positions[is_there], [f"{value:g}" for value in _DRAWN[is_there]]))
        return rulers


def nomogram(model, X, times=None):
    """Bring a logistic or Cox model of few features to points that can be added by hand.

    Parameters
    ----------
    model : fitted pipeline or estimator
        Ending in ``LogisticRegression``, `CoxRegression` or a `Signature` of such a kind; scalers, imputers and
        selectors may precede it, and a first step that turns cases into a table.
    X : DataFrame, ndarray, Cohort or sequence of Case
        The training cases, whose features give the ranges of the rulers.
    times : sequence of float, optional
        For a Cox model: the times of the survival, in the unit of the training.

    Returns
    -------
    Nomogram

    Raises
    ------
    InputError
        The model is another one, is not a weighted sum of its features, or uses more than 12; or times are missing.

    Notes
    -----
    As in rms, the feature whose range changes the linear predictor most has 0 to 100 points, and the others points in
    proportion; 0 points are the end of a ruler with the lowest risk. Features used with the weight 0 are left out.

    References
    ----------
    Harrell, Regression Modeling Strategies, 2nd ed., Springer 2015, section 10.11. Iasonos, Schrag, Raj, Panageas, How
    to build and interpret a nomogram for cancer prognosis, J. Clinical Oncology 26 (2008) 1364.

    Examples
    --------
    >>> import numpy as np
    >>> import pandas as pd
    >>> from sklearn.linear_model import LogisticRegression
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn.preprocessing import StandardScaler
    >>> from radiodeep import nomogram
    >>> table = pd.DataFrame({"age": np.arange(40, 80), "volume": np.tile([1.0, 3, 9, 20], 10)})
    >>> y = (table["age"] + 2 * table["volume"] + np.tile([0, 15, 0, 0, 15], 8) > 80).astype(int)
    >>> model = make_pipeline(StandardScaler(), LogisticRegression()).fit(table, y)
    >>> drawn = nomogram(model, table)
    >>> drawn.points[drawn.points["variable"] == "volume"].round(1)
      variable  value  points
    5   volume    1.0     0.0
    6   volume    3.0    10.2
    7   volume    9.0    40.9
    8   volume   20.0    97.2
    >>> drawn.predict([50, 100]).round(2)["probability"].tolist()
    [0.19, 0.67]
    """
    model = best_of(model)
    table, last = _table_and_last(model, X)
    final, _ = last(table)
    hazards, positive = {}, None
    if hasattr(final, "predict_survival"):
        is_known = is_sequence(times) and all(map(is_positive, times))
        require(is_known, nomogram, "times", "times > 0, e.g. times=[12, 24], for a model of survival", times)
        predict = _risk
    elif _is_logistic(*last(table.fillna(table.median()))):
        require(times is None, nomogram, "times", "None for a model of classes", times)
        positive, predict = final.classes_[1], _log_odds
    else:
        raise InputError(
            f"A nomogram is of a logistic regression of two classes, a Cox regression, or a Signature of one. Got "
            f"{type(final).__name__}."
        )
    origin, coefficients = _linear_form(lambda table: predict(*last(table)), table)
    used = [name for name, coefficient in coefficients.items() if coefficient]
    if not 0 < len(used) <= _MOST_VARIABLES:
        raise InputError(
            f"A nomogram has 1 to {_MOST_VARIABLES} features. The model uses {len(used)} of {table.shape[1]}; select "
            "fewer in its pipeline."
        )
    if times is not None:
        final, middle = last(table.median().to_frame().T)
        hazards = -np.log(final.predict_survival(middle, times)[0]) * np.exp(-_risk(final, middle))
        hazards = dict(zip(times, hazards.tolist(), strict=True))
    ticks = {name: _ticks(table[name].dropna()) for name in used}
    return _in_points(coefficients[used], ticks, origin, hazards, positive)


def _in_points(coefficients, ticks, origin, hazards, positive):
    """Return the Nomogram of a linear predictor, whose value is `origin` if all features are 0."""
    ends = {name: (values[0], values[-1]) for name, values in ticks.items()}
    variables = pd.DataFrame.from_dict(ends, orient="index", columns=["low", "high"])
    variables.insert(0, "coefficient", coefficients)
    ranges = variables["coefficient"].abs() * (variables["high"] - variables["low"])
    if not ranges.max() > 0:
        raise InputError("A nomogram needs a feature that differs between the cases. All are constant.")
    per_point, least = float(ranges.max() / 100), _least(variables)
    points = pd.DataFrame(
        [
            (name, float(value), float((coefficients[name] * value - least[name]) / per_point))
            for name, values in ticks.items()
            for value in values
        ],
        columns=["variable", "value", "points"],
    )
    drawn = Nomogram(variables, points, None, float(origin + least.sum()), per_point, hazards, positive)
    totals = pd.DataFrame({"points": _ticks(np.linspace(0, ranges.sum() / per_point, _MOST_LEVELS + 1), n_most=12)})
    totals["linear_predictor"] = drawn.intercept + per_point * totals["points"]
    totals = totals.join(drawn.predict(totals["points"]))
    return Nomogram(variables, points, totals, drawn.intercept, per_point, hazards, positive)


def _table_and_last(model, X):
    """Return the features of X as a DataFrame of numbers, and a function of it: the final estimator and its rows.

    The first step of a pipeline makes the table of cases, and of a DataFrame that holds text.
    """
    if isinstance(X, np.ndarray) and X.dtype != object:
        return pd.DataFrame(X.astype(float)), lambda table: final_step(model, table.to_numpy())
    if isinstance(X, pd.DataFrame) and all(dtype.kind in "fiub" for dtype in X.dtypes):
        return X.astype(float), lambda table: final_step(model, table)
    if kind_of(model) != "chain" or len(model) < 2 or not hasattr(model[0], "get_feature_names_out"):
        raise InputError("A nomogram needs the table of the features, or a pipeline whose first step makes it of X.")
    made, names, others = model[0].transform(X), model[0].get_feature_names_out(), model[1:]
    short = [str(name).rsplit("__", 1)[-1] for name in names]
    table = pd.DataFrame(np.asarray(made, dtype=float), columns=short if len(set(short)) == len(short) else names)
    if isinstance(made, pd.DataFrame):
        return table, lambda table: final_step(others, table.set_axis(names, axis=1))
    return table, lambda table: final_step(others, table.to_numpy())


def _is_logistic(final, rows):
    """Return whether a classifier of two classes has decision values that are the log-odds of its probabilities."""
    is_of_two = len(getattr(final, "classes_", ())) == 2
    if not is_of_two or not hasattr(final, "decision_function") or not hasattr(final, "predict_proba"):
        return False
    return np.allclose(expit(_log_odds(final, rows)), final.predict_proba(rows)[:, 1], rtol=0, atol=_ROUNDING)


def _log_odds(final, rows):
    return np.ravel(final.decision_function(rows))


def _risk(final, rows):
    return np.ravel(final.predict(rows))


def _linear_form(predict, table):
    """Return the linear predictor of a row of zeros, and the coefficients as a Series; InputError if not linear."""
    middle = table.median()
    steps = (table.max() - table.min()).replace(0.0, 1.0)
    rows = pd.DataFrame(np.tile(middle.to_numpy(), (len(middle) + 1, 1)), columns=table.columns)
    rows.iloc[1:] += np.diag(steps)
    values = predict(rows)
    coefficients = pd.Series((values[1:] - values[0]) / steps.to_numpy(), index=table.columns)
    coefficients[np.abs(values[1:] - values[0]) < _ROUNDING**2] = 0.0
    origin = values[0] - middle @ coefficients
    complete = table.fillna(middle)
    difference = np.abs(predict(complete) - origin - complete @ coefficients)
    if difference.max() > _ROUNDING * (1 + np.abs(values).max()):
        raise InputError(
            "A nomogram is of a weighted sum of features, and the linear predictor of this model is not one. Leave out "
            "steps that are not linear in the features, or put them before the table."
        )
    return float(origin), coefficients


def _least(variables):
    """Return the least contribution of each feature to the linear predictor."""
    ends = variables[["low", "high"]].mul(variables["coefficient"], axis=0)
    return ends.min(axis=1)


def _ticks(values, n_most=6):
    """Return the values themselves if they are few, else round numbers about their range."""
    different = np.unique(values)
    if len(different) <= _MOST_LEVELS:
        return different
    from matplotlib.ticker import MaxNLocator  # takes a second

    return MaxNLocator(n_most, steps=[1, 2, 2.5, 5, 10]).tick_values(different[0], different[-1])


def _draw_ruler(axes, height, positions, texts, colour):
    """Draw a ruler with its ticks; a text that would touch the one before it is left out."""
    if len(positions) == 0:
        return
    axes.plot([min(positions), max(positions)], [height, height], color=colour, linewidth=1.2)
    axes.plot(positions, np.full(len(positions), height), "|", color=colour, markersize=7)
    end = -np.inf
    for place in np.argsort(positions, kind="stable"):
        half = _CHARACTER * len(str(texts[place])) / 2
        if positions[place] - half > end:
            axes.text(positions[place], height - 0.16, str(texts[place]), ha="center", va="top", fontsize=7)
            end = positions[place] + half
