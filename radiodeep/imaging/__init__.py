"""Case -> Case: crop, resample, scale intensities."""
