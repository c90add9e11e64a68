"""Case -> deep features."""

from radiodeep.features.deep.autoencoder import AutoencoderFeatures
from radiodeep.features.deep.extractor import DeepFeatureExtractor
from radiodeep.features.deep.fine_tuned import FineTunedFeatureExtractor
from radiodeep.features.deep.fine_tuning import FineTuning

__all__ = ["AutoencoderFeatures", "DeepFeatureExtractor", "FineTunedFeatureExtractor", "FineTuning"]
