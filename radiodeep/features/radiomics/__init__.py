"""Case -> handcrafted features."""

from radiodeep.features.radiomics.bin_width import suggest_bin_width
from radiodeep.features.radiomics.extractor import RadiomicsExtractor

__all__ = ["RadiomicsExtractor", "suggest_bin_width"]
