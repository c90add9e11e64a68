"""A result and its table of features -> the section of a report on the features that the model selected."""

import numpy as np
import pandas as pd
from scipy.cluster.hierarchy import leaves_list, linkage
from scipy.spatial.distance import squareform

from radiodeep.report.feature_figures import correlation_figure, feature_values_figure, selected_features_figure
from radiodeep.report.feature_meaning import DEEP, HANDCRAFTED, feature_meaning
from radiodeep.report.figures import selection_counts
from radiodeep.report.section import Drawing, Section
from radiodeep.study.statistics.univariate import effect_measure, univariate_effects

_MOST_PICTURES, _MOST_CORRELATED = 6, 20
_SELECTED = (
    "Bars: the share of the folds whose model kept the feature. A feature that is kept in few folds depends on which "
    "cases the model learned from."
)


def feature_section(result, colour, table=None, most=15):
    """Return the Section on the features that the folds selected most often; None for a model without selector.

    Parameters
    ----------
    result : StudyResult
    colour : colour of the model
    table : DataFrame of shape (n_cases, n_features), optional
        The features by case id, for their effect, values and correlations; those that it does not hold are only named.
    most : int, default=15
        Features that are shown.
    """
    shown = result.primary
    counts = selection_counts(shown)
    if counts is None:
        return None
    names = counts.index[:most]
    described = pd.DataFrame([vars(feature_meaning(name)) for name in names], index=names)
    described["share"] = counts[names] / len(shown.folds)
    values = _values_of(shown, table, counts.index)
    endpoint = shown.endpoint
    measure, chance = effect_measure(endpoint)
    known = [name for name in names if name in values]
    if known:
        described = described.join(univariate_effects(endpoint, values[known]))
    figure = selected_features_figure(described, colour, f"{measure} by itself" if known else None, chance)
    caption = _SELECTED
    if known:
        caption += f" Points: the {measure} of the feature by itself, with interval{_direction(endpoint)}"
    drawings = [Drawing("Selected features", figure, caption, described.rename_axis("feature").reset_index())]
    if known:
        drawings.append(_values_drawing(endpoint, values[known[:_MOST_PICTURES]], colour))
    correlated = [name for name in counts.index if name in values][:_MOST_CORRELATED]
    correlations = _correlations(values[correlated])
    if len(correlations) > 1:
        drawings.append(_correlation_drawing(correlations))
    sentences = [_how_many(counts, most, len(shown.folds)), *_stability(shown)]
    tables = {"What the features are": _meanings(described, values, table, shown)}
    deep = (
        "What a deep feature measures has no name. Its correlations are a hint; explain_deep_feature draws where in "
        "the images the network looks for it.",
    )
    notes = (
        "Effects are those of all cases of the study, from which the features were selected: of many candidates the "
        "best look better than they are. The performance of the model does not have this fault, since features were "
        "selected again in each fold.",
        "Correlated features tell the same: which of them is selected is often chance.",
        *(deep if DEEP in described["kind"].tolist() else ()),
    )
    return Section(f"Selected features: {result.name}", tuple(sentences), (), tuple(drawings), tables, {}, notes)


def _values_of(result, table, names):
    """Return the columns of a table that have the names of selected features, in the order of the cases."""
    ids = result.predictions.index
    if table is None or not table.index.is_unique or not ids.isin(table.index).all():
        return pd.DataFrame(index=ids)
    short = {}
    for column in table.columns:
        short.setdefault(str(column).rsplit("__", 1)[-1], column)
    columns = {name: name if name in table.columns else short.get(name) for name in names}
    numeric = {name: table[column] for name, column in columns.items() if column is not None}
    numeric = {name: values for name, values in numeric.items() if values.dtype.kind in "fiub"}
    return pd.DataFrame(numeric, index=table.index).loc[ids].astype(float)


def _how_many(counts, most, n_folds):
    n_per_fold = counts.sum() / n_folds
    shown = (
        "all are shown" if len(counts) <= most else f"the {most} most frequent are shown, {len(counts) - most} more not"
    )
    return (
        f"A fold selects {n_per_fold:.3g} features on average; over all {n_folds} folds {len(counts)} different ones, "
        f"{shown}."
    )


def _stability(result):
    """Yield how far the folds agree, in plain words."""
    if result.effective_n_features is not None:
        yield (
            f"Together the features of a fold tell as much as {result.effective_n_features:.1f} features that do not "
            "correlate."
        )
    stability = result.stability
    if stability is None:
        return
    agreement = stability.kuncheva
    levels = ((0.2, "hardly agree"), (0.5, "agree moderately"), (0.8, "agree well"), (np.inf, "agree closely"))
    words = next(words for highest, words in levels if agreement < highest)
    yield (
        f"The folds {words} on the features: two folds share {stability.jaccard:.0%} of those that either selects "
        f"(Jaccard index), and corrected for chance the agreement is {agreement:.2f}, where 1 is the same features "
        "everywhere and 0 is drawing them at random (Kuncheva's index)."
    )
    if stability.shared_training:
        yield (
            f"Two folds learn from {stability.shared_training:.0%} common cases, which makes even features without "
            "information agree to some degree."
        )


def _direction(endpoint):
    """Return what a point right of the dotted line means."""
    if endpoint.kind == "two classes":
        return f"; right of the dotted line the feature is higher in {endpoint.positive!r}, left of it lower."
    if endpoint.kind == "several classes":
        return "; the further right, the more the classes differ."
    return f"; right of the dotted line a high value goes with {endpoint.high_score}, left of it a low one."


def _values_drawing(endpoint, values, colour):
    """Return box plots of features by outcome, or points for numbers."""
    numbers = pd.concat([pd.DataFrame(endpoint.columns(), index=values.index), values], axis=1).reset_index()
    title = "Values of the most selected features"
    if endpoint.kind == "numbers":
        caption = "Each point is a case: the feature from left to right, the outcome upwards."
        return Drawing(title, feature_values_figure(values, endpoint.y, colour), caption, numbers)
    box = "Box: the middle half of the cases, with the median; points: the cases."
    if endpoint.kind == "survival":
        groups = np.where(endpoint.time > endpoint.horizon, 0, np.where(endpoint.event, 1, -1))
        labels = [f"no event by {endpoint.horizon:.4g}", f"event by {endpoint.horizon:.4g}"]
        n_out = int((groups == -1).sum())
        box += f" Left out: {n_out} cases whose observation ended before." if n_out else ""
    else:
        groups = pd.Index(endpoint.classes).get_indexer(endpoint.y)
        labels = [str(label) for label in endpoint.classes]
    return Drawing(title, feature_values_figure(values, groups, colour, labels), box, numbers)


def _correlations(values):
    """Return the rank correlations of features that vary, in the order of a clustering by their size."""
    found = values.corr("spearman", min_periods=3)
    is_known = found.notna().any(axis=1)
    found = found.loc[is_known, is_known].fillna(0.0)
    if len(found) < 3:
        return found
    distances = np.clip(1 - found.abs().to_numpy(), 0, None)
    np.fill_diagonal(distances, 0)
    order = leaves_list(linkage(squareform(distances, checks=False), "average", optimal_ordering=True))
    return found.iloc[order, order]


def _correlation_drawing(correlations):
    caption = (
        "Rank correlations (Spearman) of the selected features, in an order that puts those together which tell the "
        "same (average linkage of 1 - |correlation|). Red: both rise together; blue: one falls."
    )
    return Drawing("Correlations of the features", correlation_figure(correlations), caption, correlations)


def _meanings(described, values, table, result):
    """Return a table of kind, family, image, IBSI id and description of features."""
    rows = []
    for name, row in described.iterrows():
        words = row["words"]
        if row["kind"] == DEEP and name in values:
            words = f"{words}; {_nearest(values[name], table, result.predictions.index)}"
        rows.append((row["kind"], row["family"], row["image"], row["ibsi_id"], words))
    columns = ["kind", "family", "image", "IBSI id", "describes"]
    return pd.DataFrame(rows, index=described.index.rename("feature"), columns=columns)


def _nearest(values, table, ids):
    """Return in words which handcrafted feature of the table a deep one correlates with most."""
    handcrafted = [column for column in table.columns if feature_meaning(column).kind == HANDCRAFTED]
    if not handcrafted:
        return "no handcrafted features to compare with"
    correlations = table.loc[ids, handcrafted].rank().corrwith(values.loc[ids].rank()).dropna()  # Spearman's
    if correlations.empty:
        return "constant"
    best = correlations.abs().idxmax()
    return f"goes most with {best} (rank correlation {correlations[best]:+.2f})"
