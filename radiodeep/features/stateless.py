"""`StatelessExtractor`: what every extractor of cases that learns nothing has in common."""

from sklearn.base import BaseEstimator, TransformerMixin

from radiodeep.exceptions import InputError


class StatelessExtractor(TransformerMixin, BaseEstimator):
    """A transformer of cases that scikit-learn and the studies know to learn nothing (`requires_fit` is False)."""

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.requires_fit = False
        return tags

    def __sklearn_is_fitted__(self):
        return True

    def _require(self, rules):
        """Raise an `InputError` for the first rule that is broken; rules: name -> (holds, what is allowed)."""
        for name, (holds, allowed) in rules.items():
            if not holds:
                raise InputError(
                    f"The '{name}' parameter of {type(self).__name__} must be {allowed}. "
                    f"Got {getattr(self, name)!r} instead."
                )
