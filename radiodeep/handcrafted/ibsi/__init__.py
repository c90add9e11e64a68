"""Arrays -> floats: the features of the Image Biomarker Standardisation Initiative (IBSI)."""
