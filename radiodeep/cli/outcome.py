"""Options of the outcome and what is known of the cases -> what is studied, and which outcome is positive."""

from dataclasses import dataclass
from enum import StrEnum

import radiodeep as rd
from radiodeep.cli.terminal import say
from radiodeep.exceptions import InputError


class Outcome(StrEnum):
    auto = "auto"
    classes = "classes"
    ordered = "ordered"
    numbers = "numbers"
    survival = "survival"


@dataclass(frozen=True)
class OutcomeOptions:
    """--outcome, --positive and --horizon."""

    outcome: Outcome = Outcome.auto
    positive: str | None = None
    horizon: float | None = None

    def is_survival(self, has_labels, has_follow_up):
        """Return whether survival is studied: if it is asked for, or if the cases have times and events, not labels."""
        if self.outcome is Outcome.auto and self.positive is None:
            return has_follow_up and not has_labels
        return self.outcome is Outcome.survival

    def say_what_is_studied(self, source, is_survival):
        """Say that survival is studied if nobody asked for it."""
        if is_survival and self.outcome is Outcome.auto:
            say(f"The {source} has time and event and no label, so survival is predicted.")

    def kind(self, y):
        """Return the kind of the outcomes, as `kind_of_outcomes` does; raise InputError for options of other kinds."""
        kind = rd.kind_of_outcomes(y, self.outcome)
        if self.horizon is not None and kind != "survival":
            raise InputError(f"--horizon is a time of survival. These outcomes are {_described(kind, y)}.")
        if self.positive is not None and kind not in ("two classes", "ordered classes"):
            raise InputError(f"--positive names one of two classes. These outcomes are {_described(kind, y)}.")
        return kind

    def positive_of(self, y):
        """Return --positive as `cross_validate_models` takes it: one of two classes, or ordered ones as a list."""
        kind = self.kind(y)
        values = {} if kind == "survival" else {str(label): label for label in sorted(set(y.tolist()))}
        if kind == "ordered classes":
            return self._order(values, is_text=y.dtype.kind not in "biuf")
        if self.positive is None:
            return None
        if self.positive.strip() not in values:
            raise InputError(f"--positive must be one of the labels {', '.join(values)}. Got '{self.positive}'.")
        return values[self.positive.strip()]

    def _order(self, values, is_text):
        named = [text.strip() for text in (self.positive or "").split(",")] if self.positive else list(values)
        if (is_text and self.positive is None) or sorted(named) != sorted(values):
            received = "no order" if self.positive is None else f"'{self.positive}'"
            raise InputError(
                f"Ordered classes need an order from lowest to highest, such as --positive {','.join(values)}. Got "
                f"{received}."
            )
        return [values[name] for name in named]


def _described(kind, y):
    return kind if kind in ("numbers", "survival") else f"{kind}, {', '.join(map(str, sorted(set(y.tolist()))))}"
