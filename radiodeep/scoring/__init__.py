"""Models and cases -> predictions, remarks on what is unlike the training cases, and recorded failures."""
