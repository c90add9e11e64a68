"""DICOM files -> series, regions and uptake values; regions -> DICOM files."""
