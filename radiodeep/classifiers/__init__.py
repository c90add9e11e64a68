"""Cases -> probabilities: networks as scikit-learn classifiers."""
