"""Outputs of networks trained with class weights -> probabilities at the class frequencies of training, and classes."""

import numpy as np
import torch
from sklearn.base import ClassifierMixin
from sklearn.utils.validation import check_is_fitted

from radiodeep.models.shared_outputs import shared_output


class WeightedNetworks(ClassifierMixin):
    """Predictions of a classifier with `networks_`, `classes_` and `class_weights_`; `CNNClassifier` explains them.

    A subclass implements ``_outputs(X)``, which returns the probabilities of `_link` of each network, shape
    (n_networks, n_cases, n_classes).
    """

    def predict_members(self, X):
        """Return the probabilities of each network, shape (n_networks, n_cases, n_classes)."""
        return shared_output(self, X, self._outputs)

    def predict_proba(self, X):
        """Return the mean of the networks' probabilities, shape (n_cases, n_classes)."""
        return self.predict_members(X).mean(axis=0)

    def predict(self, X):
        """Return the class of each case with the largest product of probability and class weight.

        With "balanced" and two classes that is the second if its probability exceeds its frequency in training.
        """
        probabilities = self.predict_proba(X)
        return self.classes_[(probabilities * self._weights()).argmax(axis=1)]

    def decision_weights(self):
        """Return the weight of each class in the decision of each network, shape (n_networks, n_classes)."""
        check_is_fitted(self, "networks_")
        return np.tile(self._weights(), (len(self.networks_), 1))

    def _weights(self):
        return getattr(self, "class_weights_", np.ones(len(self.classes_)))

    def _link(self, outputs):
        """Return the probabilities of the classes at their frequencies in training, from one logit or several."""
        shift = torch.as_tensor(np.log(self._weights()), dtype=outputs.dtype, device=outputs.device)
        if outputs.shape[1] == 1:
            log_odds = outputs - (shift[1] - shift[0])
            return torch.cat([torch.sigmoid(-log_odds), torch.sigmoid(log_odds)], dim=1)
        return torch.softmax(outputs[:, : len(self.classes_)] - shift, dim=1)
