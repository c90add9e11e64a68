"""Cases and labels -> deep features of a network that has learned from them."""

from radiodeep.features.deep.extractor import DeepFeatureExtractor
from radiodeep.features.deep.fine_tuning import FineTuning


class FineTunedFeatureExtractor(DeepFeatureExtractor):
    """Extract features of lesions with a pretrained network that is first trained on the cases of `fit`.

    Unlike a `DeepFeatureExtractor` it has to be fitted with labels, so studies train it anew in every fold.

    Parameters
    ----------
    network, weights, ..., fine_tune, ...
        All parameters of `DeepFeatureExtractor`. `fine_tune` is the plan of training; None is ``FineTuning()``.

    Attributes
    ----------
    weights_sha256_ : str
        Hash of the tuned weights.
    tuned_weights_ : dict of str to ndarray
        The fitted extractor needs no other weights.
    normalization_ : ndarray of shape (2, channels)
        Mean and standard deviation that images are normalized with.

    See Also
    --------
    DeepFeatureExtractor : Learns nothing; with ``fine_tune=FineTuning(...)`` it does the same as this class.

    Examples
    --------
    >>> from radiodeep import FineTunedFeatureExtractor, FineTuning, make_phantom_cohort
    >>> cohort = make_phantom_cohort(8, random_state=0)
    >>> tuned = FineTunedFeatureExtractor(window="crop", fine_tune=FineTuning(learning_rate=1e-2))
    >>> tuned.fit(cohort, cohort.labels).transform(cohort).shape
    (8, 128)
    """

    def _plan(self):
        return FineTuning() if self.fine_tune is None else self.fine_tune
