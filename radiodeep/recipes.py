"""Extractors or columns -> the models that the commands offer: scaled features, the best of each kind, a classifier.

Other models are written with scikit-learn's `make_pipeline`.
"""

from dataclasses import dataclass

import radiodeep as rd

SELECTORS = {
    "relieff": "ReliefF",
    "symmetric-uncertainty": "SymmetricUncertainty",
    "fast-correlation-filter": "FastCorrelationFilter",
}


@dataclass(frozen=True)
class Recipe:
    """The selector of `n_features` of each kind, e.g. handcrafted and deep, and the classifier of a model."""

    selector: str = "relieff"
    n_features: int = 5
    classifier: str = "naive-bayes"
    seed: int = 0

    def over_cases(self, extractors, probabilities=False):
        """Return a model of cases: the best features of each extractor of a dict, then the classifier.

        With `probabilities` a support vector machine is calibrated, which takes further fits.
        """
        from sklearn.pipeline import make_pipeline, make_union  # late: the commands start without scikit-learn

        parts = [make_pipeline(extractor, *self._selection()) for extractor in extractors.values()]
        head = make_union(*parts) if len(parts) > 1 else parts[0]
        return make_pipeline(head, self._classifier(probabilities))

    def over_columns(self, columns):
        """Return a model of a table: the best of each kind of `columns`, a dict of lists, or of all with None."""
        from sklearn.compose import ColumnTransformer
        from sklearn.pipeline import make_pipeline

        if columns is None:
            return make_pipeline(*self._selection(), self._classifier())
        parts = [(kind, make_pipeline(*self._selection()), names) for kind, names in columns.items()]
        return make_pipeline(ColumnTransformer(parts), self._classifier())

    def _selection(self):
        from sklearn.preprocessing import StandardScaler

        selector = getattr(rd, SELECTORS[self.selector])
        return StandardScaler(), selector(n_features_to_select=self.n_features)

    def _classifier(self, probabilities=False):
        from sklearn.calibration import CalibratedClassifierCV
        from sklearn.ensemble import RandomForestClassifier
        from sklearn.naive_bayes import GaussianNB
        from sklearn.pipeline import make_pipeline
        from sklearn.preprocessing import MinMaxScaler
        from sklearn.svm import SVC

        if self.classifier == "naive-bayes":
            return GaussianNB()
        if self.classifier == "random-forest":
            return RandomForestClassifier(n_estimators=200, random_state=self.seed)
        machine = SVC(kernel="linear", random_state=self.seed)
        last = CalibratedClassifierCV(machine, ensemble=False) if probabilities else machine
        return make_pipeline(MinMaxScaler(), last)
