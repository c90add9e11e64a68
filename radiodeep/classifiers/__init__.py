"""Cases or table rows -> probability: the classifiers that scikit-learn lacks."""
