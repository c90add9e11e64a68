"""In: names of families and aggregations. Out: the features that the IBSI reference manual defines, with tags and ids.

`IBSI_FEATURES` is the list of them: it defines order, tags (those of the tables of published reference values), names
and ids, and the function of each family returns its values in this order.
"""

from collections.abc import Collection
from dataclasses import dataclass
from functools import lru_cache

from radiodeep.checks import did_you_mean, invalid


@dataclass(frozen=True)
class IbsiFeature:
    """One feature of the reference manual.

    Attributes
    ----------
    tag : str
        As in the tables of reference values, without aggregation: "cm_contrast".
    name : str
        As in these tables: "Contrast".
    family : str
        "glcm"
    ibsi_id : str
        Id of the definition: "ACUI".
    """

    tag: str
    name: str
    family: str
    ibsi_id: str


@dataclass(frozen=True)
class Aggregation:
    """One way to make features of the matrices of directions and slices; the standard has another id for zones.

    Attributes
    ----------
    suffix, ibsi_id : str
        Of GLCM and GLRLM, whose matrices have a direction: "3D_comb" and "IAZD".
    plain_suffix, plain_id : str
        Of GLSZM, GLDZM, NGTDM and NGLDM, whose matrices have none: "3D" and "KOBO".
    """

    suffix: str
    ibsi_id: str
    plain_suffix: str
    plain_id: str


AGGREGATIONS = {
    "2D_averaged": Aggregation("2D_avg", "BTW3", "2D", "8QNN"),
    "2D_slice_merged": Aggregation("2D_comb", "SUJT", "2D", "8QNN"),
    "2.5D_direction_merged": Aggregation("2_5D_avg", "JJUI", "2_5D", "62GR"),
    "2.5D_merged": Aggregation("2_5D_comb", "ZW7Z", "2_5D", "62GR"),
    "3D_averaged": Aggregation("3D_avg", "ITBB", "3D", "KOBO"),
    "3D_merged": Aggregation("3D_comb", "IAZD", "3D", "KOBO"),
}
FAMILY_IDS = {
    "morphology": "HCUG",
    "local_intensity": "9ST6",
    "intensity_statistics": "UHIW",
    "intensity_histogram": "ZVCW",
    "intensity_volume_histogram": "P88C",
    "glcm": "LFYI",
    "glrlm": "TP0I",
    "glszm": "9SAK",
    "gldzm": "VMDZ",
    "ngtdm": "IPET",
    "ngldm": "REK0",
}
IBSI_FAMILIES = tuple(FAMILY_IDS)
DIRECTED_FAMILIES = ("glcm", "glrlm")  # with a matrix for each direction
TEXTURE_FAMILIES = ("glcm", "glrlm", "glszm", "gldzm", "ngtdm", "ngldm")  # which have an aggregation


def _family(family, rows):
    lines = [line.split(maxsplit=2) for line in rows.strip().splitlines()]
    return tuple(IbsiFeature(tag, name, family, ibsi_id) for tag, ibsi_id, name in lines)


IBSI_FEATURES = (
    *_family(
        "morphology",
        """
        morph_volume              RNU0 Volume (mesh)
        morph_vol_approx          YEKZ Volume (voxel counting)
        morph_area_mesh           C0JK Surface area (mesh)
        morph_av                  2PR5 Surface to volume ratio
        morph_comp_1              SKGS Compactness 1
        morph_comp_2              BQWJ Compactness 2
        morph_sph_dispr           KRCK Spherical disproportion
        morph_sphericity          QCFX Sphericity
        morph_asphericity         25C7 Asphericity
        morph_com                 KLMA Centre of mass shift
        morph_diam                L0JK Maximum 3D diameter
        morph_pca_maj_axis        TDIC Major axis length
        morph_pca_min_axis        P9VJ Minor axis length
        morph_pca_least_axis      7J51 Least axis length
        morph_pca_elongation      Q3CK Elongation
        morph_pca_flatness        N17B Flatness
        morph_vol_dens_aabb       PBX1 Volume density (AABB)
        morph_area_dens_aabb      R59B Area density (AABB)
        morph_vol_dens_ombb       ZH1A Volume density (OMBB)
        morph_area_dens_ombb      IQYR Area density (OMBB)
        morph_vol_dens_aee        6BDE Volume density (AEE)
        morph_area_dens_aee       RDD2 Area density (AEE)
        morph_vol_dens_mvee       SWZ1 Volume density (MVEE)
        morph_area_dens_mvee      BRI8 Area density (MVEE)
        morph_vol_dens_conv_hull  R3ER Volume density (convex hull)
        morph_area_dens_conv_hull 7T7F Area density (convex hull)
        morph_integ_int           99N0 Integrated intensity
        morph_moran_i             N365 Moran's I index
        morph_geary_c             NPT7 Geary's C measure
        """,
    ),
    *_family(
        "local_intensity",
        """
        loc_peak_loc  VJGA Local intensity peak
        loc_peak_glob 0F91 Global intensity peak
        """,
    ),
    *_family(
        "intensity_statistics",
        """
        stat_mean   Q4LE Mean
        stat_var    ECT3 Variance
        stat_skew   KE2A Skewness
        stat_kurt   IPH6 (Excess) kurtosis
        stat_median Y12H Median
        stat_min    1GSF Minimum
        stat_p10    QG58 10th percentile
        stat_p90    8DWT 90th percentile
        stat_max    84IY Maximum
        stat_iqr    SALO Interquartile range
        stat_range  2OJQ Range
        stat_mad    4FUA Mean absolute deviation
        stat_rmad   1128 Robust mean absolute deviation
        stat_medad  N72L Median absolute deviation
        stat_cov    7TET Coefficient of variation
        stat_qcod   9S40 Quartile coefficient of dispersion
        stat_energy N8CA Energy
        stat_rms    5ZWQ Root mean square
        """,
    ),
    *_family(
        "intensity_histogram",
        """
        ih_mean       X6K6 Mean
        ih_var        CH89 Variance
        ih_skew       88K1 Skewness
        ih_kurt       C3I7 (Excess) kurtosis
        ih_median     WIFQ Median
        ih_min        1PR8 Minimum
        ih_p10        GPMT 10th percentile
        ih_p90        OZ0C 90th percentile
        ih_max        3NCY Maximum
        ih_mode       AMMC Mode
        ih_iqr        WR0O Interquartile range
        ih_range      5Z3W Range
        ih_mad        D2ZX Mean absolute deviation
        ih_rmad       WRZB Robust mean absolute deviation
        ih_medad      4RNL Median absolute deviation
        ih_cov        CWYJ Coefficient of variation
        ih_qcod       SLWD Quartile coefficient of dispersion
        ih_entropy    TLU2 Entropy
        ih_uniformity BJ5W Uniformity
        ih_max_grad   12CE Maximum histogram gradient
        ih_max_grad_g 8E6O Maximum histogram gradient intensity
        ih_min_grad   VQB3 Minimum histogram gradient
        ih_min_grad_g RHQZ Minimum histogram gradient intensity
        """,
    ),
    *_family(
        "intensity_volume_histogram",
        """
        ivh_v10          BC2M Volume fraction at 10% intensity
        ivh_v90          BC2M Volume fraction at 90% intensity
        ivh_i10          GBPN Intensity at 10% volume
        ivh_i90          GBPN Intensity at 90% volume
        ivh_diff_v10_v90 DDTU Volume fraction difference between 10% and 90% intensity
        ivh_diff_i10_i90 CNV2 Intensity difference between 10% and 90% volume
        ivh_auc          9CMM Area under the IVH curve
        """,
    ),
    *_family(
        "glcm",
        """
        cm_joint_max         GYBY Joint maximum
        cm_joint_avg         60VM Joint average
        cm_joint_var         UR99 Joint variance
        cm_joint_entr        TU9B Joint entropy
        cm_diff_avg          TF7R Difference average
        cm_diff_var          D3YU Difference variance
        cm_diff_entr         NTRS Difference entropy
        cm_sum_avg           ZGXS Sum average
        cm_sum_var           OEEB Sum variance
        cm_sum_entr          P6QZ Sum entropy
        cm_energy            8ZQL Angular second moment
        cm_contrast          ACUI Contrast
        cm_dissimilarity     8S9J Dissimilarity
        cm_inv_diff          IB1Z Inverse difference
        cm_inv_diff_norm     NDRX Normalised inverse difference
        cm_inv_diff_mom      WF0Z Inverse difference moment
        cm_inv_diff_mom_norm 1QCO Normalised inverse difference moment
        cm_inv_var           E8JP Inverse variance
        cm_corr              NI2N Correlation
        cm_auto_corr         QWB0 Autocorrelation
        cm_clust_tend        DG8W Cluster tendency
        cm_clust_shade       7NFM Cluster shade
        cm_clust_prom        AE86 Cluster prominence
        cm_info_corr1        R8DG Information correlation 1
        cm_info_corr2        JN9H Information correlation 2
        """,
    ),
    *_family(
        "glrlm",
        """
        rlm_sre       22OV Short runs emphasis
        rlm_lre       W4KF Long runs emphasis
        rlm_lgre      V3SW Low grey level run emphasis
        rlm_hgre      G3QZ High grey level run emphasis
        rlm_srlge     HTZT Short run low grey level emphasis
        rlm_srhge     GD3A Short run high grey level emphasis
        rlm_lrlge     IVPO Long run low grey level emphasis
        rlm_lrhge     3KUM Long run high grey level emphasis
        rlm_glnu      R5YN Grey level non-uniformity
        rlm_glnu_norm OVBL Normalised grey level non-uniformity
        rlm_rlnu      W92Y Run length non-uniformity
        rlm_rlnu_norm IC23 Normalised run length non-uniformity
        rlm_r_perc    9ZK5 Run percentage
        rlm_gl_var    8CE5 Grey level variance
        rlm_rl_var    SXLW Run length variance
        rlm_rl_entr   HJ9O Run entropy
        """,
    ),
    *_family(
        "glszm",
        """
        szm_sze       5QRC Small zone emphasis
        szm_lze       48P8 Large zone emphasis
        szm_lgze      XMSY Low grey level emphasis
        szm_hgze      5GN9 High grey level emphasis
        szm_szlge     5RAI Small zone low grey level emphasis
        szm_szhge     HW1V Small zone high grey level emphasis
        szm_lzlge     YH51 Large zone low grey level emphasis
        szm_lzhge     J17V Large zone high grey level emphasis
        szm_glnu      JNSA Grey level non-uniformity
        szm_glnu_norm Y1RO Normalised grey level non-uniformity
        szm_zsnu      4JP3 Zone size non-uniformity
        szm_zsnu_norm VB3A Normalised zone size non-uniformity
        szm_z_perc    P30P Zone percentage
        szm_gl_var    BYLV Grey level variance
        szm_zs_var    3NSA Zone size variance
        szm_zs_entr   GU8N Zone size entropy
        """,
    ),
    *_family(
        "gldzm",
        """
        dzm_sde       0GBI Small distance emphasis
        dzm_lde       MB4I Large distance emphasis
        dzm_lgze      S1RA Low grey level emphasis
        dzm_hgze      K26C High grey level emphasis
        dzm_sdlge     RUVG Small distance low grey level emphasis
        dzm_sdhge     DKNJ Small distance high grey level emphasis
        dzm_ldlge     A7WM Large distance low grey level emphasis
        dzm_ldhge     KLTH Large distance high grey level emphasis
        dzm_glnu      VFT7 Grey level non-uniformity
        dzm_glnu_norm 7HP3 Normalised grey level non-uniformity
        dzm_zdnu      V294 Zone distance non-uniformity
        dzm_zdnu_norm IATH Normalised zone distance non-uniformity
        dzm_z_perc    VIWW Zone percentage
        dzm_gl_var    QK93 Grey level variance
        dzm_zd_var    7WT1 Zone distance variance
        dzm_zd_entr   GBDU Zone distance entropy
        """,
    ),
    *_family(
        "ngtdm",
        """
        ngt_coarseness QCDE Coarseness
        ngt_contrast   65HE Contrast
        ngt_busyness   NQ30 Busyness
        ngt_complexity HDEZ Complexity
        ngt_strength   1X9X Strength
        """,
    ),
    *_family(
        "ngldm",
        """
        ngl_lde       SODN Low dependence emphasis
        ngl_hde       IMOQ High dependence emphasis
        ngl_lgce      TL9H Low grey level count emphasis
        ngl_hgce      OAE7 High grey level count emphasis
        ngl_ldlge     EQ3F Low dependence low grey level emphasis
        ngl_ldhge     JA6D Low dependence high grey level emphasis
        ngl_hdlge     NBZI High dependence low grey level emphasis
        ngl_hdhge     9QMG High dependence high grey level emphasis
        ngl_glnu      FP8K Grey level non-uniformity
        ngl_glnu_norm 5SPA Normalised grey level non-uniformity
        ngl_dcnu      Z87G Dependence count non-uniformity
        ngl_dcnu_norm OKJI Normalised dependence count non-uniformity
        ngl_dc_perc   6XV8 Dependence count percentage
        ngl_gl_var    1PFV Grey level variance
        ngl_dc_var    DNX2 Dependence count variance
        ngl_dc_entr   FCBV Dependence count entropy
        ngl_dc_energy CAS9 Dependence count energy
        """,
    ),
)
FEATURE_OF_TAG = {feature.tag: feature for feature in IBSI_FEATURES}


@dataclass(frozen=True)
class IbsiColumn:
    """A feature under an aggregation: what one column holds.

    Attributes
    ----------
    tag : str
        With the suffix of the aggregation, if the family has one: "cm_contrast_3D_comb".
    feature : IbsiFeature
    aggregation : str or None
        One of `AGGREGATIONS`, the first of those that give this column.
    """

    tag: str
    feature: IbsiFeature
    aggregation: str | None = None

    @property
    def aggregation_id(self):
        """The id of the aggregation, None for families without."""
        if self.aggregation is None:
            return None
        known = AGGREGATIONS[self.aggregation]
        return known.ibsi_id if self.feature.family in DIRECTED_FAMILIES else known.plain_id


@lru_cache
def ibsi_columns(families=IBSI_FAMILIES, aggregations=("3D_merged",)):
    """Return the tuple of `IbsiColumn` of some families, in the order of the tables of reference values.

    >>> len(ibsi_columns()), ibsi_columns(("glcm",))[11].tag, ibsi_columns(("ngtdm",))[0].aggregation_id
    (174, 'cm_contrast_3D_comb', 'KOBO')
    """
    columns = []
    for family in in_ibsi_order(families):
        features = [feature for feature in IBSI_FEATURES if feature.family == family]
        suffixes = {}
        for aggregation in aggregations if family in TEXTURE_FAMILIES else ():
            suffixes.setdefault(aggregation_suffix(family, aggregation), aggregation)
        if family not in TEXTURE_FAMILIES:
            columns += [IbsiColumn(feature.tag, feature) for feature in features]
        for suffix, aggregation in suffixes.items():
            columns += [IbsiColumn(f"{feature.tag}_{suffix}", feature, aggregation) for feature in features]
    return tuple(columns)


def aggregation_suffix(family, aggregation):
    """Return how the tags of a texture family end under one of `AGGREGATIONS`, e.g. "3D_comb"."""
    known = AGGREGATIONS[aggregation]
    return known.suffix if family in DIRECTED_FAMILIES else known.plain_suffix


@lru_cache(maxsize=4096)
def ibsi_column(tag):
    """Return the `IbsiColumn` of a tag with or without the suffix of an aggregation, or None if there is no such tag.

    >>> ibsi_column("szm_z_perc_2_5D").feature.ibsi_id, ibsi_column("ih_entropy").aggregation, ibsi_column("age")
    ('P30P', None, None)
    """
    if tag in FEATURE_OF_TAG:
        return IbsiColumn(tag, FEATURE_OF_TAG[tag])
    for aggregation in AGGREGATIONS:
        for family in TEXTURE_FAMILIES:
            own = tag.removesuffix(f"_{aggregation_suffix(family, aggregation)}")
            feature = FEATURE_OF_TAG.get(own) if own != tag else None
            if feature is not None and feature.family == family:
                return IbsiColumn(tag, feature, aggregation)
    return None


def in_ibsi_order(families):
    """Return the families in the order of the catalogue; raise InputError unless all of them are in it."""
    is_listed = isinstance(families, Collection) and not isinstance(families, str)
    if not is_listed or not families or not all(family in IBSI_FAMILIES for family in families):
        allowed = f"a sequence of names from {IBSI_FAMILIES}"
        hint = did_you_mean(families, IBSI_FAMILIES)
        raise invalid("ibsi_columns", "families", allowed, families, hint)
    return [family for family in IBSI_FAMILIES if family in families]
