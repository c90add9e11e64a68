"""What a `RadiomicsExtractor` tells about its features: settings, families, units, identifiers."""

import pandas as pd

from radiodeep.cases.naming import naming
from radiodeep.features.radiomics.dependence import acquisition_needs, unit_bound_features
from radiodeep.features.radiomics.ibsi_ids import ids_of_columns
from radiodeep.features.radiomics.measurement import intensity_ranges, n_shared_features
from radiodeep.features.radiomics.settings import RadiomicsSettings, effective_settings
from radiodeep.features.several_images import MeasuredImages
from radiodeep.features.stateless import with_label


class RadiomicsDescription:
    """Methods of `RadiomicsExtractor` that describe its features."""

    def settings(self):
        """Return all settings that the features depend on, for reports and caches."""
        known = effective_settings(RadiomicsSettings.of(self), self.get_params())
        return {"extractor": type(self).__name__, **known, **MeasuredImages.of(self).settings()}

    def ibsi_ids(self):
        """Return the identifiers of the features in the IBSI reference manual.

        Returns
        -------
        Series of str or None
            By name of the column: the id of the feature, and after a colon that of the aggregation, if the feature has
            one. None if the manual does not define the feature, or defines it otherwise, as the Kurtosis of
            pyradiomics, which is 3 more than that of the IBSI.

        Examples
        --------
        >>> from radiodeep import RadiomicsExtractor
        >>> ids = RadiomicsExtractor(convention="ibsi").ibsi_ids()
        >>> ids["original_morph_sphericity"], ids["original_cm_contrast_3D_comb"]
        ('QCFX', 'ACUI:IAZD')
        >>> ids = RadiomicsExtractor().ibsi_ids()
        >>> ids["original_glcm_Contrast"], ids["original_firstorder_Kurtosis"]
        ('ACUI:ITBB', None)
        """
        settings, images = RadiomicsSettings.of(self), MeasuredImages.of(self)
        ids = ids_of_columns(settings)
        n_shared = n_shared_features(settings, images)
        values = [*ids[:n_shared], *(ids[n_shared:] * len(images.names))]
        return pd.Series(values, index=self.get_feature_names_out(), dtype=object, name="ibsi_id")

    def chosen_families(self):
        """Return the names of the families that are calculated."""
        return RadiomicsSettings.of(self).chosen_families

    def intensity_ranges(self, case):
        """Return (lowest, highest) intensity of a case's region before binning, by image type and, in it, by image."""
        with naming(case):
            case = case.of_image(self.image) if isinstance(self.image, str) else case
            return intensity_ranges(with_label(case, self.label), RadiomicsSettings.of(self))

    def acquisition_needs(self):
        """Return what images must have in common, see `StatelessExtractor.acquisition_needs`."""
        return acquisition_needs(RadiomicsSettings.of(self))

    def unit_bound_features(self):
        """Return the names of the features that change if an image is multiplied by a constant.

        They are not comparable between images without a physical unit, e.g. of MR.

        Returns
        -------
        list of str

        Examples
        --------
        >>> from radiodeep import RadiomicsExtractor
        >>> extractor = RadiomicsExtractor(families=["firstorder", "glcm"], bin_count=32)
        >>> len(extractor.unit_bound_features()), len(extractor.get_feature_names_out())
        (14, 42)
        """
        settings = RadiomicsSettings.of(self)
        return MeasuredImages.of(self).titles(unit_bound_features(settings))
