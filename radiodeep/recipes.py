"""Extractors or columns in, a model out: standardised features, the best of each kind, then a classifier.

The models that the commands offer by name. A study of your own writes its model with scikit-learn's `make_pipeline`.
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
    """The selector and the classifier of a model.

    Parameters
    ----------
    selector : {"relieff", "symmetric-uncertainty", "fast-correlation-filter"}, default="relieff"
    n_features : int, default=5
        Features kept of each kind, e.g. handcrafted and deep.
    classifier : {"naive-bayes", "random-forest", "svm"}, default="naive-bayes"
    seed : int, default=0
        Of forests and support vector machines.

    Examples
    --------
    >>> import radiodeep as rd
    >>> from radiodeep.recipes import Recipe
    >>> model = Recipe(n_features=3).over_cases({"shape": rd.RadiomicsExtractor(families=["shape"])})
    >>> [type(step).__name__ for step in model[0]]
    ['RadiomicsExtractor', 'StandardScaler', 'ReliefF']
    """

    selector: str = "relieff"
    n_features: int = 5
    classifier: str = "naive-bayes"
    seed: int = 0

    def over_cases(self, extractors, probabilities=False):
        """Return a model that takes cases: the best features of each extractor, then the classifier.

        Parameters
        ----------
        extractors : dict from kind to extractor
        probabilities : bool, default=False
            Whether a support vector machine is calibrated, which takes further fits.
        """
        from sklearn.pipeline import make_pipeline, make_union  # late: the commands start without scikit-learn

        parts = [make_pipeline(extractor, *self._selection()) for extractor in extractors.values()]
        head = make_union(*parts) if len(parts) > 1 else parts[0]
        return make_pipeline(head, self._classifier(probabilities))

    def over_columns(self, columns):
        """Return a model that takes a table: the best features of each kind, then the classifier.

        Parameters
        ----------
        columns : dict from kind to list of column names, or None for all columns
        """
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
