"""Downloaded collections -> NIfTI files and a manifest."""
