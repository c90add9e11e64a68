"""Cases or table rows -> predictions: the models that scikit-learn lacks."""
