"""Table -> evidence: cross-validation, AUC, comparisons."""
