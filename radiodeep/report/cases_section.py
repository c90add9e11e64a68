"""Results and a cohort -> the part of a report about its cases: dots, pictures and a table, the worst cases first."""

import numpy as np

from radiodeep.report.cases_table import case_columns, case_figure, is_wrong, misfit, outcome_texts
from radiodeep.report.lesions import MOST_PICTURES, Lesions
from radiodeep.report.section import Drawing, Section
from radiodeep.report.verdict import by_estimate

_SHARE_OF_WORST = 0.8  # of the pictures, if there are more cases; the others are spread over the rest
_N_OPEN = 28  # pictures that are shown at once


def lesions_of(results, cohort):
    """Return the Lesions of a cohort, with pictures of the cases that the best of some results predicts worst.

    `results` are a list of StudyResult, or a dict of them.
    """
    main = by_estimate(results.values() if isinstance(results, dict) else results)[0].primary
    positions = _chosen(np.argsort(-misfit(main), kind="stable"))
    return Lesions.of(cohort, main.predictions.index[positions].map(str))


def cases_part(results, colours, lesions=None):
    """Return the part of the cases, with what is known of their `Lesions`.

    It is a dict of the `section` with the figure, the `columns` of the table, the `order` of the positions of the
    cases (the worst of the best model first), their `ids`, `wrong` (of the best model, or None) and the `pictures`.
    """
    first = results[0]
    index = first.predictions.index
    ordered = [_in_order_of(result.primary, index) for result in by_estimate(results)]
    main = ordered[0]
    order = np.argsort(-misfit(main), kind="stable")
    ids = [str(name) for name in index]
    sizes = None
    if lesions is not None and len(lesions.facts.columns):
        sizes = lesions.facts.iloc[:, 0].reindex(ids)
    columns = case_columns(ordered, sizes)
    wrong = is_wrong(main)
    return {
        "columns": columns,
        "order": order.tolist(),
        "ids": ids,
        "wrong": wrong,
        "n_wrong": 0 if wrong is None else int(wrong.sum()),
        "main": main.name,
        "n_open": _N_OPEN,
        "pictures": [] if lesions is None else _pictures(lesions, order, ids, main, columns),
        "section": Section("Cases", sentences=(_sentence(main),), drawings=(_drawing(ordered, colours),)),
    }


def _in_order_of(result, index):
    return result if result.predictions.index.equals(index) else result.in_order_of(index)


def _chosen(order):
    """Return the positions of the cases with a picture: the worst, and some of the others."""
    if len(order) <= MOST_PICTURES:
        return order
    n_worst = int(_SHARE_OF_WORST * MOST_PICTURES)
    others = np.linspace(n_worst, len(order) - 1, MOST_PICTURES - n_worst).round().astype(int)
    return np.concatenate([order[:n_worst], order[np.unique(others)]])


def _pictures(lesions, order, ids, main, columns):
    """Return the pictures in order, each with the position of its case, its outcome and what the model predicts."""
    outcomes = outcome_texts(main)
    predicted = columns[len(main.endpoint.outcome_columns)]
    return [
        {
            **lesions.pictures[ids[position]],
            "position": int(position),
            "id": ids[position],
            "told": [("outcome", outcomes[position]), (predicted["heading"], predicted["texts"][position])],
            "is_wrong": predicted["is_wrong"] is not None and bool(predicted["is_wrong"][position]),
        }
        for position in order
        if ids[position] in lesions.pictures
    ]


def _sentence(main):
    kinds = {
        "numbers": "the absolute error",
        "survival": "the fraction of comparable cases that are ranked in the wrong order with the case",
        "two classes": "the fraction of cases of the other class that are ranked in the wrong order with the case",
    }
    kind = kinds.get(main.endpoint.kind, "one less the probability of the true class")
    is_voted = "accuracy" in main.endpoint.offers and main.score_table.shape[1] > 1
    majority = " A prediction is that of most repeats, a probability their mean." if is_voted else ""
    return (
        f"Predictions are those of models that had not seen the case ({main.cv}). Cases that {main.name} predicts "
        f"worst come first, by {kind}, in the table the {'error' if main.endpoint.kind == 'numbers' else 'misfit'}."
        f"{majority}"
    )


def _drawing(ordered, colours):
    caption = "Each dot is a case: click on it to see the case."
    if "accuracy" in ordered[0].endpoint.offers:
        caption += " Open dots are predicted as the wrong class"
        several = ordered[0].score_table.shape[1] > 1
        caption += ", by the majority of the repeats; their position is the mean." if several else "."
    return Drawing("Predictions of all cases", case_figure(ordered, colours), caption)
