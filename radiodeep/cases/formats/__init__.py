"""Image files other than DICOM -> volumes."""
